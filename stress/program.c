// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/program.h"

#include "engine/types.h"
#include "stress/hotplug_ops.h"
#include "stress/items.h"
#include "stress/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char key[] = "program";

/* Regions that no mmap has to make, where the group has them. */
static const char region_anon[] = "anon";
static const char region_shared[] = "shared";
static const char region_file[] = "file";

/* The place of an operation in the job file, for messages. */
struct op_place {
	const char *file;
	unsigned int line;
	const char *op;
};

static bool is_region_name(const char *text)
{
	if (!isalpha((unsigned char)text[0]))
		return false;
	for (const char *s = text; *s; s++) {
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	}
	return strlen(text) < JOB_NAME_SIZE;
}

static int parse_region(struct op_arg *arg, const char *text, const struct op_place *place,
			struct error *err)
{
	if (!is_region_name(text))
		return error_input(
			err,
			"%s:%u: %s: %s: \"%.60s\" is no name of a region; give a letter, then "
			"letters, digits or _",
			place->file, place->line, key, place->op, text);
	arg->kind = OP_ARG_REGION;
	memcpy(arg->region, text, strlen(text) + 1);
	return 0;
}

/* What a letter of a signature stands for; 'r' and 'R' are regions. */
struct arg_kind {
	char letter;
	const char *word;
	uint64_t max;
};

/* PROT_READ | PROT_WRITE; the emulated machine has no instructions to execute. */
#define PROTECTION_MAX 3

static const struct arg_kind arg_kinds[] = {
	{'r', "REGION", 0},
	{'R', "REGION", 0},
	{'f', "FIRST", JOB_PAGES_MAX - 1},
	{'p', "PAGES", JOB_PAGES_MAX},
	{'m', "PROT", PROTECTION_MAX},
	{'n', "N", JOB_THINK_MAX},
	{'t', "TASK", JOB_TASKS_MAX - 1},
	{'g', "FRAME", JOB_PAGES_MAX - 1},
	{'a', "AFTER", 1},
	{'d', "DEED", THREAD_DEED_MAX},
	{'s', "SETID", 1},
	{'k', "KILL", THREAD_KILL_MAX},
	{'c', "CPU", JOB_CPUS_MAX - 1},
	{'h', "HOW", HOTPLUG_HOW_MAX},
};

static const struct arg_kind *arg_kind(char letter)
{
	const struct arg_kind *kind = arg_kinds;

	while (kind->letter != letter)
		kind++;
	return kind;
}

static int parse_number(struct op_arg *arg, const char *text, const struct arg_kind *kind,
			const struct op_place *place, struct error *err)
{
	const char *s = text;
	enum number_fault fault = number_scan(&s, &arg->lo);

	arg->kind = OP_ARG_NUMBER;
	arg->hi = arg->lo;
	if (fault == NUMBER_FINE && *s == '-') {
		s++;
		arg->kind = OP_ARG_RANGE;
		fault = number_scan(&s, &arg->hi);
	}
	if (fault == NUMBER_FINE && *s)
		fault = NUMBER_JUNK;
	if (fault != NUMBER_FINE)
		return error_input(err, "%s:%u: %s: %s: %s: \"%.60s\" %s; give a number or LO-HI",
				   place->file, place->line, key, place->op, kind->word, text,
				   number_fault_text(fault));
	if (arg->lo > arg->hi)
		return error_input(err,
				   "%s:%u: %s: %s: %s: the range %.60s runs backwards; give "
				   "LO-HI",
				   place->file, place->line, key, place->op, kind->word, text);
	if (arg->hi > kind->max)
		return error_input(
			err, "%s:%u: %s: %s: %s: %.60s is out of range; give 0 to %" PRIu64,
			place->file, place->line, key, place->op, kind->word, text, kind->max);
	return 0;
}

/* Reads the argument that @letter of a signature stands for. */
static int parse_arg(struct op_arg *arg, char letter, const char *text,
		     const struct op_place *place, struct error *err)
{
	if (letter == 'r' || letter == 'R')
		return parse_region(arg, text, place, err);
	return parse_number(arg, text, arg_kind(letter), place, err);
}

/* The signature in words: "mmap REGION PAGES", "brk [PAGES]". */
static const char *usage_of(const struct job_op_spec *spec, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s", spec->name);
	bool optional = false;

	for (const char *s = spec->signature; *s && used < size; s++) {
		if (*s == '[') {
			optional = true;
			continue;
		}
		used += (size_t)snprintf(text + used, size - used, optional ? " [%s]" : " %s",
					 arg_kind(*s)->word);
	}
	return text;
}

void program_help(FILE *out)
{
	char usage[ITEM_SIZE];

	for (size_t i = 0; i < NR_JOB_OPS; i++)
		fprintf(out, "  %-36s %s\n", usage_of(&job_ops[i], usage, sizeof(usage)),
			job_ops[i].help);
}

/* Takes the next word off *@cursor, where words are separated by single spaces. */
static char *next_word(char **cursor)
{
	char *word = *cursor;
	char *space = strchr(word, ' ');

	if (*word == '\0')
		return NULL;
	if (space) {
		*space = '\0';
		*cursor = space + 1;
	} else {
		*cursor = word + strlen(word);
	}
	return word;
}

/* Reads one operation, whose text is cut up on the way. */
static int parse_op(struct program_op *op, char *item, const char *file, unsigned int line,
		    struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	char usage[ITEM_SIZE];
	char *cursor = item;
	const char *name = next_word(&cursor);
	int index = name_list_find(&job_op_names, name);
	const struct job_op_spec *spec;
	struct op_place place = {file, line, name};
	bool optional = false;
	char *word;

	if (index < 0)
		return error_input(err, "%s:%u: %s: \"%.60s\" is no operation; %s", file, line, key,
				   name, nearest_hint(&job_op_names, name, hint, sizeof(hint)));
	spec = &job_ops[index];
	*op = (struct program_op){.op = (uint16_t)index};
	for (const char *s = spec->signature; *s; s++) {
		struct op_arg *arg = &op->args[op->nr_args];

		if (*s == '[') {
			optional = true;
			continue;
		}
		word = next_word(&cursor);
		if (!word && optional)
			return 0;
		if (!word)
			return error_input(err, "%s:%u: %s: %s has too few arguments; give %s",
					   file, line, key, name,
					   usage_of(spec, usage, sizeof(usage)));
		if (parse_arg(arg, *s, word, &place, err))
			return -1;
		op->nr_args++;
	}
	word = next_word(&cursor);
	if (word)
		return error_input(
			err, "%s:%u: %s: %s does not take the argument \"%.60s\"; give %s", file,
			line, key, name, word, usage_of(spec, usage, sizeof(usage)));
	return 0;
}

/* Most operations that @text can hold. */
static size_t count_items(const char *text)
{
	size_t items = 1;

	for (; *text; text++)
		items += *text == ';';
	return items;
}

int program_parse(struct job_program *program, const char *text, const char *file,
		  unsigned int line, struct error *err)
{
	struct item_reader reader;
	size_t most = count_items(text);

	*program = (struct job_program){.repeat = 1};
	if (most > JOB_PROGRAM_MAX)
		return error_input(err, "%s:%u: %s: has %zu operations; at most %d are possible",
				   file, line, key, most, JOB_PROGRAM_MAX);
	program->ops = calloc(most, sizeof(*program->ops));
	if (!program->ops)
		return error_no_memory(err);
	items_begin(&reader, text, line, ';');
	while (items_next(&reader)) {
		if (reader.item[0] == '\0' && reader.last && program->nr > 0)
			break;
		if (reader.item[0] == '\0') {
			error_input(err, "%s:%u: %s: %s; give operations separated by ';'", file,
				    reader.item_line, key,
				    reader.last ? "is empty" : "nothing stands before a ';'");
			goto fail;
		}
		if (reader.cut) {
			error_input(err,
				    "%s:%u: %s: the operation \"%.40s...\" is too long; separate "
				    "operations by ';'",
				    file, reader.item_line, key, reader.item);
			goto fail;
		}
		if (parse_op(&program->ops[program->nr], reader.item, file, reader.item_line, err))
			goto fail;
		program->ops[program->nr++].line = reader.item_line;
	}
	return 0;
fail:
	free(program->ops);
	*program = (struct job_program){0};
	return -1;
}

/* Names of regions that one address space can have. */
struct region_names {
	const char **names;
	size_t nr;
};

static bool is_made_by_op(const struct program_op *op)
{
	return job_ops[op->op].signature[0] == 'R';
}

static bool same_mm(const struct job_group *a, const struct job_group *b)
{
	return a == b || (a->mm_group != MM_OF_TASK && a->mm_group == b->mm_group);
}

static size_t program_ops_of_job(const struct job *job)
{
	size_t ops = 0;

	for (size_t i = 0; i < job->nr_groups; i++)
		ops += job->groups[i].program.nr;
	return ops;
}

static void collect_regions(const struct job *job, const struct job_group *group,
			    struct region_names *regions)
{
	if (group->anon)
		regions->names[regions->nr++] = region_anon;
	if (group->shared)
		regions->names[regions->nr++] = region_shared;
	if (group->file[0])
		regions->names[regions->nr++] = region_file;
	for (size_t i = 0; i < job->nr_groups; i++) {
		const struct job_group *other = &job->groups[i];

		if (!same_mm(group, other))
			continue;
		for (size_t j = 0; j < other->program.nr; j++) {
			const struct program_op *op = &other->program.ops[j];

			if (is_made_by_op(op))
				regions->names[regions->nr++] = op->args[0].region;
		}
	}
}

int program_check_regions(const struct job *job, const struct job_group *group, struct error *err)
{
	/* Every operation makes at most one region; three need no operation. */
	struct region_names regions = {
		.names = calloc(program_ops_of_job(job) + 3, sizeof(*regions.names)),
	};
	struct name_list list = {"region", regions.names, 0};
	int ret = 0;

	if (!regions.names)
		return error_no_memory(err);
	collect_regions(job, group, &regions);
	list.nr = regions.nr;
	for (size_t i = 0; i < group->program.nr && ret == 0; i++) {
		const struct program_op *op = &group->program.ops[i];
		char hint[NEAREST_HINT_SIZE];

		if (op->nr_args == 0 || op->args[0].kind != OP_ARG_REGION)
			continue;
		if (is_made_by_op(op) && (!strcmp(op->args[0].region, region_anon) ||
					  !strcmp(op->args[0].region, region_shared) ||
					  !strcmp(op->args[0].region, region_file)))
			ret = error_input(err,
					  "%s:%u: %s: %s: \"%s\" is the name of a region that a "
					  "group has by itself; give another name",
					  job->path, op->line, key, job_ops[op->op].name,
					  op->args[0].region);
		else if (list.nr == 0)
			ret = error_input(err,
					  "%s:%u: %s: %s: no region \"%s\" is ever made here; make "
					  "it with mmap %s PAGES",
					  job->path, op->line, key, job_ops[op->op].name,
					  op->args[0].region, op->args[0].region);
		else if (name_list_find(&list, op->args[0].region) < 0)
			ret = error_input(
				err, "%s:%u: %s: %s: no region \"%s\" is ever made here; %s",
				job->path, op->line, key, job_ops[op->op].name, op->args[0].region,
				nearest_hint(&list, op->args[0].region, hint, sizeof(hint)));
	}
	free(regions.names);
	return ret;
}

static void write_op(const struct program_op *op, FILE *out)
{
	fputs(job_ops[op->op].name, out);
	for (size_t i = 0; i < op->nr_args; i++) {
		const struct op_arg *arg = &op->args[i];

		if (arg->kind == OP_ARG_REGION)
			fprintf(out, " %s", arg->region);
		else if (arg->kind == OP_ARG_NUMBER)
			fprintf(out, " %" PRIu64, arg->lo);
		else
			fprintf(out, " %" PRIu64 "-%" PRIu64, arg->lo, arg->hi);
	}
}

void program_write(const struct job_program *program, FILE *out)
{
	fprintf(out, "%s = ", key);
	for (size_t i = 0; i < program->nr; i++) {
		write_op(&program->ops[i], out);
		fputs(i + 1 < program->nr ? ";\n\t" : "\n", out);
	}
}

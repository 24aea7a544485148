// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/group.h"

#include "engine/types.h"
#include "stress/cpulist.h"
#include "stress/mix.h"
#include "stress/number.h"
#include "stress/program.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define DEFAULT_FILE_PAGES 64
/* Up to the pages that Linux maps around one fault (fault_around_bytes, 64 KiB). */
#define DEFAULT_OP_PAGES_MAX 16
/* Any 32-bit number, 0x form included, with room to spare. */
#define NUMBER_TEXT_SIZE 32
/* Where an affinity list is broken when written: far below the reader's longest line. */
#define CPUS_A_LINE_WIDTH 80

/* Key, what its value looks like, what it means. */
#define GROUP_KEYS(X)                                                                              \
	X(GROUP_TASKS, "tasks", "N", "tasks of the group, 1 to 4096 (default: 1)")                 \
	X(GROUP_SHARE, "share", "none|mm|threads|mm:GROUP",                                        \
	  "a process each; of one mm; of one process; of GROUP's mm (default: none)")              \
	X(GROUP_ANON, "anon", "N", "private anonymous pages of each task")                         \
	X(GROUP_SHARED, "shared", "N", "anonymous pages common to the group's tasks")              \
	X(GROUP_FILE, "file", "NAME", "an emulated file that each task maps")                      \
	X(GROUP_FILE_PAGES, "file-pages", "N", "its size (default: 64)")                           \
	X(GROUP_MAP, "map", "shared|private", "how it is mapped (default: shared)")                \
	X(GROUP_OPS, "ops", "NAME:WEIGHT, ...", "what the tasks do, drawn by weight")              \
	X(GROUP_OP_PAGES, "op-pages", "N|LO-HI", "pages an operation (default: 1-16)")             \
	X(GROUP_PROGRAM, "program", "OP; OP ...", "what the tasks do, in this order")              \
	X(GROUP_REPEAT, "repeat", "N", "times that the program is run through (default: 1)")       \
	X(GROUP_CPU, "cpu", "LIST", "CPUs that the tasks may run on, like 0-3,8")                  \
	X(GROUP_KTHREAD, "kthread", "yes|no", "kernel threads, which borrow an mm (default: no)")  \
	X(GROUP_THINK, "think", "N", "emulated operations between two operations (default: 0)")

struct key_help {
	const char *value;
	const char *help;
};

static const char *const key_names[NR_GROUP_KEYS] = {
#define GROUP_KEY_NAME(id, name, value, help) [id] = name,
	GROUP_KEYS(GROUP_KEY_NAME)
#undef GROUP_KEY_NAME
};

static const struct key_help key_help[NR_GROUP_KEYS] = {
#define GROUP_KEY_HELP(id, name, value, help) [id] = {value, help},
	GROUP_KEYS(GROUP_KEY_HELP)
#undef GROUP_KEY_HELP
};

const struct name_list group_key_names = {"key", key_names, NR_GROUP_KEYS};

enum { SHARE_NAME_NONE, SHARE_NAME_MM, SHARE_NAME_THREADS };
static const char *const share_names[] = {"none", "mm", "threads", "mm:GROUP"};
static const struct name_list share_list = {"value", share_names, ARRAY_SIZE(share_names)};
static const char share_join_prefix[] = "mm:";

/* In the order of enum job_map. */
static const char *const map_names[] = {"shared", "private"};
static const struct name_list map_list = {"value", map_names, ARRAY_SIZE(map_names)};

static const char *const yes_no_names[] = {"no", "yes"};
static const struct name_list yes_no_list = {"value", yes_no_names, ARRAY_SIZE(yes_no_names)};

/* Where a value stands, for messages. */
struct value_place {
	const char *file;
	unsigned int line;
	const char *key;
};

bool group_name_valid(const char *name)
{
	for (const char *s = name; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("_-.", *s))
			return false;
	}
	return *name && strlen(name) < JOB_NAME_SIZE;
}

void group_help(FILE *out)
{
	for (enum group_key key = 0; key < NR_GROUP_KEYS; key++)
		fprintf(out, "  %-10s = %-16s %s\n", key_names[key], key_help[key].value,
			key_help[key].help);
}

void group_begin(struct group_draft *draft, const char *name, unsigned int line)
{
	*draft = (struct group_draft){
		.group =
			{
				.line = line,
				.tasks = 1,
				.mm_group = MM_OF_TASK,
				.map = JOB_MAP_SHARED,
				.program = {.repeat = 1},
			},
	};
	memcpy(draft->group.name, name, strlen(name) + 1);
}

static int parse_range(const char *value, uint64_t least, uint64_t most,
		       const struct value_place *place, uint64_t *number, struct error *err)
{
	enum number_fault fault = number_parse(value, false, number);

	if (fault != NUMBER_FINE)
		return error_input(err, "%s:%u: %s: \"%.60s\" %s; give %" PRIu64 " to %" PRIu64,
				   place->file, place->line, place->key, value,
				   number_fault_text(fault), least, most);
	if (*number < least || *number > most)
		return error_input(err,
				   "%s:%u: %s: %.60s is out of range; give %" PRIu64 " to %" PRIu64,
				   place->file, place->line, place->key, value, least, most);
	return 0;
}

static int parse_u32(const char *value, uint64_t least, uint64_t most,
		     const struct value_place *place, uint32_t *number, struct error *err)
{
	uint64_t wide;

	if (parse_range(value, least, most, place, &wide, err))
		return -1;
	*number = (uint32_t)wide;
	return 0;
}

static int parse_choice(const char *value, const struct name_list *list,
			const struct value_place *place, unsigned int *choice, struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	int index = name_list_find(list, value);

	if (index < 0)
		return error_input(err, "%s:%u: %s: \"%.60s\" is not valid; %s", place->file,
				   place->line, place->key, value,
				   nearest_hint(list, value, hint, sizeof(hint)));
	*choice = (unsigned int)index;
	return 0;
}

static int parse_share(struct group_draft *draft, const char *value,
		       const struct value_place *place, struct error *err)
{
	size_t prefix = sizeof(share_join_prefix) - 1;
	unsigned int choice = 0;

	if (!strncmp(value, share_join_prefix, prefix)) {
		const char *owner = value + prefix;

		if (!group_name_valid(owner))
			return error_input(err,
					   "%s:%u: %s: \"%.60s\" is no name of a group; give "
					   "mm:GROUP",
					   place->file, place->line, place->key, owner);
		draft->share = SHARE_JOIN;
		memcpy(draft->join, owner, strlen(owner) + 1);
		return 0;
	}
	if (parse_choice(value, &share_list, place, &choice, err))
		return -1;
	draft->share = choice == SHARE_NAME_NONE ? SHARE_NONE : SHARE_OWN;
	draft->group.threads = choice == SHARE_NAME_THREADS;
	return 0;
}

static int parse_file(struct job_group *group, const char *value, const struct value_place *place,
		      struct error *err)
{
	if (!group_name_valid(value))
		return error_input(
			err,
			"%s:%u: %s: \"%.60s\" is no name of an emulated file; give 1 to %d "
			"letters, digits, '_', '-' or '.'",
			place->file, place->line, place->key, value, JOB_NAME_SIZE - 1);
	memcpy(group->file, value, strlen(value) + 1);
	return 0;
}

static int parse_op_pages(struct job_group *group, const char *value,
			  const struct value_place *place, struct error *err)
{
	char low[NUMBER_TEXT_SIZE];
	const char *dash = strchr(value + (value[0] == '-'), '-');
	size_t length = dash ? (size_t)(dash - value) : strlen(value);

	if (length >= sizeof(low))
		return error_input(err, "%s:%u: %s: \"%.60s\" is not a number; give N or LO-HI",
				   place->file, place->line, place->key, value);
	memcpy(low, value, length);
	low[length] = '\0';
	if (parse_u32(low, 1, JOB_PAGES_MAX, place, &group->op_pages.lo, err))
		return -1;
	group->op_pages.hi = group->op_pages.lo;
	if (dash && parse_u32(dash + 1, 1, JOB_PAGES_MAX, place, &group->op_pages.hi, err))
		return -1;
	if (group->op_pages.lo > group->op_pages.hi)
		return error_input(err, "%s:%u: %s: the range %.60s runs backwards; give LO-HI",
				   place->file, place->line, place->key, value);
	return 0;
}

static int parse_cpus(struct job_group *group, const char *value, const struct value_place *place,
		      struct error *err)
{
	const char *fault = cpulist_parse(value, &group->cpus);

	if (fault)
		return error_input(err, "%s:%u: %s: \"%.60s\" %s; give a list like 0-3,8",
				   place->file, place->line, place->key, value, fault);
	group->cpus_line = place->line;
	return 0;
}

int group_set(struct group_draft *draft, enum group_key key, const char *value, const char *file,
	      unsigned int line, struct error *err)
{
	struct job_group *group = &draft->group;
	struct value_place place = {file, line, key_names[key]};
	unsigned int choice = 0;
	int ret = 0;

	if (draft->key_line[key])
		return error_input(err, "%s:%u: %s: already given on line %u; give it once", file,
				   line, place.key, draft->key_line[key]);
	draft->key_line[key] = line;
	switch (key) {
	case GROUP_TASKS:
		return parse_u32(value, 1, JOB_TASKS_MAX, &place, &group->tasks, err);
	case GROUP_SHARE:
		return parse_share(draft, value, &place, err);
	case GROUP_ANON:
		return parse_u32(value, 0, JOB_PAGES_MAX, &place, &group->anon, err);
	case GROUP_SHARED:
		return parse_u32(value, 0, JOB_PAGES_MAX, &place, &group->shared, err);
	case GROUP_FILE:
		return parse_file(group, value, &place, err);
	case GROUP_FILE_PAGES:
		return parse_u32(value, 1, JOB_PAGES_MAX, &place, &group->file_pages, err);
	case GROUP_MAP:
		ret = parse_choice(value, &map_list, &place, &choice, err);
		group->map = choice;
		return ret;
	case GROUP_OPS:
		return mix_parse(&group->mix, value, file, line, err);
	case GROUP_OP_PAGES:
		return parse_op_pages(group, value, &place, err);
	case GROUP_PROGRAM: {
		uint32_t repeat = group->program.repeat;

		ret = program_parse(&group->program, value, file, line, err);
		group->program.repeat = repeat;
		return ret;
	}
	case GROUP_REPEAT:
		return parse_u32(value, 1, JOB_REPEAT_MAX, &place, &group->program.repeat, err);
	case GROUP_CPU:
		return parse_cpus(group, value, &place, err);
	case GROUP_KTHREAD:
		ret = parse_choice(value, &yes_no_list, &place, &choice, err);
		group->kthread = choice != 0;
		return ret;
	case GROUP_THINK:
		return parse_u32(value, 0, JOB_THINK_MAX, &place, &group->think, err);
	case NR_GROUP_KEYS:
		break;
	}
	return error_input(err, "%s:%u: unknown key", file, line);
}

/* Refuses @key where @other, which gives it a meaning, was not given. */
static int needs_key(const struct group_draft *draft, enum group_key key, enum group_key other,
		     const char *file, struct error *err)
{
	if (!draft->key_line[key] || draft->key_line[other])
		return 0;
	return error_input(err, "%s:%u: %s: means nothing without %s; give %s too, or leave it out",
			   file, draft->key_line[key], key_names[key], key_names[other],
			   key_names[other]);
}

/* Refuses @key in a group that @reason says can't have it. */
static int excludes_key(const struct group_draft *draft, enum group_key key, const char *reason,
			const char *file, struct error *err)
{
	if (!draft->key_line[key])
		return 0;
	return error_input(err, "%s:%u: %s: %s; leave it out", file, draft->key_line[key],
			   key_names[key], reason);
}

static int check_work(const struct group_draft *draft, const char *file, struct error *err)
{
	const unsigned int *line = draft->key_line;

	if (!line[GROUP_OPS] && !line[GROUP_PROGRAM])
		return error_input(err,
				   "%s:%u: [%s] has nothing to do; give ops = NAME:WEIGHT, ... or "
				   "program = OP; OP",
				   file, draft->group.line, draft->group.name);
	if (line[GROUP_OPS] && line[GROUP_PROGRAM])
		return error_input(err, "%s:%u: [%s] has both ops and program; give one of them",
				   file, max(line[GROUP_OPS], line[GROUP_PROGRAM]),
				   draft->group.name);
	if (needs_key(draft, GROUP_REPEAT, GROUP_PROGRAM, file, err) ||
	    needs_key(draft, GROUP_OP_PAGES, GROUP_OPS, file, err) ||
	    needs_key(draft, GROUP_FILE_PAGES, GROUP_FILE, file, err) ||
	    needs_key(draft, GROUP_MAP, GROUP_FILE, file, err))
		return -1;
	return 0;
}

static int check_joined(const struct group_draft *draft, const char *file, struct error *err)
{
	static const char reason[] = "comes from the group whose mm is joined";

	if (draft->share != SHARE_JOIN)
		return 0;
	if (excludes_key(draft, GROUP_SHARED, reason, file, err) ||
	    excludes_key(draft, GROUP_FILE, reason, file, err))
		return -1;
	return 0;
}

static int check_kthread(const struct group_draft *draft, const char *file, struct error *err)
{
	static const char reason[] = "a kernel thread has no address space";

	if (!draft->group.kthread)
		return 0;
	if (excludes_key(draft, GROUP_SHARE, reason, file, err) ||
	    excludes_key(draft, GROUP_ANON, reason, file, err) ||
	    excludes_key(draft, GROUP_SHARED, reason, file, err) ||
	    excludes_key(draft, GROUP_FILE, reason, file, err))
		return -1;
	return 0;
}

int group_complete(struct group_draft *draft, const char *file, struct error *err)
{
	if (check_work(draft, file, err) || check_joined(draft, file, err) ||
	    check_kthread(draft, file, err))
		return -1;
	if (draft->key_line[GROUP_FILE] && !draft->key_line[GROUP_FILE_PAGES])
		draft->group.file_pages = DEFAULT_FILE_PAGES;
	return 0;
}

static uint32_t largest_region(const struct job_group *group)
{
	return max(max(group->anon, group->shared), group->file_pages);
}

struct page_range group_default_op_pages(const struct job_group *group)
{
	uint32_t largest = largest_region(group);

	return (struct page_range){
		.lo = 1,
		.hi = largest ? min(largest, (uint32_t)DEFAULT_OP_PAGES_MAX) : DEFAULT_OP_PAGES_MAX,
	};
}

/* What @group lacks for an operation with @needs, NULL where it lacks nothing. */
static const char *lacking(const struct job_group *group, enum job_op_needs needs)
{
	if (needs == JOB_OP_ANY)
		return NULL;
	if (group->kthread)
		return "an address space, which a kernel thread has not";
	if (needs == JOB_OP_FILE && !group->file[0])
		return "a file; give file = NAME";
	if (needs == JOB_OP_REGION && largest_region(group) == 0)
		return "a working set; give anon, shared or file";
	return NULL;
}

static int check_op(const struct job_group *group, unsigned int op, enum job_op_needs needs,
		    const char *file, unsigned int line, struct error *err)
{
	const char *lack = lacking(group, needs);

	if (lack)
		return error_input(err, "%s:%u: [%s]: %s needs %s", file, line, group->name,
				   job_ops[op].name, lack);
	return 0;
}

static int check_mix(const struct group_draft *draft, struct job_group *group, const char *file,
		     struct error *err)
{
	uint32_t largest = largest_region(group);
	unsigned int op_pages_line = draft->key_line[GROUP_OP_PAGES];

	for (size_t i = 0; i < group->mix.nr; i++) {
		unsigned int op = group->mix.entries[i].op;

		if (check_op(group, op, job_ops[op].needs, file, draft->key_line[GROUP_OPS], err))
			return -1;
	}
	if (!op_pages_line)
		group->op_pages = group_default_op_pages(group);
	if (op_pages_line && largest && group->op_pages.hi > largest)
		return error_input(err,
				   "%s:%u: op-pages: %u is more than the %u pages of the group's "
				   "largest region; give at most that",
				   file, op_pages_line, group->op_pages.hi, largest);
	return 0;
}

int group_check(const struct group_draft *draft, const struct job *job, struct job_group *group,
		struct error *err)
{
	if (check_mix(draft, group, job->path, err))
		return -1;
	for (size_t i = 0; i < group->program.nr; i++) {
		const struct program_op *op = &group->program.ops[i];
		enum job_op_needs needs = job_ops[op->op].needs;

		/* The regions that a program makes itself are as good as a working set. */
		if (needs == JOB_OP_REGION)
			needs = JOB_OP_USER;
		if (check_op(group, op->op, needs, job->path, op->line, err))
			return -1;
	}
	return program_check_regions(job, group, err);
}

static void write_share(const struct job *job, const struct job_group *group, FILE *out)
{
	const struct job_group *owner;

	if (group->mm_group == MM_OF_TASK)
		return;
	owner = &job->groups[group->mm_group];
	if (owner == group)
		fprintf(out, "%s = %s\n", key_names[GROUP_SHARE],
			share_names[group->threads ? SHARE_NAME_THREADS : SHARE_NAME_MM]);
	else
		fprintf(out, "%s = %s%s\n", key_names[GROUP_SHARE], share_join_prefix, owner->name);
}

static void write_memory(const struct job_group *group, bool joins, FILE *out)
{
	if (group->anon)
		fprintf(out, "%s = %u\n", key_names[GROUP_ANON], group->anon);
	if (group->shared && !joins)
		fprintf(out, "%s = %u\n", key_names[GROUP_SHARED], group->shared);
	if (group->file[0] && !joins) {
		fprintf(out, "%s = %s\n", key_names[GROUP_FILE], group->file);
		fprintf(out, "%s = %u\n", key_names[GROUP_FILE_PAGES], group->file_pages);
		fprintf(out, "%s = %s\n", key_names[GROUP_MAP], map_names[group->map]);
	}
}

/* An affinity list may be longer than a line of a job file, so it goes on over lines. */
static void write_cpus(const struct job_group *group, FILE *out)
{
	char text[CPULIST_TEXT_SIZE];
	unsigned int column = 0;

	fprintf(out, "%s = ", key_names[GROUP_CPU]);
	cpulist_format(&group->cpus, text, sizeof(text));
	for (const char *s = text; *s; s++) {
		fputc(*s, out);
		column++;
		if (*s == ',' && column > CPUS_A_LINE_WIDTH) {
			fputs("\n\t", out);
			column = 0;
		}
	}
	fputc('\n', out);
}

void group_write(const struct job *job, const struct job_group *group, FILE *out)
{
	bool joins = group->mm_group != MM_OF_TASK && &job->groups[group->mm_group] != group;

	fprintf(out, "[%s]\n", group->name);
	fprintf(out, "%s = %u\n", key_names[GROUP_TASKS], group->tasks);
	if (group->kthread)
		fprintf(out, "%s = yes\n", key_names[GROUP_KTHREAD]);
	write_share(job, group, out);
	write_memory(group, joins, out);
	if (!cpu_list_empty(&group->cpus))
		write_cpus(group, out);
	if (group->think)
		fprintf(out, "%s = %u\n", key_names[GROUP_THINK], group->think);
	if (group->mix.nr) {
		fprintf(out, "%s = %u-%u\n", key_names[GROUP_OP_PAGES], group->op_pages.lo,
			group->op_pages.hi);
		mix_write(&group->mix, out);
	} else {
		fprintf(out, "%s = %u\n", key_names[GROUP_REPEAT], group->program.repeat);
		program_write(&group->program, out);
	}
}

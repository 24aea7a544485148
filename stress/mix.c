// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/mix.h"

#include "stress/items.h"
#include "stress/number.h"

#include <stdlib.h>
#include <string.h>

static const char key[] = "ops";

/* Entries a line when written: far below the reader's longest line. */
#define ENTRIES_A_LINE 6

static int parse_weight(const char *text, const char *op, const char *file, unsigned int line,
			uint16_t *weight, struct error *err)
{
	uint64_t number;
	enum number_fault fault = number_parse(text, false, &number);

	if (fault != NUMBER_FINE)
		return error_input(err, "%s:%u: %s: the weight \"%.60s\" of %s %s; give 1 to %d",
				   file, line, key, text, op, number_fault_text(fault),
				   JOB_WEIGHT_MAX);
	if (number < 1 || number > JOB_WEIGHT_MAX)
		return error_input(
			err, "%s:%u: %s: the weight %.60s of %s is out of range; give 1 to %d",
			file, line, key, text, op, JOB_WEIGHT_MAX);
	*weight = (uint16_t)number;
	return 0;
}

/* Reads "name:weight", in whose text the colon is overwritten. */
static int parse_entry(struct job_mix *mix, char *item, const char *file, unsigned int line,
		       struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	struct op_weight entry = {0};
	char *colon = strchr(item, ':');
	char *name_end = colon ? colon : item + strlen(item);
	char *weight;
	int op;

	while (name_end > item && name_end[-1] == ' ')
		name_end--;
	weight = colon ? colon + 1 + strspn(colon + 1, " ") : NULL;
	*name_end = '\0';
	op = name_list_find(&job_op_names, item);
	if (op < 0)
		return error_input(err, "%s:%u: %s: \"%.60s\" is no operation; %s", file, line, key,
				   item, nearest_hint(&job_op_names, item, hint, sizeof(hint)));
	if (!weight)
		return error_input(err, "%s:%u: %s: %s has no weight; give %s:WEIGHT", file, line,
				   key, item, item);
	for (size_t i = 0; i < mix->nr; i++) {
		if (mix->entries[i].op == op)
			return error_input(err, "%s:%u: %s: %s stands there twice; name each once",
					   file, line, key, item);
	}
	entry.op = (uint16_t)op;
	if (parse_weight(weight, item, file, line, &entry.weight, err))
		return -1;
	mix->entries[mix->nr++] = entry;
	mix->total += entry.weight;
	return 0;
}

int mix_parse(struct job_mix *mix, const char *text, const char *file, unsigned int line,
	      struct error *err)
{
	struct item_reader reader;

	*mix = (struct job_mix){.entries = calloc(NR_JOB_OPS, sizeof(*mix->entries))};
	if (!mix->entries)
		return error_no_memory(err);
	items_begin(&reader, text, line, ',');
	while (items_next(&reader)) {
		if (reader.item[0] == '\0') {
			error_input(err, "%s:%u: %s: %s; give name:weight, name:weight", file,
				    reader.item_line, key,
				    reader.last && mix->nr == 0 ? "is empty" : "an entry is empty");
			goto fail;
		}
		if (parse_entry(mix, reader.item, file, reader.item_line, err))
			goto fail;
	}
	return 0;
fail:
	free(mix->entries);
	*mix = (struct job_mix){0};
	return -1;
}

void mix_write(const struct job_mix *mix, FILE *out)
{
	fprintf(out, "%s = ", key);
	for (size_t i = 0; i < mix->nr; i++) {
		if (i > 0)
			fputs(i % ENTRIES_A_LINE ? ", " : ",\n\t", out);
		fprintf(out, "%s:%u", job_ops[mix->entries[i].op].name, mix->entries[i].weight);
	}
	fputc('\n', out);
}

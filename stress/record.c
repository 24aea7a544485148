// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/record.h"

#include "engine/types.h"
#include "stress/duration.h"
#include "stress/jobfile.h"
#include "stress/options.h"
#include "stress/printable.h"
#include "stress/version.h"
#include "stress/whole_file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 2
/* Digits of a figure: a year in seconds to the millisecond, no noise of binary fractions. */
#define PRECISION 12

struct record {
	json_t *root; /* owns the next three */
	json_t *counters;
	json_t *violations;
	json_t *bench;
	json_t *bugs; /* names of those planted */
	bool failed;  /* out of memory somewhere */
};

/* Any text as a JSON string: what is not UTF-8 or not printable is shown as \xNN. */
static json_t *text_json(const char *text)
{
	size_t size = PRINTABLE_SIZE(strlen(text));
	char *shown = malloc(size);
	json_t *json;

	if (!shown)
		return NULL;
	printable(shown, size, text);
	json = json_string(shown);
	free(shown);
	return json;
}

/* Text of ours that is allowed to have more than one line. */
static json_t *lines_json(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : text_json(text);
}

static json_t *figure_json(double figure)
{
	return isfinite(figure) ? json_real(figure) : json_null();
}

static json_t *count_json(uint64_t count)
{
	return json_integer((json_int_t)min(count, (uint64_t)INT64_MAX));
}

/* Takes over @value, NULL included. */
static void set(struct record *record, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		record->failed = true;
}

static void append(struct record *record, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value))
		record->failed = true;
}

static json_t *names_json(struct record *record, const struct name_set *names)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < names->nr; i++)
		append(record, array, text_json(names->name[i]));
	return array;
}

static json_t *option_json(struct record *record, const struct config *config, enum option_id id)
{
	const struct option_row *row = &option_table[id];
	const char *field = (const char *)config + row->offset;
	char text[OPTION_TEXT_SIZE];

	if (row->type == OPTION_NAMES)
		return names_json(record, (const struct name_set *)field);
	if (!option_given(config, id))
		return json_null();
	switch (row->type) {
	case OPTION_FLAG:
		return json_boolean(*(const bool *)field);
	case OPTION_COUNT:
		return count_json(*(const unsigned int *)field);
	case OPTION_COUNT64:
		if (row->max <= INT64_MAX)
			return count_json(*(const uint64_t *)field);
		break;
	default:
		break;
	}
	return text_json(option_text(config, id, text, sizeof(text)));
}

static json_t *config_json(struct record *record, const struct config *config)
{
	json_t *object = json_object();
	char *job_text;

	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_applies(id, config->verb))
			set(record, object, option_names.names[id],
			    option_json(record, config, id));
	}
	if (config->file[0])
		set(record, object, "file", text_json(config->file));
	if (config->measures.nr)
		set(record, object, "measures", names_json(record, &config->measures));
	if (config->job.nr_groups) {
		job_text = jobfile_write(config);
		set(record, object, "job_text", job_text ? lines_json(job_text) : NULL);
		free(job_text);
	}
	return object;
}

struct record *record_new(const struct config *config)
{
	struct record *record = calloc(1, sizeof(*record));
	char seed[DURATION_TEXT_SIZE];
	json_t *command = json_array();

	if (!record) {
		json_decref(command);
		return NULL;
	}
	record->root = json_object();
	record->counters = json_object();
	record->violations = json_array();
	record->bench = json_array();
	record->bugs = names_json(record, &config->bugs);
	for (char **arg = config->command; arg && *arg; arg++)
		append(record, command, text_json(*arg));
	snprintf(seed, sizeof(seed), "%" PRIu64, config->seed);
	set(record, record->root, "version", json_string(MMTORTURE_VERSION));
	set(record, record->root, "verb", json_string(config_run_name(config)));
	set(record, record->root, "command", command);
	set(record, record->root, "seed", json_string(seed));
	set(record, record->root, "config", config_json(record, config));
	set(record, record->root, "busted", json_boolean(config_is_busted(config)));
	set(record, record->root, "elapsed_s", json_null());
	set(record, record->root, "verdict", json_null());
	set(record, record->root, "status", json_null());
	set(record, record->root, "counters", record->counters);
	set(record, record->root, "violations", record->violations);
	set(record, record->root, "explore", json_null());
	set(record, record->root, "bench", record->bench);
	return record;
}

void record_free(struct record *record)
{
	if (!record)
		return;
	json_decref(record->root);
	json_decref(record->bugs);
	free(record);
}

void record_counter(struct record *record, const char *name, uint64_t value)
{
	set(record, record->counters, name, count_json(value));
}

void record_violation(struct record *record, const struct record_violation *violation)
{
	json_t *object = json_object();
	json_t *cpus = json_array();

	for (size_t i = 0; i < violation->nr_cpus; i++)
		append(record, cpus, json_integer(violation->cpus[i]));
	set(record, object, "invariant", text_json(violation->invariant));
	set(record, object, "message", text_json(violation->message));
	set(record, object, "where", text_json(violation->where));
	set(record, object, "cpus", cpus);
	set(record, object, "schedule",
	    violation->schedule ? text_json(violation->schedule) : json_null());
	set(record, object, "bugs", json_deep_copy(record->bugs));
	append(record, record->violations, object);
}

void record_explore(struct record *record, const struct record_explore *explore)
{
	json_t *object = json_object();

	set(record, object, "schedules", count_json(explore->schedules));
	set(record, object, "distinct", count_json(explore->distinct));
	set(record, object, "decision_points", count_json(explore->decision_points));
	set(record, object, "preemptions", count_json(explore->preemptions));
	set(record, object, "seconds", figure_json(explore->seconds));
	set(record, object, "strategy", text_json(explore->strategy));
	set(record, object, "memory_model", text_json(explore->memory_model));
	set(record, object, "bound", explore->bound ? text_json(explore->bound) : json_null());
	set(record, record->root, "explore", object);
}

void record_bench(struct record *record, const struct record_bench *bench)
{
	json_t *object = json_object();

	set(record, object, "name", text_json(bench->name));
	set(record, object, "unit", text_json(bench->unit));
	set(record, object, "emulated", figure_json(bench->emulated));
	set(record, object, "host", figure_json(bench->host));
	set(record, object, "ratio", figure_json(bench->ratio));
	set(record, object, "min", figure_json(bench->min));
	set(record, object, "max", figure_json(bench->max));
	set(record, object, "repetitions", json_integer(bench->repetitions));
	append(record, record->bench, object);
}

void record_verdict(struct record *record, enum verdict verdict, double elapsed_s)
{
	set(record, record->root, "elapsed_s", figure_json(elapsed_s));
	set(record, record->root, "verdict", json_string(verdict_name(verdict)));
	set(record, record->root, "status", json_integer(verdict));
}

json_t *record_root(struct record *record)
{
	return record->root;
}

int record_write(const struct record *record, const char *path, struct error *err)
{
	char *text = record->failed
			     ? NULL
			     : json_dumps(record->root,
					  JSON_INDENT(INDENT) | JSON_REAL_PRECISION(PRECISION));
	size_t length;
	int ret;

	if (!text)
		return error_no_memory(err);
	length = strlen(text);
	/* The document is text: its last line ends too. The terminator gives way to the newline. */
	text[length] = '\n';
	ret = whole_file_write(path, "--json", text, length + 1, err);
	free(text);
	return ret;
}

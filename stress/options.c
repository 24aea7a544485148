// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/options.h"

#include "engine/types.h"
#include "stress/duration.h"
#include "stress/fail_alloc_rule.h"
#include "stress/items.h"
#include "stress/number.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char none[] = OPTION_NONE;

static const char *const flag_values[] = {"no", "yes"};
static const struct name_list flag_list = {"value", flag_values, ARRAY_SIZE(flag_values)};

/* A checked value on its way into the configuration. */
struct option_value {
	uint64_t number;
	struct name_set set;
	char text[CONFIG_PATH_SIZE];
};

bool option_applies(enum option_id id, enum verb verb)
{
	return option_table[id].verbs & VERB_BIT(verb);
}

static const struct name_list *list_of(const struct option_row *row,
				       const struct known_names *names)
{
	if (row->type == OPTION_FLAG)
		return &flag_list;
	if (row->type == OPTION_CHOICE || row->type == OPTION_FAILING)
		return row->choices;
	return (const struct name_list *)((const char *)names + row->list_offset);
}

/* "1 to 1024 CPUs", "10ms to 30d, or none". */
static const char *range_text(const struct option_row *row, char *text, size_t size)
{
	const char *or_none = row->none ? ", or none" : "";

	if (row->type == OPTION_DURATION) {
		char least[DURATION_TEXT_SIZE], most[DURATION_TEXT_SIZE];

		snprintf(text, size, "%s to %s%s", duration_format(row->min, least, sizeof(least)),
			 duration_format(row->max, most, sizeof(most)), or_none);
	} else {
		snprintf(text, size, "%" PRIu64 " to %" PRIu64 "%s%s%s%s", row->min, row->max,
			 row->unit ? " " : "", row->unit ? row->unit : "",
			 row->scaled ? " (k = 1024, M = 1024k)" : "", or_none);
	}
	return text;
}

#define RANGE_TEXT_SIZE 96

static int parse_count(const struct option_row *row, const char *text, const char *place,
		       uint64_t *number, struct error *err)
{
	char range[RANGE_TEXT_SIZE];
	enum number_fault fault = number_parse(text, row->scaled, number);

	if (fault == NUMBER_FINE && *number >= row->min && *number <= row->max)
		return 0;
	return error_input(err, "%s: \"%.60s\" %s; give %s", place, text,
			   fault == NUMBER_FINE ? "is out of range" : number_fault_text(fault),
			   range_text(row, range, sizeof(range)));
}

static int parse_duration(const struct option_row *row, const char *text, const char *place,
			  uint64_t *ns, struct error *err)
{
	char range[RANGE_TEXT_SIZE];
	const char *fault = duration_parse(text, row->plain_seconds, ns);

	if (fault)
		return error_input(err, "%s: \"%.60s\" %s; give a time like %s%s", place, text,
				   fault, DURATION_SYNTAX, row->none ? ", or none" : "");
	if (*ns < row->min || *ns > row->max)
		return error_input(err, "%s: \"%.60s\" is out of range; give %s", place, text,
				   range_text(row, range, sizeof(range)));
	return 0;
}

static int check_name(const struct name_list *list, const char *text, const char *place,
		      uint64_t *index, struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	int found = name_list_find(list, text);

	if (found < 0 || strlen(text) >= CONFIG_NAME_SIZE)
		return error_input(err, "%s: \"%.60s\" is no known %s; %s", place, text, list->what,
				   nearest_hint(list, text, hint, sizeof(hint)));
	*index = (uint64_t)found;
	return 0;
}

/* NAME or NAME:PARAMETER. */
static int parse_strategy(const struct known_names *names, const struct name_list *list,
			  const char *text, const char *place, struct error *err)
{
	char name[CONFIG_NAME_SIZE];
	size_t length = strcspn(text, ":");
	const char *wrong;
	uint64_t index;

	if (strlen(text) >= sizeof(name))
		return check_name(list, text, place, &index, err);
	memcpy(name, text, length);
	name[length] = '\0';
	if (check_name(list, name, place, &index, err))
		return -1;
	wrong = names->strategy_refusal ? names->strategy_refusal(text) : NULL;
	return wrong ? error_input(err, "%s: \"%.60s\": %s %s", place, text, name, wrong) : 0;
}

static bool name_set_has(const struct name_set *set, const char *name)
{
	for (unsigned int i = 0; i < set->nr; i++) {
		if (!strcmp(set->name[i], name))
			return true;
	}
	return false;
}

/* SITE:N or SITE:1/N. */
static int check_failing(const struct name_list *sites, const char *text, const char *place,
			 struct error *err)
{
	char name[CONFIG_NAME_SIZE], hint[NEAREST_HINT_SIZE];
	size_t length = strcspn(text, ":");
	struct alloc_rule rule;
	unsigned int site;
	const char *wrong;

	if (fail_alloc_rule_parse(text, &site, &rule, &wrong) == 0)
		return 0;
	if (wrong)
		return error_input(err,
				   "%s: \"%.60s\" %s; give SITE:N for the N-th allocation or "
				   "SITE:1/N for one in N",
				   place, text, wrong);
	snprintf(name, sizeof(name), "%.*s", (int)min(length, sizeof(name) - 1), text);
	return error_input(err, "%s: \"%.60s\" is no known %s; %s", place, name, sites->what,
			   nearest_hint(sites, name, hint, sizeof(hint)));
}

/* Adds the names, or rules, of a list separated by commas to @set. */
static int parse_names(const struct option_row *row, const struct name_list *list, const char *text,
		       const char *place, struct name_set *set, struct error *err)
{
	struct item_reader reader;
	uint64_t index;

	items_begin(&reader, text, 0, ',');
	while (items_next(&reader)) {
		if (row->type == OPTION_FAILING ? check_failing(list, reader.item, place, err)
						: check_name(list, reader.item, place, &index, err))
			return -1;
		if (name_set_has(set, reader.item))
			return error_input(err, "%s: %s is given twice; name each %s once", place,
					   reader.item, list->what);
		if (set->nr == CONFIG_NAMES_MAX)
			return error_input(err, "%s: more than %d names; give at most that many",
					   place, CONFIG_NAMES_MAX);
		memcpy(set->name[set->nr++], reader.item, strlen(reader.item) + 1);
	}
	return 0;
}

int path_resolve(char *resolved, size_t size, const char *directory, const char *path,
		 const char *place, struct error *err)
{
	int length;

	if (path[0] == '\0')
		return error_input(err, "%s: is empty; give the path of a file", place);
	if (path[0] == '/' || !directory || directory[0] == '\0')
		length = snprintf(resolved, size, "%s", path);
	else
		length = snprintf(resolved, size, "%s/%s", directory, path);
	if (length < 0 || (size_t)length >= size)
		return error_input(err,
				   "%s: the path is too long; at most %zu characters are possible",
				   place, size - 1);
	return 0;
}

int path_check_readable(const char *path, const char *place, struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_input(err, "%s: can't read %.300s: %s; give a readable file", place,
				   path, strerror(errno));
	if (fstat(fd, &st))
		st.st_mode = 0;
	close(fd);
	if (S_ISDIR(st.st_mode))
		return error_input(err, "%s: %.300s is a directory; give a file", place, path);
	return 0;
}

static int parse_path(const struct option_row *row, const char *text,
		      const struct option_source *source, char *path, struct error *err)
{
	if (!strcmp(text, "-"))
		return error_input(err,
				   "%s: \"-\" would mix with what stands on the standard streams; "
				   "give a file",
				   source->place);
	if (path_resolve(path, CONFIG_PATH_SIZE, source->directory, text, source->place, err))
		return -1;
	return row->type == OPTION_PATH_IN ? path_check_readable(path, source->place, err) : 0;
}

/* Repeatable: several on the command line come together. */
static bool is_set(const struct option_row *row)
{
	return row->type == OPTION_NAMES || row->type == OPTION_FAILING;
}

static int parse_value(const struct config *config, const struct known_names *names,
		       enum option_id id, const char *text, const struct option_source *source,
		       struct option_value *value, struct error *err)
{
	const struct option_row *row = &option_table[id];
	const char *place = source->place;
	bool adds = is_set(row) && source->origin == ORIGIN_COMMAND_LINE &&
		    config->origin[id] == ORIGIN_COMMAND_LINE;

	value->number = 0;
	value->text[0] = '\0';
	value->set.nr = 0;
	if (adds)
		memcpy(&value->set, (const char *)config + row->offset, sizeof(value->set));
	if (adds && (value->set.nr == 0 || !strcmp(text, none)))
		return error_input(err, "%s: none contradicts the names beside it; give either",
				   place);
	if (row->none && !strcmp(text, none))
		return 0;
	switch (row->type) {
	case OPTION_FLAG:
	case OPTION_CHOICE:
		return check_name(list_of(row, names), text, place, &value->number, err);
	case OPTION_COUNT:
	case OPTION_COUNT64:
		return parse_count(row, text, place, &value->number, err);
	case OPTION_DURATION:
		return parse_duration(row, text, place, &value->number, err);
	case OPTION_NAME:
		if (check_name(list_of(row, names), text, place, &value->number, err))
			return -1;
		memcpy(value->text, text, strlen(text) + 1);
		return 0;
	case OPTION_STRATEGY:
		if (parse_strategy(names, list_of(row, names), text, place, err))
			return -1;
		memcpy(value->text, text, strlen(text) + 1);
		return 0;
	case OPTION_NAMES:
	case OPTION_FAILING:
		return parse_names(row, list_of(row, names), text, place, &value->set, err);
	case OPTION_JOB:
		if (strlen(text) >= sizeof(value->text))
			return error_input(err,
					   "%s: the name is too long; at most %zu characters are "
					   "possible",
					   place, sizeof(value->text) - 1);
		memcpy(value->text, text, strlen(text) + 1);
		return 0;
	case OPTION_PATH_IN:
	case OPTION_PATH_OUT:
		return parse_path(row, text, source, value->text, err);
	}
	return error_input(err, "%s: unknown type of option", place);
}

static void store_value(struct config *config, const struct option_row *row,
			const struct option_value *value)
{
	char *field = (char *)config + row->offset;

	switch (row->type) {
	case OPTION_FLAG:
		*(bool *)field = value->number != 0;
		break;
	case OPTION_COUNT:
	case OPTION_CHOICE:
		*(unsigned int *)field = (unsigned int)value->number;
		break;
	case OPTION_COUNT64:
	case OPTION_DURATION:
		*(uint64_t *)field = value->number;
		break;
	case OPTION_NAMES:
	case OPTION_FAILING:
		memcpy(field, &value->set, sizeof(value->set));
		break;
	case OPTION_NAME:
	case OPTION_STRATEGY:
	case OPTION_JOB:
	case OPTION_PATH_IN:
	case OPTION_PATH_OUT:
		memcpy(field, value->text, strlen(value->text) + 1);
		break;
	}
}

int option_set(struct config *config, const struct known_names *names, enum option_id id,
	       const char *text, const struct option_source *source, struct error *err)
{
	const struct option_row *row = &option_table[id];
	struct option_value value;

	if (parse_value(config, names, id, text, source, &value, err))
		return -1;
	if (config->origin[id] > source->origin)
		return 0;
	store_value(config, row, &value);
	config->origin[id] = source->origin;
	return 0;
}

/* A preset is our own text: names are stored as they stand, since only the lists know them. */
static void preset(struct config *config, enum option_id id, const char *text)
{
	const struct option_row *row = &option_table[id];
	struct option_value value = {0};

	if (!strcmp(text, none)) {
		store_value(config, row, &value);
		return;
	}
	switch (row->type) {
	case OPTION_FLAG:
	case OPTION_CHOICE:
		value.number = (uint64_t)name_list_find(list_of(row, NULL), text);
		break;
	case OPTION_COUNT:
	case OPTION_COUNT64:
		number_parse(text, row->scaled, &value.number);
		break;
	case OPTION_DURATION:
		duration_parse(text, row->plain_seconds, &value.number);
		break;
	default:
		memcpy(value.text, text, strlen(text) + 1);
		break;
	}
	store_value(config, row, &value);
}

void options_preset(struct config *config)
{
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		const struct option_row *row = &option_table[id];
		const char *text = row->preset;

		if (config->verb == VERB_EXPLORE && row->preset_explore)
			text = row->preset_explore;
		if (text)
			preset(config, id, text);
		config->origin[id] = ORIGIN_DEFAULT;
	}
}

bool option_given(const struct config *config, enum option_id id)
{
	const struct option_row *row = &option_table[id];
	const char *field = (const char *)config + row->offset;

	if (!row->none)
		return true;
	switch (row->type) {
	case OPTION_COUNT:
		return *(const unsigned int *)field != 0;
	case OPTION_COUNT64:
	case OPTION_DURATION:
		return *(const uint64_t *)field != 0;
	case OPTION_NAMES:
	case OPTION_FAILING:
		return ((const struct name_set *)field)->nr != 0;
	case OPTION_NAME:
	case OPTION_STRATEGY:
	case OPTION_PATH_IN:
	case OPTION_PATH_OUT:
		return field[0] != '\0';
	case OPTION_FLAG:
	case OPTION_CHOICE:
	case OPTION_JOB:
		break;
	}
	return true;
}

static void names_text(const struct name_set *set, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < set->nr && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "",
					 set->name[i]);
}

const char *option_text(const struct config *config, enum option_id id, char *text, size_t size)
{
	const struct option_row *row = &option_table[id];
	const char *field = (const char *)config + row->offset;

	if (!option_given(config, id)) {
		snprintf(text, size, "%s", none);
		return text;
	}
	switch (row->type) {
	case OPTION_FLAG:
		snprintf(text, size, "%s", flag_values[*(const bool *)field]);
		break;
	case OPTION_CHOICE:
		snprintf(text, size, "%s", row->choices->names[*(const unsigned int *)field]);
		break;
	case OPTION_COUNT:
		snprintf(text, size, "%u", *(const unsigned int *)field);
		break;
	case OPTION_COUNT64:
		snprintf(text, size, "%" PRIu64, *(const uint64_t *)field);
		break;
	case OPTION_DURATION:
		duration_format(*(const uint64_t *)field, text, size);
		break;
	case OPTION_NAMES:
	case OPTION_FAILING:
		names_text((const struct name_set *)field, text, size);
		break;
	case OPTION_NAME:
	case OPTION_STRATEGY:
	case OPTION_JOB:
	case OPTION_PATH_IN:
	case OPTION_PATH_OUT:
		snprintf(text, size, "%s", field);
		break;
	}
	return text;
}

/* --help: the name and its value stand in this column, the words behind it. */
#define HELP_COLUMN 28
#define HELP_WIDTH 100
#define HELP_TEXT_SIZE 512

/* Writes @text from the help column on, broken between words. */
static void write_words(FILE *out, const char *text, size_t column)
{
	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + 1 + length > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		fprintf(out, " %.*s", (int)length, text);
		column += 1 + length;
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void write_choices(const struct name_list *list, char *text, size_t size)
{
	size_t used = strlen(text);

	for (size_t i = 0; i < list->nr && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : ": ",
					 list->names[i]);
}

/* What the row says about values: the range or the choices, and the default. */
static void describe(const struct option_row *row, enum verb verb, char *text, size_t size)
{
	char range[RANGE_TEXT_SIZE];
	const char *shown = row->preset;

	snprintf(text, size, "%s", row->help);
	if (row->type == OPTION_CHOICE || row->type == OPTION_FAILING)
		write_choices(row->choices, text, size);
	if ((row->type == OPTION_COUNT || row->type == OPTION_COUNT64) && row->max != UINT64_MAX)
		snprintf(text + strlen(text), size - strlen(text), "; %s",
			 range_text(row, range, sizeof(range)));
	if (verb == VERB_EXPLORE && row->preset_explore)
		shown = row->preset_explore;
	if (row->preset_help)
		shown = row->preset_help;
	if (shown && row->type != OPTION_FLAG)
		snprintf(text + strlen(text), size - strlen(text), " (default: %s)", shown);
}

void options_help(FILE *out, enum verb verb)
{
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		const struct option_row *row = &option_table[id];
		char text[HELP_TEXT_SIZE];
		size_t column;

		if (!option_applies(id, verb))
			continue;
		column = (size_t)fprintf(out, "  --%s%s%s", option_names.names[id],
					 row->argument ? " " : "",
					 row->argument ? row->argument : "");
		if (column < HELP_COLUMN) {
			fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
			column = HELP_COLUMN;
		}
		describe(row, verb, text, sizeof(text));
		write_words(out, text, column);
	}
}

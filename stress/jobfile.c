// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/jobfile.h"

#include "engine/types.h"
#include "stress/default_job.h"
#include "stress/group.h"
#include "stress/jobpath.h"
#include "stress/options.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char global_name[] = "global";
static const char blanks[] = " \t";
static const char byte_order_mark[] = "\xef\xbb\xbf";

/* A key with its value. Newlines in the value stand where the file has them. */
struct ini_entry {
	char *key;
	char *value;
	unsigned int line;
	unsigned int last_line; /* of its continuation */
};

struct ini_section {
	char name[JOB_NAME_SIZE];
	unsigned int line;
	struct ini_entry *entries;
	size_t nr_entries;
};

/* All that a file says, as text. */
struct ini_document {
	struct ini_section *sections;
	size_t nr_sections;
};

/* The reader that inih asks for lines, and the handler that it gives keys to, share this. */
struct ini_reading {
	const char *cursor;
	const char *end;
	const char *file;
	unsigned int line; /* of the line that inih has got last */
	bool continues;	   /* that line continues the key before it */
	struct ini_document document;
	bool failed;
	struct error *err;
};

static void document_free(struct ini_document *document)
{
	for (size_t i = 0; i < document->nr_sections; i++) {
		struct ini_section *section = &document->sections[i];

		for (size_t j = 0; j < section->nr_entries; j++) {
			free(section->entries[j].key);
			free(section->entries[j].value);
		}
		free(section->entries);
	}
	free(document->sections);
}

/* Makes room for one more element behind @nr of @array. NULL when out of memory. */
static void *grow(void *array, size_t nr, size_t size)
{
	/* Powers of two only: a full array is one whose length is such a power. */
	if (nr & (nr - 1))
		return array;
	return reallocarray(array, nr ? 2 * nr : 1, size);
}

static struct ini_section *last_section(struct ini_reading *reading)
{
	struct ini_document *document = &reading->document;

	return document->nr_sections ? &document->sections[document->nr_sections - 1] : NULL;
}

static struct ini_entry *last_entry(struct ini_reading *reading)
{
	struct ini_section *section = last_section(reading);

	return section && section->nr_entries ? &section->entries[section->nr_entries - 1] : NULL;
}

static int add_section(struct ini_reading *reading, const char *name)
{
	struct ini_document *document = &reading->document;
	struct ini_section *section;

	for (size_t i = 0; i < document->nr_sections; i++) {
		if (!strcmp(document->sections[i].name, name))
			return error_input(
				reading->err,
				"%s:%u: [%s]: this section already begins on line %u; give "
				"each group a name of its own",
				reading->file, reading->line, name, document->sections[i].line);
	}
	if (document->nr_sections > JOB_GROUPS_MAX)
		return error_input(reading->err,
				   "%s:%u: [%s]: more than %d groups; give at most that "
				   "many",
				   reading->file, reading->line, name, JOB_GROUPS_MAX);
	section = grow(document->sections, document->nr_sections, sizeof(*section));
	if (!section)
		return error_no_memory(reading->err);
	document->sections = section;
	section += document->nr_sections++;
	*section = (struct ini_section){.line = reading->line};
	memcpy(section->name, name, strlen(name) + 1);
	return 0;
}

/* Looks at "[name]", since inih would take "[name] junk" and cut a long name. */
static int take_header(struct ini_reading *reading, const char *header)
{
	char name[JOB_NAME_SIZE];
	const char *close = strchr(header, ']');
	size_t length = close ? (size_t)(close - header) - 1 : 0;

	if (!close)
		return error_input(reading->err, "%s:%u: \"%.60s\" has no ']'; give [NAME]",
				   reading->file, reading->line, header);
	if (close[1 + strspn(close + 1, blanks)])
		return error_input(
			reading->err,
			"%s:%u: \"%.60s\" has something behind the ']'; give [NAME] alone, "
			"comments on lines of their own",
			reading->file, reading->line, header);
	if (length < sizeof(name)) {
		memcpy(name, header + 1, length);
		name[length] = '\0';
	}
	if (length >= sizeof(name) || !group_name_valid(name))
		return error_input(
			reading->err,
			"%s:%u: \"%.60s\" has no valid name; give 1 to %zu letters, digits, "
			"'_', '-' or '.'",
			reading->file, reading->line, header, sizeof(name) - 1);
	return add_section(reading, name);
}

/* Keys whose values are lists, which may go on over indented lines. */
static bool may_continue(const char *key)
{
	return !strcmp(key, group_key_names.names[GROUP_OPS]) ||
	       !strcmp(key, group_key_names.names[GROUP_PROGRAM]) ||
	       !strcmp(key, group_key_names.names[GROUP_CPU]) ||
	       !strcmp(key, option_names.names[OPT_BUG]);
}

static int take_indented(struct ini_reading *reading, const char *text)
{
	const struct ini_entry *entry = last_entry(reading);

	if (text[0] == '[')
		return error_input(reading->err,
				   "%s:%u: \"%.60s\" is indented; begin a section at the "
				   "start of the line",
				   reading->file, reading->line, text);
	if (!entry || !may_continue(entry->key))
		return error_input(
			reading->err,
			"%s:%u: \"%.60s\" is indented, as if it continued the line before; "
			"begin a key at the start of the line",
			reading->file, reading->line, text);
	reading->continues = true;
	return 0;
}

/* An operation of a program that inih would take for a comment: "    ; write A 0". */
static bool loses_operation(struct ini_reading *reading, const char *line, const char *text)
{
	const struct ini_entry *entry = last_entry(reading);

	return text > line && *text == ';' && entry &&
	       !strcmp(entry->key, group_key_names.names[GROUP_PROGRAM]);
}

/* Looks at one line, without its end, before inih sees it. */
static int take_line(struct ini_reading *reading, const char *line)
{
	const char *text = line + strspn(line, blanks);

	reading->continues = false;
	if (loses_operation(reading, line, text))
		return error_input(
			reading->err,
			"%s:%u: program: a line that begins with ';' is a comment; put the ';' "
			"at the end of the line before",
			reading->file, reading->line);
	if (*text == '\0' || *text == ';' || *text == '#')
		return 0;
	if (text > line)
		return take_indented(reading, text);
	if (*text == '[')
		return take_header(reading, text);
	if (!last_section(reading))
		return error_input(reading->err,
				   "%s:%u: \"%.60s\" stands before the first section; "
				   "begin with [global] or [GROUP]",
				   reading->file, reading->line, text);
	if (!strpbrk(text, "=:"))
		return error_input(
			reading->err,
			"%s:%u: \"%.60s\" is neither a section nor a key with a value; give "
			"[NAME] or key = value",
			reading->file, reading->line, text);
	if (*text == '=' || *text == ':')
		return error_input(reading->err, "%s:%u: \"%.60s\" has no key; give key = value",
				   reading->file, reading->line, text);
	return 0;
}

/*
 * Copies a line, whose end is @stop, for inih: blanks before a ';' are left out, for there inih
 * would begin a comment.
 */
static void copy_line(char *dst, const char *line, const char *stop)
{
	bool text_began = false; /* a ';' before it begins a comment in any case */

	for (; line < stop; line++) {
		if (*line == ';' && text_began) {
			while (isblank((unsigned char)dst[-1]))
				dst--;
		}
		text_began |= !isblank((unsigned char)*line);
		*dst++ = *line;
	}
	*dst = '\0';
}

/* inih's reader: one line with its '\n', or NULL at the end and after an error. */
static char *read_line(char *buffer, int size, void *stream)
{
	struct ini_reading *reading = stream;
	const char *line = reading->cursor;
	const char *newline, *stop;
	/* inih gives up on a line that fills the buffer and has no '\n' at its end. */
	size_t longest = (size_t)size - 2;

	if (reading->failed || line >= reading->end)
		return NULL;
	newline = memchr(line, '\n', (size_t)(reading->end - line));
	stop = newline ? newline : reading->end;
	reading->cursor = newline ? newline + 1 : reading->end;
	reading->line++;
	if (stop > line && stop[-1] == '\r')
		stop--;
	for (const char *s = line; s < stop; s++) {
		if (!iscntrl((unsigned char)*s) || *s == '\t')
			continue;
		error_input(reading->err,
			    "%s:%u: has a control character (0x%02x); give a text file",
			    reading->file, reading->line, (unsigned char)*s);
		goto fail;
	}
	if ((size_t)(stop - line) > longest) {
		error_input(
			reading->err,
			"%s:%u: the line has %zu bytes, at most %zu are possible; go on on the next "
			"line, indented",
			reading->file, reading->line, (size_t)(stop - line), longest);
		goto fail;
	}
	copy_line(buffer, line, stop);
	if (take_line(reading, buffer))
		goto fail;
	strcat(buffer, "\n");
	return buffer;
fail:
	reading->failed = true;
	return NULL;
}

/* Appends a continuation to @entry, with as many newlines before it as the file has. */
static int continue_entry(struct ini_entry *entry, const char *text, unsigned int line)
{
	size_t used = strlen(entry->value);
	size_t newlines = line - entry->last_line;
	char *longer = realloc(entry->value, used + newlines + strlen(text) + 1);

	if (!longer)
		return -1;
	memset(longer + used, '\n', newlines);
	memcpy(longer + used + newlines, text, strlen(text) + 1);
	entry->value = longer;
	entry->last_line = line;
	return 0;
}

static int add_entry(struct ini_section *section, const char *key, const char *value,
		     unsigned int line)
{
	struct ini_entry *entry = grow(section->entries, section->nr_entries, sizeof(*entry));

	if (!entry)
		return -1;
	section->entries = entry;
	entry += section->nr_entries;
	*entry = (struct ini_entry){
		.key = strdup(key),
		.value = strdup(value),
		.line = line,
		.last_line = line,
	};
	section->nr_entries++;
	return entry->key && entry->value ? 0 : -1;
}

/* inih's handler. Its idea of the section is not needed: the reader has seen the header. */
static int take_entry(void *user, const char *section, const char *key, const char *value)
{
	struct ini_reading *reading = user;
	int ret;

	(void)section;
	if (reading->failed)
		return 1;
	if (reading->continues)
		ret = continue_entry(last_entry(reading), value, reading->line);
	else
		ret = add_entry(last_section(reading), key, value, reading->line);
	if (ret) {
		error_no_memory(reading->err);
		reading->failed = true;
	}
	return 1;
}

static int read_document(struct ini_reading *reading)
{
	int bad_line = ini_parse_stream(read_line, reading, take_entry, reading);

	if (reading->failed)
		return -1;
	if (bad_line > 0)
		return error_input(reading->err, "%s:%u: can't be read as INI; give key = value",
				   reading->file, reading->line);
	if (bad_line < 0)
		return error_no_memory(reading->err);
	return 0;
}

/* The [global] section. */

static int unknown_global_key(const struct jobfile_text *text, const struct ini_entry *entry,
			      struct error *err)
{
	const char *settable[NR_OPTIONS];
	struct name_list list = {"option", settable, 0};
	char hint[NEAREST_HINT_SIZE];

	if (name_list_find(&group_key_names, entry->key) >= 0)
		return error_input(err,
				   "%s:%u: %s: is a key of groups; give it in a group's section",
				   text->file, entry->line, entry->key);
	if (name_list_find(&option_names, entry->key) >= 0)
		return error_input(err,
				   "%s:%u: %s: a job can't set this; give --%s on the command line",
				   text->file, entry->line, entry->key, entry->key);
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_table[id].in_job)
			settable[list.nr++] = option_names.names[id];
	}
	return error_input(err, "%s:%u: \"%.60s\" is no known option; %s", text->file, entry->line,
			   entry->key, nearest_hint(&list, entry->key, hint, sizeof(hint)));
}

static int apply_global(struct config *config, const struct known_names *names,
			const struct jobfile_text *text, const struct ini_section *section,
			struct error *err)
{
	unsigned int given_on[NR_OPTIONS] = {0};

	for (size_t i = 0; i < section->nr_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		int id = name_list_find(&option_names, entry->key);
		char place[ERROR_LINE_SIZE / 2];
		struct option_source source = {ORIGIN_JOB, place, text->directory};

		if (id < 0 || !option_table[id].in_job)
			return unknown_global_key(text, entry, err);
		snprintf(place, sizeof(place), "%s:%u: %s", text->file, entry->line, entry->key);
		if (given_on[id])
			return error_input(err, "%s: already given on line %u; give it once", place,
					   given_on[id]);
		given_on[id] = entry->line;
		if (option_set(config, names, id, entry->value, &source, err))
			return -1;
	}
	return 0;
}

/* The sections of groups. */

static int unknown_group_key(const struct jobfile_text *text, const struct ini_entry *entry,
			     struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	int id = name_list_find(&option_names, entry->key);

	if (id >= 0 && option_table[id].in_job)
		return error_input(err,
				   "%s:%u: %s: is an option of the machine; give it in [global]",
				   text->file, entry->line, entry->key);
	return error_input(err, "%s:%u: \"%.60s\" is no key of groups; %s", text->file, entry->line,
			   entry->key,
			   nearest_hint(&group_key_names, entry->key, hint, sizeof(hint)));
}

static int read_group(struct group_draft *draft, const struct jobfile_text *text,
		      const struct ini_section *section, struct error *err)
{
	group_begin(draft, section->name, section->line);
	for (size_t i = 0; i < section->nr_entries; i++) {
		const struct ini_entry *entry = &section->entries[i];
		int key = name_list_find(&group_key_names, entry->key);

		if (key < 0)
			return unknown_group_key(text, entry, err);
		if (group_set(draft, (enum group_key)key, entry->value, text->file, entry->line,
			      err))
			return -1;
	}
	return group_complete(draft, text->file, err);
}

static int find_group(const struct group_draft *drafts, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(drafts[i].group.name, name))
			return (int)i;
	}
	return -1;
}

static int join_unknown(const struct group_draft *drafts, size_t nr,
			const struct group_draft *draft, const char *file, struct error *err)
{
	const char *owners[JOB_GROUPS_MAX];
	struct name_list list = {"group with share = mm or threads", owners, 0};
	unsigned int line = draft->key_line[GROUP_SHARE];
	char hint[NEAREST_HINT_SIZE];

	for (size_t i = 0; i < nr; i++) {
		if (drafts[i].share == SHARE_OWN)
			owners[list.nr++] = drafts[i].group.name;
	}
	if (list.nr == 0)
		return error_input(err,
				   "%s:%u: share: [%s] has no mm to join; give share = mm there",
				   file, line, draft->join);
	return error_input(err, "%s:%u: share: [%s] is no group with share = mm; %s", file, line,
			   draft->join, nearest_hint(&list, draft->join, hint, sizeof(hint)));
}

/* Gives each group its mm, and those that join another's the regions of that group. */
static int join_groups(struct group_draft *drafts, size_t nr, const char *file, struct error *err)
{
	for (size_t i = 0; i < nr; i++) {
		struct job_group *group = &drafts[i].group;
		const struct job_group *owner;
		int index;

		if (drafts[i].share == SHARE_NONE)
			continue;
		if (drafts[i].share == SHARE_OWN) {
			group->mm_group = (int)i;
			continue;
		}
		index = find_group(drafts, nr, drafts[i].join);
		if (index < 0 || drafts[index].share != SHARE_OWN)
			return join_unknown(drafts, nr, &drafts[i], file, err);
		owner = &drafts[index].group;
		group->mm_group = index;
		group->threads = owner->threads;
		group->shared = owner->shared;
		group->file_pages = owner->file_pages;
		group->map = owner->map;
		memcpy(group->file, owner->file, sizeof(group->file));
	}
	return 0;
}

/* One file has one size, whichever group states it. */
static int agree_on_files(struct group_draft *drafts, size_t nr, const char *file,
			  struct error *err)
{
	for (size_t i = 0; i < nr; i++) {
		struct group_draft *a = &drafts[i];

		if (!a->key_line[GROUP_FILE_PAGES])
			continue;
		for (size_t j = 0; j < nr; j++) {
			struct group_draft *b = &drafts[j];

			if (strcmp(a->group.file, b->group.file))
				continue;
			if (b->key_line[GROUP_FILE_PAGES] &&
			    a->group.file_pages != b->group.file_pages)
				return error_input(
					err,
					"%s:%u: file-pages: the file %s has %u pages on line "
					"%u; give one size",
					file,
					max(a->key_line[GROUP_FILE_PAGES],
					    b->key_line[GROUP_FILE_PAGES]),
					a->group.file,
					i < j ? a->group.file_pages : b->group.file_pages,
					min(a->key_line[GROUP_FILE_PAGES],
					    b->key_line[GROUP_FILE_PAGES]));
			b->group.file_pages = a->group.file_pages;
		}
	}
	return 0;
}

/* Moves the groups from the drafts to @job, which then owns them. */
static int make_groups(struct job *job, const struct group_draft *drafts, size_t nr,
		       struct error *err)
{
	job->groups = calloc(nr, sizeof(*job->groups));
	if (!job->groups)
		return error_no_memory(err);
	job->nr_groups = nr;
	for (size_t i = 0; i < nr; i++)
		job->groups[i] = drafts[i].group;
	return 0;
}

static void free_drafts(struct group_draft *drafts, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(drafts[i].group.mix.entries);
		free(drafts[i].group.program.ops);
	}
	free(drafts);
}

static int no_groups(const struct ini_reading *reading, bool has_sections, struct error *err)
{
	return error_input(err,
			   "%s:%u: %s; give a section for each group of tasks, such as [workers]",
			   reading->file, max(reading->line, 1u),
			   has_sections ? "[global] is the only section" : "there is no section");
}

static int read_sections(struct config *config, const struct known_names *names,
			 const struct jobfile_text *text, const struct ini_reading *reading,
			 struct error *err)
{
	const struct ini_document *document = &reading->document;
	struct group_draft *drafts = calloc(document->nr_sections + 1, sizeof(*drafts));
	struct job *job = &config->job;
	size_t nr = 0;

	if (!drafts)
		return error_no_memory(err);
	for (size_t i = 0; i < document->nr_sections; i++) {
		const struct ini_section *section = &document->sections[i];

		if (!strcmp(section->name, global_name)) {
			if (apply_global(config, names, text, section, err))
				goto fail_drafts;
		} else if (read_group(&drafts[nr++], text, section, err)) {
			goto fail_drafts;
		}
	}
	if (nr == 0) {
		no_groups(reading, document->nr_sections > 0, err);
		goto fail_drafts;
	}
	if (agree_on_files(drafts, nr, text->file, err) ||
	    join_groups(drafts, nr, text->file, err) || make_groups(job, drafts, nr, err))
		goto fail_drafts;
	snprintf(job->name, sizeof(job->name), "%s", text->name);
	snprintf(job->path, sizeof(job->path), "%s", text->file);
	for (size_t i = 0; i < nr; i++) {
		if (group_check(&drafts[i], job, &job->groups[i], err)) {
			free(drafts);
			job_destroy(job);
			return -1;
		}
	}
	free(drafts);
	return 0;
fail_drafts:
	free_drafts(drafts, nr);
	return -1;
}

int jobfile_parse(struct config *config, const struct known_names *names,
		  const struct jobfile_text *text, struct error *err)
{
	size_t mark = sizeof(byte_order_mark) - 1;
	struct ini_reading reading = {
		.cursor = text->text,
		.end = text->text + text->length,
		.file = text->file,
		.line = text->first_line - 1,
		.err = err,
	};
	int ret;

	if (text->length >= mark && !memcmp(text->text, byte_order_mark, mark))
		reading.cursor += mark;
	job_destroy(&config->job);
	ret = read_document(&reading);
	if (ret == 0)
		ret = read_sections(config, names, text, &reading, err);
	document_free(&reading.document);
	return ret;
}

/* Reads all of @path, at most JOBFILE_BYTES_MAX. Returns malloc'ed text, or NULL. */
static char *read_file(const char *path, size_t *length, struct error *err)
{
	char *text = malloc(JOBFILE_BYTES_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (!text) {
		error_no_memory(err);
		goto fail;
	}
	if (fd < 0) {
		error_input(err, "--job: can't open %.300s: %s; give a readable job file", path,
			    strerror(errno));
		goto fail;
	}
	for (;;) {
		ssize_t got = read(fd, text + used, JOBFILE_BYTES_MAX + 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			error_input(err, "--job: can't read %.300s: %s; give a readable job file",
				    path, strerror(errno));
			goto fail;
		}
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > JOBFILE_BYTES_MAX) {
			error_input(err, "--job: %.300s is larger than %d bytes; give a job file",
				    path, JOBFILE_BYTES_MAX);
			goto fail;
		}
	}
	close(fd);
	*length = used;
	return text;
fail:
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

static void folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(folder, size, ".");
	else
		snprintf(folder, size, "%.*s", (int)max((ptrdiff_t)(slash - path), (ptrdiff_t)1),
			 path);
}

/* A path as messages show it: of a very long one the end, so that the message still fits. */

static const char *label_of(const char *path, char *label, size_t size)
{
	size_t length = strlen(path);

	if (length < size)
		return path;
	snprintf(label, size, "...%s", path + length - (size - sizeof("...")));
	return label;
}

int jobfile_load(struct config *config, const struct known_names *names, const char *directory,
		 struct error *err)
{
	char label[JOB_LABEL_SIZE];
	struct job_location location;
	char folder[CONFIG_PATH_SIZE];
	struct jobfile_text text = {.first_line = 1};
	char *content = NULL;
	int ret;

	if (jobpath_locate(config->job_name, directory, &location, err))
		return -1;
	text.name = location.name;
	text.file = label_of(location.path, label, sizeof(label));
	if (location.built_in) {
		text.text = default_job_text;
		text.length = strlen(default_job_text);
	} else {
		content = read_file(location.path, &text.length, err);
		if (!content)
			return -1;
		folder_of(location.path, folder, sizeof(folder));
		text.text = content;
		text.directory = folder;
	}
	ret = jobfile_parse(config, names, &text, err);
	free(content);
	return ret;
}

/* Writes a value that may be a list of names, a name a line. */
static void write_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		fputc(*value, out);
		if (*value == ',')
			fputs("\n\t", out);
	}
	fputc('\n', out);
}

char *jobfile_write(const struct config *config)
{
	char value[OPTION_TEXT_SIZE];
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	bool failed;

	if (!out)
		return NULL;
	fprintf(out, "[%s]\n", global_name);
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (!option_table[id].in_job || !option_applies(id, config->verb))
			continue;
		fprintf(out, "%s = ", option_names.names[id]);
		option_text(config, id, value, sizeof(value));
		if (option_table[id].type == OPTION_NAMES)
			write_value(out, value);
		else
			fprintf(out, "%s\n", value);
	}
	for (size_t i = 0; i < config->job.nr_groups; i++) {
		fputc('\n', out);
		group_write(&config->job, &config->job.groups[i], out);
	}
	failed = ferror(out);
	if (fclose(out) || failed) {
		free(text);
		return NULL;
	}
	return text;
}

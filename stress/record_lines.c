// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/record_lines.h"

#include "engine/types.h"
#include "stress/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char option[] = "--json";

/* What open() gives a new file before the umask. */
#define NEW_FILE_MODE 0666
/* Digits of a figure: a year in seconds to the millisecond. */
#define PRECISION 12

static void lines_path(const char *json, char *path, size_t size)
{
	static const char json_suffix[] = ".json";
	size_t length = strlen(json);
	size_t suffix = sizeof(json_suffix) - 1;
	bool has_suffix = length > suffix && !strcmp(json + length - suffix, json_suffix);

	snprintf(path, size, "%s%s", json, has_suffix ? "l" : ".jsonl");
}

int record_lines_open(struct record_lines *lines, const char *json, struct error *err)
{
	struct stat st;

	lines->fd = -1;
	if (json[0] == '\0' || whole_file_is_stream(json))
		return 0;
	if (strlen(json) + sizeof(".jsonl") > sizeof(lines->path))
		return write_error(err, option, json, ENAMETOOLONG);
	lines_path(json, lines->path, sizeof(lines->path));
	/* Not truncated before it is known to be a file, and never a pipe that blocks. */
	if (!stat(lines->path, &st) && !S_ISREG(st.st_mode))
		return write_error(err, option, lines->path, S_ISDIR(st.st_mode) ? EISDIR : EEXIST);
	lines->fd = open(lines->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
			 NEW_FILE_MODE);
	return lines->fd < 0 ? write_error(err, option, lines->path, errno) : 0;
}

/* One line with its newline, malloc'ed; NULL when out of memory. */
static char *compose(double elapsed_s, uint64_t violations, const struct counter *counters,
		     size_t nr, size_t *length)
{
	json_t *object = json_object();
	json_t *totals = json_object();
	bool failed = false;
	char *text = NULL;

	for (size_t i = 0; i < nr; i++)
		failed |= json_object_set_new(totals, counters[i].name,
					      json_integer((json_int_t)min(counters[i].value,
									   (uint64_t)INT64_MAX))) !=
			  0;
	failed |=
		json_object_set_new(object, "elapsed_s",
				    isfinite(elapsed_s) ? json_real(elapsed_s) : json_null()) != 0;
	failed |= json_object_set_new(
			  object, "violations",
			  json_integer((json_int_t)min(violations, (uint64_t)INT64_MAX))) != 0;
	failed |= json_object_set_new(object, "counters", totals) != 0;
	if (!failed)
		text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(PRECISION));
	json_decref(object);
	if (text) {
		*length = strlen(text) + 1;
		text[*length - 1] = '\n'; /* in place of the terminator */
	}
	return text;
}

/* Gives the file up. */
static void discard(struct record_lines *lines)
{
	close(lines->fd);
	unlink(lines->path);
	lines->fd = -1;
}

int record_lines_add(struct record_lines *lines, double elapsed_s, uint64_t violations,
		     const struct counter *counters, size_t nr, struct error *err)
{
	size_t length = 0;
	char *text;
	int error;

	if (lines->fd < 0)
		return 0;
	text = compose(elapsed_s, violations, counters, nr, &length);
	error = text ? write_all(lines->fd, text, length) : ENOMEM;
	free(text);
	if (!error)
		return 0;
	discard(lines);
	return write_error(err, option, lines->path, error);
}

int record_lines_close(struct record_lines *lines, struct error *err)
{
	int error;

	if (lines->fd < 0)
		return 0;
	error = fsync(lines->fd) ? errno : 0;
	if (error) {
		discard(lines);
		return write_error(err, option, lines->path, error);
	}
	error = close(lines->fd) ? errno : 0;
	lines->fd = -1;
	return error ? write_error(err, option, lines->path, error) : 0;
}

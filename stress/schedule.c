// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedules between memory and files.
 */
#include "stress/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/schedule_text.h"
#include "stress/whole_file.h"

/* A schedule of a few hundred steps is read at once. */
#define READ_FIRST (16u << 10)

int schedule_write(const char *path, const struct config *config, const struct schedule *s,
		   struct error *err)
{
	size_t length;
	char *text = schedule_text_write(config, s, &length);
	int ret;

	if (!text)
		return error_no_memory(err);
	if (length > SCHEDULE_BYTES_MAX)
		ret = error_set(err, VERDICT_UNTRUSTWORTHY,
				"--schedule: %s: a schedule of %" PRIu64
				" steps is too long to be kept; give a smaller --max-steps",
				path, s->steps);
	else
		ret = whole_file_write(path, "--schedule", text, length, err);
	free(text);
	return ret;
}

/* All that @in has, at most SCHEDULE_BYTES_MAX, with a NUL behind it; NULL with @err filled. */
static char *read_all(FILE *in, const char *path, size_t *length, struct error *err)
{
	size_t size = READ_FIRST;
	char *text = NULL;

	*length = 0;
	do {
		char *longer = realloc(text, size + 1);

		if (!longer) {
			error_no_memory(err);
			goto fail;
		}
		text = longer;
		*length += fread(text + *length, 1, size - *length, in);
		if (ferror(in)) {
			error_input(err, "%s: can't be read: %s", path, strerror(errno));
			goto fail;
		}
		if (*length > SCHEDULE_BYTES_MAX) {
			error_input(err,
				    "%s: is too large for a schedule file, which has at most %u "
				    "bytes",
				    path, SCHEDULE_BYTES_MAX);
			goto fail;
		}
		size *= 2;
	} while (!feof(in));
	text[*length] = '\0';
	return text;
fail:
	free(text);
	return NULL;
}

/* What the job asks for may be more than there is: here, or in any schedule. */
static int resolve(const char *path, struct config *config, const struct host_facts *host,
		   struct error *err)
{
	struct error why = {0};

	if (config_resolve(config, host, &why)) {
		if (!strncmp(why.line, path, strlen(path)))
			*err = why;
		else
			error_set(err, why.status, "%s: %s", path, why.line);
		return -1;
	}
	if (config->cpus > MAX_VCPUS_EXPLORE)
		return error_input(err, "%s: cpus: a schedule has 1 to %d CPUs, not %u", path,
				   MAX_VCPUS_EXPLORE, config->cpus);
	if (!config->job.nr_groups)
		return error_input(err, "%s: the job has no tasks; give it a group", path);
	return 0;
}

int schedule_read(const char *path, struct schedule *s, struct config *config,
		  const struct known_names *names, const struct host_facts *host, struct error *err)
{
	FILE *in = fopen(path, "rb");
	size_t length;
	char *text;
	int ret;

	if (!in)
		return error_input(err, "%s: %s", path, strerror(errno));
	text = read_all(in, path, &length, err);
	fclose(in);
	if (!text)
		return -1;
	ret = schedule_text_read(text, length, path, s, config, names, err);
	free(text);
	if (!ret && resolve(path, config, host, err)) {
		schedule_destroy(s);
		ret = -1;
	}
	return ret;
}

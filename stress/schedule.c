// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/jobfile.h"
#include "stress/printable.h"
#include "stress/version.h"
#include "stress/whole_file.h"

#define MAGIC "mmtorture-schedule"
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL
/* A job of the largest size is under this. */
#define SCHEDULE_BYTES_MAX (4u << 20)

static uint64_t checksum(const char *text, size_t length)
{
	uint64_t h = FNV_OFFSET;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * FNV_PRIME;
	return h;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static unsigned int count_lines_to(const char *text, const char *end)
{
	unsigned int n = 0;

	for (; text < end; text++)
		n += *text == '\n';
	return n;
}

int schedule_write(const char *path, const struct config *config, const struct schedule *s,
		   struct error *err)
{
	char *job = jobfile_write(config);
	char *text = NULL;
	size_t length = 0;
	FILE *out = job ? open_memstream(&text, &length) : NULL;
	int ret;

	if (!out) {
		free(job);
		return error_no_memory(err);
	}
	fprintf(out, MAGIC " %d\nversion: %s\nbugs:", SCHEDULE_FORMAT, MMTORTURE_VERSION);
	for (unsigned int i = 0; i < config->bugs.nr; i++)
		fprintf(out, " %s", config->bugs.name[i]);
	fprintf(out, "\nseed: %" PRIu64 "\nsteps: %" PRIu64 "\nhistory: %016" PRIx64 "\n", s->seed,
		s->steps, s->history);
	fprintf(out, "invariant: %s\nwhere: %s\njob: %u\n%s", s->invariant, s->where,
		count_lines(job), job);
	fflush(out);
	fprintf(out, "checksum: %016" PRIx64 "\n", checksum(text, length));
	free(job);
	if (fclose(out)) {
		free(text);
		return error_no_memory(err);
	}
	ret = whole_file_write(path, "--schedule", text, length, err);
	free(text);
	return ret;
}

/* What is being read, line by line. */
struct reader {
	const char *path;
	const char *at, *end;
	unsigned int line;
	struct error *err;
};

static int refuse(struct reader *r, const char *why)
{
	return error_input(r->err, "%s:%u: %s", r->path, r->line, why);
}

/* The next line, without its end; false at the end of the text. */
static bool next_line(struct reader *r, const char **line, size_t *length)
{
	const char *nl;

	r->line++;
	if (r->at == r->end)
		return false;
	nl = memchr(r->at, '\n', (size_t)(r->end - r->at));
	if (!nl)
		return false;
	*line = r->at;
	*length = (size_t)(nl - r->at);
	r->at = nl + 1;
	return true;
}

/* The value of the line "KEY: VALUE" or "KEY:", which must be next. */
static int field(struct reader *r, const char *key, char *value, size_t size)
{
	const char *line;
	size_t length, skip = strlen(key) + 1;

	if (!next_line(r, &line, &length) || length < skip || memcmp(line, key, skip - 1) ||
	    line[skip - 1] != ':')
		return error_input(r->err,
				   "%s:%u: should say \"%s: ...\"; the file was cut short or "
				   "altered",
				   r->path, r->line, key);
	while (skip < length && line[skip] == ' ')
		skip++;
	if (length - skip >= size)
		return refuse(r, "too long; the file was altered");
	memcpy(value, line + skip, length - skip);
	value[length - skip] = '\0';
	return 0;
}

static int number_field(struct reader *r, const char *key, int base, uint64_t *value)
{
	char text[SCHEDULE_WORD_SIZE], *end;

	if (field(r, key, text, sizeof(text)))
		return -1;
	errno = 0;
	*value = strtoull(text, &end, base);
	if (!*text || *end || errno || text[0] == '-' || text[0] == '+')
		return refuse(r, "is no number; the file was altered");
	return 0;
}

static int read_head(struct reader *r, struct schedule *s, unsigned int *job_lines)
{
	char text[SCHEDULE_WORD_SIZE], bugs[CONFIG_NAMES_MAX * CONFIG_NAME_SIZE];
	const char *line;
	size_t length;
	uint64_t lines;

	snprintf(text, sizeof(text), MAGIC " %d", SCHEDULE_FORMAT);
	if (!next_line(r, &line, &length) || length != strlen(text) || memcmp(line, text, length))
		return refuse(r, "this is no schedule file (its first line should be \"" MAGIC
				 " 1\")");
	if (field(r, "version", text, sizeof(text)))
		return -1;
	if (strcmp(text, MMTORTURE_VERSION))
		return error_input(r->err,
				   "%s:%u: is from another version; this is " MMTORTURE_VERSION
				   ", in which its seed means another run",
				   r->path, r->line);
	if (field(r, "bugs", bugs, sizeof(bugs)) || number_field(r, "seed", 10, &s->seed) ||
	    number_field(r, "steps", 10, &s->steps) ||
	    number_field(r, "history", 16, &s->history) ||
	    field(r, "invariant", s->invariant, sizeof(s->invariant)) ||
	    field(r, "where", s->where, sizeof(s->where)) || number_field(r, "job", 10, &lines))
		return -1;
	*job_lines = (unsigned int)lines;
	return 0;
}

/* The last line's checksum must be that of everything before it. */
static int check_sum(struct reader *r, const char *text)
{
	const char *last = r->end - 1;
	struct reader tail = *r;
	uint64_t sum;

	if (r->end == text || *last != '\n')
		return error_input(r->err, "%s: was cut short: its last line has no end", r->path);
	while (last > text && last[-1] != '\n')
		last--;
	tail.at = last;
	tail.line = count_lines(text) - 1;
	if (number_field(&tail, "checksum", 16, &sum))
		return -1;
	if (sum != checksum(text, (size_t)(last - text)))
		return error_input(r->err, "%s: the checksum does not fit: the file was altered",
				   r->path);
	r->end = last;
	return 0;
}

static int read_text(const char *text, size_t size, const char *path, struct schedule *s,
		     struct config *config, const struct known_names *names, struct error *err)
{
	struct reader r = {path, text, text + size, 0, err};
	struct jobfile_text job;
	unsigned int lines;

	if (memchr(text, 0, size))
		return error_input(err, "%s: is no schedule file (it has a NUL byte)", path);
	if (check_sum(&r, text) || read_head(&r, s, &lines))
		return -1;
	if (count_lines_to(r.at, r.end) != lines)
		return error_input(err, "%s:%u: the job has not %u lines: the file was altered",
				   path, r.line, lines);
	job = (struct jobfile_text){
		.text = r.at,
		.length = (size_t)(r.end - r.at),
		.file = path,
		.first_line = r.line + 1,
		.name = "schedule",
	};
	return jobfile_parse(config, names, &job, err);
}

int schedule_read(const char *path, struct schedule *schedule, struct config *config,
		  const struct known_names *names, const struct host_facts *host, struct error *err)
{
	FILE *in = fopen(path, "rb");
	char *text = malloc(SCHEDULE_BYTES_MAX + 1);
	size_t size;
	int ret;

	if (!in || !text) {
		ret = in ? error_no_memory(err) : error_input(err, "%s: %s", path, strerror(errno));
		goto out;
	}
	size = fread(text, 1, SCHEDULE_BYTES_MAX + 1, in);
	if (ferror(in)) {
		ret = error_input(err, "%s: can't be read: %s", path, strerror(errno));
		goto out;
	}
	if (size > SCHEDULE_BYTES_MAX) {
		ret = error_input(err, "%s: is too large for a schedule file", path);
		goto out;
	}
	text[size] = '\0';
	ret = read_text(text, size, path, schedule, config, names, err);
	if (!ret)
		ret = config_resolve(config, host, err);
out:
	if (in)
		fclose(in);
	free(text);
	return ret;
}

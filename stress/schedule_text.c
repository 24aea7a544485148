// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/schedule_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/types.h"
#include "stress/jobfile.h"
#include "stress/options.h"
#include "stress/version.h"

#define MAGIC "mmtorture-schedule"
#define STRINGIFY_VALUE(x) #x
#define STRINGIFY(x) STRINGIFY_VALUE(x)
#define FIRST_LINE MAGIC " " STRINGIFY(SCHEDULE_FORMAT)

/* FNV-1a, 64 bit (RFC 9923, section 5). */
#define FNV_OFFSET 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* Columns of the lines with choices and checks. */
#define LINE_WIDTH 99
/* "4294967295!interrupt=16777215" */
#define WORD_WIDTH_MAX 40
#define CHECK_DIGITS 4
#define CHECKSUM_LINE_SIZE sizeof("checksum: 0123456789abcdef\n")

/* What a choice other than a pick is called: "133!interrupt=1". */
static const char *const choice_names[] = {
	[CHOICE_INTERRUPT] = "interrupt", [CHOICE_TICK] = "tick",     [CHOICE_WAKE] = "wake",
	[CHOICE_TLB_EVICT] = "evict",	  [CHOICE_TLB_FILL] = "fill", [CHOICE_ALLOC_FAIL] = "fail",
	[CHOICE_DATA] = "data",		  [CHOICE_DRAIN] = "drain",
};
_Static_assert(ARRAY_SIZE(choice_names) == NR_CHOICES, "each choice has a name in schedule files");

uint64_t schedule_text_checksum(const char *text, size_t length)
{
	uint64_t h = FNV_OFFSET;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * FNV_PRIME;
	return h;
}

static void checksum_line(const char *text, size_t length, char line[CHECKSUM_LINE_SIZE])
{
	snprintf(line, CHECKSUM_LINE_SIZE, "checksum: %016" PRIx64 "\n",
		 schedule_text_checksum(text, length));
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Writing. */

/* Words, as many to a line as fit. */
struct word_writer {
	FILE *out;
	size_t column;
};

static void put_word(struct word_writer *w, const char *word)
{
	size_t length = strlen(word);

	if (w->column && w->column + 1 + length > LINE_WIDTH) {
		fputc('\n', w->out);
		w->column = 0;
	}
	w->column += (size_t)fprintf(w->out, "%s%s", w->column ? " " : "", word);
}

static void put_words_end(struct word_writer *w)
{
	if (w->column)
		fputc('\n', w->out);
	w->column = 0;
}

static void put_choices(FILE *out, const struct recording *r)
{
	struct word_writer w = {.out = out};
	char word[WORD_WIDTH_MAX];

	fprintf(out, "decisions: %u of %u\n", r->nr, r->calls);
	for (u32 i = 0; i < r->nr; i++) {
		const struct recorded_choice *c = &r->choices[i];

		if (c->kind == RECORDED_PICK)
			snprintf(word, sizeof(word), "%u>%u", c->at, c->value);
		else
			snprintf(word, sizeof(word), "%u!%s=%u", c->at, choice_names[c->kind],
				 c->value);
		put_word(&w, word);
	}
	put_words_end(&w);
}

static void put_checks(FILE *out, const struct schedule *s)
{
	struct word_writer w = {.out = out};
	char word[WORD_WIDTH_MAX];

	fprintf(out, "checks: %" PRIu64 "\n", s->nr_checks);
	for (uint64_t i = 0; i < s->nr_checks; i++) {
		snprintf(word, sizeof(word), "%04x", s->checks[i]);
		put_word(&w, word);
	}
	put_words_end(&w);
}

static void put_option(FILE *out, const char *key, const struct config *config, enum option_id id)
{
	char value[OPTION_TEXT_SIZE];

	fprintf(out, "%s: %s\n", key, option_text(config, id, value, sizeof(value)));
}

static void put_head(FILE *out, const struct config *config, const struct schedule *s)
{
	fputs(FIRST_LINE "\nversion: " MMTORTURE_VERSION "\n", out);
	put_option(out, "bugs", config, OPT_BUG);
	put_option(out, "strategy", config, OPT_STRATEGY);
	put_option(out, "memory-model", config, OPT_MEMORY_MODEL);
	fprintf(out,
		"seed: %" PRIu64 "\nsteps: %" PRIu64 "\npreemptions: %" PRIu64
		"\nhistory: %016" PRIx64 "\n",
		s->seed, s->steps, s->preemptions, s->history);
	fprintf(out, "invariant: %s\nwhere: %s\n", s->invariant, s->where);
}

char *schedule_text_write(const struct config *config, const struct schedule *s, size_t *length)
{
	char *job = jobfile_write(config);
	char *text = NULL, sum[CHECKSUM_LINE_SIZE];
	FILE *out = job ? open_memstream(&text, length) : NULL;
	bool failed;

	if (!out) {
		free(job);
		return NULL;
	}
	put_head(out, config, s);
	fprintf(out, "job: %u\n%s", count_lines(job), job);
	put_choices(out, &s->recorded);
	put_checks(out, s);
	free(job);
	failed = fflush(out) || ferror(out);
	if (!failed) {
		checksum_line(text, *length, sum);
		fputs(sum, out);
	}
	failed |= ferror(out) != 0;
	if (fclose(out) || failed) {
		free(text);
		return NULL;
	}
	return text;
}

/* Reading. */

struct reader {
	const char *file;
	const char *at, *end;
	unsigned int line; /* of what was read last */
	bool inside;	   /* a line: more words of it follow */
	struct error *err;
};

#define refuse(r, format, ...)                                                                     \
	error_input((r)->err, "%s:%u: " format, (r)->file, (r)->line, ##__VA_ARGS__)

#define CUT_OR_ALTERED "the file was cut short or altered"

/* The next line, without its end; false at the end of the text. */
static bool next_line(struct reader *r, const char **line, size_t *length)
{
	const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));

	r->line++;
	if (!newline)
		return false;
	*line = r->at;
	*length = (size_t)(newline - r->at);
	r->at = newline + 1;
	return true;
}

/* The value of the line "KEY: VALUE", which must be next. */
static int field(struct reader *r, const char *key, char *value, size_t size)
{
	const char *line;
	size_t length, skip = strlen(key) + 2;

	if (!next_line(r, &line, &length) || length <= skip || memcmp(line, key, skip - 2) ||
	    memcmp(line + skip - 2, ": ", 2))
		return refuse(r, "should say \"%s: ...\"; " CUT_OR_ALTERED, key);
	if (length - skip >= size)
		return refuse(r,
			      "%s: is longer than the %zu bytes that are possible; " CUT_OR_ALTERED,
			      key, size - 1);
	memcpy(value, line + skip, length - skip);
	value[length - skip] = '\0';
	return 0;
}

/* A decimal number as it is written here: no sign, no blanks, at most @max. Moves *@at behind it.
 * False if there is none. */
static bool scan_number(const char **at, const char *end, uint64_t max, uint64_t *value)
{
	const char *s = *at;
	uint64_t sum = 0;

	for (; s < end && isdigit((unsigned char)*s); s++) {
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
		    __builtin_add_overflow(sum, (unsigned int)(*s - '0'), &sum))
			return false;
	}
	if (s == *at || sum > max)
		return false;
	*at = s;
	*value = sum;
	return true;
}

static int number_field(struct reader *r, const char *key, uint64_t max, uint64_t *value)
{
	char text[SCHEDULE_WORD_SIZE];
	const char *at = text;

	if (field(r, key, text, sizeof(text)))
		return -1;
	if (!scan_number(&at, text + strlen(text), max, value) || *at)
		return refuse(r, "%s: \"%s\" is no number from 0 to %" PRIu64, key, text, max);
	return 0;
}

/* @digits lower-case hexadecimal digits, and nothing else. */
static bool scan_hex(const char *text, size_t length, size_t digits, uint64_t *value)
{
	*value = 0;
	if (length != digits)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isdigit(c) && (c < 'a' || c > 'f'))
			return false;
		*value = *value << 4 | (uint64_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	return true;
}

static int history_field(struct reader *r, uint64_t *history)
{
	char text[SCHEDULE_WORD_SIZE];

	if (field(r, "history", text, sizeof(text)))
		return -1;
	if (!scan_hex(text, strlen(text), 2 * sizeof(*history), history))
		return refuse(r, "history: \"%s\" is not 16 hexadecimal digits", text);
	return 0;
}

/* Words that are separated by one blank or the end of a line. False where none is. */
static bool next_word(struct reader *r, const char **word, size_t *length)
{
	const char *s = r->at;

	r->line += !r->inside;
	while (s < r->end && *s != ' ' && *s != '\n')
		s++;
	if (s == r->at || s == r->end)
		return false;
	*word = r->at;
	*length = (size_t)(s - r->at);
	r->inside = *s == ' ';
	r->at = s + 1;
	return true;
}

/* After the last word of a list. */
static int words_end(struct reader *r, const char *key, uint64_t nr)
{
	if (r->inside)
		return refuse(r, "%s: more than the %" PRIu64 " that were announced", key, nr);
	return 0;
}

/* What was written into the head of the file of the job's own settings must be those. */
static int agrees(struct reader *r, unsigned int line, const char *key, const char *head,
		  const struct config *config, enum option_id id)
{
	char value[OPTION_TEXT_SIZE];

	if (!strcmp(option_text(config, id, value, sizeof(value)), head))
		return 0;
	return error_input(r->err, "%s:%u: %s: says %.60s, but the job in this file says %.60s",
			   r->file, line, key, head, value);
}

/* The settings that the head repeats, in its order from this line on. */
static const struct head_setting {
	const char *key;
	enum option_id id;
} head_settings[] = {
	{"bugs", OPT_BUG},
	{"strategy", OPT_STRATEGY},
	{"memory-model", OPT_MEMORY_MODEL},
};
#define NR_HEAD_SETTINGS ARRAY_SIZE(head_settings)
#define HEAD_SETTINGS_LINE 3

struct head {
	char settings[NR_HEAD_SETTINGS][OPTION_TEXT_SIZE];
	uint64_t job_lines;
};

/* "mmtorture-schedule FORMAT" */
static int read_magic(struct reader *r)
{
	const char *line;
	size_t length;

	if (!next_line(r, &line, &length) || length < sizeof(MAGIC) ||
	    memcmp(line, MAGIC " ", sizeof(MAGIC)))
		return refuse(r, "this is no schedule file, or one that was cut short; the first "
				 "line should be \"" FIRST_LINE "\"");
	if (length != strlen(FIRST_LINE) || memcmp(line, FIRST_LINE, length))
		return refuse(r,
			      "is a schedule of format \"%.*s\"; this version reads "
			      "format " STRINGIFY(SCHEDULE_FORMAT) ": record it again",
			      (int)min(length - sizeof(MAGIC), (size_t)SCHEDULE_WORD_SIZE),
			      line + sizeof(MAGIC));
	return 0;
}

/* The last line must be the checksum of everything before it; it is taken off. */
static int take_checksum(struct reader *r, const char *text)
{
	const char *last = r->end - 1;
	char line[CHECKSUM_LINE_SIZE];

	if (*last == '\n') {
		while (last[-1] != '\n' && last > r->at)
			last--;
	}
	r->line = count_lines(text) + (r->end[-1] != '\n');
	if (r->end[-1] != '\n' || strncmp(last, "checksum: ", strlen("checksum: ")))
		return refuse(r, "should be the last line, \"checksum: ...\"; the file was cut "
				 "short, or something was added to it");
	checksum_line(text, (size_t)(last - text), line);
	if (strcmp(last, line))
		return refuse(r, "the checksum does not fit: the file was altered");
	r->line = 1;
	r->end = last;
	return 0;
}

static int read_head(struct reader *r, struct schedule *s, struct head *head)
{
	char version[SCHEDULE_WORD_SIZE];

	if (field(r, "version", version, sizeof(version)))
		return -1;
	if (strcmp(version, MMTORTURE_VERSION))
		return refuse(r,
			      "is from another version, %s; this is " MMTORTURE_VERSION
			      ", in which the same choices lead elsewhere",
			      version);
	for (size_t i = 0; i < NR_HEAD_SETTINGS; i++) {
		if (field(r, head_settings[i].key, head->settings[i], sizeof(head->settings[i])))
			return -1;
	}
	if (number_field(r, "seed", UINT64_MAX, &s->seed) ||
	    number_field(r, "steps", UINT64_MAX, &s->steps) ||
	    number_field(r, "preemptions", UINT64_MAX, &s->preemptions) ||
	    history_field(r, &s->history) ||
	    field(r, "invariant", s->invariant, sizeof(s->invariant)) ||
	    field(r, "where", s->where, sizeof(s->where)))
		return -1;
	return number_field(r, "job", JOBFILE_BYTES_MAX, &head->job_lines);
}

static int read_job(struct reader *r, uint64_t lines, struct config *config,
		    const struct known_names *names)
{
	struct jobfile_text job = {
		.text = r->at,
		.file = r->file,
		.first_line = r->line + 1,
		.name = "schedule",
	};
	const char *line;
	size_t length;

	for (uint64_t i = 0; i < lines; i++) {
		if (!next_line(r, &line, &length))
			return refuse(r,
				      "the job ends before its %" PRIu64 " lines; " CUT_OR_ALTERED,
				      lines);
	}
	job.length = (size_t)(r->at - job.text);
	return jobfile_parse(config, names, &job, r->err);
}

/* "120>2" or "133!interrupt=1" */
static bool scan_choice(const char *word, size_t length, struct recorded_choice *c)
{
	const char *at = word, *end = word + length;
	uint64_t call, value;
	u32 kind = RECORDED_PICK;

	if (!scan_number(&at, end, UINT32_MAX, &call) || at == end)
		return false;
	if (*at == '!') {
		const char *name = at + 1;
		const char *equals = memchr(at, '=', (size_t)(end - at));

		if (!equals)
			return false;
		for (kind = 0; kind < NR_CHOICES; kind++) {
			if (strlen(choice_names[kind]) == (size_t)(equals - name) &&
			    !memcmp(choice_names[kind], name, (size_t)(equals - name)))
				break;
		}
		if (kind == NR_CHOICES)
			return false;
		at = equals;
	} else if (*at != '>') {
		return false;
	}
	at++;
	if (!scan_number(&at, end, (1u << RECORDED_VALUE_BITS) - 1, &value) || at != end)
		return false;
	*c = (struct recorded_choice){.at = (u32)call, .value = (u32)value, .kind = kind};
	return true;
}

static int read_choice(struct reader *r, struct recording *recorded)
{
	struct recorded_choice *c = &recorded->choices[recorded->nr];
	const char *word;
	size_t length;

	if (!next_word(r, &word, &length))
		return refuse(r, "decisions: ends after %u of them; " CUT_OR_ALTERED, recorded->nr);
	if (!scan_choice(word, length, c))
		return refuse(r,
			      "decisions: \"%.*s\" is none; give CALL>CPU or CALL!WHAT=VALUE, as "
			      "in 120>2 or 133!interrupt=1",
			      (int)min(length, (size_t)WORD_WIDTH_MAX), word);
	if (recorded->nr && c->at <= c[-1].at)
		return refuse(r, "decisions: %u comes after %u; give them in the order of calls",
			      c->at, c[-1].at);
	if (c->at >= recorded->calls)
		return refuse(r, "decisions: %u is not below %u, the number of calls", c->at,
			      recorded->calls);
	if (c->kind == RECORDED_PICK && c->value >= MAX_VCPUS_EXPLORE)
		return refuse(r, "decisions: there is no CPU%u; give CPUs below %u", c->value,
			      MAX_VCPUS_EXPLORE);
	if (c->kind != RECORDED_PICK && !c->value)
		return refuse(r, "decisions: at %u 0 is what happens anyway; leave it out", c->at);
	recorded->nr++;
	return 0;
}

/* "decisions: 512 of 2210", and so many words. */
static int read_choices(struct reader *r, struct recording *recorded)
{
	char text[SCHEDULE_WORD_SIZE];
	const char *at = text, *end;
	/* At the least "0>0", and what separates it from the next. */
	uint64_t nr, calls, most;

	if (field(r, "decisions", text, sizeof(text)))
		return -1;
	end = text + strlen(text);
	most = (uint64_t)(r->end - r->at) / strlen("0>0 ");
	if (!scan_number(&at, end, most, &nr) || strncmp(at, " of ", 4) ||
	    (at += 4, !scan_number(&at, end, UINT32_MAX, &calls)) || *at || nr > calls)
		return refuse(r,
			      "decisions: \"%s\" is not NUMBER of CALLS, with as many decisions "
			      "behind it",
			      text);
	recorded->choices = calloc(nr + 1, sizeof(*recorded->choices));
	if (!recorded->choices)
		return error_no_memory(r->err);
	recorded->size = (u32)nr + 1;
	recorded->calls = (u32)calls;
	while (recorded->nr < nr) {
		if (read_choice(r, recorded))
			return -1;
	}
	return words_end(r, "decisions", nr);
}

static int read_checks(struct reader *r, struct schedule *s)
{
	uint64_t nr, value;
	const char *word;
	size_t length;

	if (number_field(r, "checks", s->steps, &nr))
		return -1;
	if (nr > (uint64_t)(r->end - r->at) / (CHECK_DIGITS + 1))
		return refuse(r, "checks: there are not %" PRIu64 " of them; " CUT_OR_ALTERED, nr);
	s->checks = calloc(nr + 1, sizeof(*s->checks));
	if (!s->checks)
		return error_no_memory(r->err);
	for (; s->nr_checks < nr; s->nr_checks++) {
		if (!next_word(r, &word, &length) || !scan_hex(word, length, CHECK_DIGITS, &value))
			return refuse(r, "checks: should be %d hexadecimal digits for each step",
				      CHECK_DIGITS);
		s->checks[s->nr_checks] = (uint16_t)value;
	}
	return words_end(r, "checks", nr);
}

static int read_body(struct reader *r, struct schedule *s, struct config *config,
		     const struct known_names *names)
{
	struct head head;

	if (read_head(r, s, &head) || read_job(r, head.job_lines, config, names))
		return -1;
	for (unsigned int i = 0; i < NR_HEAD_SETTINGS; i++) {
		if (agrees(r, HEAD_SETTINGS_LINE + i, head_settings[i].key, head.settings[i],
			   config, head_settings[i].id))
			return -1;
	}
	if (read_choices(r, &s->recorded) || read_checks(r, s))
		return -1;
	if (r->at != r->end) {
		r->line++;
		return refuse(r, "should be the checksum; something was added to the file");
	}
	return 0;
}

int schedule_text_read(const char *text, size_t length, const char *file, struct schedule *s,
		       struct config *config, const struct known_names *names, struct error *err)
{
	struct reader r = {.file = file, .at = text, .end = text + length, .err = err};

	*s = (struct schedule){0};
	if (memchr(text, 0, length))
		return error_input(err, "%s: this is no schedule file: it has a NUL byte", file);
	if (!read_magic(&r) && !take_checksum(&r, text) && !read_body(&r, s, config, names))
		return 0;
	schedule_destroy(s);
	return -1;
}

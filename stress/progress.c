// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/progress.h"

#include "engine/types.h"
#include "stress/duration.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_SIZE 1024
/* Where a terminal doesn't say how wide it is (ECMA-48 terminals had 80 columns). */
#define WIDTH_DEFAULT 80
/* Back to the first column, and erase from there: CR, and EL of ECMA-48. */
static const char wipe[] = "\r\033[K";

struct line {
	char text[LINE_SIZE];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, args);
	va_end(args);
	if (length > 0)
		line->used = min(line->used + (size_t)length, sizeof(line->text) - 1);
}

void progress_init_as(struct progress *progress, FILE *out, const char *verb, bool redraws,
		      unsigned int width)
{
	*progress = (struct progress){
		.out = out,
		.verb = verb,
		.redraws = redraws,
		.width = width ? width : WIDTH_DEFAULT,
	};
}

void progress_init(struct progress *progress, FILE *out, const char *verb)
{
	const char *terminal = getenv("TERM");
	struct winsize size = {0};
	int fd = fileno(out);
	bool redraws =
		fd >= 0 && isatty(fd) && terminal && terminal[0] && strcmp(terminal, "dumb") != 0;

	if (redraws && ioctl(fd, TIOCGWINSZ, &size))
		size.ws_col = 0;
	progress_init_as(progress, out, verb, redraws, size.ws_col);
}

double progress_remaining(const struct progress_sample *sample)
{
	double remaining = -1;

	if (sample->limit_s > 0)
		remaining = max(sample->limit_s - sample->elapsed_s, 0.0);
	if (sample->iterations_limit && sample->iterations) {
		double done = (double)sample->iterations / (double)sample->iterations_limit;
		double by_number = max(sample->elapsed_s / done - sample->elapsed_s, 0.0);

		if (remaining < 0 || by_number < remaining)
			remaining = by_number;
	}
	return remaining;
}

/* Events a second since the last sample. */
static double rate_of(const struct progress *progress, const struct progress_sample *sample,
		      size_t counter)
{
	double seconds = sample->elapsed_s - progress->last_elapsed_s;
	uint64_t now = sample->counters[counter].value;
	uint64_t before = progress->last[counter];

	return seconds > 0 && now > before ? (double)(now - before) / seconds : 0;
}

static size_t counters_shown(const struct progress_sample *sample)
{
	return min(sample->nr_counters, (size_t)PROGRESS_COUNTERS_MAX);
}

/* Three figures and a decimal prefix: 999, 12.3k, 1.20M. */
static void add_rate(struct line *line, double rate)
{
	static const char prefixes[] = {'\0', 'k', 'M', 'G', 'T'};
	size_t prefix = 0;

	while (rate >= 999.5 && prefix + 1 < sizeof(prefixes)) {
		rate /= 1000;
		prefix++;
	}
	if (prefix == 0)
		add(line, "%.0f/s", rate);
	else
		add(line, "%.*f%c/s",
		    rate < 9.995   ? 2
		    : rate < 99.95 ? 1
				   : 0,
		    rate, prefixes[prefix]);
}

static void add_clock(struct line *line, double seconds)
{
	char text[DURATION_TEXT_SIZE];

	add(line, "%s",
	    duration_clock((uint64_t)(seconds * (double)NSEC_PER_SEC), text, sizeof(text)));
}

/* The terminal's line. */
static void compose_drawing(struct line *line, const struct progress *progress,
			    const struct progress_sample *sample)
{
	double remaining = progress_remaining(sample);

	add(line, "%s ", progress->verb);
	add_clock(line, sample->elapsed_s);
	if (sample->limit_s > 0) {
		add(line, "/");
		add_clock(line, sample->limit_s);
	}
	if (sample->iterations_limit)
		add(line, " %" PRIu64 "/%" PRIu64, sample->iterations, sample->iterations_limit);
	if (remaining >= 0) {
		add(line, ", ");
		/* The clock cuts; what is left is rather said too long than too short. */
		add_clock(line, remaining + 1 - 1e-9);
		add(line, " left");
	}
	/* Before the rates, for this must not be cut. */
	add(line, " | violations %" PRIu64 "%s", sample->violations,
	    sample->violations ? " !!!" : "");
	for (size_t i = 0; i < sample->nr_totals; i++)
		add(line, "%s%s %" PRIu64, i ? "  " : " | ", sample->totals[i].name,
		    sample->totals[i].value);
	for (size_t i = 0; i < counters_shown(sample); i++) {
		add(line, "%s%s ", i ? "  " : " | ", sample->counters[i].name);
		add_rate(line, rate_of(progress, sample, i));
	}
	if (line->used >= progress->width)
		line->used = progress->width - 1;
	line->text[line->used] = '\0';
}

/* The line of a log. */
static void compose_record(struct line *line, const struct progress *progress,
			   const struct progress_sample *sample)
{
	double remaining = progress_remaining(sample);

	add(line, "%s: elapsed: %.1fs remaining: ", progress->verb, sample->elapsed_s);
	if (remaining >= 0)
		add(line, "%.1fs", remaining);
	else
		add(line, "unknown");
	if (sample->iterations_limit)
		add(line, " iterations: %" PRIu64 "/%" PRIu64, sample->iterations,
		    sample->iterations_limit);
	add(line, " violations: %" PRIu64, sample->violations);
	for (size_t i = 0; i < sample->nr_totals; i++)
		add(line, " %s: %" PRIu64, sample->totals[i].name, sample->totals[i].value);
	for (size_t i = 0; i < counters_shown(sample); i++)
		add(line, " %s/s: %.0f", sample->counters[i].name, rate_of(progress, sample, i));
	if (sample->violations)
		add(line, " !!!");
}

void progress_show(struct progress *progress, const struct progress_sample *sample)
{
	struct line line = {.used = 0};

	if (progress->redraws) {
		compose_drawing(&line, progress, sample);
		fprintf(progress->out, "%s%s", wipe, line.text);
		progress->drawn = true;
	} else {
		compose_record(&line, progress, sample);
		fprintf(progress->out, "%s\n", line.text);
	}
	fflush(progress->out);
	progress->last_elapsed_s = sample->elapsed_s;
	for (size_t i = 0; i < counters_shown(sample); i++)
		progress->last[i] = sample->counters[i].value;
}

void progress_wipe(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs(wipe, progress->out);
	fflush(progress->out);
	progress->drawn = false;
}

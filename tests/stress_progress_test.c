// SPDX-License-Identifier: GPL-2.0-or-later
/* Progress lines and the banner: their words, on a terminal and elsewhere. */
#include "engine/types.h"
#include "stress/banner.h"
#include "stress/jobfile.h"
#include "stress/options.h"
#include "stress/progress.h"
#include "stress/version.h"
#include "tests/stress_known_names.h"

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

/* What was written since the last look. */
struct catcher {
	FILE *out;
	char *text;
	size_t length;
	size_t seen;
};

static void catcher_open(struct catcher *catcher)
{
	*catcher = (struct catcher){0};
	catcher->out = open_memstream(&catcher->text, &catcher->length);
	cr_assert_not_null(catcher->out);
}

static const char *caught(struct catcher *catcher)
{
	const char *text;

	fflush(catcher->out);
	text = catcher->text + catcher->seen;
	catcher->seen = catcher->length;
	return text;
}

static void catcher_close(struct catcher *catcher)
{
	fclose(catcher->out);
	free(catcher->text);
}

static struct counter counters[] = {{"exec", 0}, {"fault", 0}};

static struct progress_sample sample_at(double elapsed_s, uint64_t execs, uint64_t faults)
{
	counters[0].value = execs;
	counters[1].value = faults;
	return (struct progress_sample){
		.elapsed_s = elapsed_s,
		.limit_s = 10,
		.counters = counters,
		.nr_counters = ARRAY_SIZE(counters),
	};
}

Test(progress, elsewhere_is_a_line_an_interval)
{
	struct catcher catcher;
	struct progress progress;
	struct progress_sample sample;

	catcher_open(&catcher);
	progress_init(&progress, catcher.out, "soak");
	sample = sample_at(1, 100, 2000000);
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher), "soak: elapsed: 1.0s remaining: 9.0s violations: 0 "
					   "exec/s: 100 fault/s: 2000000\n");
	/* The rate is the interval's, not the run's. */
	sample = sample_at(3, 500, 2000001);
	sample.violations = 2;
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher), "soak: elapsed: 3.0s remaining: 7.0s violations: 2 "
					   "exec/s: 200 fault/s: 0 !!!\n");
	progress_wipe(&progress);
	cr_expect_str_eq(caught(&catcher), "");
	catcher_close(&catcher);
}

Test(progress, a_terminal_has_one_line)
{
	struct catcher catcher;
	struct progress progress;
	struct progress_sample sample;

	catcher_open(&catcher);
	progress_init_as(&progress, catcher.out, "soak", true, 120);
	sample = sample_at(1, 100, 1234567);
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher),
			 "\r\033[Ksoak 1s/10s, 9s left | violations 0 | exec 100/s  "
			 "fault 1.23M/s");
	sample = sample_at(2, 12400, 1234567 + 45600);
	sample.violations = 1;
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher), "\r\033[Ksoak 2s/10s, 8s left | violations 1 !!! | exec "
					   "12.3k/s  fault 45.6k/s");
	progress_wipe(&progress);
	cr_expect_str_eq(caught(&catcher), "\r\033[K");
	progress_wipe(&progress);
	cr_expect_str_eq(caught(&catcher), "");
	catcher_close(&catcher);
}

Test(progress, a_line_never_wraps)
{
	for (unsigned int width = 1; width < 90; width++) {
		struct catcher catcher;
		struct progress progress;
		struct progress_sample sample = sample_at(1, 100, 1234567);

		catcher_open(&catcher);
		progress_init_as(&progress, catcher.out, "soak", true, width);
		progress_show(&progress, &sample);
		cr_expect_lt(strlen(caught(&catcher)) - strlen("\r\033[K"), width);
		catcher_close(&catcher);
	}
}

Test(progress, rates_have_three_figures)
{
	static const struct {
		uint64_t rate;
		const char *text;
	} rows[] = {
		{0, "exec 0/s"},
		{999, "exec 999/s"},
		{1000, "exec 1.00k/s"},
		{9994, "exec 9.99k/s"},
		{9996, "exec 10.0k/s"},
		{99960, "exec 100k/s"},
		{999600, "exec 1.00M/s"},
		{15000000, "exec 15.0M/s"},
		{UINT64_MAX, "exec 18446744T/s"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct catcher catcher;
		struct progress progress;
		struct progress_sample sample = sample_at(1, rows[i].rate, 0);

		sample.nr_counters = 1;
		catcher_open(&catcher);
		progress_init_as(&progress, catcher.out, "soak", true, 120);
		progress_show(&progress, &sample);
		cr_expect_not_null(strstr(caught(&catcher), rows[i].text), "%s: %s", rows[i].text,
				   catcher.text);
		catcher_close(&catcher);
	}
}

Test(progress, what_is_left_follows_time_and_number)
{
	struct progress_sample sample = {.elapsed_s = 2};

	cr_expect_lt(progress_remaining(&sample), 0);
	sample.limit_s = 10;
	cr_expect_float_eq(progress_remaining(&sample), 8, 1e-9);
	sample.iterations_limit = 100;
	cr_expect_float_eq(progress_remaining(&sample), 8, 1e-9);
	sample.iterations = 50;
	cr_expect_float_eq(progress_remaining(&sample), 2, 1e-9);
	sample.limit_s = 3;
	cr_expect_float_eq(progress_remaining(&sample), 1, 1e-9);
	sample.elapsed_s = 5;
	cr_expect_float_eq(progress_remaining(&sample), 0, 1e-9);
	sample.iterations = 200;
	sample.limit_s = 0;
	cr_expect_float_eq(progress_remaining(&sample), 0, 1e-9);
}

Test(progress, without_an_end_nothing_is_promised)
{
	struct catcher catcher;
	struct progress progress;
	struct progress_sample sample = {.elapsed_s = 2};

	catcher_open(&catcher);
	progress_init_as(&progress, catcher.out, "explore", false, 0);
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher),
			 "explore: elapsed: 2.0s remaining: unknown violations: 0\n");
	sample.iterations_limit = 50;
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher), "explore: elapsed: 2.0s remaining: unknown iterations: "
					   "0/50 violations: 0\n");
	progress_init_as(&progress, catcher.out, "explore", true, 0);
	sample.iterations = 25;
	progress_show(&progress, &sample);
	cr_expect_str_eq(caught(&catcher), "\r\033[Kexplore 2s 25/50, 2s left | violations 0");
	catcher_close(&catcher);
}

Test(progress, counters_that_do_not_fit_are_left_out)
{
	struct counter many[PROGRESS_COUNTERS_MAX + 5];
	struct catcher catcher;
	struct progress progress;
	struct progress_sample sample = {
		.elapsed_s = 1, .counters = many, .nr_counters = ARRAY_SIZE(many)};

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct counter){i < PROGRESS_COUNTERS_MAX ? "shown" : "hidden", i};
	catcher_open(&catcher);
	progress_init_as(&progress, catcher.out, "soak", false, 0);
	progress_show(&progress, &sample);
	cr_expect_null(strstr(caught(&catcher), "hidden"));
	catcher_close(&catcher);
}

Test(progress, asks_what_it_writes_to)
{
	const struct winsize size = {.ws_row = 24, .ws_col = 132};
	struct progress progress;
	int master, slave;
	FILE *terminal;

	cr_assert_eq(openpty(&master, &slave, NULL, NULL, &size), 0);
	terminal = fdopen(slave, "w");
	cr_assert_not_null(terminal);
	setenv("TERM", "xterm", 1);
	progress_init(&progress, terminal, "soak");
	cr_expect(progress.redraws);
	cr_expect_eq(progress.width, 132u);
	setenv("TERM", "dumb", 1);
	progress_init(&progress, terminal, "soak");
	cr_expect_not(progress.redraws);
	unsetenv("TERM");
	progress_init(&progress, terminal, "soak");
	cr_expect_not(progress.redraws);
	fclose(terminal);
	close(master);
}

static struct config config;
static struct error err;

static void set(enum option_id id, const char *value, enum origin origin)
{
	const struct option_source source = {origin, "", NULL};

	cr_assert_eq(option_set(&config, &test_names, id, value, &source, &err), 0, "%s", err.line);
}

Test(banner, first_and_last_line_repeat_everything)
{
	struct catcher catcher;

	config_init(&config, VERB_SOAK);
	set(OPT_SEED, "17", ORIGIN_COMMAND_LINE);
	set(OPT_JSON, "/tmp/a b.json", ORIGIN_COMMAND_LINE);
	cr_assert_eq(config_resolve(&config, &test_host, &err), 0);
	catcher_open(&catcher);
	banner_start(catcher.out, &config);
	cr_expect_str_eq(
		caught(&catcher),
		"mmtorture " MMTORTURE_VERSION
		": start of soak: job=default cpus=4 pages=65536 seed=17 duration=10s "
		"until-found=no profile=none bug=none policy=none table-free=ipi write-notify=yes "
		"gather-bundle=8 gather-batches=19 fail-alloc=none tlb=haswell topology=none no-bind=no "
		"stat-interval=1s audit-interval=none "
		"json=\"/tmp/a b.json\"\n");
	banner_end(catcher.out, &config, VERDICT_CLEAN, 10.04);
	cr_expect_str_eq(
		caught(&catcher),
		"mmtorture " MMTORTURE_VERSION
		": end of soak: CLEAN: status=0 elapsed=10.0s job=default cpus=4 pages=65536 "
		"seed=17 duration=10s until-found=no profile=none bug=none policy=none "
		"table-free=ipi write-notify=yes gather-bundle=8 gather-batches=19 fail-alloc=none tlb=haswell "
		"topology=none no-bind=no stat-interval=1s "
		"audit-interval=none json=\"/tmp/a b.json\"\n");
	catcher_close(&catcher);
}

Test(banner, planted_bugs_are_busted_in_both_lines)
{
	struct catcher catcher;

	config_init(&config, VERB_EXPLORE);
	set(OPT_BUG, "mask-late", ORIGIN_COMMAND_LINE);
	set(OPT_BUG, "flush-short", ORIGIN_COMMAND_LINE);
	cr_assert_eq(config_resolve(&config, &test_host, &err), 0);
	catcher_open(&catcher);
	banner_start(catcher.out, &config);
	cr_expect_not_null(strstr(caught(&catcher), ": BUSTED start of explore:"));
	banner_end(catcher.out, &config, VERDICT_PLANTED_MISSED, 1);
	cr_expect_not_null(
		strstr(caught(&catcher), ": BUSTED end of explore: PLANTED-MISSED: status=3 "));
	cr_expect_not_null(strstr(catcher.text, " bug=mask-late,flush-short "));
	catcher_close(&catcher);
}

Test(banner, what_a_job_says_in_vain_is_said)
{
	struct catcher catcher;

	config_init(&config, VERB_SOAK);
	set(OPT_STRATEGY, "pct:3", ORIGIN_JOB);
	set(OPT_MAX_STEPS, "1000", ORIGIN_JOB);
	catcher_open(&catcher);
	banner_start(catcher.out, &config);
	cr_expect_not_null(strstr(caught(&catcher), " not used: strategy=pct:3 max-steps=1000\n"));
	catcher_close(&catcher);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Schedules and their files: what is found is replayed from its text, on a machine of its own, with
 * the identical history; whatever is done to a file, it is refused or its replay diverges.
 *
 * MMTORTURE_REPLAYS in the environment: how many found schedules are replayed, over all planted
 * bugs.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem; so this comes first */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "engine/race_report.h"
#include "stress/bug_catalog.h"
#include "stress/explored.h"
#include "stress/schedule.h"
#include "stress/schedule_text.h"
#include "stress/verbs.h"
#include "tests/stress_all_bugs.h"

/* Sanitizers make everything 10 to 20 times slower: there the same is done with less of it. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define REPLAYS 38
#define STRIDE 7     /* of the positions in a file that are tried */
#define BUG_STRIDE 4 /* of the planted bugs: stress_bugs_test.c has them all */
#else
#define REPLAYS 1000
#define STRIDE 1
#define BUG_STRIDE 1
#endif
/* Times the budget of a bug within which it is found at all; so often it is found again. */
#define PATIENCE 20

#define FILE_NAME "found.schedule"

/* What was found first of the bug that the tests of the text use, and how it reads. */
static struct config config;
static struct schedule found;
static struct known_names names;
static struct host_facts host;
static struct error err;
static char *text;
static size_t length;

/* The next schedule from seed *@seed on, at most @most of them, in which something breaks. */
static bool find(struct world *w, struct strategy *s, u64 *seed, u64 most, struct schedule *result)
{
	for (u64 i = 0; i < most; i++, ++*seed) {
		enum machine_end end = world_run(w, EXECUTOR_EXPLORE, *seed, s);

		cr_assert_neq(end, MACHINE_STOPPED);
		if (end == MACHINE_FINISHED)
			continue;
		cr_assert_eq(schedule_of_world(result, w, *seed, &err), 0, "%s", err.line);
		cr_assert_eq(schedule_fill_checks(w, result, &err), 0, "%s", err.line);
		++*seed;
		return true;
	}
	return false;
}

/* Where the job of @c with its bug runs; config, names and host are for it. */
static struct world *planted_world(const struct bug_case *c)
{
	struct world *w;

	verbs_known_names(&names);
	cr_assert_eq(host_facts_read(&host, &err), 0, "%s", err.line);
	cr_assert_eq(bug_case_configure(c, true, &config, &err), 0, "%s", err.line);
	w = explored_world(&config, &err);
	cr_assert(w, "%s", err.line);
	return w;
}

static void setup(void)
{
	const struct bug_case *c = bug_case_find("free-before-flush");
	struct strategy *s = strategy_create("random");
	struct world *w = planted_world(c);
	u64 seed = BUG_CATALOG_SEED;

	cr_assert(s);
	cr_assert(find(w, s, &seed, c->schedules, &found));
	world_destroy(w);
	strategy_destroy(s);
	text = schedule_text_write(&config, &found, &length);
	cr_assert(text);
	cr_assert_eq(strlen(text), length);
}

static void teardown(void)
{
	free(text);
	schedule_destroy(&found);
	config_destroy(&config);
}

TestSuite(schedule, .init = setup, .fini = teardown);

/* Reads @from, a NUL-terminated text. */
static int read_text(const char *from, struct schedule *s, struct config *c)
{
	int ret;

	config_init(c, VERB_EXPLORE);
	ret = schedule_text_read(from, strlen(from), FILE_NAME, s, c, &names, &err);
	if (!ret)
		ret = config_resolve(c, &host, &err);
	return ret;
}

/* Gives @changed, which is NUL-terminated, a checksum that fits. */
static void seal(char *changed)
{
	char *sum = strstr(changed, "\nchecksum: ");

	cr_assert(sum);
	sum++;
	sprintf(sum, "checksum: %016" PRIx64 "\n",
		schedule_text_checksum(changed, (size_t)(sum - changed)));
}

static void expect_same(const struct schedule *a, const struct schedule *b)
{
	cr_expect_eq(a->seed, b->seed);
	cr_expect_eq(a->steps, b->steps);
	cr_expect_eq(a->preemptions, b->preemptions);
	cr_expect_eq(a->history, b->history);
	cr_expect_str_eq(a->invariant, b->invariant);
	cr_expect_str_eq(a->where, b->where);
	cr_assert_eq(a->recorded.nr, b->recorded.nr);
	cr_expect_eq(a->recorded.calls, b->recorded.calls);
	cr_expect_eq(memcmp(a->recorded.choices, b->recorded.choices,
			    a->recorded.nr * sizeof(*a->recorded.choices)),
		     0);
	cr_assert_eq(a->nr_checks, b->nr_checks);
	cr_expect_eq(memcmp(a->checks, b->checks, a->nr_checks * sizeof(*a->checks)), 0);
}

Test(schedule, reads_what_was_written)
{
	struct schedule s;
	struct config c;
	char *again;
	size_t again_length;

	cr_assert_eq(read_text(text, &s, &c), 0, "%s", err.line);
	expect_same(&s, &found);
	again = schedule_text_write(&c, &s, &again_length);
	cr_assert(again);
	cr_expect_str_eq(again, text);
	free(again);
	schedule_destroy(&s);
	config_destroy(&c);
}

Test(schedule, lines_are_short_and_so_is_the_file)
{
	struct schedule s = found;
	struct config c = config;
	char *longer;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		cr_expect_leq(strcspn(line, "\n"), 100u, "%.120s", line);
	/* 1000 steps of four CPUs at random: three of four picks are recorded. */
	s.steps = s.nr_checks = 1000;
	s.checks = calloc(1000, sizeof(*s.checks));
	s.recorded.nr = 750;
	s.recorded.calls = 1000;
	s.recorded.choices = calloc(750, sizeof(*s.recorded.choices));
	cr_assert(s.checks && s.recorded.choices);
	for (u32 i = 0; i < 750; i++)
		s.recorded.choices[i] = (struct recorded_choice){
			.at = 250 + i, .value = i % 4, .kind = RECORDED_PICK};
	longer = schedule_text_write(&c, &s, &length);
	cr_assert(longer);
	cr_expect_lt(length, 20000u);
	free(longer);
	free(s.checks);
	free(s.recorded.choices);
}

Test(schedule, no_byte_can_be_changed)
{
	static const unsigned char flips[] = {0x01, 0x02, 0x10, 0x20, 0x80};
	char *changed = strdup(text);
	struct schedule s;
	struct config c;

	for (size_t at = 0; at < length; at += STRIDE) {
		for (size_t i = 0; i < sizeof(flips) + 2; i++) {
			changed[at] = i == 0   ? '\n'
				      : i == 1 ? '9'
					       : (char)(text[at] ^ flips[i - 2]);
			if (changed[at] == text[at])
				continue;
			cr_assert_eq(read_text(changed, &s, &c), -1,
				     "byte %zu may be %02x in place of %02x", at,
				     (unsigned char)changed[at], (unsigned char)text[at]);
			cr_assert_eq(err.status, VERDICT_USAGE);
			cr_assert(!strncmp(err.line, FILE_NAME ":", sizeof(FILE_NAME)), "%s",
				  err.line);
			config_destroy(&c);
		}
		changed[at] = text[at];
	}
	/* Nor can there be one that ends a text. */
	changed[length / 2] = '\0';
	config_init(&c, VERB_EXPLORE);
	cr_expect_eq(schedule_text_read(changed, length, FILE_NAME, &s, &c, &names, &err), -1);
	cr_expect(strstr(err.line, "NUL"), "%s", err.line);
	free(changed);
}

Test(schedule, no_byte_can_be_missing)
{
	char *cut = strdup(text);
	struct schedule s;
	struct config c;

	for (size_t left = length; left-- > 0;) {
		cut[left] = '\0';
		cr_assert_eq(read_text(cut, &s, &c), -1, "%zu bytes are enough", left);
		cr_assert_eq(err.status, VERDICT_USAGE);
		config_destroy(&c);
	}
	free(cut);
}

/* Changed by somebody who repairs the checksum: what happened is not what the file says. */
Test(schedule, what_cannot_happen_diverges)
{
	static const char digits[] = "0123456789abcdef>!=";
	struct world *w = explored_world(&config, &err);
	char *changed = strdup(text), *from = strstr(changed, "\nseed: ") + 7;
	u64 refused = 0, diverged = 0;

	cr_assert(w);
	for (char *at = from; at < changed + length; at++) {
		struct schedule s;
		struct config c;
		struct replay_state state;
		char was = *at;

		if (!strncmp(at, "\njob: ", 6))
			at = strstr(at, "\ndecisions: ") + 1;
		if (!strncmp(at, "\nchecksum: ", 11))
			break;
		was = *at;
		if (was == '\n' || was == ' ' || (at - changed) % STRIDE)
			continue;
		*at = digits[(size_t)(at - changed) * 7 % (sizeof(digits) - 1)];
		if (*at == was)
			*at ^= 1;
		seal(changed);
		if (read_text(changed, &s, &c)) {
			refused++;
		} else {
			(void)schedule_run(w, &s, &state, &err);
			cr_assert(state.diverged, "byte %zu: %c in place of %c is as good: %.30s",
				  (size_t)(at - changed), *at, was, at);
			cr_assert(*state.reason);
			diverged++;
			schedule_destroy(&s);
		}
		config_destroy(&c);
		*at = was;
	}
	cr_expect_gt(refused, 100u / STRIDE);
	cr_expect_gt(diverged, 1000u / STRIDE);
	free(changed);
	world_destroy(w);
}

/* A divergence is noticed where it begins. */
Test(schedule, diverges_at_the_first_step_that_differs)
{
	struct world *w = explored_world(&config, &err);
	struct replay_state state;
	u64 last = 0;

	cr_assert(w);
	(void)schedule_run(w, &found, &state, &err);
	cr_assert(!state.diverged, "%s", state.reason);
	for (u64 i = 0; i < found.nr_checks; i += 7) {
		found.checks[i] ^= 0x8001;
		(void)schedule_run(w, &found, &state, &err);
		cr_assert(state.diverged);
		/* A step that a CPU had announced before it had to give way is made under the
		 * number of the last one: numbers do not fall, and are never behind. */
		cr_expect_geq(state.step, max(i + 1, last));
		cr_expect_leq(state.step, found.steps);
		cr_expect(!strncmp(state.reason, "CPU", 3) &&
				  strstr(state.reason, ": the history is ..."),
			  "%s", state.reason);
		last = state.step;
		found.checks[i] ^= 0x8001;
	}
	found.nr_checks /= 2;
	(void)schedule_run(w, &found, &state, &err);
	cr_expect(strstr(state.reason, "where what was recorded ended"), "%s", state.reason);
	world_destroy(w);
}

Test(schedule, says_which_decision_could_not_be_made)
{
	struct world *w = explored_world(&config, &err);
	struct replay_state state;
	struct recorded_choice *c = found.recorded.choices, was;
	u32 pick = found.recorded.nr / 2;

	cr_assert(w);
	while (c[pick].kind != RECORDED_PICK)
		pick++;
	was = c[pick];
	c[pick].value = 60;
	(void)schedule_run(w, &found, &state, &err);
	cr_expect(state.diverged && strstr(state.reason, "CPU60 was recorded to go on after CPU"),
		  "%s", state.reason);
	c[pick] = was;
	c[pick].kind = CHOICE_TICK;
	(void)schedule_run(w, &found, &state, &err);
	cr_expect(strstr(state.reason, "asks for a switch to another CPU, and what was recorded "
				       "here is a tick"),
		  "%s", state.reason);
	c[pick] = was;
	/* One more at the end, for which nobody asks. */
	cr_assert_lt(found.recorded.nr, found.recorded.size);
	c[found.recorded.nr++] = (struct recorded_choice){
		.at = found.recorded.calls++, .value = 1, .kind = CHOICE_TICK};
	(void)schedule_run(w, &found, &state, &err);
	cr_expect(state.diverged && strstr(state.reason, "never asked for"), "%s", state.reason);
	world_destroy(w);
}

/* Replaces the rest of the line that begins with @key, and repairs the checksum. To be freed. */
static char *with_line(const char *key, const char *line)
{
	char *at = strstr(text, key), *changed;

	cr_assert(at, "no line \"%s\"", key + 1);
	cr_assert_gt(asprintf(&changed, "%.*s%s%s", (int)(at + 1 - text), text, line,
			      at + 1 + strcspn(at + 1, "\n")),
		     0);
	seal(changed);
	return changed;
}

static void expect_refused(const char *key, const char *line, const char *where, const char *why)
{
	char *changed = with_line(key, line);
	struct schedule s;
	struct config c;

	cr_expect_eq(read_text(changed, &s, &c), -1, "\"%s\" is taken", line);
	cr_expect_eq(err.status, VERDICT_USAGE);
	cr_expect(!strncmp(err.line, where, strlen(where)) && strstr(err.line, why),
		  "\"%s\": expected %s ... %s, got %s", line, where, why, err.line);
	config_destroy(&c);
	free(changed);
}

Test(schedule, says_what_is_wrong)
{
	char line[200];

	expect_refused("\nversion: ", "version: 0.0.9", FILE_NAME ":2: ", "another version, 0.0.9");
	expect_refused("\nbugs: ", "bugs: none", FILE_NAME ":3: bugs: ", "says free-before-flush");
	expect_refused("\nstrategy: ", "strategy: pct:3", FILE_NAME ":4: ", "says random");
	expect_refused("\nmemory-model: ", "memory-model: tso", FILE_NAME ":5: ", "says sc");
	expect_refused("\nseed: ", "seed: -1", FILE_NAME ":6: seed: ", "is no number");
	expect_refused("\nseed: ", "seed: 18446744073709551616", FILE_NAME ":6: ", "is no number");
	expect_refused("\nsteps: ", "steps:", FILE_NAME ":7: ", "should say \"steps: ");
	expect_refused("\npreemptions: ", "x", FILE_NAME ":8: ", "should say \"preemptions: ");
	expect_refused("\nhistory: ", "history: 0123456789ABCDEF",
		       FILE_NAME ":9: ", "16 hexadecimal digits");
	snprintf(line, sizeof(line), "invariant: %0100d", 0);
	expect_refused("\ninvariant: ", line, FILE_NAME ":10: ", "longer than");
	expect_refused("\njob: ", "job: 9999", FILE_NAME ":", "the job ends before");
	expect_refused("\njob: ", "job: 1", FILE_NAME ":", "");
	expect_refused("\nbug = ", "bug = free-befor-flush", FILE_NAME ":",
		       "did you mean \"free-before-flush\"?");
	expect_refused("\ncpus = ", "cpus = 0", FILE_NAME ":", "cpus");
	expect_refused("\nprogram = ", "program = fly", FILE_NAME ":", "no operation");
	expect_refused("\ndecisions: ", "decisions: 99999999 of 5", FILE_NAME ":", "NUMBER of");
	expect_refused("\ndecisions: ", "decisions: 5 of 4", FILE_NAME ":", "NUMBER of");
	expect_refused("\ndecisions: ", "decisions: 0 of 9999", FILE_NAME ":", "checks: ...");
	expect_refused("\ndecisions: ", "decisions: 1 of 9999\n5>5", FILE_NAME ":",
		       "should say \"checks: ");
	expect_refused("\ndecisions: ", "decisions: 2 of 9999\n5>1 6>0 7>1", FILE_NAME ":",
		       "more than the 2");
	expect_refused("\ndecisions: ", "decisions: 2 of 9999\n5>1\n5>0", FILE_NAME ":",
		       "5 comes after 5");
	expect_refused("\ndecisions: ", "decisions: 2 of 6\n5>1\n6>0", FILE_NAME ":",
		       "6 is not below 6");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n5>64", FILE_NAME ":", "no CPU64");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n5!tick=0", FILE_NAME ":", "anyway");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n5!tock=1", FILE_NAME ":",
		       "\"5!tock=1\" is none");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n5!tick=16777216", FILE_NAME ":",
		       "is none");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n4294967296>1", FILE_NAME ":",
		       "is none");
	expect_refused("\ndecisions: ", "decisions: 1 of 6\n>1", FILE_NAME ":", "is none");
	expect_refused("\nchecks: ", "checks: 1", FILE_NAME ":", "more than the 1");
	expect_refused("\nchecks: ", "checks: 99999999", FILE_NAME ":", "checks: ");
	expect_refused("\nchecks: ", "checks: 0\nfff", FILE_NAME ":", "something was added");
	expect_refused("\nchecksum: ", "more\nchecksum: 0123456789abcdef", FILE_NAME ":",
		       "something was added");
}

Test(schedule, says_that_it_is_none)
{
	struct schedule s;
	struct config c;
	char *other = strdup(text);

	cr_expect_eq(read_text("", &s, &c), -1);
	cr_expect(strstr(err.line, "this is no schedule file"), "%s", err.line);
	cr_expect_eq(read_text("[global]\ncpus = 4\n", &s, &c), -1);
	cr_expect(strstr(err.line, "this is no schedule file"), "%s", err.line);
	memcpy(strchr(other, ' '), " 1\n", 3);
	cr_expect_eq(read_text(other, &s, &c), -1);
	cr_expect(strstr(err.line, "of format \"1\""), "%s", err.line);
	free(other);
}

/* With a file in between; and files that are none. */
Test(schedule, files)
{
	char path[] = "/tmp/mmtorture.schedule.XXXXXX";
	int fd = mkstemp(path);
	struct schedule s = {0};
	struct config c;

	cr_assert_geq(fd, 0);
	cr_assert_eq(schedule_write(path, &config, &found, &err), 0, "%s", err.line);
	config_init(&c, VERB_EXPLORE);
	cr_assert_eq(schedule_read(path, &s, &c, &names, &host, &err), 0, "%s", err.line);
	expect_same(&s, &found);
	cr_expect_eq(c.cpus, config.cpus);
	schedule_destroy(&s);
	config_destroy(&c);

	config_init(&c, VERB_EXPLORE);
	cr_assert_eq(truncate(path, SCHEDULE_BYTES_MAX + 1), 0);
	cr_expect_eq(schedule_read(path, &s, &c, &names, &host, &err), -1);
	cr_expect(strstr(err.line, "too large"), "%s", err.line);
	cr_expect_eq(schedule_read("/tmp", &s, &c, &names, &host, &err), -1);
	cr_expect(strstr(err.line, "can't be read"), "%s", err.line);
	cr_expect_eq(schedule_read("/nowhere", &s, &c, &names, &host, &err), -1);
	cr_expect(strstr(err.line, "No such file"), "%s", err.line);
	cr_expect_eq(err.status, VERDICT_USAGE);
	close(fd);
	unlink(path);
}

/* A job that this host, or the explorer, cannot run. */
Test(schedule, jobs_that_cannot_be)
{
	char path[] = "/tmp/mmtorture.schedule.XXXXXX";
	int fd = mkstemp(path);
	static const char *const lines[][3] = {
		{"\ncpus = ", "cpus = 65", "cpus"},
		{"\npages = ", "pages = 64", "--pages"},
	};

	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char *changed = with_line(lines[i][0], lines[i][1]);
		struct host_facts small = host;
		struct schedule s = {0};
		struct config c;

		if (i == 1)
			small.memory_bytes = 4096;
		cr_assert_eq(ftruncate(fd, 0), 0);
		cr_assert_eq(pwrite(fd, changed, strlen(changed), 0), (ssize_t)strlen(changed));
		config_init(&c, VERB_EXPLORE);
		cr_expect_eq(schedule_read(path, &s, &c, &names, &small, &err), -1);
		cr_expect_eq(err.status, VERDICT_USAGE);
		cr_expect(!strncmp(err.line, path, strlen(path)) && strstr(err.line, lines[i][2]),
			  "%s", err.line);
		config_destroy(&c);
		free(changed);
	}
	close(fd);
	unlink(path);
}

ParameterizedTestParameters(schedule_replays, each_found_one_is_identical)
{
	return all_bugs();
}

/* From the text alone, on a machine of its own. */
static void replay(const struct config *c, const struct schedule *s, const char *slug)
{
	char *kept = schedule_text_write(c, s, &length);
	struct schedule again = {0};
	struct replay_state state;
	struct config recorded;
	struct world *w;

	cr_assert(kept);
	cr_assert_eq(read_text(kept, &again, &recorded), 0, "%s: %s", slug, err.line);
	expect_same(&again, s);
	w = explored_world(&recorded, &err);
	cr_assert(w, "%s", err.line);
	(void)schedule_run(w, &again, &state, &err);
	cr_assert(!state.diverged, "%s, seed %" PRIu64 ": step %" PRIu64 ": %s", slug, s->seed,
		  (uint64_t)state.step, state.reason);
	cr_assert_eq(world_machine(w)->explored.history, s->history);
	world_destroy(w);
	schedule_destroy(&again);
	config_destroy(&recorded);
	free(kept);
}

ParameterizedTest(size_t *index, schedule_replays, each_found_one_is_identical)
{
	const struct bug_case *c = &bug_cases[*index];
	const char *wanted = getenv("MMTORTURE_REPLAYS");
	u64 replays = wanted ? strtoull(wanted, NULL, 10) : REPLAYS;
	u64 each = (replays + nr_bug_cases - 1) / nr_bug_cases, done;
	struct strategy *strategy;
	struct schedule s = {0};
	struct world *w;
	u64 seed = BUG_CATALOG_SEED;

	/* Tests end at ThreadSanitizer's first report. */
	if (c->needs_tsan || (RACE_REPORTS && c->tsan_first) || *index % BUG_STRIDE)
		return;
	w = planted_world(c);
	strategy = strategy_create(config.strategy);
	cr_assert(strategy);
	for (done = 0; done < each; done++) {
		cr_assert(find(w, strategy, &seed, (u64)c->schedules * PATIENCE, &s),
			  "%s: found %" PRIu64 " times only", c->slug, (uint64_t)done);
		replay(&config, &s, c->slug);
	}
	if (wanted)
		fprintf(stderr, "%s: %" PRIu64 " replayed, %" PRIu64 " identical\n", c->slug,
			(uint64_t)each, (uint64_t)done);
	schedule_destroy(&s);
	world_destroy(w);
	strategy_destroy(strategy);
	config_destroy(&config);
}

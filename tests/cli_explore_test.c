// SPDX-License-Identifier: GPL-2.0-or-later
/* mmtorture explore and replay, from the command line to the exit status. */
#include "tests/cli_program.h"

#include <inttypes.h>

/* Small address spaces that zap, write and fork under four CPUs. */
static const char job_text[] = "[global]\n"
			       "cpus = 4\n"
			       "pages = 256\n"
			       "[threads]\n"
			       "tasks = 4\n"
			       "share = mm\n"
			       "shared = 8\n"
			       "op-pages = 1-4\n"
			       "ops = write:4, read:4, dontneed:3, mprotect:1, munmap:1\n"
			       "[processes]\n"
			       "tasks = 2\n"
			       "anon = 6\n"
			       "op-pages = 1-4\n"
			       "ops = write:4, read:4, dontneed:3, fork:1, exec:1\n";

/* Nobody here zaps a file page. */
static const char idle_job_text[] = "[global]\n"
				    "cpus = 2\n"
				    "pages = 256\n"
				    "[kernel]\n"
				    "tasks = 2\n"
				    "kthread = yes\n"
				    "ops = yield:1, sleep:1\n";

#define FIND "explore --job job.ini --seed 1 --iterations " CLI_SCHEDULES " --bug free-before-flush"

static void setup(void)
{
	cli_setup();
	cli_write("job.ini", job_text);
	cli_write("idle.ini", idle_job_text);
}

TestSuite(explore, .init = setup, .fini = cli_teardown);
TestSuite(replay, .init = setup, .fini = cli_teardown);

/* The line of @text that begins with @start, to be freed; NULL where there is none. */
static char *line_of(const char *text, const char *start)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		if (!strncmp(line, start, strlen(start)))
			return strndup(line, length);
		line += length + (line[length] == '\n');
	}
	return NULL;
}

static void expect_line(const char *text, const char *start)
{
	char *line = line_of(text, start);

	cr_expect(line, "no line begins with \"%s\" in: %s", start, text);
	free(line);
}

Test(explore, is_silent_where_nothing_is_planted)
{
	struct cli_result r = cli_run("explore --job job.ini --seed 1 --iterations 200 --json "
				      "out.json");
	json_t *root, *explore;

	cr_assert_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	expect_line(r.out, "bound: ");
	root = cli_json("out.json");
	cli_check_json(root, "explore", "clean");
	cr_expect_str_eq(cli_string(root, "seed"), "1");
	explore = json_object_get(root, "explore");
	cr_expect_eq(json_integer_value(json_object_get(explore, "schedules")), 200);
	cr_expect_gt(json_integer_value(json_object_get(explore, "decision_points")), 200);
	cr_expect_gt(json_integer_value(json_object_get(explore, "preemptions")), 0);
	cr_expect_gt(json_number_value(json_object_get(explore, "seconds")), 0.0);
	cr_expect_str_eq(cli_string(explore, "strategy"), "random");
	cr_expect_str_eq(cli_string(explore, "memory_model"), "sc");
	json_decref(root);
	cli_free(&r);
}

Test(explore, finds_a_planted_bug_and_keeps_its_schedule)
{
	struct cli_result r = cli_run(FIND " --schedule found.schedule --json out.json");
	char *last = cli_last_line(r.out);
	json_t *root, *violation;

	cr_assert_eq(r.status, 2, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	cr_expect(strstr(r.out, "BUSTED start of explore"));
	cr_expect(strstr(last, "BUSTED end of explore: PLANTED-FOUND: status=2"), "%s", last);
	expect_line(r.out, "BUG: stale-tlb-");
	expect_line(r.out, "rule: ");
	expect_line(r.out, "replay: mmtorture replay found.schedule");
	root = cli_json("out.json");
	cli_check_json(root, "explore", "planted-found");
	violation = json_array_get(json_object_get(root, "violations"), 0);
	cr_expect_str_eq(cli_string(violation, "schedule"), "found.schedule");
	json_decref(root);
	free(last);
	cli_free(&r);
}

/* Times that the report's events go from one vCPU's column to another's. */
static int column_changes(const char *report)
{
	const char *line = strstr(report, "\n  CPU0 ");
	int changes = 0;
	size_t indent = 0;

	cr_assert(line, "no columns in: %s", report);
	line += 1 + strcspn(line + 1, "\n") + 1;
	while (line[0] == ' ' && line[1] == ' ') {
		size_t now = strspn(line, " ");

		changes += now != indent;
		indent = now;
		line += strcspn(line, "\n") + 1;
	}
	return changes;
}

/* Oldest first over all vCPUs: under the random strategy the columns take turns. */
Test(explore, shows_the_interleaving)
{
	struct cli_result r = cli_run(FIND " --cpus 2");
	int changes;

	cr_assert_eq(r.status, 2);
	changes = column_changes(r.out);
	cr_expect_geq(changes, 8, "%d changes of columns in: %s", changes, r.out);
	cli_free(&r);
}

Test(explore, names_the_schedule_itself)
{
	struct cli_result r = cli_run(FIND);
	char *line, command[512];

	cr_assert_eq(r.status, 2);
	line = line_of(r.out, "replay: mmtorture replay ");
	cr_assert(line);
	snprintf(command, sizeof(command), "replay %s", strrchr(line, ' ') + 1);
	free(line);
	cli_free(&r);
	r = cli_run(command);
	cr_expect_eq(r.status, 2, "%s: status %d: %s", command, r.status, r.err);
	cli_free(&r);
}

Test(explore, one_seed_is_one_run)
{
	struct cli_result a = cli_run(FIND " --schedule a.schedule");
	struct cli_result b = cli_run(FIND " --schedule b.schedule");
	char *a_file = cli_text("a.schedule"), *b_file = cli_text("b.schedule");
	char *a_steps = line_of(a.out, "decision_points "),
	     *b_steps = line_of(b.out, "decision_points ");

	cr_assert(a_file && b_file && a_steps && b_steps);
	cr_expect_str_eq(a_file, b_file);
	cr_expect_str_eq(a_steps, b_steps);
	free(a_file);
	free(b_file);
	free(a_steps);
	free(b_steps);
	cli_free(&a);
	cli_free(&b);
}

Test(explore, says_when_a_planted_bug_was_missed)
{
	struct cli_result r =
		cli_run("explore --job idle.ini --seed 1 --iterations 5 --bug zap-drops-dirty");
	char *last = cli_last_line(r.out);

	cr_expect_eq(r.status, 3, "status %d: %s", r.status, r.err);
	cr_expect(strstr(last, "PLANTED-MISSED: status=3"), "%s", last);
	free(last);
	cli_free(&r);
}

Test(explore, says_when_a_schedule_gets_nowhere)
{
	struct cli_result r = cli_run("explore --job job.ini --seed 1 --iterations 5 --max-steps "
				      "100 --schedule stuck.schedule");
	struct cli_result again;

	cr_expect_eq(r.status, 5, "status %d: %s", r.status, r.err);
	expect_line(r.out, "BUG: no-progress on CPU");
	again = cli_run("replay stuck.schedule");
	cr_expect_eq(again.status, 5, "status %d: %s", again.status, again.out);
	cli_free(&again);
	cli_free(&r);
}

Test(explore, ctrl_c_ends_it_with_a_report)
{
	pid_t pid = cli_start("explore --job job.ini --duration 1h --stat-interval 100ms --json "
			      "out.json");
	struct cli_result r;
	char *last;
	json_t *root;

	cli_await(".err", "elapsed: ");
	kill(pid, SIGINT);
	r = cli_wait(pid);
	last = cli_last_line(r.out);
	cr_expect_eq(r.status, 0, "status %d: %s", r.status, r.err);
	cr_expect(strstr(last, "CLEAN: status=0"), "%s", last);
	root = cli_json("out.json");
	cli_check_json(root, "explore", "clean");
	json_decref(root);
	free(last);
	cli_free(&r);
}

Test(explore, refuses_what_it_cannot_do)
{
	struct cli_result r = cli_run("explore --job job.ini --cpus 65 --iterations 1");

	cr_expect_eq(r.status, 64);
	cr_expect(strstr(r.err, "explore takes 1 to 64 CPUs"), "%s", r.err);
	cr_expect_str_empty(r.out);
	cli_free(&r);

	r = cli_run("explore --job job.ini --memory-model tso --iterations 1");
	cr_expect_eq(r.status, 4);
	cr_expect(strstr(r.err, "--memory-model: "), "%s", r.err);
	cr_expect_str_empty(r.out);
	cli_free(&r);
}

Test(replay, sees_the_same_violation)
{
	struct cli_result found = cli_run(FIND " --schedule found.schedule");
	struct cli_result r = cli_run("replay found.schedule --json out.json");
	char *a = line_of(found.out, "BUG: "), *b = line_of(r.out, "BUG: ");
	char *last = cli_last_line(r.out);
	json_t *root;

	cr_assert_eq(found.status, 2);
	cr_assert_eq(r.status, 2, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	cr_assert(a && b);
	cr_expect_str_eq(a, b);
	cr_expect(strstr(r.out, "BUSTED start of replay: file=found.schedule"), "%.200s", r.out);
	expect_line(r.out, "replayed: ");
	cr_expect(strstr(last, "BUSTED end of replay: PLANTED-FOUND: status=2"), "%s", last);
	root = cli_json("out.json");
	cli_check_json(root, "replay", "planted-found");
	cr_expect_eq(json_array_size(json_object_get(root, "violations")), 1u);
	cr_expect_gt(cli_counter(root, "pgfault"), 0);
	/* A replay is over at once: it has no intervals. */
	cr_expect_neq(access("out.jsonl", F_OK), 0);
	json_decref(root);
	free(a);
	free(b);
	free(last);
	cli_free(&found);
	cli_free(&r);
}

/* FNV-1a, 64 bit: the checksum of schedule files (stress/schedule.h). */
static uint64_t checksum(const char *text, size_t length)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3;
	return h;
}

/* Writes found.schedule as PATH with the line that begins with @key replaced, @sealed: and with a
 * checksum that fits. */
static void alter(const char *path, const char *key, const char *line, bool sealed)
{
	char *text = cli_text("found.schedule"), *at, *tail, *out = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&out, &length);

	cr_assert(text && f);
	at = strstr(text, key);
	cr_assert(at, "no \"%s\" in the schedule file", key);
	tail = at + strcspn(at, "\n");
	fprintf(f, "%.*s%s%s", (int)(at - text), text, line, tail);
	fclose(f);
	if (sealed) {
		char *sum = strstr(out, "checksum: ");

		cr_assert(sum);
		sprintf(sum, "checksum: %016" PRIx64 "\n", checksum(out, (size_t)(sum - out)));
	}
	cli_write(path, out);
	free(out);
	free(text);
}

static void expect_refused(const char *path, const char *why)
{
	char line[512];
	struct cli_result r;

	snprintf(line, sizeof(line), "replay %s", path);
	r = cli_run(line);
	cr_expect_eq(r.status, 64, "%s: status %d", path, r.status);
	cr_expect_str_empty(r.out);
	cr_expect(!strncmp(r.err, "mmtorture: ", 11));
	cr_expect(strstr(r.err, path) && strstr(r.err, why), "%s: expected \"%s\", got %s", path,
		  why, r.err);
	cr_expect_eq(strcspn(r.err, "\n") + 1, strlen(r.err), "one line: %s", r.err);
	cli_free(&r);
}

Test(replay, refuses_what_is_not_whole)
{
	struct cli_result found = cli_run(FIND " --schedule found.schedule");
	char *text;

	cr_assert_eq(found.status, 2);
	cli_free(&found);

	alter("altered", "seed: ", "seed: 2", false);
	expect_refused("altered", "altered");
	alter("altered-job", "shared = ", "shared = 9", false);
	expect_refused("altered-job", "altered");
	alter("older", "version: ", "version: 0.0.9", true);
	expect_refused("older", "is from another version");
	alter("format", "mmtorture-schedule ", "mmtorture-schedule 999", true);
	expect_refused("format", "this is no schedule file");
	alter("unknown-bug", "bug = ", "bug = free-befor-flush", true);
	expect_refused("unknown-bug", "did you mean \"free-before-flush\"?");

	/* Cut at every tenth byte: never accepted, never a crash. */
	text = cli_text("found.schedule");
	for (size_t length = strlen(text) - 1; length > 10; length -= 10) {
		text[length] = '\0';
		cli_write("short", text);
		expect_refused("short", "short");
	}
	free(text);

	cli_write("empty", "");
	expect_refused("empty", "cut short");
	cli_write("other", "[global]\ncpus = 4\n");
	expect_refused("other", "cut short");
	expect_refused("nowhere", "No such file");
}

Test(replay, says_when_it_takes_another_path)
{
	struct cli_result found = cli_run(FIND " --schedule found.schedule"), r;

	cr_assert_eq(found.status, 2);
	alter("diverging", "history: ", "history: 0123456789abcdef", true);
	r = cli_run("replay diverging --json out.json");
	cr_expect_eq(r.status, 6, "status %d: %s", r.status, r.out);
	expect_line(r.out, "diverged: ");
	cli_free(&r);
	cli_free(&found);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* mmtorture replay, from the command line to the exit status. */
#include "tests/cli_program.h"

#include <inttypes.h>

/* One zaps what another one uses. */
static const char job_text[] = "[global]\n"
			       "cpus = 2\n"
			       "pages = 128\n"
			       "tlb = tiny\n"
			       "gather-bundle = 2\n"
			       "gather-batches = 0\n"
			       "[zapper]\n"
			       "share = mm\n"
			       "shared = 5\n"
			       "program = write shared 0 5; dontneed shared 0 5\n"
			       "[toucher]\n"
			       "share = mm:zapper\n"
			       "program = write shared 0 5; read shared 0 5; write shared 0 5\n";

#define FIND                                                                                       \
	"explore --job job.ini --seed 1 --iterations " CLI_SCHEDULES                               \
	" --bug free-before-flush --minimize=no --schedule found.schedule"

static struct cli_result found;

static void setup(void)
{
	cli_setup();
	cli_write("job.ini", job_text);
	found = cli_run(FIND);
	cr_assert_eq(found.status, 2, "status %d, stderr %s, stdout %s", found.status, found.err,
		     found.out);
}

static void teardown(void)
{
	cli_free(&found);
	cli_teardown();
}

TestSuite(replay, .init = setup, .fini = teardown);

Test(replay, sees_the_same_violation)
{
	struct cli_result r = cli_run("replay found.schedule --json out.json");
	char *a = cli_line(found.out, "BUG: "), *b = cli_line(r.out, "BUG: ");
	char *last = cli_last_line(r.out);
	json_t *root;

	cr_assert_eq(r.status, 2, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	cr_assert(a && b);
	cr_expect_str_eq(a, b);
	cr_expect(strstr(r.out, "BUSTED start of replay: file=found.schedule"), "%.200s", r.out);
	cli_expect_line(r.out, "replayed: ");
	cr_expect(strstr(r.out, ", as recorded\n"), "%s", r.out);
	cr_expect(strstr(last, "BUSTED end of replay: PLANTED-FOUND: status=2"), "%s", last);
	root = cli_json("out.json");
	cli_check_json(root, "replay", "planted-found");
	cr_expect_eq(json_array_size(json_object_get(root, "violations")), 1u);
	cr_expect_null(json_object_get(root, "diverged"));
	cr_expect_gt(cli_counter(root, "pgfault"), 0);
	/* A replay is over at once: it has no intervals. */
	cr_expect_neq(access("out.jsonl", F_OK), 0);
	json_decref(root);
	free(a);
	free(b);
	free(last);
	cli_free(&r);
}

/* Times that the table's steps go from one vCPU's column to the other's. */
static int column_changes(const char *report)
{
	const char *line = strstr(report, "\n  CPU0 ");
	int changes = 0;
	bool right = false;

	cr_assert(line, "no columns in: %s", report);
	for (line++; *line != '\n'; line += strcspn(line, "\n") + 1) {
		size_t bar = strcspn(line, "|\n");
		bool now = strspn(line, " ") == bar;

		changes += now != right;
		right = now;
	}
	return changes;
}

/* Oldest first over all vCPUs: the columns take turns. */
Test(replay, shows_the_interleaving)
{
	struct cli_result r = cli_run("replay found.schedule");
	int changes;

	cr_assert_eq(r.status, 2);
	changes = column_changes(r.out);
	cr_expect_geq(changes, 3, "%d changes of columns in: %s", changes, r.out);
	cli_free(&r);
}

/* The schedule explained, and as traces. */
Test(replay, explains)
{
	struct cli_result r = cli_run("replay found.schedule"), full;
	json_t *trace;

	cr_assert_eq(r.status, 2);
	cr_expect(strstr(r.out, "* decides"), "%s", r.out);
	full = cli_run("replay found.schedule --full --trace trace.json");
	cr_expect_eq(full.status, 2, "%s", full.err);
	cr_expect_gt(strlen(full.out), 2 * strlen(r.out));
	trace = cli_json("trace.json");
	cr_expect_gt(json_array_size(json_object_get(trace, "traceEvents")), 100u);
	json_decref(trace);
	cli_free(&full);
	full = cli_run("replay found.schedule --trace nowhere/trace.json");
	cr_expect(full.status == 64 || full.status == 7, "status %d", full.status);
	cr_expect(strstr(full.err, "nowhere/trace.json"), "%s", full.err);
	cli_free(&full);
	cli_free(&r);
}

/* Everything is in the file: neither the job nor the folder matters any more. */
Test(replay, needs_the_file_alone)
{
	struct cli_result r;

	cr_assert_eq(unlink("job.ini"), 0);
	cr_assert_eq(mkdir("elsewhere", 0700), 0);
	cr_assert_eq(rename("found.schedule", "elsewhere/moved"), 0);
	r = cli_run("replay elsewhere/moved");
	cr_expect_eq(r.status, 2, "status %d, stderr %s", r.status, r.err);
	cli_expect_line(r.out, "replayed: ");
	cli_free(&r);
}

/* FNV-1a, 64 bit: the checksum of schedule files (docs/schedules.md). */
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
	char *text;

	alter("altered", "seed: ", "seed: 2", false);
	expect_refused("altered", "altered");
	alter("altered-job", "shared = ", "shared = 9", false);
	expect_refused("altered-job", "altered");
	alter("older", "version: ", "version: 0.0.9", true);
	expect_refused("older", "older:2: is from another version");
	alter("format", "mmtorture-schedule ", "mmtorture-schedule 1", true);
	expect_refused("format", "format \"1\"");
	alter("unknown-bug", "bug = ", "bug = free-befor-flush", true);
	expect_refused("unknown-bug", "did you mean \"free-before-flush\"?");
	alter("too-wide", "cpus = ", "cpus = 65", true);
	expect_refused("too-wide", "1 to 64 CPUs");
	alter("too-small", "pages = ", "pages = 0", true);
	expect_refused("too-small", "pages");
	alter("no-decision", "decisions: ", "decisions: 1 of 5\n1?1", true);
	expect_refused("no-decision", "\"1?1\" is none");

	/* Cut in many places: never accepted, never a crash. */
	text = cli_text("found.schedule");
	for (size_t length = strlen(text) - 1; length > 10; length -= 10 + length / 20) {
		text[length] = '\0';
		cli_write("short", text);
		expect_refused("short", "cut short");
	}
	free(text);

	cli_write("empty", "");
	expect_refused("empty", "this is no schedule file");
	cli_write("other", "[global]\ncpus = 4\n");
	expect_refused("other", "this is no schedule file");
	expect_refused("nowhere", "No such file");
}

static void expect_divergence(const char *path, const char *why)
{
	char line[512], *last, *diverged;
	struct cli_result r;
	json_t *root;

	snprintf(line, sizeof(line), "replay %s --json out.json", path);
	r = cli_run(line);
	cr_expect_eq(r.status, 6, "%s: status %d: %s", path, r.status, r.out);
	diverged = cli_line(r.out, "diverged: step ");
	cr_expect(diverged && strstr(diverged, why), "%s: expected \"%s\", got %s", path, why,
		  diverged ? diverged : r.out);
	cr_expect_null(strstr(r.out, "replayed: "));
	last = cli_last_line(r.out);
	cr_expect(strstr(last, "DIVERGED: status=6"), "%s", last);
	root = cli_json("out.json");
	cli_check_json(root, "replay", "diverged");
	cr_expect(json_is_object(json_object_get(root, "diverged")));
	json_decref(root);
	free(diverged);
	free(last);
	cli_free(&r);
}

Test(replay, says_when_it_takes_another_path)
{
	alter("history", "history: ", "history: 0123456789abcdef", true);
	expect_divergence("history", "was recorded as 0123456789abcdef");
	alter("invariant", "invariant: ", "invariant: rss", true);
	expect_divergence("invariant", "with rss in ");
	alter("seed", "seed: ", "seed: 77", true);
	expect_divergence("seed", ": the history is ...");
	alter("job", "program = ", "program = read shared 0;", true);
	expect_divergence("job", "CPU");
}

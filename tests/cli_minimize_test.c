// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verb minimize: from the file that explore has written to a smaller one that replays.
 */
#include "tests/cli_program.h"

TestSuite(minimize, .init = cli_setup, .fini = cli_teardown);

#define FIND                                                                                       \
	"explore --job bugs/zap-under-use --bug flush-skips-cpu --seed 3 --workers 1 "             \
	"--iterations " CLI_SCHEDULES " --minimize=no --schedule found.schedule"

static void find(void)
{
	struct cli_result r = cli_run(FIND);

	cr_assert_eq(r.status, 2, "%s%s", r.out, r.err);
	cli_free(&r);
}

/* A schedule file's numbers. */
static unsigned long long field(const char *path, const char *key)
{
	char line[512], begin[64];
	unsigned long long value = ~0ULL;
	FILE *in = fopen(path, "r");

	cr_assert(in, "%s", path);
	snprintf(begin, sizeof(begin), "%s: ", key);
	while (fgets(line, sizeof(line), in)) {
		if (!strncmp(line, begin, strlen(begin))) {
			value = strtoull(line + strlen(begin), NULL, 10);
			break;
		}
	}
	fclose(in);
	return value;
}

Test(minimize, writes_a_smaller_schedule_that_replays)
{
	struct cli_result r;
	json_t *root, *sizes;

	find();
	r = cli_run("minimize found.schedule --duration none --json small.json");
	cr_assert_eq(r.status, 2, "%s%s", r.out, r.err);
	cr_expect(strstr(r.out, "replay: mmtorture replay found.min.schedule"), "%s", r.out);
	cr_expect(strstr(r.out, "before"), "%s", r.out);
	cli_free(&r);
	cr_expect_lt(field("found.min.schedule", "preemptions"),
		     field("found.schedule", "preemptions"));
	cr_expect_leq(field("found.min.schedule", "preemptions"), 3u);
	cr_expect_lt(field("found.min.schedule", "decisions"),
		     field("found.schedule", "decisions"));

	root = cli_json("small.json");
	cr_expect_str_eq(cli_string(root, "verb"), "minimize");
	sizes = json_object_get(root, "minimize");
	cr_assert(sizes);
	cr_expect(json_is_true(json_object_get(sizes, "minimal")));
	cr_expect_lt(
		json_integer_value(json_object_get(json_object_get(sizes, "after"), "operations")),
		json_integer_value(
			json_object_get(json_object_get(sizes, "before"), "operations")));
	json_decref(root);

	r = cli_run("replay found.min.schedule");
	cr_expect_eq(r.status, 2, "%s%s", r.out, r.err);
	cr_expect(strstr(r.out, "as recorded"), "%s", r.out);
	cli_free(&r);
}

Test(minimize, writes_where_it_is_told_to)
{
	struct cli_result r;

	find();
	r = cli_run("minimize found.schedule --schedule small");
	cr_expect_eq(r.status, 2, "%s%s", r.out, r.err);
	cr_expect(strstr(r.out, "replay: mmtorture replay small\n"), "%s", r.out);
	cli_free(&r);
	cr_expect_eq(access("small", R_OK), 0);
	cr_expect_neq(access("found.min.schedule", R_OK), 0);
}

Test(minimize, ended_by_the_time_it_keeps_an_exact_schedule)
{
	struct cli_result r;

	find();
	r = cli_run("minimize found.schedule --duration 1ms");
	cr_expect_eq(r.status, 2, "%s%s", r.out, r.err);
	cli_free(&r);
	r = cli_run("replay found.min.schedule");
	cr_expect_eq(r.status, 2, "%s%s", r.out, r.err);
	cli_free(&r);
}

Test(minimize, refuses_what_is_no_schedule)
{
	struct cli_result r;

	cli_write("some.schedule", "x\n");
	r = cli_run("minimize some.schedule");
	cr_expect_eq(r.status, 64);
	cr_expect(strstr(r.err, "some.schedule"), "%s", r.err);
	cr_expect_neq(access("some.min.schedule", R_OK), 0);
	cli_free(&r);
}

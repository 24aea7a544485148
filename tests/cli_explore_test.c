// SPDX-License-Identifier: GPL-2.0-or-later
/* mmtorture explore, from the command line to the exit status. */
#include "tests/cli_program.h"

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

Test(explore, is_silent_where_nothing_is_planted)
{
	struct cli_result r = cli_run("explore --job job.ini --seed 1 --iterations 200 --json "
				      "out.json");
	json_t *root, *explore;

	cr_assert_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	cli_expect_line(r.out, "bound: ");
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
	cli_expect_line(r.out, "BUG: stale-tlb-");
	cli_expect_line(r.out, "rule: ");
	cli_expect_line(r.out, "replay: mmtorture replay found.schedule");
	root = cli_json("out.json");
	cli_check_json(root, "explore", "planted-found");
	violation = json_array_get(json_object_get(root, "violations"), 0);
	cr_expect_str_eq(cli_string(violation, "schedule"), "found.schedule");
	json_decref(root);
	free(last);
	cli_free(&r);
}

Test(explore, names_the_schedule_itself)
{
	struct cli_result r = cli_run(FIND);
	char *line, command[512];

	cr_assert_eq(r.status, 2);
	line = cli_line(r.out, "replay: mmtorture replay ");
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
	struct cli_result a = cli_run(FIND " --workers 1 --schedule a.schedule");
	struct cli_result b = cli_run(FIND " --workers 1 --schedule b.schedule");
	char *a_file = cli_text("a.schedule"), *b_file = cli_text("b.schedule");
	char *a_steps = cli_line(a.out, "decision_points "),
	     *b_steps = cli_line(b.out, "decision_points ");

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
	cli_expect_line(r.out, "BUG: no-progress in ");
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
}

Test(explore, is_silent_with_store_buffers)
{
	struct cli_result r = cli_run("explore --job job.ini --seed 1 --iterations 200 "
				      "--memory-model tso --json out.json");
	json_t *root;

	cr_assert_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	root = cli_json("out.json");
	cr_expect_str_eq(cli_string(json_object_get(root, "explore"), "memory_model"), "tso");
	json_decref(root);
	cli_free(&r);
}

/* What operations may wait for while others are through and wait for them. */
static const struct {
	const char *what, *options, *job;
} awaited[] = {
	{"a CPU", "",
	 "[a]\ntasks = 3\nshare = mm\nshared = 1\nprogram = write shared 0; yield 1\n"
	 "[b]\ntasks = 2\nshare = mm:a\nprogram = dontneed shared 0\n"},
	{"a grace period", "", "[a]\nprogram = hotplug 1 0\n[b]\nprogram = getmm 1\n"},
	{"the end of a thread", "",
	 "[a]\nshare = threads\nprogram = exec 0 0\n"
	 "[b]\nshare = mm:a\nprogram = yield 1\n"},
	{"nothing, when it has given up another's slot", "fail-alloc = task:1/2\n",
	 "[a]\nshare = threads\nprogram = exec 0 0; yield 1\n"
	 "[b]\nshare = mm:a\nrepeat = 50\nprogram = yield 1\n"},
};

static void expect_no_deadlock(const char *what, const char *strategy)
{
	char command[256];
	struct cli_result r;

	snprintf(command, sizeof(command),
		 "explore --job awaited.ini --only-operations --strategy %s --seed 1 "
		 "--iterations 300 --max-steps 100000",
		 strategy);
	r = cli_run(command);
	cr_expect_eq(r.status, 0, "%s, %s: status %d, stderr %s, stdout %s", what, strategy,
		     r.status, r.err, r.out);
	cli_free(&r);
}

Test(explore, operations_alone_wait_for_nobody_who_waits_for_them)
{
	char job[512];

	for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++) {
		snprintf(job, sizeof(job), "[global]\ncpus = 2\npages = 192\n%s%s",
			 awaited[i].options, awaited[i].job);
		cli_write("awaited.ini", job);
		expect_no_deadlock(awaited[i].what, "dfs:1");
		expect_no_deadlock(awaited[i].what, "random");
	}
}

/* What the kernel reads without the lock under which it is written. With ThreadSanitizer a plain
 * access among them is a violation. */
static const struct {
	const char *what, *job;
} unlocked[] = {
	{"vma->anon_vma, by a core dump",
	 "[a]\nprogram = exec; coredump 0 0\nrepeat = 3\n"
	 "[b]\nkthread = yes\nprogram = probe 0; unprobe 0; yield 2\nrepeat = 6\n"},
	{"task->pid, by the event of get_task_mm()",
	 "[a]\nshare = threads\nprogram = yield 1\n"
	 "[b]\nshare = mm:a\nprogram = exec 0 0\n"
	 "[c]\nprogram = getmm 1; getmm 0; getmm 1; getmm 0\n"},
	{"task->euid, by ptrace_may_access()",
	 "[a]\nshare = threads\nprogram = exit; exit\n"
	 "[b]\nshare = mm:a\nprogram = exit; exit\n"
	 "[c]\nprogram = access 1; access 1; access 1; access 1\n"},
	{"mm->flags, by uprobe_munmap()",
	 "[a]\nfile = 2\nmap = private\nprogram = setexe; exec; setexe; exec\n"
	 "[b]\nfile = 2\nmap = private\nprogram = truncate; truncate; truncate\n"
	 "[c]\nkthread = yes\nprogram = probe 0\n"},
};

Test(explore, what_is_read_without_a_lock_is_atomic)
{
	char job[512];

	for (size_t i = 0; i < sizeof(unlocked) / sizeof(unlocked[0]); i++) {
		struct cli_result r;

		snprintf(job, sizeof(job), "[global]\ncpus = 2\npages = 192\n%s", unlocked[i].job);
		cli_write("unlocked.ini", job);
		r = cli_run("explore --job unlocked.ini --strategy pos --seed 1 --iterations 300");
		cr_expect_eq(r.status, 0, "%s: status %d, stderr %s, stdout %s", unlocked[i].what,
			     r.status, r.err, r.out);
		cli_free(&r);
	}
}

Test(explore, any_program_may_be_its_operations_alone)
{
	struct cli_result r = cli_run("explore --programs random --only-operations --seed 1 "
				      "--iterations 400");

	cr_expect_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	cli_free(&r);
}

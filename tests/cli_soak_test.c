// SPDX-License-Identifier: GPL-2.0-or-later
/* mmtorture soak, from the command line to the exit status. */
#include "tests/cli_program.h"

#include <criterion/parameterized.h>

#define COUNTERS_MAX 8

struct shipped_job {
	char name[32];
	/* What some seconds of this job cannot leave at zero. */
	char counters[COUNTERS_MAX][32];
};

TestSuite(soak, .init = cli_setup, .fini = cli_teardown);

static void expect_banners(const struct cli_result *r, const char *start, const char *end)
{
	char *last = cli_last_line(r->out);

	cr_expect(!strncmp(r->out, "mmtorture ", 10), "first line: %.80s", r->out);
	cr_expect(strstr(r->out, start), "no \"%s\" in: %.200s", start, r->out);
	cr_expect_lt((size_t)(strstr(r->out, start) - r->out), strcspn(r->out, "\n"));
	cr_expect(strstr(last, end), "no \"%s\" in the last line: %s", end, last);
	free(last);
}

/* Whether each line of @err is a progress line. */
static void expect_progress_only(const char *err)
{
	for (const char *line = err; *line;) {
		size_t length = strcspn(line, "\n");

		cr_expect(!strncmp(line, "soak: elapsed: ", 15), "on stderr: %.*s", (int)length,
			  line);
		line += length + (line[length] == '\n');
	}
}

/* So long if a second was not enough for the rarest operation of a job to come up, as on a host
 * that does other things besides, or under a sanitizer. */
#define LONG_ENOUGH "6s"

ParameterizedTestParameters(soak, shipped_job_ends_clean)
{
	static struct shipped_job jobs[] = {
		{"default", {"op_exec", "op_madvise_dontneed", "op_fork", "nr_tlb_remote_flush"}},
		{"exec-storm",
		 {"op_exec", "op_exec_fail", "op_getmm", "op_kthread", "mmdrop_last"}},
		{"zap-storm",
		 {"op_madvise_dontneed", "nr_tlb_remote_flush", "nr_tlb_remote_flush_received",
		  "nr_tlb_local_flush_one"}},
		{"fork-exit", {"op_fork", "op_exit", "pgcow", "mmput_last"}},
		{"mixed",
		 {"op_mprotect", "op_mlock", "op_brk", "op_munmap", "op_mmap", "op_sleep",
		  "nr_tlb_local_flush_all"}},
		{"file-writeback",
		 {"op_msync", "op_truncate", "op_dropcache", "pgwriteback", "pgpgin"}},
		{"lazy-idle", {"op_sleep", "op_kthread", "nr_lazy_entries"}},
		{"cpu-hotplug", {"op_hotplug", "cpu_offline", "nr_mm_switches"}},
		{"devices",
		 {"op_device", "op_peek", "op_poke", "device_access", "device_invalidated"}},
		{"thread-storm",
		 {"op_access", "exec_de_thread", "exec_takeover", "slot_vacant", "vfork_killed",
		  "wait_other_thread", "reparent_thread", "mm_access_denied"}},
	};

	return cr_make_param_array(struct shipped_job, jobs, sizeof(jobs) / sizeof(jobs[0]));
}

/* The counter that should not be zero and is; NULL: there is none. */
static const char *counter_at_zero(json_t *root, const struct shipped_job *job)
{
	/* Nobody writes in a job of kernel threads alone; these all have tasks that do. */
	static const char *const always[] = {"pgfault",	 "pgalloc", "pgfree",	"pgzap",
					     "op_write", "tlb_hit", "tlb_miss", "audits"};

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
		if (!cli_counter(root, always[i]))
			return always[i];
	}
	for (int i = 0; i < COUNTERS_MAX && job->counters[i][0]; i++) {
		if (!cli_counter(root, job->counters[i]))
			return job->counters[i];
	}
	return NULL;
}

static json_t *soak_job(const struct shipped_job *job, const char *duration)
{
	char line[256], start[128];
	struct cli_result r;
	json_t *root;

	snprintf(line, sizeof(line), "soak --job %s --duration %s --cpus 4 --json out.json",
		 job->name, duration);
	r = cli_run(line);
	cr_assert_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	snprintf(start, sizeof(start), ": start of soak: job=%s cpus=4 ", job->name);
	expect_banners(&r, start, ": end of soak: CLEAN: status=0 elapsed=");
	expect_progress_only(r.err);
	cli_free(&r);

	root = cli_json("out.json");
	cli_check_json(root, "soak", "clean");
	return root;
}

ParameterizedTest(struct shipped_job *job, soak, shipped_job_ends_clean)
{
	json_t *root = soak_job(job, "1s");
	const char *zero = counter_at_zero(root, job);

	if (zero) {
		json_decref(root);
		root = soak_job(job, LONG_ENOUGH);
		zero = counter_at_zero(root, job);
	}
	cr_expect_null(zero, "%s is zero", zero);
	cr_expect_eq(json_array_size(json_object_get(root, "violations")), 0u);
	cr_expect_leq(cli_counter(root, "nr_tlb_remote_flush_received"),
		      cli_counter(root, "nr_ipi_received"));
	cr_expect_eq(cli_counter(root, "nr_ipi_sent"), cli_counter(root, "nr_ipi_received"));
	cr_expect_eq(cli_counter(root, "mmdrop_last"), cli_counter(root, "mm_freed"));
	json_decref(root);
}

Test(soak, runs_64_cpus)
{
	struct cli_result r = cli_run("soak --job mixed --cpus 64 --duration 1s --json out.json");
	json_t *root;

	cr_assert_eq(r.status, 0, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	expect_banners(&r, " cpus=64 ", "CLEAN: status=0");
	root = cli_json("out.json");
	cli_check_json(root, "soak", "clean");
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(root, "config"), "cpus")),
		     64);
	cr_expect_gt(cli_counter(root, "nr_tlb_remote_flush"), 0);
	json_decref(root);
	cli_free(&r);
}

Test(soak, runs_on_the_machine_of_a_description)
{
	char line[PATH_MAX + 128];
	struct cli_result r;

	snprintf(line, sizeof(line),
		 "soak --duration 300ms --cpus 8 --topology "
		 "%s/tests/data/topology/four_socket_asymmetric.xml",
		 cli_root);
	r = cli_run(line);
	cr_expect_eq(r.status, 0, "%s", r.err);
	expect_banners(&r, "four_socket_asymmetric.xml", "CLEAN: status=0");
	cli_free(&r);
}

Test(soak, ctrl_c_ends_it_with_a_report)
{
	static const int signals[] = {SIGINT, SIGTERM};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid_t pid = cli_start("soak --duration 1h --cpus 4 --stat-interval 100ms --json "
				      "out.json");
		struct cli_result r;
		json_t *root;

		cli_await(".err", "elapsed: ");
		kill(pid, signals[i]);
		r = cli_wait(pid);
		cr_expect_eq(r.status, 0, "status %d, stderr %s", r.status, r.err);
		expect_banners(&r, "start of soak", "CLEAN: status=0");
		cr_expect(strstr(r.out, "\nop_exec "), "the report has no counters: %s", r.out);
		expect_progress_only(r.err);
		root = cli_json("out.json");
		cli_check_json(root, "soak", "clean");
		/* The last audit is part of a soak that was cut short, too. */
		cr_expect_geq(cli_counter(root, "audits"), 1);
		cr_expect_lt(json_number_value(json_object_get(root, "elapsed_s")), 600.0);
		json_decref(root);
		cli_free(&r);
	}
}

Test(soak, audits_as_often_as_asked)
{
	struct cli_result r = cli_run("soak --duration 1s --cpus 4 --audit-interval 100ms --json "
				      "out.json");
	json_t *root;

	cr_assert_eq(r.status, 0, "%s", r.err);
	root = cli_json("out.json");
	cr_expect_geq(cli_counter(root, "audits"), 2);
	json_decref(root);
	cli_free(&r);
}

Test(soak, writes_its_intervals_as_json_lines)
{
	struct cli_result r = cli_run("soak --duration 1s --cpus 4 --stat-interval 200ms --json "
				      "out.json");
	char *text = cli_text("out.jsonl"), *rest = text;
	json_int_t faults = 0;
	double elapsed = 0;
	int lines = 0;

	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_assert(text);
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		json_error_t error;
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &error);

		cr_assert(o, "line %d: %s", lines + 1, error.text);
		cr_expect_gt(json_number_value(json_object_get(o, "elapsed_s")), elapsed);
		cr_expect_geq(cli_counter(o, "pgfault"), faults);
		elapsed = json_number_value(json_object_get(o, "elapsed_s"));
		faults = cli_counter(o, "pgfault");
		cr_expect_eq(json_integer_value(json_object_get(o, "violations")), 0);
		json_decref(o);
	}
	cr_expect_geq(lines, 1);
	cr_expect_gt(faults, 0);
	free(text);
	cli_free(&r);
}

Test(soak, finds_a_planted_bug_and_says_busted)
{
	struct cli_result r = cli_run("soak --job zap-storm --duration 20s --cpus 4 --bug "
				      "mapcount-not-dropped --json out.json");
	json_t *root, *violation;

	cr_assert_eq(r.status, 2, "status %d, stderr %s, stdout %s", r.status, r.err, r.out);
	expect_banners(&r,
		       ": BUSTED start of soak: ", ": BUSTED end of soak: PLANTED-FOUND: status=2");
	cr_expect(strstr(r.out, "\nBUG: "));
	cr_expect(strstr(r.out, "\nrule: "));
	root = cli_json("out.json");
	cli_check_json(root, "soak", "planted-found");
	violation = json_array_get(json_object_get(root, "violations"), 0);
	cr_expect(*cli_string(violation, "invariant"));
	cr_expect(*cli_string(violation, "message"));
	cr_expect(*cli_string(violation, "where"));
	cr_expect_gt(json_array_size(json_object_get(violation, "cpus")), 0u);
	cr_expect_str_eq(json_string_value(json_array_get(json_object_get(violation, "bugs"), 0)),
			 "mapcount-not-dropped");
	json_decref(root);
	cli_free(&r);
}

Test(soak, results_that_stdout_does_not_take_are_lost)
{
	struct cli_result r;

	cli_stdout = "/dev/full";
	r = cli_run("soak --duration 100ms --cpus 4");
	cr_expect_eq(r.status, 7);
	cr_expect(strstr(r.err, "can't write to stdout"), "%s", r.err);
	cli_free(&r);
}

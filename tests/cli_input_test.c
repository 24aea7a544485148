// SPDX-License-Identifier: GPL-2.0-or-later
/* What the program refuses, what it says then, and that it leaves nothing behind; and the verbs
 * that run nothing: topology, bugs, bench, --help. */
#include "tests/cli_program.h"

#include <dirent.h>
#include <sys/stat.h>

#include <criterion/parameterized.h>

/* Smaller than any document, and a multiple of nothing in particular. */
#define FULL_DISK_BYTES 1000

/* ThreadSanitizer's runtime keeps a file of its own that has to grow: under such a limit a program
 * built with it does not even start. */
#ifdef __SANITIZE_THREAD__
#define SKIP_WHERE_FILES_MUST_GROW() cr_skip("not under ThreadSanitizer")
#else
#define SKIP_WHERE_FILES_MUST_GROW() ((void)0)
#endif

struct refusal {
	char command[160]; /* @ stands for the directory of the test data */
	int status;
	char says[96];
};

TestSuite(input, .init = cli_setup, .fini = cli_teardown);
TestSuite(verbs, .init = cli_setup, .fini = cli_teardown);

static struct cli_result run_at_root(const char *command)
{
	char line[PATH_MAX + 256];
	const char *at = strchr(command, '@');

	if (at)
		snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - command), command, cli_root,
			 at + 1);
	else
		snprintf(line, sizeof(line), "%s", command);
	return cli_run(line);
}

/* Files in the current directory whose names begin with @prefix. */
static int files(const char *prefix)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	int n = 0;

	cr_assert(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    !strncmp(entry->d_name, prefix, strlen(prefix)))
			n++;
	}
	closedir(dir);
	return n;
}

/* One line on stderr with the reason, nothing on stdout, and no file made. */
static void expect_refused(const struct refusal *refusal)
{
	int before = files("");
	struct cli_result r = run_at_root(refusal->command);

	cr_expect_eq(r.status, refusal->status, "%s: status %d, not %d: %s", refusal->command,
		     r.status, refusal->status, r.err);
	cr_expect_str_empty(r.out, "%s: on stdout: %s", refusal->command, r.out);
	cr_expect(!strncmp(r.err, "mmtorture: ", 11), "%s: %s", refusal->command, r.err);
	cr_expect_eq(strcspn(r.err, "\n") + 1, strlen(r.err), "%s: not one line: %s",
		     refusal->command, r.err);
	cr_expect(!strstr(r.err, "(null)"), "%s: %s", refusal->command, r.err);
	cr_expect(strstr(r.err, refusal->says), "%s: expected \"%s\" in: %s", refusal->command,
		  refusal->says, r.err);
	cr_expect_eq(files(""), before, "%s left something behind", refusal->command);
	cli_free(&r);
}

ParameterizedTestParameters(input, is_refused_with_one_clear_line)
{
	static struct refusal refusals[] = {
		/* Unknown names, with the nearest known one. */
		{"", 64, "no verb is given"},
		{"saok", 64, "did you mean \"soak\"?"},
		{"soak --duratoin 1s", 64, "did you mean \"--duration\"?"},
		{"soak --job mixd", 64, "did you mean \"mixed\"?"},
		{"soak --bug free-befor-flush", 64, "did you mean \"free-before-flush\"?"},
		{"soak --tlb haswel", 64, "did you mean \"haswell\"?"},
		{"soak --policy v3.14", 64, "did you mean \"v3.13\"?"},
		{"soak --profile v2.6", 64, "--profile: \"v2.6\" is no known profile"},
		{"explore --strategy rndom", 64, "did you mean \"random\"?"},
		{"bugs lst", 64, "did you mean \"list\"?"},
		{"bench fault-zap-51x", 64, "did you mean \"fault-zap-512\"?"},
		{"soak mixed", 64, "to run a job give --job mixed"},
		{"soak --iterations 5", 64, "it is for: explore"},
		{"replay", 64, "replay needs an argument"},
		/* Impossible sizes. */
		{"soak --cpus 0", 64, "give 1 to 1024 CPUs"},
		{"soak --cpus 1025", 64, "give 1 to 1024 CPUs"},
		{"soak --cpus -4", 64, "--cpus"},
		{"soak --cpus four", 64, "--cpus"},
		{"soak --cpus 99999999999999999999", 64, "--cpus"},
		{"soak --pages 63", 64, "give 64 to"},
		{"soak --pages 64", 64,
		 "the working sets of the built-in default.ini are 4480 pages"},
		{"soak --pages 1G", 64, "--pages"},
		{"soak --duration 10", 64, "--duration"},
		{"soak --duration -1s", 64, "--duration"},
		{"soak --seed 18446744073709551616", 64, "--seed"},
		{"soak --cpus 2 --cpus 3", 64, "give it once"},
		{"soak --cpus", 64, "--cpus: has no value"},
		{"explore --cpus 65", 64, "explore takes 1 to 64 CPUs"},
		/* Files that can't be read. */
		{"soak --job nowhere.ini", 64, "can't open nowhere.ini: No such file"},
		{"soak --job ./", 64, "Is a directory"},
		{"soak --job /dev/null", 64, "/dev/null"},
		{"soak --topology nowhere.xml", 64, "can't read nowhere.xml"},
		{"topology --topology /dev/null", 64, "/dev/null"},
		{"topology --topology @/tests/data", 64, "--topology: "},
		{"replay nowhere.schedule", 64, "can't read nowhere.schedule"},
		{"replay /dev/null", 64, "cut short"},
		/* Results that could not be written, known before anything runs. */
		{"soak --json /nonexistent/out.json", 7, "can't write /nonexistent/out.json"},
		{"explore --json /proc/out.json", 7, "can't write /proc/out.json"},
		{"soak --json /", 7, "can't write /"},
		{"topology --json /nonexistent/out.json", 7, "can't write"},
		{"explore --schedule /nonexistent/s", 7, "--schedule: can't write"},
	};

	return cr_make_param_array(struct refusal, refusals,
				   sizeof(refusals) / sizeof(refusals[0]));
}

ParameterizedTest(struct refusal *refusal, input, is_refused_with_one_clear_line)
{
	expect_refused(refusal);
}

struct bad_job {
	char text[160];
	char says[96]; /* after "bad.ini:LINE: " */
	int line;
};

ParameterizedTestParameters(input, bad_job_file_is_refused_with_its_line)
{
	static struct bad_job jobs[] = {
		{"[a]\ntasks = 4\nanon = 8\nops = wriet:4\n", "did you mean \"write\"?", 4},
		{"[a]\ntsaks = 4\n", "did you mean \"tasks\"?", 2},
		{"[global]\ncpsu = 4\n", "did you mean \"cpus\"?", 2},
		{"[global]\ncpus = 0\n", "1 to 1024", 2},
		{"[a]\ntasks = 4\nanon = 8\nops = write:0\n", "write", 4},
		{"tasks = 4\n", "section", 1},
		{"[a]\nanon = 8\nops = write:1\n[a]\nanon = 9\n", "a", 4},
		{"[a]\nshare = mm:nobody\nanon = 4\nops = write:1\n", "nobody", 2},
	};

	return cr_make_param_array(struct bad_job, jobs, sizeof(jobs) / sizeof(jobs[0]));
}

ParameterizedTest(struct bad_job *job, input, bad_job_file_is_refused_with_its_line)
{
	struct refusal refusal = {"soak --job bad.ini", 64, ""};
	char place[32];
	struct cli_result r;

	cli_write("bad.ini", job->text);
	snprintf(refusal.says, sizeof(refusal.says), "%s", job->says);
	expect_refused(&refusal);
	r = cli_run(refusal.command);
	snprintf(place, sizeof(place), "bad.ini:%d: ", job->line);
	cr_expect(strstr(r.err, place), "not in line %d: %s", job->line, r.err);
	cli_free(&r);
}

Test(input, job_for_cpus_that_the_machine_has_not)
{
	static const struct refusal refusal = {"soak --cpus 2 --job far.ini", 64,
					       "the machine has no CPU 7"};

	cli_write("far.ini", "[a]\ntasks = 1\nanon = 8\ncpu = 7\nops = write:1\n");
	expect_refused(&refusal);
}

Test(input, broken_description_of_a_machine)
{
	static const struct refusal cut = {"topology --topology cut.xml", 64, "cut.xml: line "};
	static const struct refusal soak = {"soak --topology cut.xml", 64, "cut.xml: line "};
	static const struct refusal other = {"topology --topology other.xml", 64, "other.xml"};
	static const struct refusal text = {"topology --topology text.xml", 64, "text.xml"};
	char path[PATH_MAX + 64];
	char *xml;

	snprintf(path, sizeof(path), "%s/tests/data/topology/two_socket_smt.xml", cli_root);
	xml = cli_text(path);
	cr_assert(xml);
	for (size_t length = strlen(xml) / 2; length > 100; length /= 2) {
		xml[length] = '\0';
		cli_write("cut.xml", xml);
		expect_refused(&cut);
	}
	expect_refused(&soak);
	free(xml);
	cli_write("other.xml", "<?xml version=\"1.0\"?>\n<html><body/></html>\n");
	expect_refused(&other);
	cli_write("text.xml", "not XML at all\n");
	expect_refused(&text);
}

/* A disk that fills up while results are written: what stood there before stays, nothing else. */
Test(input, full_disk_leaves_the_old_document)
{
	static const char *const commands[] = {
		"soak --duration 300ms --stat-interval 100ms --cpus 4 --json out.json",
		"explore --iterations 3 --cpus 2 --seed 1 --json out.json",
	};
	const char *old = "{\"old\": true}\n";

	SKIP_WHERE_FILES_MUST_GROW();
	cli_stdout = "/dev/null";
	cli_file_size = FULL_DISK_BYTES;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct cli_result r;
		char *now;

		cli_write("out.json", old);
		r = cli_run(commands[i]);
		cr_expect_eq(r.status, 7, "%s: status %d: %s", commands[i], r.status, r.err);
		cr_expect(strstr(r.err, "mmtorture: --json: can't write "), "%s", r.err);
		now = cli_text("out.json");
		cr_assert(now);
		cr_expect_str_eq(now, old);
		free(now);
		cr_expect_eq(files(""), 1, "%s left more than the old document", commands[i]);
		cli_free(&r);
	}
}

Test(input, full_device_is_no_place_for_a_document)
{
	struct cli_result r = cli_run("soak --duration 100ms --cpus 4 --json /dev/full");
	char *last = cli_last_line(r.out);

	cr_expect_eq(r.status, 7);
	cr_expect(strstr(r.err, "--json: can't write /dev/full"), "%s", r.err);
	cr_expect(strstr(last, "UNTRUSTWORTHY: status=7"), "%s", last);
	free(last);
	cli_free(&r);
}

Test(input, schedule_on_a_full_disk)
{
	struct cli_result r;

	SKIP_WHERE_FILES_MUST_GROW();
	cli_write("job.ini", "[global]\ncpus = 2\npages = 256\n[a]\ntasks = 3\nshare = mm\n"
			     "shared = 4\nops = write:2, dontneed:1\n");
	cli_stdout = "/dev/null";
	cli_file_size = 100;
	r = cli_run("explore --job job.ini --seed 1 --iterations " CLI_SCHEDULES
		    " --bug free-before-flush --schedule found.schedule");
	cr_expect_eq(r.status, 7, "status %d: %s", r.status, r.err);
	cr_expect(strstr(r.err, "mmtorture: --schedule: can't write "), "%s", r.err);
	cr_expect_eq(files("found"), 0);
	cli_free(&r);
}

struct machine_file {
	char name[40];
	int packages;
};

ParameterizedTestParameters(verbs, topology_of_another_host)
{
	static struct machine_file machines[] = {
		{"two_pus.xml", 1},
		{"two_socket_smt.xml", 2},
		{"four_socket_asymmetric.xml", 4},
		{"eight_node_l3x4.xml", 2},
		{"hybrid_odd.xml", 2},
	};

	return cr_make_param_array(struct machine_file, machines,
				   sizeof(machines) / sizeof(machines[0]));
}

ParameterizedTest(struct machine_file *machine, verbs, topology_of_another_host)
{
	char command[128];
	struct cli_result r;
	json_t *root, *vcpus;
	size_t i;
	json_t *vcpu;
	int packages = 0;

	snprintf(command, sizeof(command),
		 "topology --cpus 32 --json out.json --topology @/tests/data/topology/%s",
		 machine->name);
	r = run_at_root(command);
	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_expect_str_empty(r.err);
	cr_expect(strstr(r.out, machine->name), "%s", r.out);
	root = cli_json("out.json");
	cr_expect_str_eq(cli_string(root, "verb"), "topology");
	vcpus = json_object_get(root, "topology");
	cr_expect_eq(json_array_size(vcpus), 32u);
	json_array_foreach(vcpus, i, vcpu)
	{
		int package = (int)json_integer_value(json_object_get(vcpu, "package"));

		cr_expect_eq(json_integer_value(json_object_get(vcpu, "vcpu")), (json_int_t)i);
		packages = package >= packages ? package + 1 : packages;
	}
	cr_expect_eq(packages, machine->packages, "on %d packages", packages);
	json_decref(root);
	cli_free(&r);
}

Test(verbs, topology_of_this_host)
{
	struct cli_result r = cli_run("topology");

	cr_expect_eq(r.status, 0, "%s", r.err);
	cr_expect(strstr(r.out, "placement "), "%s", r.out);
	cli_free(&r);
}

Test(verbs, bugs_list_names_each_once)
{
	struct cli_result r = cli_run("bugs list");
	char *rest = r.out, *line, seen[8192] = " ";
	int n = 0;

	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_expect_str_empty(r.err);
	while ((line = strsep(&rest, "\n")) && *line) {
		char word[80];

		snprintf(word, sizeof(word), " %.*s ", (int)strcspn(line, " "), line);
		cr_expect(!strstr(seen, word), "twice:%s", word);
		strncat(seen, word + 1, sizeof(seen) - strlen(seen) - 1);
		n++;
	}
	cr_expect_geq(n, 15);
	cr_expect(strstr(seen, " free-before-flush "));
	cli_free(&r);
}

Test(verbs, each_has_help_with_an_example)
{
	static const char *const verbs[] = {"soak", "explore", "replay",  "minimize",
					    "bugs", "bench",   "topology"};
	struct cli_result r;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char command[64], usage[64], example[64];

		snprintf(command, sizeof(command), "%s --help", verbs[i]);
		snprintf(usage, sizeof(usage), "\nUsage: mmtorture %s", verbs[i]);
		snprintf(example, sizeof(example), "\nExample:\n  mmtorture %s ", verbs[i]);
		r = cli_run(command);
		cr_expect_eq(r.status, 0, "%s: %s", command, r.err);
		cr_expect_str_empty(r.err);
		cr_expect(strstr(r.out, usage), "%s", r.out);
		cr_expect(strstr(r.out, example), "%s", r.out);
		cr_expect(strstr(r.out, "\nExit status: 0 clean;"), "%s", r.out);
		cli_free(&r);
	}
	r = cli_run("--version");
	cr_expect_eq(r.status, 0);
	cr_expect(!strncmp(r.out, "mmtorture ", 10));
	cli_free(&r);
}

Test(verbs, soak_help_names_jobs_and_operations)
{
	static const char *const names[] = {
		"\n  exec-storm",     "\n  zap-storm",	 "\n  fork-exit",   "\n  mixed",
		"\n  file-writeback", "\n  lazy-idle",	 "\n  cpu-hotplug", "\n  devices",
		"dontneed",	      "--audit-interval"};
	struct cli_result r = cli_run("soak --help");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect(strstr(r.out, names[i]), "no %s in: %s", names[i], r.out);
	cli_free(&r);
}

Test(verbs, bench_help_names_its_measures)
{
	struct cli_result r = cli_run("bench --help");

	cr_expect(strstr(r.out, "\nMeasures:\n"), "%s", r.out);
	cr_expect(strstr(r.out, "\n  fault-zap-512\n"), "%s", r.out);
	cr_expect(strstr(r.out, "--repetitions"));
	cli_free(&r);
}

Test(verbs, bench_writes_a_document)
{
	struct cli_result r = cli_run("bench timestamp --repetitions 1 --json out.json");
	json_t *root, *measure;

	cr_assert_eq(r.status, 0, "status %d: %s", r.status, r.err);
	root = cli_json("out.json");
	cli_check_json(root, "bench", "clean");
	measure = json_array_get(json_object_get(root, "bench"), 0);
	cr_expect_str_eq(cli_string(measure, "name"), "timestamp");
	cr_expect(*cli_string(measure, "unit"));
	cr_expect(json_object_get(measure, "ratio"));
	cr_expect_eq(json_integer_value(json_object_get(measure, "repetitions")), 1);
	cr_expect_eq(files("out.jsonl"), 0);
	json_decref(root);
	cli_free(&r);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON document and the interval lines: what they say, and that they appear whole or not. */
#include "engine/types.h"
#include "stress/jobfile.h"
#include "stress/options.h"
#include "stress/record.h"
#include "stress/record_lines.h"
#include "stress/version.h"
#include "stress/whole_file.h"
#include "tests/stress_known_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct config config;
static struct error err;
static char folder[] = "/tmp/mmtorture.test.XXXXXX";
static char path[64];

static void begin(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/out.json", folder);
}

/* Removes the folder if it is still there, and says how many files stood in it. */
static int finish_folder(void)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int files = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char file[512];

		if (entry->d_name[0] == '.' && strlen(entry->d_name) < 3)
			continue;
		snprintf(file, sizeof(file), "%s/%s", folder, entry->d_name);
		if (unlink(file))
			rmdir(file);
		files++;
	}
	closedir(dir);
	rmdir(folder);
	return files;
}

static void finish(void)
{
	finish_folder();
	config_destroy(&config);
}

TestSuite(record, .init = begin, .fini = finish);

static void make_config(enum verb verb)
{
	static char program[] = "mmtorture", odd[] = "odd \xff\n\"";
	char *argv[] = {program, odd, NULL};
	const struct option_source source = {ORIGIN_COMMAND_LINE, "", NULL};

	config_init(&config, verb);
	cr_assert_eq(config_keep_command(&config, 2, argv, &err), 0);
	if (option_applies(OPT_JOB, verb)) {
		cr_assert_eq(option_set(&config, &test_names, OPT_BUG, "free-early", &source, &err),
			     0);
		cr_assert_eq(option_set(&config, &test_names, OPT_SEED, "0xffffffffffffffff",
					&source, &err),
			     0);
		cr_assert_eq(jobfile_load(&config, &test_names, NULL, &err), 0, "%s", err.line);
	}
	cr_assert_eq(config_resolve(&config, &test_host, &err), 0, "%s", err.line);
}

/* The document as a program that reads the file would see it. */
static json_t *write_and_read(struct record *record)
{
	json_error_t error;
	json_t *json;

	cr_assert_eq(record_write(record, path, &err), 0, "%s", err.line);
	json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(json, "line %d: %s", error.line, error.text);
	return json;
}

static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	cr_assert(json_is_string(value), "%s is no string", key);
	return json_string_value(value);
}

static json_int_t count_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	cr_assert(json_is_integer(value), "%s is no whole number", key);
	return json_integer_value(value);
}

Test(record, has_the_keys_that_others_rely_on)
{
	static const unsigned int cpus[] = {0, 3};
	const struct record_violation violation = {
		.invariant = "stale-tlb-use",
		.message = "two\nlines \xff",
		.where = "zap_pte_range",
		.cpus = cpus,
		.nr_cpus = 2,
		.schedule = "/tmp/s",
	};
	const struct record_explore explore = {
		.schedules = 1000,
		.distinct = 900,
		.decision_points = UINT64_C(1) << 40,
		.preemptions = 7,
		.seconds = 1.5,
		.strategy = "random",
		.memory_model = "sc",
	};
	const struct record_bench bench = {
		.name = "exec",
		.unit = "ns/exec",
		.emulated = 1234.5,
		.host = NAN,
		.ratio = INFINITY,
		.min = 1,
		.max = 2,
		.repetitions = 7,
	};
	struct record *record;
	json_t *json;
	const json_t *object;

	make_config(VERB_EXPLORE);
	record = record_new(&config);
	record_counter(record, "pgfault", 5);
	record_counter(record, "pgfault", 6);
	record_counter(record, "op_exec", UINT64_MAX);
	record_violation(record, &violation);
	record_explore(record, &explore);
	record_bench(record, &bench);
	record_verdict(record, VERDICT_PLANTED_FOUND, 2.25);
	json_object_set_new(record_root(record), "more", json_true());
	json = write_and_read(record);
	record_free(record);

	cr_expect_str_eq(text_of(json, "version"), MMTORTURE_VERSION);
	cr_expect_str_eq(text_of(json, "verb"), "explore");
	cr_expect_str_eq(text_of(json, "seed"), "18446744073709551615");
	cr_expect_str_eq(text_of(json, "verdict"), "planted-found");
	cr_expect_eq(count_of(json, "status"), 2);
	cr_expect_eq(json_real_value(json_object_get(json, "elapsed_s")), 2.25);
	cr_expect(json_is_true(json_object_get(json, "busted")));
	cr_expect(json_is_true(json_object_get(json, "more")));
	object = json_object_get(json, "command");
	cr_expect_eq(json_array_size(object), 2u);
	cr_expect_str_eq(json_string_value(json_array_get(object, 1)), "odd \\xff\\x0a\"");
	object = json_object_get(json, "counters");
	cr_expect_eq(count_of(object, "pgfault"), 6);
	cr_expect_eq(count_of(object, "op_exec"), INT64_MAX);
	object = json_array_get(json_object_get(json, "violations"), 0);
	cr_expect_str_eq(text_of(object, "invariant"), "stale-tlb-use");
	cr_expect_str_eq(text_of(object, "message"), "two\\x0alines \\xff");
	cr_expect_str_eq(text_of(object, "where"), "zap_pte_range");
	cr_expect_str_eq(text_of(object, "schedule"), "/tmp/s");
	cr_expect_eq(json_integer_value(json_array_get(json_object_get(object, "cpus"), 1)), 3);
	cr_expect_str_eq(json_string_value(json_array_get(json_object_get(object, "bugs"), 0)),
			 "free-early");
	object = json_object_get(json, "explore");
	cr_expect_eq(count_of(object, "schedules"), 1000);
	cr_expect_eq(count_of(object, "decision_points"), INT64_C(1) << 40);
	cr_expect_str_eq(text_of(object, "strategy"), "random");
	cr_expect(json_is_null(json_object_get(object, "bound")));
	object = json_array_get(json_object_get(json, "bench"), 0);
	cr_expect_str_eq(text_of(object, "name"), "exec");
	cr_expect(json_is_null(json_object_get(object, "host")));
	cr_expect(json_is_null(json_object_get(object, "ratio")));
	cr_expect_eq(json_real_value(json_object_get(object, "emulated")), 1234.5);
	cr_expect_eq(count_of(object, "repetitions"), 7);
	json_decref(json);
}

Test(record, config_is_typed_and_complete)
{
	struct record *record;
	json_t *json;
	const json_t *object;

	make_config(VERB_EXPLORE);
	record = record_new(&config);
	json = write_and_read(record);
	record_free(record);
	object = json_object_get(json, "config");
	for (enum option_id id = 0; id < NR_OPTIONS; id++)
		cr_expect_eq(json_object_get(object, option_names.names[id]) != NULL,
			     option_applies(id, VERB_EXPLORE), "%s", option_names.names[id]);
	cr_expect_eq(count_of(object, "cpus"), 4);
	cr_expect_str_eq(text_of(object, "seed"), "18446744073709551615");
	cr_expect_str_eq(text_of(object, "duration"), "10s");
	cr_expect_str_eq(text_of(object, "memory-model"), "sc");
	cr_expect(json_is_false(json_object_get(object, "until-found")));
	cr_expect(json_is_null(json_object_get(object, "iterations")));
	cr_expect_eq(json_array_size(json_object_get(object, "bug")), 1u);
	cr_expect_not_null(strstr(text_of(object, "job_text"), "\n[processes]\n"));
	json_decref(json);
}

Test(record, a_verb_without_a_job_has_the_same_keys)
{
	static const char *const keys[] = {
		"version", "verb",   "command",	 "seed",       "config",  "busted", "elapsed_s",
		"verdict", "status", "counters", "violations", "explore", "bench"};

	for (enum verb verb = 0; verb < NR_VERBS; verb++) {
		struct record *record;
		json_t *json;

		make_config(verb);
		record = record_new(&config);
		record_verdict(record, VERDICT_CLEAN, 0);
		json = write_and_read(record);
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			cr_expect_not_null(json_object_get(json, keys[i]), "%s", keys[i]);
		cr_expect_str_eq(text_of(json, "verdict"), "clean");
		json_decref(json);
		record_free(record);
		config_destroy(&config);
	}
}

Test(record, verdicts_have_names)
{
	static const struct {
		enum verdict verdict;
		int status;
		const char *name;
	} rows[] = {
		{VERDICT_CLEAN, 0, "clean"},
		{VERDICT_VIOLATION, 1, "violation"},
		{VERDICT_PLANTED_FOUND, 2, "planted-found"},
		{VERDICT_PLANTED_MISSED, 3, "planted-missed"},
		{VERDICT_SKIPPED, 4, "skipped"},
		{VERDICT_NO_PROGRESS, 5, "no-progress"},
		{VERDICT_DIVERGED, 6, "diverged"},
		{VERDICT_UNTRUSTWORTHY, 7, "untrustworthy"},
		{VERDICT_USAGE, 64, "usage"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq((int)rows[i].verdict, rows[i].status);
		cr_expect_str_eq(verdict_name(rows[i].verdict), rows[i].name);
	}
}

static void put(const char *file, const char *text)
{
	FILE *out = fopen(file, "w");

	cr_assert_not_null(out);
	fputs(text, out);
	cr_assert_eq(fclose(out), 0);
}

static void expect_content(const char *file, const char *text)
{
	char content[256] = "";
	FILE *in = fopen(file, "r");

	cr_assert_not_null(in, "%s: %s", file, strerror(errno));
	content[fread(content, 1, sizeof(content) - 1, in)] = '\0';
	fclose(in);
	cr_expect_str_eq(content, text);
}

Test(record, a_file_is_replaced_with_its_permissions)
{
	struct stat st;

	put(path, "old");
	cr_assert_eq(chmod(path, 0640), 0);
	cr_expect_eq(whole_file_write(path, "--json", "new", 3, &err), 0, "%s", err.line);
	expect_content(path, "new");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640u);
	cr_expect_eq(finish_folder(), 1);
}

Test(record, a_new_file_gets_what_the_umask_leaves)
{
	struct stat st;
	mode_t mask = umask(027);

	cr_expect_eq(whole_file_write(path, "--json", "new", 3, &err), 0, "%s", err.line);
	umask(mask);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640u);
}

Test(record, a_link_is_followed)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "%s/link.json", folder);
	put(path, "old");
	cr_assert_eq(symlink("out.json", link), 0);
	cr_expect_eq(whole_file_write(link, "--json", "new", 3, &err), 0, "%s", err.line);
	expect_content(path, "new");
	cr_assert_eq(lstat(link, &st), 0);
	cr_expect(S_ISLNK(st.st_mode));
}

/*
 * Streams are pipes of the test's own, never /dev/null or /dev/full: a test that fails as root
 * would replace them for everybody.
 */
static int make_pipe(const char *file)
{
	int reader;

	cr_assert_eq(mkfifo(file, 0600), 0);
	reader = open(file, O_RDONLY | O_NONBLOCK);
	cr_assert_geq(reader, 0);
	return reader;
}

Test(record, a_pipe_is_written_to_and_stays)
{
	int reader = make_pipe(path);
	char content[8] = "";
	struct stat st;

	cr_expect(whole_file_is_stream(path));
	cr_expect_eq(whole_file_probe(path, "--json", &err), 0, "%s", err.line);
	cr_expect_eq(whole_file_write(path, "--json", "new", 3, &err), 0, "%s", err.line);
	cr_expect_eq(read(reader, content, sizeof(content) - 1), 3);
	cr_expect_str_eq(content, "new");
	cr_assert_eq(stat(path, &st), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	close(reader);
	cr_expect_eq(finish_folder(), 1);
}

Test(record, a_stream_that_takes_only_a_part_is_an_error)
{
	static const char data[1 << 17]; /* twice a pipe's capacity, see pipe(7) */
	int reader = make_pipe(path);
	int writer = open(path, O_WRONLY | O_NONBLOCK);

	cr_assert_geq(writer, 0);
	cr_expect_eq(write_all(writer, data, sizeof(data)), EAGAIN);
	signal(SIGPIPE, SIG_IGN);
	close(reader);
	cr_expect_eq(write_all(writer, data, sizeof(data)), EPIPE);
	cr_expect_eq(write_error(&err, "--json", "p", EPIPE), -1);
	cr_expect_eq(err.status, 7);
	cr_expect_str_eq(err.line,
			 "--json: can't write p: Broken pipe; give a path that can be written");
	close(writer);
}

static void interrupt(int signal)
{
	(void)signal;
}

/* Reads @length bytes slowly in another process, which ends with 0 where they are @data. */
static pid_t fork_slow_reader(int reader, const char *data, size_t length)
{
	pid_t child = fork();

	cr_assert_geq(child, 0);
	if (child)
		return child;
	usleep(50000); /* meanwhile the pipe is full, and nothing at all gets written */
	for (size_t i = 0; i < length;) {
		char content[4096];
		ssize_t got;

		usleep(1000);
		got = read(reader, content, sizeof(content));
		if (got <= 0 || memcmp(content, data + i, (size_t)got) != 0)
			_exit(1);
		i += (size_t)got;
	}
	_exit(0);
}

Test(record, a_write_that_is_interrupted_goes_on_where_it_was)
{
	static char data[1 << 18];
	const struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
	const struct itimerval every_5_ms = {{0, 5000}, {0, 5000}};
	const struct itimerval never = {{0, 0}, {0, 0}};
	int ends[2], status;
	pid_t child;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i % 251);
	cr_assert_eq(pipe(ends), 0);
	child = fork_slow_reader(ends[0], data, sizeof(data));
	close(ends[0]); /* a reader that gives up is to be noticed */
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &every_5_ms, NULL), 0);
	cr_expect_eq(write_all(ends[1], data, sizeof(data)), 0);
	cr_assert_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0, "the reader saw other bytes");
}

Test(record, what_cannot_be_written_is_said_before_and_after)
{
	static const struct {
		const char *tail;
		const char *reason;
	} rows[] = {
		{"", "Is a directory"},		{"/", "Is a directory"},
		{"/new/", "Is a directory"},	{"/missing/x", "No such file or directory"},
		{"/file/x", "Not a directory"},
	};
	char file[80], line[160];

	snprintf(file, sizeof(file), "%s/file", folder);
	put(file, "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(file, sizeof(file), "%s%s", folder, rows[i].tail);
		snprintf(line, sizeof(line),
			 "--json: can't write %s: %s; give a path that can be written", file,
			 rows[i].reason);
		err = (struct error){0};
		cr_expect_eq(whole_file_probe(file, "--json", &err), -1);
		cr_expect_str_eq(err.line, line);
		cr_expect_eq(err.status, 7);
		err = (struct error){0};
		cr_expect_eq(whole_file_write(file, "--json", "x", 1, &err), -1);
		cr_expect_str_eq(err.line, line);
	}
	cr_expect_eq(whole_file_probe("", "--json", &err), -1);
	cr_expect_eq(whole_file_probe(path, "--json", &err), 0, "%s", err.line);
	cr_expect_eq(finish_folder(), 1, "the probe left something behind");
}

/* No file may grow beyond @bytes from now on, as on a disk that is full. */
static void fill_disk(rlim_t bytes)
{
	const struct rlimit limit = {bytes, bytes};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(record, a_full_disk_leaves_what_was_there)
{
	struct record *record;

	make_config(VERB_SOAK);
	record = record_new(&config);
	put(path, "old");
	fill_disk(1000);
	err = (struct error){0};
	cr_expect_eq(record_write(record, path, &err), -1);
	cr_expect_eq(err.status, 7);
	cr_expect_not_null(strstr(err.line, "File too large"), "%s", err.line);
	expect_content(path, "old");
	cr_expect_eq(finish_folder(), 1, "something half-written stayed behind");
	record_free(record);
}

Test(record, lines_stand_beside_the_document)
{
	const struct counter counters[] = {{"pgfault", 12}, {"op_exec", UINT64_MAX}};
	struct record_lines lines;
	char lines_path[80];

	cr_assert_eq(record_lines_open(&lines, path, &err), 0, "%s", err.line);
	cr_expect_eq(record_lines_add(&lines, 0.5, 0, counters, 2, &err), 0);
	cr_expect_eq(record_lines_add(&lines, NAN, 1, counters, 0, &err), 0);
	/* A reader that follows the file sees the lines before it is closed. */
	snprintf(lines_path, sizeof(lines_path), "%sl", path);
	expect_content(lines_path,
		       "{\"elapsed_s\":0.5,\"violations\":0,\"counters\":{\"pgfault\":12,"
		       "\"op_exec\":9223372036854775807}}\n"
		       "{\"elapsed_s\":null,\"violations\":1,\"counters\":{}}\n");
	cr_expect_eq(record_lines_close(&lines, &err), 0);
	cr_expect_eq(record_lines_close(&lines, &err), 0);
	cr_expect_eq(finish_folder(), 1);
}

Test(record, lines_of_other_names_get_a_suffix)
{
	struct record_lines lines;

	snprintf(path, sizeof(path), "%s/out.txt", folder);
	cr_assert_eq(record_lines_open(&lines, path, &err), 0, "%s", err.line);
	cr_expect_eq(record_lines_close(&lines, &err), 0);
	strcat(path, ".jsonl");
	expect_content(path, "");
	cr_expect_eq(finish_folder(), 1);
}

Test(record, a_stream_has_no_lines)
{
	struct record_lines lines;
	int reader = make_pipe(path);

	cr_assert_eq(record_lines_open(&lines, path, &err), 0, "%s", err.line);
	cr_expect_eq(lines.fd, -1);
	cr_expect_eq(record_lines_add(&lines, 1, 0, NULL, 0, &err), 0);
	cr_expect_eq(record_lines_close(&lines, &err), 0);
	close(reader);
	cr_expect_eq(finish_folder(), 1, "a file stands beside the pipe");
	cr_assert_eq(record_lines_open(&lines, "", &err), 0);
	cr_expect_eq(lines.fd, -1);
}

Test(record, lines_that_cannot_be_written_are_removed)
{
	const struct counter counters[] = {{"pgfault", 12}};
	struct record_lines lines;

	cr_assert_eq(record_lines_open(&lines, path, &err), 0, "%s", err.line);
	fill_disk(100);
	cr_expect_eq(record_lines_add(&lines, 0.5, 0, counters, 1, &err), 0, "%s", err.line);
	err = (struct error){0};
	cr_expect_eq(record_lines_add(&lines, 1.5, 0, counters, 1, &err), -1);
	cr_expect_eq(err.status, 7);
	cr_expect_eq(finish_folder(), 0, "something half-written stayed behind");
	cr_expect_eq(record_lines_close(&lines, &err), 0);
}

Test(record, lines_never_write_over_a_folder)
{
	struct record_lines lines;
	char lines_path[80];

	snprintf(lines_path, sizeof(lines_path), "%sl", path);
	cr_assert_eq(mkdir(lines_path, 0755), 0);
	cr_expect_eq(record_lines_open(&lines, path, &err), -1);
	cr_expect_eq(err.status, 7);
	cr_expect_eq(record_lines_close(&lines, &err), 0);
}

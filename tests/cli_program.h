// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The real program, run as a person would, for tests of the command line.
 *
 * cli_setup() finds the program ($MMTORTURE, relative to where tests start) and the test data, and
 * goes into an empty directory of the test's own; cli_teardown() removes it. cli_run() runs a
 * command to its end; cli_start() and cli_wait() leave room to send it a signal. Output goes to
 * files, so that no pipe can fill up, and is read when the program has ended.
 *
 * Each Criterion test is a process of its own: the state here is that test's.
 */
#ifndef TESTS_CLI_PROGRAM_H
#define TESTS_CLI_PROGRAM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw; so this header comes first */
#endif

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <jansson.h>

#define CLI_ARGS_MAX 32
/* How often a running program's output is looked at, and how many times. */
#define CLI_POLL_MS 10
#define CLI_POLLS 6000

/* Schedules until a planted bug of these tests must have been found; more than ten times what is
 * needed. The sanitizers' builds are some twenty times slower, and find the same ones. */
#define CLI_SCHEDULES "5000"

struct cli_result {
	int status; /* exit status; of a program that a signal ended, the signal's negative */
	char *out, *err;
};

static char cli_program[PATH_MAX], cli_root[PATH_MAX], cli_directory[PATH_MAX];
static const char *cli_stdout; /* where stdout goes instead of the file; NULL: the file */
static rlim_t cli_file_size;   /* the largest file that the program may write; 0: no limit */

static void cli_setup(void)
{
	const char *program = getenv("MMTORTURE");
	const char *tmp = getenv("TEST_TMPDIR");

	cr_assert(program, "MMTORTURE must name the program");
	cr_assert(realpath(program, cli_program), "%s: %s", program, strerror(errno));
	cr_assert(getcwd(cli_root, sizeof(cli_root)));
	snprintf(cli_directory, sizeof(cli_directory), "%s/cli-XXXXXX", tmp ? tmp : "/tmp");
	cr_assert(mkdtemp(cli_directory));
	cr_assert_eq(chdir(cli_directory), 0);
	/* Relative paths are to be those of the test's directory. */
	unsetenv("BUILD_WORKING_DIRECTORY");
}

static int cli_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void cli_teardown(void)
{
	cr_expect_eq(chdir(cli_root), 0);
	nftw(cli_directory, cli_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file's text, to be freed; NULL where there is none. */
static __attribute__((unused)) char *cli_text(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = NULL;
	size_t size = 0;
	ssize_t got;

	if (!in)
		return NULL;
	got = getdelim(&text, &size, '\0', in);
	fclose(in);
	if (got < 0) {
		free(text);
		return strdup("");
	}
	return text;
}

static __attribute__((unused)) void cli_write(const char *path, const char *text)
{
	FILE *out = fopen(path, "wb");

	cr_assert(out, "%s: %s", path, strerror(errno));
	fputs(text, out);
	cr_assert_eq(fclose(out), 0);
}

static __attribute__((noreturn)) void cli_child(char *const argv[])
{
	int out = open(cli_stdout ? cli_stdout : ".out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int err = open(".err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int in = open("/dev/null", O_RDONLY);
	struct rlimit limit = {cli_file_size, cli_file_size};

	/* A test that is stopped takes its program with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (cli_file_size)
		setrlimit(RLIMIT_FSIZE,
			  &limit); /* a write that is too much fails, as on a full disk */
	execv(cli_program, argv);
	_exit(127);
}

/* Starts the program with the words of @line, which single spaces separate. */
static pid_t cli_start(const char *line)
{
	char *words = strdup(line), *argv[CLI_ARGS_MAX + 2] = {cli_program}, *rest = words;
	int argc = 1;
	pid_t pid;

	while (rest && *rest) {
		cr_assert_leq(argc, CLI_ARGS_MAX);
		argv[argc++] = strsep(&rest, " ");
	}
	fflush(NULL);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		cli_child(argv);
	free(words);
	return pid;
}

static struct cli_result cli_wait(pid_t pid)
{
	struct cli_result r;
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	r.out = cli_stdout ? strdup("") : cli_text(".out");
	r.err = cli_text(".err");
	cr_assert(r.out && r.err);
	unlink(".out");
	unlink(".err");
	return r;
}

static struct cli_result cli_run(const char *line)
{
	return cli_wait(cli_start(line));
}

static void cli_free(struct cli_result *r)
{
	free(r->out);
	free(r->err);
}

/* Waits until the running program has written @what to @path (".out" or ".err"). */
static __attribute__((unused)) void cli_await(const char *path, const char *what)
{
	const struct timespec pause = {.tv_nsec = CLI_POLL_MS * 1000000L};

	for (int i = 0; i < CLI_POLLS; i++) {
		char *text = cli_text(path);
		bool there = text && strstr(text, what);

		free(text);
		if (there)
			return;
		nanosleep(&pause, NULL);
	}
	cr_assert_fail("the program never wrote \"%s\"", what);
}

/* The last line of @text, without its newline, to be freed. */
static __attribute__((unused)) char *cli_last_line(const char *text)
{
	size_t end = strlen(text), start;

	while (end && text[end - 1] == '\n')
		end--;
	start = end;
	while (start && text[start - 1] != '\n')
		start--;
	return strndup(text + start, end - start);
}

/* The line of @text that begins with @start, to be freed; NULL where there is none. */
static __attribute__((unused)) char *cli_line(const char *text, const char *start)
{
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		if (!strncmp(line, start, strlen(start)))
			return strndup(line, length);
		line += length + (line[length] == '\n');
	}
	return NULL;
}

static __attribute__((unused)) void cli_expect_line(const char *text, const char *start)
{
	char *line = cli_line(text, start);

	cr_expect(line, "no line begins with \"%s\" in: %s", start, text);
	free(line);
}

/* The JSON document at @path, to be released. */
static __attribute__((unused)) json_t *cli_json(const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	cr_assert(root, "%s:%d: %s", path, error.line, error.text);
	return root;
}

/* The text at @key, "" where there is none. */
static __attribute__((unused)) const char *cli_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static __attribute__((unused)) json_int_t cli_counter(const json_t *root, const char *name)
{
	json_t *value = json_object_get(json_object_get(root, "counters"), name);

	cr_assert(json_is_integer(value), "counter %s is missing", name);
	return json_integer_value(value);
}

/* What every document has, whatever the verb (stress/record.h). */
static __attribute__((unused)) void cli_check_json(const json_t *root, const char *verb,
						   const char *verdict)
{
	cr_expect(*cli_string(root, "version"));
	cr_expect_str_eq(cli_string(root, "verb"), verb);
	cr_expect_gt(json_array_size(json_object_get(root, "command")), 1u);
	cr_expect_str_eq(json_string_value(json_array_get(json_object_get(root, "command"), 1)),
			 verb);
	cr_expect(*cli_string(root, "seed"));
	cr_expect_eq(strspn(cli_string(root, "seed"), "0123456789"),
		     strlen(cli_string(root, "seed")));
	cr_expect(json_is_object(json_object_get(root, "config")));
	cr_expect(json_is_number(json_object_get(root, "elapsed_s")));
	cr_expect_str_eq(cli_string(root, "verdict"), verdict);
	cr_expect(json_is_object(json_object_get(root, "counters")));
	cr_expect(json_is_array(json_object_get(root, "violations")));
	cr_expect(json_is_array(json_object_get(root, "bench")));
}

#endif

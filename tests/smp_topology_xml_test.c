// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptions of machines that are no good: each is refused with one line that names the file,
 * nothing is printed, nothing crashes, nothing is left behind.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smp/topology.h"
#include "tests/topology_machines.h"

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *out = fopen(path, "w");

	cr_assert_not_null(out);
	cr_assert_eq(fwrite(text, 1, len, out), len);
	cr_assert_eq(fclose(out), 0);
}

static char *read_file(const char *path, size_t *len)
{
	FILE *in = fopen(path, "r");
	struct stat st;
	char *text;

	cr_assert_not_null(in, "%s", path);
	cr_assert_eq(fstat(fileno(in), &st), 0);
	text = malloc((size_t)st.st_size + 1);
	*len = fread(text, 1, (size_t)st.st_size, in);
	text[*len] = 0;
	fclose(in);
	return text;
}

static char *temporary_folder(char *path)
{
	const char *parent = getenv("TEST_TMPDIR");

	snprintf(path, PATH_LEN, "%s/topology.XXXXXX", parent ? parent : "/tmp");
	cr_assert_not_null(mkdtemp(path));
	return path;
}

static unsigned nr_open_files(void)
{
	unsigned count = 0;
	DIR *folder = opendir("/proc/self/fd");

	cr_assert_not_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/*
 * Load @path, with nothing said but by @err: not a byte on stderr, no file left open, no child
 * left behind.
 */
static struct topology *load_quietly(const char *path, struct topology_error *err)
{
	unsigned open_before = nr_open_files();
	int saved = dup(STDERR_FILENO);
	int quiet = memfd_create("stderr", 0);
	struct topology *topology;
	struct stat st;

	cr_assert(saved >= 0 && quiet >= 0 && dup2(quiet, STDERR_FILENO) >= 0);
	topology = topology_load(path, err);
	dup2(saved, STDERR_FILENO);
	cr_assert_eq(fstat(quiet, &st), 0);
	cr_expect_eq(st.st_size, 0, "%s: something was printed", path);
	close(saved);
	close(quiet);
	cr_expect_eq(nr_open_files(), open_before, "%s: a file stays open", path);
	cr_expect(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "%s: a child is left", path);
	return topology;
}

static void expect_refusal(const char *path, int code, const char *reason)
{
	struct topology_error err;
	struct topology *topology = load_quietly(path, &err);

	cr_assert_null(topology, "%s was accepted", path);
	cr_expect_eq(err.code, code, "%s: code %d", path, err.code);
	cr_expect_eq(strncmp(err.message, path, strlen(path)), 0, "'%s' names no file",
		     err.message);
	cr_expect_not_null(strstr(err.message, reason), "'%s' does not say '%s'", err.message,
			   reason);
	cr_expect_null(strchr(err.message, '\n'));
}

Test(topology_xml, refuses_files_that_are_no_description)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
		const char *reason;
	} files[] = {
		{"", 0, "is empty"},
		{"\x7f"
		 "ELF\x02\x01\x01\0\0\0",
		 10, "byte 7 is NUL"},
		{"\x89PNG\r\n\x1a\n", 0, "is not XML"},
		{"hello\n", 0, "is not XML"},
		{"<", 0, "the root element is <>"},
		{"<?xml", 0, "is not XML"},
		{"<?xml version=\"1.0\"?>\n<!-- <topology> -->\n<svg/>\n", 0,
		 "line 3: the root element is <svg>"},
		{"<topology>", 0, "line 1: ends without </topology>"},
		{"<topologyx></topologyx>", 0, "the root element is <topologyx>"},
		{"<topology version=\"2.0\">\n  <object type=\"Mach", 0,
		 "line 2: ends without </topology>"},
		{"<topology version=\"2.0\"></topology>", 0, "no processing unit"},
		{"<topology version=\"2.0\"><object type=\"PU\"/></topology>", 0, "cannot be used"},
		{"<topology version=\"9.0\"><object type=\"PU\"/></topology>", 0, "version 9.0"},
	};
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/machine.xml", temporary_folder(folder));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		write_file(path, files[i].text,
			   files[i].len ? files[i].len : strlen(files[i].text));
		expect_refusal(path, -EINVAL, files[i].reason);
	}
	unlink(path);
	rmdir(folder);
}

Test(topology_xml, refuses_what_is_no_file)
{
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];

	temporary_folder(folder);
	expect_refusal(folder, -EINVAL, "is a directory");
	snprintf(path, sizeof(path), "%s/fifo", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_refusal(path, -EINVAL, "not a regular file");
	unlink(path);
	expect_refusal("/dev/zero", -EINVAL, "not a regular file");
	expect_refusal(path, -ENOENT, "No such file");
	rmdir(folder);
	cr_expect_null(topology_load("/nonexistent", NULL));
}

Test(topology_xml, refuses_an_unreadable_file)
{
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];

	snprintf(path, sizeof(path), "%s/secret", temporary_folder(folder));
	write_file(path, "<topology/>", 11);
	cr_assert_eq(chmod(path, 0), 0);
	if (geteuid() == 0) {
		/* Root reads everything: be nobody, who may come here but not read. */
		cr_assert_eq(chmod(folder, 0755), 0);
		cr_assert_eq(seteuid(65534), 0);
	}
	expect_refusal(path, -EACCES, "Permission denied");
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
	unlink(path);
	rmdir(folder);
}

Test(topology_xml, names_the_environment_that_hides_the_host)
{
	struct topology_error err;

	setenv("HWLOC_SYNTHETIC", "pu:2", 1);
	cr_expect_null(topology_load(NULL, &err));
	cr_expect_eq(err.code, -EINVAL);
	cr_expect_not_null(strstr(err.message, "HWLOC_SYNTHETIC"));
	unsetenv("HWLOC_SYNTHETIC");
}

Test(topology_xml, control_characters_do_not_break_the_line)
{
	struct topology_error err;

	cr_expect_null(topology_load("no\nsuch\033file", &err));
	cr_expect_eq(strncmp(err.message, "no?such?file: ", 14), 0, "%s", err.message);
	cr_expect_null(topology_load("", &err));
	cr_expect_eq(strncmp(err.message, "'': ", 4), 0, "%s", err.message);
}

Test(topology_xml, refuses_every_truncation)
{
	char original[PATH_LEN];
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];
	struct topology_error err;
	size_t len;
	char *text = read_file(data_path("hybrid_odd.xml", original), &len);

	snprintf(path, sizeof(path), "%s/machine.xml", temporary_folder(folder));
	/* The last two bytes are the > of </topology> and a newline, which nobody would miss. */
	for (size_t cut = 0; cut < len - 1; cut += cut + 50 < len ? 41 : 1) {
		write_file(path, text, cut);
		cr_assert_null(load_quietly(path, &err), "cut at %zu of %zu", cut, len);
		cr_expect_eq(err.code, -EINVAL);
	}
	free(text);
	unlink(path);
	rmdir(folder);
}

/* The text with each @from replaced by @to. */
static char *replaced(const char *text, const char *from, const char *to)
{
	char *out = NULL;
	size_t len = 0;
	FILE *stream = open_memstream(&out, &len);
	const char *hit;

	cr_assert_not_null(stream);
	for (; (hit = strstr(text, from)) != NULL; text = hit + strlen(from)) {
		fwrite(text, 1, (size_t)(hit - text), stream);
		fputs(to, stream);
	}
	fputs(text, stream);
	fclose(stream);
	return out;
}

Test(topology_xml, refuses_descriptions_that_contradict_themselves)
{
	static const struct {
		const char *from, *to, *reason;
	} edits[] = {
		{"type=\"Core\"", "type=\"Kore\"", "Kore"},
		{"type=\"PU\" os_index=\"33\"", "type=\"PU\" os_index=\"32\"", "os_index 32"},
		/* Taken at its word, this asks for 512 MB in each of hwloc's sets: no room. */
		{"type=\"PU\" os_index=\"33\"", "type=\"PU\" os_index=\"4000000000\"", ""},
		{"</object>\n  <cpukind", "<cpukind", "line "},
		/* hwloc 2.9.0 dereferences a null pointer over this one. */
		{"complete_cpuset=", "complete_zpuset=", ""},
		{"type=\"NUMANode\"", "type=\"Misc\"", ""},
	};
	char original[PATH_LEN];
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];
	size_t len;
	char *text = read_file(data_path("hybrid_odd.xml", original), &len);

	snprintf(path, sizeof(path), "%s/machine.xml", temporary_folder(folder));
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		char *edited = replaced(text, edits[i].from, edits[i].to);

		cr_assert_str_neq(edited, text, "edit %zu changes nothing", i);
		write_file(path, edited, strlen(edited));
		expect_refusal(path, -EINVAL, edits[i].reason);
		free(edited);
	}
	free(text);
	unlink(path);
	rmdir(folder);
}

Test(topology_xml, accepts_other_ways_to_write_it)
{
	char original[PATH_LEN];
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];
	struct topology_error err;
	struct topology *topology;
	size_t len;
	char *text = read_file(data_path("hybrid_odd.xml", original), &len);
	/* Another writer's quotes, a newer hwloc's attribute, a comment first. */
	char *edited = replaced(text, "type=\"PU\"", "type='PU' of_tomorrow='1'");
	char *commented = replaced(edited, "<!DOCTYPE", "<!-- <svg> --><!DOCTYPE");

	snprintf(path, sizeof(path), "%s/machine.xml", temporary_folder(folder));
	write_file(path, commented, strlen(commented));
	topology = load_quietly(path, &err);
	cr_assert_not_null(topology, "%s", err.message);
	cr_expect_eq(topology_emulated(topology).nr_pus, 14);
	topology_destroy(topology);
	free(commented);
	free(edited);
	free(text);
	unlink(path);
	rmdir(folder);
}

/* A step of Knuth's MMIX generator, for the same damage in every run. */
static unsigned next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*state >> 33);
}

Test(topology_xml, survives_damaged_descriptions)
{
	static const char likely[] = "0123456789abcdefx<>\"=/ ";
	uint64_t state = 20140330; /* v3.14 */
	char original[PATH_LEN];
	char folder[PATH_LEN];
	char path[PATH_LEN + 16];
	unsigned refused = 0;
	size_t len;
	char *text = read_file(data_path("hybrid_odd.xml", original), &len);
	char *damaged = malloc(len);

	snprintf(path, sizeof(path), "%s/machine.xml", temporary_folder(folder));
	for (int round = 0; round < 150; round++) {
		struct topology_error err;
		struct topology *topology;

		memcpy(damaged, text, len);
		for (unsigned hits = 1 + next_random(&state) % 3; hits; hits--)
			damaged[next_random(&state) % len] =
				likely[next_random(&state) % (sizeof(likely) - 1)];
		write_file(path, damaged, len);
		topology = load_quietly(path, &err);
		if (topology) {
			release(topology, place(topology, 64));
			continue;
		}
		refused++;
		cr_expect_neq(err.code, 0);
		cr_expect_null(strchr(err.message, '\n'));
	}
	cr_expect_gt(refused, 50);
	cr_expect_lt(refused, 150);
	free(damaged);
	free(text);
	unlink(path);
	rmdir(folder);
}

Test(topology_xml, loads_where_sigchld_is_ignored)
{
	signal(SIGCHLD, SIG_IGN);
	topology_destroy(load("two_socket_smt.xml", NULL));
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/jobpath.h"

#include "engine/types.h"
#include "stress/group.h"
#include "stress/options.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char built_in_name[] = "default";
static const char built_in_label[] = "the built-in default.ini";
static const char suffix[] = ".ini";
/* The jobs of the planted bugs (bug_catalog.h), in a folder below the others. */
static const char bugs_prefix[] = "bugs/";
static const char bugs_folder[] = "/bugs";
/* The folder of the jobs in a runfiles tree; the first part is the workspace's name. */
static const char runfiles_jobs[] = "mmtorture/stress/jobs";

/* Far more than will ever be shipped. */
#define SHIPPED_MAX 128

/* The names of the jobs in a folder. */
struct shipped_jobs {
	char folder[CONFIG_PATH_SIZE];
	char *names[SHIPPED_MAX];
	size_t nr;
};

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Whether BASE + MIDDLE + TAIL is a folder; then its path is in @folder. */
static bool folder_exists(char *folder, const char *base, const char *middle, const char *tail)
{
	int length = snprintf(folder, CONFIG_PATH_SIZE, "%s%s%s", base, middle, tail);

	return length > 0 && length < CONFIG_PATH_SIZE && is_folder(folder);
}

static bool find_folder(char *folder)
{
	const char *runfiles = getenv("RUNFILES_DIR");
	const char *test_runfiles = getenv("TEST_SRCDIR");
	char program[CONFIG_PATH_SIZE];
	ssize_t length;
	char *slash;

	if (runfiles && folder_exists(folder, runfiles, "/", runfiles_jobs))
		return true;
	if (test_runfiles && folder_exists(folder, test_runfiles, "/", runfiles_jobs))
		return true;
	length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (length <= 0)
		return false;
	program[length] = '\0';
	if (folder_exists(folder, program, ".runfiles/", runfiles_jobs))
		return true;
	slash = strrchr(program, '/');
	if (!slash)
		return false;
	*slash = '\0';
	return folder_exists(folder, program, "/", "jobs") ||
	       folder_exists(folder, program, "/", "stress/jobs");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_suffix(const char *name)
{
	size_t length = strlen(name);
	size_t suffix_length = sizeof(suffix) - 1;

	return length > suffix_length && !strcmp(name + length - suffix_length, suffix);
}

/* Adds @name unless it is there; names that don't fit in memory or number are left out. */
static void add_name(struct shipped_jobs *jobs, const char *name, size_t length)
{
	for (size_t i = 0; i < jobs->nr; i++) {
		if (strlen(jobs->names[i]) == length && !memcmp(jobs->names[i], name, length))
			return;
	}
	if (jobs->nr == SHIPPED_MAX)
		return;
	jobs->names[jobs->nr] = strndup(name, length);
	jobs->nr += jobs->names[jobs->nr] != NULL;
}

/* @below: "", or a folder of the shipped jobs' with a slash before its name. */
static void shipped_read(struct shipped_jobs *jobs, const char *below)
{
	const struct dirent *entry;
	size_t used;
	DIR *dir;

	jobs->nr = 0;
	jobs->folder[0] = '\0';
	if (!below[0])
		add_name(jobs, built_in_name, strlen(built_in_name));
	if (!find_folder(jobs->folder))
		return;
	used = strlen(jobs->folder);
	snprintf(jobs->folder + used, sizeof(jobs->folder) - used, "%s", below);
	dir = opendir(jobs->folder);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (has_suffix(entry->d_name))
			add_name(jobs, entry->d_name, strlen(entry->d_name) - strlen(suffix));
	}
	closedir(dir);
	qsort(jobs->names, jobs->nr, sizeof(jobs->names[0]), compare_names);
}

static void shipped_free(struct shipped_jobs *jobs)
{
	for (size_t i = 0; i < jobs->nr; i++)
		free(jobs->names[i]);
}

/* The file's name without folder and suffix, with what a name may not have made '_'. */
static void name_of_path(const char *path, char *name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	if (has_suffix(base))
		length -= sizeof(suffix) - 1;
	length = min(length, (size_t)JOB_NAME_SIZE - 1);
	for (size_t i = 0; i < length; i++) {
		char letter[2] = {base[i], '\0'};

		name[i] = group_name_valid(letter) ? base[i] : '_';
	}
	name[length] = '\0';
}

static int locate_shipped(const char *given, const char *below, struct job_location *location,
			  struct error *err)
{
	char hint[NEAREST_HINT_SIZE];
	struct shipped_jobs jobs;
	struct name_list list = {"shipped job", NULL, 0};
	int ret = 0;

	shipped_read(&jobs, below);
	list.names = (const char *const *)jobs.names;
	list.nr = jobs.nr;
	if (name_list_find(&list, given) >= 0) {
		int length = snprintf(location->path, sizeof(location->path), "%s/%s%s",
				      jobs.folder, given, suffix);

		name_of_path(given, location->name);
		if (length < 0 || (size_t)length >= sizeof(location->path))
			ret = error_input(err,
					  "--job: the path of %s is too long; move the "
					  "program up",
					  given);
	} else if (jobs.folder[0]) {
		ret = error_input(err,
				  "--job: \"%.60s\" is no shipped job, and a file's name would end "
				  "in .ini; %s",
				  given, nearest_hint(&list, given, hint, sizeof(hint)));
	} else {
		ret = error_input(err,
				  "--job: \"%.60s\" can't be looked up: the shipped jobs are "
				  "neither in the program's runfiles nor in jobs/ beside it; give "
				  "--job FILE.ini",
				  given);
	}
	shipped_free(&jobs);
	return ret;
}

int jobpath_locate(const char *given, const char *directory, struct job_location *location,
		   struct error *err)
{
	*location = (struct job_location){0};
	if (given[0] == '\0')
		return error_input(err,
				   "--job: is empty; give the name of a shipped job or a file");
	if (!strncmp(given, bugs_prefix, sizeof(bugs_prefix) - 1) && !has_suffix(given))
		return locate_shipped(given + sizeof(bugs_prefix) - 1, bugs_folder, location, err);
	if (strchr(given, '/') || has_suffix(given)) {
		name_of_path(given, location->name);
		return path_resolve(location->path, sizeof(location->path), directory, given,
				    "--job", err);
	}
	if (!strcmp(given, built_in_name)) {
		location->built_in = true;
		snprintf(location->path, sizeof(location->path), "%s", built_in_label);
		snprintf(location->name, sizeof(location->name), "%s", built_in_name);
		return 0;
	}
	return locate_shipped(given, "", location, err);
}

void jobpath_list(FILE *out)
{
	struct shipped_jobs jobs;

	shipped_read(&jobs, "");
	for (size_t i = 0; i < jobs.nr; i++)
		fprintf(out, "  %s\n", jobs.names[i]);
	shipped_free(&jobs);
}

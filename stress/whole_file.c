// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/whole_file.h"

#include "stress/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary files of killed processes whose pid comes around again are stepped over. */
#define TEMPORARY_TRIES 100
/* What open() gives a new file before the umask. */
#define NEW_FILE_MODE 0666

/* A file on its way to its target. */
struct temporary {
	char target[PATH_MAX]; /* links followed */
	char path[PATH_MAX];
	int fd;
};

int write_error(struct error *err, const char *option, const char *path, int error)
{
	return error_set(err, VERDICT_UNTRUSTWORTHY,
			 "%s: can't write %.400s: %s; give a path that can be written", option,
			 path, strerror(error));
}

int write_all(int fd, const void *data, size_t length)
{
	const char *rest = data;

	while (length) {
		ssize_t written = write(fd, rest, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return errno;
		if (written == 0)
			return ENOSPC;
		rest += written;
		length -= (size_t)written;
	}
	return 0;
}

bool whole_file_is_stream(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int write_stream(const char *path, const void *data, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno;
	error = write_all(fd, data, length);
	if (close(fd) && !error)
		error = errno;
	return error;
}

/* Syncing is no question for what can't be synced (EINVAL, fsync(2)). */
static int sync_fd(int fd)
{
	return fsync(fd) && errno != EINVAL ? errno : 0;
}

static int folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');
	int length;

	if (!slash)
		length = snprintf(folder, size, ".");
	else if (slash == path)
		length = snprintf(folder, size, "/");
	else
		length = snprintf(folder, size, "%.*s", (int)(slash - path), path);
	return length < 0 || (size_t)length >= size ? ENAMETOOLONG : 0;
}

/* Makes the temporary file for @path. Returns 0, or the errno with nothing left behind. */
static int temporary_open(struct temporary *temporary, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	bool exists = !stat(path, &st);
	int error = 0;

	if (path[0] == '\0')
		return ENOENT;
	if (strlen(path) >= sizeof(temporary->target))
		return ENAMETOOLONG;
	if ((exists && S_ISDIR(st.st_mode)) || path[strlen(path) - 1] == '/')
		return EISDIR;
	if (!exists)
		memcpy(temporary->target, path, strlen(path) + 1);
	else if (!realpath(path, temporary->target))
		return errno;
	error = folder_of(temporary->target, folder, sizeof(folder));
	if (error)
		return error;
	for (int i = 0; i < TEMPORARY_TRIES; i++) {
		int length = snprintf(temporary->path, sizeof(temporary->path),
				      "%s/.mmtorture.%ld.%d.tmp", folder, (long)getpid(), i);

		if (length < 0 || (size_t)length >= sizeof(temporary->path))
			return ENAMETOOLONG;
		temporary->fd = open(temporary->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				     NEW_FILE_MODE);
		if (temporary->fd >= 0 || errno != EEXIST)
			break;
	}
	if (temporary->fd < 0)
		return errno;
	if (exists && fchmod(temporary->fd, st.st_mode & 07777)) {
		error = errno;
		close(temporary->fd);
		unlink(temporary->path);
	}
	return error;
}

/* Renames the complete file onto its target. Returns 0, or the errno. */
static int temporary_rename(const struct temporary *temporary)
{
	char folder[PATH_MAX];
	int fd, error;

	if (rename(temporary->path, temporary->target))
		return errno;
	error = folder_of(temporary->target, folder, sizeof(folder));
	if (error)
		return error;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A folder that may be written but not read can't be synced; the file is there. */
	if (fd < 0)
		return 0;
	error = sync_fd(fd);
	close(fd);
	return error;
}

int whole_file_write(const char *path, const char *option, const void *data, size_t length,
		     struct error *err)
{
	struct temporary temporary = {.fd = -1};
	int error;

	if (whole_file_is_stream(path)) {
		error = write_stream(path, data, length);
		return error ? write_error(err, option, path, error) : 0;
	}
	error = temporary_open(&temporary, path);
	if (error)
		return write_error(err, option, path, error);
	error = write_all(temporary.fd, data, length);
	if (!error)
		error = sync_fd(temporary.fd);
	if (close(temporary.fd) && !error)
		error = errno;
	if (!error)
		error = temporary_rename(&temporary);
	if (!error)
		return 0;
	unlink(temporary.path);
	return write_error(err, option, path, error);
}

int whole_file_probe(const char *path, const char *option, struct error *err)
{
	struct temporary temporary = {.fd = -1};
	int error;

	if (whole_file_is_stream(path))
		return access(path, W_OK) ? write_error(err, option, path, errno) : 0;
	error = temporary_open(&temporary, path);
	if (error)
		return write_error(err, option, path, error);
	close(temporary.fd);
	unlink(temporary.path);
	return 0;
}

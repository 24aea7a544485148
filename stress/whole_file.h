// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that appear whole or not at all.
 *
 * The content goes to a temporary file in the folder of the target, is synced, and renamed onto
 * the target; then the folder is synced. On any failure the temporary file is removed and what
 * stood at the target stays. A symbolic link is followed. A target that exists and is no regular
 * file (a pipe, /dev/stdout) can't be replaced and is written to. The permissions of a file that
 * is replaced are kept; a new one gets what the umask leaves.
 *
 * No state, no locks; two writers of one target don't disturb each other, the last one wins.
 * Errors: status 7, and a line that begins with the option that named the file.
 */
#ifndef STRESS_WHOLE_FILE_H
#define STRESS_WHOLE_FILE_H

#include "stress/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes @length bytes at @data as the file @path, which @option asked for ("--json"). */
int whole_file_write(const char *path, const char *option, const void *data, size_t length,
		     struct error *err);

/*
 * Finds out before a long run whether whole_file_write() will get anywhere: makes a temporary file
 * and removes it.
 */
int whole_file_probe(const char *path, const char *option, struct error *err);

/* Whether @path exists and is something that can only be written to, not replaced. */
bool whole_file_is_stream(const char *path);

/* Writes all of @data to @fd. Returns 0, or the errno. */
int write_all(int fd, const void *data, size_t length);

/* Fills @err for a failed write to @path: status 7. Returns -1. */
int write_error(struct error *err, const char *option, const char *path, int error);

#endif

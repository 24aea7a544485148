// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The intervals of a run for programs to read, while it runs: JSON Lines, one object a line with
 * `elapsed_s`, `violations` and `counters` (totals since the start).
 *
 * The file lies beside the JSON document: FILE.jsonl for FILE, and out.jsonl for out.json. A
 * document that goes to a pipe or a device has none: then nothing is opened and adding is a no-op.
 * Lines are written whole, one write() each, so that a reader that follows the file sees only
 * whole lines. When one can't be written the file is removed, for it would lie about the rest of
 * the run.
 *
 * The struct belongs to one thread. Errors: see error.h; status 7.
 */
#ifndef STRESS_RECORD_LINES_H
#define STRESS_RECORD_LINES_H

#include "stress/config.h"
#include "stress/counter.h"
#include "stress/error.h"

#include <stddef.h>

struct record_lines {
	int fd; /* -1: no file, nothing is written */
	char path[CONFIG_PATH_SIZE];
};

/* Begins the file that belongs to the document @json. Returns 0, or -1 with @err filled. */
int record_lines_open(struct record_lines *lines, const char *json, struct error *err);

/* Appends one interval. Returns 0, or -1 with @err filled; then the file is gone. */
int record_lines_add(struct record_lines *lines, double elapsed_s, uint64_t violations,
		     const struct counter *counters, size_t nr, struct error *err);

/* Syncs and closes. Returns 0, or -1 with @err filled; then the file is gone. */
int record_lines_close(struct record_lines *lines, struct error *err);

#endif

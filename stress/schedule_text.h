// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of schedule files, format SCHEDULE_FORMAT; docs/schedules.md describes it for people.
 *
 * Structure. Lines "KEY: VALUE" in a fixed order; then the job as a job file (jobfile.h), so many
 * lines of it; then the recorded choices and the checks as words, several to a line; at the end a
 * checksum over all that stands before it: FNV-1a, 64 bit (Fowler, Noll, Vo: RFC 9923), in which no
 * change of a single byte can go unseen, because each of its steps is a bijection.
 *
 * Reading trusts nothing: whatever the text says, it is refused or taken as it stands. What the
 * head repeats of the job (bugs, strategy, memory model) must agree with it.
 *
 * Constant data, no locks. Errors: see error.h; lines begin with FILE:LINE.
 */
#ifndef STRESS_SCHEDULE_TEXT_H
#define STRESS_SCHEDULE_TEXT_H

#include "stress/schedule.h"

/* Far above the longest recording that there can be with a check for each of its steps; below what
 * would be a strain to read. */
#define SCHEDULE_BYTES_MAX (64u << 20)

/* Of everything before the line with the checksum. */
uint64_t schedule_text_checksum(const char *text, size_t length);

/* The text of @s under @config: malloc'ed, with a NUL behind its *@length bytes. NULL without
 * memory. */
char *schedule_text_write(const struct config *config, const struct schedule *s, size_t *length);

/*
 * Reads the @length bytes at @text, behind which a NUL must stand; messages call them @file.
 * Otherwise as schedule_read() (schedule.h), but that @config is not resolved yet.
 */
int schedule_text_read(const char *text, size_t length, const char *file, struct schedule *s,
		       struct config *config, const struct known_names *names, struct error *err);

#endif

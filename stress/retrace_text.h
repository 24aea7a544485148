// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words for what a retrace holds: "mm3->mm_users: 2 -> 1", "takes mmap_sem", "zapper-5".
 *
 * All of them write at most @size bytes, cut what is longer, and return @buf. No state, no locks.
 */
#ifndef STRESS_RETRACE_TEXT_H
#define STRESS_RETRACE_TEXT_H

#include "stress/retrace.h"

/* Longer than any of them. */
#define RETRACE_TEXT_SIZE 192

/* What the access does, with the values where they are known. */
const char *retrace_access_text(const struct retrace_entry *e, char *buf, size_t size);
/* Any entry: an event's name and numbers, a choice, a switch. */
const char *retrace_entry_text(const struct retrace_entry *e, char *buf, size_t size);
/* "zapper-5", "idle". */
const char *retrace_task_text(const struct retrace *r, u32 task, char *buf, size_t size);

/*
 * Finds the next of the numbers that @text names after the words "pfn ", "va ", "mm " (or "mm"):
 * in violations and events alike. False at the end; *text goes on behind it.
 */
enum named_number { NAMED_PFN, NAMED_VA, NAMED_MM };
bool retrace_next_number(const char **text, enum named_number *what, u64 *number);

#endif

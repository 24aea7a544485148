// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists of CPUs as the kernel writes them (Documentation/admin-guide/cputopology.rst): "0-3,8".
 * No state, no locks.
 */
#ifndef STRESS_CPULIST_H
#define STRESS_CPULIST_H

#include "stress/job.h"

/* Room for any list: at most every other CPU stands alone, five bytes each with the comma. */
#define CPULIST_TEXT_SIZE (JOB_CPUS_MAX / 2 * 5 + 1)

/* Reads all of @text. Returns NULL, or what is wrong as the predicate of a sentence. */
const char *cpulist_parse(const char *text, struct cpu_list *list);

/* Writes @list; the empty list gives "". Returns @text. */
const char *cpulist_format(const struct cpu_list *list, char *text, size_t size);

#endif

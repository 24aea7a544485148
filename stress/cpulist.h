// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists of CPUs as the kernel writes them (Documentation/admin-guide/cputopology.rst): "0-3,8".
 * No state, no locks.
 */
#ifndef STRESS_CPULIST_H
#define STRESS_CPULIST_H

#include "stress/job.h"

/*
 * Room for any list. The longest has pairs with one CPU missing between them: up to ten bytes
 * ("1021-1022,") for every three CPUs.
 */
#define CPULIST_TEXT_SIZE ((JOB_CPUS_MAX / 3 + 1) * 10 + 1)

/* Reads all of @text. Returns NULL, or what is wrong as the predicate of a sentence. */
const char *cpulist_parse(const char *text, struct cpu_list *list);

/* Writes @list; the empty list gives "". Returns @text. */
const char *cpulist_format(const struct cpu_list *list, char *text, size_t size);

#endif

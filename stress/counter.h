// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A named total, as the machine's statistics hand it to progress lines and to the JSON document.
 * Names are the kernel's (/proc/vmstat) where the kernel has one; they must outlive the counter.
 */
#ifndef STRESS_COUNTER_H
#define STRESS_COUNTER_H

#include <stdint.h>

struct counter {
	const char *name;
	uint64_t value; /* since the run began; never falls */
};

#endif

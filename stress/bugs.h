// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planted bugs: the lists of all parts put together, in the order bottom to top. Constant data.
 */
#ifndef STRESS_BUGS_H
#define STRESS_BUGS_H

#include "engine/machine.h"
#include "stress/config.h"

struct bug {
	const char *slug;
	const char *what; /* the wrong step, in one sentence */
	const char *part; /* "smp", "tlbshoot", "mm" */
	u32 knob;
};

extern const struct bug bugs[];
extern const size_t nr_bugs;

/* The slugs, for options. */
extern const struct name_list bug_names;

/* The profiles: the bugs that a kernel version had. */
extern const struct name_list profile_names;

/* Sets the knobs of the bugs and of the profile that @config plants. 0, or -1 with @err filled. */
int bugs_plant(const struct config *config, u64 *knobs, struct error *err);

#endif

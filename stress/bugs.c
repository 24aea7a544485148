// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bugs.h"

#include <string.h>

#include "mm/knobs.h"
#include "smp/knobs.h"
#include "stress/verdict.h"
#include "tlbshoot/knobs.h"

#define BUG_SMP(id, slug_, what_) {(slug_), (what_), "smp", KNOB_##id},
#define BUG_TLBSHOOT(id, slug_, what_) {(slug_), (what_), "tlbshoot", KNOB_##id},
#define BUG_MM(id, slug_, what_) {(slug_), (what_), "mm", KNOB_##id},

const struct bug bugs[] = {SMP_KNOBS(BUG_SMP) TLBSHOOT_KNOBS(BUG_TLBSHOOT) MM_KNOBS(BUG_MM)};
const size_t nr_bugs = ARRAY_SIZE(bugs);

#define SLUG(id, slug, what) (slug),

static const char *const slugs[] = {SMP_KNOBS(SLUG) TLBSHOOT_KNOBS(SLUG) MM_KNOBS(SLUG)};
const struct name_list bug_names = {"bug", slugs, ARRAY_SIZE(slugs)};

int bugs_plant(const struct config *config, u64 *knobs, struct error *err)
{
	for (u32 i = 0; i < config->bugs.nr; i++) {
		size_t b = 0;

		while (b < nr_bugs && strcmp(bugs[b].slug, config->bugs.name[i]))
			b++;
		if (b == nr_bugs)
			return error_set(err, VERDICT_USAGE, "unknown bug '%s'",
					 config->bugs.name[i]);
		knob_set(knobs, bugs[b].knob);
	}
	return 0;
}

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

/*
 * What kernels up to v3.13 had wrong on this path, as far as it is modelled (each slug's text names
 * the commit that mended it later).
 */
static const char *const v313_bugs[] = {
	"zap-dirty-before-flush",
	"rmap-removed-before-flush",
	"batch-full-range-off-by-one",
	"parallel-zap-skips-flush",
	NULL,
};

static const struct {
	const char *name;
	const char *const *slugs;
} profiles[] = {{"v3.13", v313_bugs}};

static const char *const profile_list[] = {"v3.13"};
const struct name_list profile_names = {"profile", profile_list, ARRAY_SIZE(profile_list)};

static void plant_slug(const char *slug, u64 *knobs)
{
	for (size_t b = 0; b < nr_bugs; b++) {
		if (!strcmp(bugs[b].slug, slug))
			knob_set(knobs, bugs[b].knob);
	}
}

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
	for (size_t p = 0; p < ARRAY_SIZE(profiles); p++) {
		if (strcmp(profiles[p].name, config->profile))
			continue;
		for (const char *const *slug = profiles[p].slugs; *slug; slug++)
			plant_slug(*slug, knobs);
	}
	return 0;
}

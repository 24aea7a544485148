// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The minimiser's edits of the schedule: ddmin over its decisions, and the search for schedules
 * with fewer preemptions.
 */
#include "stress/minimize_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- taking decisions away ---- */

static bool is_preemption(const struct guide_entry *e)
{
	return e->kind == GUIDE_PREEMPT;
}

static u32 preemptions_of(const struct guide *g)
{
	u32 nr = 0;

	for (u32 i = 0; i < g->nr; i++)
		nr += is_preemption(&g->entries[i]);
	return nr;
}

/* Tries the found schedule without those of its entries for which @drop is true. */
static bool try_dropped(struct minimizer *m, const bool *drop)
{
	struct guide less = {0};
	u32 kept = 0;
	bool met;

	if (m->over)
		return false;
	if (guide_copy(&less, &m->found.guide))
		return minimize_fail(m);
	for (u32 i = 0; i < less.nr; i++) {
		if (!drop[i])
			less.entries[kept++] = less.entries[i];
	}
	less.nr = kept;
	met = minimize_follow(m, &less);
	guide_destroy(&less);
	return met;
}

/* ddmin over the preemptions, or over all entries: chunks of a half, a quarter, and so on. The last
 * ones first: late decisions often come after what matters. @drop has room for all. @least: of a
 * chunk. */
static void drop_chunks(struct minimizer *m, bool preemptions, u32 least, bool *drop)
{
	const struct guide *g = &m->found.guide;
	u32 nr = preemptions ? preemptions_of(g) : g->nr;

	for (u32 chunk = (nr + 1) / 2; chunk && chunk >= least && !m->over; chunk /= 2) {
		u32 end = g->nr;

		while (end && !m->over) {
			u32 left = chunk, at = end;

			memset(drop, 0, g->nr * sizeof(*drop));
			while (at && left) {
				at--;
				if (preemptions && !is_preemption(&g->entries[at]))
					continue;
				drop[at] = true;
				left--;
			}
			if (left < chunk)
				(void)try_dropped(m, drop);
			/* What has been dropped stood at or above; and more of it may have gone. */
			end = at < g->nr ? at : g->nr;
		}
	}
}

/* A preemption and the one back, or a merge of two stretches of one vCPU, are two decisions:
 * neither alone can go. */
#define PAIRS_MAX 24

static bool drop_a_pair(struct minimizer *m, bool *drop)
{
	const struct guide *g = &m->found.guide;

	if (g->nr > PAIRS_MAX)
		return false;
	for (u32 i = 0; i < g->nr; i++) {
		for (u32 j = i + 1; j < g->nr; j++) {
			memset(drop, 0, g->nr * sizeof(*drop));
			drop[i] = drop[j] = true;
			if (try_dropped(m, drop))
				return true;
		}
	}
	return false;
}

/* One by one, until none can go. */
static void drop_singles(struct minimizer *m, bool *drop)
{
	const struct guide *g = &m->found.guide;
	u32 failed = 0; /* since the last success */

	for (u32 i = g->nr; g->nr && failed < g->nr && !m->over;) {
		i = i ? i - 1 : g->nr - 1;
		if (i >= g->nr)
			i = g->nr - 1;
		memset(drop, 0, g->nr * sizeof(*drop));
		drop[i] = true;
		failed = try_dropped(m, drop) ? 0 : failed + 1;
	}
}

/* A rough pass drops no less than one part in so many at a time. */
#define ROUGH_PARTS 8

void minimize_decisions(struct minimizer *m, bool roughly)
{
	bool *drop = calloc(m->found.guide.nr + 1, sizeof(*drop));
	u32 least = roughly ? m->found.guide.nr / ROUGH_PARTS : 1;

	if (!drop) {
		(void)minimize_fail(m);
		return;
	}
	drop_chunks(m, true, least, drop);
	drop_chunks(m, false, least, drop);
	if (!roughly) {
		do {
			drop_singles(m, drop);
		} while (!m->over && drop_a_pair(m, drop));
	}
	free(drop);
}

/* ---- fewer preemptions ---- */

static int found_copy(struct found *to, const struct found *from)
{
	if (recording_copy(&to->recorded, &from->recorded) || guide_copy(&to->guide, &from->guide))
		return -1;
	to->seed = from->seed;
	to->stats = from->stats;
	return 0;
}

/* Is @a the better schedule to look at? */
static bool simpler(const struct found *a, const struct found *b)
{
	u32 pa = preemptions_of(&a->guide), pb = preemptions_of(&b->guide);

	if (pa != pb)
		return pa < pb;
	if (a->guide.nr != b->guide.nr)
		return a->guide.nr < b->guide.nr;
	return a->stats.steps < b->stats.steps;
}

/* Schedules that are drawn with so many preemptions; twice as many as there are places for one, for
 * each answer a few. */
#define SPARSE_MIN 128
#define SPARSE_MAX 2048
/* Of those that show the violation so many are made small; in vain, then it is enough. */
#define REDUCED_MAX 8

/* Looks for a schedule that is simpler with @preemptions at random places. */
static bool find_simpler(struct minimizer *m, u32 preemptions)
{
	static const struct guide none;
	struct strategy *s = strategy_guide_create(&none);
	struct found best = {0};
	uint64_t samples = 4ULL * m->found.guide.picks * preemptions;
	bool simplified = false;
	u32 reduced = 0;

	if (!s || found_copy(&best, &m->found)) {
		strategy_destroy(s);
		found_destroy(&best);
		return minimize_fail(m);
	}
	samples = samples < SPARSE_MIN ? SPARSE_MIN : samples > SPARSE_MAX ? SPARSE_MAX : samples;
	for (uint64_t i = 1; i <= samples && reduced < REDUCED_MAX && !m->over; i++) {
		strategy_guide_noise(s, &(struct guide_noise){
						.preemptions = preemptions,
						.picks = best.guide.picks,
						.free = true,
					});
		if (!minimize_probe(m, &m->config.job, best.seed + i, s) ||
		    !minimize_take(m, best.seed + i))
			continue;
		minimize_decisions(m, false);
		simplified = simpler(&m->found, &best);
		if (simplified)
			break;
		reduced++;
		if (found_copy(&m->found, &best)) {
			(void)minimize_fail(m);
			break;
		}
	}
	strategy_destroy(s);
	found_destroy(&best);
	return simplified;
}

void minimize_preemptions(struct minimizer *m)
{
	u32 n = 0;

	/* The same number last, for one with less of everything else. */
	while (m->found.guide.nr && n <= preemptions_of(&m->found.guide) && !m->over)
		n = find_simpler(m, n) ? 0 : n + 1;
	if (!m->over && !minimize_owners(m))
		m->over = true;
}

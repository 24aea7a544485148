// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of a search: what the schedules of a campaign were, taken together.
 *
 * A worker has one for its machine and adds each schedule after it has run; at the end the workers'
 * are merged. What a machine tells of one schedule is in engine/explore_coverage.h: the class of
 * the schedule, the decision points that were reached and those that were interleaved.
 *
 * Places. A decision point in an inline function stands in the program once for each source that
 * uses it. Counted here are places of the source: file, line, function and kind of access.
 *
 * Distinct. Schedules of different happens-before classes (engine/explore_coverage.h), by the
 * accesses of the emulated kernel and not by what only the oracle looks at; counted by
 * stress/distinct.h: exactly, or, beyond some millions, about.
 *
 * Belongs to one thread. Errors: -ENOMEM; search_state_destroy() is due in any case.
 */
#ifndef STRESS_SEARCH_STATE_H
#define STRESS_SEARCH_STATE_H

#include <stdio.h>

#include "engine/machine.h"
#include "stress/distinct.h"
#include "stress/record.h"

/* One figure of all schedules. */
struct search_range {
	uint64_t min, max; /* 0 before the first schedule */
};

struct search_state {
	uint64_t schedules;
	uint64_t unseen;      /* of them: without coverage, for want of memory; of no class */
	uint64_t steps;	      /* decision points, all schedules together */
	uint64_t preemptions; /* likewise */
	struct search_range steps_of_one, preemptions_of_one;
	struct distinct classes;
	uint32_t nr_places;  /* in the program */
	uint32_t nr_reached; /* places */
	uint32_t nr_pairs;   /* ordered pairs of places that were interleaved */
	bool addresses_lost; /* classes may have fallen together (explore_coverage.lost) */

	uint32_t nr_sites;
	uint16_t *place;	   /* of each site; places are numbered by file and line */
	const struct site **sites; /* one of each place */
	uint64_t *reached;	   /* nr_places bits */
	uint64_t *pairs;	   /* bit before * nr_places + after */
};

int search_state_init(struct search_state *s);
void search_state_destroy(struct search_state *s);

/* Switches on what search_state_add() reads. Without memory 0 schedules have a class: see unseen.
 */
int search_state_watch(const struct search_state *s, struct machine *m);

/* Counts the schedule that @m has just run. */
void search_state_add(struct search_state *s, struct machine *m);

/* Adds all of @from to @to. */
int search_state_merge(struct search_state *to, const struct search_state *from);

static inline uint64_t search_state_distinct(const struct search_state *s)
{
	return distinct_count(&s->classes);
}

/* Is search_state_distinct() the number, or about the number? */
static inline bool search_state_exact(const struct search_state *s)
{
	return !s->classes.level && !s->classes.lost && !s->unseen && !s->addresses_lost;
}

static inline uint64_t search_state_pairs(const struct search_state *s)
{
	return s->nr_pairs;
}

/* Was @after's access the next one after @before's, by another vCPU, with a write among the two? */
bool search_state_has_pair(const struct search_state *s, const struct site *before,
			   const struct site *after);
bool search_state_has_site(const struct search_state *s, const struct site *site);

/* The lines of the report: a name and a number each. */
void search_state_print(const struct search_state *s, FILE *out);

/* The functions in which no decision point was reached, a file a line. */
void search_state_print_unreached(const struct search_state *s, FILE *out);

/* The same as search_state_print() for the document's key `explore`, which must be there
 * (record_explore()). */
void search_state_record(const struct search_state *s, struct record *record);

#endif

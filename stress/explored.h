// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the verbs that explore have in common: explore, replay and minimize.
 *
 * No state. The world and the strategy belong to the caller: world_destroy(), strategy_destroy().
 */
#ifndef STRESS_EXPLORED_H
#define STRESS_EXPLORED_H

#include "engine/strategy.h"
#include "stress/verdict.h"
#include "stress/world.h"

/* A world for @config, to be run under the explorer; NULL with @err filled. */
struct world *explored_world(const struct config *config, struct error *err);

/* Does every batch of schedules get a program of its own: a random one, or one drawn from a mix? */
bool explored_draws(const struct config *config);

/* Schedules of one drawn program: with one each, bugs that depend on the program are met soonest.
 */
#define EXPLORED_BATCH 1

/*
 * Draws the program of the batch that begins with @seed, and what of the machine goes with it:
 * *drawn becomes @config with it, and @w is set to it. @drawn, of which explored_drawn_destroy() is
 * due, is all zero at first and outlives the world's use of it; it owns nothing but its job.
 * 0, or -1 with @err filled.
 */
int explored_draw(struct config *drawn, const struct config *config, uint64_t seed, struct world *w,
		  struct error *err);
void explored_drawn_destroy(struct config *drawn);

/* What the explorer cannot do: a line on stderr and a verdict other than VERDICT_CLEAN. */
enum verdict explore_refused(const struct config *config);

#endif

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

/* What the explorer cannot do: a line on stderr and a verdict other than VERDICT_CLEAN. */
enum verdict explore_refused(const struct config *config);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the table of strategies (strategy.c) calls in the file of each one. Private to engine/.
 *
 * strategy_NAME_refusal(): what is wrong with @parameter ("" for none given), as the end of a
 * sentence, or NULL. strategy_NAME_create(): @parameter is one that was not refused; NULL without
 * memory.
 */
#ifndef ENGINE_STRATEGY_KINDS_H
#define ENGINE_STRATEGY_KINDS_H

#include "engine/strategy.h"

const char *strategy_pct_refusal(const char *parameter);
struct strategy *strategy_pct_create(const char *parameter, const struct strategy_place *place);

struct strategy *strategy_pos_create(const char *parameter, const struct strategy_place *place);

struct strategy *strategy_urw_create(const char *parameter, const struct strategy_place *place);

const char *strategy_portfolio_refusal(const char *parameter);
struct strategy *strategy_portfolio_create(const char *parameter,
					   const struct strategy_place *place);

const char *strategy_dfs_refusal(const char *parameter);
struct strategy *strategy_dfs_create(const char *parameter, const struct strategy_place *place);

const char *strategy_dpor_refusal(const char *parameter);
struct strategy *strategy_dpor_create(const char *parameter, const struct strategy_place *place);

#endif

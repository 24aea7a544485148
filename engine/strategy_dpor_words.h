// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parameter of dpor (strategy_dpor.c), words joined with +: a bound, from 0 to DPOR_BOUND_MAX,
 * after which the search ends; `all` for no rounds; `no-tlb` leaves the choices to evict and to
 * fill TLB entries at their default, which makes far fewer classes. Private to engine/.
 */
#ifndef ENGINE_STRATEGY_DPOR_WORDS_H
#define ENGINE_STRATEGY_DPOR_WORDS_H

#include "engine/types.h"

struct dpor_words {
	bool no_tlb, all, bounded;
	u32 bound;
};

/* False: not all of them can be read, or they exclude each other. */
bool dpor_words_read(struct dpor_words *words, const char *parameter);

#endif

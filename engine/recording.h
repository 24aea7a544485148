// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The recording of an explored run: every choice that was not the default one (strategy.h). With
 * the seed and the program it is the whole schedule.
 *
 * The explorer records all the time, into the memory of the machine's last recording; whoever wants
 * to keep one copies it. Choices are numbered from 0 in the order in which they were asked for: a
 * pick and a choose alike are one call each.
 *
 * Two strategies read recordings. The exact one makes the same choices at the same calls, and stops
 * the machine at the first one that cannot be made, or at the first step whose history differs from
 * what was expected: a divergence. The lenient one (engine/guide.h) follows one that was changed by
 * hand as well as it can.
 */
#ifndef ENGINE_RECORDING_H
#define ENGINE_RECORDING_H

#include "engine/strategy.h"
#include "engine/types.h"

#define RECORDED_PICK NR_CHOICES /* recorded_choice.kind of a pick: value is the vCPU */
#define RECORDED_VALUE_BITS 24

struct recorded_choice {
	u32 at; /* number of the call */
	u32 value : RECORDED_VALUE_BITS;
	u32 kind : 8; /* enum choice, or RECORDED_PICK */
};

struct recording {
	struct recorded_choice *choices;
	u32 nr, size;
	u32 calls;     /* choices asked for, the default ones included */
	bool lost;     /* no memory, or too long: choices are missing */
	bool reserved; /* address space of its own (recording_reserve), not from malloc */
};

void recording_destroy(struct recording *r);

/* 0, or -ENOMEM. @to is overwritten, what it had is freed. */
int recording_copy(struct recording *to, const struct recording *from);

/* Makes an empty @r, of a machine, ready for as many choices as can ever be recorded: address space
 * that the host fills as it is touched. 0, or -ENOMEM: then every choice is lost. */
int recording_reserve(struct recording *r);

static inline void recording_add(struct recording *r, u32 kind, u32 value)
{
	if (likely(r->nr < r->size))
		r->choices[r->nr++] =
			(struct recorded_choice){.at = r->calls, .value = value, .kind = kind};
	else
		r->lost = true;
}

/* Only if @really, without a branch on it. */
static inline void recording_add_if(struct recording *r, bool really, u32 kind, u32 value)
{
	if (likely(r->nr < r->size)) {
		r->choices[r->nr] =
			(struct recorded_choice){.at = r->calls, .value = value, .kind = kind};
		r->nr += really;
	} else if (really) {
		r->lost = true;
	}
}

/* What an exact replay found. */
struct replay_state {
	bool diverged;
	u64 step;	  /* where */
	char reason[256]; /* "CPU2 was recorded to go on after CPU0, and cannot" */
};

/*
 * The exact replay of @r, which must outlive it. @checks, if not NULL, has the low 16 bits of the
 * history after each of the first @nr_checks steps. NULL without memory. After a divergence the
 * rest is by default, and the machine has been told to stop (MACHINE_STOPPED).
 */
struct strategy *strategy_replay_create(const struct recording *r, const u16 *checks,
					u64 nr_checks);
const struct replay_state *strategy_replay_state(const struct strategy *s);

#endif

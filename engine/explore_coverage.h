// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an explored schedule was, seen from far away: its class, and what it reached.
 *
 * The class. Two schedules that differ only in the order of independent steps are one execution:
 * nothing in the machine can tell them apart (Mazurkiewicz, "Trace theory", LNCS 255, 1987). Steps
 * are dependent if one vCPU makes both, or if they concern the same address and at least one
 * writes: the definition of dpor and pos too. Each step gets a hash of the step before it on its
 * vCPU, of what it is (source line, kind, address), of the last write to its address, and, if it
 * writes itself, of the reads since (a sum, for their order among each other says nothing). So a
 * step's hash is a hash of all that happened before it (Lamport, CACM 21(7), 1978), and the class
 * is a hash of the last steps of all vCPUs. Answers of choices and interrupts taken count as parts
 * of a step. Quiet stretches are the same in all schedules of a program and do not count.
 *
 * What the engine and the oracle look at beside the machine's own accesses (explore_touch()) counts
 * if `touches` says so: then schedules of one class also get the same answers from all checks, as
 * dpor's do. It costs a fifth of the speed. Without, a class is an execution of the emulated
 * kernel.
 *
 * Addresses are arena offsets, so the hash depends on the run only. Two accesses are to the same
 * address if they begin at the same byte: shared scalars do not overlap (engine/access.h). 64 bits:
 * among ten million classes two fall together with a probability of 3 in a million.
 *
 * Coverage. A decision point was reached, if its access was made. Two decision points a and b were
 * interleaved, a before b, if b's access was the next one to the same address after a's, by another
 * vCPU, and at least one of the two writes. Both are kept as bitmaps over site_index(), for all
 * schedules since the coverage was switched on.
 *
 * Memory. The last accesses to each address stand in an open-addressed hash table, in which an
 * entry of an earlier schedule is as good as none: its tag has another epoch. A reset costs
 * nothing.
 *
 * Belongs to one machine and the one thread that explores it. Without host memory for a larger
 * table addresses are forgotten: `lost` says that classes may have fallen together.
 */
#ifndef ENGINE_EXPLORE_COVERAGE_H
#define ENGINE_EXPLORE_COVERAGE_H

#include "engine/access.h"
#include "engine/machine.h"
#include "engine/strategy.h"

/* What was last done at one address. */
struct coverage_word {
	u64 tag;     /* epoch and address; of an older epoch: free */
	u64 written; /* hash of the last write's step; 0: none in this schedule */
	u64 read;    /* sum of the hashes of the reads since */
	u32 site;    /* site_index() of the last access */
	u16 cpu;     /* who made it */
	u16 seen;    /* 0: there was none; else COVERAGE_SEEN, a write also COVERAGE_SEEN_WRITE */
};

#define COVERAGE_SEEN 1u
#define COVERAGE_SEEN_WRITE 2u

/* tag: the address below, the epoch above. Machines reserve 2^36 bytes (MACHINE_ARENA_BYTES);
 * when the epochs are used up the table is cleared. */
#define COVERAGE_ADDRESS_BITS 40
#define COVERAGE_EPOCHS (1ULL << (64 - COVERAGE_ADDRESS_BITS))

/* A step of a vCPU's own and the drains of its store buffer happen on their own. */
#define COVERAGE_TIPS (2 * MAX_VCPUS_EXPLORE)

/* Newly reached sites and pairs that are noted one by one; with more of them in one schedule the
 * bitmaps have to be compared. */
#define COVERAGE_FRESH 2048

/* A step that has not been counted yet. @what: the vCPU above COVERAGE_CPU_SHIFT; below it the
 * address, or without a site the kind and the value of a choice. */
struct coverage_late {
	const struct site *site;
	u64 what;
};

#define COVERAGE_CPU_SHIFT 56
#define COVERAGE_KIND_SHIFT 32

/* Beyond every arena; one a vCPU. */
#define COVERAGE_OWN (1ULL << (COVERAGE_ADDRESS_BITS - 1))
#define COVERAGE_OWN_SHIFT 3

/* Steps are counted so many at once: after a switch of vCPUs, which no branch predictor foresees,
 * the processor has enough to do to get going again. 4 KiB of the first-level cache. */
#define COVERAGE_BATCH 64

struct explore_coverage {
	u32 nr_late;
	struct coverage_late late[COVERAGE_BATCH];
	u64 tip[COVERAGE_TIPS]; /* hash of the last step */
	struct coverage_word *words;
	u32 mask; /* entries - 1 */
	u32 nr;	  /* entries of this epoch */
	u64 epoch;
	u64 class_hash; /* of the last schedule that has ended */
	bool touches;	/* explore_touch() counts; set at first, may be changed between schedules */
	bool lost;

	/* Over all schedules. */
	u32 nr_sites;	/* in the program */
	u64 *reached;	/* nr_sites bits */
	u64 *pairs;	/* bit before * nr_sites + after */
	u32 nr_reached; /* bits set in reached */
	u32 nr_pairs;

	/* What is new since coverage_seen(): bits of pairs, and behind them bits of reached. */
	u32 nr_fresh; /* may be more than COVERAGE_FRESH: then not all of them are there */
	u32 fresh[COVERAGE_FRESH];
};

/* Switches coverage on for @m (it stays on over machine_reset() and ends with the machine). 0, or
 * -ENOMEM. */
int explore_coverage_on(struct machine *m);
void explore_coverage_destroy(struct explore_coverage *c);

/* The number of sites in the program. */
static inline u32 coverage_sites(void)
{
	return (u32)(__stop_mmt_sites - __start_mmt_sites);
}

static inline bool coverage_has_pair(const struct explore_coverage *c, u32 before, u32 after)
{
	u64 bit = (u64)before * c->nr_sites + after;

	return c->pairs[bit >> 6] >> (bit & 63) & 1;
}

static inline bool coverage_has_site(const struct explore_coverage *c, u32 site)
{
	return c->reached[site >> 6] >> (site & 63) & 1;
}

/* Whoever collects what is fresh has done so. */
static inline void coverage_seen(struct explore_coverage *c)
{
	c->nr_fresh = 0;
}

/* The explorer's: a schedule begins, has ended. */
void coverage_begin(struct explore_coverage *c, u32 nr_vcpus);
void coverage_end(struct explore_coverage *c, u32 nr_vcpus);

/* @cpu was answered @value, not zero, by the strategy. */
void coverage_choice(struct explore_coverage *c, u32 cpu, enum choice kind, u32 value);

/* explore_touch() in @cpu's step. */
void coverage_touch(struct explore_coverage *c, u32 cpu, u64 address, bool write);

/* TSO: a store of @cpu's to @address leaves its store buffer. */
void coverage_drain(struct explore_coverage *c, u32 cpu, u64 address);

/* Counts what has been put off. */
void coverage_catch_up(struct explore_coverage *c);

static __always_inline_fn void coverage_later(struct explore_coverage *c, const struct site *site,
					      u64 what)
{
	c->late[c->nr_late] = (struct coverage_late){site, what};
	if (unlikely(++c->nr_late == COVERAGE_BATCH))
		coverage_catch_up(c);
}

/* Where a step is counted that has no address (fences, user instructions, stacks): at one of the
 * vCPU's own. */
static __always_inline_fn u64 coverage_place(u32 cpu, u64 address)
{
	return address | ((COVERAGE_OWN | (u64)cpu << COVERAGE_OWN_SHIFT) & -(u64)!address);
}

/* @cpu makes the access of @site; it is counted later, with others. */
static __always_inline_fn void coverage_step(struct explore_coverage *c, u32 cpu,
					     const struct site *site, u64 address)
{
	coverage_later(c, site, (u64)cpu << COVERAGE_CPU_SHIFT | coverage_place(cpu, address));
}

#endif

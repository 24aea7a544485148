// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Violations: what the oracle found wrong. The first one stops the machine; whatever other vCPUs
 * find until they have stopped is counted, not reported: it may be a consequence.
 *
 * A violation is claimed by one atomic operation, so that it is reported once however many vCPUs
 * see it. The report is printed when all vCPUs have stopped: only then may their event rings be
 * read.
 */
#ifndef ENGINE_VIOLATION_H
#define ENGINE_VIOLATION_H

#include <stdio.h>

#include "engine/types.h"

struct machine;

/* An invariant that a check insists on. Instances are static const objects beside the check. */
struct invariant {
	const char *slug; /* "stale-tlb-use" */
	const char *rule; /* one sentence that is true while the kernel is right */
};

#define INVARIANT(var, slug_, rule_)                                                               \
	static const struct invariant var __attribute__((unused)) = {(slug_), (rule_)}

#define VIOLATION_MESSAGE_SIZE 512

struct violation {
	const struct invariant *invariant;
	const char *where; /* function that noticed */
	u32 cpu;	   /* vCPU on which it was noticed */
	u32 other_cpu;	   /* a vCPU that took part, or the same */
	u64 time;
	char message[VIOLATION_MESSAGE_SIZE];
};

struct violations {
	u64 nr;	     /* found, reported or not; changed atomically */
	u32 claimed; /* the slot below belongs to somebody */
	u32 ready;   /* and is complete */
	struct violation first;
};

/*
 * Reports a violation on the current vCPU and leaves the emulated machine: does not return. The
 * message says what was seen and what was expected.
 */
__attribute__((noreturn, cold, noinline, format(printf, 4, 5))) void
violation_report(const struct invariant *inv, const char *where, u32 other_cpu, const char *fmt,
		 ...);

#define VIOLATION(inv, ...) violation_report((inv), __func__, ~0u, __VA_ARGS__)
#define VIOLATION_WITH(inv, cpu, ...) violation_report((inv), __func__, (cpu), __VA_ARGS__)

/* An assertion of the emulated kernel's own, as BUG_ON: a violation when @cond is true. */
extern const struct invariant inv_kernel_bug;
#define BUG_ON(cond, ...)                                                                          \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			violation_report(&inv_kernel_bug, __func__, ~0u, __VA_ARGS__);             \
	} while (0)

/* Records a violation found from outside (a deadlock, a stalled vCPU); does not leave. */
__attribute__((cold, format(printf, 4, 5))) void violation_from_outside(struct machine *m,
									const struct invariant *inv,
									u32 cpu, const char *fmt,
									...);

/*
 * The report in the style of a kernel splat: the BUG line, what the rule is, what every vCPU was
 * doing, and the last @depth events of all vCPUs as columns (0: none). The machine must have
 * stopped.
 */
void violation_print(FILE *out, const struct machine *m, u32 depth);

#endif

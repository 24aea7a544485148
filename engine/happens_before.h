// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happened before what in one explored schedule, and which of it need not have: the trace that
 * dpor collects (strategy_dpor.c), vector clocks over it (Lamport, CACM 21(7), 1978; Mattern,
 * "Virtual Time and Global States", 1989), and its reversible races (Flanagan and Godefroid, POPL
 * 2005; Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic Partial Order Reduction", POPL
 * 2014).
 *
 * An event is what one vCPU does from where it was chosen to the next place where another one could
 * be: usually one access and the code behind it. It has a footprint: the addresses that it read or
 * changed, those of explore_touch() included. Two events are dependent if one vCPU made both, or if
 * they have an address in common that at least one of them changes, or if one made the other's vCPU
 * runnable.
 *
 * Locks. An attempt to take a spinlock is only made while it is free (strategy_dpor.c), so
 * releasing and taking one cannot be exchanged, but two takings can: the race is between the
 * takings, though the release stands between them. With `in_vain` the release races with the
 * taking, too: who tries in vain lets others go on.
 *
 * Interrupts. Taking one is a step of its own of the vCPU, which can be exchanged with the steps
 * before it back to where it was raised: but only with those before which interrupts were on.
 *
 * Store buffers (TSO). A store is the vCPU's write when it is buffered. That it becomes visible is
 * part of the event that makes it so, if one does: a fence of the vCPU, somebody's access to the
 * same address. Otherwise it is an event of the buffer, which comes after the store but not after
 * what the vCPU has done since. When that is somebody chooses, so it has no races.
 *
 * The end. What a vCPU stood before when the schedule ended may race with what was done, too: it
 * could have come before that. It is an event behind all others that none of them knows of.
 *
 * Events are numbered from 0. No locks: belongs to one thread. Out of memory: `lost` is set, and
 * what follows is not to be relied on.
 */
#ifndef ENGINE_HAPPENS_BEFORE_H
#define ENGINE_HAPPENS_BEFORE_H

#include "engine/types.h"

#define HB_NONE ~0u

enum hb_access_kind {
	HB_READ,
	HB_WRITE,
	HB_LOCK,   /* takes the lock at the address; a write */
	HB_UNLOCK, /* a write */
};

struct hb_access {
	u64 address;
	enum hb_access_kind kind;
};

static inline bool hb_writes(enum hb_access_kind kind)
{
	return kind != HB_READ;
}

struct hb_event {
	u32 cpu;
	u32 previous; /* of the same vCPU, or HB_NONE */
	u32 woken_by; /* the event that let its vCPU go on, or HB_NONE */
	u32 node;     /* the strategy's: where it was chosen, HB_NONE if it was the only one */
	u32 first_access, nr_accesses;
	u32 taken_before; /* if it takes a lock: the taking before, or HB_NONE; by hb_races() */
	bool open;	  /* when it began an interrupt could have been taken instead */
	bool by_choice;	  /* it began with an interrupt that need not have been taken there */
	bool takes;	  /* takes an interrupt, by choice or because it waited for one */
	bool ticked;	  /* its task was preempted by a tick */
	bool pending;	  /* the schedule ended before it */
};

struct hb_word;

struct hb_trace {
	u32 nr_vcpus;
	u32 nr_cpus; /* with their store buffers, number nr_vcpus and above, if they have any */
	struct hb_event *events;
	u32 nr, size;
	struct hb_access *accesses;
	u32 nr_accesses, size_accesses;
	u32 *clocks; /* nr_cpus of each event: number + 1 of the last one of that vCPU that it knows
		      */
	u32 size_clocks;
	u32 *last;    /* last event of each vCPU */
	u32 *woken;   /* event that made each vCPU runnable since */
	u64 *pending; /* address that raising an interrupt of each vCPU changes; the owner's */
	u64 *waiting; /* the same, for queueing a task there */
	struct hb_word *words; /* last accesses, by address */
	u32 *word_reads;       /* nr_cpus of each word */
	u32 mask, nr_words;
	u32 epoch;
	u32 *scratch; /* for the search */
	bool in_vain; /* see above: Locks; the owner's */
	bool lost;
};

/* A reversible race: @later of @t could come before @earlier, if nothing but their order is
 * changed.
 * @first: the events between them, from @earlier on, that do not depend on it, by vCPU: the first
 * one of each, or HB_NONE; only those that nothing else of them must precede. @initial: so for
 * @later itself. */
struct hb_race {
	u32 earlier, later;
	const u32 *first;
	bool initial;
	bool interrupt; /* it is the interrupt that @later takes which comes first */
};

typedef void hb_race_fn(void *arg, const struct hb_race *race);

/* A trace of @nr_vcpus vCPUs begins, with store buffers if @buffers; what @t had is forgotten. The
 * addresses in t->pending and t->waiting are to be filled in. */
void hb_reset(struct hb_trace *t, u32 nr_vcpus, bool buffers);
void hb_destroy(struct hb_trace *t);

/* @cpu begins an event, which is returned. */
struct hb_event *hb_begin(struct hb_trace *t, u32 cpu);

/* The oldest store in @cpu's buffer becomes visible, since somebody chose so. */
static inline struct hb_event *hb_begin_drain(struct hb_trace *t, u32 cpu)
{
	return hb_begin(t, t->nr_vcpus + cpu);
}

/* Is it such an event? */
static inline bool hb_is_drain(const struct hb_trace *t, u32 event)
{
	return t->events[event].cpu >= t->nr_vcpus;
}

/* The schedule has ended before @cpu began this event. Behind such ones there are no others. */
struct hb_event *hb_begin_pending(struct hb_trace *t, u32 cpu);

/* The last event's vCPU, or HB_NONE. */
static inline u32 hb_cpu(const struct hb_trace *t)
{
	return t->nr ? t->events[t->nr - 1].cpu : HB_NONE;
}

/* The last event accesses @address. */
void hb_add(struct hb_trace *t, u64 address, enum hb_access_kind kind);

/* The last event makes @cpu runnable. */
void hb_woken(struct hb_trace *t, u32 cpu);

/* Finds the reversible races whose later event is number @from or above and below @to. */
void hb_races(struct hb_trace *t, u32 from, u32 to, hb_race_fn *found, void *arg);

/* Do the accesses @a and @b depend on each other? */
bool hb_conflict(const struct hb_access *a, u32 nr_a, const struct hb_access *b, u32 nr_b);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ring of events that each vCPU keeps, always on: the last EVENT_RING_SIZE things it did, for
 * the report of a violation.
 *
 * A ring is written by its vCPU only and read when the machine has stopped. An event is 32 bytes:
 * when, what (a static descriptor) and two numbers. Numbers are what the emulated machine knows
 * (pids, frame numbers, virtual addresses, offsets): never host addresses, so that two runs of one
 * seed have the same events.
 *
 * Time. Under the explorer it is the number of decision points of the whole machine so far: a
 * total order. Under threads it is the host's time stamp counter, read once every
 * EVENT_CLOCK_INTERVAL events and at each event that is an ordering point (EVENT_SYNC): reading it
 * costs more than the rest of the event. So columns of different vCPUs are aligned only roughly
 * there, and the order within one vCPU is exact.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <stdio.h>

#include "engine/types.h"

struct machine;
struct vcpu;

/* Big enough for a few system calls of each vCPU; 256 * 32 bytes stay in the L1 cache. */
#define EVENT_RING_SIZE 256
#define EVENT_CLOCK_INTERVAL 16

/*
 * One kind of event. @format is for printf with @a and @b as two unsigned long long arguments.
 * @id is unique in the program and the same in every build: it goes into the history hash. Each
 * part has its own hundred: engine 0, smp 100, tlbshoot 200, mm 300, stress 400.
 */
struct event_desc {
	u32 id;
	u32 flags;
	const char *name;
	const char *format;
};
#define EVENT_SYNC 1u /* orders vCPUs among each other: takes a fresh time stamp */

#define EVENT_DESC(var, id_, flags_, name_, format_)                                               \
	static const struct event_desc var                                                         \
		__attribute__((unused)) = {(id_), (flags_), (name_), (format_)}

struct event {
	u64 time;
	const struct event_desc *desc;
	u64 a, b;
};

struct event_ring {
	struct event *slots; /* EVENT_RING_SIZE of them */
	u64 head;	     /* events ever recorded; the newest is slots[(head - 1) % size] */
	u64 clock;	     /* the time stamp in use */
	u32 clock_left;	     /* events until it is read again */
};

/* Records an event of the current vCPU; without one (set-up code) it does nothing. */
void event_record(const struct event_desc *desc, u64 a, u64 b);

/* Forgets everything (a new schedule on the same machine). */
void event_ring_reset(struct event_ring *ring);

/* An explored run begins, whose time counts from 0: what set-up recorded comes before it all. */
void event_ring_begin(struct event_ring *ring);

/*
 * Prints the last @depth events of all vCPUs as columns, oldest first, one event a line in the
 * column of its vCPU. The machine must have stopped.
 */
void event_print_columns(FILE *out, const struct machine *m, u32 depth);

/* Writes "name text" of one event into @buf, cut to @size; returns the length of the whole. */
int event_format(const struct event *e, char *buf, size_t size);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/event.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/explore.h"

static inline u64 time_stamp(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
#endif
}

void event_record(const struct event_desc *desc, u64 a, u64 b)
{
	struct vcpu *v = this_vcpu();
	struct event_ring *ring;
	struct event *e;

	if (!v)
		return;
	ring = &v->events;
	if (unlikely(v->explorer)) {
		ring->clock = v->explorer->d.step;
		history_mix(v->explorer, (u64)desc->id << 32 ^ a << 16 ^ b);
	} else if ((desc->flags & EVENT_SYNC) || ring->clock_left-- == 0) {
		ring->clock = time_stamp();
		ring->clock_left = EVENT_CLOCK_INTERVAL;
	}
	e = &ring->slots[ring->head++ % EVENT_RING_SIZE];
	e->time = ring->clock;
	e->desc = desc;
	e->a = a;
	e->b = b;
	if (unlikely(v->explorer && v->explorer->watch & WATCH_OBSERVER))
		explore_observe_event(v, e);
}

void event_ring_reset(struct event_ring *ring)
{
	struct event *slots = ring->slots;

	memset(ring, 0, sizeof(*ring));
	ring->slots = slots;
}

void event_ring_begin(struct event_ring *ring)
{
	ring->clock = 0;
	for (u64 i = 0; i < ring->head && i < EVENT_RING_SIZE; i++)
		ring->slots[i].time = 0;
}

int event_format(const struct event *e, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s ", e->desc->name);
	int m;

	if (n < 0 || (size_t)n >= size)
		return n;
		/* The format is a literal of an EVENT_DESC, checked there by its two numbers. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	m = snprintf(buf + n, size - (size_t)n, e->desc->format, (unsigned long long)e->a,
		     (unsigned long long)e->b);
#pragma GCC diagnostic pop
	return m < 0 ? n : n + m;
}

struct line {
	const struct event *event;
	u64 seq;
	u32 cpu;
};

static int line_order(const void *pa, const void *pb)
{
	const struct line *a = pa, *b = pb;

	if (a->cpu == b->cpu)
		return a->seq < b->seq ? -1 : a->seq > b->seq;
	if (a->event->time != b->event->time)
		return a->event->time < b->event->time ? -1 : 1;
	return a->cpu < b->cpu ? -1 : 1;
}

/* Width of a column, and the most columns that stand side by side. With more vCPUs than that each
 * event has its time and its vCPU in front instead. */
#define COLUMN_WIDTH 44
#define MAX_COLUMNS 4

static void print_line(FILE *out, const struct line *l, const u32 *column, u32 nr_columns)
{
	char text[160];
	u32 col = column[l->cpu];

	event_format(l->event, text, sizeof(text));
	if (nr_columns > MAX_COLUMNS)
		fprintf(out, "  %14llu  CPU%-3u  %s\n", (unsigned long long)l->event->time, l->cpu,
			text);
	else
		fprintf(out, "  %*s%s\n", (int)(col * COLUMN_WIDTH), "", text);
}

void event_print_columns(FILE *out, const struct machine *m, u32 depth)
{
	struct line *lines = calloc(m->nr_vcpus, EVENT_RING_SIZE * sizeof(*lines));
	u32 *column = calloc(m->nr_vcpus, sizeof(*column));
	u32 nr_columns = 0, first;
	size_t nr = 0;

	if (!lines || !column)
		goto out;
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		const struct event_ring *ring = &m->vcpus[i].events;
		u64 seq = ring->head > EVENT_RING_SIZE ? ring->head - EVENT_RING_SIZE : 0;

		for (; seq < ring->head; seq++)
			lines[nr++] = (struct line){&ring->slots[seq % EVENT_RING_SIZE], seq, i};
	}
	qsort(lines, nr, sizeof(*lines), line_order);
	first = nr > depth ? (u32)(nr - depth) : 0;
	for (size_t i = first; i < nr; i++)
		column[lines[i].cpu] = 1;
	fprintf(out, "  ");
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		if (!column[i])
			continue;
		column[i] = nr_columns++;
		if (nr_columns <= MAX_COLUMNS)
			fprintf(out, "CPU%-*u", COLUMN_WIDTH - 3, i);
	}
	fprintf(out, "\n");
	for (size_t i = first; i < nr; i++)
		print_line(out, &lines[i], column, nr_columns);
out:
	free(lines);
	free(column);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trace Event JSON (Google's "Trace Event Format" document, which Perfetto reads as well): an array
 * of events with ph (B, E spans; i instants; s, f flows; M names), ts in microseconds, pid and tid.
 *
 * Spans of a track must nest. What a vCPU is in at any moment is a stack: the task, its operation,
 * the locks in the order in which it took them, an interrupt. Where the stack changes, what is
 * above the change is ended and begun again: a lock that is not released in the order in which it
 * was taken shows as two spans.
 */
#include "stress/trace.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "smp/lock_class.h"
#include "stress/retrace_text.h"
#include "stress/version.h"

#define TRACE_PID 1
/* Task, operation, interrupt, and no more locks than classes. */
#define SPANS_MAX (NR_LOCK_CLASSES + 3)

struct span {
	const char *category;
	char name[RETRACE_OP_SIZE + 32];
};

struct track {
	struct span spans[SPANS_MAX];
	u32 nr;
};

/* One end of an arrow. */
struct flow {
	u32 entry, id;
	bool finish;
	const char *name;
};

struct chrome {
	const struct retrace *r;
	FILE *out;
	struct track *tracks;	     /* one a vCPU */
	u8 (*held)[NR_LOCK_CLASSES]; /* of each task: classes in the order of taking */
	u8 *nr_held;
	struct flow *flows; /* by entry */
	u32 nr_flows, next_flow;
	bool first, failed;
};

/* Takes @event over. */
static void put(struct chrome *c, json_t *event)
{
	if (!event) {
		c->failed = true;
		return;
	}
	fputs(c->first ? "\n" : ",\n", c->out);
	c->first = false;
	if (json_dumpf(event, c->out, JSON_COMPACT | JSON_PRESERVE_ORDER))
		c->failed = true;
	json_decref(event);
}

static json_t *event(const char *ph, u64 ts, u32 cpu, const char *category, const char *name)
{
	return json_pack("{s:s, s:I, s:i, s:i, s:s, s:s}", "ph", ph, "ts", (json_int_t)ts, "pid",
			 TRACE_PID, "tid", (int)cpu + 1, "cat", category, "name", name);
}

static void put_names(struct chrome *c)
{
	put(c, json_pack("{s:s, s:i, s:s, s:{s:s}}", "ph", "M", "pid", TRACE_PID, "name",
			 "process_name", "args", "name", "mmtorture"));
	for (u32 cpu = 0; cpu < c->r->nr_cpus; cpu++) {
		char name[16];

		snprintf(name, sizeof(name), "CPU%u", cpu);
		put(c, json_pack("{s:s, s:i, s:i, s:s, s:{s:s}}", "ph", "M", "pid", TRACE_PID,
				 "tid", (int)cpu + 1, "name", "thread_name", "args", "name", name));
		put(c, json_pack("{s:s, s:i, s:i, s:s, s:{s:i}}", "ph", "M", "pid", TRACE_PID,
				 "tid", (int)cpu + 1, "name", "thread_sort_index", "args",
				 "sort_index", (int)cpu));
	}
}

/* ---- spans ---- */

/* Brings the order of the task's locks up to date. */
static void note_locks(struct chrome *c, const struct retrace_entry *e)
{
	u8 *held = c->held[e->task];
	u32 kept = 0;
	u64 known = 0;

	for (u32 i = 0; i < c->nr_held[e->task]; i++) {
		if (e->held_locks & (1ULL << held[i])) {
			known |= 1ULL << held[i];
			held[kept++] = held[i];
		}
	}
	for (u64 left = e->held_locks & ~known; left; left &= left - 1)
		held[kept++] = (u8)__builtin_ctzll(left);
	c->nr_held[e->task] = (u8)kept;
}

__attribute__((format(printf, 3, 4))) static void add_span(struct track *t, const char *category,
							   const char *fmt, ...)
{
	struct span *s = &t->spans[t->nr++];
	va_list args;

	s->category = category;
	va_start(args, fmt);
	vsnprintf(s->name, sizeof(s->name), fmt, args);
	va_end(args);
}

/* What the vCPU of @e is in. */
static void spans_of(struct chrome *c, const struct retrace_entry *e, struct track *t)
{
	char task[64];

	t->nr = 0;
	if (!c->r->tasks[e->task].idle)
		add_span(t, "task", "%s", retrace_task_text(c->r, e->task, task, sizeof(task)));
	if (e->op)
		add_span(t, "op", "%s", c->r->ops[e->op]);
	for (u32 i = 0; i < c->nr_held[e->task]; i++)
		add_span(t, "lock", "%s", lock_class_names[c->held[e->task][i]]);
	if (e->in_interrupt)
		add_span(t, "interrupt", "interrupt");
}

static void end_spans(struct chrome *c, u64 ts, u32 cpu, u32 keep)
{
	struct track *t = &c->tracks[cpu];

	while (t->nr > keep) {
		const struct span *s = &t->spans[--t->nr];

		put(c, event("E", ts, cpu, s->category, s->name));
	}
}

static void put_spans(struct chrome *c, const struct retrace_entry *e)
{
	struct track *t = &c->tracks[e->cpu];
	struct track now;
	u32 same = 0;

	note_locks(c, e);
	spans_of(c, e, &now);
	while (same < t->nr && same < now.nr &&
	       t->spans[same].category == now.spans[same].category &&
	       !strcmp(t->spans[same].name, now.spans[same].name))
		same++;
	end_spans(c, e->step, e->cpu, same);
	for (; same < now.nr; same++) {
		t->spans[t->nr++] = now.spans[same];
		put(c, event("B", e->step, e->cpu, now.spans[same].category, now.spans[same].name));
	}
}

/* ---- arrows ---- */

static int flow_order(const void *pa, const void *pb)
{
	const struct flow *a = pa, *b = pb;

	if (a->entry != b->entry)
		return a->entry < b->entry ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void add_flow(struct chrome *c, u32 from, u32 to, u32 id, const char *name)
{
	if (!from || !to)
		return;
	c->flows[c->nr_flows++] = (struct flow){from, id, false, name};
	c->flows[c->nr_flows++] = (struct flow){to, id, true, name};
}

static void find_flows(struct chrome *c)
{
	for (u32 i = 0; i < c->r->nr_ipis; i++) {
		const struct retrace_ipi *ipi = &c->r->ipis[i];

		add_flow(c, ipi->sent, ipi->handled, 2 * i + 1, "call_function");
		add_flow(c, ipi->acked, ipi->seen, 2 * i + 2, "acknowledgement");
	}
	qsort(c->flows, c->nr_flows, sizeof(*c->flows), flow_order);
}

static void put_flows(struct chrome *c, u32 i)
{
	const struct retrace_entry *e = &c->r->entries[i];

	for (; c->next_flow < c->nr_flows && c->flows[c->next_flow].entry == i; c->next_flow++) {
		const struct flow *f = &c->flows[c->next_flow];
		json_t *arrow = event(f->finish ? "f" : "s", e->step, e->cpu, "ipi", f->name);

		if (arrow && json_object_set_new(arrow, "id", json_integer(f->id)))
			c->failed = true;
		/* It ends at the span that it stands in, not at the next one. */
		if (arrow && f->finish && json_object_set_new(arrow, "bp", json_string("e")))
			c->failed = true;
		put(c, arrow);
	}
}

/* ---- instants ---- */

static void put_instant(struct chrome *c, const struct retrace_entry *e)
{
	const struct site *site = e->kind == RETRACE_STEP ? e->access.site : NULL;
	char text[RETRACE_TEXT_SIZE], place[96] = "";
	json_t *instant = event("i", e->step, e->cpu,
				site			   ? "access"
				: e->kind == RETRACE_EVENT ? "event"
							   : "choice",
				site			   ? site->func
				: e->kind == RETRACE_EVENT ? e->event.desc->name
							   : choice_word(e->choice.kind));

	if (site)
		snprintf(place, sizeof(place), "%s:%u", site->file, site->line);
	retrace_entry_text(e, text, sizeof(text));
	if (instant && (json_object_set_new(instant, "s", json_string("t")) ||
			json_object_set_new(instant, "args",
					    json_pack("{s:s, s:s}", "what", text, "place", place))))
		c->failed = true;
	put(c, instant);
}

static void put_violation(struct chrome *c, u64 ts)
{
	const struct violation *v = &c->r->violation;
	json_t *instant;

	if (!c->r->violated)
		return;
	instant = event("i", ts, v->cpu, "violation", v->invariant->slug);
	if (instant && (json_object_set_new(instant, "s", json_string("g")) ||
			json_object_set_new(
				instant, "args",
				json_pack("{s:s, s:s}", "where", v->where, "message", v->message))))
		c->failed = true;
	put(c, instant);
}

static void put_all(struct chrome *c)
{
	const struct retrace *r = c->r;
	u64 end = r->entries[r->nr - 1].step;

	put_names(c);
	find_flows(c);
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind == RETRACE_SWITCH)
			continue;
		put_spans(c, e);
		put_flows(c, i);
		put_instant(c, e);
	}
	put_violation(c, end);
	for (u32 cpu = 0; cpu < r->nr_cpus; cpu++)
		end_spans(c, end, cpu, 0);
}

int trace_chrome(FILE *out, const struct retrace *r, struct error *err)
{
	struct chrome c = {.r = r, .out = out, .first = true};

	c.tracks = calloc(r->nr_cpus, sizeof(*c.tracks));
	c.held = calloc(r->nr_tasks + 1, sizeof(*c.held));
	c.nr_held = calloc(r->nr_tasks + 1, sizeof(*c.nr_held));
	c.flows = calloc(4 * (size_t)r->nr_ipis + 1, sizeof(*c.flows));
	if (c.tracks && c.held && c.nr_held && c.flows) {
		fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"version\":\"mmtorture " MMTORTURE_VERSION
		      "\",\"time\":\"one decision point is one microsecond\"},\"traceEvents\":[",
		      out);
		put_all(&c);
		fputs("\n]}\n", out);
	} else {
		c.failed = true;
	}
	free(c.tracks);
	free(c.held);
	free(c.nr_held);
	free(c.flows);
	return c.failed ? error_no_memory(err) : 0;
}

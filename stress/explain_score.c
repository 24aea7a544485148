// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scores are no more than an order of what kernel commit messages show of a race: they were set
 * by looking at tables of the planted bugs.
 */
#include "stress/explain_score.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/page.h"
#include "stress/retrace_text.h"

/* Preemptions that are looked at, from the end backwards: more are no explanation. */
#define WINDOWS_MAX 64
/* With more of them than this not every one is sure of its lines. */
#define FEW_PREEMPTIONS 4

/* Scores. */
#define SCORE_AROUND 60	     /* the accesses around a preemption, of the few */
#define SCORE_AROUND_MANY 24 /* of many; or of what does not decide by itself: locks, requests */
#define SCORE_CONFLICT 20    /* conflicts across a preemption */
#define SCORE_BOTH_SIDES 8   /* and on both sides of it: what was true before no longer is after */
#define SCORE_OTHER_OP 15    /* taken off where the operation is another one by then */
#define SCORE_SHARED 6	     /* another vCPU uses the address too, and one of them writes it */
#define WEIGHT_DECIDES 5     /* less has a look at what nobody else changes */
#define SCORE_NAMED 20	     /* concerns the frame or the page that the violation names */
#define SCORE_NAMED_MM 4
#define SCORE_CHANGES 4 /* a write, rather than a read */
#define SCORE_WALK 1	/* what every walk and every use does */
#define SCORE_SILENT 7	/* not raised by being late: locks, counters, looks */
#define SCORE_LATE 12	/* the last entry; the first one gets none */
#define SCORE_CHOICE 50 /* what the strategy chose against the default */

static const u8 kind_scores[] = {
	[ADDRESS_UNKNOWN] = 0, [ADDRESS_LOCK] = 1,    [ADDRESS_TABLE] = 12, [ADDRESS_UPPER] = 8,
	[ADDRESS_DATA] = 6,    [ADDRESS_MM] = 8,      [ADDRESS_MASK] = 11,  [ADDRESS_VMA] = 8,
	[ADDRESS_PAGE] = 8,    [ADDRESS_FILE] = 8,    [ADDRESS_TASK] = 2,   [ADDRESS_CPU] = 1,
	[ADDRESS_COUNTER] = 2, [ADDRESS_REQUEST] = 6,
};
/* Of locks, or of counters, where the violation is about them. */
#define SCORE_IF_ABOUT 12

/* Page flags whose change says more than that the page is in use. */
#define TELLING_FLAGS                                                                              \
	(1u << PG_locked | 1u << PG_dirty | 1u << PG_writeback | 1u << PG_mlocked |                \
	 1u << PG_uptodate)

/* Events, by their numbers (engine/event.h); others have EVENT_SCORE. */
#define EVENT_SCORE 6
#define EVENT_FLUSH 204
#define EVENT_FLUSH_TABLES 205
static const struct {
	u32 id;
	u8 score;
} event_scores[] = {
	{100, 24},		  /* call_function */
	{101, 22},		  /* acknowledged */
	{102, 22},		  /* its handler */
	{110, 10},		  /* context_switch */
	{111, 2},		  /* wake_up */
	{112, 6},		  /* preempted */
	{113, 4},		  /* task dead */
	{200, 13},		  /* switch_mm */
	{201, 13},		  /* reloads */
	{202, 14},		  /* enter_lazy_tlb */
	{203, 14},		  /* leave_mm */
	{EVENT_FLUSH, 24},	  /* flush_tlb */
	{EVENT_FLUSH_TABLES, 20}, /* flush_tlb_tables */
	{206, 10},		  /* shootdown: call_function says the same */
	{210, 15},		  /* tlb_fill */
	{211, 15},		  /* tlb_fill 2M */
	{220, 20},		  /* flush_tlb_func */
	{221, 20},		  /* ignored */
	{230, 20},		  /* flush_tlb_func_all */
	{300, 9},		  /* alloc_page */
	{301, 18},		  /* free_page */
	{302, 2},		  /* pcp refill */
	{303, 2},		  /* pcp spill */
	{304, 12},		  /* allocation fails */
	{321, 13},		  /* page leaves the cache */
	{322, 16},		  /* page written */
	{323, 12},		  /* writeback */
	{351, 0},		  /* madvise_dontneed: the operation says it */
	{362, 15},		  /* exec_mmap */
	{364, 12},		  /* dup_mm */
	{368, 15},		  /* mmput: last user */
	{369, 12},		  /* exit_mmap */
	{370, 16},		  /* mmdrop: last reference */
	{374, 13},		  /* get_task_mm */
	{381, 14},		  /* page table freed */
	{382, 0},		  /* tlb_gather_mmu */
	{383, 15},		  /* tlb_flush_mmu: frees */
	{384, 14},		  /* frees page tables */
	{385, 0},		  /* zap_pte_range: what it does to entries says it */
	{386, 15},		  /* gather full */
	{387, 0},		  /* unmap_single_vma */
	{388, 9},		  /* page fault */
	{389, 14},		  /* copy on write */
	{400, 2},		  /* slot starts */
	{402, 0},		  /* op: has a line of its own */
};

/* What the violation names. */
#define NAMED_MAX 8
struct named {
	u64 numbers[3][NAMED_MAX]; /* by enum named_number */
	u32 nr[3];
};

/* An access, for sorting by address. */
struct use {
	u64 address;
	u32 entry;
};

struct scoring {
	const struct retrace *r;
	struct pick *picks; /* one an entry */
	struct use *uses;   /* sorted by address, then entry */
	u32 nr_uses;
	struct named named;
	bool about_locks, about_data, about_counters; /* the violation */
};

static bool is_write(const struct retrace_entry *e)
{
	return e->access.site->kind != ACCESS_LOAD;
}

static bool conflict(const struct retrace_entry *a, const struct retrace_entry *b)
{
	return a->task != b->task && (is_write(a) || is_write(b));
}

/* ---- scores ---- */

static bool is_named(const struct scoring *t, enum named_number what, u64 number)
{
	for (u32 i = 0; i < t->named.nr[what]; i++) {
		if (t->named.numbers[what][i] == number)
			return true;
	}
	return false;
}

static bool is_about(const struct scoring *t, const char *word)
{
	return strstr(t->r->violation.invariant->slug, word) != NULL;
}

static void read_violation(struct scoring *t)
{
	const char *text = t->r->violation.message;
	enum named_number what;
	u64 number;

	if (!t->r->violated)
		return;
	t->about_locks = is_about(t, "lock") || is_about(t, "progress");
	t->about_data = is_about(t, "data") || is_about(t, "write") || is_about(t, "use");
	t->about_counters = is_about(t, "rss") || is_about(t, "nr-ptes");
	while (retrace_next_number(&text, &what, &number)) {
		if (what == NAMED_VA)
			number &= PAGE_MASK;
		if (t->named.nr[what] < NAMED_MAX && !is_named(t, what, number))
			t->named.numbers[what][t->named.nr[what]++] = number;
	}
}

static bool is_flush(const struct retrace_entry *e)
{
	return e->event.desc->id == EVENT_FLUSH || e->event.desc->id == EVENT_FLUSH_TABLES;
}

static s32 event_score(const struct scoring *t, const struct retrace_entry *e)
{
	char words[RETRACE_TEXT_SIZE];
	const char *text = retrace_entry_text(e, words, sizeof(words));
	enum named_number what;
	bool page = false, mm = false;
	s32 score = EVENT_SCORE;
	u64 number;

	for (size_t i = 0; i < ARRAY_SIZE(event_scores); i++) {
		if (event_scores[i].id == e->event.desc->id)
			score = event_scores[i].score;
	}
	if (!score)
		return 0;
	while (retrace_next_number(&text, &what, &number)) {
		if (what == NAMED_MM)
			mm |= is_named(t, what, number);
		else
			page |= is_named(t, what, what == NAMED_VA ? number & PAGE_MASK : number);
	}
	/* flush_tlb, flush_tlb_tables: a range. */
	for (u32 i = 0; i < t->named.nr[NAMED_VA] && is_flush(e); i++)
		page |= t->named.numbers[NAMED_VA][i] >= e->event.a &&
			t->named.numbers[NAMED_VA][i] < e->event.b;
	return (score + (page ? SCORE_NAMED : 0) + (mm ? SCORE_NAMED_MM : 0));
}

static s32 weight(const struct scoring *t, const struct retrace_entry *e)
{
	const struct named_address *a = e->access.name;
	bool shared = t->picks[e - t->r->entries].shared;
	s32 score = kind_scores[a->kind];

	if ((a->kind == ADDRESS_LOCK && t->about_locks) ||
	    (a->kind == ADDRESS_COUNTER && t->about_counters))
		score = SCORE_IF_ABOUT;
	if (!score)
		return 0;
	if (is_write(e) && e->access.before != e->access.after)
		score += SCORE_CHANGES;
	else if (a->kind == ADDRESS_UPPER)
		return SCORE_WALK; /* every walk does */
	if (a->format == VALUE_PAGE_FLAGS && is_write(e) &&
	    !((e->access.before ^ e->access.after) & TELLING_FLAGS))
		return SCORE_WALK;
	if (!is_write(e) && strstr(e->access.site->file, "tlbshoot/walker.c"))
		return SCORE_WALK; /* the fill, or the fault, has an event */
	if (a->kind == ADDRESS_DATA && !t->about_data)
		return score;
	if ((a->pfn != ~0ULL && is_named(t, NAMED_PFN, a->pfn)) ||
	    (a->va != ~0ULL && is_named(t, NAMED_VA, a->va)) ||
	    (a->format == VALUE_TABLE_ENTRY && (is_named(t, NAMED_PFN, pte_pfn(e->access.before)) ||
						is_named(t, NAMED_PFN, pte_pfn(e->access.after)))))
		score += SCORE_NAMED;
	if (a->mm && is_named(t, NAMED_MM, a->mm))
		score += SCORE_NAMED_MM;
	/* A look at what nobody else changes. */
	if (!is_write(e) && !shared && a->kind != ADDRESS_MASK)
		score /= 2;
	return score;
}

static void raise_score(struct scoring *t, u32 i, s32 score, bool star)
{
	struct pick *p = &t->picks[i];

	if (score > p->score)
		p->score = score;
	p->star |= star;
}

static int use_order(const void *pa, const void *pb)
{
	const struct use *a = pa, *b = pb;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* End of the group of @from's address in uses. */
static u32 group_end(const struct scoring *t, u32 from)
{
	u32 end = from;

	while (end < t->nr_uses && t->uses[end].address == t->uses[from].address)
		end++;
	return end;
}

static void find_shared(struct scoring *t)
{
	const struct retrace_entry *entries = t->r->entries;

	for (u32 from = 0, end; from < t->nr_uses; from = end) {
		bool written = false, several = false;

		end = group_end(t, from);
		for (u32 i = from; i < end; i++) {
			written |= is_write(&entries[t->uses[i].entry]);
			several |=
				entries[t->uses[i].entry].task != entries[t->uses[from].entry].task;
		}
		for (u32 i = from; i < end && written && several; i++)
			t->picks[t->uses[i].entry].shared = true;
	}
}

/* A stretch in which a task was kept from going on, by the vCPU that was chosen or by the end of
 * its time slice: others ran in entries (begin, end). */
struct window {
	u32 task, begin, end;
	u32 op; /* of the task */
};

/* Is it of those that decide by themselves, as a lock or a request does not? */
static bool decides(const struct scoring *t, u32 i)
{
	const struct retrace_entry *e = &t->r->entries[i];
	u32 kind = e->access.name->kind;

	return (kind_scores[kind] > kind_scores[ADDRESS_TASK] ||
		(kind == ADDRESS_LOCK && t->about_locks) ||
		(kind == ADDRESS_COUNTER && t->about_counters)) &&
	       weight(t, e) >= WEIGHT_DECIDES;
}

/* The accesses of one address, uses [from, end), against one window. */
static void score_group(struct scoring *t, const struct window *w, u32 from, u32 end)
{
	const struct retrace_entry *entries = t->r->entries;
	u32 before = 0, after = 0;

	for (u32 i = from; i < end; i++) {
		u32 e = t->uses[i].entry;

		if (entries[e].task != w->task)
			continue;
		if (e < w->begin)
			before = e;
		else if (e > w->end && !after)
			after = e;
	}
	for (u32 i = from; i < end; i++) {
		u32 e = t->uses[i].entry;
		bool with_before, with_after;
		s32 score;

		if (e <= w->begin || e >= w->end || !decides(t, e))
			continue;
		with_before = before && conflict(&entries[before], &entries[e]);
		with_after = after && conflict(&entries[after], &entries[e]);
		if (!with_before && !with_after)
			continue;
		score = SCORE_CONFLICT + (with_before && with_after ? SCORE_BOTH_SIDES : 0);
		if ((!with_before || entries[before].op != w->op) &&
		    (!with_after || entries[after].op != w->op))
			score -= SCORE_OTHER_OP;
		raise_score(t, e, score + weight(t, &entries[e]), score >= SCORE_CONFLICT);
		if (with_before && entries[before].op == w->op)
			raise_score(t, before, score + weight(t, &entries[before]), true);
		if (with_after && entries[after].op == w->op)
			raise_score(t, after, score + weight(t, &entries[after]), true);
	}
}

static void score_around(struct scoring *t, u32 i, bool few)
{
	raise_score(t, i, (few ? SCORE_AROUND : SCORE_AROUND_MANY) + weight(t, &t->r->entries[i]),
		    true);
}

/* The access of @task, or (@other) of anybody else, that is next to entry @i, in direction @step.
 */
static u32 nearest_access(const struct scoring *t, u32 i, s32 step, u32 task, bool other)
{
	const struct retrace *r = t->r;

	for (; i && i < r->nr; i += (u32)step) {
		if ((r->entries[i].task == task) != other && retrace_is_access(&r->entries[i]) &&
		    decides(t, i))
			return i;
	}
	return 0;
}

static void score_window(struct scoring *t, const struct window *w, bool few)
{
	u32 around[3] = {
		nearest_access(t, w->begin - 1, -1, w->task, false),
		nearest_access(t, w->begin + 1, 1, w->task, true),
		nearest_access(t, w->end, 1, w->task, false),
	};

	for (u32 i = 0; i < ARRAY_SIZE(around); i++) {
		if (around[i])
			score_around(t, around[i], few);
	}
	for (u32 from = 0, end; from < t->nr_uses; from = end) {
		end = group_end(t, from);
		if (t->picks[t->uses[from].entry].shared)
			score_group(t, w, from, end);
	}
}

static void score_windows(struct scoring *t)
{
	const struct retrace *r = t->r;
	u32 left = WINDOWS_MAX;

	for (u32 i = r->nr; i-- > 1 && left;) {
		const struct retrace_entry *e = &r->entries[i];
		struct window w = {.begin = i, .end = i + 1};
		u32 last = i - 1;

		if (!(e->kind == RETRACE_SWITCH && e->change.preempted) &&
		    !(e->kind == RETRACE_CHOICE && e->choice.kind == CHOICE_TICK))
			continue;
		if (e->kind == RETRACE_SWITCH) {
			while (last && r->entries[last].cpu != e->change.from)
				last--;
		} else {
			last = i;
		}
		w.task = r->entries[last].task;
		w.op = r->entries[last].op;
		/* A task that is preempted still makes some steps on its way out. */
		while (w.begin + 1 < r->nr && e->kind == RETRACE_CHOICE &&
		       r->entries[w.begin].task == w.task && r->entries[w.begin].cpu == e->cpu)
			w.begin++;
		w.end = w.begin + 1;
		while (w.end < r->nr && r->entries[w.end].task != w.task)
			w.end++;
		score_window(t, &w, r->preemptions <= FEW_PREEMPTIONS);
		left--;
	}
}

/* A look at what the same operation looks at again, or writes next, before anybody else has used
 * it, shows nothing that the other line does not. */
static void drop_redundant(struct scoring *t)
{
	const struct retrace_entry *entries = t->r->entries;

	for (u32 i = 0; i < t->nr_uses; i++) {
		const struct use *u = &t->uses[i];
		const struct retrace_entry *e = &entries[u->entry];

		const struct retrace_entry *next;
		struct pick *p = &t->picks[u->entry], *q;

		if (i + 1 == t->nr_uses || u[1].address != u->address || is_write(e))
			continue;
		next = &entries[u[1].entry];
		if (next->task != e->task || next->op != e->op ||
		    next->access.before != e->access.before)
			continue;
		q = &t->picks[u[1].entry];
		/* Of two looks that saw the same the later one, unless the other one counts. */
		if (is_write(next) || p->score <= q->score)
			p->score = 0;
		else
			q->score = 0;
	}
}

static void score_entries(struct scoring *t)
{
	const struct retrace *r = t->r;

	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind == RETRACE_EVENT)
			raise_score(t, i, event_score(t, e), false);
		else if (e->kind == RETRACE_CHOICE)
			raise_score(t, i, SCORE_CHOICE, true);
		else if (retrace_is_access(e) && weight(t, e))
			raise_score(t, i,
				    weight(t, e) +
					    (t->picks[i].shared && is_write(e) && decides(t, i)
						     ? SCORE_SHARED
						     : 0),
				    false);
		if (t->picks[i].score > SCORE_SILENT)
			t->picks[i].score += (s32)((u64)SCORE_LATE * i / r->nr);
	}
}

int explain_score(const struct retrace *r, struct pick *picks)
{
	struct scoring t = {.r = r, .picks = picks, .uses = calloc(r->nr, sizeof(*t.uses))};

	if (!t.uses)
		return -ENOMEM;
	for (u32 i = 1; i < r->nr; i++) {
		if (retrace_is_access(&r->entries[i]))
			t.uses[t.nr_uses++] = (struct use){r->entries[i].access.address, i};
	}
	qsort(t.uses, t.nr_uses, sizeof(*t.uses), use_order);
	read_violation(&t);
	find_shared(&t);
	score_windows(&t);
	score_entries(&t);
	drop_redundant(&t);
	free(t.uses);
	return 0;
}

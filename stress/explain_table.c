// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is chosen, how it is drawn. Each entry has a score (explain_score.h); the best are taken,
 * one after the other, as long as the table that comes of them fits.
 */
#include "stress/explain_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stress/explain.h"
#include "stress/explain_score.h"
#include "stress/retrace_text.h"

/* Above the body: the CPUs, underlined. */
#define HEAD_LINES 2
/* A line in a column narrower than this is not read: with more vCPUs each line says whose it is. */
#define COLUMN_MIN 22
#define COLUMN_SEPARATOR "|"
#define PATH_MAX_FUNCTIONS 16
/* What does not fit any more makes room for what takes less, so many times. */
#define MISSES_MAX 32

struct column {
	u32 index; /* ~0: none */
	/* Where it stands in what has been drawn. */
	u32 task, op;
	bool began, in_interrupt;
	const char *function;
	const char *path[PATH_MAX_FUNCTIONS]; /* gone through since */
	u32 nr_path;
};

struct table {
	const struct retrace *r;
	struct pick *picks; /* one an entry */
	bool one_mm;	    /* only one mm in the names: it need not be said */
	struct column columns[MAX_VCPUS_EXPLORE];
	u32 nr_columns, width;
	FILE *out; /* NULL: only counted */
	u32 lines;
};

/* ---- drawing ---- */

/* How much of @text fits into @room: up to a blank, if there is one. */
static size_t fitting(const char *text, size_t room)
{
	size_t take = room;

	if (strlen(text) <= room)
		return strlen(text);
	while (take && text[take] != ' ')
		take--;
	return take ? take : room;
}

/* One line in the column of @cpu, wrapped where it is too long for it. */
static void draw(struct table *t, u32 cpu, bool star, u32 indent, const char *text)
{
	const u32 index = t->columns[cpu].index;

	do {
		u32 room = t->width > indent + 3 ? t->width - indent - 2 : 1;
		size_t take = fitting(text, room), rest;

		t->lines++;
		if (t->out) {
			for (u32 i = 0; i < index; i++)
				fprintf(t->out, "%*s%s", (int)t->width, "", COLUMN_SEPARATOR);
			fprintf(t->out, "%s%*s%.*s", star ? "* " : "  ", (int)indent, "", (int)take,
				text);
			rest = 2 + indent + take;
			for (u32 i = index; i + 1 < t->nr_columns; i++) {
				fprintf(t->out, "%*s%s",
					rest < t->width ? (int)(t->width - rest) : 0, "",
					COLUMN_SEPARATOR);
				rest = 0;
			}
			fputc('\n', t->out);
		}
		text += take;
		while (*text == ' ')
			text++;
		if (star)
			star = false;
		indent += indent < 8 ? 2 : 0;
	} while (*text);
}

static void draw_cpu(struct table *t, u32 cpu, bool star, u32 indent, const char *text)
{
	char line[RETRACE_TEXT_SIZE + 16];

	if (t->nr_columns * (COLUMN_MIN + sizeof(COLUMN_SEPARATOR) - 1) <= EXPLAIN_COLUMNS) {
		draw(t, cpu, star, indent, text);
		return;
	}
	snprintf(line, sizeof(line), "CPU%-2u %*s%s", cpu, (int)indent, "", text);
	draw(t, cpu, star, 0, line);
}

/* Functions that say where it is; those of the parts below and of bookkeeping do not. */
static bool tells(const struct site *site)
{
	static const char *const silent[] = {
		"smp/",	   "engine/",	    "stress/",	       "mm/memcg.c",	 "mm/page_alloc.c",
		"mm/rss.", "tlbshoot/phys", "tlbshoot/walker", "tlbshoot/tlb.c", ".h",
	};

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		const char *found = strstr(site->file, silent[i]);

		if (found && (silent[i][0] != '.' || !found[strlen(silent[i])]))
			return false;
	}
	return true;
}

static void path_add(struct column *c, const char *function)
{
	for (u32 i = 0; i < c->nr_path; i++) {
		if (!strcmp(c->path[i], function)) {
			/* Again: now it is the latest. */
			memmove(&c->path[i], &c->path[i + 1],
				(c->nr_path - i - 1) * sizeof(c->path[0]));
			c->nr_path--;
			break;
		}
	}
	if (c->nr_path == PATH_MAX_FUNCTIONS) {
		memmove(&c->path[0], &c->path[1], (c->nr_path - 1) * sizeof(c->path[0]));
		c->nr_path--;
	}
	c->path[c->nr_path++] = function;
}

/* The functions that it went through since its last line, the latest at the end, as many as fit. */
static void draw_path(struct table *t, u32 cpu, u32 indent)
{
	struct column *c = &t->columns[cpu];
	char text[RETRACE_TEXT_SIZE];
	u32 room = t->width > indent + 8 ? t->width - indent - 8 : 1, from = c->nr_path;
	size_t len = 0;

	if (!c->nr_path || (c->nr_path == 1 && c->function && !strcmp(c->path[0], c->function)))
		return;
	while (from && (from == c->nr_path || len + strlen(c->path[from - 1]) + 4 <= room))
		len += strlen(c->path[--from]) + 4;
	len = (size_t)snprintf(text, sizeof(text), "%s", from ? "... " : "");
	for (; from < c->nr_path && len < sizeof(text); from++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s()%s", c->path[from],
					from + 1 < c->nr_path ? ", " : "");
	draw_cpu(t, cpu, false, indent, text);
	c->function = c->path[c->nr_path - 1];
	c->nr_path = 0;
}

static u32 indent_of(const struct retrace_entry *e)
{
	return e->in_interrupt ? 2 : 1;
}

/* Another function than before: in front of @text if there is room for both, else above it. */
static void draw_function(struct table *t, const struct retrace_entry *e, char *text, size_t size)
{
	const char *function = e->access.site->func;
	size_t front = strlen(function) + strlen("(): "), length = strlen(text);
	char line[RETRACE_TEXT_SIZE];

	t->columns[e->cpu].function = function;
	if (2 + indent_of(e) + 1 + front + length <= t->width && front + length < size) {
		memmove(text + front, text, length + 1);
		memcpy(text, function, front - 4);
		memcpy(text + front - 4, "(): ", 4);
		return;
	}
	snprintf(line, sizeof(line), "%s()", function);
	draw_cpu(t, e->cpu, false, indent_of(e), line);
}

/* Who does it, before the first line about him. */
static void draw_context(struct table *t, const struct retrace_entry *e)
{
	struct column *c = &t->columns[e->cpu];
	char who[64], text[RETRACE_TEXT_SIZE];

	if (!c->began || c->task != e->task || c->op != e->op) {
		retrace_task_text(t->r, e->task, who, sizeof(who));
		snprintf(text, sizeof(text), "%s%s%s", who, e->op ? ": " : "",
			 e->op ? t->r->ops[e->op] : "");
		draw_cpu(t, e->cpu, false, 0, text);
		c->began = true;
		c->task = e->task;
		c->op = e->op;
		c->function = NULL;
		c->in_interrupt = false;
	}
	if (e->in_interrupt != c->in_interrupt) {
		c->in_interrupt = e->in_interrupt;
		c->function = NULL;
		if (e->in_interrupt)
			draw_cpu(t, e->cpu, false, 1, "<interrupt>");
	}
	if (!c->function)
		draw_path(t, e->cpu, indent_of(e));
	c->nr_path = 0;
}

/* The mm's number goes where there is only one. */
static void drop_mm(char *text)
{
	char *of = strstr(text, " 0x"), *mm = of ? strstr(of, " mm") : NULL, *end;

	if (!mm)
		return;
	for (end = mm + 3; *end >= '0' && *end <= '9'; end++)
		;
	if (*end == ':' || *end == ')' || !*end)
		memmove(mm, end, strlen(end) + 1);
}

static void draw_entry(struct table *t, u32 i)
{
	const struct retrace_entry *e = &t->r->entries[i];
	struct column *c = &t->columns[e->cpu];
	char text[RETRACE_TEXT_SIZE];

	draw_context(t, e);
	retrace_entry_text(e, text, sizeof(text));
	if (t->one_mm && retrace_is_access(e))
		drop_mm(text);
	if (e->kind == RETRACE_STEP && tells(e->access.site) &&
	    (!c->function || strcmp(c->function, e->access.site->func)))
		draw_function(t, e, text, sizeof(text));
	draw_cpu(t, e->cpu, t->picks[i].star, indent_of(e) + 1, text);
}

/* The function in which @cpu was last, NULL if in none of a task. */
static const char *last_function(const struct retrace *r, u32 cpu)
{
	for (u32 i = r->nr - 1; i; i--) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->cpu == cpu && e->kind == RETRACE_STEP)
			return r->tasks[e->task].idle ? NULL : e->access.site->func;
	}
	return NULL;
}

/* What @cpu, which has not been the last to run, was kept from doing: it was switched away from at
 * entry @i. */
static void draw_not_done(struct table *t, u32 cpu, u32 i)
{
	const struct retrace_entry *e = &t->r->entries[i];
	const char *function = last_function(t->r, cpu);
	char text[RETRACE_TEXT_SIZE];

	if (e->change.preempted && e->change.next_name)
		snprintf(text, sizeof(text), "(not yet: %s(): %s %s)", e->change.next_site->func,
			 access_word(e->change.next_site->kind), e->change.next_name->name);
	else if (!e->change.preempted && function)
		snprintf(text, sizeof(text), "(waits in %s())", function);
	else
		return;
	if (t->one_mm)
		drop_mm(text);
	draw_cpu(t, cpu, false, 1, text);
}

static void draw_all_not_done(struct table *t)
{
	const struct retrace *r = t->r;

	for (u32 cpu = 0; cpu < r->nr_cpus; cpu++) {
		u32 i = r->nr - 1;

		while (i && r->entries[i].cpu != cpu &&
		       !(r->entries[i].kind == RETRACE_SWITCH && r->entries[i].change.from == cpu))
			i--;
		if (i && r->entries[i].cpu != cpu && t->columns[cpu].index != ~0u)
			draw_not_done(t, cpu, i);
	}
}

/* The place where it was noticed, in its column. */
static void draw_violation(struct table *t)
{
	const struct violation *v = &t->r->violation;
	char text[RETRACE_TEXT_SIZE];

	u32 last = t->r->nr - 1;

	if (!t->r->violated || v->cpu >= t->r->nr_cpus || t->columns[v->cpu].index == ~0u)
		return;
	while (last && t->r->entries[last].cpu != v->cpu)
		last--;
	if (last)
		draw_context(t, &t->r->entries[last]);
	snprintf(text, sizeof(text), "%s(): BUG %s", v->where, v->invariant->slug);
	draw_cpu(t, v->cpu, true, 1, text);
}

static void columns_of(struct table *t)
{
	const struct retrace *r = t->r;
	bool used[MAX_VCPUS_EXPLORE] = {false};

	for (u32 i = 1; i < r->nr; i++)
		used[r->entries[i].cpu] |= t->picks[i].chosen;
	if (r->violated && r->violation.cpu < r->nr_cpus)
		used[r->violation.cpu] = true;
	t->nr_columns = 0;
	for (u32 i = 0; i < r->nr_cpus; i++) {
		t->columns[i] = (struct column){.index = used[i] ? t->nr_columns++ : ~0u};
	}
	if (t->nr_columns * (COLUMN_MIN + sizeof(COLUMN_SEPARATOR) - 1) <= EXPLAIN_COLUMNS) {
		t->width = (u32)((EXPLAIN_COLUMNS - (sizeof(COLUMN_SEPARATOR) -
						     1) * (t->nr_columns ? t->nr_columns - 1 : 0)) /
				 (t->nr_columns ? t->nr_columns : 1));
		return;
	}
	t->width = EXPLAIN_COLUMNS;
	for (u32 i = 0; i < r->nr_cpus; i++)
		t->columns[i].index = t->columns[i].index == ~0u ? ~0u : 0;
}

static void draw_heads(struct table *t)
{
	bool side_by_side = t->width < EXPLAIN_COLUMNS || t->nr_columns == 1;
	char head[16];

	for (u32 line = 0; t->out && side_by_side && line < 2; line++) {
		for (u32 i = 0, done = 0; i < t->r->nr_cpus; i++) {
			if (t->columns[i].index == ~0u)
				continue;
			snprintf(head, sizeof(head), "  CPU%u", i);
			for (char *p = head + 2; line && *p; p++)
				*p = '=';
			done++;
			if (done == t->nr_columns)
				fprintf(t->out, "%s\n", head);
			else
				fprintf(t->out, "%-*s%s", (int)t->width, head, COLUMN_SEPARATOR);
		}
	}
}

static void look_at_mms(struct table *t)
{
	u32 mm = 0;

	t->one_mm = true;
	for (u32 i = 1; i < t->r->nr; i++) {
		const struct retrace_entry *e = &t->r->entries[i];

		if (!t->picks[i].chosen || !retrace_is_access(e) ||
		    e->access.name->format != VALUE_TABLE_ENTRY || !e->access.name->mm)
			continue;
		t->one_mm &= !mm || mm == e->access.name->mm;
		mm = e->access.name->mm;
	}
}

/* Draws all that is chosen, or counts its lines (@out NULL). */
static u32 draw_table(struct table *t, FILE *out)
{
	const struct retrace *r = t->r;

	t->out = out;
	t->lines = 0;
	look_at_mms(t);
	columns_of(t);
	draw_heads(t);
	if (!t->nr_columns)
		return 0;
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind == RETRACE_STEP && t->columns[e->cpu].index != ~0u &&
		    tells(e->access.site))
			path_add(&t->columns[e->cpu], e->access.site->func);
		if (t->picks[i].chosen)
			draw_entry(t, i);
	}
	draw_all_not_done(t);
	draw_violation(t);
	return t->lines;
}

/* ---- below the table ---- */

/* @text over as many lines as it takes; the later ones are indented. Returns how many; @out NULL:
 * only counts. */
static u32 print_wrapped(FILE *out, const char *text)
{
	u32 indent = 0, lines = 0;

	while (*text) {
		size_t take = fitting(text, EXPLAIN_COLUMNS - indent);

		if (out)
			fprintf(out, "%*s%.*s\n", (int)indent, "", (int)take, text);
		lines++;
		text += take;
		while (*text == ' ')
			text++;
		indent = 5;
	}
	return lines;
}

/* What was violated, and what holds while it is not. */
static u32 print_begin(FILE *out, const struct retrace *r)
{
	char text[VIOLATION_MESSAGE_SIZE + 256];
	u32 lines = 1;

	if (!r->violated)
		return 0;
	snprintf(text, sizeof(text), "BUG: %s in %s() on CPU%u: %s", r->violation.invariant->slug,
		 r->violation.where, r->violation.cpu, r->violation.message);
	lines += print_wrapped(out, text);
	snprintf(text, sizeof(text), "rule: %s", r->violation.invariant->rule);
	lines += print_wrapped(out, text);
	if (out)
		fputc('\n', out);
	return lines;
}

void explain_print_begin(FILE *out, const struct retrace *r)
{
	(void)print_begin(out, r);
}

static u32 print_end(FILE *out, const struct retrace *r)
{
	static const char *const ends[] = {
		[MACHINE_FINISHED] = "finished: nothing was violated",
		[MACHINE_VIOLATION] = "violation",
		[MACHINE_DEADLOCK] = "deadlock",
		[MACHINE_NO_PROGRESS] = "no progress",
		[MACHINE_STOPPED] = "stopped",
	};
	char text[256];
	u32 lines = 1;

	if (out)
		fputc('\n', out);
	if (!r->violated)
		lines += print_wrapped(out, ends[r->end]);
	snprintf(text, sizeof(text),
		 "%" PRIu64 " decision points, %" PRIu64 " preemption%s; * decides", r->steps,
		 r->preemptions, r->preemptions == 1 ? "" : "s");
	return lines + print_wrapped(out, text);
}

void explain_print_end(FILE *out, const struct retrace *r)
{
	(void)print_end(out, r);
}

/* ---- choosing ---- */

/* What may be shown, best first. */
struct candidate {
	s32 score;
	u32 entry;
};

struct candidates {
	struct candidate *list;
	u32 nr;
	u32 *chosen; /* those that are shown */
	u32 nr_chosen;
};

/* The same access of the same operation is there already. */
static bool repeats(const struct table *t, const struct candidates *c, u32 i)
{
	const struct retrace_entry *e = &t->r->entries[i];

	if (!retrace_is_access(e))
		return false;
	for (u32 k = 0; k < c->nr_chosen; k++) {
		const struct retrace_entry *o = &t->r->entries[c->chosen[k]];

		if (retrace_is_access(o) && o->cpu == e->cpu && o->op == e->op &&
		    o->access.address == e->access.address && o->access.site == e->access.site)
			return true;
	}
	return false;
}

/* The higher score first; of equals the later one. */
static int better_first(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->entry < y->entry ? 1 : -1;
}

/* 0, or -ENOMEM. */
static int gather_candidates(const struct table *t, struct candidates *c)
{
	c->list = calloc(t->r->nr, sizeof(*c->list));
	c->chosen = calloc(t->r->nr, sizeof(*c->chosen));
	if (!c->list || !c->chosen)
		return -ENOMEM;
	for (u32 i = 1; i < t->r->nr; i++) {
		if (t->picks[i].chosen)
			c->chosen[c->nr_chosen++] = i;
		else if (t->picks[i].score >= SCORE_LEAST)
			c->list[c->nr++] = (struct candidate){t->picks[i].score, i};
	}
	qsort(c->list, c->nr, sizeof(*c->list), better_first);
	return 0;
}

static void choose(struct table *t, struct candidates *c)
{
	u32 room = EXPLAIN_LINES - HEAD_LINES - print_begin(NULL, t->r) - print_end(NULL, t->r),
	    misses = 0;

	for (u32 n = 0; n < c->nr && misses < MISSES_MAX; n++) {
		u32 i = c->list[n].entry;

		if (repeats(t, c, i))
			continue;
		t->picks[i].chosen = true;
		if (draw_table(t, NULL) <= room) {
			c->chosen[c->nr_chosen++] = i;
			continue;
		}
		t->picks[i].chosen = false;
		misses++;
	}
}

/* With more stars than this none of them says anything: the best keep theirs. */
#define STARS_MAX 8

static void thin_stars(struct table *t)
{
	u32 stars = 0, worst = 0;

	do {
		stars = worst = 0;
		for (u32 i = 1; i < t->r->nr; i++) {
			const struct pick *p = &t->picks[i];

			if (!p->star || !p->chosen)
				continue;
			stars++;
			if (!worst || p->score < t->picks[worst].score)
				worst = i;
		}
		if (stars > STARS_MAX)
			t->picks[worst].star = false;
	} while (stars > STARS_MAX);
}

int explain_table(FILE *out, const struct retrace *r, struct error *err)
{
	struct table t = {.r = r, .picks = calloc(r->nr, sizeof(*t.picks))};
	struct candidates c = {0};
	int ret = 0;

	if (!t.picks || explain_score(r, t.picks) || gather_candidates(&t, &c)) {
		ret = error_no_memory(err);
	} else {
		choose(&t, &c);
		thin_stars(&t);
		explain_print_begin(out, r);
		draw_table(&t, out);
		explain_print_end(out, r);
	}
	free(c.list);
	free(c.chosen);
	free(t.picks);
	return ret;
}

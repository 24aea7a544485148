// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Explanations: the retrace is the run again, the table has the size and the parts that it
 * promises, the full form every step.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "stress/explain.h"
#include "stress/retrace_text.h"
#include "stress_found_schedule.h"
#include "support/test_machine.h"

/* Bugs of all kinds: TLB, data, counters of references, locks; one CPU, two, three. */
static const char *const slugs[] = {
	"flush-skips-cpu",	"parallel-zap-skips-flush",  "ipi-ack-before-flush",
	"get-task-mm-unlocked", "rmap-removed-before-flush", "rwsem-lost-wakeup",
	"lock-order-inversion", "pte-clear-not-atomic",
};

/* Explains @f; free() is due. */
static char *explained(const struct found_schedule *f, bool full)
{
	struct error err = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	cr_assert_eq(explain_schedule(out, &f->config, &f->schedule, full, &err), 0, "%s",
		     err.line);
	cr_assert_eq(fclose(out), 0);
	return text;
}

static void check_size(const char *slug, const char *text)
{
	unsigned int lines = 0;

	for (const char *p = text; *p; lines++) {
		size_t length = strcspn(p, "\n");

		cr_expect_leq(length, EXPLAIN_COLUMNS, "%s: %.*s", slug, (int)length, p);
		cr_expect(!length || p[length - 1] != ' ', "%s: a blank at the end: '%.*s'", slug,
			  (int)length, p);
		p += length + (p[length] == '\n');
	}
	cr_expect_leq(lines, EXPLAIN_LINES, "%s takes %u lines:\n%s", slug, lines, text);
	cr_expect_geq(lines, 10, "%s takes %u lines:\n%s", slug, lines, text);
}

Test(explain, table_has_its_size_and_its_parts)
{
	for (size_t i = 0; i < ARRAY_SIZE(slugs); i++) {
		struct found_schedule f;
		char *text, bug[192];

		found_schedule_make(&f, slugs[i], true);
		text = explained(&f, false);
		check_size(slugs[i], text);
		snprintf(bug, sizeof(bug), "BUG: %s in %s()", f.schedule.invariant,
			 f.schedule.where);
		cr_expect_not_null(strstr(text, bug), "%s: no '%s' in\n%s", slugs[i], bug, text);
		cr_expect_not_null(strstr(text, "rule: "));
		cr_expect(!strncmp(text, bug, strlen(bug)), "%s:\n%s", slugs[i], text);
		cr_expect_not_null(strstr(text, "\n\n  CPU"), "%s:\n%s", slugs[i], text);
		cr_expect_not_null(strstr(text, "\n*") ? strstr(text, "\n*") : strstr(text, "|*"),
				   "%s: nothing decides in\n%s", slugs[i], text);
		free(text);
		found_schedule_free(&f);
	}
}

/* The stale entry of the shootdown that leaves a CPU out: what a reader has to see. */
Test(explain, table_names_what_the_violation_is_about)
{
	struct found_schedule f;
	char *text;

	found_schedule_make(&f, "flush-skips-cpu", true);
	text = explained(&f, false);
	cr_expect_not_null(strstr(text, "dontneed(shared, 0, 2)"), "%s", text);
	cr_expect_not_null(strstr(text, "pte 0x"), "%s", text);
	cr_expect_not_null(strstr(text, "-> none"), "%s", text);
	cr_expect_not_null(strstr(text, "CPU1"), "%s", text);
	free(text);
	found_schedule_free(&f);
}

Test(explain, same_schedule_same_text)
{
	struct found_schedule f;
	char *a, *b;
	void *churn;

	found_schedule_make(&f, "ipi-ack-before-flush", true);
	a = explained(&f, true);
	/* Another place on the host for all that follows. */
	churn = malloc(1234567);
	b = explained(&f, true);
	cr_expect_str_eq(a, b);
	free(a);
	free(b);
	a = explained(&f, false);
	b = explained(&f, false);
	cr_expect_str_eq(a, b);
	free(a);
	free(b);
	free(churn);
	found_schedule_free(&f);
}

Test(explain, full_form_has_every_step)
{
	struct found_schedule f;
	unsigned long long step = 0, steps = 0;
	char *text, *save = NULL;

	found_schedule_make(&f, "parallel-zap-skips-flush", true);
	text = explained(&f, true);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long long nr;
		unsigned int cpu;

		if (sscanf(line, " %llu CPU%u", &nr, &cpu) != 2)
			continue;
		cr_expect_lt(cpu, f.config.cpus);
		cr_expect_geq(nr, step, "steps go back: %s", line);
		steps += !strstr(line, " event ") && !strstr(line, " choice ");
		step = nr;
	}
	/* Where the run ends each task and each idle vCPU may stand at a decision point whose step
	 * it has not taken. */
	cr_expect_geq(steps + job_tasks(&f.config.job) + f.config.cpus + 1, f.schedule.steps);
	cr_expect_leq(steps, f.schedule.steps);
	free(text);
	found_schedule_free(&f);
}

Test(explain, silent_schedule)
{
	struct found_schedule f;
	char *text;

	found_schedule_make(&f, "flush-skips-cpu", false);
	text = explained(&f, false);
	cr_expect_not_null(strstr(text, "finished: nothing was violated"), "%s", text);
	check_size("silent", text);
	free(text);
	found_schedule_free(&f);
}

Test(explain, retrace_is_the_run)
{
	struct found_schedule f;
	struct retrace *r;
	struct error err = {0};
	u64 preemptions = 0, steps = 0;

	found_schedule_make(&f, "rmap-removed-before-flush", true);
	r = retrace_schedule(&f.config, &f.schedule, &err);
	cr_assert_not_null(r, "%s", err.line);
	cr_expect_eq(r->steps, f.schedule.steps);
	cr_expect_eq(r->preemptions, f.schedule.preemptions);
	cr_expect_str_eq(r->violation.invariant->slug, f.schedule.invariant);
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		preemptions += e->kind == RETRACE_SWITCH && e->change.preempted;
		steps += e->kind == RETRACE_STEP;
		cr_assert_lt(e->cpu, r->nr_cpus);
		cr_assert_lt(e->task, r->nr_tasks);
		cr_assert_lt(e->op, r->nr_ops);
		/* Between two switches one vCPU runs. */
		if (i > 1 && e->kind != RETRACE_SWITCH)
			cr_expect_eq(e->cpu, r->entries[i - 1].cpu, "entry %u", i);
	}
	cr_expect_geq(steps + r->nr_tasks, r->steps);
	/* A vCPU that was preempted may have been the one that runs next after all. */
	cr_expect_leq(preemptions, r->preemptions);
	retrace_destroy(r);
	found_schedule_free(&f);
}

/* What was written is what is read next, as long as nobody else comes. */
Test(explain, values_fit_together)
{
	struct found_schedule f;
	struct retrace *r;
	struct error err = {0};
	u32 compared = 0;

	found_schedule_make(&f, "flush-skips-cpu", true);
	r = retrace_schedule(&f.config, &f.schedule, &err);
	cr_assert_not_null(r, "%s", err.line);
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind != RETRACE_STEP || !e->access.address ||
		    e->access.name->kind != ADDRESS_TABLE)
			continue;
		for (u32 k = i + 1; k < r->nr; k++) {
			const struct retrace_entry *n = &r->entries[k];

			if (n->kind != RETRACE_STEP || n->access.address != e->access.address)
				continue;
			/* A page-table entry only ever changes by an access to it, while the name
			 * is the same. */
			if (n->access.name == e->access.name && e->access.after_known) {
				cr_expect_eq(n->access.before, e->access.after, "%s at step %llu",
					     n->access.name->name, (unsigned long long)n->step);
				compared++;
			}
			break;
		}
	}
	cr_expect_gt(compared, 4);
	retrace_destroy(r);
	found_schedule_free(&f);
}

Test(explain, altered_schedule_diverges)
{
	struct found_schedule f;
	struct error err = {0};
	FILE *out = fopen("/dev/null", "w");

	cr_assert_not_null(out);
	found_schedule_make(&f, "flush-skips-cpu", true);
	cr_assert_gt(f.schedule.recorded.nr, 4);
	/* A choice of a kind that nobody asks for there. */
	f.schedule.recorded.choices[2].kind = f.schedule.recorded.choices[2].kind == RECORDED_PICK
						      ? CHOICE_ALLOC_FAIL
						      : RECORDED_PICK;
	cr_expect_neq(explain_schedule(out, &f.config, &f.schedule, false, &err), 0);
	cr_expect_eq(err.status, VERDICT_DIVERGED, "%d: %s", err.status, err.line);
	cr_expect_not_null(strstr(err.line, "step "), "%s", err.line);
	fclose(out);
	found_schedule_free(&f);
}

Test(explain, numbers_in_texts)
{
	const char *text =
		"CPU1 uses va 2aaab000 of mm 3 -> pfn 12; mm6 at 0x400000, pfns 7, comma 9";
	static const struct {
		enum named_number what;
		u64 number;
	} expected[] = {{NAMED_VA, 0x2aaab000},
			{NAMED_MM, 3},
			{NAMED_PFN, 12},
			{NAMED_MM, 6},
			{NAMED_VA, 0x400000}};
	enum named_number what;
	u64 number;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		cr_assert(retrace_next_number(&text, &what, &number));
		cr_expect_eq(what, expected[i].what);
		cr_expect_eq(number, expected[i].number);
	}
	cr_expect_not(retrace_next_number(&text, &what, &number));
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The explanation's frame: runs the schedule, and the full form. The table is explain_table.c's.
 */
#include "stress/explain.h"

#include <inttypes.h>
#include <string.h>

#include "stress/explain_table.h"
#include "stress/retrace_text.h"

/* "mm/zap.c:123", without the folders that a build may have put in front. */
static void print_place(FILE *out, const struct site *site)
{
	const char *file = site->file + strlen(site->file);
	u32 slashes = 0;
	char place[64];

	while (file > site->file && (slashes += file[-1] == '/') < 2)
		file--;
	snprintf(place, sizeof(place), "%s:%u", file, site->line);
	fprintf(out, "%-28s %-24s", place, site->func);
}

static void print_full(FILE *out, const struct retrace *r)
{
	char text[RETRACE_TEXT_SIZE], task[64];

	explain_print_begin(out, r);
	fprintf(out, "%8s %-5s %-16s %-28s %-24s %-7s %s\n", "step", "cpu", "task", "place",
		"function", "kind", "what");
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind == RETRACE_SWITCH) {
			fprintf(out, "%8s -- %s\n", "", retrace_entry_text(e, text, sizeof(text)));
			continue;
		}
		fprintf(out, "%8" PRIu64 " CPU%-2u %-16s ", e->step, e->cpu,
			retrace_task_text(r, e->task, task, sizeof(task)));
		if (e->kind == RETRACE_STEP)
			print_place(out, e->access.site);
		else
			fprintf(out, "%-28s %-24s", "", "");
		fprintf(out, " %-7s %s\n",
			e->kind == RETRACE_STEP	   ? access_word(e->access.site->kind)
			: e->kind == RETRACE_EVENT ? "event"
						   : "choice",
			e->kind == RETRACE_EVENT && e->op && e->event.a < NR_JOB_OPS &&
					e->event.desc->id == RETRACE_OP_EVENT
				? r->ops[e->op]
				: retrace_entry_text(e, text, sizeof(text)));
	}
	if (r->cut)
		fprintf(out, "%8s -- cut: longer than %u entries\n", "", RETRACE_ENTRIES_MAX);
	explain_print_end(out, r);
}

int explain_retrace(FILE *out, const struct retrace *r, bool full, struct error *err)
{
	if (!full)
		return explain_table(out, r, err);
	print_full(out, r);
	return 0;
}

int explain_schedule(FILE *out, const struct config *config, const struct schedule *s, bool full,
		     struct error *err)
{
	struct retrace *r = retrace_schedule(config, s, err);
	int ret;

	if (!r)
		return -1;
	ret = explain_retrace(out, r, full, err);
	retrace_destroy(r);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text of /sys/kernel/tracing/trace. Layout: v3.14 kernel/trace/trace.c and
 * Documentation/trace/ftrace.txt; the arguments of events: include/trace/events/ (sched.h, ipi.h,
 * tlb.h, kmem.h, lock.h).
 */
#include "stress/trace.h"

#include <inttypes.h>
#include <string.h>

#include "smp/task.h"
#include "stress/retrace_text.h"
#include "tlbshoot/pte.h"

/* struct page number @pfn as v3.14 shows it: VMEMMAP_START of Documentation/x86/x86_64/mm.txt, and
 * the size of struct page. The host's own address would be another one in each run. */
#define VMEMMAP_START UINT64_C(0xffffea0000000000)
#define STRUCT_PAGE_SIZE 64

#define DEFAULT_PRIO 120 /* v3.14 include/linux/sched/rt.h: a task of nice 0 */
#define USEC_PER_SEC 1000000

/* The reasons of tlb_flush, v3.16 include/linux/mm_types.h. */
#define TLB_LOCAL_SHOOTDOWN 2

/* Events that the kernel has too, by their numbers (engine/event.h). */
enum {
	EVENT_IPI_SEND = 100,
	EVENT_SWITCH = 110,
	EVENT_WAKE = 111,
	EVENT_FLUSH = 204,
	EVENT_FLUSH_TABLES = 205,
	EVENT_ALLOC = 300,
	EVENT_FREE = 301,
};

static void print_head(FILE *out, const struct retrace *r, u32 entries)
{
	fprintf(out,
		"# tracer: nop\n"
		"#\n"
		"# entries-in-buffer/entries-written: %u/%u   #P:%u\n"
		"#\n"
		"# one decision point is one microsecond\n"
		"#\n"
		"#                              _-----=> irqs-off\n"
		"#                             / _----=> need-resched\n"
		"#                            | / _---=> hardirq/softirq\n"
		"#                            || / _--=> preempt-depth\n"
		"#                            ||| /     delay\n"
		"#           TASK-PID   CPU#  ||||    TIMESTAMP  FUNCTION\n"
		"#              | |       |   ||||       |         |\n",
		entries, entries, r->nr_cpus);
}

static const char *comm_of(const struct retrace *r, u32 pid)
{
	for (u32 i = r->nr_tasks; i--;) {
		if (r->tasks[i].pid == pid && !r->tasks[i].idle)
			return r->tasks[i].comm;
	}
	return pid ? "task" : "swapper";
}

static void print_front(FILE *out, const struct retrace *r, const struct retrace_entry *e)
{
	static const char depth[] = ".123456789abcdef";
	const struct retrace_task *t = &r->tasks[e->task];

	fprintf(out, "%16s-%-5u [%03u] %c%c%c%c %5" PRIu64 ".%06" PRIu64 ": ",
		t->idle ? "<idle>" : t->comm, t->idle ? 0 : t->pid, e->cpu, e->irqs_off ? 'd' : '.',
		e->need_resched ? 'N' : '.', e->in_interrupt ? 'h' : '.',
		depth[e->preempt_count < sizeof(depth) - 2 ? e->preempt_count : sizeof(depth) - 2],
		e->step / USEC_PER_SEC, e->step % USEC_PER_SEC);
}

/* The CPUs that the call_function event @i of its sender is about. */
static u64 target_mask(const struct retrace *r, u32 i)
{
	u64 mask = 0;

	for (u32 k = 0; k < r->nr_ipis; k++) {
		const struct retrace_ipi *ipi = &r->ipis[k];

		if (ipi->sender == r->entries[i].cpu && ipi->sent < i &&
		    (!ipi->seen || ipi->seen > i))
			mask |= 1ULL << ipi->target;
	}
	return mask;
}

/* "tlb_fill 2M" -> "mmt_tlb_fill_2M": a name is one word. */
static void print_own_name(FILE *out, const char *name)
{
	fputs("mmt_", out);
	for (; *name; name++) {
		if (*name == ' ' || *name == '-')
			fputc('_', out);
		else if (*name != ':' && *name != ',')
			fputc(*name, out);
	}
}

/* As sched_switch prints enum task_state. */
static char task_state_letter(u32 state)
{
	switch (state) {
	case TASK_RUNNING:
		return 'R';
	case TASK_INTERRUPTIBLE:
		return 'S';
	case TASK_UNINTERRUPTIBLE:
	case TASK_KILLABLE:
		return 'D';
	case TASK_DEAD:
		return 'X';
	default:
		return '?';
	}
}

static void print_event(FILE *out, const struct retrace *r, u32 i)
{
	const struct retrace_entry *e = &r->entries[i];
	const struct event *v = &e->event;
	char text[RETRACE_TEXT_SIZE];
	size_t len;

	switch (v->desc->id) {
	case EVENT_IPI_SEND:
		fprintf(out,
			"ipi_raise: target_mask=%08" PRIx32 ",%08" PRIx32
			" (Function call interrupts)\n",
			(u32)(target_mask(r, i) >> 32), (u32)target_mask(r, i));
		return;
	case EVENT_SWITCH:
		fprintf(out,
			"sched_switch: prev_comm=%s prev_pid=%" PRIu64
			" prev_prio=%d prev_state=%c "
			"==> next_comm=%s next_pid=%" PRIu64 " next_prio=%d\n",
			comm_of(r, (u32)v->a), v->a, DEFAULT_PRIO, task_state_letter(e->task_state),
			comm_of(r, (u32)v->b), v->b, DEFAULT_PRIO);
		return;
	case EVENT_WAKE:
		fprintf(out,
			"sched_wakeup: comm=%s pid=%" PRIu64 " prio=%d target_cpu=%03" PRIu64 "\n",
			comm_of(r, (u32)v->a), v->a, DEFAULT_PRIO, v->b);
		return;
	case EVENT_FLUSH:
	case EVENT_FLUSH_TABLES:
		fprintf(out, "tlb_flush: pages:%" PRId64 " reason:local shootdown (%d)\n",
			v->b == ~0ULL ? -1 : (s64)((v->b - v->a) >> PAGE_SHIFT),
			TLB_LOCAL_SHOOTDOWN);
		return;
	case EVENT_ALLOC:
		fprintf(out,
			"mm_page_alloc: page=%#" PRIx64 " pfn=%" PRIu64 " order=%" PRIu64
			" migratetype=0 gfp_flags=GFP_KERNEL\n",
			VMEMMAP_START + v->a * STRUCT_PAGE_SIZE, v->a, v->b);
		return;
	case EVENT_FREE:
		fprintf(out, "mm_page_free: page=%#" PRIx64 " pfn=%" PRIu64 " order=%" PRIu64 "\n",
			VMEMMAP_START + v->a * STRUCT_PAGE_SIZE, v->a, v->b);
		return;
	case RETRACE_OP_EVENT:
		fprintf(out, "mmt_op: %s\n", r->ops[e->op]);
		return;
	default:
		print_own_name(out, v->desc->name);
		retrace_entry_text(e, text, sizeof(text));
		len = strlen(v->desc->name);
		fprintf(out, ": %s\n", text[len] ? text + len + 1 : "");
	}
}

static void print_access(FILE *out, const struct retrace_entry *e)
{
	const struct site *site = e->access.site;
	char text[RETRACE_TEXT_SIZE];

	if (e->access.name && site->kind == ACCESS_LOCK)
		fprintf(out, "lock_acquire: %#" PRIx64 " %s\n", e->access.address,
			e->access.name->name);
	else if (e->access.name && site->kind == ACCESS_UNLOCK)
		fprintf(out, "lock_release: %#" PRIx64 " %s\n", e->access.address,
			e->access.name->name);
	else
		fprintf(out, "mmt_%s: %s: %s\n", access_word(site->kind), site->func,
			retrace_access_text(e, text, sizeof(text)));
}

/* The interrupt's begin or end, where @e is the first entry after it. Returns lines printed. */
static u32 print_interrupt(FILE *out, const struct retrace *r, const struct retrace_entry *e,
			   bool *inside)
{
	if (*inside == e->in_interrupt)
		return 0;
	*inside = e->in_interrupt;
	if (!out)
		return 1;
	print_front(out, r, e);
	fprintf(out, "%s: (Function call interrupts)\n", *inside ? "ipi_entry" : "ipi_exit");
	return 1;
}

/* All lines, or only their number (@out NULL). */
static u32 print_entries(FILE *out, const struct retrace *r)
{
	bool inside[MAX_VCPUS_EXPLORE] = {false};
	char text[RETRACE_TEXT_SIZE];
	u32 lines = 0;

	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];

		if (e->kind == RETRACE_SWITCH)
			continue;
		lines += 1 + print_interrupt(out, r, e, &inside[e->cpu]);
		if (!out)
			continue;
		print_front(out, r, e);
		if (e->kind == RETRACE_EVENT)
			print_event(out, r, i);
		else if (e->kind == RETRACE_STEP)
			print_access(out, e);
		else
			fprintf(out, "mmt_choice: %s\n", retrace_entry_text(e, text, sizeof(text)));
	}
	return lines;
}

/* What came of it, as the last entry of the vCPU that noticed. Returns lines printed. */
static u32 print_violation(FILE *out, const struct retrace *r)
{
	u32 last = r->nr - 1;

	while (last && (r->entries[last].cpu != r->violation.cpu ||
			r->entries[last].kind == RETRACE_SWITCH))
		last--;
	if (!r->violated || !last)
		return 0;
	if (out) {
		struct retrace_entry e = r->entries[last];

		e.step = r->entries[r->nr - 1].step;
		print_front(out, r, &e);
		fprintf(out, "mmt_violation: %s in %s: %s\n", r->violation.invariant->slug,
			r->violation.where, r->violation.message);
	}
	return 1;
}

int trace_ftrace(FILE *out, const struct retrace *r, struct error *err)
{
	(void)err;
	print_head(out, r, print_entries(NULL, r) + print_violation(NULL, r));
	print_entries(out, r);
	print_violation(out, r);
	return 0;
}

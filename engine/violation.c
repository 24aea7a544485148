// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/violation.h"

#include <stdarg.h>
#include <string.h>

#include "engine/explore.h"

const struct invariant inv_kernel_bug = {"kernel-bug", "the emulated kernel's own assertions hold"};

static bool claim(struct machine *m)
{
	u32 none = 0;

	__atomic_fetch_add(&m->violations.nr, 1, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(&m->violations.claimed, &none, 1, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void complete(struct machine *m, const struct invariant *inv, const char *where, u32 cpu,
		     u32 other_cpu, const char *fmt, va_list args)
{
	struct violation *first = &m->violations.first;

	first->invariant = inv;
	first->where = where;
	first->cpu = cpu;
	first->other_cpu = other_cpu == ~0u ? cpu : other_cpu;
	/* From outside the vCPU may be running: a glance. */
	first->time = __atomic_load_n(&m->vcpus[cpu].events.clock, __ATOMIC_RELAXED);
	vsnprintf(first->message, sizeof(first->message), fmt, args);
	__atomic_store_n(&m->violations.ready, 1, __ATOMIC_RELEASE);
}

void violation_report(const struct invariant *inv, const char *where, u32 other_cpu,
		      const char *fmt, ...)
{
	struct vcpu *v = this_vcpu();
	struct machine *m = v->machine;
	va_list args;

	if (claim(m)) {
		va_start(args, fmt);
		complete(m, inv, where, v->id, other_cpu, fmt, args);
		va_end(args);
	}
	machine_stop(m, MACHINE_VIOLATION);
	vcpu_leave();
}

void violation_from_outside(struct machine *m, const struct invariant *inv, u32 cpu,
			    const char *fmt, ...)
{
	va_list args;

	if (!claim(m))
		return;
	va_start(args, fmt);
	complete(m, inv, m->executor == EXECUTOR_EXPLORE ? "explorer" : "watchdog",
		 min(cpu, m->nr_vcpus - 1), ~0u, fmt, args);
	va_end(args);
}

void violation_print(FILE *out, const struct machine *m, u32 depth)
{
	const struct violation *first = &m->violations.first;

	if (!m->violations.ready)
		return;
	fprintf(out, "BUG: %s on CPU%u in %s: %s\n", first->invariant->slug, first->cpu,
		first->where, first->message);
	fprintf(out, "rule: %s\n", first->invariant->rule);
	if (m->violations.nr > 1)
		fprintf(out, "%llu more were seen while the machine stopped\n",
			(unsigned long long)m->violations.nr - 1);
	for (u32 i = 0; m->ops.describe && i < m->nr_vcpus; i++) {
		char text[160];

		if (m->ops.describe(&m->vcpus[i], text, sizeof(text)) > 0)
			fprintf(out, "CPU%u: %s\n", i, text);
	}
	if (!depth)
		return;
	fprintf(out, "\nlast events, oldest first:\n");
	event_print_columns(out, m, depth);
}

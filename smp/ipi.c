// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/ipi.h"

#include "smp/hotplug.h"
#include "smp/knobs.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_ipi_send, 100, EVENT_SYNC, "call_function", "to %llu CPUs, first CPU%llu");
EVENT_DESC(ev_ipi_done, 101, 0, "call_function acknowledged", "by %llu CPUs%.0llu");
EVENT_DESC(ev_ipi_recv, 102, EVENT_SYNC, "interrupt: call_function", "of CPU%llu done%.0llu");

/* The request for sender -> target. */
static struct call_single_data *csd_of(struct machine *m, u32 sender, u32 target)
{
	return &m->smp->csds[(u64)sender * m->nr_vcpus + target];
}

static void csd_wait(struct call_single_data *csd)
{
	struct spin spin = {0};

	lockdep_wait_irqs_off_check(__func__);
	while (smp_load_acquire(&csd->locked))
		cpu_relax_on(&csd->locked, &spin);
}

static void send(struct vcpu *target, struct call_single_data *csd)
{
	struct call_single_data *first = READ_ONCE(target->call_queue), *seen;

	check_cpu_alive(target, __func__);
	for (;;) {
		csd->next = first;
		seen = cmpxchg(&target->call_queue, (void *)first, (void *)csd);
		if (seen == first)
			break;
		first = seen;
	}
	if (!first)
		vcpu_raise(target, PENDING_CALL_FUNCTION);
}

u32 smp_call_function_many(const u64 *mask, smp_call_func_t func, const struct call_args *args)
{
	struct vcpu *self = this_vcpu();
	struct machine *m = self->machine;
	u32 words = (m->nr_vcpus + 63) / 64, nr = 0, first = 0;
	u64 sent[CPU_WORDS];
	u32 irqs = 0;

	if (unlikely(irqs_disabled() || self->in_interrupt))
		lockdep_wait_irqs_off_failed(__func__);
	/* The requests in use are this vCPU's: another task here would write over them. */
	BUG_ON(!self->preempt_count, "pid %u sends a call_function with preemption on",
	       current->pid);
	for (u32 w = 0; w < words; w++) {
		u64 left = READ_ONCE(mask[w]);

		if (w == self->id / 64)
			left &= ~(1ULL << (self->id & 63));
		/* A CPU that goes offline has left every mask that matters before. */
		left &= cpu_online_word(m, w);
		sent[w] = left;
		for (; left; left &= left - 1) {
			u32 cpu = w * 64 + (u32)__builtin_ctzll(left);
			struct call_single_data *csd = csd_of(m, self->id, cpu);

			csd->func = func;
			csd->args = *args;
			csd->sender = self->id;
			WRITE_ONCE(csd->locked, 1);
			if (!nr++)
				first = cpu;
			send(&m->vcpus[cpu], csd);
		}
	}
	if (!nr)
		return 0;
	count_vm_events(VMSTAT_nr_ipi_sent, nr);
	event_record(&ev_ipi_send, nr, first);
	if (planted(KNOB_IPI_WAIT_IRQS_OFF))
		irqs = local_irq_save();
	for (u32 w = 0; w < words; w++) {
		for (u64 left = sent[w]; left; left &= left - 1)
			csd_wait(csd_of(m, self->id, w * 64 + (u32)__builtin_ctzll(left)));
	}
	if (planted(KNOB_IPI_WAIT_IRQS_OFF))
		local_irq_restore(irqs);
	event_record(&ev_ipi_done, nr, 0);
	return nr;
}

void generic_smp_call_function_interrupt(void)
{
	struct vcpu *v = this_vcpu();
	struct call_single_data *list = xchg(&v->call_queue, NULL), *in_order = NULL, *next;

	/* Newest first in the queue: turn it round. */
	for (; list; list = next) {
		next = list->next;
		list->next = in_order;
		in_order = list;
	}
	for (; in_order; in_order = next) {
		smp_call_func_t func = in_order->func;
		struct call_args args = in_order->args;
		u32 sender;

		next = in_order->next;
		sender = in_order->sender;
		if (planted(KNOB_IPI_ACK_EARLY)) {
			smp_store_release(&in_order->locked, 0);
			func(&args);
		} else {
			func(&args);
			/* The acknowledgement: after it the request belongs to its sender again. */
			smp_store_release(&in_order->locked, 0);
		}
		/* The sender waits: what it need not wait for comes last. */
		count_vm_event(VMSTAT_nr_ipi_received);
		event_record(&ev_ipi_recv, sender, 0);
	}
}

void smp_send_reschedule(u32 cpu)
{
	struct vcpu *target = &this_vcpu()->machine->vcpus[cpu];

	check_cpu_alive(target, __func__);
	vcpu_raise(target, PENDING_RESCHEDULE);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/hotplug_ops.h"

#include "smp/hotplug.h"
#include "smp/sched.h"

/* Turns that others get while the CPU is offline: some of them would have run there. */
#define OFFLINE_YIELDS 4

void user_hotplug(u32 cpu, enum hotplug_how how)
{
	struct task_struct *t = current;

	cpu %= t->machine->nr_vcpus;
	t->in_syscall = "hotplug";
	if (how != HOTPLUG_UP)
		(void)cpu_down(cpu);
	for (u32 i = 0; how == HOTPLUG_DOWN_AND_UP && i < OFFLINE_YIELDS; i++)
		yield();
	if (how != HOTPLUG_DOWN)
		(void)cpu_up(cpu);
	t->in_syscall = NULL;
}

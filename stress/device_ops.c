// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes to a task's memory from outside: the operation "device", a device with a TLB of its
 * own, and "peek" and "poke", a debugger.
 */
#include "mm/remote_access.h"
#include "mm/secondary_tlb.h"
#include "stress/target.h"
#include "stress/user_ops.h"
#include "stress/world_private.h"

/* One access, for the data oracle. */
struct access {
	struct region *r;
	u32 page;
	bool write;
	const struct shadow_page *before; /* NULL: looked up and done in one */
};

static void seen(void *arg, u64 value)
{
	const struct access *a = arg;

	if (a->write)
		region_was_written(a->r, a->page, value, a->before);
	else
		region_was_read(a->r, a->page, value, a->before);
}

/* Every page is used that often: by faults, then through what is left of the translations. */
#define DEVICE_ROUNDS 2

/* A refused access is no surprise: the page may be unmapped, protected, or the mm gone. */
static void device_round(struct user_task *u, struct secondary_tlb *st, struct target *t, u32 nr,
			 u32 round)
{
	for (u32 i = 0; i < nr; i++) {
		struct access a = {.r = t->r, .page = (t->page + i) % t->r->pages};
		u64 value;

		/* Each page is read and written, half of them in the other order. */
		a.write = !((i + round) & 1);
		value = a.write ? region_new_value(u, a.r, a.page) : 0;
		(void)secondary_tlb_access(st, region_address(a.r, a.page), a.write, &value, seen,
					   &a);
		cond_resched();
	}
}

static void device(struct user_task *u, u32 task, u32 first, u32 nr)
{
	struct secondary_tlb *st;
	struct target t;

	if (!target_enter(u, task, first, &t))
		return;
	st = secondary_tlb_create(t.mm);
	/* From here on the device has the structure only. */
	mmput(t.mm);
	t.mm = NULL;
	nr = min(nr, t.r->pages);
	for (u32 round = 0; st && round < DEVICE_ROUNDS; round++)
		device_round(u, st, &t, nr, round);
	if (st)
		secondary_tlb_destroy(st);
	target_leave(&t);
}

static void remote_access(struct user_task *u, bool write, u32 task, u32 first, u32 nr)
{
	u32 pid = READ_ONCE(u->w->slots[task % u->w->nr_slots].pid);
	struct target t;

	if (!target_enter(u, task, first, &t))
		return;
	/* The tasks of one mm come and go, and who they are does not matter: by number. */
	if (t.r != &t.bss) {
		mmput(t.mm);
		t.mm = NULL;
	}
	for (u32 i = 0; i < min(nr, t.r->pages); i++) {
		struct shadow_page before;
		struct access a = {
			.r = t.r,
			.page = (t.page + i) % t.r->pages,
			.write = write,
			.before = &before,
		};
		u64 value = write ? region_new_value(u, a.r, a.page) : 0;
		u64 addr = region_address(a.r, a.page);

		region_watch(a.r, a.page, &before);
		if (t.mm)
			(void)access_remote_vm(t.mm, addr, write, &value, seen, &a);
		else
			(void)access_process_vm(pid, addr, write, &value, seen, &a);
	}
	target_leave(&t);
}

void user_foreign_op(struct user_task *u, enum job_op op, u32 task, u32 first, u32 nr)
{
	if (task == SOME)
		task = user_choose_below(u, u->w->nr_slots);
	if (op == JOB_OP_DEVICE)
		device(u, task, first, nr);
	else
		remote_access(u, op == JOB_OP_POKE, task, first, nr);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operations of a program: with the arguments that the job gives them, on regions by their
 * names.
 */
#include <string.h>

#include "engine/strategy.h"
#include "mm/mm_machine.h"
#include "stress/hotplug_ops.h"
#include "stress/user_ops.h"

/* @r with us as its user, or NULL if it is not mapped (yet, or any more), perhaps by another
 * thread's doing. */
static struct region *entered(struct region *r)
{
	if (!r || !region_start(r))
		return NULL;
	region_enter(r);
	if (region_usable(r))
		return r;
	region_leave(r);
	return NULL;
}

/* The region of that name, with us as its user. */
static struct region *in_array(struct region *regions, u32 nr, const char *name)
{
	for (u32 i = 0; i < nr; i++) {
		struct region *r = entered(&regions[i]);

		/* Its name stands as long as it has users. */
		if (r && !strcmp(r->name, name))
			return r;
		if (r)
			region_leave(r);
	}
	return NULL;
}

/* The region that a program calls @name, with us as its user; NULL if it is not mapped. */
static struct region *find_region(struct user_task *u, const char *name)
{
	struct slot_group *owner = u->slot->group->mm_owner;

	if (!strcmp(name, "anon"))
		return entered(&u->anon);
	if (!strcmp(name, "file"))
		return entered(owner ? &owner->file : &u->file);
	if (!strcmp(name, "shared"))
		return entered(owner ? &owner->shared : NULL);
	return owner ? in_array(owner->named, REGION_NAMED_MAX, name)
		     : in_array(u->extra, REGION_EXTRA_MAX, name);
}

/* A region that no other thread takes, with us as its user; NULL: all are mapped. */
static struct region *new_region(struct user_task *u)
{
	struct slot_group *owner = u->slot->group->mm_owner;
	struct region *r = owner ? NULL : user_free_extra(u);

	if (r)
		region_enter(r);
	for (u32 i = 0; owner && i < REGION_NAMED_MAX && !r; i++) {
		if (region_take(&owner->named[i]))
			r = &owner->named[i];
	}
	return r;
}

static u32 number(struct user_task *u, const struct op_arg *arg)
{
	return (u32)arg->lo + user_choose_below(u, (u32)(arg->hi - arg->lo) + 1);
}

/* Reads the numbers of @op from argument @i on as [first [pages]]; absent: @all pages, or one. */
static void span_args(struct user_task *u, const struct program_op *op, u32 i, struct span *sp,
		      bool all)
{
	u32 pages = sp->r->pages;

	sp->page = i < op->nr_args ? min(number(u, &op->args[i]), pages - 1) : 0;
	if (i + 1 < op->nr_args)
		sp->nr = number(u, &op->args[i + 1]);
	else
		sp->nr = all && i >= op->nr_args ? pages : 1;
	sp->nr = max(1u, min(min(sp->nr, pages - sp->page), (u32)OP_PAGES_MAX));
}

static void program_mmap(struct user_task *u, const struct program_op *op)
{
	struct region *r = new_region(u);
	bool shared = u->slot->group->mm_owner != NULL;
	u32 pages = number(u, &op->args[1]);

	if (!r)
		return;
	explore_touch(r, true);
	/* Other threads may protect or unmap it under our hands. */
	(void)user_map_fresh(u, r, op->args[0].region, pages, u->w->exact || !shared, shared);
	explore_touch(r, true);
	region_leave(r);
}

static void program_munmap(struct user_task *u, const struct span *sp, bool whole)
{
	struct region *r = sp->r;

	explore_touch(&r->remaps, !whole);
	if (!whole) {
		__atomic_fetch_add(&r->remaps, 1, __ATOMIC_RELAXED);
		user_op_remap(u, sp);
		explore_touch(&r->remaps, true);
		__atomic_fetch_sub(&r->remaps, 1, __ATOMIC_RELAXED);
		return;
	}
	/* Somebody may map a part of it again after us, where something else is by then. */
	if (oracle_read(r->remaps))
		return;
	/* Its user, for it is us, keeps what it needs. */
	region_condemn(r);
	sys_munmap(region_start(r), (u64)r->pages << PAGE_SHIFT);
}

static u32 protection(u32 prot)
{
	return (prot & 1 ? VM_READ : 0) | (prot & 2 ? VM_WRITE : 0);
}

static void program_threads(struct user_task *u, const struct program_op *op)
{
	u32 args[THREADS_OF_GROUP + 1] = {0};

	for (u32 i = 0; i < op->nr_args; i++)
		args[i] = number(u, &op->args[i]);
	user_threads(u, args, args[THREADS_OF_GROUP]);
}

static void program_coredump(struct user_task *u, const struct program_op *op)
{
	u32 args[3] = {0}; /* two deeds, and whether it is killed */

	for (u32 i = 0; i < op->nr_args; i++)
		args[i] = number(u, &op->args[i]);
	user_coredump(u, args[0], args[1], args[2]);
}

static bool do_program_op(struct user_task *u, const struct program_op *op, struct region *r)
{
	const char *signature = job_ops[op->op].signature;
	struct span sp = {0};
	u32 n = 1, which = SOME;

	if (signature[0] == 'r') {
		sp.r = r;
		if (op->op != JOB_OP_MPROTECT)
			span_args(u, op, 1, &sp,
				  op->op != JOB_OP_READ && op->op != JOB_OP_WRITE &&
					  op->op != JOB_OP_AIO);
	} else if (signature[0] != 'R' && op->nr_args) {
		n = number(u, &op->args[0]);
	}
	user_begin_op(u, (enum job_op)op->op, &sp);
	switch (op->op) {
	case JOB_OP_MMAP:
		program_mmap(u, op);
		return true;
	case JOB_OP_MUNMAP:
		program_munmap(u, &sp, op->nr_args == 1);
		return true;
	case JOB_OP_MPROTECT:
		span_args(u, op, 2, &sp, true);
		user_op_mprotect(&sp, protection(number(u, &op->args[1])));
		return true;
	case JOB_OP_THREADS:
		program_threads(u, op);
		return true;
	case JOB_OP_DEVICE:
	case JOB_OP_PEEK:
	case JOB_OP_POKE:
		user_foreign_op(u, (enum job_op)op->op, op->nr_args ? n : SOME,
				op->nr_args > 1 ? number(u, &op->args[1]) : 0,
				op->nr_args > 2 ? number(u, &op->args[2]) : 1);
		return true;
	case JOB_OP_COREDUMP:
		program_coredump(u, op);
		return true;
	case JOB_OP_MSYNC:
		sp.nr = u->slot->group->file_used ? (u32)u->slot->group->file_used->inode->max_pages
						  : 0;
		if (op->nr_args)
			sp.page = min(number(u, &op->args[0]), sp.nr);
		if (op->nr_args > 1)
			sp.nr = min(number(u, &op->args[1]), sp.nr);
		sp.nr -= op->nr_args > 1 ? 0 : sp.page;
		break;
	case JOB_OP_EXEC:
		n = op->nr_args ? n : 0;
		which = op->nr_args > 1 ? number(u, &op->args[1]) : 0;
		break;
	case JOB_OP_TRUNCATE:
		n = op->nr_args ? n : 0;
		break;
	case JOB_OP_SLEEP:
		n = op->nr_args ? n : SLEEP_YIELDS;
		break;
	case JOB_OP_AGE:
		n = op->nr_args ? n : AGE_FRAMES;
		which = op->nr_args > 1 ? number(u, &op->args[1]) : SOME;
		break;
	case JOB_OP_KSMD:
	case JOB_OP_KHUGEPAGED:
		n = op->nr_args ? n : SCAN_PAGES;
		break;
	case JOB_OP_KTHREAD:
		which = op->nr_args > 1 ? number(u, &op->args[1]) : SOME;
		break;
	case JOB_OP_HOTPLUG:
		which = op->nr_args ? n : SOME;
		n = op->nr_args > 1 ? number(u, &op->args[1]) : HOTPLUG_DOWN_AND_UP;
		break;
	case JOB_OP_GETMM:
	case JOB_OP_ACCESS:
	case JOB_OP_READEXE:
	case JOB_OP_EXEC_FAIL:
	case JOB_OP_PROBE:
	case JOB_OP_UNPROBE:
	case JOB_OP_EXECUTE:
	case JOB_OP_LIBRARY:
		which = op->nr_args ? n : SOME;
		break;
	default:
		break;
	}
	return user_do_op(u, (enum job_op)op->op, &sp, n, which);
}

bool user_op_program(struct user_task *u, const struct program_op *op)
{
	struct region *r;
	bool goes_on;

	if (job_ops[op->op].signature[0] != 'r')
		return do_program_op(u, op, NULL);
	r = find_region(u, op->args[0].region);
	if (!r)
		return true;
	goes_on = do_program_op(u, op, r);
	region_leave(r);
	return goes_on;
}

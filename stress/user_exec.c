// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program that a task executes: its image, the memory that it maps when it begins, and the
 * operations that end it, "exec", "exec-fail" and "exit".
 */
#include <errno.h>
#include <string.h>

#include "engine/strategy.h"
#include "mm/mm_machine.h"
#include "smp/signal.h"
#include "stress/user_ops.h"

/* The image that tasks execute: "a small image". */
#define IMAGE_DATA_PAGES 1
#define IMAGE_BSS_PAGES 1
#define IMAGE_STACK_PAGES 2
#define IMAGE_ARGUMENT_PAGES 1

/* How far a program's own exec moves the stack: not at all; to the page below the arguments; within
 * the page table; beyond it. The first exec of a slot leaves it where it is. */
static u32 some_stack_shift(void)
{
	static const u32 shifts[] = {0, 1, 3, 600};

	/* Children and threads have a slot's choices from the task's own generator. */
	return !current->mm  ? 0
	       : exploring() ? shifts[machine_choose(CHOICE_DATA, ARRAY_SIZE(shifts))]
			     : shifts[random_below(&current->rng, ARRAY_SIZE(shifts))];
}

struct exec_image user_image(struct user_task *u, u32 stack_pages)
{
	return (struct exec_image){
		.file = u->w->image,
		.text_pages = IMAGE_TEXT_PAGES,
		.data_pages = IMAGE_DATA_PAGES,
		.bss_pages = IMAGE_BSS_PAGES,
		.stack_pages = stack_pages ? stack_pages : IMAGE_STACK_PAGES,
		.argument_pages = IMAGE_ARGUMENT_PAGES,
		.stack_shift_pages = some_stack_shift(),
	};
}

static s64 map_file(struct slot_group *g, u32 *pages)
{
	struct file *f = file_open(g->file_used->inode);
	u32 flags = VM_READ | VM_WRITE | (g->job->map == JOB_MAP_SHARED ? VM_SHARED : 0);
	s64 addr;

	if (!f)
		return -ENOMEM;
	*pages = g->job->file_pages;
	addr = sys_mmap(0, (u64)*pages << PAGE_SHIFT, flags, f, 0);
	fput(f);
	return addr;
}

static int map_file_region(struct slot_group *g, struct region *r)
{
	bool shared = g->job->map == JOB_MAP_SHARED;
	u32 pages;
	s64 addr = map_file(g, &pages);

	if (addr < 0)
		return (int)addr;
	region_init_file(r, shared ? REGION_FILE_SHARED : REGION_FILE_PRIVATE, (u64)addr, pages,
			 g->file_used->inode->ino, shared ? g->file_used->shadow : NULL);
	/* Truncation makes the end of the file come and go. */
	region_set(r->unstable, true);
	memcpy(r->name, "file", sizeof("file"));
	return 0;
}

/* The regions of an mm that several threads may use. */
#define COMMON_REGIONS (2 + REGION_NAMED_MAX)

/* While something new is mapped in an mm with other threads: those that they unmap in the meantime
 * are not to be forgotten before we have looked whether they haunt the new one. */
struct held_regions {
	struct region *r[COMMON_REGIONS];
	u32 nr;
};

static void hold_common(struct user_task *u, struct held_regions *held)
{
	struct slot_group *owner = u->slot->group->mm_owner;

	held->nr = 0;
	for (u32 i = 0; owner && i < COMMON_REGIONS; i++) {
		struct region *r = i == 0   ? &owner->shared
				   : i == 1 ? &owner->file
					    : &owner->named[i - 2];

		explore_touch(r, false);
		if (!region_start(r))
			continue;
		region_enter(r);
		held->r[held->nr++] = r;
	}
}

/* @start of @new, which is not published yet; 0: it was not mapped. */
static void release_common(struct held_regions *held, struct region *new, u64 start)
{
	while (held->nr) {
		struct region *r = held->r[--held->nr];

		if (start)
			region_haunt(r, new, start);
		region_leave(r);
	}
}

int user_map_fresh(struct user_task *u, struct region *r, const char *name, u32 pages, bool exact,
		   bool unstable)
{
	struct held_regions held;
	s64 addr;
	int err;

	hold_common(u, &held);
	addr = sys_mmap(0, (u64)pages << PAGE_SHIFT, VM_READ | VM_WRITE, NULL, 0);
	err = addr < 0 ? (int)addr
		       : region_prepare(u->w->m, r, REGION_ANON, pages, current->mm->domain, exact);
	if (addr > 0 && err)
		sys_munmap((u64)addr, (u64)pages << PAGE_SHIFT);
	if (!err) {
		snprintf(r->name, sizeof(r->name), "%s", name);
		region_set(r->unstable, unstable);
	}
	release_common(&held, r, err ? 0 : (u64)addr);
	if (!err)
		region_publish(r, (u64)addr);
	return err;
}

static int map_anon_region(struct user_task *u, struct region *r, const char *name, u32 pages,
			   bool exact)
{
	return user_map_fresh(u, r, name, pages, exact, false);
}

int user_map_working_set(struct user_task *u)
{
	struct slot_group *g = u->slot->group;
	const struct job_group *job = g->job;
	int err = 0;

	if (job->anon)
		err = map_anon_region(u, &u->anon, "anon", job->anon, true);
	if (!err && g->file_used && !g->mm_owner)
		err = map_file_region(g, &u->file);
	return err;
}

/* What all threads of the mm use; by its first task, before there are others. */
static int map_common(struct user_task *u)
{
	struct slot_group *g = u->slot->group->mm_owner;
	int err = 0;

	/* A process that starts again: the last one's may still be in use. */
	region_retire(&g->shared);
	region_retire(&g->file);
	g->mm_domain = current->mm->domain;
	if (g->job->shared) {
		err = map_anon_region(u, &g->shared, "shared", g->job->shared, u->w->exact);
		/* Other threads protect and unmap parts of it for a moment. */
		g->shared.unstable = true;
	}
	if (!err && g->file_used)
		err = map_file_region(g, &g->file);
	return err;
}

static void forget_regions(struct user_task *u)
{
	region_forget(&u->anon);
	region_forget(&u->file);
	for (u32 i = 0; i < REGION_EXTRA_MAX; i++)
		region_forget(&u->extra[i]);
	u->heap_pages = 0;
}

/* The tasks that knew the regions have been killed, or were never there; but devices and debuggers
 * may still be about them. */
static void forget_common(struct slot_group *owner)
{
	region_retire(&owner->shared);
	region_retire(&owner->file);
	for (u32 i = 0; i < REGION_NAMED_MAX; i++)
		region_forget(&owner->named[i]);
}

static int exec_image(struct user_task *u, const struct exec_image *image)
{
	struct slot_group *g = u->slot->group;
	int err = sys_execve(image);

	if (err)
		return err;
	forget_regions(u);
	if (slot_is_thread(u->slot)) {
		/* It may have been another one's until now: the leader's. */
		WRITE_ONCE(u->slot->pid, current->pid);
		forget_common(g->mm_owner);
		err = map_common(u);
	} else if (g->mm_owner == g && !u->slot->generation && !region_start(&g->shared) &&
		   !region_start(&g->file))
		err = map_common(u);
	return err ? err : user_map_working_set(u);
}

int user_exec(struct user_task *u, u32 stack_pages)
{
	struct exec_image image = user_image(u, stack_pages);

	return exec_image(u, &image);
}

/* The task is about to end. A successor in its slot goes on with the mix, or with what is left of
 * the program; there is none when nothing is left. False: there is no room for a successor, and the
 * task stays. */
static bool may_end(struct user_task *u)
{
	struct slot *s = u->slot;

	return (s->group->job->program.nr && !slot_program_left(s)) || !slot_replace(u);
}

/* One of several threads execs, and the others start again; false if it must exit. */
static bool exec_process(struct user_task *u, const struct exec_image *image)
{
	(void)exec_image(u, image);
	if (fatal_signal_pending(current))
		return false;
	slot_process_restart(u);
	return true;
}

/* In an mm that processes share exec is what posix_spawn does: a vfork child execs. */
bool user_op_exec(struct user_task *u, u32 stack_pages, bool setid)
{
	struct exec_image image;

	if (u->slot->group->mm_owner && !slot_is_thread(u->slot)) {
		user_spawn(u);
		return true;
	}
	image = user_image(u, stack_pages);
	image.setid = setid;
	if (slot_is_thread(u->slot))
		return exec_process(u, &image);
	if (u->slot->group->job->kthread && !current->mm) {
		/* A kernel thread that execs becomes a process, and ends as one. */
		if (!may_end(u))
			return true;
		(void)sys_execve(&image);
		return false;
	}
	return exec_image(u, &image) == 0 || current->mm;
}

/* @after: when the old image is gone, and the task with it. Where others still need it, before. */
bool user_op_exec_fail(struct user_task *u, bool after)
{
	struct exec_image image = user_image(u, 0);

	if (slot_is_thread(u->slot)) {
		image.fail_at = after ? EXEC_FAIL_AFTER : EXEC_FAIL_BEFORE;
		return exec_process(u, &image);
	}
	after = after && !u->slot->group->mm_owner && !u->slot->group->job->kthread;
	image.fail_at = after ? EXEC_FAIL_AFTER : EXEC_FAIL_BEFORE;
	if (after && !may_end(u))
		return true;
	(void)sys_execve(&image);
	return !after;
}

bool user_op_exit(struct user_task *u)
{
	return !may_end(u);
}

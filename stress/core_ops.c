// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operation "coredump": a process that dumps core, while a thread of it and a process that
 * shares its memory do their deeds against that. What is dumped is looked at like what is read.
 */
#include <stdio.h>
#include <string.h>

#include "mm/coredump.h"
#include "stress/world_private.h"

/* Pages that are written and read before the core is dumped. */
#define CORE_PAGES 4

struct core_family;

/* Somebody and a deed. */
struct core_member {
	struct core_family *family;
	u32 deed;
};

/* What they know. It lies on the stack of the task that waits until all of them have gone. */
struct core_family {
	struct user_task *parent;
	struct region memory; /* theirs; start 0: none */
	struct core_member thread, process, late;
	u32 members;		 /* that have been cloned, or are about to be; atomic */
	struct completion ready; /* the dumper is about to dump, or to go */
	struct completion gone;
};

/* A page of the dump. */
static void look_at_page(void *arg, u64 addr, const u64 *words)
{
	const struct region *r = arg;
	u64 start = region_start(r);

	if (start && addr >= start && addr < start + ((u64)r->pages << PAGE_SHIFT))
		region_dumped(r, (u32)((addr - start) >> PAGE_SHIFT), words);
}

void user_dump_core(struct region *memory)
{
	const struct coredump_params params = {look_at_page, memory};

	sys_abort(&params);
}

static void use_memory(struct user_task *u, struct region *r)
{
	u32 nr = region_start(r) ? min(r->pages, (u32)CORE_PAGES) : 0;

	for (u32 page = 0; page < nr; page++) {
		if (region_read(r, page) || region_write(u, r, page) || return_to_user())
			return;
	}
}

/* Maps and unmaps: not while the core is dumped. Where the region may have holes, nothing else is
 * to be mapped into them. */
static void map_and_unmap(struct region *r)
{
	s64 addr;

	if (region_flag(r->unstable))
		return;
	addr = sys_mmap(0, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
	if (addr < 0)
		return;
	(void)user_write((u64)addr, 0);
	sys_munmap((u64)addr, PAGE_SIZE);
}

static void member_main(void *arg);

/* Another user of the caller's mm; CLONE_THREAD and CLONE_SIGHAND: of its group. */
static void clone_member(struct core_member *member, u32 flags)
{
	struct core_family *f = member->family;

	atomic_inc(&f->members);
	if (sys_clone(CLONE_VM | flags, "member", member_main, member, NULL) < 0)
		complete(&f->gone);
}

static void do_deed(struct user_task *u, struct core_member *member)
{
	struct core_family *f = member->family;
	struct exec_image image;

	switch ((enum thread_deed)member->deed) {
	case THREAD_CLONES:
	case THREAD_JOINS: /* nobody comes back from a dump to be joined */
		clone_member(&f->late, 0);
		break;
	case THREAD_WORKS:
		use_memory(u, &f->memory);
		if (!return_to_user())
			map_and_unmap(&f->memory);
		break;
	case THREAD_EXECS:
		image = user_image(u, 0);
		(void)sys_execve(&image);
		break;
	case THREAD_SPAWNS:
		user_spawn(u);
		break;
	case THREAD_FORKS:
		user_fork_and_wait();
		break;
	case THREAD_EXITS_GROUP:
		sys_exit_group(0);
	case THREAD_DUMPS_CORE:
		user_dump_core(&f->memory);
	}
}

static void begin_member(struct user_task *u, struct core_family *f)
{
	memset(u, 0, sizeof(*u));
	u->slot = f->parent->slot;
	u->w = f->parent->w;
	u->child = true;
	current->user = u;
	current->exited = &f->gone;
}

static void member_main(void *arg)
{
	struct core_member *member = arg;
	struct user_task u;

	begin_member(&u, member->family);
	if (!return_to_user())
		do_deed(&u, member);
	(void)return_to_user();
	sys_exit(0);
}

/* What the process finds where its parent, who waits for it, has its region. */
static void copy_memory(struct core_family *f)
{
	struct user_task *parent = f->parent;
	bool alone = !parent->slot->group->mm_owner;
	const struct region *r =
		region_start(&parent->anon) ? &parent->anon : &parent->slot->group->shared;

	/* Only the explorer, under which an access and its note are one step, can tell what several
	 * tasks have written last; and only for it there is memory for notes. */
	if (alone && parent->w->exact) {
		(void)region_copy(parent->w->m, &f->memory, r, true);
		return;
	}
	f->memory = (struct region){
		.kind = REGION_ANON,
		.start = region_start(r),
		.pages = r->pages,
		.domain = current->mm->domain & 0x7fff,
		.inherited = r->domain,
		.unstable = region_flag(r->unstable),
		.haunted = region_flag(r->haunted) || region_flag(r->gone),
	};
	snprintf(f->memory.name, sizeof(f->memory.name), "%s", r->name);
}

static void dumper_main(void *arg)
{
	struct core_family *f = arg;
	struct user_task u;

	begin_member(&u, f);
	copy_memory(f);
	clone_member(&f->thread, CLONE_SIGHAND | CLONE_THREAD);
	clone_member(&f->process, 0);
	use_memory(&u, &f->memory);
	complete(&f->ready);
	if (!return_to_user())
		user_dump_core(&f->memory);
	sys_exit(0);
}

void user_coredump(struct user_task *u, u32 thread_deed, u32 process_deed, bool kill)
{
	struct core_family f = {.parent = u, .members = 1};
	s64 pid;

	f.thread = (struct core_member){&f, thread_deed};
	f.process = (struct core_member){&f, process_deed};
	f.late = (struct core_member){&f, THREAD_WORKS};
	init_completion(&f.ready);
	init_completion(&f.gone);
	pid = sys_clone(0, "dumper", dumper_main, &f, NULL);
	if (pid < 0)
		return;
	/* Who looks at this task's address space meanwhile looks at the process'. */
	WRITE_ONCE(u->slot->stand_in, (u32)pid);
	if (kill) {
		wait_for_completion(&f.ready);
		(void)sys_kill((u32)pid);
	}
	/* Whoever clones another one counts it before its own end. */
	for (u32 i = 0; i < atomic_read(&f.members); i++)
		wait_for_completion(&f.gone);
	WRITE_ONCE(u->slot->stand_in, 0);
	(void)sys_waitpid((u32)pid, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operation "threads": a process of a few threads that exec, end the group, or clone, against
 * each other and against SIGKILL from the task that has forked it. Their memory is a copy of what
 * that task has mapped; what they read there is looked at like any other.
 */
#include <stdio.h>
#include <string.h>

#include "stress/world_private.h"

/* Pages that a working thread uses: enough to be found at it by whoever ends the group. */
#define THREAD_PAGES 4

struct family;

/* A thread and its deed. */
struct member {
	struct family *family;
	u32 deed;
};

/* What the threads know. It lies on the stack of the task that waits for their group, and changes
 * no more once there are threads. */
struct family {
	struct user_task *parent;
	struct region memory; /* the group's; start 0: none */
	struct member members[THREADS_OF_GROUP];
	struct member cloned; /* by any of them: it works */
};

static void work_in_group(struct user_task *u, struct region *r)
{
	u32 nr = min(r->pages, (u32)THREAD_PAGES);

	if (!r->start)
		return;
	for (u32 page = 0; page < nr; page++) {
		if (region_read(r, page) || region_write(u, r, page) || return_to_user())
			return;
	}
}

static void member_main(void *arg);

static void clone_member(struct member *member)
{
	(void)sys_clone(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, "thread", member_main, member,
			NULL);
}

static void do_deed(struct user_task *u, struct member *member)
{
	struct family *f = member->family;
	struct exec_image image;

	switch ((enum thread_deed)member->deed) {
	case THREAD_CLONES:
		clone_member(&f->cloned);
		work_in_group(u, &f->memory);
		break;
	case THREAD_WORKS:
		work_in_group(u, &f->memory);
		break;
	case THREAD_EXECS:
		image = user_image(u, 0);
		(void)sys_execve(&image);
		break;
	case THREAD_EXITS_GROUP:
		sys_exit_group(0);
	case THREAD_DUMPS_CORE:
		user_dump_core(&f->memory);
	}
}

/* Killed or through with its deed: in both cases it ends. */
static void member_main(void *arg)
{
	struct member *member = arg;
	struct user_task u;

	memset(&u, 0, sizeof(u));
	u.slot = member->family->parent->slot;
	u.w = member->family->parent->w;
	u.child = true;
	current->user = &u;
	if (!return_to_user())
		do_deed(&u, member);
	(void)return_to_user();
	sys_exit(0);
}

static void leader_main(void *arg)
{
	struct family *f = arg;

	for (u32 i = 1; i < THREADS_OF_GROUP; i++)
		clone_member(&f->members[i]);
	member_main(&f->members[0]);
}

/* What the threads will find where the parent has its region. Several use it at once, so nobody
 * knows what was written last. */
static void describe_memory(struct user_task *u, struct region *copy)
{
	const struct region *r = region_start(&u->anon) ? &u->anon : &u->slot->group->shared;

	*copy = (struct region){
		.kind = REGION_ANON,
		.start = region_start(r),
		.pages = r->pages,
		.domain = r->domain,
		.inherited = r->inherited,
		.unstable = region_flag(r->unstable),
		.haunted = region_flag(r->haunted) || region_flag(r->gone),
	};
	snprintf(copy->name, sizeof(copy->name), "%s", r->name);
}

void user_threads(struct user_task *u, const u32 *deeds, bool kill)
{
	struct family f = {.parent = u, .cloned = {&f, THREAD_WORKS}};
	s64 pid;

	describe_memory(u, &f.memory);
	for (u32 i = 0; i < THREADS_OF_GROUP; i++)
		f.members[i] = (struct member){&f, deeds[i]};
	pid = sys_clone(0, "leader", leader_main, &f, NULL);
	if (pid < 0)
		return;
	if (kill)
		(void)sys_kill((u32)pid);
	/* Nobody reads f any more when the whole group has been reaped. */
	(void)sys_waitpid((u32)pid, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operation "threads": a process of a few threads that exec, end the group, clone, spawn, fork
 * or join, against each other and against SIGKILL from the task that has forked it. Their memory is
 * a copy of what that task has mapped; what they read there is looked at like any other.
 */
#include <stdio.h>
#include <string.h>

#include "mm/futex.h"
#include "stress/world_private.h"

/* Pages that a working thread uses: enough to be found at it by whoever ends the group. */
#define THREAD_PAGES 4

struct family;

/* A thread and its deed. */
struct member {
	struct family *family;
	u32 deed;
	u64 tid_word; /* where it is joined; 0: nowhere */
};

/* What the threads know. It lies on the stack of the task that has forked their group, which does
 * not leave before the last of them, though it may be killed, and changes no more once there are
 * threads. */
struct family {
	struct user_task *parent;
	struct completion
		there;		/* all threads that there will be, but those that are cloned late */
	struct completion gone; /* nobody knows the family any more */
	u32 users;		/* atomic */
	struct region memory;	/* the group's; start 0: none */
	struct member members[THREADS_OF_GROUP];
	struct member cloned; /* by any of them: it works */
	struct member joined[THREADS_OF_GROUP];
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

static void family_put(struct family *f)
{
	if (atomic_dec_and_test(&f->users))
		complete(&f->gone);
}

static void member_main(void *arg);

static bool clone_member(struct member *member)
{
	atomic_inc(&member->family->users);
	if (sys_clone(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, "thread", member_main, member,
		      NULL) > 0)
		return true;
	family_put(member->family);
	return false;
}

/* It may outlive its parent, so it knows nothing of it. */
static void forked_main(void *arg)
{
	(void)arg;
	if (!return_to_user())
		(void)user_write(current->mm->start_data, 0);
	sys_exit(0);
}

void user_fork_and_wait(void)
{
	if (sys_clone(0, "child", forked_main, NULL, NULL) < 0)
		return;
	while (sys_wait(NULL) > 0)
		;
}

/* Works like the thread that it has cloned, and waits for the word that this one leaves cleared:
 * once, as nobody else wakes whoever waits there. The word is in the program's data, a different
 * one for each member. */
static void join_a_thread(struct user_task *u, struct member *member)
{
	struct family *f = member->family;
	u32 i = (u32)(member - f->members);
	u64 word = current->mm->start_data + (1 + i) * sizeof(u64);

	f->joined[i] = (struct member){f, THREAD_WORKS, word};
	if (user_write(word, 1))
		return;
	if (!clone_member(&f->joined[i]))
		return;
	work_in_group(u, &f->memory);
	(void)sys_futex_wait(word, 1);
}

static void do_deed(struct user_task *u, struct member *member)
{
	struct family *f = member->family;
	struct exec_image image;
	struct region memory;

	switch ((enum thread_deed)member->deed) {
	case THREAD_CLONES:
		(void)clone_member(&f->cloned);
		work_in_group(u, &f->memory);
		break;
	case THREAD_WORKS:
		work_in_group(u, &f->memory);
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
	case THREAD_JOINS:
		join_a_thread(u, member);
		break;
	case THREAD_EXITS_GROUP:
		family_put(f);
		sys_exit_group(0);
	case THREAD_DUMPS_CORE:
		/* The family is its parent's, who may be gone before the core is written. */
		memory = f->memory;
		family_put(f);
		user_dump_core(&memory);
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
	if (member->tid_word)
		(void)sys_set_tid_address(member->tid_word);
	if (!return_to_user())
		do_deed(&u, member);
	(void)return_to_user();
	/* Whoever joins it would sleep for good, in a kernel too, if the word could not be cleared
	 * without memory for its page. */
	if (member->tid_word)
		current->make_it_fail = false;
	family_put(member->family);
	sys_exit(0);
}

static void leader_main(void *arg)
{
	struct family *f = arg;

	for (u32 i = 1; i < THREADS_OF_GROUP; i++)
		(void)clone_member(&f->members[i]);
	complete(&f->there);
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

void user_threads(struct user_task *u, const u32 *deeds, u32 kill)
{
	struct family f = {.parent = u, .users = 1, .cloned = {&f, THREAD_WORKS, 0}};
	s64 pid;

	init_completion(&f.there);
	init_completion(&f.gone);
	describe_memory(u, &f.memory);
	for (u32 i = 0; i < THREADS_OF_GROUP; i++)
		f.members[i] = (struct member){&f, deeds[i], 0};
	pid = sys_clone(0, "leader", leader_main, &f, NULL);
	if (pid < 0)
		return;
	if (kill == THREAD_KILL_ALL_THERE)
		wait_for_completion(&f.there);
	if (kill)
		(void)sys_kill((u32)pid);
	(void)sys_waitpid((u32)pid, NULL);
	wait_for_completion(&f.gone);
}

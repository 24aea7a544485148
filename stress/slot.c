// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a slot's task: it starts as a kernel thread, execs, maps its working set, works, and
 * ends; perhaps with a successor.
 */
#include <errno.h>
#include <string.h>

#include "smp/hotplug.h"
#include "smp/ipi.h"
#include "smp/rcu.h"
#include "smp/signal.h"
#include "smp/vmstat.h"
#include "stress/world_private.h"

EVENT_DESC(ev_slot, 400, 0, "slot starts", "%llu, its task number %llu");
EVENT_DESC(ev_frozen, 401, 0, "slot frozen", "%llu of %llu");

bool world_pause_point(struct user_task *u)
{
	struct world *w = u->w;
	u32 signal = oracle_read(w->signal);

	if (likely(!signal))
		return false;
	if (signal & WORLD_AUDIT)
		wake_up_all(&w->shared->init_wait);
	if (signal & WORLD_FREEZE) {
		event_record(&ev_frozen, u->slot->index, w->nr_slots);
		atomic_inc(&w->frozen);
		wake_up_all(&w->shared->init_wait);
		/* A thread that is killed by an exec goes: the exec waits for it. */
		wait_event_killable(&w->shared->thaw, !(READ_ONCE(w->signal) & WORLD_FREEZE));
		atomic_dec(&w->frozen);
	}
	return READ_ONCE(w->signal) & WORLD_STOP;
}

bool slot_program_left(const struct slot *s)
{
	const struct job_program *p = &s->group->job->program;

	return s->next_op < (u64)p->repeat * p->nr;
}

static enum job_op draw(struct slot *s)
{
	const struct job_mix *mix = &s->group->job->mix;
	u32 n = random_below(&s->rng, mix->total), i = 0;

	while (n >= mix->entries[i].weight)
		n -= mix->entries[i++].weight;
	return (enum job_op)mix->entries[i].op;
}

static void think(struct slot *s)
{
	for (u32 n = s->group->job->think; n; n--)
		yield();
}

static void run_mix(struct user_task *u)
{
	struct slot *s = u->slot;

	while (!world_pause_point(u)) {
		if (!s->ops_left)
			return;
		s->ops_left--;
		if (!user_op_random(u, draw(s)) || return_to_user())
			return;
		think(s);
	}
}

/* The program from where the slot's last task has left it. */
static void run_program(struct user_task *u)
{
	struct slot *s = u->slot;
	const struct job_program *p = &s->group->job->program;

	while (slot_program_left(s)) {
		s->op = s->next_op++;
		if (world_pause_point(u) || !user_op_program(u, &p->ops[s->op % p->nr]) ||
		    return_to_user())
			return;
		think(s);
	}
}

/* The slot has no task any more, and gets none. */
static void slot_done(struct slot *s)
{
	struct world *w = s->w;

	WRITE_ONCE(s->pid, 0);
	atomic_dec(&w->shared->slots_left);
	wake_up_all(&w->shared->init_wait);
}

/* One slot less that the others wait for. The last one opens the schedule when all have been woken:
 * that they wake up is no part of it either, that they come to run is. */
static void world_one_ready(struct world *w)
{
	if (!w->exact || atomic_dec_return(&w->shared->to_start))
		return;
	wake_up_all(&w->shared->start_line);
	explore_quiet(false);
}

/* Others want the CPU on which the caller is. */
static bool cpu_is_wanted(void)
{
	const struct vcpu *v = this_vcpu();

	explore_touch(&v->nr_waiting, false);
	return __atomic_load_n(&v->nr_waiting, __ATOMIC_RELAXED) != 0;
}

static void sleep_at_line(const u64 *left, struct wait_queue_head *line, bool killable)
{
	if (killable)
		wait_event_killable(line, !READ_ONCE(*left));
	else
		wait_event(line, !READ_ONCE(*left));
}

/* May the caller leave the line? Nothing comes between the two looks: who then waits for a change
 * of the one is told, by an interrupt, of the other. */
static bool line_open(const u64 *left, bool killable)
{
	if (!READ_ONCE(*left))
		return true;
	if (!killable)
		return false;
	explore_touch(&current->killed, false);
	return oracle_read(current->killed);
}

/* Waits until nobody is left, when the caller has just seen that somebody is; if @killable, SIGKILL
 * ends it. It waits awake, as who comes to run when is not to be explored, and lets callbacks run,
 * which others may wait for. But of the tasks that share a CPU only one can be awake: who sees that
 * others want it sleeps. */
static void wait_at_line(const u64 *left, struct wait_queue_head *line, bool killable)
{
	struct spin spin = {0};

	if (killable && line_open(left, killable))
		return;
	do {
		if (cpu_is_wanted()) {
			sleep_at_line(left, line, killable);
			return;
		}
		if (this_vcpu()->softirq)
			run_softirq();
		else if (killable)
			cpu_relax_on(&current->killed, &spin);
		else
			cpu_relax_on(left, &spin);
	} while (!line_open(left, killable));
}

/* A slot's first task is set up: it waits for the others. */
static void world_start_line(struct user_task *u)
{
	struct world *w = u->w;
	const u64 *left = &w->shared->to_start;

	if (!w->exact || u->slot->generation)
		return;
	world_one_ready(w);
	if (!w->options.config->only_operations)
		sleep_at_line(left, &w->shared->start_line, false);
	else if (READ_ONCE(*left))
		wait_at_line(left, &w->shared->start_line, false);
}

/* The slot is through with its operations, or was never set up. Its task waits for the others; not
 * one that gives up the slot of another, and has operations of its own to do. */
static void world_finish_line(struct slot *s)
{
	struct world *w = s->w;

	if (!w->exact || !w->options.config->only_operations)
		return;
	if (atomic_dec_return(&w->shared->to_finish)) {
		if (user_of(current)->slot == s)
			wait_at_line(&w->shared->to_finish, &w->shared->finish_line,
				     slot_is_thread(s));
		return;
	}
	explore_quiet(true);
	wake_up_all(&w->shared->finish_line);
	/* Threads that are awake wait for a change of other words. */
	for (u32 i = 0; i < w->m->nr_vcpus; i++) {
		if (cpu_online(w->m, i))
			smp_send_reschedule(i);
	}
}

/* A slot that could not be set up. */
static void slot_failed(struct slot *s)
{
	if (!s->generation)
		world_one_ready(s->w);
	slot_give_up(s);
}

void slot_give_up(struct slot *s)
{
	world_finish_line(s);
	slot_done(s);
}

bool slot_work_left(const struct slot *s)
{
	return s->group->job->program.nr ? slot_program_left(s) : s->ops_left != 0;
}

/* A program that allocations have failed when it had no way back was killed: another goes on in
 * its place, as after an exec that was to fail. */
static void replace_victim(struct user_task *u)
{
	const struct slot *s = u->slot;
	u32 signal = oracle_read(u->w->signal);

	if (u->successor || signal & WORLD_STOP || !READ_ONCE(current->killed))
		return;
	if (slot_work_left(s))
		(void)slot_replace(u);
}

static void work(struct user_task *u)
{
	world_start_line(u);
	current->make_it_fail = true;
	if (u->slot->group->job->program.nr)
		run_program(u);
	else
		run_mix(u);
	current->make_it_fail = false;
	if (slot_is_thread(u->slot)) {
		if (!u->successor && fatal_signal_pending(current)) {
			slot_process_killed(u);
			return;
		}
	} else if (this_vcpu()->machine->fail_alloc) {
		replace_victim(u);
	}
	if (u->successor)
		return;
	world_finish_line(u->slot);
	slot_done(u->slot);
}

void slot_lend_shadow(struct slot *s, struct region *r)
{
	/* A child that outlives its killed parent may have it still. */
	if (!__atomic_exchange_n(&s->child_shadow_taken, true, __ATOMIC_ACQUIRE))
		r->store = &s->child_shadow;
}

void slot_take_back_shadow(struct slot *s, struct region *r)
{
	if (!r->store)
		return;
	r->store = NULL;
	region_forget(r);
	__atomic_store_n(&s->child_shadow_taken, false, __ATOMIC_RELEASE);
}

static void user_task_init(struct user_task *u, struct slot *s)
{
	memset(u, 0, sizeof(*u));
	u->slot = s;
	u->w = s->w;
	u->anon.store = &s->anon_shadow;
	for (u32 i = 0; i < REGION_EXTRA_MAX; i++)
		u->extra[i].store = &s->extra_shadow[i];
	current->user = u;
	current->make_it_fail = false; /* a thread has it from the one that cloned it */
	WRITE_ONCE(s->pid, current->pid);
	event_record(&ev_slot, s->index, s->generation);
}

/* A thread that shares the mm of its group's first task. */
static void thread_main(void *arg)
{
	struct user_task u;

	user_task_init(&u, arg);
	if (!user_map_working_set(&u))
		work(&u);
	else
		slot_failed(u.slot);
	sys_exit(0);
}

/* How a slot's task is made from another task of its mm. */
static u32 clone_flags(const struct slot *s)
{
	return slot_is_thread(s) ? CLONE_VM | CLONE_SIGHAND | CLONE_THREAD : CLONE_VM;
}

/* Nobody waits for threads: they release themselves, or are reaped when the task that cloned them
 * exits. */
void slot_clone(struct slot *s)
{
	s64 pid = sys_clone_on(s->group->cpus, clone_flags(s), s->group->job->name, thread_main, s,
			       NULL);

	/* We have been killed by an exec of our process. */
	if (pid == -EINTR)
		s->vacant = true;
	else if (pid < 0)
		slot_failed(s);
}

/* The first task of an mm: sets up what is common and makes the other threads. */
static void start_threads(struct user_task *u)
{
	struct world *w = u->w;
	struct slot_group *owner = u->slot->group;

	for (u32 i = 0; i < w->nr_slots; i++) {
		struct slot *s = &w->slots[i];

		if (s->group->mm_owner == owner && s != u->slot)
			slot_clone(s);
	}
}

void slot_main(void *arg)
{
	struct slot *s = arg;
	struct slot_group *g = s->group;
	struct user_task u;
	int err;

	user_task_init(&u, s);
	if (g->job->kthread) {
		work(&u);
		if (current->mm)
			sys_exit(0); /* it has become a process by exec */
		/* The task goes on without this frame. */
		current->user = NULL;
		return;
	}
	err = user_exec(&u, 0);
	if (!err && g->mm_owner && !s->generation)
		start_threads(&u);
	else if (slot_is_thread(s))
		slot_process_restart(&u);
	if (!err)
		work(&u);
	else
		slot_failed(s);
	if (err && slot_is_thread(s))
		slot_process_begin(s);
	sys_exit(0);
}

int slot_spawn(struct slot *s)
{
	struct machine *m = s->w->m;
	struct slot_group *g = s->group;
	struct task_struct *t;

	t = task_create(m, g->job->name, PF_KTHREAD, sched_pick_cpu(m, g->cpus), slot_main, s);
	if (!t)
		return -ENOMEM;
	t->cpus_allowed = g->cpus;
	wake_up_new_task(t);
	return 0;
}

/* A thread's successor is a thread again, anything else begins anew. */
int slot_replace(struct user_task *u)
{
	struct slot *s = u->slot;
	int err;

	s->generation++;
	if (s->group->mm_owner) {
		s64 pid = sys_clone(clone_flags(s), s->group->job->name, thread_main, s, NULL);

		err = pid < 0 ? (int)pid : 0;
	} else {
		err = slot_spawn(s);
	}
	u->successor = !err;
	return err;
}

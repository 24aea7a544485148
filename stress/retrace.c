// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/retrace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "smp/ipi.h"
#include "smp/sched.h"
#include "stress/explored.h"
#include "stress/world_private.h"

/* It looks at a task's plain memory from the task's own vCPU, but through memory that the
 * sanitizers take for another's. */
#define PEEK __attribute__((no_sanitize_thread, no_sanitize_address))

#ifdef __SANITIZE_THREAD__
/* libtsan's, as dynamic_annotations.h declares them. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);
#else
#define AnnotateIgnoreReadsBegin(file, line) ((void)0)
#define AnnotateIgnoreReadsEnd(file, line) ((void)0)
#define AnnotateIgnoreWritesBegin(file, line) ((void)0)
#define AnnotateIgnoreWritesEnd(file, line) ((void)0)
#endif

/*
 * What is kept is written from the fibers of all vCPUs, which ThreadSanitizer must take for
 * unordered threads: it is told to look away meanwhile. To give it an order instead would hide the
 * very races that the schedule may be about.
 */
static void look_away(void)
{
	AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
	AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
}

static void look_again(void)
{
	AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
	AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

_Static_assert(sizeof(((struct retrace_task *)0)->comm) == TASK_COMM_LEN, "the kernel's");

/* While it runs. */
struct retracing {
	struct strategy base; /* first: what the explorer is given */
	struct strategy *replay;
	struct retrace *r;
	struct machine *m;
	u32 open;	  /* the access whose result is not known yet; 0: none */
	u32 cpu;	  /* who made the last entry; ~0: nobody yet */
	bool picked;	  /* a pick has been made since */
	bool could_go_on; /* and he who ran before could have gone on, with this */
	const struct site *next_site;
	const struct named_address *next_name;
	u32 *op_of; /* for each task */
	u32 op_of_size;
	u32 *cursor; /* for each slot: operations of its program that it has begun */
	u32 nr_slots;
	bool no_memory;
};

static const char *const access_words[] = {
	[ACCESS_LOAD] = "read",	  [ACCESS_STORE] = "write", [ACCESS_RMW] = "atomic",
	[ACCESS_FENCE] = "fence", [ACCESS_LOCK] = "lock",   [ACCESS_UNLOCK] = "unlock",
	[ACCESS_EXEC] = "exec",
};

static const char *const choice_words[NR_CHOICES] = {
	[CHOICE_INTERRUPT] = "interrupt taken here",
	[CHOICE_TICK] = "time slice ends here",
	[CHOICE_WAKE] = "another waiter is woken",
	[CHOICE_TLB_EVICT] = "TLB drops an entry",
	[CHOICE_TLB_FILL] = "speculative TLB fill",
	[CHOICE_ALLOC_FAIL] = "allocation fails",
	[CHOICE_DATA] = "data drawn",
	[CHOICE_DRAIN] = "store becomes visible",
};

const char *access_word(u32 access_kind)
{
	return access_kind < ARRAY_SIZE(access_words) ? access_words[access_kind] : "access";
}

const char *choice_word(u32 choice)
{
	return choice < NR_CHOICES ? choice_words[choice] : "choice";
}

/* Makes room for one more element. False without memory. */
static bool room(void **array, u32 nr, u32 *size, size_t element)
{
	u32 wanted = *size ? *size * 2 : 64;
	void *more;

	if (nr < *size)
		return true;
	more = realloc(*array, wanted * element);
	if (!more)
		return false;
	*array = more;
	*size = wanted;
	return true;
}
#define ROOM(array, nr, size) room((void **)&(array), (nr), &(size), sizeof(*(array)))

/*
 * Tasks of the job are known by their group, since what they execute is called the same for all. A
 * task is named when it is first seen, which is at the start line or where it begins: what its
 * `user` points to is on its stack, and gone when it ends.
 */
static PEEK u32 task_index(struct retracing *x, const struct vcpu *v)
{
	const struct task_struct *t = v->current_task;
	const char *comm = t->comm;
	struct retrace *r = x->r;
	struct retrace_task seen = {
		.pid = t->pid,
		.idle = t->flags & PF_IDLE,
		.kthread = t->flags & PF_KTHREAD,
		.idle_cpu = t->flags & PF_IDLE ? v->id : 0,
	};

	for (u32 i = r->nr_tasks; i--;) {
		const struct retrace_task *k = &r->tasks[i];

		if (k->pid == seen.pid && k->idle == seen.idle && k->idle_cpu == seen.idle_cpu)
			return i;
	}
	if (!ROOM(r->tasks, r->nr_tasks, r->tasks_size)) {
		x->no_memory = true;
		return 0;
	}
	if (t->user && t->state != TASK_DEAD && !t->user->child)
		comm = t->user->slot->group->job->name;
	for (u32 i = 0; i < sizeof(seen.comm) - 1 && comm[i]; i++)
		seen.comm[i] = comm[i];
	r->tasks[r->nr_tasks] = seen;
	return r->nr_tasks++;
}

static u32 op_of_task(const struct retracing *x, u32 task)
{
	return task < x->op_of_size ? x->op_of[task] : 0;
}

/* The access that was announced has been made by now. */
static void close_access(struct retracing *x)
{
	struct retrace_entry *e = &x->r->entries[x->open];

	if (!x->open)
		return;
	e->access.after = address_value(x->r->namer, e->access.name, e->access.address);
	e->access.after_known = true;
	x->open = 0;
}

/* An entry of @kind for @v, with what is true of the vCPU; NULL when there is no room. */
static PEEK struct retrace_entry *add_entry(struct retracing *x, enum retrace_kind kind, u64 step,
					    const struct vcpu *v)
{
	struct retrace *r = x->r;
	struct retrace_entry *e;

	close_access(x);
	if (r->nr >= RETRACE_ENTRIES_MAX) {
		r->cut = true;
		return NULL;
	}
	if (!ROOM(r->entries, r->nr, r->size)) {
		x->no_memory = true;
		return NULL;
	}
	e = &r->entries[r->nr++];
	memset(e, 0, sizeof(*e));
	e->kind = (u8)kind;
	e->step = step;
	e->cpu = v->id;
	e->task = task_index(x, v);
	e->op = op_of_task(x, e->task);
	e->irqs_off = v->irqs_off != 0;
	e->in_interrupt = v->in_interrupt != 0;
	e->need_resched = v->need_resched != 0;
	e->preempt_count = v->preempt_count;
	e->held_locks = v->current_task->held_locks;
	e->task_state = (u8)v->current_task->state;
	return e;
}

/* Has another vCPU taken over since the last entry? */
static void note_switch(struct retracing *x, u64 step, const struct vcpu *v)
{
	struct retrace_entry *e;

	if (x->cpu == v->id) {
		x->picked = false;
		return;
	}
	if (x->cpu != ~0u) {
		e = add_entry(x, RETRACE_SWITCH, step, v);
		if (e) {
			e->change.from = x->cpu;
			e->change.preempted = x->picked && x->could_go_on;
			e->change.next_site = e->change.preempted ? x->next_site : NULL;
			e->change.next_name = e->change.preempted ? x->next_name : NULL;
		}
	}
	x->cpu = v->id;
	x->picked = false;
}

static void keep_step(struct retracing *x, u64 step, const struct vcpu *v,
		      const struct pending_access *access)
{
	struct retrace_entry *e;

	note_switch(x, step, v);
	e = add_entry(x, RETRACE_STEP, step, v);
	if (!e)
		return;
	e->access.site = access->site;
	e->access.address = access->address;
	if (!access->address)
		return;
	e->access.name = address_name(x->r->namer, access->address, access->site);
	if (!e->access.name) {
		x->no_memory = true;
		e->access.address = 0;
		return;
	}
	e->access.before = address_value(x->r->namer, e->access.name, access->address);
	x->open = e->access.name->bytes ? x->r->nr - 1 : 0;
}

static void retrace_step(void *arg, u64 step, const struct vcpu *v,
			 const struct pending_access *access)
{
	look_away();
	keep_step(arg, step, v, access);
	look_again();
}

/* ---- operations ---- */

static size_t arg_text(const struct op_arg *arg, char *buf, size_t size)
{
	int n;

	if (arg->kind == OP_ARG_REGION)
		n = snprintf(buf, size, "%s", arg->region);
	else if (arg->lo == arg->hi)
		n = snprintf(buf, size, "%" PRIu64, arg->lo);
	else
		n = snprintf(buf, size, "%" PRIu64 "-%" PRIu64, arg->lo, arg->hi);
	return n > 0 ? (size_t)n : 0;
}

static void op_text(const struct program_op *op, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "%s(", job_ops[op->op].name);

	for (u32 i = 0; i < op->nr_args && len < size; i++) {
		if (i)
			len += (size_t)snprintf(buf + len, size - len, ", ");
		if (len < size)
			len += arg_text(&op->args[i], buf + len, size - len);
	}
	if (len < size)
		snprintf(buf + len, size - len, ")");
}

/* The operation of its program that @u has just begun: the next one of that kind. */
static PEEK const struct program_op *op_begun(struct retracing *x, const struct user_task *u,
					      u64 kind)
{
	const struct slot *s = u->slot;
	const struct job_program *p = &s->group->job->program;

	if (!p->nr || u->child || s->index >= x->nr_slots)
		return NULL;
	for (size_t i = 0; i < p->nr; i++) {
		const struct program_op *op = &p->ops[x->cursor[s->index]++ % p->nr];

		if (op->op == kind)
			return op;
	}
	return NULL;
}

static PEEK void note_op(struct retracing *x, struct retrace_entry *e, const struct vcpu *v)
{
	struct retrace *r = x->r;
	const struct user_task *u = v->current_task->user;
	bool exits = e->event.desc->id == RETRACE_EXIT_EVENT;
	const struct program_op *op = u && !exits ? op_begun(x, u, e->event.a) : NULL;
	u32 task = e->task;

	while (task >= x->op_of_size) {
		u32 before = x->op_of_size;

		if (!ROOM(x->op_of, x->op_of_size, x->op_of_size)) {
			x->no_memory = true;
			return;
		}
		memset(x->op_of + before, 0, (x->op_of_size - before) * sizeof(*x->op_of));
	}
	if (!ROOM(r->ops, r->nr_ops, r->ops_size)) {
		x->no_memory = true;
		return;
	}
	if (exits)
		snprintf(r->ops[r->nr_ops], RETRACE_OP_SIZE, "exit()");
	else if (op)
		op_text(op, r->ops[r->nr_ops], RETRACE_OP_SIZE);
	else if (e->event.a < NR_JOB_OPS)
		snprintf(r->ops[r->nr_ops], RETRACE_OP_SIZE, "%s(page %" PRIu64 ")",
			 job_ops[e->event.a].name, e->event.b);
	else
		snprintf(r->ops[r->nr_ops], RETRACE_OP_SIZE, "operation");
	x->op_of[task] = r->nr_ops;
	e->op = r->nr_ops++;
}

static void retrace_event(void *arg, u64 step, const struct vcpu *v, const struct event *event)
{
	struct retracing *x = arg;
	struct retrace_entry *e;

	look_away();
	note_switch(x, step, v);
	e = add_entry(x, RETRACE_EVENT, step, v);
	if (e) {
		e->event = *event;
		if (event->desc->id == RETRACE_OP_EVENT || event->desc->id == RETRACE_EXIT_EVENT)
			note_op(x, e, v);
	}
	look_again();
}

/* ---- the strategy: the replay, listened to ---- */

static void retrace_begin(struct strategy *s, u64 seed, u32 nr_vcpus)
{
	struct retracing *x = (struct retracing *)s;

	x->replay->ops->begin(x->replay, seed, nr_vcpus);
}

static u32 retrace_pick(struct strategy *s, const struct decision *d)
{
	struct retracing *x = (struct retracing *)s;
	u32 next;

	look_away();
	next = x->replay->ops->pick(x->replay, d);
	x->picked = true;
	x->could_go_on = d->runnable & (1ULL << d->last);
	if (next != d->last && x->could_go_on) {
		const struct pending_access *p = &d->pending[d->last];

		x->next_site = p->site;
		x->next_name = p->site && p->address
				       ? address_name(x->r->namer, p->address, p->site)
				       : NULL;
	}
	look_again();
	return next;
}

static void keep_choice(struct retracing *x, enum choice kind, u32 value)
{
	u64 step = x->r->entries[x->r->nr - 1].step;
	const struct vcpu *v = this_vcpu();
	struct retrace_entry *e;

	if (!value || kind == CHOICE_DATA || !v)
		return;
	note_switch(x, step, v);
	e = add_entry(x, RETRACE_CHOICE, step, v);
	if (e) {
		e->choice.kind = kind;
		e->choice.value = value;
	}
}

static u32 retrace_choose(struct strategy *s, enum choice kind, u32 cpu, u32 n)
{
	struct retracing *x = (struct retracing *)s;
	u32 value;

	look_away();
	value = x->replay->ops->choose(x->replay, kind, cpu, n);
	keep_choice(x, kind, value);
	look_again();
	return value;
}

static void retrace_strategy_step(struct strategy *s, u32 cpu, const struct pending_access *access,
				  u64 history)
{
	struct retracing *x = (struct retracing *)s;

	look_away();
	x->replay->ops->step(x->replay, cpu, access, history);
	look_again();
}

static void retrace_strategy_destroy(struct strategy *s)
{
	(void)s; /* on its creator's stack */
}

static const struct strategy_ops retrace_ops = {
	.name = "retrace",
	.begin = retrace_begin,
	.pick = retrace_pick,
	.choose = retrace_choose,
	.step = retrace_strategy_step,
	.destroy = retrace_strategy_destroy,
};

/* ---- interrupts ---- */

static struct retrace_ipi *open_ipi(struct retrace *r, u32 sender, u32 target)
{
	for (u32 i = r->nr_ipis; i--;) {
		if (r->ipis[i].sender == sender && r->ipis[i].target == target)
			return r->ipis[i].seen ? NULL : &r->ipis[i];
	}
	return NULL;
}

/* The request for sender -> target at @offset? */
static bool csd_at(const struct machine *m, u64 offset, u32 *sender, u32 *target)
{
	u64 base = arena_offset(&m->arena, m->smp->csds);
	u64 at = offset - base;

	if (offset < base ||
	    at >= (u64)m->nr_vcpus * m->nr_vcpus * sizeof(struct call_single_data) ||
	    at % sizeof(struct call_single_data) != offsetof(struct call_single_data, locked))
		return false;
	at /= sizeof(struct call_single_data);
	*sender = (u32)(at / m->nr_vcpus);
	*target = (u32)(at % m->nr_vcpus);
	return true;
}

/* First entry of the interrupt in which entry @i of its vCPU stands. */
static u32 interrupt_begin(const struct retrace *r, u32 i)
{
	u32 first = i, cpu = r->entries[i].cpu;

	for (; i; i--) {
		if (r->entries[i].cpu != cpu || r->entries[i].kind == RETRACE_SWITCH)
			continue;
		if (!r->entries[i].in_interrupt)
			break;
		first = i;
	}
	return first;
}

static bool note_ipi(struct retrace *r, u32 i, u32 sender, u32 target)
{
	const struct retrace_entry *e = &r->entries[i];
	struct retrace_ipi *ipi = open_ipi(r, sender, target);

	if (e->access.site->kind == ACCESS_STORE && e->cpu == sender && !ipi) {
		if (!ROOM(r->ipis, r->nr_ipis, r->ipis_size))
			return false;
		r->ipis[r->nr_ipis++] =
			(struct retrace_ipi){.sender = sender, .target = target, .sent = i};
	} else if (e->access.site->kind == ACCESS_STORE && e->cpu == target && ipi) {
		ipi->acked = i;
		if (!ipi->handled)
			ipi->handled = interrupt_begin(r, i);
	} else if (e->access.site->kind == ACCESS_LOAD && e->cpu == sender && ipi && ipi->acked) {
		ipi->seen = i;
	}
	return true;
}

/* The handler takes its whole queue with one exchange: what was sent before it is handled there,
 * whether or not it comes to the acknowledgement. */
static void note_handler(struct retrace *r, const struct machine *m, u32 i)
{
	const struct retrace_entry *e = &r->entries[i];
	u64 queue = arena_offset(&m->arena, &m->vcpus[e->cpu].call_queue);

	if (!e->in_interrupt || e->access.address != queue || e->access.site->kind != ACCESS_RMW)
		return;
	for (u32 k = 0; k < r->nr_ipis; k++) {
		if (r->ipis[k].target == e->cpu && !r->ipis[k].handled)
			r->ipis[k].handled = interrupt_begin(r, i);
	}
}

static bool find_ipis(struct retrace *r, const struct machine *m)
{
	for (u32 i = 1; i < r->nr; i++) {
		const struct retrace_entry *e = &r->entries[i];
		u32 sender, target;

		if (e->kind != RETRACE_STEP || !e->access.address)
			continue;
		note_handler(r, m, i);
		if (csd_at(m, e->access.address, &sender, &target) &&
		    !note_ipi(r, i, sender, target))
			return false;
	}
	return true;
}

/* ---- the run ---- */

static int retrace_run(struct retracing *x, struct world *w, const struct schedule *s,
		       struct error *err)
{
	const struct explore_observer observer = {x, retrace_step, retrace_event};
	struct machine *m = world_machine(w);
	const struct replay_state *state;
	struct retrace *r = x->r;

	x->m = m;
	m->observer = &observer;
	r->end = world_run(w, EXECUTOR_EXPLORE, s->seed, &x->base);
	m->observer = NULL;
	if (!x->no_memory)
		close_access(x);
	if (x->no_memory || !find_ipis(r, m))
		return error_no_memory(err);
	state = strategy_replay_state(x->replay);
	if (state->diverged)
		return error_set(err, VERDICT_DIVERGED,
				 "the schedule cannot be explained: step %" PRIu64 ": %s",
				 state->step, state->reason);
	r->steps = m->explored.steps;
	r->preemptions = m->explored.preemptions;
	r->violated = m->violations.ready;
	if (r->violated)
		r->violation = m->violations.first;
	r->nr_cpus = m->nr_vcpus;
	return 0;
}

static int retrace_fill(struct retrace *r, const struct schedule *s, struct error *err)
{
	struct retracing x = {.base = {.ops = &retrace_ops}, .r = r, .cpu = ~0u};
	struct world *w = explored_world(r->config, err);
	int ret = -1;

	if (!w)
		return -1;
	x.nr_slots = job_tasks(&r->config->job);
	x.cursor = calloc(x.nr_slots + 1, sizeof(*x.cursor));
	x.replay = strategy_replay_create(&s->recorded, s->checks, s->nr_checks);
	r->namer = address_namer_create(world_machine(w));
	if (!x.cursor || !x.replay || !r->namer || !ROOM(r->entries, 0, r->size) ||
	    !ROOM(r->ops, 0, r->ops_size)) {
		error_no_memory(err);
	} else {
		memset(&r->entries[0], 0, sizeof(r->entries[0]));
		r->ops[0][0] = '\0';
		r->nr = r->nr_ops = 1;
		ret = retrace_run(&x, w, s, err);
	}
	free(x.cursor);
	free(x.op_of);
	strategy_destroy(x.replay);
	world_destroy(w);
	return ret;
}

struct retrace *retrace_schedule(const struct config *config, const struct schedule *s,
				 struct error *err)
{
	struct retrace *r = calloc(1, sizeof(*r));

	if (!r) {
		error_no_memory(err);
		return NULL;
	}
	r->config = config;
	if (retrace_fill(r, s, err)) {
		retrace_destroy(r);
		return NULL;
	}
	return r;
}

void retrace_destroy(struct retrace *r)
{
	if (!r)
		return;
	address_namer_destroy(r->namer);
	free(r->entries);
	free(r->tasks);
	free(r->ops);
	free(r->ipis);
	free(r);
}

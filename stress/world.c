// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/audit.h"
#include "mm/page_alloc.h"
#include "smp/topology.h"
#include "smp/vmstat.h"
#include "stress/bugs.h"
#include "stress/fail_alloc_rule.h"
#include "stress/world_private.h"
#include "tlbshoot/tlbflush.h"

/* Text and data of the image that everybody executes: a few pages more than one exec maps. */
#define IMAGE_FILE_PAGES 8

static struct world *world_of(const struct machine *m)
{
	return m->world;
}

static void monitor(struct machine *m)
{
	struct world *w = world_of(m);

	if (w->options.monitor)
		w->options.monitor(w, w->options.monitor_arg);
}

static void vcpu_online(struct vcpu *v)
{
	const struct placement *p = v->machine->placement;

	if (p && world_of(v->machine)->options.bind)
		(void)topology_bind_self(p, v->id);
	rcu_vcpu_online(v);
}

static int describe(const struct vcpu *v, char *buf, size_t size)
{
	const struct task_struct *t = v->current_task;

	if (!t || task_is_idle(t))
		return snprintf(buf, size, "idle%s", v->irqs_off ? ", interrupts off" : "");
	return snprintf(buf, size, "pid %u (%s)%s%s%s%s", t->pid, t->comm,
			t->in_syscall ? " in " : " in user mode",
			t->in_syscall ? t->in_syscall : "", v->irqs_off ? ", interrupts off" : "",
			v->preempt_count ? ", preemption off" : "");
}

static void machine_ops_of_world(struct machine_ops *ops)
{
	memset(ops, 0, sizeof(*ops));
	smp_machine_ops(ops);
	ops->vcpu_online = vcpu_online;
	ops->monitor = monitor;
	ops->describe = describe;
}

static void configure_memory(struct world *w)
{
	const struct config *c = w->options.config;

	w->mm_options = (struct mm_options){
		.nr_pages = c->pages,
		.geometry = tlb_geometry_find(c->tlb),
		.policy = c->policy[0] ? tlb_policy_find(c->policy) : NULL,
		.table_free_rcu = c->table_free == TABLE_FREE_RCU,
		.gather_bundle = c->gather_bundle,
		.gather_batches = c->gather_batches,
	};
}

static void configure(struct world *w)
{
	const struct config *c = w->options.config;

	w->machine_config = (struct machine_config){
		.nr_vcpus = c->cpus,
		.seed = c->seed,
		.max_steps = c->max_steps,
		.tso = c->memory_model == MEMORY_MODEL_TSO,
		.stall_seconds = w->options.stall_seconds,
	};
	configure_memory(w);
}

struct world *world_create(const struct world_options *options, struct error *err)
{
	struct world *w = calloc(1, sizeof(*w));
	struct machine_ops ops;

	if (!w) {
		error_set(err, VERDICT_UNTRUSTWORTHY, "out of host memory");
		return NULL;
	}
	w->options = *options;
	w->job = &options->config->job;
	configure(w);
	if (bugs_plant(options->config, w->machine_config.knobs, err)) {
		free(w);
		return NULL;
	}
	machine_ops_of_world(&ops);
	w->m = machine_create(&w->machine_config, &ops);
	if (!w->m) {
		error_set(err, VERDICT_UNTRUSTWORTHY,
			  "the host has no memory for a machine of %u CPUs and %llu pages",
			  options->config->cpus, (unsigned long long)options->config->pages);
		free(w);
		return NULL;
	}
	return w;
}

void world_destroy(struct world *w)
{
	if (!w)
		return;
	if (w->m->smp)
		smp_teardown(w->m);
	machine_destroy(w->m);
	free(w);
}

static void *world_alloc(struct world *w, u64 size)
{
	return arena_alloc(&w->m->arena, size, CACHE_LINE);
}

static u64 largest_use(const struct job *job, const char *name)
{
	u64 pages = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		if (!strcmp(job->groups[i].file, name))
			pages = max(pages, (u64)job->groups[i].file_pages);
	}
	return pages;
}

/* The file of that name; made at its first use. */
static struct world_file *file_of(struct world *w, const char *name)
{
	struct world_file *f;
	u64 pages = largest_use(w->job, name);

	for (u32 i = 0; i < w->nr_files; i++) {
		if (!strcmp(w->files[i].inode->name, name))
			return &w->files[i];
	}
	f = &w->files[w->nr_files];
	f->inode = inode_create(w->m, name, pages);
	f->shadow = w->exact ? world_alloc(w, pages * sizeof(*f->shadow)) : NULL;
	if (!f->inode || (w->exact && !f->shadow))
		return NULL;
	f->inode->mapping.account_dirty = w->options.config->write_notify;
	w->nr_files++;
	return f;
}

static const u64 *cpus_of(struct world *w, const struct cpu_list *list)
{
	u64 *mask;

	_Static_assert(sizeof(list->bits) == CPU_WORDS * sizeof(u64), "one word for 64 CPUs");
	if (cpu_list_empty(list))
		return NULL;
	mask = world_alloc(w, CPU_WORDS * sizeof(u64));
	if (mask)
		memcpy(mask, list->bits, CPU_WORDS * sizeof(u64));
	return mask;
}

static int groups_setup(struct world *w)
{
	u32 slot = 0;

	for (u32 i = 0; i < w->job->nr_groups; i++) {
		struct slot_group *g = &w->groups[i];

		g->job = &w->job->groups[i];
		g->index = i;
		g->w = w;
		g->mm_owner = g->job->mm_group == MM_OF_TASK || g->job->kthread
				      ? NULL
				      : &w->groups[g->job->mm_group];
		g->cpus = cpus_of(w, &g->job->cpus);
		if (g->job->file[0]) {
			g->file_used = file_of(w, g->job->file);
			if (!g->file_used)
				return -ENOMEM;
		}
		g->first_slot = slot;
		for (u32 n = 0; n < g->job->tasks; n++, slot++) {
			struct slot *s = &w->slots[slot];

			s->w = w;
			s->group = g;
			s->index = slot;
			s->ops_left = w->options.ops_per_task ? w->options.ops_per_task : ~0ULL;
			random_seed(&s->rng, w->m->config.seed, 0x200000000ULL + slot);
		}
	}
	return 0;
}

/* The task that outlives all slots. */
static void init_main(void *arg)
{
	struct world *w = arg;

	for (;;) {
		wait_event(&w->shared->init_wait, !READ_ONCE(w->shared->slots_left) ||
							  (READ_ONCE(w->signal) & WORLD_AUDIT));
		if (!READ_ONCE(w->shared->slots_left))
			break;
		world_freeze_and_audit(w);
		run_softirq();
	}
	world_audit_end(w);
}

/* Slots whose task init starts: all but the threads, whose mm's first task clones them. */
static bool starts_alone(const struct slot *s)
{
	const struct slot_group *g = s->group;

	return !g->mm_owner || (g->mm_owner == g && s->index == g->first_slot);
}

static int tasks_setup(struct world *w)
{
	struct machine *m = w->m;
	u32 next_cpu = 1 % m->nr_vcpus;

	w->init = task_create(m, "init", PF_KTHREAD, 0, init_main, w);
	if (!w->init)
		return -ENOMEM;
	wake_up_new_task(w->init);
	for (u32 i = 0; i < w->nr_slots; i++) {
		struct slot *s = &w->slots[i];
		struct task_struct *t;
		u32 cpu = next_cpu;

		if (!starts_alone(s))
			continue;
		if (s->group->cpus && !(s->group->cpus[cpu / 64] & (1ULL << (cpu & 63))))
			cpu = sched_pick_cpu(m, s->group->cpus);
		t = task_create(m, s->group->job->name, PF_KTHREAD, cpu, slot_main, s);
		if (!t)
			return -ENOMEM;
		t->cpus_allowed = s->group->cpus;
		wake_up_new_task(t);
		next_cpu = (next_cpu + 1) % m->nr_vcpus;
	}
	return 0;
}

/* Rules that config_resolve() has let pass. They hold for tasks that are through with their set-up.
 */
static int failures_setup(struct world *w)
{
	const struct name_set *rules = &w->options.config->fail_alloc;
	struct fail_alloc *f = rules->nr ? fail_alloc_arm(w->m) : NULL;

	if (!rules->nr)
		return 0;
	if (!f)
		return -ENOMEM;
	f->task_filter = true;
	for (unsigned int i = 0; i < rules->nr; i++) {
		struct alloc_rule rule;
		unsigned int site;
		const char *wrong;

		if (fail_alloc_rule_parse(rules->name[i], &site, &rule, &wrong))
			return -EINVAL;
		if (rule.nth)
			f->rules[site].nth = rule.nth;
		else
			f->rules[site].one_in = rule.one_in;
	}
	return 0;
}

static int world_setup(struct world *w)
{
	struct machine *m = w->m;
	int err;

	m->world = w;
	m->placement = w->options.placement;
	err = mm_setup(m, &w->mm_options);
	if (err)
		return err;
	w->nr_slots = job_tasks(w->job);
	w->nr_files = 0;
	w->signal = 0;
	w->frozen = 0;
	w->audits = 0;
	w->shared = world_alloc(w, sizeof(*w->shared));
	if (!w->shared)
		return -ENOMEM;
	w->shared->to_start = w->nr_slots;
	w->shared->to_finish = w->nr_slots;
	w->shared->slots_left = w->nr_slots;
	init_waitqueue_head(&w->shared->start_line);
	init_waitqueue_head(&w->shared->finish_line);
	init_waitqueue_head(&w->shared->thaw);
	init_waitqueue_head(&w->shared->init_wait);
	w->groups = world_alloc(w, w->job->nr_groups * sizeof(*w->groups));
	w->slots = world_alloc(w, w->nr_slots * sizeof(*w->slots));
	w->files = world_alloc(w, w->job->nr_groups * sizeof(*w->files));
	w->percpu = world_alloc(w, m->nr_vcpus * sizeof(*w->percpu));
	w->image = inode_create(m, "/bin/what-everybody-runs", IMAGE_FILE_PAGES);
	if (!w->groups || !w->slots || !w->files || !w->percpu || !w->image)
		return -ENOMEM;
	err = groups_setup(w);
	if (!err)
		err = failures_setup(w);
	w->free_pages_at_start = nr_free_pages(m);
	return err ? err : tasks_setup(w);
}

void world_set_job(struct world *w, const struct job *job)
{
	w->job = job;
}

void world_set_config(struct world *w, const struct config *config)
{
	w->options.config = config;
	configure_memory(w);
}

enum machine_end world_run(struct world *w, enum executor executor, u64 seed,
			   struct strategy *strategy)
{
	w->machine_config.seed = seed;
	if (w->m->smp)
		smp_teardown(w->m);
	/* The vCPUs have their generators from the machine's seed. */
	if ((w->m->smp || w->m->config.seed != seed) && machine_reset(w->m, &w->machine_config))
		return MACHINE_STOPPED;
	w->exact = executor == EXECUTOR_EXPLORE;
	w->m->config.quiet_start = w->exact;
	if (world_setup(w))
		return MACHINE_STOPPED;
	return machine_run(w->m, executor, strategy);
}

void world_request(struct world *w, u32 bits)
{
	__atomic_fetch_or(&w->signal, bits, __ATOMIC_SEQ_CST);
}

struct machine *world_machine(struct world *w)
{
	return w->m;
}

/* What observers see is no access of an emulated CPU's: a forked child reads its parent's slot. */
__attribute__((no_sanitize("thread"))) bool world_task_op(const struct vcpu *v, u32 *slot, u32 *op)
{
	const struct task_struct *t = v->current_task;
	const struct user_task *u = t ? t->user : NULL;

	/* What a dead task knew was on its stack. */
	if (!u || t->state == TASK_DEAD)
		return false;
	*slot = u->slot->index;
	*op = u->slot->op;
	return true;
}

u64 world_op_count(const struct world *w, enum job_op op)
{
	u64 sum = 0;

	for (u32 i = 0; w->percpu && i < w->m->nr_vcpus; i++)
		sum += __atomic_load_n(&w->percpu[i].ops[op], __ATOMIC_RELAXED);
	return sum;
}

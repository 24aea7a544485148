// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The grammar of random programs. What a mix draws is in program_draw_mix.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/random.h"
#include "engine/types.h"
#include "stress/group.h"
#include "stress/hotplug_ops.h"
#include "stress/opnames.h"
#include "stress/program_draw.h"
#include "stress/program_draw_private.h"

/* Streams of a seed, apart from those of the world's slots. */
#define STREAM_PROGRAM 0x300000000ULL
#define STREAM_MACHINE 0x300000001ULL

/* A process takes about so many frames for page tables, image and stack, and as many again for the
 * child of a fork or the new image of an exec. */
#define PROCESS_PAGES 48

/* Named regions of one address space: no more than a process has room for. */
#define NAMES_MAX 4
#define TASKS_MAX 8
#define FILE_NAME "data"

/* A region that an address space has, or makes. */
struct drawn_region {
	char name[JOB_NAME_SIZE];
	uint32_t pages;
};

/* What the tasks of one address space can use. */
struct drawn_mm {
	struct drawn_region regions[3 + NAMES_MAX];
	uint32_t nr;
	uint32_t nr_names;
};

struct drawing {
	struct rng rng;
	const struct program_draw_limits *limits;
	struct job *job;
	struct drawn_mm mm[TASKS_MAX];
	uint32_t nr_mms;
	uint32_t weight[NR_JOB_OPS]; /* 0: this program does without */
	uint32_t hot_page, hot_pages;
	enum { CPUS_ANY, CPUS_ONE, CPUS_EACH, CPUS_SOME } cpus;
	uint32_t file_pages; /* 0: there is no file */
};

static uint32_t below(struct drawing *d, uint32_t n)
{
	return n <= 1 ? 0 : random_below(&d->rng, n);
}

static bool one_in(struct drawing *d, uint32_t n)
{
	return below(d, n) == 0;
}

static bool percent(struct drawing *d, uint32_t n)
{
	return below(d, 100) < n;
}

/* An index of @weights, each as likely as it weighs. */
static uint32_t weighted(struct drawing *d, const uint32_t *weights, uint32_t nr)
{
	uint32_t total = 0, n, i = 0;

	for (uint32_t k = 0; k < nr; k++)
		total += weights[k];
	n = below(d, total);
	while (n >= weights[i])
		n -= weights[i++];
	return i;
}

#define WEIGHTED(d, weights) weighted((d), (weights), ARRAY_SIZE(weights))

/*
 * How often operations are wanted, roughly: as often as a violation takes them. Writes and zaps are
 * in nearly all; yield, sleep and what only takes time are spice.
 */
static const uint32_t base_weight[NR_JOB_OPS] = {
	[JOB_OP_READ] = 8,	[JOB_OP_WRITE] = 14,	  [JOB_OP_DONTNEED] = 12,
	[JOB_OP_MMAP] = 3,	[JOB_OP_MUNMAP] = 3,	  [JOB_OP_MPROTECT] = 4,
	[JOB_OP_BRK] = 2,	[JOB_OP_MLOCK] = 3,	  [JOB_OP_MUNLOCK] = 2,
	[JOB_OP_FORK] = 3,	[JOB_OP_EXEC] = 3,	  [JOB_OP_EXEC_FAIL] = 2,
	[JOB_OP_EXIT] = 2,	[JOB_OP_MSYNC] = 6,	  [JOB_OP_TRUNCATE] = 2,
	[JOB_OP_DROPCACHE] = 3, [JOB_OP_YIELD] = 4,	  [JOB_OP_SLEEP] = 1,
	[JOB_OP_GETMM] = 4,	[JOB_OP_KTHREAD] = 4,	  [JOB_OP_AGE] = 4,
	[JOB_OP_THREADS] = 3,	[JOB_OP_HOTPLUG] = 3,	  [JOB_OP_DEVICE] = 4,
	[JOB_OP_PEEK] = 2,	[JOB_OP_POKE] = 3,	  [JOB_OP_ACCESS] = 3,
	[JOB_OP_COREDUMP] = 3,	[JOB_OP_READEXE] = 3,	  [JOB_OP_SETEXE] = 2,
	[JOB_OP_MERGEABLE] = 2, [JOB_OP_UNMERGEABLE] = 2, [JOB_OP_HUGEPAGE] = 2,
	[JOB_OP_KSMD] = 3,	[JOB_OP_KHUGEPAGED] = 3,  [JOB_OP_AIO] = 3,
	[JOB_OP_SWAPUSE] = 2,	[JOB_OP_SWAPOFF] = 3,	  [JOB_OP_RMMOD] = 2,
	[JOB_OP_PROBE] = 3,	[JOB_OP_UNPROBE] = 2,	  [JOB_OP_EXECUTE] = 3,
	[JOB_OP_LIBRARY] = 2,
};

/* The subset of this program: a half or a third of the operations, more or less often. */
static void draw_weights(struct drawing *d)
{
	uint32_t share = 2 + below(d, 2);
	bool some = false;

	for (uint32_t op = 0; op < NR_JOB_OPS; op++) {
		d->weight[op] = one_in(d, share) ? base_weight[op] << below(d, 3) : 0;
		some |= d->weight[op] && job_ops[op].needs == JOB_OP_ANY;
	}
	/* Without these there is nothing to collide with, or nothing for a kernel thread. */
	if (!d->weight[JOB_OP_WRITE])
		d->weight[JOB_OP_WRITE] = base_weight[JOB_OP_WRITE] / 2;
	if (!some)
		d->weight[JOB_OP_GETMM] = base_weight[JOB_OP_GETMM];
}

/* ---- the tasks and their memory ---- */

/* Few pages make collisions; more than a few, full batches. */
static uint32_t draw_pages(struct drawing *d)
{
	static const uint32_t weights[] = {0, 35, 35, 15, 0, 10, 0, 0, 0, 5};

	return WEIGHTED(d, weights);
}

static void mm_add(struct drawn_mm *mm, const char *name, uint32_t pages)
{
	struct drawn_region *r = &mm->regions[mm->nr++];

	snprintf(r->name, sizeof(r->name), "%s", name);
	r->pages = pages;
}

static void give_file(struct drawing *d, struct job_group *g)
{
	memcpy(g->file, FILE_NAME, sizeof(FILE_NAME));
	g->file_pages = d->file_pages;
	g->map = percent(d, 85) ? JOB_MAP_SHARED : JOB_MAP_PRIVATE;
}

/* A new address space for group @i: of its own, or one that others can join. */
static void draw_mm(struct drawing *d, uint32_t i, bool common)
{
	struct job_group *g = &d->job->groups[i];
	struct drawn_mm *mm = &d->mm[i];
	bool file = d->file_pages && percent(d, 75);

	d->nr_mms++;
	if (common) {
		g->mm_group = (int)i;
		g->threads = one_in(d, 3);
		g->shared = file && percent(d, 50) ? 0 : draw_pages(d);
	}
	if (!common || one_in(d, 4))
		g->anon = file && one_in(d, 2) ? 0 : 1 + below(d, 3);
	if (file)
		give_file(d, g);
	if (g->shared)
		mm_add(mm, "shared", g->shared);
	if (g->file[0])
		mm_add(mm, "file", g->file_pages);
}

static void join_mm(struct drawing *d, struct job_group *g, uint32_t owner)
{
	const struct job_group *o = &d->job->groups[owner];

	g->mm_group = (int)owner;
	g->threads = o->threads;
	g->shared = o->shared;
	memcpy(g->file, o->file, sizeof(g->file));
	g->file_pages = o->file_pages;
	g->map = o->map;
	g->anon = one_in(d, 5) ? 1 + below(d, 2) : 0;
}

/* Another group whose mm can be joined; -1: none. */
static int some_owner(struct drawing *d, uint32_t nr)
{
	int owners[TASKS_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < nr; i++) {
		if (d->job->groups[i].mm_group == (int)i)
			owners[n++] = (int)i;
	}
	return n ? owners[below(d, n)] : -1;
}

static void draw_cpus(struct drawing *d, struct job_group *g, uint32_t i, uint32_t one)
{
	uint32_t cpu = one;

	if (d->cpus == CPUS_ANY || d->limits->cpus < 2)
		return;
	if (d->cpus == CPUS_EACH)
		cpu = i % d->limits->cpus;
	else if (d->cpus == CPUS_SOME && one_in(d, 2))
		return;
	else if (d->cpus == CPUS_SOME)
		cpu = below(d, d->limits->cpus);
	g->cpus.bits[cpu / 64] |= 1ULL << (cpu % 64);
}

/* Group @i: its name, its mm or none, its memory. */
static void draw_group(struct drawing *d, uint32_t i, uint32_t one_cpu)
{
	enum { THREAD, OWNER, PROCESS, KTHREAD };
	static const uint32_t first[] = {0, 75, 25, 0}, more[] = {58, 6, 18, 18};
	struct job_group *g = &d->job->groups[i];
	int owner = some_owner(d, i);
	uint32_t kind = i ? WEIGHTED(d, more) : WEIGHTED(d, first);

	*g = (struct job_group){.tasks = 1, .mm_group = MM_OF_TASK, .program = {.repeat = 1}};
	snprintf(g->name, sizeof(g->name), "t%u", i);
	if (kind == THREAD && owner < 0)
		kind = PROCESS;
	if ((kind == OWNER || kind == PROCESS) && i &&
	    (d->nr_mms + 1) * PROCESS_PAGES > d->limits->pages)
		kind = owner < 0 ? KTHREAD : THREAD;
	if (kind == KTHREAD)
		g->kthread = true;
	else if (kind == THREAD)
		join_mm(d, g, (uint32_t)owner);
	else
		draw_mm(d, i, kind == OWNER);
	draw_cpus(d, g, i, one_cpu);
}

/* ---- operations and their arguments ---- */

static struct drawn_mm *mm_of(struct drawing *d, uint32_t group)
{
	int owner = d->job->groups[group].mm_group;

	return &d->mm[owner == MM_OF_TASK ? group : (uint32_t)owner];
}

/* Some region of the group's; NULL: it has none. */
static const struct drawn_region *some_region(struct drawing *d, uint32_t group,
					      struct drawn_region *anon)
{
	const struct drawn_mm *mm = mm_of(d, group);
	uint32_t pages = d->job->groups[group].anon, n = mm->nr + (pages ? 1 : 0);
	/* Mostly the first one, which is what the others use too. */
	uint32_t i = n > 1 && one_in(d, 2) ? 0 : below(d, n);

	if (!n)
		return NULL;
	if (i < mm->nr)
		return &mm->regions[i];
	*anon = (struct drawn_region){.name = "anon", .pages = pages};
	return anon;
}

/* [first [pages]] of @r: mostly the hot pages. */
static void draw_span(struct drawing *d, struct program_op *op, const struct drawn_region *r)
{
	uint32_t first = min(d->hot_page, r->pages - 1), pages = d->hot_pages;

	if (percent(d, 35)) {
		first = below(d, r->pages);
		pages = 1 + below(d, r->pages);
	}
	pages = min(pages, r->pages - first);
	draw_number(op, first);
	if (pages > 1 || one_in(d, 4))
		draw_number(op, pages);
}

/* As above, or nothing, which is all of it. */
static void draw_span_or_all(struct drawing *d, struct program_op *op, const struct drawn_region *r)
{
	if (!one_in(d, 4))
		draw_span(d, op, r);
}

/* A name for a region that this group maps: a new one, or, as it may, one that is there already. */
static const struct drawn_region *draw_name(struct drawing *d, struct drawn_mm *mm)
{
	char name[2] = {(char)('A' + mm->nr_names), '\0'};

	if (mm->nr_names == NAMES_MAX || (mm->nr_names && one_in(d, 2)))
		return &mm->regions[mm->nr - 1 - below(d, mm->nr_names)];
	mm_add(mm, name, draw_pages(d));
	mm->nr_names++;
	return &mm->regions[mm->nr - 1];
}

/* Yields in a row: as many as it may take until others have had their turn. */
#define YIELDS_MOST 4
#define AGE_FRAMES_MOST 64u
#define BRK_PAGES_MOST 3
#define FOREIGN_PAGES_MOST 4
#define SCAN_PAGES_MOST 8

/* A frame. The allocator breaks the smallest block that will do: what a program has is in the
 * frames behind the largest power of two, as long as there are enough of them. */
static uint32_t draw_frame(struct drawing *d)
{
	uint64_t pages = d->limits->pages, power = 1;

	while (power * 2 < pages)
		power *= 2;
	if (one_in(d, 2))
		return below(d, (uint32_t)pages);
	return (uint32_t)power + below(d, min(AGE_FRAMES_MOST, (uint32_t)(pages - power)));
}

/* The arguments that are not about a region. */
static void draw_numbers(struct drawing *d, uint32_t group, struct program_op *op)
{
	switch ((enum job_op)op->op) {
	case JOB_OP_BRK:
		draw_number(op, below(d, BRK_PAGES_MOST + 1));
		break;
	case JOB_OP_TRUNCATE:
		draw_number(op, below(d, d->job->groups[group].file_pages));
		break;
	case JOB_OP_MSYNC:
		if (one_in(d, 4))
			draw_number(op, below(d, d->job->groups[group].file_pages));
		break;
	case JOB_OP_YIELD:
	case JOB_OP_SLEEP:
		draw_number(op, 1 + below(d, YIELDS_MOST));
		break;
	case JOB_OP_EXEC:
		/* 0: the usual stack */
		draw_number(op, 0);
		draw_number(op, below(d, 2));
		break;
	case JOB_OP_GETMM:
	case JOB_OP_ACCESS:
	case JOB_OP_READEXE:
		draw_number(op, below(d, (uint32_t)d->job->nr_groups));
		break;
	case JOB_OP_KTHREAD:
		draw_number(op, 1 + below(d, 2));
		draw_number(op, below(d, (uint32_t)d->job->nr_groups));
		break;
	case JOB_OP_EXEC_FAIL:
		draw_number(op, below(d, 2));
		break;
	case JOB_OP_THREADS:
		for (uint32_t i = 0; i < THREADS_OF_GROUP; i++)
			draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, one_in(d, 4) ? 1 + below(d, THREAD_KILL_MAX) : 0);
		break;
	case JOB_OP_HOTPLUG:
		/* CPU 0 stays; of one alone there is nothing to take. */
		draw_number(op, d->limits->cpus > 1 ? 1 + below(d, d->limits->cpus - 1) : 0);
		draw_number(op, below(d, HOTPLUG_HOW_MAX + 1));
		break;
	case JOB_OP_DEVICE:
	case JOB_OP_PEEK:
	case JOB_OP_POKE:
		draw_number(op, below(d, (uint32_t)d->job->nr_groups));
		draw_number(op, one_in(d, 4) ? below(d, FOREIGN_PAGES_MOST) : d->hot_page);
		draw_number(op, 1 + below(d, d->hot_pages));
		break;
	case JOB_OP_COREDUMP:
		draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, one_in(d, 4));
		break;
	case JOB_OP_KSMD:
	case JOB_OP_KHUGEPAGED:
		draw_number(op, 1 + below(d, SCAN_PAGES_MOST));
		break;
	case JOB_OP_PROBE:
	case JOB_OP_UNPROBE:
	case JOB_OP_EXECUTE:
	case JOB_OP_LIBRARY:
		if (one_in(d, 3))
			draw_number(op, 1);
		else
			draw_number(op, 0);
		break;
	case JOB_OP_AGE:
		draw_number(op, 1 + below(d, AGE_FRAMES_MOST));
		draw_number(op, draw_frame(d));
		break;
	default:
		break;
	}
}

/* Can @group do @op at all? */
static bool can_do(struct drawing *d, uint32_t group, uint32_t op)
{
	const struct job_group *g = &d->job->groups[group];
	const struct drawn_mm *mm = mm_of(d, group);

	if (job_ops[op].needs == JOB_OP_ANY)
		return true;
	if (g->kthread)
		return false;
	if (job_ops[op].signature[0] == 'r')
		return g->anon || mm->nr;
	return job_ops[op].needs != JOB_OP_FILE || g->file[0];
}

static uint32_t draw_op(struct drawing *d, uint32_t group)
{
	uint32_t weights[NR_JOB_OPS], total = 0;

	for (uint32_t op = 0; op < NR_JOB_OPS; op++) {
		weights[op] = can_do(d, group, op) ? d->weight[op] : 0;
		total += weights[op];
	}
	/* What every task can do, and what makes way for the others. */
	return total ? WEIGHTED(d, weights) : JOB_OP_YIELD;
}

/* Adds one operation with its arguments. */
static void add_op(struct drawing *d, uint32_t group, uint32_t which)
{
	struct program_op *op = draw_append(&d->job->groups[group].program, which);
	const struct drawn_region *r;
	struct drawn_region anon;

	switch (job_ops[which].signature[0]) {
	case 'R':
		r = draw_name(d, mm_of(d, group));
		draw_region(op, r->name);
		draw_number(op, r->pages);
		return;
	case 'r':
		r = some_region(d, group, &anon);
		draw_region(op, r->name);
		if (which == JOB_OP_MPROTECT)
			draw_number(op, below(d, 2));
		if (which == JOB_OP_READ || which == JOB_OP_WRITE || which == JOB_OP_AIO)
			draw_span(d, op, r);
		else
			draw_span_or_all(d, op, r);
		return;
	default:
		draw_numbers(d, group, op);
	}
}

/* Operation @which on the pages that @last was about. */
static void add_like(struct job_program *p, const struct program_op *last, uint32_t which)
{
	struct program_op *op = draw_append(p, which);
	uint32_t from = last->op == JOB_OP_MPROTECT ? 2 : 1;

	draw_region(op, last->args[0].region);
	if (from >= last->nr_args || last->op == JOB_OP_MMAP)
		draw_number(op, 0);
	for (uint32_t i = from; i < last->nr_args && last->op != JOB_OP_MMAP; i++)
		draw_number(op, last->args[i].lo);
}

static bool is_about_region(const struct program_op *op)
{
	return job_ops[op->op].signature[0] == 'r' || job_ops[op->op].signature[0] == 'R';
}

/* Operations that take as many steps as all others of a small program together. */
static bool is_heavy(const struct job_program *p)
{
	for (size_t i = 0; i < p->nr; i++) {
		switch ((enum job_op)p->ops[i].op) {
		case JOB_OP_FORK:
		case JOB_OP_EXEC:
		case JOB_OP_EXEC_FAIL:
		case JOB_OP_EXIT:
		case JOB_OP_THREADS:
		case JOB_OP_COREDUMP:
			return true;
		default:
			break;
		}
	}
	return false;
}

static bool takes_file_away(const struct program_op *op)
{
	return (op->op == JOB_OP_DONTNEED || op->op == JOB_OP_MUNMAP) &&
	       !strcmp(op->args[0].region, "file");
}

static void draw_program(struct drawing *d, uint32_t group)
{
	static const uint32_t light[] = {0, 30, 15, 15, 15, 0, 15, 0, 10}, heavy[] = {0, 80, 20};
	struct job_program *p = &d->job->groups[group].program;
	uint32_t nr = 1 + below(d, d->limits->ops);

	while (p->nr < nr) {
		add_op(d, group, draw_op(d, group));
		/* Of a file that nobody maps any more the cache may have the only copy. */
		if (p->nr < nr && takes_file_away(&p->ops[p->nr - 1]) &&
		    d->weight[JOB_OP_DROPCACHE] && percent(d, 40)) {
			draw_append(p, JOB_OP_DROPCACHE);
			if (p->nr < nr)
				add_like(p, &p->ops[p->nr - 2], JOB_OP_READ);
		}
		/* What was zapped, mapped or protected is used: that is where it shows. */
		if (p->nr < nr && is_about_region(&p->ops[p->nr - 1]) && percent(d, 30))
			add_like(p, &p->ops[p->nr - 1], one_in(d, 2) ? JOB_OP_READ : JOB_OP_WRITE);
	}
	p->repeat = is_heavy(p) ? WEIGHTED(d, heavy) : WEIGHTED(d, light);
}

/* The program of an earlier group of the same mm, once more: the same steps against each other. */
static bool copy_program(struct drawing *d, uint32_t group)
{
	struct job_group *g = &d->job->groups[group];

	for (uint32_t i = 0; i < group; i++) {
		const struct job_group *o = &d->job->groups[i];

		if (o->mm_group != g->mm_group || o->kthread != g->kthread || o->anon != g->anon ||
		    g->mm_group == MM_OF_TASK || !percent(d, 15))
			continue;
		memcpy(g->program.ops, o->program.ops, o->program.nr * sizeof(*o->program.ops));
		g->program.nr = o->program.nr;
		g->program.repeat = o->program.repeat;
		return true;
	}
	return false;
}

static int drawing_begin(struct drawing *d, struct job *job, uint64_t seed,
			 const struct program_draw_limits *limits, struct error *err)
{
	static const uint32_t tasks[] = {0, 0, 45, 40, 15};
	static const uint32_t cpus[] = {
		[CPUS_ANY] = 50, [CPUS_ONE] = 15, [CPUS_EACH] = 15, [CPUS_SOME] = 20};

	*d = (struct drawing){.limits = limits, .job = job};
	random_seed(&d->rng, seed, STREAM_PROGRAM);
	job->nr_groups = min(WEIGHTED(d, tasks), min(max(limits->tasks, 1u), TASKS_MAX + 0u));
	job->groups = calloc(job->nr_groups, sizeof(*job->groups));
	if (!job->groups) {
		job->nr_groups = 0;
		return error_no_memory(err);
	}
	snprintf(job->name, sizeof(job->name), "random");
	snprintf(job->path, sizeof(job->path), "random program %llu", (unsigned long long)seed);
	d->cpus = WEIGHTED(d, cpus);
	if (percent(d, 60))
		d->file_pages = 1 + below(d, 3);
	d->hot_page = below(d, 2);
	d->hot_pages = 1 + below(d, 3);
	draw_weights(d);
	return 0;
}

int program_draw_random(struct job *job, uint64_t seed, const struct program_draw_limits *limits,
			struct error *err)
{
	struct drawing d;
	uint32_t one_cpu;

	job_destroy(job);
	if (drawing_begin(&d, job, seed, limits, err))
		return -1;
	one_cpu = below(&d, limits->cpus);
	for (uint32_t i = 0; i < job->nr_groups; i++)
		draw_group(&d, i, one_cpu);
	for (uint32_t i = 0; i < job->nr_groups; i++) {
		struct job_group *g = &job->groups[i];

		g->op_pages = group_default_op_pages(g);
		g->program.ops = calloc(max(limits->ops, 1u), sizeof(*g->program.ops));
		if (!g->program.ops) {
			job_destroy(job);
			return error_no_memory(err);
		}
		if (!copy_program(&d, i))
			draw_program(&d, i);
	}
	return 0;
}

struct program_draw_limits program_draw_limits_of(const struct config *config)
{
	return (struct program_draw_limits){
		.cpus = config->cpus,
		.pages = config->pages,
		.tasks = PROGRAM_DRAW_TASKS,
		.ops = PROGRAM_DRAW_OPS,
	};
}

/* One machine in so many has allocations that fail; the strategy says how many. */
#define FAILING_ONE_IN 4
#define FAILURES_ONE_IN 16

void program_draw_machine(struct config *config, uint64_t seed)
{
	struct rng rng;
	uint32_t bits;

	random_seed(&rng, seed, STREAM_MACHINE);
	bits = random_below(&rng, 1u << 4);
	if (config->origin[OPT_TABLE_FREE] == ORIGIN_DEFAULT)
		config->table_free = bits & 1 ? TABLE_FREE_RCU : TABLE_FREE_IPI;
	if (config->origin[OPT_WRITE_NOTIFY] == ORIGIN_DEFAULT)
		config->write_notify = bits & 2;
	if (config->origin[OPT_GATHER_BUNDLE] == ORIGIN_DEFAULT &&
	    config->origin[OPT_GATHER_BATCHES] == ORIGIN_DEFAULT && bits & 4) {
		config->gather_bundle = 2;
		config->gather_batches = bits & 8 ? 1 : 0;
	}
	if (config->origin[OPT_FAIL_ALLOC] == ORIGIN_DEFAULT) {
		config->fail_alloc.nr = !random_below(&rng, FAILING_ONE_IN);
		snprintf(config->fail_alloc.name[0], sizeof(config->fail_alloc.name[0]), "any:1/%u",
			 FAILURES_ONE_IN);
	}
}

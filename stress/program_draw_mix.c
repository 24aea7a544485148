// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs drawn from a mix, with the rules by which a task of a soak draws while it runs
 * (user_op_random()).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/random.h"
#include "engine/types.h"
#include "stress/group.h"
#include "stress/program_draw.h"
#include "stress/program_draw_private.h"
#include "stress/region.h"

/* Streams of a seed: one for each drawn group. */
#define STREAM_MIX 0x400000000ULL

/* An operation of a mix is at most so many of a program: mmap writes what it has mapped. */
#define OPS_OF_ONE 2

/* One task's drawing. */
struct mix_drawing {
	struct rng rng;
	const struct job_group *group;
	struct job_program *program;
	uint32_t number;		  /* of the drawn group, for names of regions */
	uint32_t extra[REGION_EXTRA_MAX]; /* pages of the regions that mmap has made; 0: none */
	uint32_t nr_tasks;		  /* of the job */
};

struct mix_span {
	char region[JOB_NAME_SIZE];
	bool anonymous;
	uint32_t page, nr;
};

static uint32_t below(struct mix_drawing *d, uint32_t n)
{
	return n <= 1 ? 0 : random_below(&d->rng, n);
}

static bool one_in(struct mix_drawing *d, uint32_t n)
{
	return below(d, n) == 0;
}

static void name_extra(const struct mix_drawing *d, uint32_t i, char *name)
{
	snprintf(name, JOB_NAME_SIZE, "m%u_%u", d->number, i);
}

static uint32_t some_pages(struct mix_drawing *d)
{
	const struct page_range *range = &d->group->op_pages;

	return range->lo + below(d, range->hi - range->lo + 1);
}

static bool shares_mm(const struct job_group *g)
{
	return g->mm_group != MM_OF_TASK;
}

/* Some region that the task has mapped now. False: there is none. */
static bool some_span(struct mix_drawing *d, struct mix_span *sp)
{
	struct mix_span candidates[3 + REGION_EXTRA_MAX];
	const struct job_group *g = d->group;
	uint32_t nr = 0;

	if (g->anon)
		candidates[nr++] = (struct mix_span){"anon", true, 0, g->anon};
	if (g->shared && shares_mm(g))
		candidates[nr++] = (struct mix_span){"shared", true, 0, g->shared};
	if (g->file[0])
		candidates[nr++] = (struct mix_span){"file", false, 0, g->file_pages};
	for (uint32_t i = 0; i < REGION_EXTRA_MAX; i++) {
		if (!d->extra[i])
			continue;
		name_extra(d, i, candidates[nr].region);
		candidates[nr].anonymous = true;
		candidates[nr++].nr = d->extra[i];
	}
	if (!nr)
		return false;
	*sp = candidates[below(d, nr)];
	nr = sp->nr;
	sp->nr = min(some_pages(d), nr);
	sp->page = below(d, nr - sp->nr + 1);
	return true;
}

static void add_span(struct program_op *op, const struct mix_span *sp)
{
	draw_number(op, sp->page);
	draw_number(op, sp->nr);
}

static void add_on_span(struct mix_drawing *d, uint32_t which, const struct mix_span *sp)
{
	struct program_op *op = draw_append(d->program, which);

	draw_region(op, sp->region);
	if (which == JOB_OP_MPROTECT)
		draw_number(op, below(d, 2));
	add_span(op, sp);
}

/* Maps a region and writes to all of it. */
static void draw_mmap(struct mix_drawing *d)
{
	struct mix_span sp = {.page = 0};
	struct program_op *op;
	uint32_t i = 0;

	while (i < REGION_EXTRA_MAX && d->extra[i])
		i++;
	if (i == REGION_EXTRA_MAX)
		return;
	d->extra[i] = some_pages(d);
	name_extra(d, i, sp.region);
	sp.nr = d->extra[i];
	op = draw_append(d->program, JOB_OP_MMAP);
	draw_region(op, sp.region);
	draw_number(op, sp.nr);
	add_on_span(d, JOB_OP_WRITE, &sp);
}

/* Unmaps a region that was mapped, or maps a part of another one afresh. */
static void draw_munmap(struct mix_drawing *d)
{
	uint32_t i = below(d, REGION_EXTRA_MAX);
	char name[JOB_NAME_SIZE];
	struct mix_span sp;

	if (d->extra[i]) {
		name_extra(d, i, name);
		draw_region(draw_append(d->program, JOB_OP_MUNMAP), name);
		d->extra[i] = 0;
	} else if (some_span(d, &sp) && sp.anonymous) {
		add_on_span(d, JOB_OP_MUNMAP, &sp);
	}
}

/* What the task has mapped goes with its address space, if that is its own. */
static void forget_extra(struct mix_drawing *d)
{
	if (!shares_mm(d->group))
		memset(d->extra, 0, sizeof(d->extra));
}

/* As for a mix: one in so many execs that fail does so when the old image is gone; an "age" is
 * about so many frames, from any one of a default machine on (in a smaller one counting goes on
 * from 0). */
#define FAILS_AFTER_ONE_IN 4
#define KILLED_ONE_IN 4
#define SETID_ONE_IN 4
#define AGE_FRAMES 8
#define SCAN_PAGES 16
#define FRAMES 65536
/* A "device", "peek" or "poke" begins below this page (behind the last one of what it is about
 * counting goes on from 0). */
#define FOREIGN_PAGES 256

static void draw_other(struct mix_drawing *d, uint32_t which)
{
	struct program_op *op = draw_append(d->program, which);

	switch (which) {
	case JOB_OP_BRK:
		draw_number(op, below(d, some_pages(d) + 1));
		break;
	case JOB_OP_TRUNCATE:
		draw_number(op, below(d, d->group->file_pages));
		break;
	case JOB_OP_EXEC_FAIL:
		if (!one_in(d, FAILS_AFTER_ONE_IN)) {
			draw_number(op, 0);
			break;
		}
		draw_number(op, 1);
		forget_extra(d);
		break;
	case JOB_OP_EXEC:
		draw_number(op, 0);
		draw_number(op, one_in(d, SETID_ONE_IN));
		forget_extra(d);
		break;
	case JOB_OP_EXIT:
		forget_extra(d);
		break;
	case JOB_OP_GETMM:
	case JOB_OP_ACCESS:
	case JOB_OP_READEXE:
		draw_number(op, below(d, d->nr_tasks));
		break;
	case JOB_OP_KTHREAD:
		draw_number(op, 1);
		draw_number(op, below(d, d->nr_tasks));
		break;
	case JOB_OP_THREADS:
		for (uint32_t i = 0; i < THREADS_OF_GROUP; i++)
			draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, one_in(d, KILLED_ONE_IN) ? 1 + below(d, THREAD_KILL_MAX) : 0);
		break;
	case JOB_OP_HOTPLUG:
		draw_number(op, below(d, JOB_CPUS_MAX));
		break;
	case JOB_OP_DEVICE:
	case JOB_OP_PEEK:
	case JOB_OP_POKE:
		draw_number(op, below(d, d->nr_tasks));
		draw_number(op, below(d, FOREIGN_PAGES));
		draw_number(op, some_pages(d));
		break;
	case JOB_OP_COREDUMP:
		draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, below(d, THREAD_DEED_MAX + 1));
		draw_number(op, one_in(d, KILLED_ONE_IN));
		break;
	case JOB_OP_KSMD:
	case JOB_OP_KHUGEPAGED:
		draw_number(op, SCAN_PAGES);
		break;
	case JOB_OP_PROBE:
	case JOB_OP_UNPROBE:
	case JOB_OP_EXECUTE:
	case JOB_OP_LIBRARY:
		draw_number(op, below(d, 2));
		break;
	case JOB_OP_AGE:
		draw_number(op, AGE_FRAMES);
		draw_number(op, below(d, FRAMES));
		break;
	default:
		break;
	}
}

static uint32_t draw_from(struct mix_drawing *d)
{
	const struct job_mix *mix = &d->group->mix;
	uint32_t n = below(d, mix->total), i = 0;

	while (n >= mix->entries[i].weight)
		n -= mix->entries[i++].weight;
	return mix->entries[i].op;
}

static void draw_one(struct mix_drawing *d)
{
	uint32_t which = draw_from(d);
	struct mix_span sp;

	switch (which) {
	case JOB_OP_MMAP:
		draw_mmap(d);
		break;
	case JOB_OP_MUNMAP:
		draw_munmap(d);
		break;
	case JOB_OP_READ:
	case JOB_OP_WRITE:
	case JOB_OP_DONTNEED:
	case JOB_OP_MPROTECT:
	case JOB_OP_MLOCK:
	case JOB_OP_MUNLOCK:
	case JOB_OP_AIO:
	case JOB_OP_MERGEABLE:
	case JOB_OP_UNMERGEABLE:
	case JOB_OP_HUGEPAGE:
		if (some_span(d, &sp))
			add_on_span(d, which, &sp);
		break;
	default:
		draw_other(d, which);
		break;
	}
}

/* A task of a group with a mix: its operations, at least one. */
static void draw_program(struct mix_drawing *d, uint32_t ops)
{
	for (uint32_t n = 0; n < ops; n++)
		draw_one(d);
	if (!d->program->nr)
		draw_append(d->program, JOB_OP_YIELD);
}

bool program_draw_has_mix(const struct job *job)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (job->groups[i].mix.nr)
			return true;
	}
	return false;
}

/* ---- groups ---- */

static uint32_t parts_of(const struct job_group *g, uint32_t chunk)
{
	return g->mix.nr ? (g->tasks + chunk - 1) / chunk : 1;
}

static uint32_t all_parts(const struct job *job, uint32_t chunk)
{
	uint32_t parts = 0;

	for (size_t i = 0; i < job->nr_groups; i++)
		parts += parts_of(&job->groups[i], chunk);
	return parts;
}

/* Tasks that share a program: one, unless there would be too many groups. */
static uint32_t chunk_of(const struct job *job)
{
	uint32_t chunk = 1;

	while (all_parts(job, chunk) > JOB_GROUPS_MAX)
		chunk++;
	return chunk;
}

static bool name_taken(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->nr_groups; i++) {
		if (!strcmp(job->groups[i].name, name))
			return true;
	}
	return false;
}

/* "NAME-2" for the second part of a group, or what nobody else is called. */
static void name_part(const struct job *drawn, const struct job *job, struct job_group *g,
		      uint32_t part)
{
	char base[JOB_NAME_SIZE];
	char suffix[16];

	if (!part)
		return;
	memcpy(base, g->name, sizeof(base));
	do {
		size_t length = (size_t)snprintf(suffix, sizeof(suffix), "-%u", ++part);

		snprintf(g->name, sizeof(g->name), "%.*s%s", (int)(sizeof(g->name) - 1 - length),
			 base, suffix);
	} while (name_taken(drawn, g->name) || name_taken(job, g->name));
}

/* Splits @from into its parts, behind the groups that @drawn has already. */
static void add_parts(struct job *drawn, const struct job *job, size_t from, uint32_t chunk)
{
	const struct job_group *g = &job->groups[from];
	uint32_t parts = parts_of(g, chunk), left = g->tasks;

	for (uint32_t part = 0; part < parts; part++) {
		struct job_group new = *g;

		if (g->mix.nr)
			new.tasks = min(left, chunk);
		left -= new.tasks;
		/* Owned by @job; what is drawn or copied takes their place. */
		new.mix = (struct job_mix){0};
		new.program.ops = NULL;
		name_part(drawn, job, &new, part);
		drawn->groups[drawn->nr_groups++] = new;
	}
}

/* First part of each of the job's groups in the drawn job: that is the one that others join. */
static void join_first_parts(struct job *drawn, const struct job *job, uint32_t chunk)
{
	int first[JOB_GROUPS_MAX], next = 0;

	for (size_t i = 0; i < job->nr_groups; i++) {
		first[i] = next;
		next += (int)parts_of(&job->groups[i], chunk);
	}
	for (size_t i = 0; i < drawn->nr_groups; i++) {
		struct job_group *g = &drawn->groups[i];

		if (shares_mm(g))
			g->mm_group = first[g->mm_group];
	}
}

static int fill_program(struct job_group *to, const struct job_group *from, const struct job *job,
			uint64_t seed, uint32_t number, uint32_t ops)
{
	struct mix_drawing d = {
		.group = from,
		.program = &to->program,
		.number = number,
		.nr_tasks = job_tasks(job),
	};
	size_t room = from->mix.nr ? (size_t)OPS_OF_ONE * ops + 1 : from->program.nr;

	to->program.ops = calloc(room, sizeof(*to->program.ops));
	if (!to->program.ops)
		return -1;
	if (!from->mix.nr) {
		memcpy(to->program.ops, from->program.ops, room * sizeof(*to->program.ops));
		return 0;
	}
	to->program.nr = 0;
	to->program.repeat = 1;
	random_seed(&d.rng, seed, STREAM_MIX + number);
	draw_program(&d, ops);
	/* What a job file without mixes would say. */
	to->op_pages = group_default_op_pages(to);
	return 0;
}

int program_draw_from_mix(struct job *drawn, const struct job *job, uint64_t seed,
			  uint32_t ops_per_task, struct error *err)
{
	uint32_t chunk = chunk_of(job), number = 0;

	job_destroy(drawn);
	drawn->groups = calloc(all_parts(job, chunk), sizeof(*drawn->groups));
	if (!drawn->groups)
		return error_no_memory(err);
	memcpy(drawn->name, job->name, sizeof(drawn->name));
	memcpy(drawn->path, job->path, sizeof(drawn->path));
	for (size_t i = 0; i < job->nr_groups; i++)
		add_parts(drawn, job, i, chunk);
	join_first_parts(drawn, job, chunk);
	for (size_t i = 0; i < job->nr_groups; i++) {
		for (uint32_t n = parts_of(&job->groups[i], chunk); n; n--, number++) {
			if (!fill_program(&drawn->groups[number], &job->groups[i], job, seed,
					  number, ops_per_task))
				continue;
			job_destroy(drawn);
			return error_no_memory(err);
		}
	}
	return 0;
}

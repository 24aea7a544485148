// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operations of a user task: what each does, and drawing them at random for a mix.
 */
#include <errno.h>
#include <string.h>

#include "engine/strategy.h"
#include "mm/mm_machine.h"
#include "stress/hotplug_ops.h"
#include "stress/user_ops.h"

EVENT_DESC(ev_op, 402, 0, "op", "%llu, page %llu");

u32 user_choose_below(struct user_task *u, u32 n)
{
	if (n <= 1)
		return 0;
	return exploring() ? machine_choose(CHOICE_DATA, n) : random_below(&u->slot->rng, n);
}

static u64 span_address(const struct span *sp)
{
	return region_start(sp->r) + ((u64)sp->page << PAGE_SHIFT);
}

static u64 span_bytes(const struct span *sp)
{
	return (u64)sp->nr << PAGE_SHIFT;
}

/* ---- what each operation does ---- */

static void op_read(const struct span *sp)
{
	for (u32 i = 0; i < sp->nr; i++) {
		if (region_read(sp->r, sp->page + i))
			return;
	}
}

static void op_write(struct user_task *u, const struct span *sp)
{
	for (u32 i = 0; i < sp->nr; i++) {
		if (region_write(u, sp->r, sp->page + i))
			return;
	}
}

static void op_dontneed(const struct span *sp)
{
	u32 writes[OP_PAGES_MAX];
	/* A file's pages keep their contents: only the mapping goes. */
	bool zaps = sp->r->kind == REGION_ANON;
	int err;

	if (zaps)
		region_zap_begin(sp->r, sp->page, sp->nr, writes);
	err = sys_madvise_dontneed(span_address(sp), span_bytes(sp));
	if (zaps) {
		/* Refused for a locked area: nothing has changed, or only a part. */
		region_zap_end(sp->r, sp->page, sp->nr, err ? NULL : writes);
	}
}

struct region *user_free_extra(struct user_task *u)
{
	for (u32 i = 0; i < REGION_EXTRA_MAX; i++) {
		if (!region_start(&u->extra[i]))
			return &u->extra[i];
	}
	return NULL;
}

static void op_mmap(struct user_task *u, struct region *r, u32 pages, bool exact)
{
	s64 addr = sys_mmap(0, (u64)pages << PAGE_SHIFT, VM_READ | VM_WRITE, NULL, 0);

	if (addr < 0)
		return;
	if (region_init(u->w->m, r, REGION_ANON, (u64)addr, pages, current->mm->domain, exact))
		sys_munmap((u64)addr, (u64)pages << PAGE_SHIFT);
}

/* Maps the span's kind of memory at its address, which is free or will be replaced. */
static s64 map_again(struct user_task *u, const struct span *sp)
{
	u32 flags = VM_READ | VM_WRITE | (sp->r->kind == REGION_FILE_SHARED ? VM_SHARED : 0);
	struct file *f;
	s64 addr;

	if (sp->r->kind == REGION_ANON)
		return sys_mmap(span_address(sp), span_bytes(sp), flags, NULL, 0);
	f = file_open(u->slot->group->file_used->inode);
	if (!f)
		return -ENOMEM;
	addr = sys_mmap(span_address(sp), span_bytes(sp), flags, f, sp->page);
	fput(f);
	return addr;
}

/* In an mm with other threads the mapping is replaced in one go: into a hole somebody else could
 * map something. */
void user_op_remap(struct user_task *u, const struct span *sp)
{
	u32 writes[OP_PAGES_MAX];
	bool was_unstable = region_flag(sp->r->unstable), make_it_fail = current->make_it_fail;
	/* A file's pages keep their contents. */
	bool zaps = sp->r->kind == REGION_ANON;
	s64 addr;

	if (!was_unstable)
		region_set(sp->r->unstable, true);
	if (zaps)
		region_zap_begin(sp->r, sp->page, sp->nr, writes);
	if (!u->slot->group->mm_owner)
		sys_munmap(span_address(sp), span_bytes(sp));
	/* Not told to fail: into the hole another region could be mapped, and each would be found
	 * in the other's way. */
	current->make_it_fail = false;
	addr = map_again(u, sp);
	current->make_it_fail = make_it_fail;
	if (zaps)
		region_zap_end(sp->r, sp->page, sp->nr, writes);
	/* Without memory for the VMA the hole stays: accesses may fault from now on. */
	if (!was_unstable && addr >= 0)
		region_set(sp->r->unstable, false);
}

void user_op_mprotect(const struct span *sp, u32 vm_flags)
{
	bool was_unstable = region_flag(sp->r->unstable);
	u64 value;

	if (!was_unstable)
		region_set(sp->r->unstable, true);
	if (sys_mprotect(span_address(sp), span_bytes(sp), vm_flags))
		goto out;
	/* What is forbidden now must fault; what is allowed must not have changed. */
	if (vm_flags & VM_READ)
		region_read(sp->r, sp->page);
	else
		(void)user_read(span_address(sp), &value);
out:
	if (!sys_mprotect(span_address(sp), span_bytes(sp), VM_READ | VM_WRITE) && !was_unstable)
		region_set(sp->r->unstable, false);
}

static void op_brk(struct user_task *u, u32 pages)
{
	u64 start = current->mm->start_brk, old = u->heap_pages;
	s64 brk = sys_brk(start + ((u64)pages << PAGE_SHIFT));

	u->heap_pages = brk > (s64)start ? ((u64)brk - start) >> PAGE_SHIFT : 0;
	/* Touch what is new: the heap grew from its old end. */
	for (u64 i = old; i < u->heap_pages; i++)
		(void)user_write(start + (i << PAGE_SHIFT), 0);
}

/* ---- processes ---- */

/* Operations of a fork's child: enough to break copy on write and to leave something to tear down.
 */
#define CHILD_PAGES 8

static void child_main(void *arg)
{
	struct user_task *parent = arg;
	struct user_task u;
	struct region *r;

	memset(&u, 0, sizeof(u));
	u.slot = parent->slot;
	u.w = parent->w;
	u.child = true;
	current->user = &u;
	slot_lend_shadow(u.slot, &u.anon);
	/* The parent waits until the copies are made: its stack is ours to read. */
	r = region_start(&parent->anon) ? &parent->anon : &parent->slot->group->shared;
	if (region_start(r) && !region_copy(u.w->m, &u.anon, r, !parent->slot->group->mm_owner)) {
		u32 step = max(1u, u.anon.pages / CHILD_PAGES);

		complete(&parent->child_ready);
		for (u32 page = 0; page < u.anon.pages; page += step) {
			if (region_read(&u.anon, page) || region_write(&u, &u.anon, page) ||
			    region_read(&u.anon, page) || return_to_user())
				break;
		}
	} else {
		complete(&parent->child_ready);
	}
	user_runs_probed_text(&u);
	slot_take_back_shadow(u.slot, &u.anon);
	sys_exit(0);
}

static void op_fork(struct user_task *u)
{
	s64 pid;

	init_completion(&u->child_ready);
	pid = sys_clone(0, "child", child_main, u, NULL);
	if (pid < 0)
		return;
	wait_for_completion(&u->child_ready);
	sys_wait(NULL);
}

/* Some number, for task_pid(). */
static u32 some_task(struct user_task *u)
{
	return user_choose_below(u, u->w->nr_slots);
}

/* The pid of the job's task number @task; behind the last one it goes on from the first. */
static u32 task_pid(struct user_task *u, u32 task)
{
	struct slot *s = &u->w->slots[task % u->w->nr_slots];
	u32 stand_in = READ_ONCE(s->stand_in);

	return stand_in ? stand_in : READ_ONCE(s->pid);
}

/* A kernel thread works on another task's address space for a moment. */
static void op_kthread(struct user_task *u, u32 task)
{
	u32 pid = task_pid(u, task);

	if (!current->mm && (current->flags & PF_KTHREAD))
		(void)sys_adopt_mm(pid);
	else
		(void)sys_peek_mm(pid);
}

/* A CPU that can go offline, if there is one. */
static u32 some_cpu(struct user_task *u)
{
	u32 nr = u->w->m->nr_vcpus;

	return nr > 1 ? 1 + user_choose_below(u, nr - 1) : 0;
}

/* Requests that one "aio" of a mix starts at the most. */
#define AIO_PAGES_MOST 2u

static u32 some_frame(struct user_task *u)
{
	return user_choose_below(u, (u32)u->w->m->mm->nr_pages);
}

/* ---- files ---- */

static void op_truncate(struct user_task *u, u32 pages)
{
	struct world_file *f = u->slot->group->file_used;
	u32 max = (u32)f->inode->max_pages;
	struct region all = {.exact = f->shadow != NULL, .shadow = f->shadow};

	pages = min(pages, max);
	/* Others truncate as well: what is beyond either end may be zero or not. */
	region_zap_begin(&all, pages, max - pages, NULL);
	(void)sys_ftruncate(f->inode, pages);
	(void)sys_ftruncate(f->inode, max);
	region_zap_end(&all, pages, max - pages, NULL);
}

/* ---- drawing ---- */

static struct region *common_region(struct user_task *u, bool file)
{
	struct slot_group *owner = u->slot->group->mm_owner;

	if (!owner)
		return NULL;
	return file ? &owner->file : &owner->shared;
}

/* Some region of the task's that is mapped now; NULL if there is none. */
static struct region *some_region(struct user_task *u)
{
	struct region *candidates[4 + REGION_EXTRA_MAX];
	struct region *r;
	u32 nr = 0;

	if (region_start(&u->anon))
		candidates[nr++] = &u->anon;
	if (region_start(&u->file))
		candidates[nr++] = &u->file;
	r = common_region(u, false);
	if (r && region_start(r))
		candidates[nr++] = r;
	r = common_region(u, true);
	if (r && region_start(r))
		candidates[nr++] = r;
	for (u32 i = 0; i < REGION_EXTRA_MAX; i++) {
		if (region_start(&u->extra[i]))
			candidates[nr++] = &u->extra[i];
	}
	return nr ? candidates[user_choose_below(u, nr)] : NULL;
}

static u32 some_pages(struct user_task *u)
{
	const struct page_range *range = &u->slot->group->job->op_pages;
	u32 lo = max(range->lo, 1u), hi = min(max(range->hi, lo), (u32)OP_PAGES_MAX);

	lo = min(lo, hi);
	return lo + user_choose_below(u, hi - lo + 1);
}

static bool some_span(struct user_task *u, struct span *sp)
{
	sp->r = some_region(u);
	if (!sp->r)
		return false;
	sp->nr = min(some_pages(u), sp->r->pages);
	sp->page = user_choose_below(u, sp->r->pages - sp->nr + 1);
	return true;
}

static void random_munmap(struct user_task *u, struct span *sp)
{
	struct region *r = &u->extra[user_choose_below(u, REGION_EXTRA_MAX)];

	if (region_start(r)) {
		sys_munmap(region_start(r), (u64)r->pages << PAGE_SHIFT);
		region_forget(r);
	} else if (sp->r && sp->r->kind == REGION_ANON) {
		user_op_remap(u, sp);
	}
}

static void random_mmap(struct user_task *u)
{
	struct region *r = user_free_extra(u);
	struct span sp = {.r = r};

	if (!r)
		return;
	op_mmap(u, r, some_pages(u), true);
	if (!region_start(r))
		return;
	sp.nr = r->pages;
	op_write(u, &sp);
}

/* One group in so many of a mix is killed. */
#define KILLED_ONE_IN 4

static void random_threads(struct user_task *u)
{
	u32 deeds[THREADS_OF_GROUP];

	for (u32 i = 0; i < THREADS_OF_GROUP; i++)
		deeds[i] = user_choose_below(u, THREAD_DEED_MAX + 1);
	user_threads(u, deeds,
		     user_choose_below(u, KILLED_ONE_IN)
			     ? 0
			     : 1 + user_choose_below(u, THREAD_KILL_MAX));
}

static void random_coredump(struct user_task *u)
{
	u32 thread = user_choose_below(u, THREAD_DEED_MAX + 1);
	u32 process = user_choose_below(u, THREAD_DEED_MAX + 1);

	user_coredump(u, thread, process, !user_choose_below(u, KILLED_ONE_IN));
}

/* One exec in so many that fail does so when the old image is gone. */
#define FAILS_AFTER_ONE_IN 4

/* One exec in so many of a mix is of a set-user-ID program. */
#define SETID_ONE_IN 4

bool user_do_op(struct user_task *u, enum job_op op, struct span *sp, u32 n, u32 which)
{
	struct world_file *f = u->slot->group->file_used;

	switch (op) {
	case JOB_OP_READ:
		op_read(sp);
		break;
	case JOB_OP_WRITE:
		op_write(u, sp);
		break;
	case JOB_OP_DONTNEED:
		op_dontneed(sp);
		break;
	case JOB_OP_BRK:
		op_brk(u, n);
		break;
	case JOB_OP_MLOCK:
		(void)sys_mlock(span_address(sp), span_bytes(sp));
		break;
	case JOB_OP_MUNLOCK:
		(void)sys_munlock(span_address(sp), span_bytes(sp));
		break;
	case JOB_OP_FORK:
		op_fork(u);
		break;
	case JOB_OP_EXEC:
		return user_op_exec(
			u, n, which == SOME ? !user_choose_below(u, SETID_ONE_IN) : which != 0);
	case JOB_OP_EXEC_FAIL:
		return user_op_exec_fail(
			u, which == SOME ? !user_choose_below(u, FAILS_AFTER_ONE_IN) : which != 0);
	case JOB_OP_EXIT:
		return user_op_exit(u);
	case JOB_OP_MSYNC:
		if (f)
			writeback_range(f->inode, sp->page, sp->nr);
		break;
	case JOB_OP_TRUNCATE:
		if (f)
			op_truncate(u, n);
		break;
	case JOB_OP_DROPCACHE:
		for (u32 i = 0; i < u->w->nr_files; i++) {
			struct inode *inode = u->w->files[i].inode;

			invalidate_mapping_pages(inode, 0, inode->max_pages);
		}
		break;
	case JOB_OP_YIELD:
	case JOB_OP_SLEEP:
		while (n--)
			yield();
		break;
	case JOB_OP_GETMM:
		(void)sys_peek_mm(task_pid(u, which == SOME ? some_task(u) : which));
		break;
	case JOB_OP_ACCESS:
		(void)sys_access_mm(task_pid(u, which == SOME ? some_task(u) : which));
		break;
	case JOB_OP_READEXE:
		(void)sys_read_exe(task_pid(u, which == SOME ? some_task(u) : which));
		break;
	case JOB_OP_SETEXE:
		user_set_exe(u);
		break;
	case JOB_OP_KTHREAD:
		while (n--)
			op_kthread(u, which == SOME ? some_task(u) : which);
		break;
	case JOB_OP_AGE:
		(void)sys_age_pages(which == SOME ? some_frame(u) : which, n);
		break;
	case JOB_OP_HOTPLUG:
		user_hotplug(which == SOME ? some_cpu(u) : which, (enum hotplug_how)n);
		break;
	case JOB_OP_AIO:
		for (u32 i = 0; i < sp->nr; i++)
			(void)sys_io_submit(span_address(sp) + ((u64)i << PAGE_SHIFT));
		break;
	case JOB_OP_SWAPUSE:
		sys_swap_use();
		break;
	case JOB_OP_SWAPOFF:
		(void)sys_swapoff();
		break;
	case JOB_OP_RMMOD:
		(void)sys_delete_module();
		break;
	case JOB_OP_MERGEABLE:
	case JOB_OP_UNMERGEABLE:
		(void)sys_madvise_scan(span_address(sp), span_bytes(sp), MM_SCANNER_KSM,
				       op == JOB_OP_MERGEABLE);
		break;
	case JOB_OP_HUGEPAGE:
		(void)sys_madvise_scan(span_address(sp), span_bytes(sp), MM_SCANNER_KHUGEPAGED,
				       true);
		break;
	case JOB_OP_KSMD:
		sys_scan_mms(MM_SCANNER_KSM, n);
		break;
	case JOB_OP_KHUGEPAGED:
		sys_scan_mms(MM_SCANNER_KHUGEPAGED, n);
		break;
	case JOB_OP_PROBE:
	case JOB_OP_UNPROBE:
	case JOB_OP_EXECUTE:
	case JOB_OP_LIBRARY:
		user_uprobe_op(u, op,
			       which == SOME ? user_choose_below(u, IMAGE_TEXT_PAGES) : which);
		break;
	case JOB_OP_MMAP:
	case JOB_OP_MUNMAP:
	case JOB_OP_MPROTECT:
	case JOB_OP_THREADS:
	case JOB_OP_DEVICE:
	case JOB_OP_PEEK:
	case JOB_OP_POKE:
	case JOB_OP_COREDUMP:
	case NR_JOB_OPS:
		break;
	}
	return true;
}

void user_begin_op(struct user_task *u, enum job_op op, const struct span *sp)
{
	world_count(u->w, op);
	vcpu_progress();
	event_record(&ev_op, op, sp->r ? sp->page : 0);
}

bool user_op_random(struct user_task *u, enum job_op op)
{
	struct slot_group *g = u->slot->group;
	struct span sp = {0};
	u32 n = 1;

	if (job_ops[op].needs != JOB_OP_ANY)
		(void)some_span(u, &sp);
	/* A task a page: few. */
	if (op == JOB_OP_AIO)
		sp.nr = min(sp.nr, AIO_PAGES_MOST);
	user_begin_op(u, op, &sp);
	switch (op) {
	case JOB_OP_MMAP:
		random_mmap(u);
		return true;
	case JOB_OP_MUNMAP:
		random_munmap(u, &sp);
		return true;
	case JOB_OP_MPROTECT:
		if (sp.r)
			user_op_mprotect(&sp, user_choose_below(u, 2) ? VM_READ : 0);
		return true;
	case JOB_OP_THREADS:
		random_threads(u);
		return true;
	case JOB_OP_DEVICE:
	case JOB_OP_PEEK:
	case JOB_OP_POKE:
		user_foreign_op(u, op, SOME, user_choose_below(u, OP_PAGES_MAX), some_pages(u));
		return true;
	case JOB_OP_COREDUMP:
		random_coredump(u);
		return true;
	case JOB_OP_MSYNC:
		sp = (struct span){.nr = g->file_used ? (u32)g->file_used->inode->max_pages : 0};
		break;
	case JOB_OP_TRUNCATE:
		n = g->file_used ? user_choose_below(u, (u32)g->file_used->inode->max_pages) : 0;
		break;
	case JOB_OP_BRK:
		n = user_choose_below(u, some_pages(u) + 1);
		break;
	case JOB_OP_SLEEP:
		n = SLEEP_YIELDS;
		break;
	case JOB_OP_EXEC:
		n = 0;
		break;
	case JOB_OP_AGE:
		n = AGE_FRAMES;
		break;
	case JOB_OP_HOTPLUG:
		n = HOTPLUG_DOWN_AND_UP;
		break;
	case JOB_OP_KSMD:
	case JOB_OP_KHUGEPAGED:
		n = SCAN_PAGES;
		break;
	default:
		if (job_ops[op].needs == JOB_OP_REGION && !sp.r)
			return true;
		break;
	}
	return user_do_op(u, op, &sp, n, SOME);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations whose allocations fail: at each site the first one, the second one, and so on until
 * the operation has enough. Each time the caller is told, and what had been done is undone: nothing
 * is missing, nothing is left, no page is committed that nobody has.
 */
#include "mm_life_machine.h"

#include "mm/device.h"
#include "mm/uprobes.h"

#define MARK 0x6661696cULL
/* Where the operations under test map; nothing else is within a page directory's reach of it. */
#define PLACE 0x300000000000ULL
/* More than a gather holds without another batch, several of which then lie in one table. */
#define MANY_PAGES 12
/* Pages of the file from this one on are in the cache only while the operation runs. */
#define FIRST_UNCACHED 2
/* Allocations of one operation are fewer. */
#define NTH_MAX 400
#define CACHES_MAX 64
/* The one that walks and the auditor. */
#define TASKS_KEPT 2
#define PLACE_OF_KEPT 0x200000000000ULL

/* What a machine has handed out. */
struct holdings {
	s64 committed, rss[NR_MM_COUNTERS], caches[CACHES_MAX];
	u64 free_pages, total_vm;
	u32 nr_vmas;
};

struct failing_op {
	const char *name;
	s64 (*prepare)(struct life *l); /* nothing fails; may be NULL */
	s64 (*act)(struct life *l);	/* may fail */
	void (*undo)(struct life *l, s64 result);
	s64 error; /* without memory; 0: the caller is not told */
};

static void make_it_fail(bool fail)
{
	current->make_it_fail = fail;
}

static void settle(struct life *l)
{
	make_it_fail(false);
	/* Tasks of requests may have yet to end. */
	while (atomic_read(&l->m->smp->nr_tasks) > TASKS_KEPT)
		synchronize_rcu();
	lru_add_drain();
	rcu_barrier();
	(void)invalidate_mapping_pages(l->prog, 0, LIFE_FILE_PAGES);
	lru_add_drain();
	rcu_barrier();
}

static void take_stock(struct life *l, struct holdings *h)
{
	struct mm_struct *mm = current->mm;
	u32 i = 0;

	memset(h, 0, sizeof(*h));
	settle(l);
	sync_mm_rss(mm);
	h->committed = this_mm()->committed_pages;
	for (u32 c = 0; c < NR_MM_COUNTERS; c++)
		h->rss[c] = oracle_read(mm->rss[c]);
	for (const struct kmem_cache *c = l->m->caches; c; c = c->next, i++) {
		EXPECT(i < CACHES_MAX);
		/* An array that has grown stays: of these the last audit knows. */
		if (strncmp(c->name, "vma_array", sizeof("vma_array") - 1) != 0)
			h->caches[i] = kmem_cache_in_use(c);
	}
	h->free_pages = nr_free_pages(l->m);
	h->total_vm = mm->total_vm;
	h->nr_vmas = mm->nr_vmas;
}

static void expect_same(struct life *l, const struct holdings *a, const struct holdings *b,
			const char *op, const char *site, u64 nth)
{
	u32 i = 0;

	for (const struct kmem_cache *c = l->m->caches; c; c = c->next, i++)
		BUG_ON(a->caches[i] != b->caches[i],
		       "%s, %s:%llu: %lld objects of %s were in use, now %lld", op, site,
		       (unsigned long long)nth, (long long)a->caches[i], c->name,
		       (long long)b->caches[i]);
	BUG_ON(a->committed != b->committed, "%s, %s:%llu: %lld pages were committed, now %lld", op,
	       site, (unsigned long long)nth, (long long)a->committed, (long long)b->committed);
	for (u32 c = 0; c < NR_MM_COUNTERS; c++)
		BUG_ON(a->rss[c] != b->rss[c], "%s, %s:%llu: rss %u was %lld, is %lld", op, site,
		       (unsigned long long)nth, c, (long long)a->rss[c], (long long)b->rss[c]);
	BUG_ON(a->free_pages != b->free_pages || a->total_vm != b->total_vm ||
		       a->nr_vmas != b->nr_vmas,
	       "%s, %s:%llu: %llu free pages, %llu of VM, %u VMAs; then %llu, %llu, %u", op, site,
	       (unsigned long long)nth, (unsigned long long)a->free_pages,
	       (unsigned long long)a->total_vm, a->nr_vmas, (unsigned long long)b->free_pages,
	       (unsigned long long)b->total_vm, b->nr_vmas);
}

/* --- The operations --------------------------------------------------------------------------- */

static void child_goes(void *arg)
{
	(void)arg;
	sys_exit(0);
}

static s64 prepare_anon(struct life *l)
{
	(void)l;
	return sys_mmap(PLACE, MANY_PAGES * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0);
}

static s64 act_fork(struct life *l)
{
	return sys_clone(0, "child", child_goes, l, NULL);
}

static void undo_fork(struct life *l, s64 result)
{
	(void)l;
	EXPECT((result > 0) == (sys_wait(NULL) > 0));
	EXPECT(sys_munmap(PLACE, MANY_PAGES * PAGE_SIZE) == 0);
}

static s64 act_exec(struct life *l)
{
	struct mm_struct *old = current->mm;
	s64 err = sys_execve(&l->image);

	/* Before the point of no return the old image goes on, after it the task does not. */
	EXPECT(!err || READ_ONCE(current->killed) == (current->mm != old));
	return err;
}

static void map_kept(struct life *l);

/* The same image as before, whatever has come of it. */
static void undo_exec(struct life *l, s64 result)
{
	(void)result;
	WRITE_ONCE(current->killed, 0);
	EXPECT(sys_execve(&l->image) == 0);
	map_kept(l);
}

/* Far enough for page tables of its own. */
#define STACK_SHIFT 0x300000u

static s64 act_exec_moved(struct life *l)
{
	struct exec_image image = l->image;
	struct mm_struct *old = current->mm;
	s64 err;

	image.stack_shift_pages = STACK_SHIFT;
	image.argument_pages = 2;
	err = sys_execve(&image);
	EXPECT(!err || READ_ONCE(current->killed) == (current->mm != old));
	return err;
}

static s64 act_mmap(struct life *l)
{
	s64 addr;
	struct file *f = file_open(l->prog);

	if (!f)
		return -ENOMEM;
	addr = sys_mmap(PLACE, 2 * PAGE_SIZE, VM_READ | VM_WRITE, f, FIRST_UNCACHED);
	fput(f);
	return addr;
}

static void undo_map(struct life *l, s64 result)
{
	(void)l;
	(void)result;
	EXPECT(sys_munmap(PLACE, MANY_PAGES * PAGE_SIZE) == 0);
}

static s64 act_mmap_device(struct life *l)
{
	(void)l;
	return sys_mmap_device(2);
}

static void undo_mmap_device(struct life *l, s64 result)
{
	(void)l;
	if (result > 0)
		EXPECT(sys_munmap((u64)result, 2 * PAGE_SIZE) == 0);
}

static s64 act_fault(struct life *l)
{
	(void)l;
	return user_write(PLACE, MARK);
}

static s64 prepare_file(struct life *l)
{
	return act_mmap(l);
}

static s64 act_file_fault(struct life *l)
{
	(void)l;
	return user_write(PLACE + PAGE_SIZE, MARK);
}

static s64 prepare_full(struct life *l)
{
	s64 addr = prepare_anon(l);

	for (u32 i = 0; i < MANY_PAGES; i++)
		EXPECT(user_write(PLACE + i * PAGE_SIZE, MARK) == 0);
	return addr;
}

/* In the middle: two splits. */
static s64 act_munmap(struct life *l)
{
	(void)l;
	return sys_munmap(PLACE + PAGE_SIZE, (MANY_PAGES - 2) * PAGE_SIZE);
}

static s64 act_munmap_all(struct life *l)
{
	(void)l;
	return sys_munmap(PLACE, MANY_PAGES * PAGE_SIZE);
}

static s64 act_mprotect(struct life *l)
{
	(void)l;
	return sys_mprotect(PLACE + PAGE_SIZE, PAGE_SIZE, VM_READ);
}

static s64 prepare_read_only(struct life *l)
{
	(void)l;
	return sys_mmap(PLACE, MANY_PAGES * PAGE_SIZE, VM_READ, NULL, 0);
}

static s64 act_mprotect_to_write(struct life *l)
{
	(void)l;
	return sys_mprotect(PLACE + PAGE_SIZE, PAGE_SIZE, VM_READ | VM_WRITE);
}

static s64 act_brk(struct life *l)
{
	u64 brk = current->mm->start_brk + 4 * PAGE_SIZE;

	(void)l;
	return sys_brk(brk) == (s64)brk ? 0 : -ENOMEM;
}

static void undo_brk(struct life *l, s64 result)
{
	(void)l;
	(void)result;
	EXPECT(sys_brk(current->mm->start_brk) == (s64)current->mm->start_brk);
}

/* As posix_spawn does it: the child's handlers are the caller's until it execs. */
struct spawned {
	struct life *l;
	s64 err; /* of its exec */
};

static void spawned_main(void *arg)
{
	struct spawned *s = arg;

	s->err = act_exec(s->l);
	make_it_fail(false);
	sys_exit(0);
}

static s64 act_spawn(struct life *l)
{
	struct spawned s = {.l = l};
	s64 pid =
		sys_clone(CLONE_VM | CLONE_VFORK | CLONE_SIGHAND, "child", spawned_main, &s, NULL);

	if (pid < 0)
		return pid;
	EXPECT(sys_wait(NULL) == pid);
	return s.err;
}

static void undo_nothing(struct life *l, s64 result)
{
	(void)l;
	(void)result;
}

/* The context goes with the address space. */
static s64 act_io_submit(struct life *l)
{
	(void)l;
	return sys_io_submit(PLACE);
}

static s64 act_advise(struct life *l)
{
	(void)l;
	return sys_madvise_scan(PLACE + PAGE_SIZE, PAGE_SIZE, MM_SCANNER_KSM, true);
}

static s64 prepare_advised(struct life *l)
{
	s64 addr = prepare_anon(l);

	for (u32 i = 0; i < NR_MM_SCANNERS; i++)
		EXPECT(sys_madvise_scan((u64)addr, PAGE_SIZE, (enum mm_scanner)i, true) == 0);
	return addr;
}

/* The slots, too, go with the address space. */
static void undo_fork_and_exec(struct life *l, s64 result)
{
	undo_fork(l, result);
	undo_exec(l, result);
}

/* The program's text and a library's. */
static s64 prepare_text(struct life *l)
{
	struct file *f = file_open(l->prog);
	s64 addr;

	EXPECT(f);
	addr = sys_mmap(PLACE, PAGE_SIZE, VM_READ | VM_EXEC, f, 0);
	fput(f);
	return addr;
}

static s64 act_register(struct life *l)
{
	return sys_uprobe_register(l->prog, 0);
}

/* What has gone only half goes for good. */
static void undo_register(struct life *l, s64 result)
{
	u64 word;

	if (result)
		EXPECT(sys_uprobe_unregister(l->prog, 0) == -ENOENT);
	else
		EXPECT(sys_uprobe_unregister(l->prog, 0) == 0);
	EXPECT(user_read(ELF_TEXT_START, &word) == 0 && word != UPROBE_SWBP);
	EXPECT(user_read(PLACE, &word) == 0 && word != UPROBE_SWBP);
	undo_exec(l, result);
}

static s64 prepare_probed(struct life *l)
{
	EXPECT(prepare_text(l) > 0);
	return sys_uprobe_register(l->prog, 0);
}

static s64 act_unregister(struct life *l)
{
	return sys_uprobe_unregister(l->prog, 0);
}

/* A breakpoint that could not be taken away stays, and the uprobe with it, for the next one. */
static void undo_unregister(struct life *l, s64 result)
{
	EXPECT(sys_uprobe_register(l->prog, 0) == 0);
	undo_register(l, result);
}

/* The instruction is run again until there is memory to step over it. */
static s64 act_execute(struct life *l)
{
	EXPECT(user_execute(PLACE, l->prog, 0) == 1);
	return 0;
}

static const struct failing_op ops[] = {
	{"fork", prepare_anon, act_fork, undo_fork, -ENOMEM},
	{"exec", NULL, act_exec, undo_exec, -ENOMEM},
	{"exec with a stack that moves", NULL, act_exec_moved, undo_exec, -ENOMEM},
	{"mmap", NULL, act_mmap, undo_map, -ENOMEM},
	{"mmap of a device", NULL, act_mmap_device, undo_mmap_device, -ENOMEM},
	{"anonymous fault", prepare_anon, act_fault, undo_map, -ENOMEM},
	{"file fault", prepare_file, act_file_fault, undo_map, -ENOMEM},
	{"munmap of the middle", prepare_full, act_munmap, undo_map, -ENOMEM},
	{"munmap", prepare_full, act_munmap_all, undo_map, -ENOMEM},
	{"mprotect", prepare_full, act_mprotect, undo_map, -ENOMEM},
	{"mprotect to writable", prepare_read_only, act_mprotect_to_write, undo_map, -ENOMEM},
	{"brk", NULL, act_brk, undo_brk, -ENOMEM},
	{"spawn", NULL, act_spawn, undo_nothing, -ENOMEM},
	{"io_submit", prepare_full, act_io_submit, undo_exec, -EAGAIN},
	{"madvise", prepare_full, act_advise, undo_exec, -EAGAIN},
	{"fork of a registered mm", prepare_advised, act_fork, undo_fork_and_exec, -ENOMEM},
	{"uprobe_register", prepare_text, act_register, undo_register, -ENOMEM},
	{"uprobe_unregister", prepare_probed, act_unregister, undo_unregister, 0},
	{"trap", prepare_probed, act_execute, undo_register, 0},
};

/* --- The walk --------------------------------------------------------------------------------- */

/* What a fork has to copy: private and shared pages of a file, a device's, anonymous ones, locked
 * ones; so many areas that one more does not fit the array in the mm. */
static void map_kept(struct life *l)
{
	struct file *f = file_open(l->prog);
	struct mm_struct *mm = current->mm;
	u64 addr = PLACE_OF_KEPT;

	EXPECT(f && user_write(mm->start_data, MARK) == 0);
	EXPECT(user_write(mm->end_data, MARK) == 0);
	EXPECT(sys_mmap_device(1) > 0);
	EXPECT(sys_mmap(addr, PAGE_SIZE, VM_READ | VM_WRITE, f, 0) > 0);
	EXPECT(user_write(addr, MARK) == 0);
	EXPECT(sys_mmap(addr + PAGE_SIZE, PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, f, 1) > 0);
	EXPECT(user_write(addr + PAGE_SIZE, MARK) == 0);
	EXPECT(sys_mmap(addr + 2 * PAGE_SIZE, PAGE_SIZE, VM_READ | VM_WRITE | VM_LOCKED, NULL, 0) >
	       0);
	fput(f);
	for (u32 i = 2; mm->nr_vmas < VMA_INLINE; i++) {
		EXPECT(sys_mmap(addr + 2 * i * PAGE_SIZE, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) >
		       0);
		EXPECT(user_write(addr + 2 * i * PAGE_SIZE, MARK) == 0);
	}
}

/* Sites whose failure only makes the operation do it another way. */
static bool copes_without(u32 site)
{
	return site == ALLOC_SITE_gather || site == ALLOC_SITE_table_batch;
}

/* What the caller is told. */
static s64 expected_error(const struct failing_op *op, u32 site)
{
	if (copes_without(site))
		return 0;
	/* The mm's first request makes the context, as io_setup() does. */
	return site == ALLOC_SITE_kioctx ? -ENOMEM : op->error;
}

static bool is_expected(const struct failing_op *op, u32 site, s64 result)
{
	s64 error = expected_error(op, site);

	return error ? result == error : result >= 0;
}

/* One try; true if something failed. */
static bool try_nth(struct life *l, const struct failing_op *op, u32 site, u64 nth)
{
	struct fail_alloc *f = l->m->fail_alloc;
	struct holdings before, after;
	u64 failed = 0;
	s64 result;

	/* With an array that has yet to grow. */
	if (current->mm->vmas != current->mm->vmas_inline)
		undo_exec(l, 0);
	take_stock(l, &before);
	if (op->prepare)
		EXPECT(op->prepare(l) >= 0);
	for (u32 s = 0; s < NR_ALLOC_SITES; s++)
		failed += vmstat_sum(l->m, (enum vmstat_item)(VMSTAT_fail_task + s));
	f->tried[site] = 0;
	f->rules[site].nth = nth;
	make_it_fail(true);
	result = op->act(l);
	make_it_fail(false);
	f->rules[site].nth = 0;
	for (u32 s = 0; s < NR_ALLOC_SITES; s++)
		failed -= vmstat_sum(l->m, (enum vmstat_item)(VMSTAT_fail_task + s));
	BUG_ON(!failed && result < 0, "%s, %s:%llu: %lld though nothing failed", op->name,
	       alloc_site_names[site], (unsigned long long)nth, (long long)result);
	BUG_ON(failed && site != ALLOC_SITE_any && !is_expected(op, site, result),
	       "%s, %s:%llu: %lld", op->name, alloc_site_names[site], (unsigned long long)nth,
	       (long long)result);
	op->undo(l, result);
	take_stock(l, &after);
	expect_same(l, &before, &after, op->name, alloc_site_names[site], nth);
	return failed != 0;
}

/* The first exec of a machine loads the module of the binary format. */
static void finds_no_module(struct life *l)
{
	struct fail_alloc *f = l->m->fail_alloc;
	s64 mms = life_cache_in_use(l->m, "mm_struct");

	f->rules[ALLOC_SITE_module].nth = 1;
	make_it_fail(true);
	EXPECT(sys_execve(&l->image) == -ENOEXEC);
	make_it_fail(false);
	f->rules[ALLOC_SITE_module].nth = 0;
	EXPECT(!current->mm && !READ_ONCE(current->killed));
	rcu_barrier();
	EXPECT(life_cache_in_use(l->m, "binfmt") == 0);
	EXPECT(life_cache_in_use(l->m, "mm_struct") == mms);
	EXPECT(life_cache_in_use(l->m, "file") == 0);
	EXPECT(nr_free_pages(l->m) == l->first_free);
}

static void walks(void *arg)
{
	struct life *l = arg;

	finds_no_module(l);
	EXPECT(sys_execve(&l->image) == 0);
	map_kept(l);
	for (u32 i = 0; i < ARRAY_SIZE(ops); i++) {
		for (u32 site = 0; site <= ALLOC_SITE_any; site++) {
			u64 nth = 1;

			while (try_nth(l, &ops[i], site, nth)) {
				nth++;
				BUG_ON(nth > NTH_MAX, "%s never has enough of %s", ops[i].name,
				       alloc_site_names[site]);
			}
			l->count += (u32)nth - 1;
			(void)return_to_user();
		}
	}
	sys_exit(0);
}

static void walk_with(enum executor executor)
{
	struct life_config config = {.nr_vcpus = 1, .nr_pages = 1024, .seed = 1};
	struct life l = {0};

	life_create(&l, &config);
	fail_alloc_arm(l.m)->task_filter = true;
	life_task(&l, 0, walks);
	expect_clean(&l, life_run(&l, executor));
	for (u32 site = 0; site < NR_ALLOC_SITES; site++)
		cr_expect(vmstat_sum(l.m, (enum vmstat_item)(VMSTAT_fail_task + site)) > 0,
			  "nothing failed at %s", alloc_site_names[site]);
	cr_expect_gt(l.count, 200u);
	life_destroy(&l);
}

Test(mm_fail_alloc, every_site_in_turn)
{
	walk_with(EXECUTOR_EXPLORE);
}

Test(mm_fail_alloc, every_site_in_turn_on_threads)
{
	walk_with(EXECUTOR_THREADS);
}

/* --- Error paths that forget something ---------------------------------------------------------
 */

static void expect_missed(u32 knob)
{
	struct life_config config = {.nr_vcpus = 1, .nr_pages = 1024, .seed = 1, .knob = knob};
	struct life l = {0};

	life_create(&l, &config);
	fail_alloc_arm(l.m)->task_filter = true;
	life_task(&l, 0, walks);
	cr_expect_eq(life_run(&l, EXECUTOR_EXPLORE), MACHINE_VIOLATION);
	life_destroy(&l);
}

Test(mm_fail_alloc, a_failed_fork_that_keeps_a_file_is_found)
{
	expect_missed(KNOB_FORK_FAIL_KEEPS_FILE);
}

Test(mm_fail_alloc, a_failed_fork_that_keeps_committed_memory_is_found)
{
	expect_missed(KNOB_FORK_FAIL_KEEPS_COMMIT);
}

Test(mm_fail_alloc, a_failed_exec_that_keeps_its_charge_is_found)
{
	expect_missed(KNOB_EXEC_FAIL_KEEPS_CHARGE);
}

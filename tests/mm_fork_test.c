// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork, exit and wait: what a child has of its parent, what is undone when a fork fails half way,
 * and who waits for whom.
 */
#include "mm_life_machine.h"

#include "mm/rmap.h"

#define SEEDS 300
#define SMALL_PAGES 128
#define PARENTS 0x70617265ULL
#define CHILDS 0x6368696cULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

/* The first seed on threads, and @nr_seeds explored. */
static void run_seeds(const struct life_config *base, u32 nr_tasks, void (*entry)(void *),
		      u32 nr_seeds)
{
	struct life_config config = *base;
	struct life l = {0};

	life_create(&l, &config);
	for (u64 seed = 1; seed <= nr_seeds + 1; seed++) {
		config.seed = seed;
		if (seed > 1)
			life_again(&l, &config);
		for (u32 i = 0; i < nr_tasks; i++)
			life_task(&l, i, entry);
		expect_clean(&l, life_run(&l, seed == 1 ? EXECUTOR_THREADS : EXECUTOR_EXPLORE));
	}
	life_destroy(&l);
}

/* --- What a child has ------------------------------------------------------------------------- */

static void reads_and_writes(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = current->mm;
	u64 v;

	EXPECT(current->flags & PF_FORKNOEXEC && !(current->flags & PF_KTHREAD));
	EXPECT(mm->owner == current);
	EXPECT(mm->locked_vm == 0 && mm->nr_vmas == 4);
	for (u32 i = 0; i < mm->nr_vmas; i++)
		EXPECT(mm->vmas[i]->vm_mm == mm && !(mm->vmas[i]->vm_flags & VM_LOCKED));
	EXPECT(mm->exe_file->inode == l->prog && mm->start_brk > mm->end_data);

	EXPECT(user_read(mm->start_data, &v) == 0 && v == PARENTS);
	EXPECT(user_read(mm->end_data, &v) == 0 && v == PARENTS);
	EXPECT(user_write(mm->start_data, CHILDS) == 0);
	EXPECT(user_write(mm->end_data, CHILDS) == 0);
	EXPECT(user_write(STACK_TOP - 8, CHILDS) == 0);
	EXPECT(user_read(mm->start_data, &v) == 0 && v == CHILDS);
	EXPECT(user_read(mm->end_data, &v) == 0 && v == CHILDS);
	sys_exit(42);
}

static void forks_a_reader(void *arg)
{
	struct life *l = arg;
	struct task_struct *child;
	struct mm_struct *mm, *theirs;
	u32 code, domain;
	u64 v;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	domain = mm->domain;
	EXPECT(user_write(mm->start_data, PARENTS) == 0);
	EXPECT(user_write(mm->end_data, PARENTS) == 0);
	EXPECT(sys_mlock(mm->end_data, PAGE_SIZE) == 0);

	pid = sys_clone(0, "child", reads_and_writes, l, &child);
	EXPECT(pid > 0 && child->pid == (u32)pid && child->parent == current);
	theirs = get_task_mm(child);
	if (theirs) {
		EXPECT(theirs != mm && theirs->domain != domain);
		mmput(theirs);
	}
	EXPECT(mm->owner == current && mm->locked_vm == 1);
	/* Whoever writes first, each has its own. */
	EXPECT(user_write(mm->end_data + 8, PARENTS + 1) == 0);
	EXPECT(sys_wait(&code) == pid && code == 42);
	EXPECT(user_read(mm->start_data, &v) == 0 && v == PARENTS);
	EXPECT(user_read(mm->end_data, &v) == 0 && v == PARENTS);
	EXPECT(user_read(STACK_TOP - 8, &v) == 0 && v == 0);
	EXPECT(sys_wait(&code) == -ECHILD);
	sys_exit(0);
}

Test(mm_fork, parent_and_child_have_their_own)
{
	run_seeds(&small, 1, forks_a_reader, SEEDS);
}

static bool count_mapping(struct page *p, struct vm_area_struct *vma, u64 addr, void *arg)
{
	u32 *nr = arg;

	(void)p;
	EXPECT(addr >= vma->vm_start && addr < vma->vm_end);
	(*nr)++;
	return true;
}

/* VMAs in which reverse mapping looks for the page that is mapped at @addr. */
static u32 count_rmap(struct mm_struct *mm, u64 addr)
{
	spinlock_t *ptl;
	pteval_t *pte = pte_find_lock(mm, addr, &ptl);
	struct page *page = pfn_to_page(pte_pfn(*pte));
	u32 nr = 0;

	get_page(page);
	spin_unlock(ptl);
	rmap_walk(page, count_mapping, &nr);
	put_page(page);
	return nr;
}

static void commits(void *arg)
{
	struct life *l = arg;
	struct mm_machine *mmm = this_mm();
	struct mm_struct *copy;

	EXPECT(sys_execve(&l->image) == 0);
	/* data, bss and stack */
	EXPECT(mmm->committed_pages == 4);
	copy = dup_mm(current);
	EXPECT(copy && mmm->committed_pages == 8);
	EXPECT(copy->total_vm == current->mm->total_vm && !copy->owner);
	EXPECT(get_mm_rss(copy) == 1 && copy->hiwater_rss == 1);
	EXPECT(count_rmap(current->mm, STACK_TOP - 1) == 2);
	mmput(copy);
	EXPECT(mmm->committed_pages == 4);
	EXPECT(count_rmap(current->mm, STACK_TOP - 1) == 1);
	sys_exit(0);
}

Test(mm_fork, a_copy_is_accounted)
{
	run_seeds(&small, 1, commits, 1);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* With fewer and fewer pages: the copy is whole, or nothing of it is left. */
static void fork_starved(void *arg)
{
	struct life *l = arg;
	struct page *hogged[SMALL_PAGES];
	u32 worked = 0, failed = 0, partly = 0;
	struct mm_struct *mm;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	EXPECT(user_write(mm->start_data, PARENTS) == 0);
	EXPECT(user_write(mm->end_data, PARENTS) == 0);
	/* A page table of its own. */
	EXPECT(sys_mmap(TASK_UNMAPPED_BASE, 2 * PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) > 0);
	EXPECT(user_write(TASK_UNMAPPED_BASE, PARENTS) == 0);
	for (u32 left = 0; left < 16; left++) {
		s64 committed = this_mm()->committed_pages, count = 0;
		u32 nr = 0, mms = (u32)vmstat_sum(l->m, VMSTAT_mm_created);
		struct mm_struct *copy;
		u64 frees, v;

		lru_add_drain();
		while (nr_free_pages(l->m) > left) {
			hogged[nr] = alloc_page(PAGE_USER);
			EXPECT(hogged[nr]);
			nr++;
		}
		frees = nr_free_pages(l->m);
		copy = dup_mm(current);
		if (copy) {
			worked++;
			mmput(copy);
		} else {
			failed++;
			partly += vmstat_sum(l->m, VMSTAT_mm_created) > mms;
		}
		rcu_barrier();
		EXPECT(nr_free_pages(l->m) == frees);
		EXPECT(this_mm()->committed_pages == committed);
		EXPECT(kmem_cache_in_use(this_mm()->vma_cache) == mm->nr_vmas);
		cds_list_for_each_entry(copy, &this_mm()->mmlist, mmlist)
			count++;
		EXPECT(count == 2); /* ours and init_mm */
		for (u32 i = 0; i < nr; i++)
			put_page(hogged[i]);
		/* What was write-protected for the copy can be written again. */
		EXPECT(user_write(mm->start_data, left) == 0);
		EXPECT(user_read(mm->start_data, &v) == 0 && v == left);
		EXPECT(user_read(mm->end_data, &v) == 0 && v == PARENTS);
	}
	EXPECT(worked && failed > 3 && partly > 3);
	sys_exit(0);
}

Test(mm_fork, without_memory_nothing_is_left_behind)
{
	struct life_config config = small;

	config.nr_vcpus = 1;
	run_seeds(&config, 1, fork_starved, 1);
}

static void just_exits(void *arg)
{
	(void)arg;
	sys_exit(1);
}

/* Two programs that fork where there is memory for some of it only. */
static void forks_at_the_limit(void *arg)
{
	struct life *l = arg;
	u32 rounds = exploring() ? 3 : 300;

	if (sys_execve(&l->image)) {
		sys_exit(0);
	}
	for (u32 i = 0; i < rounds; i++) {
		struct mm_struct *mm = current->mm;
		s64 pid;
		u64 v;
		int err = user_write(mm->end_data, i);

		EXPECT(err == 0 || err == -ENOMEM);
		pid = sys_clone(0, "child", just_exits, l, NULL);
		EXPECT(pid > 0 || pid == -ENOMEM);
		if (!err)
			EXPECT(user_read(mm->end_data, &v) == -ENOMEM || v == i);
		if (pid > 0)
			EXPECT(sys_wait(NULL) == pid);
		(void)return_to_user();
	}
	sys_exit(0);
}

Test(mm_fork, failures_race_with_others)
{
	struct life_config config = small;

	config.nr_pages = 64;
	run_seeds(&config, 4, forks_at_the_limit, SEEDS);
}

/* Any allocation may fail, at any time: each call works or says -ENOMEM, and nobody gets lost. */
static void expect_ok_or_enomem(s64 result)
{
	EXPECT(result >= 0 || result == -ENOMEM);
}

static void unlucky_child(void *arg)
{
	struct life *l = arg;

	expect_ok_or_enomem(user_write(current->mm->start_data, CHILDS));
	expect_ok_or_enomem(sys_execve(&l->image));
	if (!return_to_user())
		expect_ok_or_enomem(user_write(STACK_TOP - 8, CHILDS));
	sys_exit(0);
}

static void unlucky_program(void *arg)
{
	struct life *l = arg;
	struct exec_image image = l->image;
	s64 pid = 0;

	image.argument_pages = 2;
	if (sys_execve(&image))
		sys_exit(1);
	for (u32 i = 0; i < 3 && !return_to_user(); i++) {
		expect_ok_or_enomem(user_write(current->mm->end_data, PARENTS));
		pid = sys_clone(i == 1 ? CLONE_VFORK : 0, "child", unlucky_child, l, NULL);
		expect_ok_or_enomem(pid);
		expect_ok_or_enomem(sys_execve(&l->image));
	}
	while (sys_wait(NULL) > 0)
		;
	sys_exit(0);
}

Test(mm_fork, any_allocation_may_fail)
{
	struct life_config config = small;
	struct life l = {0};
	u64 failed = 0;

	config.nr_pages = 256;
	life_create(&l, &config);
	for (u64 seed = 1; seed <= SEEDS; seed++) {
		config.seed = seed;
		life_again(&l, &config);
		fail_alloc_arm(l.m)->rules[ALLOC_SITE_any].one_in = 2;
		life_task(&l, 0, unlucky_program);
		life_task(&l, 1, unlucky_program);
		expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
		failed += vmstat_sum(l.m, VMSTAT_mm_created) < 12;
	}
	cr_assert_gt(failed, 0);
	life_destroy(&l);
}

/* Structures of the kernel's own run out: with a little more memory each time, until it is enough.
 */
static void forks_if_it_can(void *arg)
{
	struct life *l = arg;
	s64 pid;

	if (sys_execve(&l->image)) {
		EXPECT(!READ_ONCE(current->killed) || current->mm);
		sys_exit(0);
	}
	expect_ok_or_enomem(user_write(current->mm->start_data, PARENTS));
	expect_ok_or_enomem(user_write(current->mm->end_data, PARENTS));
	/* More areas than the array in the mm has room for; every other page, so that none merge.
	 */
	for (u64 i = 0; i < VMA_INLINE; i++) {
		u64 addr = TASK_UNMAPPED_BASE + 2 * i * PAGE_SIZE;

		if (sys_mmap(addr, PAGE_SIZE, VM_READ | VM_WRITE, NULL, 0) < 0)
			sys_exit(0);
		expect_ok_or_enomem(user_write(addr, PARENTS));
	}
	pid = sys_clone(0, "child", just_exits, l, NULL);
	expect_ok_or_enomem(pid);
	if (pid > 0) {
		EXPECT(sys_wait(NULL) == pid);
		atomic_inc(&l->count);
	}
	sys_exit(0);
}

Test(mm_fork, without_kernel_memory_nothing_is_left_behind)
{
	struct life_config config = small;
	struct life l = {0};
	u32 failed = 0;

	config.nr_vcpus = 1;
	life_create(&l, &config);
	for (u64 bytes = 0;; bytes += CACHE_LINE) {
		struct arena *arena = &l.m->arena;

		life_again(&l, &config);
		life_task(&l, 0, forks_if_it_can);
		life_auditor(&l);
		l.arena_reserved = arena->reserved;
		arena->reserved = arena->used + bytes;
		expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
		if (l.count)
			break;
		failed++;
	}
	/* At least once for each structure. */
	cr_assert_gt(failed, 20);
	life_destroy(&l);
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static void exits_with_argument(void *arg)
{
	sys_exit((u32)(u64)arg);
}

static void waits_for_three(void *arg)
{
	struct life *l = arg;
	s64 pids[3], pid;
	u32 code, seen = 0;

	EXPECT(sys_execve(&l->image) == 0);
	for (u64 i = 0; i < 3; i++) {
		pids[i] = sys_clone(i == 1 ? CLONE_VM : 0, "child", exits_with_argument, (void *)i,
				    NULL);
		EXPECT(pids[i] > 0);
	}
	for (u32 i = 0; i < 3; i++) {
		pid = sys_wait(&code);
		EXPECT(code < 3 && pids[code] == pid);
		seen |= 1u << code;
	}
	EXPECT(seen == 7 && sys_wait(NULL) == -ECHILD);
	EXPECT(sys_clone(0x10, "child", just_exits, l, NULL) == -EINVAL);
	sys_exit(0);
}

Test(mm_fork, each_child_is_waited_for_once)
{
	run_seeds(&small, 1, waits_for_three, SEEDS);
}

static void forks_and_goes(void *arg)
{
	struct life *l = arg;

	if (atomic_inc_return(&l->count) < 4)
		EXPECT(sys_clone(0, "child", forks_and_goes, l, NULL) > 0);
	if (atomic_read(&l->count) % 2)
		EXPECT(sys_clone(CLONE_VM, "thread", just_exits, l, NULL) > 0);
	sys_exit(0);
}

static void starts_a_dynasty(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	forks_and_goes(arg);
}

/* No task is left behind (the audit counts them), whether or not its parent was there. */
Test(mm_fork, orphans_go_by_themselves)
{
	run_seeds(&small, 1, starts_a_dynasty, SEEDS);
}

static void kernel_child(void *arg)
{
	EXPECT(!current->mm && current->flags & PF_KTHREAD);
	exits_with_argument(arg);
}

static void kernel_parent(void *arg)
{
	u32 code;
	s64 pid = sys_clone(0, "kchild", kernel_child, (void *)5, NULL);

	(void)arg;
	EXPECT(pid > 0 && sys_wait(&code) == pid && code == 5);
	sys_exit(0);
}

Test(mm_fork, a_kernel_thread_has_kernel_threads)
{
	run_seeds(&small, 1, kernel_parent, 10);
}

/* --- vfork, clear_child_tid ------------------------------------------------------------------- */

static void vfork_child(void *arg)
{
	struct life *l = arg;

	EXPECT(user_write(current->mm->end_data, CHILDS) == 0);
	atomic_inc(&l->count);
	sys_exit(0);
}

static void vforks(void *arg)
{
	struct life *l = arg;
	u64 v;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(CLONE_VM | CLONE_VFORK, "child", vfork_child, l, NULL) > 0);
	/* It has used our memory, and is done with it. */
	EXPECT(atomic_read(&l->count) == 1);
	EXPECT(user_read(current->mm->end_data, &v) == 0 && v == CHILDS);
	EXPECT(sys_wait(NULL) > 0);
	sys_exit(0);
}

Test(mm_fork, vfork_lends_the_address_space)
{
	run_seeds(&small, 1, vforks, SEEDS);
}

static void thread_with_tid_word(void *arg)
{
	(void)arg;
	EXPECT(sys_set_tid_address(current->mm->end_data) == current->pid);
	EXPECT(user_write(current->mm->end_data, current->pid) == 0);
	sys_exit(0);
}

static void joins_a_thread(void *arg)
{
	struct life *l = arg;
	u64 v;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(CLONE_VM, "thread", thread_with_tid_word, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(user_read(current->mm->end_data, &v) == 0 && v == 0);
	/* Alone in its mm nobody reads the word: it is left. */
	EXPECT(sys_set_tid_address(current->mm->end_data) == current->pid);
	EXPECT(user_write(current->mm->end_data, 7) == 0);
	mm_release(current, current->mm);
	EXPECT(user_read(current->mm->end_data, &v) == 0 && v == 7);
	sys_exit(0);
}

Test(mm_fork, the_tid_word_is_cleared_for_those_who_stay)
{
	run_seeds(&small, 1, joins_a_thread, SEEDS);
}

/* --- All at once ------------------------------------------------------------------------------ */

static void family_member(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = current->mm;
	u64 mark = current->pid;

	EXPECT(user_write(mm->end_data, mark) == 0);
	(void)sys_madvise_dontneed(mm->start_data, PAGE_SIZE);
	if (current->pid % 3 == 0)
		(void)sys_execve(&l->image);
	(void)return_to_user();
	sys_exit(0);
}

static void family(void *arg)
{
	struct life *l = arg;
	u32 rounds = exploring() ? 2 : 200;

	if (sys_execve(&l->image))
		sys_exit(0);
	for (u32 i = 0; i < rounds; i++) {
		s64 a, b;

		EXPECT(user_write(current->mm->start_data, i) == 0);
		a = sys_clone(0, "child", family_member, l, NULL);
		b = sys_clone(CLONE_VM, "thread", family_member, l, NULL);
		(void)user_write(STACK_TOP - 8, i);
		(void)sys_peek_mm((u32)(a > 0 ? a : b));
		while (sys_wait(NULL) > 0)
			;
		(void)return_to_user();
	}
	sys_exit(0);
}

Test(mm_fork, families)
{
	struct life_config config = small;

	config.nr_vcpus = 3;
	config.nr_pages = 512;
	run_seeds(&config, 3, family, SEEDS / 2);
}

Test(mm_fork, families_on_threads)
{
	struct life_config config = {.nr_vcpus = 4, .nr_pages = 1024, .seed = 7, .bigger = true};
	struct life l = {0};

	life_create(&l, &config);
	for (u32 i = 0; i < 6; i++)
		life_task(&l, i, family);
	expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	life_destroy(&l);
}

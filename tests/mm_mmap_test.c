// SPDX-License-Identifier: GPL-2.0-or-later
/* mmap, munmap, brk, mprotect, mlock, growing stacks and user accesses, each by itself. */
#include "mm_address_space.h"

static void expect_unmapped(u64 first, u64 nr)
{
	u64 value;

	for (u64 i = first; i < first + nr; i++) {
		EXPECT_EQ(user_read(PAGE(i), &value), -EFAULT);
		EXPECT_EQ(user_write(PAGE(i), 0), -EFAULT);
	}
}

static s64 rss(struct mm_struct *mm, enum mm_counter c)
{
	sync_mm_rss(mm);
	return get_mm_counter(mm, c);
}

/* --- mmap and munmap -------------------------------------------------------------------------- */

static void anonymous_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	s64 addr = sys_mmap(0, 5 * PAGE_SIZE - 1, RW, NULL, 0);
	u64 value;

	EXPECT_EQ(addr, mm->mmap_base);
	EXPECT_EQ(mm->total_vm, 5);
	EXPECT_EQ(this_mm()->committed_pages, 5);
	/* Fresh memory is zero, whatever was in the page before. */
	for (u32 round = 0; round < 3; round++) {
		EXPECT_EQ(user_read((u64)addr, &value), 0);
		EXPECT_EQ(value, 0);
		EXPECT_EQ(user_write((u64)addr, ~0ULL), 0);
		EXPECT_EQ(user_read((u64)addr, &value), 0);
		EXPECT_EQ(value, ~0ULL);
		EXPECT_EQ(rss(mm, MM_ANONPAGES), 1);
		EXPECT_EQ(sys_munmap((u64)addr, 5 * PAGE_SIZE), 0);
		EXPECT_EQ(rss(mm, MM_ANONPAGES), 0);
		EXPECT_EQ(mm->nr_ptes, 0);
		EXPECT_EQ(mm->total_vm, 0);
		EXPECT_EQ(this_mm()->committed_pages, 0);
		EXPECT_EQ(user_read((u64)addr, &value), -EFAULT);
		EXPECT_EQ(sys_mmap(0, 5 * PAGE_SIZE, RW, NULL, 0), addr);
	}
	space_audit(this_vcpu()->machine);
}

Test(mmap, anonymous_memory_is_zero_and_comes_back)
{
	run_alone(anonymous_body);
}

static void split_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	map_fixed(0, 10, RW);
	fill(0, 10);
	unmap(3, 2);
	EXPECT_MAP(mm, "0-3 rw; 5-10 rw");
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 8);
	expect_filled(0, 3);
	expect_filled(5, 5);
	expect_unmapped(3, 2);
	EXPECT_EQ(mm->nr_ptes, 1);
	vma_audit(mm);
	/* Across the hole, into both. */
	unmap(2, 4);
	EXPECT_MAP(mm, "0-2 rw; 6-10 rw");
	expect_filled(6, 4);
	unmap(0, 100);
	EXPECT_MAP(mm, "");
	EXPECT_EQ(mm->nr_ptes, 0);
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 0);
	/* Nothing there is fine. */
	unmap(0, 100);
	space_audit(this_vcpu()->machine);
}

Test(mmap, munmap_splits_at_both_ends)
{
	run_alone(split_body);
}

static void fixed_body(void *arg)
{
	struct space *s = arg;
	struct file *file = file_open(s->inode);
	struct mm_struct *mm = s->mm;
	u64 value;

	map_fixed(0, 10, RW);
	fill(0, 10);
	/* Something else in the middle. */
	EXPECT_EQ(sys_mmap(PAGE(4), 3 * PAGE_SIZE, VM_READ | VM_SHARED, file, 8), PAGE(4));
	EXPECT_MAP(mm, "0-4 rw; 4-7 rsf; 7-10 rw");
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 7);
	EXPECT_EQ(user_read(PAGE(5), &value), 0);
	EXPECT_EQ(user_write(PAGE(5), 1), -EFAULT);
	/* The same again: one VMA, without the old contents. */
	map_fixed(4, 3, RW);
	EXPECT_MAP(mm, "0-10 rw");
	EXPECT_EQ(user_read(PAGE(5), &value), 0);
	EXPECT_EQ(value, 0);
	expect_filled(0, 4);
	expect_filled(7, 3);
	EXPECT_EQ(s->inode->mapping.nr_mappings, 0);
	EXPECT_EQ(file->count, 1);
	fput(file);
	space_audit(s->m);
}

Test(mmap, fixed_address_replaces_what_is_there)
{
	run_alone(fixed_body);
}

static void tables_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	/* Two page tables; the second one is shared with the VMA behind. */
	map_fixed(0, 600, RW);
	map_fixed(601, 1, RW);
	fill(0, 1);
	fill(599, 1);
	fill(601, 1);
	EXPECT_EQ(mm->nr_ptes, 2);
	unmap(0, 600);
	EXPECT_EQ(mm->nr_ptes, 1);
	expect_filled(601, 1);
	unmap(601, 1);
	EXPECT_EQ(mm->nr_ptes, 0);
}

Test(mmap, page_tables_go_when_no_neighbour_needs_them)
{
	run_alone(tables_body);
}

static void bad_arguments_body(void *arg)
{
	struct space *s = arg;
	struct file *file = file_open(s->inode);

	EXPECT_EQ(sys_mmap(0, 0, RW, NULL, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(BASE + 1, PAGE_SIZE, RW, NULL, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(0, PAGE_SIZE, RW | VM_PFNMAP, NULL, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(0, PAGE_SIZE, RW | VM_ACCOUNT, NULL, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(0, PAGE_SIZE, RW | VM_SHARED, NULL, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(0, PAGE_SIZE, RW | VM_GROWSDOWN, file, 0), -EINVAL);
	EXPECT_EQ(sys_mmap(0, TASK_SIZE + PAGE_SIZE, VM_READ, NULL, 0), -ENOMEM);
	EXPECT_EQ(sys_mmap(0, ~0ULL, VM_READ, NULL, 0), -ENOMEM);
	EXPECT_EQ(sys_mmap(TASK_SIZE, PAGE_SIZE, VM_READ, NULL, 0), -ENOMEM);
	EXPECT_EQ(sys_mmap(TASK_SIZE - PAGE_SIZE, 2 * PAGE_SIZE, VM_READ, NULL, 0), -ENOMEM);
	EXPECT_EQ(sys_mmap(0, 2 * PAGE_SIZE, VM_READ, file, ~0ULL), -EOVERFLOW);
	EXPECT_EQ(sys_mmap(MMAP_MIN_ADDR - PAGE_SIZE, PAGE_SIZE, VM_READ, NULL, 0), -EPERM);
	EXPECT_EQ(sys_mmap(0, (this_mm()->nr_pages + 1) * PAGE_SIZE, RW, NULL, 0), -ENOMEM);
	EXPECT_EQ(sys_munmap(BASE + 1, PAGE_SIZE), -EINVAL);
	EXPECT_EQ(sys_munmap(BASE, 0), -EINVAL);
	EXPECT_EQ(sys_munmap(BASE, TASK_SIZE), -EINVAL);
	EXPECT_EQ(sys_munmap(TASK_SIZE + PAGE_SIZE, PAGE_SIZE), -EINVAL);
	EXPECT_EQ(sys_mprotect(BASE + 1, PAGE_SIZE, VM_READ), -EINVAL);
	EXPECT_EQ(sys_mprotect(BASE, PAGE_SIZE, VM_LOCKED), -EINVAL);
	EXPECT_EQ(sys_mprotect(BASE, 0, VM_READ), 0);
	EXPECT_EQ(sys_mprotect(BASE, PAGE_SIZE, VM_READ), -ENOMEM);
	EXPECT_EQ(sys_mprotect(BASE, ~0ULL, VM_READ), -ENOMEM);
	EXPECT_EQ(sys_mlock(BASE, PAGE_SIZE), -ENOMEM);
	EXPECT_EQ(sys_munlock(BASE, ~0ULL), -ENOMEM);
	EXPECT_EQ(sys_mlock(BASE, 0), 0);
	EXPECT_EQ(sys_mmap_device(0), -EINVAL);
	EXPECT_EQ(sys_mmap_device(DEVICE_MAX_FRAMES + 1), -EINVAL);
	EXPECT_EQ(s->mm->nr_vmas, 0);
	EXPECT_EQ(this_mm()->committed_pages, 0);
	fput(file);
}

Test(mmap, bad_arguments_are_refused_and_leave_nothing_behind)
{
	run_alone(bad_arguments_body);
}

static void out_of_memory_body(void *arg)
{
	struct space *s = arg;
	u64 nr = s->m->mm->nr_pages, got = 0;
	int err = 0;

	map_fixed(0, nr, RW);
	while (got < nr && !(err = user_write(PAGE(got), got)))
		got++;
	EXPECT_EQ(err, -ENOMEM);
	EXPECT(got > nr / 2);
	EXPECT_EQ(sys_mlock(PAGE(0), nr * PAGE_SIZE), -EAGAIN);
	unmap(0, nr);
	/* All of it is there again. */
	map_fixed(0, got, RW);
	fill(0, got);
	unmap(0, got);
	space_audit(s->m);
}

Test(mmap, running_out_of_memory_is_an_error_and_no_more)
{
	struct space_test test = {.nr_vcpus = 1,
				  .nr_tasks = 1,
				  .nr_pages = 64,
				  .body = out_of_memory_body,
				  .seed = 1};

	for (u32 i = 0; i < 2; i++) {
		test.executor = i ? EXECUTOR_THREADS : EXECUTOR_EXPLORE;
		cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
	}
}

static void beyond_end_body(void *arg)
{
	struct space *s = arg;
	struct file *file = file_open(s->inode);
	u64 value;

	EXPECT_EQ(sys_mmap(PAGE(0), 4 * PAGE_SIZE, RW | VM_SHARED, file, FILE_PAGES - 2), PAGE(0));
	EXPECT_EQ(user_write(PAGE(1), 7), 0);
	EXPECT_EQ(user_read(PAGE(2), &value), -EIO);
	EXPECT_EQ(user_write(PAGE(3), 7), -EIO);
	/* What is mapped once is mapped at its place in the file. */
	EXPECT_EQ(sys_mmap(PAGE(10), PAGE_SIZE, VM_READ, file, FILE_PAGES - 1), PAGE(10));
	EXPECT_EQ(user_read(PAGE(10), &value), 0);
	EXPECT_EQ(value, 7);
	/* A private copy of it. */
	EXPECT_EQ(sys_mprotect(PAGE(10), PAGE_SIZE, RW), 0);
	EXPECT_EQ(user_write(PAGE(10), 8), 0);
	EXPECT_EQ(user_read(PAGE(1), &value), 0);
	EXPECT_EQ(value, 7);
	EXPECT_EQ(rss(s->mm, MM_ANONPAGES), 1);
	EXPECT_EQ(rss(s->mm, MM_FILEPAGES), 1);
	fput(file);
}

Test(mmap, file_pages_are_shared_private_or_beyond_the_end)
{
	run_alone(beyond_end_body);
}

static void kernel_thread(void *done)
{
	u64 value;

	EXPECT_EQ(user_read(PAGE(0), &value), -EFAULT);
	complete(done);
}

static void no_mm_body(void *arg)
{
	struct space *s = arg;
	struct completion done;
	u64 value;

	EXPECT_EQ(user_read(TASK_SIZE, &value), -EFAULT);
	EXPECT_EQ(user_write(~0ULL, 1), -EFAULT);
	init_completion(&done);
	wake_up_new_task(task_create(s->m, "kthread", PF_KTHREAD, 0, kernel_thread, &done));
	wait_for_completion(&done);
}

Test(mmap, no_address_space_and_no_user_address_fault)
{
	run_alone(no_mm_body);
}

/* --- brk -------------------------------------------------------------------------------------- */

static void brk_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	mm->start_brk = mm->brk = PAGE(0) + 100;
	EXPECT_EQ(sys_brk(0), PAGE(0) + 100);
	EXPECT_EQ(sys_brk(PAGE(1)), PAGE(1));
	EXPECT_MAP(mm, "");
	EXPECT_EQ(sys_brk(PAGE(1) + 1), PAGE(1) + 1);
	EXPECT_EQ(sys_brk(PAGE(4)), PAGE(4));
	EXPECT_MAP(mm, "1-4 rw");
	fill(1, 3);
	EXPECT_EQ(sys_brk(PAGE(2) + 8), PAGE(2) + 8);
	EXPECT_MAP(mm, "1-3 rw");
	expect_filled(1, 2);
	expect_unmapped(3, 1);
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 2);
	/* A page before the next mapping stays free. */
	map_fixed(8, 1, VM_READ);
	EXPECT_EQ(sys_brk(PAGE(8)), PAGE(2) + 8);
	EXPECT_EQ(sys_brk(PAGE(7)), PAGE(7));
	EXPECT_EQ(sys_brk(~0ULL), PAGE(7));
	EXPECT_EQ(sys_brk(PAGE(0)), PAGE(7));
	EXPECT_EQ(sys_brk(PAGE(0) + 100), PAGE(0) + 100);
	EXPECT_MAP(mm, "8-9 r");
	EXPECT_EQ(this_mm()->committed_pages, 0);
	vma_audit_all(this_vcpu()->machine);
}

Test(mmap, brk_moves_the_end_of_the_heap)
{
	run_alone(brk_body);
}

/* --- mprotect --------------------------------------------------------------------------------- */

static void mprotect_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	u64 value;

	map_fixed(0, 10, RW);
	fill(0, 10);
	EXPECT_EQ(sys_mprotect(PAGE(2), 3 * PAGE_SIZE, VM_READ), 0);
	EXPECT_MAP(mm, "0-2 rw; 2-5 r; 5-10 rw");
	expect_filled(0, 10);
	EXPECT_EQ(user_write(PAGE(3), 1), -EFAULT);
	EXPECT_EQ(sys_mprotect(PAGE(3), PAGE_SIZE, 0), 0);
	EXPECT_MAP(mm, "0-2 rw; 2-3 r; 3-4 ; 4-5 r; 5-10 rw");
	EXPECT_EQ(user_read(PAGE(3), &value), -EFAULT);
	/* The page is still there. */
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 10);
	EXPECT_EQ(sys_mprotect(PAGE(0), 10 * PAGE_SIZE, RW), 0);
	EXPECT_MAP(mm, "0-10 rw");
	expect_filled(0, 10);
	EXPECT_EQ(user_write(PAGE(3), 5), 0);
	EXPECT_EQ(this_mm()->committed_pages, 10);
	/* What comes before a hole is done. */
	unmap(5, 1);
	EXPECT_EQ(sys_mprotect(PAGE(0), 10 * PAGE_SIZE, VM_READ), -ENOMEM);
	EXPECT_MAP(mm, "0-5 r; 6-10 rw");
	unmap(0, 10);
	/* Memory that was never writable is not committed until it is. */
	map_fixed(0, 4, VM_READ);
	EXPECT_EQ(this_mm()->committed_pages, 0);
	EXPECT_EQ(sys_mprotect(PAGE(1), PAGE_SIZE, RW), 0);
	EXPECT_EQ(this_mm()->committed_pages, 1);
	EXPECT_EQ(sys_mprotect(PAGE(1), PAGE_SIZE, VM_READ), 0);
	EXPECT_EQ(this_mm()->committed_pages, 1);
	space_audit(this_vcpu()->machine);
}

Test(mmap, mprotect_takes_and_gives_permissions)
{
	run_alone(mprotect_body);
}

/* --- mlock ------------------------------------------------------------------------------------ */

static u64 pages_mlocked(struct mm_struct *mm, u64 first, u64 nr)
{
	u64 n = 0;

	for (u64 i = first; i < first + nr; i++) {
		spinlock_t *ptl;
		pteval_t *pte = pte_find_lock(mm, PAGE(i), &ptl);

		if (!pte)
			continue;
		n += pte_present(*pte) && page_flag(pfn_to_page(pte_pfn(*pte)), PG_mlocked);
		spin_unlock(ptl);
	}
	return n;
}

static void mlock_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	map_fixed(0, 20, RW);
	fill(0, 3);
	EXPECT_EQ(sys_mlock(PAGE(2) + 5, 4 * PAGE_SIZE), 0);
	EXPECT_MAP(mm, "0-2 rw; 2-7 rwl; 7-20 rw");
	EXPECT_EQ(mm->locked_vm, 5);
	EXPECT_EQ(rss(mm, MM_ANONPAGES), 7);
	EXPECT_EQ(pages_mlocked(mm, 0, 20), 5);
	EXPECT_EQ(sys_mlock(PAGE(2), 5 * PAGE_SIZE), 0);
	EXPECT_EQ(mm->locked_vm, 5);
	lru_add_drain();
	EXPECT_EQ(lru_size(this_vcpu()->machine, LRU_UNEVICTABLE), 5);
	EXPECT_EQ(sys_munlock(PAGE(4), PAGE_SIZE), 0);
	EXPECT_MAP(mm, "0-2 rw; 2-4 rwl; 4-5 rw; 5-7 rwl; 7-20 rw");
	EXPECT_EQ(mm->locked_vm, 4);
	EXPECT_EQ(pages_mlocked(mm, 0, 20), 4);
	expect_filled(0, 3);
	vma_audit(mm);
	/* Unmapping munlocks. */
	unmap(6, 1);
	EXPECT_EQ(mm->locked_vm, 3);
	EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
	EXPECT_MAP(mm, "0-6 rw; 7-20 rw");
	EXPECT_EQ(pages_mlocked(mm, 0, 20), 0);
	EXPECT_EQ(lru_size(this_vcpu()->machine, LRU_UNEVICTABLE), 0);
	/* A hole: what comes before is locked and stays so, nothing is faulted in. */
	EXPECT_EQ(sys_mlock(PAGE(0), 10 * PAGE_SIZE), -ENOMEM);
	EXPECT_MAP(mm, "0-6 rwl; 7-20 rw");
	EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
	/* Locked from the beginning; and more pages than one batch of munlock takes. */
	EXPECT_EQ(sys_mmap(PAGE(500), 70 * PAGE_SIZE, RW | VM_LOCKED, NULL, 0), PAGE(500));
	EXPECT_EQ(pages_mlocked(mm, 500, 70), 70);
	EXPECT_EQ(sys_munlock(PAGE(500), 70 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_mlocked(mm, 500, 70), 0);
	EXPECT_EQ(sys_mlock(PAGE(500), 70 * PAGE_SIZE), 0);
	/* PROT_NONE can't be faulted in. */
	EXPECT_EQ(sys_mmap(PAGE(600), PAGE_SIZE, 0, NULL, 0), PAGE(600));
	EXPECT_EQ(sys_mlock(PAGE(600), PAGE_SIZE), -ENOMEM);
	space_audit(this_vcpu()->machine);
	/* exit_mmap() munlocks the rest. */
}

Test(mmap, mlock_makes_pages_present_and_unevictable)
{
	run_alone(mlock_body);
}

static void mlock_twice_body(void *arg)
{
	struct space *s = arg;
	struct file *file = file_open(s->inode);

	/* One page of the file, mapped and locked twice. */
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(sys_mmap(PAGE(2 * i), PAGE_SIZE, VM_READ | VM_SHARED, file, 5),
			  PAGE(2 * i));
		EXPECT_EQ(sys_mlock(PAGE(2 * i), PAGE_SIZE), 0);
	}
	EXPECT_EQ(sys_munlock(PAGE(0), PAGE_SIZE), 0);
	EXPECT_EQ(pages_mlocked(s->mm, 0, 3), 2);
	EXPECT_EQ(sys_munlock(PAGE(2), PAGE_SIZE), 0);
	EXPECT_EQ(pages_mlocked(s->mm, 0, 3), 0);
	fput(file);
	space_audit(s->m);
}

Test(mmap, munlock_leaves_a_page_that_another_area_has_locked)
{
	run_alone(mlock_twice_body);
}

static void locked_child(void *arg)
{
	struct space *s = arg;

	/* Locks are not inherited; the pages are shared until somebody writes. */
	EXPECT_EQ(current->mm->locked_vm, 0);
	EXPECT_EQ(pages_mlocked(current->mm, 0, 4), 4);
	EXPECT_EQ(sys_mlock(PAGE(0), 4 * PAGE_SIZE), 0);
	WRITE_ONCE(s->shared[0], 1);
	expect_filled(0, 4);
	EXPECT_EQ(sys_munlock(PAGE(0), 2 * PAGE_SIZE), 0);
	expect_filled(0, 4);
	/* Pages that nobody writes are still the parent's too, and it has them locked. */
	EXPECT_EQ(sys_mlock(PAGE(8), 2 * PAGE_SIZE), 0);
	EXPECT_EQ(sys_munlock(PAGE(8), 2 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_mlocked(current->mm, 8, 2), 2);
	sys_exit(0);
}

static void locked_fork_body(void *arg)
{
	struct space *s = arg;

	map_fixed(0, 4, RW);
	fill(0, 4);
	EXPECT_EQ(sys_mlock(PAGE(0), 4 * PAGE_SIZE), 0);
	map_fixed(8, 2, RW);
	fill(8, 2);
	EXPECT_EQ(sys_mprotect(PAGE(8), 2 * PAGE_SIZE, VM_READ), 0);
	EXPECT_EQ(sys_mlock(PAGE(8), 2 * PAGE_SIZE), 0);
	EXPECT(sys_clone(0, "child", locked_child, s, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT_EQ(pages_mlocked(s->mm, 0, 4), 4);
	expect_filled(0, 4);
	EXPECT_EQ(sys_munlock(PAGE(0), 4 * PAGE_SIZE), 0);
	EXPECT_EQ(sys_munlock(PAGE(8), 2 * PAGE_SIZE), 0);
	EXPECT_EQ(pages_mlocked(s->mm, 0, 10), 0);
}

Test(mmap, mlock_is_each_process_s_own)
{
	run_together(2, 1, 60, locked_fork_body);
}

/* --- Stack ------------------------------------------------------------------------------------ */

static void grow_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	u64 value;

	map_fixed(1000, 2, RW | VM_GROWSDOWN);
	EXPECT_EQ(user_write(PAGE(997), 5), 0);
	EXPECT_MAP(mm, "997-1002 rw");
	EXPECT_EQ(user_read(PAGE(990), &value), 0);
	EXPECT_EQ(value, 0);
	EXPECT_MAP(mm, "990-1002 rw");
	EXPECT_EQ(this_mm()->committed_pages, 12);
	/* The gap above another mapping. */
	map_fixed(700, 1, VM_READ);
	EXPECT_EQ(user_write(PAGE(701 + (STACK_GUARD_GAP >> PAGE_SHIFT)) - 8, 1), -EFAULT);
	EXPECT_EQ(user_write(PAGE(701 + (STACK_GUARD_GAP >> PAGE_SHIFT)), 1), 0);
	EXPECT_EQ(user_read(PAGE(997), &value), 0);
	EXPECT_EQ(value, 5);
	space_audit(this_vcpu()->machine);
}

Test(mmap, stack_grows_by_access)
{
	run_alone(grow_body);
}

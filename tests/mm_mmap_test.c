// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mmap, munmap, brk, mprotect, mlock, the driver's mappings and user accesses, alone and against
 * each other.
 */
#include "mm_address_space.h"

static void map_fixed(u64 first, u64 nr, u32 flags)
{
	EXPECT_EQ(sys_mmap(PAGE(first), nr * PAGE_SIZE, flags, NULL, 0), PAGE(first));
}

static void unmap(u64 first, u64 nr)
{
	EXPECT_EQ(sys_munmap(PAGE(first), nr * PAGE_SIZE), 0);
}

static void fill(u64 first, u64 nr)
{
	for (u64 i = first; i < first + nr; i++)
		EXPECT_EQ(user_write(PAGE(i), 1000 + i), 0);
}

static void expect_filled(u64 first, u64 nr)
{
	u64 value;

	for (u64 i = first; i < first + nr; i++) {
		EXPECT_EQ(user_read(PAGE(i), &value), 0);
		EXPECT_EQ(value, 1000 + i);
	}
}

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

/* --- The driver's frames ---------------------------------------------------------------------- */

static void device_body(void *arg)
{
	struct space *s = arg;
	struct device_driver *d = s->m->mm->driver;
	u64 free = nr_free_pages(s->m), value, pfn;
	struct device_map *map;
	s64 addr;

	/* The next frames to be handed out were somebody's. */
	map_fixed(0, 20, RW);
	fill(0, 20);
	unmap(0, 20);
	addr = sys_mmap_device(6);
	EXPECT(addr > 0);
	map = vma_lookup(s->mm, (u64)addr)->vm_private;
	pfn = map->pfns[5];
	EXPECT(device_owns_frame(s->m, pfn));
	for (u64 i = 0; i < 6; i++) {
		EXPECT_EQ(user_read((u64)addr + i * PAGE_SIZE, &value), 0);
		EXPECT_EQ(value, 0);
		EXPECT_EQ(user_write((u64)addr + i * PAGE_SIZE, i), 0);
	}
	/* Not counted as anybody's memory. */
	EXPECT_EQ(get_mm_rss(s->mm), 0);
	EXPECT_EQ(this_mm()->committed_pages, 0);
	EXPECT_EQ(sys_madvise_dontneed((u64)addr, PAGE_SIZE), -EINVAL);
	EXPECT_EQ(sys_mlock((u64)addr, 6 * PAGE_SIZE), 0);
	EXPECT_EQ(s->mm->locked_vm, 0);
	/* A hole in the middle: three VMAs' worth of references, the frames stay. */
	EXPECT_EQ(sys_munmap((u64)addr + 2 * PAGE_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(map->refs, 2);
	EXPECT_EQ(map->tracked, 5);
	EXPECT_EQ(d->nr_frames, 6);
	EXPECT_EQ(user_read((u64)addr + 2 * PAGE_SIZE, &value), -EFAULT);
	EXPECT_EQ(user_read((u64)addr + 3 * PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 3);
	space_audit(s->m);
	EXPECT_EQ(sys_mprotect((u64)addr, 2 * PAGE_SIZE, VM_READ), 0);
	EXPECT_EQ(user_write((u64)addr, 1), -EFAULT);
	EXPECT_EQ(sys_munmap((u64)addr, 6 * PAGE_SIZE), 0);
	EXPECT_EQ(d->nr_frames, 0);
	EXPECT(!device_owns_frame(s->m, pfn));
	EXPECT_EQ(nr_free_pages(s->m), free);
	/* Two neighbours stay two, whatever makes them alike: each has its own frames. */
	addr = sys_mmap_device(2);
	EXPECT_EQ(sys_mmap_device(1), addr + 2 * PAGE_SIZE);
	EXPECT_EQ(sys_mprotect((u64)addr, 3 * PAGE_SIZE, VM_READ), 0);
	EXPECT_EQ(sys_mprotect((u64)addr, 3 * PAGE_SIZE, RW), 0);
	EXPECT_EQ(s->mm->nr_vmas, 2);
	EXPECT_EQ(sys_munmap((u64)addr, 3 * PAGE_SIZE), 0);
	/* exit_mmap() closes this one. */
	EXPECT(sys_mmap_device(2) > 0);
}

Test(mmap, device_frames_live_until_the_last_area_closes)
{
	run_alone(device_body);
}

static void device_child(void *arg)
{
	u64 addr = ((struct space *)arg)->shared[0], value;

	EXPECT_EQ(user_read(addr + PAGE_SIZE, &value), 0);
	EXPECT_EQ(value, 7);
	EXPECT_EQ(sys_munmap(addr, PAGE_SIZE), 0);
	EXPECT_EQ(user_write(addr + PAGE_SIZE, 8), 0);
	sys_exit(0);
}

/* fork and split open more areas on the driver's frames; whoever is last frees them. */
static void device_fork_body(void *arg)
{
	struct space *s = arg;
	struct device_driver *d = s->m->mm->driver;
	u64 addr = (u64)sys_mmap_device(3), value;

	s->shared[0] = addr;
	EXPECT_EQ(user_write(addr + PAGE_SIZE, 7), 0);
	EXPECT(sys_clone(0, "child", device_child, s, NULL) > 0);
	if (s->test->seed % 2) {
		EXPECT(sys_wait(NULL) > 0);
		EXPECT_EQ(user_read(addr + PAGE_SIZE, &value), 0);
		EXPECT_EQ(value, 8);
		EXPECT_EQ(d->nr_frames, 3);
		EXPECT_EQ(sys_munmap(addr, 3 * PAGE_SIZE), 0);
	} else {
		EXPECT_EQ(sys_munmap(addr, 3 * PAGE_SIZE), 0);
		EXPECT(sys_wait(NULL) > 0);
	}
	EXPECT_EQ(d->nr_frames, 0);
}

Test(mmap, device_frames_are_freed_by_parent_or_child)
{
	run_together(2, 1, 60, device_fork_body);
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

/* Takes one page more each time: sooner or later there are frames, and no page for a page table. */
static void device_oom_body(void *arg)
{
	struct space *s = arg;
	u64 nr = s->m->mm->nr_pages, mapped = 0, failed = 0;

	map_fixed(0, nr, RW);
	for (u64 i = 0; i < nr && !user_write(PAGE(i), i); i++) {
		s64 addr = sys_mmap_device(4);

		if (addr > 0) {
			mapped++;
			EXPECT_EQ(sys_munmap((u64)addr, 4 * PAGE_SIZE), 0);
		} else {
			EXPECT_EQ(addr, -ENOMEM);
			failed++;
		}
		EXPECT_EQ(s->mm->nr_vmas, 1);
		EXPECT_EQ(s->m->mm->driver->nr_frames, 0);
	}
	/* Three page tables, four frames. */
	EXPECT(mapped && failed >= 7);
	space_audit(s->m);
}

Test(mmap, device_without_memory_leaves_nothing_behind)
{
	struct space_test test = {
		.nr_vcpus = 1, .nr_tasks = 1, .nr_pages = 64, .body = device_oom_body};

	test.executor = EXECUTOR_THREADS;
	cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
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

/* --- Against each other ----------------------------------------------------------------------- */

/* Two tasks unmap and map the same pages, two use them: an access works or faults, and nothing
 * else. */
static void map_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 3 : 400;
	u64 value;

	for (u32 i = 0; i < rounds; i++) {
		u64 page = random_below(&current->rng, 6);
		int err;

		if (task < 2) {
			map_fixed(page, 1 + random_below(&current->rng, 3), RW);
			unmap(random_below(&current->rng, 6), 1 + random_below(&current->rng, 3));
		} else {
			err = user_write(PAGE(page), i);
			EXPECT(!err || err == -EFAULT);
			err = user_read(PAGE(page), &value);
			EXPECT(!err || err == -EFAULT);
		}
		EXPECT(!return_to_user());
	}
}

Test(mmap, unmapping_races_with_accesses)
{
	run_together(3, 4, 150, map_race_body);
}

/* Permissions and locks change under accesses; the contents must not. */
static void protect_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 3 : 400;
	u64 value, last = 0;

	if (task == 0)
		map_fixed(0, 8, RW);
	for (u32 i = 1; i <= rounds; i++) {
		u64 first = random_below(&current->rng, 6), nr = 1 + random_below(&current->rng, 2);
		int err;

		if (task == 0) {
			EXPECT_EQ(sys_mprotect(PAGE(first), nr * PAGE_SIZE, VM_READ), 0);
			EXPECT_EQ(sys_mprotect(PAGE(first), nr * PAGE_SIZE, RW), 0);
		} else if (task == 1) {
			(void)sys_mlock(PAGE(first), nr * PAGE_SIZE);
			(void)sys_munlock(PAGE(first), nr * PAGE_SIZE);
		} else {
			/* Each writer has its word of page 0, and remembers what it wrote. */
			err = user_read(PAGE(0) + task * 8 % 32, &value);
			EXPECT(!err || err == -EFAULT);
			if (!err)
				EXPECT_EQ(value, last);
			err = user_write(PAGE(0) + task * 8 % 32, i);
			EXPECT(!err || err == -EFAULT);
			if (!err)
				last = i;
		}
		EXPECT(!return_to_user());
	}
}

Test(mmap, mprotect_and_mlock_race_with_accesses)
{
	run_together(3, 4, 150, protect_race_body);
}

/* The driver's frames are freed while others have just used them. */
static void device_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 3 : 400;
	u64 value, addr;

	for (u32 i = 0; i < rounds; i++) {
		if (task == 0) {
			s64 mapped = sys_mmap_device(3);

			EXPECT(mapped > 0);
			WRITE_ONCE(s->shared[0], (u64)mapped);
			EXPECT_EQ(user_write((u64)mapped, 1), 0);
			EXPECT_EQ(sys_munmap((u64)mapped, PAGE_SIZE), 0);
			EXPECT_EQ(sys_munmap((u64)mapped + PAGE_SIZE, 2 * PAGE_SIZE), 0);
		} else {
			int err;

			addr = READ_ONCE(s->shared[0]) + (i % 3) * PAGE_SIZE;
			err = user_write(addr, i);
			EXPECT(!err || err == -EFAULT);
			err = user_read(addr, &value);
			EXPECT(!err || err == -EFAULT);
		}
		EXPECT(!return_to_user());
	}
}

Test(mmap, device_unmapping_races_with_accesses)
{
	run_together(2, 3, 150, device_race_body);
}

/* Two tasks grow one stack, one unmaps from it. */
static void stack_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 4 : 100;

	if (task == 0)
		map_fixed(2000, 1, RW | VM_GROWSDOWN);
	for (u32 i = 1; i <= rounds; i++) {
		u64 page = 2000 - 2 * i - task;
		int err = user_write(PAGE(page), page);

		EXPECT(!err || err == -EFAULT);
		if (task == 2)
			unmap(page + 1, 1);
		EXPECT(!return_to_user());
	}
}

Test(mmap, a_stack_grows_on_several_cpus)
{
	run_together(2, 3, 150, stack_race_body);
}

/* File mappings are split, merged and locked while the file is written back and truncated. */
static void file_race_body(void *arg)
{
	struct space *s = arg;
	u32 task = space_task(s), rounds = exploring() ? 2 : 100;
	struct file *file = file_open(s->inode);
	u64 base = 100 * task, value;

	EXPECT(file);
	for (u32 i = 0; i < rounds; i++) {
		int err;

		if (task == 0) {
			writeback_range(s->inode, 0, FILE_PAGES);
			EXPECT_EQ(vmtruncate(s->inode, 2), 0);
			EXPECT_EQ(vmtruncate(s->inode, FILE_PAGES), 0);
			continue;
		}
		EXPECT_EQ(sys_mmap(PAGE(base), 6 * PAGE_SIZE, RW | VM_SHARED, file, 0), PAGE(base));
		for (u32 p = 0; p < 6; p++) {
			err = user_write(PAGE(base + p), p);
			EXPECT(!err || err == -EIO);
		}
		EXPECT_EQ(sys_mprotect(PAGE(base + 2), 2 * PAGE_SIZE, VM_READ), 0);
		err = user_read(PAGE(base + 3), &value);
		EXPECT(!err || err == -EIO);
		err = sys_mlock(PAGE(base), 2 * PAGE_SIZE);
		EXPECT(!err || err == -ENOMEM);
		EXPECT_EQ(sys_mprotect(PAGE(base + 1), 4 * PAGE_SIZE, RW), 0);
		unmap(base + 5, 1);
		unmap(base, 5);
		EXPECT(!return_to_user());
	}
	fput(file);
}

Test(mmap, file_areas_change_under_writeback_and_truncation)
{
	run_together(2, 3, 40, file_race_body);
}

static void shared_pages_child(void *arg)
{
	u32 rounds = exploring() ? 2 : 100;

	(void)arg;
	for (u32 i = 0; i < rounds; i++) {
		EXPECT_EQ(sys_mprotect(PAGE(2), 3 * PAGE_SIZE, RW), 0);
		EXPECT_EQ(sys_mlock(PAGE(1), 2 * PAGE_SIZE), 0);
		EXPECT_EQ(sys_mprotect(PAGE(2), 3 * PAGE_SIZE, VM_READ), 0);
		EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
		unmap(5, 1);
		map_fixed(5, 1, RW);
		fill(5, 1);
		EXPECT_EQ(sys_mprotect(PAGE(5), PAGE_SIZE, VM_READ), 0);
	}
	expect_filled(0, 6);
	sys_exit(0);
}

/* A child's areas are split, merged and unmapped while its parent munlocks pages that both have,
 * for which it looks at the child's areas. */
static void shared_pages_body(void *arg)
{
	struct space *s = arg;
	u32 rounds = exploring() ? 2 : 200;

	map_fixed(0, 6, RW);
	fill(0, 6);
	EXPECT_EQ(sys_mprotect(PAGE(0), 6 * PAGE_SIZE, VM_READ), 0);
	EXPECT(sys_clone(0, "child", shared_pages_child, s, NULL) > 0);
	for (u32 i = 0; i < rounds; i++) {
		EXPECT_EQ(sys_mlock(PAGE(0), 6 * PAGE_SIZE), 0);
		EXPECT_EQ(sys_munlock(PAGE(0), 6 * PAGE_SIZE), 0);
	}
	EXPECT(sys_wait(NULL) > 0);
	expect_filled(0, 6);
}

Test(mmap, reverse_mapping_looks_at_areas_that_change)
{
	run_together(2, 1, 100, shared_pages_body);
}

/* --- Planted -------------------------------------------------------------------------------- */

/* One task writes, the other takes the permission away. */
static void no_flush_body(void *arg)
{
	struct space *s = arg;

	if (space_task(s) == 0) {
		map_fixed(0, 1, RW);
		fill(0, 1);
		WRITE_ONCE(s->shared[0], 1);
		EXPECT_EQ(sys_mprotect(PAGE(0), PAGE_SIZE, VM_READ), 0);
	} else {
		for (u32 i = 0; i < 12; i++)
			(void)user_write(PAGE(0), i);
	}
}

Test(mmap, mprotect_without_flush_is_found)
{
	struct space_test test = {
		.nr_vcpus = 2, .nr_tasks = 2, .body = no_flush_body, .executor = EXECUTOR_EXPLORE};
	u32 found = 0;

	for (test.seed = 1; test.seed <= 200; test.seed++) {
		struct violation seen;

		test.knob_on = false;
		cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
		test.knob = KNOB_MPROTECT_NO_FLUSH;
		test.knob_on = true;
		if (run_space(&test, &seen) == MACHINE_VIOLATION) {
			cr_assert_str_eq(seen.invariant->slug, "tlb-exceeds-pagetable", "%s",
					 seen.message);
			found++;
		}
	}
	cr_assert_gt(found, 0);
}

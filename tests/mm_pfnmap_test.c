// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's frames in address spaces: their life, forks, want of memory, and unmapping against
 * accesses.
 */
#include "mm_address_space.h"

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

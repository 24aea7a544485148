// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * High-water marks: of what has been unmapped, of an mm that exec has left, of a child that has
 * exited, and of its children.
 */
#include "mm_life_seeds.h"

#include "mm/rusage.h"

#define SEEDS 50
/* Of these up to TASK_RSS_EVENTS_THRESH and one are counted in the task alone while they are there.
 */
#define PAGES (3ull * TASK_RSS_EVENTS_THRESH)
#define MARK (PAGES - TASK_RSS_EVENTS_THRESH - 1)

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = 512, .seed = 1};

static void use_memory(void)
{
	s64 addr = sys_mmap(0, PAGES << PAGE_SHIFT, VM_READ | VM_WRITE, NULL, 0);

	EXPECT(addr > 0);
	for (u64 i = 0; i < PAGES; i++)
		EXPECT(user_write((u64)addr + (i << PAGE_SHIFT), 1) == 0);
	EXPECT(sys_munmap((u64)addr, PAGES << PAGE_SHIFT) == 0);
}

static void grandchild(void *arg)
{
	(void)arg;
	use_memory();
	sys_exit(0);
}

static void child(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_clone(0, "child", grandchild, l, NULL) > 0);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_CHILDREN) == 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_SELF) < MARK);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_CHILDREN) >= MARK);
	sys_exit(0);
}

static void marks(void *arg)
{
	struct life *l = arg;
	u64 before;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_clone(0, "child", child, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_CHILDREN) >= MARK);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_SELF) < MARK);
	use_memory();
	before = sys_getrusage_maxrss(RUSAGE_OF_SELF);
	EXPECT(before >= MARK);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_getrusage_maxrss(RUSAGE_OF_SELF) >= before);
	EXPECT(get_mm_hiwater_rss(current->mm) < MARK);
	sys_exit(0);
}

Test(mm_rusage, marks_outlive_the_mm_and_the_child)
{
	life_clean(&two_cpus, marks, SEEDS);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asynchronous requests: pages and address spaces that stay until the last one is done (seed_path
 * B1).
 */
#include "mm_life_seeds.h"

#include "mm/aio.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10
#define MARK 0x6d61726bULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

/* On one CPU a request begins when its program gives way. */
static const struct life_config one_cpu = {.nr_vcpus = 1, .nr_pages = SMALL_PAGES};

static void run_both(void (*entry)(void *))
{
	life_explore(&small, 1, entry, 1);
	life_threads(&small, 1, entry, THREADED_RUNS);
}

static void submits(void *arg)
{
	struct life *l = arg;
	u64 va, v;

	EXPECT(sys_execve(&l->image) == 0);
	va = current->mm->end_data;
	/* Nothing is there yet; then the zero page, which nobody counts. */
	EXPECT(sys_io_submit(va) == -EFAULT);
	EXPECT(user_read(va, &v) == 0 && sys_io_submit(va) == -EFAULT);
	EXPECT(sys_io_submit(TASK_SIZE - PAGE_SIZE) == -EFAULT);
	EXPECT(user_write(va, MARK) == 0 && sys_io_submit(va) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_aio_submit) == 1);
	EXPECT(user_read(va, &v) == 0 && v == MARK);
	/* The old address space goes when the request is done. */
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(vmstat_sum(l->m, VMSTAT_aio_complete) == 1);
	EXPECT(life_cache_in_use(l->m, "kioctx") == 0);
	EXPECT(life_cache_in_use(l->m, "aio_request") == 0);
	sys_exit(0);
}

Test(mm_aio, the_end_of_an_mm_waits_for_its_requests)
{
	run_both(submits);
	life_explore(&small, 1, submits, SEEDS);
}

static void zaps_what_is_under_way(void *arg)
{
	struct life *l = arg;
	u64 va;

	EXPECT(sys_execve(&l->image) == 0);
	va = current->mm->end_data;
	for (u32 i = 0; i < 2; i++) {
		EXPECT(user_write(va, MARK) == 0 && sys_io_submit(va) == 0);
		EXPECT(sys_madvise_dontneed(va, PAGE_SIZE) == 0);
	}
	sys_exit(0);
}

Test(mm_aio, a_page_stays_until_its_request_is_done)
{
	run_both(zaps_what_is_under_way);
	life_explore(&small, 1, zaps_what_is_under_way, SEEDS);
}

static void thread(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_io_submit(current->mm->end_data) == 0);
	atomic_inc(&l->count);
	sys_exit(0);
}

static void threads_submit(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, MARK) == 0);
	for (u32 i = 0; i < 2; i++)
		EXPECT(sys_clone(CLONE_VM, "thread", thread, l, NULL) > 0);
	sys_exit(0);
}

Test(mm_aio, threads_share_one_context)
{
	run_both(threads_submit);
	life_explore(&small, 1, threads_submit, SEEDS);
}

Test(mm_aio, what_does_not_wait_or_pin_is_found)
{
	cr_expect_neq(life_finds(&one_cpu, KNOB_AIO_EXIT_NO_WAIT, 1, submits, SEEDS,
				 "aio-after-exit mm-use-after-free"),
		      0);
	cr_expect_neq(life_finds(&one_cpu, KNOB_AIO_NOT_PINNED, 1, zaps_what_is_under_way, SEEDS,
				 "aio-page-freed"),
		      0);
}

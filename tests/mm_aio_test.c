// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asynchronous requests: pages and address spaces that stay until the last one is done (seed_path
 * B1).
 */
#include "mm_life_machine.h"

#include "mm/aio.h"

#define SEEDS 300
#define SMALL_PAGES 128
/* Few: on a busy host who waits for a turn waits long. */
#define THREADED_RUNS 10
#define MARK 0x6d61726bULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static void run_both(void (*entry)(void *))
{
	struct life l = {0};

	life_create(&l, &small);
	life_task(&l, 0, entry);
	expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	for (u32 i = 0; i < THREADED_RUNS; i++) {
		life_again(&l, &small);
		life_task(&l, 0, entry);
		expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	}
	life_destroy(&l);
}

/* The seed that found one of @slugs; 0: all were clean. */
static u64 explore_seeds(u32 knob, const char *slugs, void (*entry)(void *))
{
	struct life_config config = small;
	struct life l = {0};
	u64 found = 0;

	config.knob = knob;
	/* On one CPU a request begins when its program gives way. */
	config.nr_vcpus = knob ? 1 : small.nr_vcpus;
	for (u64 seed = 1; seed <= SEEDS && !found; seed++) {
		enum machine_end end;

		config.seed = seed;
		if (seed == 1)
			life_create(&l, &config);
		else
			life_again(&l, &config);
		life_task(&l, 0, entry);
		end = life_run(&l, EXECUTOR_EXPLORE);
		if (!slugs) {
			expect_clean(&l, end);
		} else if (end == MACHINE_VIOLATION) {
			cr_assert_not_null(strstr(slugs, life_slug(&l)), "seed %llu: %s: %s",
					   (unsigned long long)seed, life_slug(&l),
					   l.m->violations.first.message);
			found = seed;
		}
	}
	life_destroy(&l);
	return found;
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
	cr_assert_eq(explore_seeds(0, NULL, submits), 0);
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
	cr_assert_eq(explore_seeds(0, NULL, zaps_what_is_under_way), 0);
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
	cr_assert_eq(explore_seeds(0, NULL, threads_submit), 0);
}

Test(mm_aio, what_does_not_wait_or_pin_is_found)
{
	cr_expect_neq(
		explore_seeds(KNOB_AIO_EXIT_NO_WAIT, "aio-after-exit mm-use-after-free", submits),
		0);
	cr_expect_neq(explore_seeds(KNOB_AIO_NOT_PINNED, "aio-page-freed", zaps_what_is_under_way),
		      0);
}

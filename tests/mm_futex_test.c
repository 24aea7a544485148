// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Words of user memory that tasks wait for; and the one that a thread leaves cleared for who joins
 * it, however it ends.
 */
#include "mm_life_seeds.h"

#include "mm/futex.h"
#include "smp/signal.h"

#define SEEDS 150
/* Many times what the bug needed. */
#define BUG_SEEDS 20000

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = 192, .seed = 1};

#define WORD(i) (current->mm->end_data + (i) * sizeof(u64))

static void changes_the_words(void *arg)
{
	(void)arg;
	/* The neighbour is in another bucket, the fourth next in the same: neither is woken. */
	for (u32 i = 0; i < 2; i++)
		EXPECT(sys_futex_wake(WORD(1 + 3 * i), 9) == 0);
	EXPECT(user_write(WORD(0), 2) == 0);
	(void)sys_futex_wake(WORD(0), 1);
	sys_exit(0);
}

static void waits_for_a_word(void *arg)
{
	struct life *l = arg;
	u64 v;
	int err;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_futex_wake(WORD(0), 1) == 0);
	EXPECT(user_write(WORD(0), 1) == 0);
	EXPECT(sys_futex_wait(WORD(0), 7) == -EAGAIN);
	EXPECT(sys_futex_wait(8, 7) == -EFAULT);
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", changes_the_words, l, NULL) > 0);
	err = sys_futex_wait(WORD(0), 1);
	EXPECT(!err || err == -EAGAIN);
	EXPECT(user_read(WORD(0), &v) == 0 && v == 2);
	sys_exit(0);
}

Test(mm_futex, a_change_is_heard_of)
{
	life_clean(&two_cpus, waits_for_a_word, SEEDS);
}

static void is_joined(void *arg)
{
	(void)arg;
	EXPECT(sys_set_tid_address(WORD(0)) == current->pid);
	EXPECT(user_write(WORD(1), 0) == 0);
	sys_exit(0);
}

static void joins(void *arg)
{
	struct life *l = arg;
	u64 v = 1;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(WORD(0), 1) == 0);
	EXPECT(sys_clone(CLONE_A_THREAD, "thread", is_joined, l, NULL) > 0);
	(void)sys_futex_wait(WORD(0), 1);
	EXPECT(user_read(WORD(0), &v) == 0 && v == 0);
	sys_exit(0);
}

Test(mm_futex, a_thread_is_joined)
{
	life_clean(&two_cpus, joins, SEEDS);
}

static void joins_blindly(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(WORD(0), 1) == 0);
	/* Several times: the window is narrow. */
	for (u32 i = 0; i < 3; i++) {
		EXPECT(user_write(WORD(0), 1) == 0);
		EXPECT(sys_clone(CLONE_A_THREAD, "thread", is_joined, l, NULL) > 0);
		EXPECT(user_write(WORD(2), 0) == 0);
		(void)sys_futex_wait(WORD(0), 1);
	}
	sys_exit(0);
}

Test(mm_futex, waking_before_the_word_is_cleared_is_found)
{
	life_found(&two_cpus, KNOB_CLEAR_TID_WAKES_FIRST, joins_blindly, BUG_SEEDS, "deadlock");
}

static void waits_for_ever(void *arg)
{
	struct life *l = arg;

	EXPECT(user_write(WORD(0), 1) == 0);
	WRITE_ONCE(l->count, 1);
	EXPECT(sys_futex_wait(WORD(0), 1) == -EINTR);
	sys_exit(0);
}

static void kills_who_waits(void *arg)
{
	struct life *l = arg;
	u32 code = 0;
	s64 pid;

	WRITE_ONCE(l->count, 0);
	EXPECT(sys_execve(&l->image) == 0);
	pid = sys_clone(0, "waiter", waits_for_ever, l, NULL);
	EXPECT(pid > 0);
	while (!READ_ONCE(l->count))
		yield();
	EXPECT(sys_kill((u32)pid) == 0);
	EXPECT(sys_wait(&code) == pid && code == SIGKILL_NUMBER);
	sys_exit(0);
}

Test(mm_futex, sigkill_ends_the_wait)
{
	life_clean(&two_cpus, kills_who_waits, SEEDS);
}

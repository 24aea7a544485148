// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wait queues and completions. A wait queue's lock may be taken in interrupts (RCU callbacks and
 * IPI handlers complete things), so it is always taken with interrupts off.
 */
#ifndef SMP_WAIT_H
#define SMP_WAIT_H

#include <urcu/list.h>

#include "smp/sched.h"

struct wait_queue_head {
	spinlock_t lock;
	struct cds_list_head waiters;
};

struct wait_queue_entry {
	struct task_struct *task;
	struct cds_list_head node; /* queued while task is set */
};

void init_waitqueue_head(struct wait_queue_head *q);

/* Queues the caller (once) and sets its state; the condition must be checked after this. */
void prepare_to_wait(struct wait_queue_head *q, struct wait_queue_entry *e, enum task_state state);
void finish_wait(struct wait_queue_head *q, struct wait_queue_entry *e);

/* Wakes everybody, or the one that has waited longest. A waiter that has just found its condition
 * true by itself may be that one: who takes one of several things from a queue wakes the next if
 * more are left. */
void wake_up_all(struct wait_queue_head *q);
void wake_up_one(struct wait_queue_head *q);

#define wait_event(q, condition)                                                                   \
	do {                                                                                       \
		struct wait_queue_entry _we_e = {.task = NULL};                                    \
		might_sleep();                                                                     \
		for (;;) {                                                                         \
			prepare_to_wait((q), &_we_e, TASK_UNINTERRUPTIBLE);                        \
			if (condition)                                                             \
				break;                                                             \
			schedule();                                                                \
		}                                                                                  \
		finish_wait((q), &_we_e);                                                          \
	} while (0)

/* The same, but SIGKILL ends it (smp/signal.h). */
#define wait_event_killable(q, condition)                                                          \
	do {                                                                                       \
		struct wait_queue_entry _we_e = {.task = NULL};                                    \
		might_sleep();                                                                     \
		for (;;) {                                                                         \
			prepare_to_wait((q), &_we_e, TASK_KILLABLE);                               \
			if ((condition) || fatal_signal_pending(current))                          \
				break;                                                             \
			schedule();                                                                \
		}                                                                                  \
		finish_wait((q), &_we_e);                                                          \
	} while (0)

struct completion {
	u32 done; /* under wait.lock */
	struct wait_queue_head wait;
};

void init_completion(struct completion *c);
void wait_for_completion(struct completion *c);
/* The same, but SIGKILL ends it: 0, or -EINTR without having been let through. */
int wait_for_completion_killable(struct completion *c);
bool completion_done(struct completion *c);

/* Lets one waiter through, now or later. After it the completion may be gone. */
void complete(struct completion *c);
/* Lets everybody through from now on. */
void complete_all(struct completion *c);

#endif

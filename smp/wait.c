// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/wait.h"

#include <errno.h>

#include "smp/signal.h"

void init_waitqueue_head(struct wait_queue_head *q)
{
	spin_lock_init(&q->lock, LOCK_CLASS_wait_queue);
	CDS_INIT_LIST_HEAD(&q->waiters);
}

void prepare_to_wait(struct wait_queue_head *q, struct wait_queue_entry *e, enum task_state state)
{
	u32 flags = spin_lock_irqsave(&q->lock);

	if (!e->task) {
		e->task = current;
		cds_list_add_tail(&e->node, &q->waiters);
	}
	set_current_state(state);
	spin_unlock_irqrestore(&q->lock, flags);
}

void finish_wait(struct wait_queue_head *q, struct wait_queue_entry *e)
{
	u32 flags;

	__set_current_state(TASK_RUNNING);
	flags = spin_lock_irqsave(&q->lock);
	if (e->task) {
		cds_list_del(&e->node);
		e->task = NULL;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void wake_up_all(struct wait_queue_head *q)
{
	struct wait_queue_entry *e;
	u32 flags = spin_lock_irqsave(&q->lock);

	cds_list_for_each_entry(e, &q->waiters, node)
		wake_up_process(e->task);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wake_up_one(struct wait_queue_head *q)
{
	struct wait_queue_entry *e;
	u32 flags = spin_lock_irqsave(&q->lock);

	cds_list_for_each_entry(e, &q->waiters, node) {
		if (wake_up_process(e->task))
			break;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void init_completion(struct completion *c)
{
	c->done = 0;
	init_waitqueue_head(&c->wait);
}

/*
 * done is read and written under wait.lock only, also by the waiter's last look: complete() has let
 * go of the lock when wait_for_completion() returns, so the completion may live on the waiter's
 * stack. A killable waiter has to see to it itself that nobody completes it later.
 */
static int wait_for_common(struct completion *c, enum task_state state)
{
	struct wait_queue_entry e = {.task = NULL};
	int err = 0;
	u32 flags;

	might_sleep();
	flags = spin_lock_irqsave(&c->wait.lock);
	while (!c->done) {
		if (!e.task) {
			e.task = current;
			cds_list_add_tail(&e.node, &c->wait.waiters);
		}
		set_current_state(state);
		if (state == TASK_KILLABLE && fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		spin_unlock_irqrestore(&c->wait.lock, flags);
		schedule();
		flags = spin_lock_irqsave(&c->wait.lock);
	}
	if (e.task)
		cds_list_del(&e.node);
	if (!err && c->done != ~0u)
		c->done--;
	__set_current_state(TASK_RUNNING);
	spin_unlock_irqrestore(&c->wait.lock, flags);
	return err;
}

void wait_for_completion(struct completion *c)
{
	(void)wait_for_common(c, TASK_UNINTERRUPTIBLE);
}

int wait_for_completion_killable(struct completion *c)
{
	return wait_for_common(c, TASK_KILLABLE);
}

bool completion_done(struct completion *c)
{
	u32 flags = spin_lock_irqsave(&c->wait.lock);
	bool done = c->done != 0;

	spin_unlock_irqrestore(&c->wait.lock, flags);
	return done;
}

static void complete_with(struct completion *c, bool all)
{
	struct wait_queue_entry *e;
	u32 flags = spin_lock_irqsave(&c->wait.lock);

	if (all)
		c->done = ~0u;
	else if (c->done != ~0u)
		c->done++;
	cds_list_for_each_entry(e, &c->wait.waiters, node) {
		if (wake_up_process(e->task) && !all)
			break;
	}
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

void complete(struct completion *c)
{
	complete_with(c, false);
}

void complete_all(struct completion *c)
{
	complete_with(c, true);
}

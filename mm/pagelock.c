// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/pagelock.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/file_private.h"
#include "smp/sched.h"

INVARIANT(inv_page_bit, "page-lock-state",
	  "PG_locked and PG_writeback are cleared by who has set them, once");

/* Queues for each vCPU, so that tasks that sleep for different pages rarely meet; v3.14 has 256 to
 * 4096 a zone (PAGES_PER_WAITQUEUE 256). */
#define PAGE_WAIT_QUEUES_PER_VCPU 4
#define PAGE_WAIT_QUEUES_MIN 8
#define PAGE_WAIT_QUEUES_MAX 1024

struct page_wait_queue {
	spinlock_t lock; /* irq-safe, as all wait queues */
	u32 nr;		 /* waiters; atomic; written under lock */
	struct cds_list_head waiters;
} __line_aligned;

struct page_waiter {
	struct task_struct *task;
	const struct page *page;
	enum page_flag flag;
	struct cds_list_head node;
};

int page_wait_setup(struct machine *m, struct page_wait_table *t)
{
	u32 nr = PAGE_WAIT_QUEUES_MIN;

	while (nr < m->nr_vcpus * PAGE_WAIT_QUEUES_PER_VCPU && nr < PAGE_WAIT_QUEUES_MAX)
		nr *= 2;
	t->queues = arena_alloc_dirty(&m->arena, nr * sizeof(*t->queues), CACHE_LINE);
	if (!t->queues)
		return -ENOMEM;
	t->mask = nr - 1;
	for (u32 i = 0; i < nr; i++) {
		spin_lock_init(&t->queues[i].lock, LOCK_CLASS_wait_queue);
		init_once(t->queues[i].nr, 0);
		CDS_INIT_LIST_HEAD(&t->queues[i].waiters);
	}
	return 0;
}

static struct page_wait_queue *page_waitqueue(const struct page *p)
{
	const struct page_wait_table *t = &this_mm()->files->page_wait;

	return &t->queues[page_to_pfn(p) & t->mask];
}

static void wait_enqueue(struct page_wait_queue *q, struct page_waiter *w)
{
	u32 flags = spin_lock_irqsave(&q->lock);

	cds_list_add_tail(&w->node, &q->waiters);
	atomic_inc(&q->nr); /* (A) */
	spin_unlock_irqrestore(&q->lock, flags);
}

static void wait_dequeue(struct page_wait_queue *q, struct page_waiter *w)
{
	u32 flags = spin_lock_irqsave(&q->lock);

	cds_list_del(&w->node);
	atomic_dec(&q->nr);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* The bit has just been cleared (B): wakes the first that wants to set it, or all that wait for its
 * clearing. A waiter stays queued until it has what it wants, so its task_struct is there. */
static void page_wake(struct page *p, enum page_flag flag)
{
	struct page_wait_queue *q = page_waitqueue(p);
	struct page_waiter *w;
	u32 flags;

	if (likely(!READ_ONCE(q->nr)))
		return;
	flags = spin_lock_irqsave(&q->lock);
	cds_list_for_each_entry(w, &q->waiters, node) {
		if (w->page != p || w->flag != flag)
			continue;
		wake_up_process(w->task);
		if (flag == PG_locked)
			break;
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Sleeps until PG_locked could be set, or another bit is found clear. */
static __noinline void page_wait(struct page *p, enum page_flag flag)
{
	struct page_wait_queue *q = page_waitqueue(p);
	struct page_waiter w = {.task = current, .page = p, .flag = flag};

	wait_enqueue(q, &w);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE); /* (A) */
		if (flag == PG_locked ? !page_flag_test_set(p, PG_locked) : !page_flag(p, flag))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	wait_dequeue(q, &w);
}

void lock_page(struct page *p)
{
	might_sleep();
	lockdep_acquire(LOCK_CLASS_page_lock);
	if (unlikely(page_flag_test_set(p, PG_locked)))
		page_wait(p, PG_locked);
}

bool trylock_page(struct page *p)
{
	/* Two page locks at a time are a mistake even where neither is waited for: there is no
	 * order among pages. Reported by the class being held already. */
	if (unlikely(current->held_locks & (1ULL << LOCK_CLASS_page_lock)))
		lockdep_acquire(LOCK_CLASS_page_lock);
	if (page_flag_test_set(p, PG_locked))
		return false;
	lockdep_acquire_try(LOCK_CLASS_page_lock);
	return true;
}

void unlock_page(struct page *p)
{
	lockdep_release(LOCK_CLASS_page_lock);
	if (unlikely(!page_flag_test_clear(p, PG_locked)))
		VIOLATION(&inv_page_bit, "pfn %llu is unlocked: expected PG_locked, flags are %#x",
			  (unsigned long long)page_to_pfn(p), READ_ONCE(p->flags));
	page_wake(p, PG_locked);
}

void set_page_writeback(struct page *p)
{
	lockdep_assert_held(LOCK_CLASS_page_lock);
	if (unlikely(page_flag_test_set(p, PG_writeback)))
		VIOLATION(&inv_page_bit, "pfn %llu goes under writeback twice, flags are %#x",
			  (unsigned long long)page_to_pfn(p), READ_ONCE(p->flags));
}

void end_page_writeback(struct page *p)
{
	if (unlikely(!page_flag_test_clear(p, PG_writeback)))
		VIOLATION(&inv_page_bit,
			  "writeback of pfn %llu ends: expected PG_writeback, flags are %#x",
			  (unsigned long long)page_to_pfn(p), READ_ONCE(p->flags));
	page_wake(p, PG_writeback);
}

void wait_on_page_writeback(struct page *p)
{
	might_sleep();
	if (page_flag(p, PG_writeback))
		page_wait(p, PG_writeback);
}

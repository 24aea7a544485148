// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/futex.h"

#include <errno.h>

#include "mm/mm_machine.h"
#include "mm/mm_types.h"
#include "mm/syscalls.h"
#include "smp/sched.h"
#include "smp/signal.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_futex_wait, 442, EVENT_SYNC, "futex_wait", "pid %llu at %#llx");
EVENT_DESC(ev_futex_wake, 443, EVENT_SYNC, "futex_wake", "pid %llu at %#llx");

/* A few: collisions are to happen. */
#define FUTEX_BUCKETS 4

struct futex_bucket {
	spinlock_t lock;
	struct cds_list_head waiters; /* futex_q.node, who came first first */
};

struct futex_table {
	struct futex_bucket bucket[FUTEX_BUCKETS];
};

/* A waiter, on its stack. */
struct futex_q {
	struct cds_list_head node; /* queued until it is woken */
	struct task_struct *task;
	const struct mm_struct *mm;
	u64 va;
	u32 woken; /* atomic */
};

int futex_setup(struct machine *m)
{
	struct futex_table *t = arena_alloc(&m->arena, sizeof(*t), CACHE_LINE);

	if (!t)
		return -ENOMEM;
	for (u32 i = 0; i < FUTEX_BUCKETS; i++) {
		spin_lock_init(&t->bucket[i].lock, LOCK_CLASS_futex_hash);
		CDS_INIT_LIST_HEAD(&t->bucket[i].waiters);
	}
	m->mm->futexes = t;
	return 0;
}

static struct futex_bucket *hash_futex(const struct mm_struct *mm, u64 va)
{
	return &this_mm()->futexes->bucket[(mm->context.id + va / sizeof(u64)) % FUTEX_BUCKETS];
}

/* Has it been woken? If not it is queued no more. */
static bool unqueue_me(struct futex_bucket *hb, struct futex_q *q)
{
	bool woken;

	spin_lock(&hb->lock);
	woken = q->woken;
	if (!woken)
		cds_list_del(&q->node);
	spin_unlock(&hb->lock);
	return woken;
}

static void futex_wait_queue_me(struct futex_q *q)
{
	for (;;) {
		set_current_state(TASK_KILLABLE);
		if (smp_load_acquire(&q->woken) || fatal_signal_pending(q->task))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

int sys_futex_wait(u64 va, u64 val)
{
	struct task_struct *t = current;
	struct futex_q q = {.task = t, .mm = t->mm, .va = va};
	struct futex_bucket *hb = hash_futex(q.mm, va);
	u64 now;
	int err;

	t->in_syscall = "futex_wait";
	event_record(&ev_futex_wait, t->pid, va);
	spin_lock(&hb->lock);
	cds_list_add_tail(&q.node, &hb->waiters);
	spin_unlock(&hb->lock);
	err = user_read(va, &now);
	if (!err && now != val)
		err = -EAGAIN;
	if (!err) {
		count_vm_event(VMSTAT_futex_wait);
		futex_wait_queue_me(&q);
		err = -EINTR;
	}
	if (unqueue_me(hb, &q))
		err = 0;
	t->in_syscall = NULL;
	return err;
}

/* The first waiter at @va, off the list, with a reference on its task; NULL: none. */
static struct task_struct *take_waiter(struct futex_bucket *hb, const struct mm_struct *mm, u64 va)
{
	struct task_struct *task = NULL;
	struct futex_q *q;

	spin_lock(&hb->lock);
	cds_list_for_each_entry(q, &hb->waiters, node) {
		if (q->mm != mm || q->va != va)
			continue;
		task = q->task;
		get_task_struct(task);
		cds_list_del(&q->node);
		/* After this the waiter may return: q is gone. */
		smp_store_release(&q->woken, 1);
		break;
	}
	spin_unlock(&hb->lock);
	return task;
}

u32 sys_futex_wake(u64 va, u32 nr)
{
	struct mm_struct *mm = current->mm;
	struct futex_bucket *hb = hash_futex(mm, va);
	struct task_struct *task;
	u32 woken = 0;

	event_record(&ev_futex_wake, current->pid, va);
	while (woken < nr && (task = take_waiter(hb, mm, va))) {
		count_vm_event(VMSTAT_futex_wake);
		(void)wake_up_process(task);
		put_task_struct(task);
		woken++;
	}
	return woken;
}

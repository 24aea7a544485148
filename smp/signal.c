// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/signal.h"

#include <errno.h>
#include <string.h>

#include "smp/fail_alloc.h"
#include "smp/sched.h"

int signal_setup(struct machine *m)
{
	struct smp_machine *smp = m->smp;

	smp->signal_cache =
		kmem_cache_create(m, "signal_struct", sizeof(struct signal_struct), CACHE_LINE);
	smp->sighand_cache =
		kmem_cache_create(m, "sighand_struct", sizeof(struct sighand_struct), CACHE_LINE);
	return smp->signal_cache && smp->sighand_cache ? 0 : -ENOMEM;
}

/* Of the tasks that are made before the machine runs nobody fails. */
static void *alloc_at(struct kmem_cache *c, enum alloc_site site)
{
	return this_vcpu() ? kmem_cache_alloc_at(c, site) : kmem_cache_alloc(c);
}

struct sighand_struct *sighand_create(struct machine *m)
{
	struct sighand_struct *sighand = alloc_at(m->smp->sighand_cache, ALLOC_SITE_sighand);

	if (!sighand)
		return NULL;
	memset(sighand, 0, sizeof(*sighand));
	spin_lock_init(&sighand->siglock, LOCK_CLASS_siglock);
	init_once(sighand->count, 1);
	return sighand;
}

int signal_create(struct machine *m, struct task_struct *t)
{
	struct signal_struct *signal = alloc_at(m->smp->signal_cache, ALLOC_SITE_signal);

	if (!signal)
		return -ENOMEM;
	t->sighand = sighand_create(m);
	if (!t->sighand) {
		kmem_cache_free(m->smp->signal_cache, signal);
		return -ENOMEM;
	}
	memset(signal, 0, sizeof(*signal));
	mutex_init(&signal->cred_guard_mutex, LOCK_CLASS_cred_guard_mutex);
	init_once(signal->sigcnt, 1);
	init_once(signal->live, 1);
	init_once(signal->nr_threads, 1);
	CDS_INIT_LIST_HEAD(&signal->thread_head);
	cds_list_add_tail(&t->thread_node, &signal->thread_head);
	t->signal = signal;
	t->group_leader = t;
	return 0;
}

void signal_join(struct task_struct *t, struct task_struct *of)
{
	struct signal_struct *signal = of->signal;

	t->signal = signal;
	t->sighand = of->sighand;
	t->group_leader = of->group_leader;
	t->tgid = of->tgid;
	/* The leader stays, dead or alive, as long as a thread refers to it. */
	get_task_struct(t->group_leader);
	atomic_inc(&signal->sigcnt);
	atomic_inc(&signal->live);
	atomic_inc(&t->sighand->count);
	cds_list_add_tail(&t->thread_node, &signal->thread_head);
	WRITE_ONCE(signal->nr_threads, signal->nr_threads + 1);
}

void put_sighand(struct machine *m, struct sighand_struct *sighand)
{
	if (atomic_dec_and_test(&sighand->count))
		kmem_cache_free(m->smp->sighand_cache, sighand);
}

void put_signal_struct(struct machine *m, struct signal_struct *signal)
{
	if (atomic_dec_and_test(&signal->sigcnt))
		kmem_cache_free(m->smp->signal_cache, signal);
}

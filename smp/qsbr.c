// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/qsbr.h"

#include <urcu/urcu-qsbr.h>

_Static_assert(sizeof(struct qsbr_head) >= sizeof(struct cds_wfcq_node), "room for the queue node");

/* liburcu's head, laid over ours: its rcu_head is a queue node and a function. */
_Static_assert(sizeof(struct rcu_head) == sizeof(struct qsbr_head), "same size");

struct qsbr_worker *qsbr_worker_create(void)
{
	return (struct qsbr_worker *)urcu_qsbr_create_call_rcu_data(0, -1);
}

void qsbr_worker_destroy(struct qsbr_worker *w)
{
	urcu_qsbr_barrier();
	urcu_qsbr_call_rcu_data_free((struct call_rcu_data *)w);
}

void qsbr_register(struct qsbr_worker *w)
{
	urcu_qsbr_register_thread();
	urcu_qsbr_set_thread_call_rcu_data((struct call_rcu_data *)w);
}

void qsbr_unregister(void)
{
	urcu_qsbr_set_thread_call_rcu_data(NULL);
	urcu_qsbr_unregister_thread();
}

void qsbr_quiescent(void)
{
	urcu_qsbr_quiescent_state();
}

void qsbr_offline(void)
{
	urcu_qsbr_thread_offline();
}

void qsbr_online(void)
{
	urcu_qsbr_thread_online();
}

void qsbr_call(struct qsbr_head *head, void (*ripe)(struct qsbr_head *head))
{
	urcu_qsbr_call_rcu((struct rcu_head *)head, (void (*)(struct rcu_head *))ripe);
}

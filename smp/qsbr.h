// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The only door to liburcu (qsbr flavour): its names for rcu_head and call_rcu are the same as
 * ours, so its headers are included in qsbr.c alone. liburcu's per-thread reader is the vCPU's
 * pthread; a vCPU is a reader from qsbr_online() to qsbr_offline(), less the times it sleeps.
 */
#ifndef SMP_QSBR_H
#define SMP_QSBR_H

#include "engine/types.h"

struct qsbr_worker; /* liburcu's callback thread of one machine */

/* Storage for liburcu's own head. */
struct qsbr_head {
	void *words[2];
};

/* NULL without memory or threads. */
struct qsbr_worker *qsbr_worker_create(void);

/* Waits for all callbacks queued before, then ends the thread. No vCPU thread runs any more. */
void qsbr_worker_destroy(struct qsbr_worker *w);

void qsbr_register(struct qsbr_worker *w);
void qsbr_unregister(void);
void qsbr_quiescent(void);
void qsbr_offline(void);
void qsbr_online(void);

/* After a grace period the worker's thread calls ripe(head). From a registered thread. */
void qsbr_call(struct qsbr_head *head, void (*ripe)(struct qsbr_head *head));

#endif

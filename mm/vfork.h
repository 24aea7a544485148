// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parent that vfork keeps asleep until its child has left the mm (v3.14 kernel/fork.c:
 * wait_for_vfork_done, complete_vfork_done). The completion lies on the parent's stack. SIGKILL
 * ends the parent's sleep, and then its stack; so child->vfork_done, which leads there, is taken
 * back by the parent and used by the child under the child's task_lock (alloc_lock): whoever comes
 * first has dealt with it when the other one looks. Private to this part.
 */
#ifndef MM_VFORK_H
#define MM_VFORK_H

#include "smp/wait.h"

/* @child, which has not run yet, is to complete @vfork. The caller has a reference on @child from
 * now on, for wait_for_vfork_done(). */
void vfork_begin(struct task_struct *child, struct completion *vfork);

/* Sleeps until @child has left the mm. 0, or -EINTR if the caller was killed first: the child knows
 * nothing of *vfork any more. */
int wait_for_vfork_done(struct task_struct *child, struct completion *vfork);

/* @task, the caller, leaves its mm: a parent that waits for that goes on. */
void complete_vfork_done(struct task_struct *task);

#endif

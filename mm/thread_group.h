// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How thread groups end (v3.14 kernel/signal.c, kernel/exit.c, fs/exec.c): SIGKILL from outside, a
 * group exit, an exec that empties its group; and how their members are released. The structures
 * and their locks are smp/signal.h's. Private to this part.
 *
 * A thread that is not the leader releases itself when it exits. The leader stays a zombie, whom
 * nobody may wait for, until it is the only one left; then its parent reaps it, or, without a
 * parent, the last thread does. An exec from another thread than the leader kills the leader like
 * everybody else, waits until it is a zombie, releases it and has its pid from then on.
 */
#ifndef MM_THREAD_GROUP_H
#define MM_THREAD_GROUP_H

#include "smp/signal.h"

/*
 * (A3) The caller becomes the only thread of its group, and its leader, with a table of handlers of
 * its own. 0; -EAGAIN if the group is being ended or emptied by somebody else, -ENOMEM. After an
 * error other threads may be gone or about to go; the caller is killed if it is to go too.
 */
int de_thread(struct task_struct *task);

/* What must hold where exec has no way back: @task is alone. */
void check_group_is_one(const struct task_struct *task);

/* @task, which has exited, is nobody any more: its pid, its place in the group and its handlers go.
 * tasklist_lock held. */
void release_task(struct task_struct *task);

/* @task has become a zombie: it is released, or its parent is told, or it has to wait for the rest
 * of the group. tasklist_lock held. */
void exit_thread_notify(struct task_struct *task);

/* A zombie that is the last of its group. tasklist_lock held. */
bool can_be_reaped(struct task_struct *task);

/* Every thread of @task's group that sleeps in sys_wait() looks again. tasklist_lock held. */
void wake_up_parent(struct task_struct *parent);

/* Another thread of the group that has not begun to exit, for @task's children; NULL: none.
 * tasklist_lock held. */
struct task_struct *other_thread(struct task_struct *task);

/* Is somebody ending the group, or emptying it, or dumping its core, already? siglock held. */
bool signal_group_exit(const struct signal_struct *signal);

/* What the group's parent is told. */
u32 group_exit_code(const struct task_struct *leader);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/cred.h"

#include <errno.h>

#include "mm/binprm.h"
#include "mm/knobs.h"
#include "mm/mm.h"
#include "smp/signal.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_cred_guard, 436, EVENT_SYNC, "cred_guard_mutex", "pid %llu of group %llu execs");
EVENT_DESC(ev_install_creds, 437, EVENT_SYNC, "install_exec_creds", "pid %llu is user %llu now");
EVENT_DESC(ev_mm_access, 438, 0, "mm_access", "pid %llu: mm%llu");
EVENT_DESC(ev_mm_denied, 439, 0, "mm_access: EACCES", "pid %llu, of user %llu");

INVARIANT(inv_access, "mm-access-beyond-rights",
	  "who is given the mm of another task's program has the rights of that program");

int prepare_bprm_creds(struct linux_binprm *bprm)
{
	struct task_struct *t = current;

	bprm->euid = bprm->image->setid ? ROOT_UID : USER_UID;
	if (planted(KNOB_EXEC_WITHOUT_CRED_GUARD))
		return 0;
	if (mutex_lock_killable(&t->signal->cred_guard_mutex)) {
		count_vm_event(VMSTAT_exec_interrupted);
		return -EINTR;
	}
	bprm->cred_guard = true;
	event_record(&ev_cred_guard, t->pid, t->tgid);
	return 0;
}

void install_exec_creds(struct linux_binprm *bprm)
{
	struct task_struct *t = current;

	event_record(&ev_install_creds, t->pid, bprm->euid);
	WRITE_ONCE(t->euid, bprm->euid);
}

void free_bprm_creds(struct linux_binprm *bprm)
{
	if (bprm->cred_guard)
		mutex_unlock(&current->signal->cred_guard_mutex);
	bprm->cred_guard = false;
}

static bool ptrace_may_access(struct task_struct *task)
{
	u32 uid = READ_ONCE(current->euid);

	return uid == ROOT_UID || uid == READ_ONCE(task->euid);
}

/* Whatever the task's rights say: what does the program that runs in the mm have? One that has
 * failed in its exec never runs. */
static void check_access(const struct mm_struct *mm, const struct task_struct *task)
{
	u32 uid = oracle_read(current->euid), needed = oracle_read(mm->oracle_euid);

	if (unlikely(uid != ROOT_UID && uid != needed && !oracle_read(task->killed)))
		VIOLATION(&inv_access,
			  "pid %u, of user %u, is given mm%u of pid %u, whose program is user %u's",
			  current->pid, uid, mm->context.id, task->pid, needed);
}

struct mm_struct *mm_access(struct task_struct *task, int *err)
{
	struct mutex *guard = &task->signal->cred_guard_mutex;
	struct mm_struct *mm;

	*err = mutex_lock_killable(guard);
	if (*err)
		return NULL;
	mm = get_task_mm(task);
	if (mm && mm != current->mm && !ptrace_may_access(task)) {
		event_record(&ev_mm_denied, task->pid, oracle_read(task->euid));
		count_vm_event(VMSTAT_mm_access_denied);
		mmput(mm);
		mm = NULL;
		*err = -EACCES;
	} else if (mm) {
		event_record(&ev_mm_access, task->pid, mm->context.id);
		count_vm_event(VMSTAT_mm_access_ok);
		if (mm != current->mm)
			check_access(mm, task);
	}
	mutex_unlock(guard);
	return mm;
}

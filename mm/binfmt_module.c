// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/binfmt_module.h"

#include <errno.h>

#include "mm/knobs.h"
#include "mm/mm_machine.h"
#include "mm/syscalls.h"
#include "smp/fail_alloc.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_load, 355, 0, "module loaded", "number %llu%.0llu");
EVENT_DESC(ev_delete, 356, 0, "module deleted", "number %llu%.0llu");

INVARIANT(inv_in_use, "module-in-use",
	  "the module of a binary format stays while an address space has that format");
INVARIANT(inv_leak, "module-leak", "a module that nobody uses has no references");

/* refcnt of a module that is being deleted. */
#define MODULE_GOING (~0u)

struct linux_binfmt {
	u32 refcnt;	  /* atomic */
	u32 oracle_users; /* address spaces */
	u32 id;
};

int binfmt_setup(struct machine *m)
{
	struct mm_machine *mm = m->mm;

	spin_lock_init(&mm->binfmt_lock, LOCK_CLASS_binfmt_lock);
	mm->binfmt_cache =
		kmem_cache_create(m, "binfmt", sizeof(struct linux_binfmt), sizeof(void *));
	return mm->binfmt_cache ? 0 : -ENOMEM;
}

/* What is registered, with a reference; NULL if there is nothing. */
static struct linux_binfmt *find_get(struct mm_machine *mm)
{
	struct linux_binfmt *fmt;

	spin_lock(&mm->binfmt_lock);
	fmt = mm->binfmt;
	/* It is unregistered under the lock as soon as it is going. */
	if (fmt)
		atomic_inc(&fmt->refcnt);
	spin_unlock(&mm->binfmt_lock);
	return fmt;
}

/* v3.14 request_module(): init registers the format, unless another exec has been first. */
static int load_module(struct mm_machine *mm)
{
	struct linux_binfmt *fmt = kmem_cache_zalloc_at(mm->binfmt_cache, ALLOC_SITE_module);
	bool first;

	if (!fmt)
		return -ENOMEM;
	spin_lock(&mm->binfmt_lock);
	first = !mm->binfmt;
	if (first) {
		fmt->id = ++mm->binfmts_made;
		mm->binfmt = fmt;
	}
	spin_unlock(&mm->binfmt_lock);
	if (!first) {
		kmem_cache_free(mm->binfmt_cache, fmt);
		return 0;
	}
	count_vm_event(VMSTAT_module_loaded);
	event_record(&ev_load, fmt->id, 0);
	return 0;
}

struct linux_binfmt *binfmt_get(void)
{
	struct mm_machine *mm = this_mm();
	struct linux_binfmt *fmt;

	/* It may be deleted before we find it: once more. */
	while (!(fmt = find_get(mm))) {
		if (load_module(mm))
			return NULL;
	}
	return fmt;
}

void binfmt_put(struct linux_binfmt *fmt)
{
	atomic_dec(&fmt->refcnt);
}

void set_binfmt(struct mm_struct *mm, struct linux_binfmt *fmt)
{
	__atomic_fetch_add(&fmt->oracle_users, 1, __ATOMIC_RELAXED);
	if (likely(!planted(KNOB_BINFMT_NOT_HELD)))
		atomic_inc(&fmt->refcnt);
	mm->binfmt = fmt;
}

void binfmt_fork(struct mm_struct *mm, const struct mm_struct *oldmm)
{
	if (oldmm->binfmt)
		set_binfmt(mm, oldmm->binfmt);
}

void binfmt_exit(struct mm_struct *mm)
{
	struct linux_binfmt *fmt = mm->binfmt;

	if (!fmt)
		return;
	mm->binfmt = NULL;
	__atomic_fetch_sub(&fmt->oracle_users, 1, __ATOMIC_RELAXED);
	if (likely(!planted(KNOB_BINFMT_NOT_HELD) && !planted(KNOB_BINFMT_NOT_PUT)))
		binfmt_put(fmt);
}

int sys_delete_module(void)
{
	struct mm_machine *mm = this_mm();
	struct linux_binfmt *fmt;
	int err = -ENOENT;

	current->in_syscall = "delete_module";
	spin_lock(&mm->binfmt_lock);
	fmt = mm->binfmt;
	if (fmt) {
		err = cmpxchg(&fmt->refcnt, 0u, MODULE_GOING) ? -EBUSY : 0;
		if (!err)
			mm->binfmt = NULL;
	}
	spin_unlock(&mm->binfmt_lock);
	count_vm_event(err ? VMSTAT_module_busy : VMSTAT_module_deleted);
	if (!err) {
		if (unlikely(oracle_read(fmt->oracle_users)))
			VIOLATION(&inv_in_use, "module %u goes, %u address spaces have its format",
				  fmt->id, oracle_read(fmt->oracle_users));
		event_record(&ev_delete, fmt->id, 0);
		kmem_cache_free(mm->binfmt_cache, fmt);
	}
	current->in_syscall = NULL;
	return err;
}

void binfmt_audit_leaks(struct machine *m)
{
	const struct linux_binfmt *fmt = m->mm->binfmt;
	s64 in_use = kmem_cache_in_use(m->mm->binfmt_cache);

	if (fmt && (oracle_read(fmt->refcnt) || oracle_read(fmt->oracle_users)))
		VIOLATION(&inv_leak, "module %u has %u references, %u address spaces", fmt->id,
			  oracle_read(fmt->refcnt), oracle_read(fmt->oracle_users));
	if (in_use != (fmt ? 1 : 0))
		VIOLATION(&inv_leak, "%lld modules, %d should be", (long long)in_use, fmt ? 1 : 0);
}

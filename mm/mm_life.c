// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two reference counts of an mm (seed_path B): mm_users, whose last drop tears the address
 * space down, and mm_count, whose last drop frees the structure.
 */
#include "mm/aio.h"
#include "mm/binfmt_module.h"
#include "mm/file.h"
#include "mm/futex.h"
#include "mm/knobs.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/mm_machine.h"
#include "mm/mm_owner.h"
#include "mm/mm_slots.h"
#include "mm/notifier.h"
#include "mm/rss.h"
#include "mm/swap_mms.h"
#include "mm/syscalls.h"
#include "mm/uprobes.h"
#include "mm/vfork.h"
#include "mm/vma.h"
#include "smp/fail_alloc.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

EVENT_DESC(ev_mm_new, 371, 0, "mm_alloc", "mm%llu, domain %llu");
EVENT_DESC(ev_mmput_last, 368, EVENT_SYNC, "mmput: last user", "of mm%llu%.0llu");
EVENT_DESC(ev_mmdrop_last, 370, EVENT_SYNC, "mmdrop: last reference", "on mm%llu%.0llu");
EVENT_DESC(ev_get_task_mm, 374, 0, "get_task_mm", "of pid %llu: mm%llu");
EVENT_DESC(ev_owner, 378, 0, "mm_update_next_owner", "mm%llu to pid %llu");

INVARIANT(inv_mm_alive, "mm-use-after-free", "who uses an mm holds a reference on it");
INVARIANT(inv_users_zero, "mm-users-resurrected",
	  "an mm whose last user is gone gets no new ones: its address space is being torn down");
INVARIANT(inv_users_underflow, "mm-users-underflow", "mm_users is dropped as often as raised");
INVARIANT(inv_count_underflow, "mm-count-underflow", "mm_count is dropped as often as raised");
INVARIANT(inv_freed_in_use, "mm-freed-in-use",
	  "a freed mm has no users, nobody holds its mmap_sem and no CPU has it loaded or borrows "
	  "it");
INVARIANT(inv_bad_rss, "bad-rss-counter", "the counters of an mm without pages are zero");
INVARIANT(
	inv_not_empty, "mm-not-torn-down",
	"an mm without users has no VMAs, page tables, open notifier ranges, files or XOL area and is "
	"on no walker's list");

/* Looks at memory that may have been freed: that is what it is for. */
__attribute__((no_sanitize("address"))) static u32 magic_of(const struct mm_struct *mm)
{
	return oracle_read(mm->magic);
}

void mm_check_alive(const struct mm_struct *mm, const char *where)
{
	u32 magic = magic_of(mm);

	if (likely(magic == MM_MAGIC))
		return;
	violation_report(&inv_mm_alive, where, ~0u, "pid %u uses an mm that %s (magic %#x)",
			 current->pid, magic == MM_FREED ? "has been freed" : "is none", magic);
}

u32 mm_new_domain(struct machine *m)
{
	return atomic_inc_return(&m->mm->next_domain);
}

struct mm_struct *mm_create(struct machine *m, struct task_struct *owner, struct mem_cgroup *memcg,
			    u32 domain)
{
	struct mm_machine *mmm = m->mm;
	struct mm_block *block = kmem_cache_alloc_at(mmm->mm_cache, ALLOC_SITE_mm);
	struct mm_struct *mm;

	if (!block)
		return NULL;
	mm = &block->mm;
	*mm = (struct mm_struct){
		.owner = owner,
		.memcg = memcg,
		.domain = domain,
		.mmap_base = TASK_UNMAPPED_BASE,
	};
	mm_context_init(&mm->context, atomic_inc_return(&mmm->next_mm_id), 0);
	init_once(mm->mm_users, 1);
	init_once(mm->mm_count, 1);
	init_rwsem(&mm->mmap_sem, block->slots, m->nr_vcpus, LOCK_CLASS_mmap_sem);
	spin_lock_init(&mm->page_table_lock, LOCK_CLASS_page_table_lock);
	spin_lock_init(&block->notifiers.lock, LOCK_CLASS_notifier_lock);
	block->notifiers.first = NULL;
	init_once(block->notifiers.gone, 0);
	vma_array_init(mm);
	if (unlikely(pgd_alloc(mm))) {
		kmem_cache_free(mmm->mm_cache, block);
		return NULL;
	}
	init_once(mm->magic, MM_MAGIC);
	spin_lock(&mmm->mmlist_lock);
	cds_list_add_tail(&mm->mmlist, &mmm->mmlist);
	spin_unlock(&mmm->mmlist_lock);
	count_vm_event(VMSTAT_mm_created);
	event_record(&ev_mm_new, mm->context.id, domain);
	return mm;
}

struct mm_struct *mm_alloc(void)
{
	struct machine *m = this_vcpu()->machine;
	struct task_struct *t = current;

	return mm_create(m, t, t->mm ? t->mm->memcg : memcg_get(m, 0), mm_new_domain(m));
}

void set_mm_exe_file(struct mm_struct *mm, struct file *file)
{
	struct file *old = mm->exe_file;

	if (file)
		get_file(file);
	WRITE_ONCE(mm->exe_file, file);
	if (old)
		fput(old);
}

/*
 * v3.14 looks at the counters in mmdrop() only (check_mm). They have been final since exit_mmap():
 * no task has counts of its own for this mm any more. A CPU that stays idle may keep the structure
 * for ever, so here they are looked at twice.
 */
static void check_torn_down(struct mm_struct *mm)
{
	static const char *const names[NR_MM_COUNTERS] = {"MM_FILEPAGES", "MM_ANONPAGES"};

	for (u32 i = 0; i < NR_MM_COUNTERS; i++) {
		s64 v = oracle_read(mm->rss[i]);

		if (unlikely(v))
			VIOLATION(&inv_bad_rss, "Bad rss-counter state mm%u %s val:%lld",
				  mm->context.id, names[i], (long long)v);
	}
	if (unlikely(mm->nr_vmas || oracle_read(mm->nr_ptes) ||
		     oracle_read(mm->oracle_notifier_depth) || mm->exe_file))
		VIOLATION(&inv_not_empty,
			  "mm%u goes with %u VMAs, nr_ptes %lld, %u open notifier ranges, %s",
			  mm->context.id, mm->nr_vmas, (long long)oracle_read(mm->nr_ptes),
			  oracle_read(mm->oracle_notifier_depth),
			  mm->exe_file ? "an exe_file" : "no exe_file");
	mmu_notifier_check_released(mm);
	if (unlikely(oracle_read(mm->on_swap_list)))
		VIOLATION(&inv_not_empty, "mm%u goes and is on swapoff's list", mm->context.id);
	if (unlikely(oracle_read(mm->xol_area)))
		VIOLATION(&inv_not_empty, "mm%u goes with its XOL area", mm->context.id);
}

/*
 * (B1) Clients of the mm that are not its users are shut out before exit_mmap().
 */
static void mmput_last(struct mm_struct *mm)
{
	bool late = planted(KNOB_KSM_EXIT_LATE);

	event_record(&ev_mmput_last, mm->context.id, 0);
	count_vm_event(VMSTAT_mmput_last);
	uprobe_clear_state(mm);
	exit_aio(mm);
	if (likely(!late))
		mm_slots_exit(mm, MM_SCANNER_KSM);
	mm_slots_exit(mm, MM_SCANNER_KHUGEPAGED);
	mm_slots_check_left(mm);
	exit_mmap(mm);
	if (unlikely(late))
		mm_slots_exit(mm, MM_SCANNER_KSM);
	if (!planted(KNOB_EXE_FILE_NOT_PUT))
		set_mm_exe_file(mm, NULL);
	swap_mms_leave(mm);
	binfmt_exit(mm);
	check_torn_down(mm);
	mmdrop(mm);
}

void mmput(struct mm_struct *mm)
{
	s32 users;

	might_sleep();
	mm_check_alive(mm, __func__);
	users = (s32)atomic_dec_return(&mm->mm_users);
	if (likely(users > 0))
		return;
	if (unlikely(users < 0))
		VIOLATION(&inv_users_underflow, "mm_users of mm%u is %d", mm->context.id, users);
	mmput_last(mm);
}

/* Nobody borrows it and no CPU has it loaded. */
static void check_unused(const struct mm_struct *mm)
{
	u32 words = (this_vcpu()->machine->nr_vcpus + 63) / 64;

	if (unlikely(oracle_read(mm->mm_users)))
		VIOLATION(&inv_freed_in_use, "mm%u is freed with mm_users %u", mm->context.id,
			  oracle_read(mm->mm_users));
	if (unlikely(rwsem_is_locked(&mm->mmap_sem)))
		VIOLATION(&inv_freed_in_use, "mm%u is freed while somebody holds its mmap_sem",
			  mm->context.id);
	/* Who has the root loaded is in the mask, and who is in the mask has a reference: a switch
	 * away clears the bit before the reference is dropped. */
	for (u32 w = 0; w < words; w++) {
		u64 cpus = oracle_read(mm->context.cpumask[w]);

		if (unlikely(cpus))
			VIOLATION_WITH(&inv_freed_in_use, w * 64 + (u32)__builtin_ctzll(cpus),
				       "mm%u is freed while CPU%u is in its mask", mm->context.id,
				       w * 64 + (u32)__builtin_ctzll(cpus));
	}
}

/* No decision point is in here that another vCPU could legally use to find the mm: the mmlist is
 * the only way to it. */
static void mmdrop_last(struct mm_struct *mm)
{
	struct mm_machine *mmm = this_mm();

	event_record(&ev_mmdrop_last, mm->context.id, 0);
	count_vm_event(VMSTAT_mmdrop_last);
	if (unlikely(mm == mmm->init_mm))
		VIOLATION(&inv_freed_in_use, "the last reference on init_mm is dropped");
	check_unused(mm);
	check_torn_down(mm);
	spin_lock(&mmm->mmlist_lock);
	cds_list_del(&mm->mmlist);
	spin_unlock(&mmm->mmlist_lock);
	init_once(mm->magic, MM_FREED);
	pgd_free(mm);
	count_vm_event(VMSTAT_mm_freed);
	kmem_cache_free(mmm->mm_cache, mm_block_of(mm));
}

void mmdrop(struct mm_struct *mm)
{
	s32 count;

	mm_check_alive(mm, __func__);
	count = (s32)atomic_dec_return(&mm->mm_count);
	if (likely(count > 0))
		return;
	if (unlikely(count < 0))
		VIOLATION(&inv_count_underflow, "mm_count of mm%u is %d", mm->context.id, count);
	mmdrop_last(mm);
}

/* A user is added on the strength of one that exists. */
static void mmget_checked(struct mm_struct *mm, const struct task_struct *task)
{
	mm_check_alive(mm, "get_task_mm");
	if (unlikely(atomic_inc_return(&mm->mm_users) == 1))
		VIOLATION(&inv_users_zero,
			  "mm_users of mm%u raised from 0 for pid %u's address space",
			  mm->context.id, task->pid);
}

bool mmget_not_zero(struct mm_struct *mm)
{
	if (planted(KNOB_MMGET_ZERO)) {
		mmget_checked(mm, current);
		return true;
	}
	mm_check_alive(mm, __func__);
	return atomic_inc_not_zero(&mm->mm_users);
}

struct mm_struct *get_task_mm(struct task_struct *task)
{
	bool locked = !planted(KNOB_GET_TASK_MM_UNLOCKED);
	struct mm_struct *mm;

	/* The task drops its mm only after it has cleared task->mm under this lock. */
	if (locked)
		spin_lock(&task->alloc_lock);
	mm = READ_ONCE(task->mm);
	if (mm) {
		/* One that has adopted an mm (use_mm) does not own it. */
		if (READ_ONCE(task->flags) & PF_KTHREAD)
			mm = NULL;
		else
			mmget_checked(mm, task);
	}
	if (locked)
		spin_unlock(&task->alloc_lock);
	if (mm)
		event_record(&ev_get_task_mm, oracle_read(task->pid), mm->context.id);
	count_vm_event(mm ? VMSTAT_get_task_mm_ok : VMSTAT_get_task_mm_none);
	return mm;
}

/* First the word, then those that wait for it: who finds it uncleared is woken. */
static void clear_child_tid(u64 va)
{
	bool late = planted(KNOB_CLEAR_TID_WAKES_FIRST);

	if (late)
		(void)sys_futex_wake(va, 1);
	(void)user_write(va, 0);
	if (!late)
		(void)sys_futex_wake(va, 1);
}

void mm_release(struct task_struct *task, struct mm_struct *mm)
{
	/* Threads of a group wait for this word (pthread_join); nobody waits if nobody else is
	 * here. */
	if (task->clear_child_tid) {
		if (mm && atomic_read(&mm->mm_users) > 1)
			clear_child_tid(task->clear_child_tid);
		task->clear_child_tid = 0;
	}
	complete_vfork_done(task);
}

/* Not a kernel thread that has adopted the mm: it leaves it without finding another owner. */
static bool may_own(const struct task_struct *c, const struct mm_struct *mm)
{
	return READ_ONCE(c->mm) == mm && !(READ_ONCE(c->flags) & PF_KTHREAD);
}

static struct task_struct *find_owner(struct task_struct *p, const struct mm_struct *mm)
{
	struct task_struct *c;

	cds_list_for_each_entry(c, &p->children, sibling) {
		if (may_own(c, mm))
			return c;
	}
	if (p->parent) {
		cds_list_for_each_entry(c, &p->parent->children, sibling) {
			if (c != p && may_own(c, mm))
				return c;
		}
	}
	cds_list_for_each_entry(c, &p->machine->smp->all_tasks, all_node) {
		if (c != p && may_own(c, mm))
			return c;
	}
	return NULL;
}

void mm_update_next_owner(struct mm_struct *mm)
{
	struct task_struct *p = current, *c;
	spinlock_t *tasklist = &p->machine->smp->tasklist_lock;
	u32 pid;

	for (;;) {
		if (READ_ONCE(mm->owner) != p)
			return;
		/* The caller's own use is the only one left: no reader needs an owner. */
		if (atomic_read(&mm->mm_users) <= 1) {
			WRITE_ONCE(mm->owner, NULL);
			return;
		}
		spin_lock(tasklist);
		c = find_owner(p, mm);
		if (!c) {
			/* Only readers are left (get_task_mm). */
			spin_unlock(tasklist);
			WRITE_ONCE(mm->owner, NULL);
			return;
		}
		get_task_struct(c);
		pid = c->pid; /* it may exec (de_thread) */
		spin_lock(&c->alloc_lock);
		spin_unlock(tasklist);
		/* Under its lock it cannot leave the mm, unless it already has. */
		if (c->mm == mm || planted(KNOB_OWNER_NOT_RECHECKED)) {
			WRITE_ONCE(mm->owner, c);
			check_new_owner(mm, c);
			spin_unlock(&c->alloc_lock);
			event_record(&ev_owner, mm->context.id, pid);
			count_vm_event(VMSTAT_mm_owner_next);
			put_task_struct(c);
			return;
		}
		spin_unlock(&c->alloc_lock);
		put_task_struct(c);
		count_vm_event(VMSTAT_mm_owner_retry);
	}
}

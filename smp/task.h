// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * struct task_struct: an emulated process, thread or kernel thread. A task is a fiber; it runs on
 * one vCPU at a time and may go on on another after it has slept or was preempted.
 *
 * Who may touch what:
 *   rq lock of ->cpu	state (with wake-ups), on_rq, cpu, run_node, preempt_count while not running
 *   alloc_lock		mm (writers: the task itself; readers from other tasks), comm,
 *			vfork_done
 *   tasklist lock	parent, children, sibling, all_node, reaped, group_leader, thread_node
 *   smp/signal.h	signal, sighand, killed
 *   the task itself	everything else
 */
#ifndef SMP_TASK_H
#define SMP_TASK_H

#include <urcu/list.h>

#include "engine/fiber.h"
#include "engine/random.h"
#include "smp/rcu.h"
#include "smp/spinlock_types.h"

struct completion;
struct machine;
struct mem_cgroup;
struct mm_struct;
struct sighand_struct;
struct signal_struct;
struct user_task;

#define TASK_COMM_LEN 16 /* v3.14 include/linux/sched.h */

/* Bits, so that a waker can name several (wake_up_state). */
enum task_state {
	TASK_RUNNING = 0,
	TASK_INTERRUPTIBLE = 1,
	TASK_UNINTERRUPTIBLE = 2,
	TASK_KILLABLE = 4, /* like the one above, but SIGKILL ends the sleep */
	TASK_DEAD = 64,
};
#define TASK_ALL_SLEEPS (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE | TASK_KILLABLE)

/* task.flags, the kernel's values (v3.14 include/linux/sched.h). */
#define PF_EXITING 0x00000004u
#define PF_FORKNOEXEC 0x00000040u
#define PF_DUMPCORE 0x00000200u
#define PF_NOFREEZE 0x00008000u
#define PF_KTHREAD 0x00200000u
#define PF_RANDOMIZE 0x00400000u
#define PF_IDLE 0x00000002u /* of later kernels: the idle task */

/* Counters of an mm that each task caches (mm/rss.h): file pages, anonymous pages. */
#define NR_MM_COUNTERS 2

struct task_rss_stat {
	s32 count[NR_MM_COUNTERS];
	u32 events; /* since the last fold into the mm */
};

/* Uncharges that a task gives back together (mm/memcg.h; v3.14 memcg_batch_info). */
struct task_memcg_batch {
	struct mem_cgroup *memcg;
	u32 depth; /* mem_cgroup_uncharge_start() without their end */
	u32 nr_pages;
};

/*
 * What a task has of the processor besides its stack: the user addresses that the kernel accepts on
 * its behalf, and the registers that a new program must not inherit (v3.14 x86 struct
 * thread_struct).
 */
#define NR_DEBUG_REGISTERS 4 /* DR0 to DR3 hold breakpoints (Intel SDM vol. 3B, 17.2) */
#define NR_TLS_ENTRIES 3     /* v3.14 arch/x86 GDT_ENTRY_TLS_ENTRIES */

struct thread_struct {
	u64 addr_limit;
	u64 debugreg[NR_DEBUG_REGISTERS];
	u64 tls[NR_TLS_ENTRIES];
};

struct task_struct {
	struct fiber *fiber; /* own_fiber; the vCPU's main fiber for an idle task */
	struct fiber own_fiber;
	u32 state;	   /* enum task_state; atomic */
	u32 on_rq;	   /* queued or running */
	u32 cpu;	   /* where it runs or ran last; atomic for readers */
	u32 preempt_count; /* while switched out */
	u64 held_locks;	   /* set of lock classes (lockdep) */
	struct cds_list_head run_node;

	u32 pid;   /* a thread that execs takes its leader's, under tasklist_lock; atomic without */
	u32 tgid;  /* the pid of the group's leader */
	u32 flags; /* PF_*; written by the task itself; atomic: others read PF_KTHREAD */
	u32 usage; /* references to this structure; atomic */
	char comm[TASK_COMM_LEN];
	u32 personality; /* PER_* bits of the program; own */
	u32 euid;	 /* its rights (mm/cred.h), at first its creator's; atomic; written by the
			  * task itself */
	struct thread_struct thread; /* own */
	const u64 *cpus_allowed;     /* CPU_WORDS words; NULL: all; set before it first runs, and
					cleared when none of them is active any more, under rq lock */
	struct machine *machine;

	spinlock_t alloc_lock;
	struct mm_struct *mm;	     /* NULL for kernel threads and after exit_mm */
	struct mm_struct *active_mm; /* what the page-table root belongs to while it runs */
	struct task_rss_stat rss_stat;
	struct task_memcg_batch memcg_batch; /* own */
	u64 clear_child_tid; /* user address to clear when it leaves an mm that others use; own */

	struct task_struct *parent;
	struct cds_list_head children, sibling;
	struct cds_list_head all_node;
	bool reaped; /* waited for, or nobody to do so: its pid names nobody any more */
	struct completion *vfork_done;
	u32 oracle_vfork; /* who has hold of what vfork_done leads to (mm/vfork.c); atomic */
	struct completion *exited; /* completed last thing, for whoever waits */
	u32 exit_code;
	u32 exit_state;	   /* 0, or 1 once it is a zombie; atomic */
	bool make_it_fail; /* fail_alloc.task_filter concerns it; own, inherited by children */
	u32 killed;	   /* SIGKILL is pending: exits at its next return to user mode; atomic */

	struct signal_struct *signal;	/* of its thread group */
	struct sighand_struct *sighand; /* NULL once it has been released */
	struct task_struct *group_leader;
	struct cds_list_head thread_node;

	void (*entry)(void *arg);
	void *arg;
	struct rng rng;
	struct user_task *user; /* stress/: the program it runs */
	u64 syscalls;
	const char *in_syscall; /* for reports; own */
	struct rcu_head rcu;
};

static inline struct task_struct *current_task(void)
{
	return this_vcpu()->current_task;
}
#define current current_task()

static inline bool task_is_idle(const struct task_struct *t)
{
	return t->flags & PF_IDLE;
}

#endif

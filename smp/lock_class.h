// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The classes of locks. Every lock belongs to one; lockdep (smp/lockdep.h) learns the order in
 * which classes are nested, and docs/locking.md has the table with the reasons. A class that may be
 * taken twice has a second class for the inner one, as spin_lock_nested has in the kernel.
 *
 * Outermost first: a class is only ever taken inside classes above it. Sleeping locks come before
 * spinlocks, which may be taken inside any of them, never the reverse.
 */
#ifndef SMP_LOCK_CLASS_H
#define SMP_LOCK_CLASS_H

#define LOCK_CLASSES(X)                                                                            \
	X(cpu_hotplug, "which CPUs are online")                                                    \
	X(cred_guard_mutex, "a group's exec: which mm goes with which rights")                     \
	X(inode_mutex, "i_mutex: size of a file against writers and truncation")                   \
	X(scanner_turn, "a scanner of registered mms: one turn at a time")                         \
	X(uprobe_register, "registrations of uprobes: one at a time")                              \
	X(dup_mmap_sem, "forks that copy an mm, against registrations of uprobes")                 \
	X(mmap_sem, "the VMAs of an mm")                                                           \
	X(mm_all_locks, "who may hold i_mmap_mutex of all files that an mm maps")                  \
	X(mmap_sem_nested, "the child's mmap_sem inside the parent's, in fork")                    \
	X(page_lock, "PG_locked: content and mapping of a page-cache page")                        \
	X(i_mmap_mutex, "the VMAs that map a file")                                                \
	X(anon_vma_rwsem, "the VMAs that may map an anonymous page")                               \
	X(task_list, "the list of all tasks, parents and children")                                \
	X(siglock, "a thread group's end, and who waits for it")                                   \
	X(task_lock, "alloc_lock: task->mm against readers from other tasks")                      \
	X(mmlist_lock, "the global list of mms")                                                   \
	X(slots_lock, "the list of a scanner's registered mms")                                    \
	X(uprobes_treelock, "the uprobes that are registered, and their consumers")                \
	X(binfmt_lock, "the binary format that is registered")                                     \
	X(page_table_lock, "mm->page_table_lock: upper page-table levels, pgd and pud")            \
	X(ptl_pmd, "split lock of a page-middle-directory page")                                   \
	X(ptl, "split lock of a page-table page")                                                  \
	X(ptl_nested, "a copy's or a new place's pte lock inside the old")                         \
	X(tree_lock, "the page cache of a file")                                                   \
	X(zone_lock, "the buddy allocator")                                                        \
	X(lru_lock, "the LRU lists")                                                               \
	X(memcg_lock, "a memory cgroup's charges beyond the per-CPU stock")                        \
	X(disk_lock, "the emulated disk's blocks")                                                 \
	X(notifier_lock, "the list of an mm's notifiers")                                          \
	X(secondary_tlb, "what a device has translated, and the list of devices")                  \
	X(vmcommit_lock, "committed memory")                                                       \
	X(driver_lock, "frames that the emulated driver owns")                                     \
	X(futex_hash, "tasks that wait for words of user memory")                                  \
	X(wait_queue, "a queue of sleeping tasks")                                                 \
	X(rwsem_wait, "the waiters of a rw_semaphore")                                             \
	X(mutex_wait, "the waiters of a mutex")                                                    \
	X(rq_lock, "a vCPU's run queue")                                                           \
	X(test_a, "for tests")                                                                     \
	X(test_b, "for tests")                                                                     \
	X(test_c, "for tests")

enum lock_class {
#define X(name, reason) LOCK_CLASS_##name,
	LOCK_CLASSES(X)
#undef X
		NR_LOCK_CLASSES
};
_Static_assert(NR_LOCK_CLASSES <= 64, "sets of lock classes are one word");

extern const char *const lock_class_names[NR_LOCK_CLASSES];
extern const char *const lock_class_reasons[NR_LOCK_CLASSES];

#endif

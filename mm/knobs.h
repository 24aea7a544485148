// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planted deviations of this part (see smp/knobs.h for the form).
 */
#ifndef MM_KNOBS_H
#define MM_KNOBS_H

#include "engine/machine.h"

#define MM_KNOBS(X)                                                                                \
	X(FREE_BEFORE_FLUSH, "free-before-flush",                                                  \
	  "a full gather frees its pages before the flush has been acknowledged")                  \
	X(BATCH_RANGE_OFF_BY_ONE, "batch-full-range-off-by-one",                                   \
	  "the flush of a full gather leaves out the page at which it became full (ce9ec37bddb6)") \
	X(PARALLEL_ZAP_SKIPS_FLUSH, "parallel-zap-skips-flush",                                    \
	  "a zap that finds nothing does not flush though another zap of the mm is pending "       \
	  "(99baac21e458)")                                                                        \
	X(ZAP_DIRTY_BEFORE_FLUSH, "zap-dirty-before-flush",                                        \
	  "the pte lock is dropped before the flush though a dirty file page was unmapped "        \
	  "(1cf35d47712d)")                                                                        \
	X(RMAP_BEFORE_FLUSH, "rmap-removed-before-flush",                                          \
	  "a dirty shared file page loses its rmap before the flush (5df397dec7c4)")               \
	X(ZAP_DROPS_DIRTY, "zap-drops-dirty", "zap does not move the pte's dirty bit to the page") \
	X(PTE_CLEAR_UNLOCKED, "pte-clear-unlocked", "zap_pte_range does not take the pte lock")    \
	X(SLEEP_IN_ATOMIC, "mmap-sem-under-ptl",                                                   \
	  "zap_pte_range takes mmap_sem while it holds the pte lock")                              \
	X(PTE_CLEAR_NOT_ATOMIC, "pte-clear-not-atomic",                                            \
	  "zap reads and clears a pte in two steps: a dirty bit set between them is lost")         \
	X(TABLE_FREE_AT_ONCE, "table-freed-at-once",                                               \
	  "page tables go back to the allocator at once instead of through the gather")            \
	X(RSS_FORGOTTEN, "rss-forgotten",                                                          \
	  "the counters are not lowered on the path that goes on after a full gather")             \
	X(MAPCOUNT_NOT_DROPPED, "mapcount-not-dropped", "zap forgets page_remove_rmap")            \
	X(LAZY_NOT_PINNED, "lazy-mm-not-pinned",                                                   \
	  "a kernel thread borrows active_mm without raising mm_count")                            \
	X(GET_TASK_MM_UNLOCKED, "get-task-mm-unlocked",                                            \
	  "get_task_mm raises mm_users without task_lock")                                         \
	X(LOCK_INVERSION, "lock-order-inversion",                                                  \
	  "truncation takes mmap_sem while it holds i_mmap_mutex")                                 \
	X(COW_NO_FLUSH, "cow-no-flush", "a broken copy-on-write does not flush the old entry")     \
	X(REUSE_BY_MAPCOUNT, "reuse-by-mapcount",                                                  \
	  "a write reuses a page that only this mm maps, though another mm's zap of it has not "   \
	  "flushed yet (09854ba94c6a)")                                                            \
	X(FORK_NO_FLUSH, "fork-no-flush", "fork write-protects the parent without flushing")       \
	X(MKCLEAN_NO_FLUSH, "mkclean-no-flush",                                                    \
	  "writeback makes ptes clean and read-only without flushing")                             \
	X(MPROTECT_NO_FLUSH, "mprotect-no-flush", "mprotect does not flush")                       \
	X(MUNLOCK_SKIPPED, "exit-munlock-skipped",                                                 \
	  "exit_mmap does not munlock the pages of VM_LOCKED areas")                               \
	X(COMMIT_NOT_RETURNED, "commit-not-returned",                                              \
	  "exit_mmap does not give back committed memory")                                         \
	X(NOTIFIER_END_MISSING, "notifier-end-missing",                                            \
	  "unmap_vmas returns early without ending the notifier range")                            \
	X(EXEC_MM_COUNT_TWICE, "exec-drops-active-mm-twice",                                       \
	  "exec from a kernel thread drops the borrowed mm twice")                                 \
	X(EXEC_KEEPS_ADDR_LIMIT, "exec-keeps-address-limit",                                       \
	  "a kernel thread that execs keeps the kernel's address limit")                           \
	X(PAGE_STILL_IN_PAGEVEC, "pagevec-no-reference",                                           \
	  "a page waits in a pagevec without a reference")                                         \
	X(UNCHARGE_LOST, "uncharge-lost", "a batched uncharge forgets its last page")              \
	X(RMAP_UNLINKED_LATE, "rmap-unlinked-late",                                                \
	  "a VMA is unhooked from its anon_vmas only after its page tables are freed")             \
	X(ZEROED_LATE, "page-zeroed-after-map",                                                    \
	  "a fresh anonymous page is cleared after it has been mapped")                            \
	X(FORK_FAIL_KEEPS_FILE, "fork-failure-keeps-file",                                         \
	  "a fork without memory for the reverse mapping forgets the file of the VMA it drops")    \
	X(FORK_FAIL_KEEPS_COMMIT, "fork-failure-keeps-commit",                                     \
	  "a fork without memory for a VMA does not give back what it had committed for it")       \
	X(EXEC_FAIL_KEEPS_CHARGE, "exec-failure-keeps-charge",                                     \
	  "an exec that fails leaves its argument pages charged to the old mm")                    \
	X(STACK_SHOWN_EARLY, "temporary-stack-shown-early",                                        \
	  "exec shows its temporary stack to rmap before it has been moved (a8bef8ff6ea1)")        \
	X(KSM_EXIT_LATE, "ksm-exit-late", "mmput calls ksm_exit after exit_mmap")                  \
	X(SCANNER_EXIT_NO_WAIT, "scanner-exit-no-wait",                                            \
	  "khugepaged_exit and ksm_exit do not wait for a scanner that is in the mm")              \
	X(SCANNER_NO_EXIT_TEST, "scanner-no-exit-test",                                            \
	  "a scanner walks a registered mm without looking whether it has users left")             \
	X(SLOT_NOT_PINNED, "mm-slot-not-pinned",                                                   \
	  "a registered mm is on the scanner's list without mm_count")                             \
	X(KSM_UP_READ_LATE, "ksm-mmap-sem-kept",                                                   \
	  "ksmd drops mmap_sem after its cursor has left the mm and the lock (7496fea9a6bf)")      \
	X(AIO_EXIT_NO_WAIT, "aio-exit-no-wait",                                                    \
	  "exit_aio does not wait for requests that are under way (6098b45b32e6)")                 \
	X(AIO_NOT_PINNED, "aio-page-not-pinned",                                                   \
	  "a request does not take a reference of the page that it is for")                        \
	X(MMGET_ZERO, "swapoff-takes-dead-mm",                                                     \
	  "swapoff raises mm_users of an mm on its list without looking whether it is zero")       \
	X(MMLIST_NOT_LEFT, "mmlist-not-left", "mmput leaves the mm on swapoff's list")             \
	X(BINFMT_NOT_HELD, "binfmt-not-held",                                                      \
	  "an address space does not hold the module of its binary format")                        \
	X(BINFMT_NOT_PUT, "binfmt-not-put", "mmput forgets the module of the binary format")       \
	X(UPROBE_STATE_KEPT, "uprobe-state-kept",                                                  \
	  "mmput does not clear what uprobes have left in the mm")                                 \
	X(UPROBE_FORK_UNLOCKED, "uprobe-fork-unlocked",                                            \
	  "fork does not keep out a registration of a uprobe while it copies page tables")         \
	X(UPROBE_MUNMAP_FORGETS, "uprobe-munmap-forgets",                                          \
	  "unmapping one breakpoint of an mm forgets that it may have others")                     \
	X(COMM_UNLOCKED, "exec-comm-unlocked", "exec renames the task without task_lock")          \
	X(DE_THREAD_FORGETS_ONE, "de-thread-forgets-one",                                          \
	  "exec does not wait for one of its group's other threads")                               \
	X(DE_THREAD_STATE_LATE, "de-thread-state-late",                                            \
	  "exec drops siglock before it sets its state: the last thread's wake-up is lost")        \
	X(LEADER_NOT_DEAD, "exec-takes-live-leaders-pid",                                          \
	  "exec from another thread does not wait for the leader to be a zombie")                  \
	X(EXEC_IGNORES_GROUP_EXIT, "exec-ignores-group-exit",                                      \
	  "exec does not give up when its group is being ended or emptied already")                \
	X(SIGHAND_SHARED, "exec-keeps-shared-handlers",                                            \
	  "exec keeps a table of signal handlers that others use too")                             \
	X(LEADER_REAPED_EARLY, "leader-reaped-early",                                              \
	  "the leader of a group can be waited for while other threads live")                      \
	X(OFFLINE_KEEPS_PAGEVEC, "offline-keeps-pagevec",                                          \
	  "the pagevecs of a CPU that has gone offline are not emptied")                           \
	X(UNUSE_MM_NOT_LAZY, "unuse-mm-not-lazy",                                                  \
	  "unuse_mm does not tell the TLB that the CPU only borrows the mm from now on")           \
	X(USE_MM_NOT_PINNED, "use-mm-not-pinned",                                                  \
	  "use_mm does not take the reference that unuse_mm leaves to the borrower")               \
	X(NOTIFIER_NOT_RELEASED, "notifier-not-released",                                          \
	  "exit_mmap does not call mmu_notifier_release")                                          \
	X(NOTIFIER_UNLINKED_EARLY, "notifier-unlinked-before-release",                             \
	  "mmu_notifier_release takes a notifier off the list before it has let go")               \
	X(NOTIFIER_NO_WAIT, "notifier-unregister-no-wait",                                         \
	  "mmu_notifier_unregister does not wait for callbacks that are running")                  \
	X(NOTIFIER_IN_MID_RANGE, "notifier-registered-in-mid-range",                               \
	  "mmu_notifier_register does not wait until ranges of truncation have ended")             \
	X(NOTIFIER_SEQ_IGNORED, "notifier-seq-ignored",                                            \
	  "a device's fault does not look whether an invalidation has run meanwhile")              \
	X(COW_NOT_NOTIFIED, "cow-not-notified",                                                    \
	  "a broken copy-on-write does not tell the notifiers")                                    \
	X(MKCLEAN_NOT_NOTIFIED, "mkclean-not-notified",                                            \
	  "writeback makes ptes clean and read-only without telling the notifiers")                \
	X(GUP_NO_REFERENCE, "gup-no-reference",                                                    \
	  "get_user_page does not take a reference on the page")                                   \
	X(GUP_FORGETS_WRITE, "gup-forgets-write",                                                  \
	  "a forced write goes on as if to read when a copy-on-write is broken (19be0eaffa3a)")    \
	X(POKE_NOT_DIRTY, "remote-write-not-dirty", "a remote write does not mark the page dirty") \
	X(VFORK_DONE_UNLOCKED, "vfork-done-unlocked",                                              \
	  "a killed vfork parent takes back its completion without the child's task_lock")         \
	X(WAIT_WAKES_FORKER, "wait-wakes-forker-only",                                             \
	  "a child's exit wakes the thread that has forked it, not all that wait for it")          \
	X(EXEC_WITHOUT_CRED_GUARD, "exec-without-cred-guard",                                      \
	  "exec does not take cred_guard_mutex: its new mm is seen with its old rights")           \
	X(EXEC_IGNORES_CORE_DUMP, "exec-ignores-core-dump",                                        \
	  "exec leaves an mm of which a core is about to be dumped")                               \
	X(EXIT_MISSES_CORE_DUMP, "exit-misses-core-dump",                                          \
	  "exit_mm looks for a core dump before it takes mmap_sem")                                \
	X(EXIT_LEAVES_CORE_DUMP, "exit-leaves-core-dump",                                          \
	  "exit_mm does not wait until the core has been dumped")                                  \
	X(CORE_OWN_GROUP_ONLY, "core-dump-own-group-only",                                         \
	  "a core dump stops only the threads of its own group")                                   \
	X(CORE_COUNTED_LATE, "core-dump-counted-late",                                             \
	  "a core dump says how many it waits for when it has dropped mmap_sem already")           \
	X(OWNER_NOT_RECHECKED, "owner-not-rechecked",                                              \
	  "the next owner of an mm is not looked at again under its task_lock")                    \
	X(EXE_FILE_NOT_HELD, "exe-file-not-held",                                                  \
	  "a reader of an mm's exe file takes no reference on it")                                 \
	X(EXE_FILE_UNLOCKED, "exe-file-unlocked",                                                  \
	  "a reader of an mm's exe file does not take mmap_sem")                                   \
	X(CLEAR_TID_WAKES_FIRST, "clear-tid-wakes-first",                                          \
	  "mm_release wakes who joins the thread before it clears the thread's word")              \
	X(EXEC_KEEPS_RSS, "exec-forgets-rss-counts",                                               \
	  "exec does not fold the task's cached counters into the old mm")                         \
	X(NR_PTES_NOT_LOWERED, "nr-ptes-not-lowered",                                              \
	  "a page table that goes is still counted in nr_ptes")                                    \
	X(TABLE_BOUNDS_IGNORED, "table-bounds-ignored",                                            \
	  "munmap frees page tables that its neighbours need too")                                 \
	X(EXIT_MM_UNLOCKED, "exit-mm-unlocked", "exit_mm clears task->mm without task_lock")       \
	X(BORROWED_NOT_DROPPED, "borrowed-mm-not-dropped",                                         \
	  "nobody drops the mm that a kernel thread has borrowed until now")                       \
	X(EXE_FILE_NOT_PUT, "exe-file-not-put", "the last mmput does not put the exe file")        \
	X(FULLMM_NO_FLUSH, "fullmm-no-flush",                                                      \
	  "exit_mmap frees pages and tables without a flush, since nobody uses the mm")            \
	X(EXEC_FAIL_SURVIVES, "exec-failure-survives",                                             \
	  "an exec that fails past the point of no return does not kill the task")                 \
	X(COMM_NOT_TERMINATED, "comm-not-terminated",                                              \
	  "exec leaves a name that is too long for comm without its end")

enum mm_knob {
	MM_KNOB_FIRST = KNOBS_MM - 1,
#define X(id, slug, what) KNOB_##id,
	MM_KNOBS(X)
#undef X
};

#endif

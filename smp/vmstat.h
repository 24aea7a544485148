// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Event counters, one set a vCPU, under the kernel's names where the kernel (v3.14
 * include/linux/vm_event_item.h) has one. Counting is a plain increment of the vCPU's own word;
 * sums may be read at any time and are exact when the machine is quiet.
 */
#ifndef SMP_VMSTAT_H
#define SMP_VMSTAT_H

#include "engine/machine.h"
#include "engine/vcpu.h"

#define VMSTAT_ITEMS(X)                                                                            \
	X(pgalloc)                                                                                 \
	X(pgfree)                                                                                  \
	X(pgfault)                                                                                 \
	X(pgmajfault)                                                                              \
	X(pgcow)                                                                                   \
	X(pgmoved)                                                                                 \
	X(rmap_passed_over)                                                                        \
	X(pgspurious_fault)                                                                        \
	X(pgzap)                                                                                   \
	X(pgactivate)                                                                              \
	X(pgrotated)                                                                               \
	X(pgwriteback)                                                                             \
	X(pgpgin)                                                                                  \
	X(pgtables_freed)                                                                          \
	X(zap_full_batch)                                                                          \
	X(unevictable_pgs_mlocked)                                                                 \
	X(unevictable_pgs_munlocked)                                                               \
	X(allocstall_oom)                                                                          \
	X(fail_task)                                                                               \
	X(fail_mm)                                                                                 \
	X(fail_pte)                                                                                \
	X(fail_pmd)                                                                                \
	X(fail_pud)                                                                                \
	X(fail_pgd)                                                                                \
	X(fail_vma)                                                                                \
	X(fail_vma_array)                                                                          \
	X(fail_anon_vma)                                                                           \
	X(fail_anon_vma_chain)                                                                     \
	X(fail_page)                                                                               \
	X(fail_page_cache)                                                                         \
	X(fail_memcg)                                                                              \
	X(fail_commit)                                                                             \
	X(fail_file)                                                                               \
	X(fail_bprm)                                                                               \
	X(fail_device)                                                                             \
	X(fail_gather)                                                                             \
	X(fail_table_batch)                                                                        \
	X(fail_signal)                                                                             \
	X(fail_sighand)                                                                            \
	X(fail_kioctx)                                                                             \
	X(fail_aio)                                                                                \
	X(fail_mm_slot)                                                                            \
	X(fail_uprobe)                                                                             \
	X(fail_map_info)                                                                           \
	X(fail_xol_area)                                                                           \
	X(fail_module)                                                                             \
	X(nr_tlb_remote_flush)                                                                     \
	X(nr_tlb_remote_flush_received)                                                            \
	X(nr_tlb_local_flush_all)                                                                  \
	X(nr_tlb_local_flush_one)                                                                  \
	X(nr_tlb_lazy_leave)                                                                       \
	X(tlb_hit)                                                                                 \
	X(tlb_miss)                                                                                \
	X(tlb_dirty_assist)                                                                        \
	X(walk_cache_hit)                                                                          \
	X(nr_ipi_sent)                                                                             \
	X(nr_ipi_received)                                                                         \
	X(nr_context_switches)                                                                     \
	X(nr_mm_switches)                                                                          \
	X(nr_lazy_entries)                                                                         \
	X(nr_preemptions)                                                                          \
	X(nr_migrations)                                                                           \
	X(nr_migrations_wakeup)                                                                    \
	X(nr_migrations_balance)                                                                   \
	X(nr_migrations_hotplug)                                                                   \
	X(nr_affinity_lost)                                                                        \
	X(cpu_offline)                                                                             \
	X(cpu_online)                                                                              \
	X(nr_wakeups)                                                                              \
	X(nr_rcu_callbacks)                                                                        \
	X(rwsem_read_slow)                                                                         \
	X(rwsem_write_slow)                                                                        \
	X(mm_created)                                                                              \
	X(mm_freed)                                                                                \
	X(mmput_last)                                                                              \
	X(mmdrop_last)                                                                             \
	X(get_task_mm_ok)                                                                          \
	X(get_task_mm_none)                                                                        \
	X(exec_de_thread)                                                                          \
	X(exec_takeover)                                                                           \
	X(exec_interrupted)                                                                        \
	X(group_exit)                                                                              \
	X(group_kill)                                                                              \
	X(vfork_killed)                                                                            \
	X(mm_access_ok)                                                                            \
	X(mm_access_denied)                                                                        \
	X(slot_vacant)                                                                             \
	X(futex_wait)                                                                              \
	X(futex_wake)                                                                              \
	X(wait_other_thread)                                                                       \
	X(reparent_thread)                                                                         \
	X(coredump)                                                                                \
	X(coredump_waited_for)                                                                     \
	X(coredump_pages)                                                                          \
	X(coredump_refused)                                                                        \
	X(exec_core_dump)                                                                          \
	X(mm_owner_next)                                                                           \
	X(mm_owner_retry)                                                                          \
	X(exe_file_read)                                                                           \
	X(exe_file_set)                                                                            \
	X(mm_slot_enter)                                                                           \
	X(mm_slot_exit_waits)                                                                      \
	X(mm_slot_collected)                                                                       \
	X(scanner_pages)                                                                           \
	X(aio_submit)                                                                              \
	X(aio_complete)                                                                            \
	X(aio_exit_waits)                                                                          \
	X(swap_mms)                                                                                \
	X(swapoff_visits)                                                                          \
	X(swapoff_exiting)                                                                         \
	X(module_loaded)                                                                           \
	X(module_deleted)                                                                          \
	X(module_busy)                                                                             \
	X(uprobe_install)                                                                          \
	X(uprobe_remove)                                                                           \
	X(uprobe_hit)                                                                              \
	X(uprobe_recalc)                                                                           \
	X(xol_area)                                                                                \
	X(notifier_range)                                                                          \
	X(notifier_page)                                                                           \
	X(notifier_change_pte)                                                                     \
	X(notifier_release)                                                                        \
	X(device_access)                                                                           \
	X(device_fault)                                                                            \
	X(device_fault_retry)                                                                      \
	X(device_invalidated)                                                                      \
	X(gup_forced)                                                                              \
	X(remote_read)                                                                             \
	X(remote_write)                                                                            \
	X(audits)                                                                                  \
	X(oracle_data_checks)                                                                      \
	X(oracle_tlb_scans)

enum vmstat_item {
#define X(name) VMSTAT_##name,
	VMSTAT_ITEMS(X)
#undef X
		NR_VMSTAT_ITEMS
};

extern const char *const vmstat_names[NR_VMSTAT_ITEMS];

static __always_inline_fn void count_vm_events(enum vmstat_item item, u64 n)
{
	u64 *c = &this_vcpu()->counters[item];

	/* Only this vCPU writes; the monitor reads while we run. */
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

static __always_inline_fn void count_vm_event(enum vmstat_item item)
{
	count_vm_events(item, 1);
}

/* The sum over all vCPUs; from any thread. */
u64 vmstat_sum(const struct machine *m, enum vmstat_item item);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Failing allocations, as the kernel's fault injection has them (v3.14 lib/fault-inject.c,
 * mm/failslab.c, mm/page_alloc.c: fail_page_alloc), with one row for each place that allocates.
 *
 * Structure. A machine that is to have failing allocations has a struct fail_alloc; all others
 * have none, and an allocation costs them one look at a pointer. Each site may have a rule: the
 * n-th allocation there fails, or one in so many. The row `any` is for all sites together, with a
 * count of its own. With task_filter only tasks that ask for it are concerned
 * (task_struct.make_it_fail, which their children inherit), so that what sets a test up can't fail.
 *
 * Under threads "one in N" is drawn from the task's generator. Under the explorer it is a choice of
 * the strategy (CHOICE_ALLOC_FAIL) at every such allocation, whatever N is: it is recorded,
 * replayed and minimised like every other.
 *
 * Units: allocations, counted from 1. Locking: the counts are atomic, and no decision points; rules
 * are set before the tasks run. Process context.
 * Errors: whoever is told to fail behaves as without memory.
 */
#ifndef SMP_FAIL_ALLOC_H
#define SMP_FAIL_ALLOC_H

#include "engine/arena.h"
#include "engine/machine.h"
#include "engine/vcpu.h"

/* Identifier, the name that users give, what is allocated. The page tables from the lowest level
 * up, as LEVEL_... counts them. smp/vmstat.h counts failures in the same order. */
#define ALLOC_SITES(X)                                                                             \
	X(task, "task", "the task_struct of clone")                                                \
	X(mm, "mm", "an mm_struct")                                                                \
	X(pte, "pte", "a page of page-table entries")                                              \
	X(pmd, "pmd", "a page middle directory")                                                   \
	X(pud, "pud", "a page upper directory")                                                    \
	X(pgd, "pgd", "the page directory of a new mm")                                            \
	X(vma, "vma", "a vm_area_struct")                                                          \
	X(vma_array, "vma-array", "a larger array for the VMAs of an mm")                          \
	X(anon_vma, "anon-vma", "an anon_vma")                                                     \
	X(anon_vma_chain, "anon-vma-chain", "a link between a VMA and an anon_vma")                \
	X(page, "page", "an anonymous page, or a private copy")                                    \
	X(page_cache, "page-cache", "a page of a file")                                            \
	X(memcg, "memcg", "a charge to a memory cgroup")                                           \
	X(commit, "commit", "memory to commit (security_vm_enough_memory)")                        \
	X(file, "file", "an open file")                                                            \
	X(bprm, "bprm", "what exec knows of the new image")                                        \
	X(device, "device", "a driver's mapping, or one of its frames")                            \
	X(gather, "gather", "a further batch of an mmu_gather")                                    \
	X(table_batch, "table-batch", "the batch of freed page tables")                            \
	X(signal, "signal", "the signal_struct of a process")                                      \
	X(sighand, "sighand", "a table of signal handlers")                                        \
	X(kioctx, "kioctx", "the asynchronous I/O context of an mm")                               \
	X(aio, "aio", "a request for asynchronous I/O")                                            \
	X(mm_slot, "mm-slot", "the registration of an mm with a scanner")                          \
	X(uprobe, "uprobe", "a uprobe")                                                            \
	X(map_info, "map-info", "a place that a uprobe is to be put at, or taken from")            \
	X(xol_area, "xol-area", "where an mm steps over breakpoints")                              \
	X(module, "module", "the module of a binary format")

enum alloc_site {
#define X(id, name, what) ALLOC_SITE_##id,
	ALLOC_SITES(X)
#undef X
		NR_ALLOC_SITES,
	ALLOC_SITE_any = NR_ALLOC_SITES,
};

/* The names, and "any" behind them. */
extern const char *const alloc_site_names[NR_ALLOC_SITES + 1];

/* Which allocations of a site fail; all zero: none. */
struct alloc_rule {
	u64 nth;    /* this one, once */
	u32 one_in; /* one in so many */
};

struct fail_alloc {
	struct alloc_rule rules[NR_ALLOC_SITES + 1];
	u64 tried[NR_ALLOC_SITES + 1]; /* atomic; of sites that have an nth */
	bool task_filter;
};

/* From now on allocations of @m may fail, by rules that are still to be set: the caller does.
 * Returns them, or NULL without memory. It lasts until machine_reset(). */
struct fail_alloc *fail_alloc_arm(struct machine *m);

/* The slow half of should_fail_alloc(). */
bool fail_alloc_decide(struct fail_alloc *f, enum alloc_site site);

/* Is this allocation to fail? Asked once for each. */
static __always_inline_fn bool should_fail_alloc(enum alloc_site site)
{
	struct fail_alloc *f = this_vcpu()->machine->fail_alloc;

	return unlikely(f) && fail_alloc_decide(f, site);
}

/* kmem_cache_alloc() at a site that may be told to fail. */
static __always_inline_fn void *kmem_cache_alloc_at(struct kmem_cache *c, enum alloc_site site)
{
	return unlikely(should_fail_alloc(site)) ? NULL : kmem_cache_alloc(c);
}

/* The same, cleared. */
static __always_inline_fn void *kmem_cache_zalloc_at(struct kmem_cache *c, enum alloc_site site)
{
	return unlikely(should_fail_alloc(site)) ? NULL : kmem_cache_zalloc(c);
}

#endif

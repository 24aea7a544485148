// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Setting up the memory management of a machine that has no tasks yet.
 */
#include <errno.h>

#include "mm/aio.h"
#include "mm/binfmt_module.h"
#include "mm/cpu_hotplug.h"
#include "mm/file.h"
#include "mm/futex.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memcg.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/mm_machine.h"
#include "mm/mm_slots.h"
#include "mm/mmu_gather.h"
#include "mm/notifier.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/secondary_tlb.h"
#include "mm/uprobes.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "tlbshoot/tlb.h"

static const struct sched_ops mm_sched_ops = {
	.context_switch_mm = mm_context_switch,
	.finish_switch_mm = mm_finish_switch,
};

static int mm_machine_alloc(struct machine *m, const struct mm_options *o)
{
	struct mm_machine *mm = arena_alloc(&m->arena, sizeof(*mm), CACHE_LINE);

	if (!mm)
		return -ENOMEM;
	m->mm = mm;
	mm->table_free_rcu = o->table_free_rcu;
	mm->gather_bundle = o->gather_bundle ? o->gather_bundle : MMU_GATHER_BUNDLE;
	mm->gather_batches = o->gather_batches == ~0u ? MAX_GATHER_BATCH_COUNT : o->gather_batches;
	spin_lock_init(&mm->mmlist_lock, LOCK_CLASS_mmlist_lock);
	CDS_INIT_LIST_HEAD(&mm->mmlist);
	CDS_INIT_LIST_HEAD(&mm->swap_mms);
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		m->vcpus[i].mm = arena_alloc(&m->arena, sizeof(struct mm_percpu), CACHE_LINE);
		if (!m->vcpus[i].mm)
			return -ENOMEM;
	}
	return futex_setup(m);
}

static int caches_setup(struct machine *m)
{
	struct mm_machine *mm = m->mm;

	mm->mm_cache = kmem_cache_create(m, "mm_struct", mm_block_size(m->nr_vcpus), CACHE_LINE);
	mm->anon_vma_cache = kmem_cache_create(m, "anon_vma", sizeof(struct anon_vma), CACHE_LINE);
	mm->avc_cache = kmem_cache_create(m, "anon_vma_chain", sizeof(struct anon_vma_chain),
					  sizeof(void *));
	if (!mm->mm_cache || !mm->anon_vma_cache || !mm->avc_cache)
		return -ENOMEM;
	/* page_get_anon_vma() may look at one that is being freed (rmap.c). */
	mm->anon_vma_cache->type_stable = true;
	/* A reader without the lock, or without a reference, looks at mms that are freed under its
	 * eyes: the oracle is to say so, not AddressSanitizer. */
	if (knob_given(m, KNOB_GET_TASK_MM_UNLOCKED) || knob_given(m, KNOB_SLOT_NOT_PINNED) ||
	    knob_given(m, KNOB_KSM_UP_READ_LATE))
		mm->mm_cache->type_stable = true;
	return 0;
}

/* What reads of untouched anonymous memory are mapped to. */
static int zero_page_setup(struct machine *m)
{
	struct page *zero = alloc_page(PAGE_USER);

	if (!zero)
		return -ENOMEM;
	clear_user_page(zero);
	page_flag_set(zero, PG_reserved);
	m->mm->zero_pfn = page_to_pfn(zero);
	return 0;
}

int init_mm_setup(struct machine *m)
{
	struct mm_struct *mm = mm_create(m, NULL, memcg_get(m, 0), mm_new_domain(m));

	if (!mm)
		return -ENOMEM;
	m->mm->init_mm = mm;
	m->tlb->kernel_root = mm->context.root;
	m->tlb->kernel_context = &mm->context;
	/* Each idle task begins as a borrower, as start_secondary() of the kernel makes it. */
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		mmgrab(mm);
		rq_of(m, i)->idle->active_mm = mm;
	}
	return 0;
}

/* Boots on the first vCPU: pages are taken as a running kernel takes them. */
static int boot(struct machine *m)
{
	struct vcpu *before = this_vcpu();
	int err;

	vcpu_set_current(&m->vcpus[0]);
	err = zero_page_setup(m);
	if (!err)
		err = init_mm_setup(m);
	vcpu_set_current(before);
	return err;
}

int mm_setup(struct machine *m, const struct mm_options *options)
{
	int err = smp_setup(m, &mm_sched_ops);

	if (!err)
		err = mm_machine_alloc(m, options);
	if (!err)
		err = tlb_setup(m, options->nr_pages, options->geometry, options->policy);
	if (err)
		return err;
	m->tlb->table_free_rcu = options->table_free_rcu;
	mm_cpu_hotplug_setup(m);
	err = page_alloc_setup(m, options->nr_pages);
	if (!err)
		err = lru_setup(m);
	if (!err)
		err = memcg_setup(m);
	if (!err)
		err = mmu_gather_setup(m);
	if (!err)
		err = vma_setup(m);
	if (!err)
		err = files_setup(m);
	if (!err)
		err = mm_slots_setup(m);
	if (!err)
		err = aio_setup(m);
	if (!err)
		err = uprobes_setup(m);
	if (!err)
		err = binfmt_setup(m);
	if (!err)
		err = caches_setup(m);
	if (!err)
		err = mmu_notifiers_setup(m);
	if (!err)
		err = secondary_tlbs_setup(m);
	return err ? err : boot(m);
}

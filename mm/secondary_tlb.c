// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/secondary_tlb.h"

#include <errno.h>
#include <string.h>

#include "mm/file.h"
#include "mm/gup.h"
#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "smp/spinlock.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlb_oracle.h"

EVENT_DESC(ev_enter, 469, 0, "device enters", "va %#llx: pfn %llu");
EVENT_DESC(ev_drop, 470, 0, "device drops", "va %#llx: pfn %llu");
EVENT_DESC(ev_retry, 471, 0, "device fault: retry", "at %#llx, notifier_count %llu");
EVENT_DESC(ev_released, 472, 0, "device released", "mm%llu%.0llu");

INVARIANT(inv_stale_use, "secondary-tlb-stale-use",
	  "a device uses a translation only while its frame has not been freed since");
INVARIANT(inv_at_free, "secondary-tlb-at-free",
	  "when a frame is freed or handed out, no device's translation names it");
INVARIANT(inv_exceeds, "secondary-tlb-exceeds-pagetable",
	  "unless a change is under way, no device holds what the page table does not grant");
INVARIANT(inv_clean, "secondary-tlb-writes-clean-page",
	  "when a page is declared clean, no device can store to it");
INVARIANT(inv_freed, "secondary-tlb-freed", "a secondary TLB that is gone is called by nobody");

#define SECONDARY_MAGIC 0x73746c62u
#define SECONDARY_FREED 0x6b6b6b6bu

/* What the oracle reads of other tasks' devices only the explorer orders. */
#define ORACLE_LOOKS __attribute__((no_sanitize("thread")))

int secondary_tlbs_setup(struct machine *m)
{
	struct secondary_tlbs *all = arena_alloc(&m->arena, sizeof(*all), CACHE_LINE);

	if (!all)
		return -ENOMEM;
	spin_lock_init(&all->lock, LOCK_CLASS_secondary_tlb);
	CDS_INIT_LIST_HEAD(&all->list);
	all->cache = kmem_cache_create(m, "secondary_tlb", sizeof(struct secondary_tlb), 8);
	m->mm->secondary = all;
	return all->cache ? 0 : -ENOMEM;
}

static struct machine *machine_of(void)
{
	return this_vcpu()->machine;
}

static u64 pfn_of(const struct frame *f)
{
	return frame_number(&machine_of()->tlb->mem, f);
}

/* --- The oracle ------------------------------------------------------------------------------- */

/* Looks at memory that may have been freed. */
static void check_there(struct secondary_tlb *st)
{
	explore_touch(&st->magic, false);
	if (unlikely(oracle_read(st->magic) != SECONDARY_MAGIC))
		VIOLATION(&inv_freed, "a callback finds a secondary TLB that %s",
			  oracle_read(st->magic) == SECONDARY_FREED ? "has been freed" : "is none");
}

/* Does the page table map what @e says, with no less permission? */
ORACLE_LOOKS static bool granted(struct machine *m, const struct secondary_tlb *st,
				 const struct secondary_entry *e)
{
	u32 level = 0;
	pteval_t pte = tlb_oracle_walk(m, st->mm->context.root, e->va, &level);

	return pte && !level && pte_pfn(pte) == frame_number(&m->tlb->mem, e->frame) &&
	       (!e->writable || pte & PTE_RW);
}

/* Neither a TLB flush nor anything else is still to come that takes @e away. */
ORACLE_LOOKS static void check_granted(struct machine *m, const struct secondary_tlb *st,
				       const struct secondary_entry *e, const char *when)
{
	const struct mm_struct *mm = st->mm;

	explore_touch(&mm->context.flush_pending, false);
	if (oracle_read(mm->context.flush_pending) || granted(m, st, e))
		return;
	VIOLATION(&inv_exceeds,
		  "%s: a device has va %#llx of mm%u -> pfn %llu%s, which the page table does not "
		  "grant, and no change is pending",
		  when, (unsigned long long)e->va, mm->context.id,
		  (unsigned long long)frame_number(&m->tlb->mem, e->frame),
		  e->writable ? ", writable" : "");
}

ORACLE_LOOKS static void check_all_granted(struct machine *m, const struct secondary_tlb *st,
					   const char *when)
{
	for (u32 i = 0; i < SECONDARY_TLB_ENTRIES; i++) {
		if (st->entries[i].valid)
			check_granted(m, st, &st->entries[i], when);
	}
}

ORACLE_LOOKS static void search(struct machine *m, u64 pfn, bool writable,
				const struct invariant *inv, const char *what)
{
	const struct frame *f = frame_of(&m->tlb->mem, pfn);
	const struct secondary_tlb *st;

	/* Tests of the allocator have none. */
	if (!m->mm->secondary)
		return;
	explore_touch(&m->mm->secondary->list, false);
	cds_list_for_each_entry(st, &m->mm->secondary->list, node) {
		explore_touch(&st->entries, false);
		for (u32 i = 0; i < SECONDARY_TLB_ENTRIES; i++) {
			const struct secondary_entry *e = &st->entries[i];

			if (!e->valid || e->frame != f || (writable && !e->writable))
				continue;
			VIOLATION(inv, "pfn %llu %s; a device has it for va %#llx of mm%u",
				  (unsigned long long)pfn, what, (unsigned long long)e->va,
				  st->mm->context.id);
		}
	}
}

void secondary_tlb_frame_freed(struct machine *m, u64 pfn)
{
	search(m, pfn, false, &inv_at_free, "is freed");
}

void secondary_tlb_frame_taken(struct machine *m, u64 pfn)
{
	search(m, pfn, false, &inv_at_free, "is handed out");
}

void secondary_tlb_frame_clean(struct machine *m, u64 pfn)
{
	search(m, pfn, true, &inv_clean, "is declared clean");
}

void secondary_tlb_audit(struct machine *m)
{
	const struct secondary_tlb *st;

	cds_list_for_each_entry(st, &m->mm->secondary->list, node)
		check_all_granted(m, st, "in a quiet machine");
}

/* --- Callbacks -------------------------------------------------------------------------------- */

/* Lock held. The page is mapped still, so it may be looked at. */
static void drop_entry(struct secondary_tlb *st, struct secondary_entry *e)
{
	struct page *page = pfn_to_page(pfn_of(e->frame));

	event_record(&ev_drop, e->va, page_to_pfn(page));
	count_vm_event(VMSTAT_device_invalidated);
	if (e->dirty && !page_is_anon(page))
		set_page_dirty(page);
	explore_touch(&st->entries, true);
	e->valid = false;
}

static void drop_range(struct secondary_tlb *st, u64 start, u64 end)
{
	for (u32 i = 0; i < SECONDARY_TLB_ENTRIES; i++) {
		struct secondary_entry *e = &st->entries[i];

		if (e->valid && e->va < end && e->va + PAGE_SIZE > start)
			drop_entry(st, e);
	}
}

static struct secondary_tlb *of_notifier(struct mmu_notifier *mn)
{
	struct secondary_tlb *st = container_of(mn, struct secondary_tlb, mn);

	check_there(st);
	return st;
}

/* (B) */
static void range_start(struct mmu_notifier *mn, struct mm_struct *mm, u64 start, u64 end)
{
	struct secondary_tlb *st = of_notifier(mn);

	(void)mm;
	spin_lock(&st->lock);
	/* From here on no fault enters anything: what it has found may be on its way out. */
	if (!st->released)
		WRITE_ONCE(st->notifier_count, st->notifier_count + 1);
	drop_range(st, start, end);
	spin_unlock(&st->lock);
}

static void range_end(struct mmu_notifier *mn, struct mm_struct *mm, u64 start, u64 end)
{
	struct secondary_tlb *st = of_notifier(mn);

	(void)mm;
	(void)start;
	(void)end;
	spin_lock(&st->lock);
	/* The sequence first: who finds the count at zero finds it changed. */
	WRITE_ONCE(st->notifier_seq, st->notifier_seq + 1);
	if (!st->released)
		smp_store_release(&st->notifier_count, st->notifier_count - 1);
	if (exploring())
		check_all_granted(machine_of(), st, "at the end of a range");
	spin_unlock(&st->lock);
}

static void page_weakened(struct mmu_notifier *mn, struct mm_struct *mm, u64 addr)
{
	struct secondary_tlb *st = of_notifier(mn);

	(void)mm;
	spin_lock(&st->lock);
	WRITE_ONCE(st->notifier_seq, st->notifier_seq + 1);
	drop_range(st, addr, addr + PAGE_SIZE);
	spin_unlock(&st->lock);
}

/* KVM makes use of what the entry will be if that is read-only. Here the next access asks. */
static void pte_changes(struct mmu_notifier *mn, struct mm_struct *mm, u64 addr, pteval_t pte)
{
	(void)pte;
	page_weakened(mn, mm, addr);
}

static void mm_released(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct secondary_tlb *st = of_notifier(mn);

	event_record(&ev_released, mm->context.id, 0);
	spin_lock(&st->lock);
	st->released = true;
	WRITE_ONCE(st->notifier_seq, st->notifier_seq + 1);
	/* Truncation may be in a range whose end finds us no more, and a fault wait for it. */
	smp_store_release(&st->notifier_count, 0);
	drop_range(st, 0, TASK_SIZE);
	spin_unlock(&st->lock);
	/* A device takes its time; its owner waits for it. */
	check_there(st);
}

static const struct mmu_notifier_ops secondary_ops = {
	.release = mm_released,
	.invalidate_range_start = range_start,
	.invalidate_range_end = range_end,
	.invalidate_page = page_weakened,
	.change_pte = pte_changes,
};

/* --- The device ------------------------------------------------------------------------------- */

struct secondary_tlb *secondary_tlb_create(struct mm_struct *mm)
{
	struct secondary_tlbs *all = this_mm()->secondary;
	struct secondary_tlb *st = kmem_cache_alloc_at(all->cache, ALLOC_SITE_device);

	if (!st)
		return NULL;
	st->mn.ops = &secondary_ops;
	st->mm = mm;
	spin_lock_init(&st->lock, LOCK_CLASS_secondary_tlb);
	init_once(st->notifier_count, 0);
	init_once(st->notifier_seq, 0);
	st->victim = 0;
	st->released = false;
	memset(st->entries, 0, sizeof(st->entries));
	init_once(st->magic, SECONDARY_MAGIC);
	spin_lock(&all->lock);
	explore_touch(&all->list, true);
	cds_list_add_tail(&st->node, &all->list);
	spin_unlock(&all->lock);
	mmu_notifier_register(&st->mn, mm);
	return st;
}

static void free_secondary(struct rcu_head *head)
{
	kmem_cache_free(this_mm()->secondary->cache, container_of(head, struct secondary_tlb, rcu));
}

void secondary_tlb_destroy(struct secondary_tlb *st)
{
	struct secondary_tlbs *all = this_mm()->secondary;

	mmu_notifier_unregister(&st->mn, st->mm);
	spin_lock(&all->lock);
	explore_touch(&all->list, true);
	cds_list_del(&st->node);
	spin_unlock(&all->lock);
	explore_touch(&st->magic, true);
	init_once(st->magic, SECONDARY_FREED);
	/* Nobody is inside any more, so it could go at once. A callback that comes too late, which
	 * runs in a read section, is to be told by the magic number and not by a sanitizer. */
	call_rcu(&st->rcu, free_secondary);
}

static struct secondary_entry *find_entry(struct secondary_tlb *st, u64 va)
{
	for (u32 i = 0; i < SECONDARY_TLB_ENTRIES; i++) {
		if (st->entries[i].valid && st->entries[i].va == (va & PAGE_MASK))
			return &st->entries[i];
	}
	return NULL;
}

/* The page's old entry, if it has one, or that whose turn it is. Lock held. */
static struct secondary_entry *free_entry(struct secondary_tlb *st, u64 va)
{
	struct secondary_entry *e = find_entry(st, va);

	if (!e) {
		e = &st->entries[st->victim];
		st->victim = (st->victim + 1) % SECONDARY_TLB_ENTRIES;
	}
	if (e->valid)
		drop_entry(st, e);
	return e;
}

/* (A) Has the page been found before or while something was invalidated? Lock held (v3.13
 * mmu_notifier_retry). */
static bool must_retry(const struct secondary_tlb *st, u32 seq)
{
	if (unlikely(planted(KNOB_NOTIFIER_SEQ_IGNORED)))
		return false;
	return READ_ONCE(st->notifier_count) || READ_ONCE(st->notifier_seq) != seq;
}

static void enter(struct secondary_tlb *st, u64 va, bool write, struct page *page)
{
	struct secondary_entry *e = free_entry(st, va);
	struct frame *f = page_frame(page);

	explore_touch(&st->entries, true);
	*e = (struct secondary_entry){
		.va = va & PAGE_MASK,
		.frame = f,
		.generation = frame_generation(f),
		.valid = true,
		.writable = write,
	};
	event_record(&ev_enter, va, page_to_pfn(page));
}

/* Enters the page that has been found, with the reference that keeps it until then, unless it may
 * be another by now. */
static int enter_unless_changed(struct secondary_tlb *st, u64 va, bool write, struct page *page,
				u32 seq)
{
	bool retry;

	spin_lock(&st->lock);
	retry = must_retry(st, seq);
	if (!retry)
		enter(st, va, write, page);
	spin_unlock(&st->lock);
	put_user_page(page);
	return retry ? -EAGAIN : 0;
}

static int fault_once(struct secondary_tlb *st, u64 va, bool write)
{
	struct mm_struct *mm = st->mm;
	struct page *page;
	u32 seq;
	int err;

	/* The device has the structure only: the address space may be going. */
	if (!atomic_inc_not_zero(&mm->mm_users))
		return -ESRCH;
	/* (A) */
	seq = smp_load_acquire(&st->notifier_seq);
	down_read(&mm->mmap_sem);
	err = get_user_page(mm, va, write ? FOLL_WRITE : 0, &page);
	up_read(&mm->mmap_sem);
	if (!err)
		err = enter_unless_changed(st, va, write, page, seq);
	/* Perhaps the last one: our own callbacks run then. */
	mmput(mm);
	return err;
}

static int device_fault(struct secondary_tlb *st, u64 va, bool write)
{
	struct spin spin = {0};
	int err;

	count_vm_event(VMSTAT_device_fault);
	while ((err = fault_once(st, va, write)) == -EAGAIN) {
		count_vm_event(VMSTAT_device_fault_retry);
		event_record(&ev_retry, va, oracle_read(st->notifier_count));
		while (READ_ONCE(st->notifier_count))
			cpu_relax_on(&st->notifier_count, &spin);
	}
	return err;
}

/* One transaction of the device's. Lock held, so that it is over when its entry is dropped. */
static void transact(struct secondary_tlb *st, struct secondary_entry *e, u64 va, bool write,
		     u64 *value)
{
	u64 *word = frame_word(e->frame, va);

	if (unlikely(exploring()))
		explore_point(word, write ? MMT_SITE(ACCESS_STORE) : MMT_SITE(ACCESS_LOAD));
	/* From here to the access nobody else runs. */
	explore_touch(e->frame, false);
	if (unlikely(frame_generation(e->frame) != e->generation))
		VIOLATION(&inv_stale_use,
			  "a device %s va %#llx of mm%u through pfn %llu: entered at generation "
			  "%u, is at %u",
			  write ? "writes" : "reads", (unsigned long long)va, st->mm->context.id,
			  (unsigned long long)pfn_of(e->frame), e->generation,
			  frame_generation(e->frame));
	if (exploring())
		check_granted(machine_of(), st, e, "at its use");
	if (write)
		__atomic_store_n(word, *value, __ATOMIC_RELAXED);
	else
		*value = __atomic_load_n(word, __ATOMIC_RELAXED);
	e->dirty |= write;
	count_vm_event(VMSTAT_device_access);
}

int secondary_tlb_access(struct secondary_tlb *st, u64 va, bool write, u64 *value,
			 void (*seen)(void *arg, u64 value), void *arg)
{
	for (;;) {
		struct secondary_entry *e;
		int err;

		spin_lock(&st->lock);
		e = find_entry(st, va);
		if (e && (e->writable || !write)) {
			transact(st, e, va, write, value);
			if (seen)
				seen(arg, *value);
			spin_unlock(&st->lock);
			return 0;
		}
		err = st->released ? -ESRCH : 0;
		spin_unlock(&st->lock);
		if (!err)
			err = device_fault(st, va, write);
		if (err)
			return err;
	}
}

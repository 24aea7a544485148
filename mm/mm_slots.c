// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/mm_slots.h"

#include <errno.h>

#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/fail_alloc.h"
#include "smp/mutex.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_enter, 313, 0, "mm_slots_enter", "mm%llu, scanner %llu");
EVENT_DESC(ev_exit, 314, 0, "mm_slots_exit", "mm%llu, scanner %llu");
EVENT_DESC(ev_scan, 315, 0, "scanner looks at", "mm%llu from %#llx on");
EVENT_DESC(ev_collect, 316, 0, "scanner collects", "the slot of mm%llu, scanner %llu");

INVARIANT(inv_scanner_inside, "scanner-in-dead-mm",
	  "nobody but the last user walks an address space that is being torn down");
INVARIANT(inv_slot_leak, "mm-slot-leak",
	  "when all tasks have gone, what scanners have registered are mms without users");

/* One registered mm. */
struct mm_slot {
	struct mm_struct *mm;	   /* with one mm_count */
	struct cds_list_head node; /* lock */
	u32 nr_items;		   /* pages that KSM knows of */
};

/* One scanner of a machine. */
struct mm_slots {
	enum mm_scanner which;
	struct mutex turn;
	spinlock_t lock;
	struct cds_list_head list;
	struct mm_slot *cursor; /* NULL: the pass begins anew */
	u64 address;		/* in the cursor's mm; turn */
	struct kmem_cache *cache;
};

static const u32 registered_flag[NR_MM_SCANNERS] = {
	[MM_SCANNER_KSM] = MMF_VM_MERGEABLE,
	[MM_SCANNER_KHUGEPAGED] = MMF_VM_HUGEPAGE,
};

u32 mm_slots_vm_flag(enum mm_scanner which)
{
	return which == MM_SCANNER_KSM ? VM_MERGEABLE : VM_HUGEPAGE;
}

static struct mm_slots *slots_of(enum mm_scanner which)
{
	return &this_mm()->slots[which];
}

int mm_slots_setup(struct machine *m)
{
	struct mm_slots *all = arena_alloc(&m->arena, NR_MM_SCANNERS * sizeof(*all), CACHE_LINE);
	struct kmem_cache *cache =
		kmem_cache_create(m, "mm_slot", sizeof(struct mm_slot), sizeof(void *));

	if (!all || !cache)
		return -ENOMEM;
	m->mm->slots = all;
	for (u32 i = 0; i < NR_MM_SCANNERS; i++) {
		all[i].which = (enum mm_scanner)i;
		mutex_init(&all[i].turn, LOCK_CLASS_scanner_turn);
		spin_lock_init(&all[i].lock, LOCK_CLASS_slots_lock);
		CDS_INIT_LIST_HEAD(&all[i].list);
		all[i].cache = cache;
	}
	return 0;
}

static void slot_get_mm(struct mm_struct *mm)
{
	if (likely(!planted(KNOB_SLOT_NOT_PINNED)))
		mmgrab(mm);
}

static void slot_put_mm(struct mm_struct *mm)
{
	if (likely(!planted(KNOB_SLOT_NOT_PINNED)))
		mmdrop(mm);
}

int mm_slots_enter(struct mm_struct *mm, enum mm_scanner which)
{
	struct mm_slots *s = slots_of(which);
	struct mm_slot *slot;

	if (READ_ONCE(mm->flags) & registered_flag[which])
		return 0;
	slot = kmem_cache_zalloc_at(s->cache, ALLOC_SITE_mm_slot);
	if (!slot)
		return -ENOMEM;
	slot->mm = mm;
	slot_get_mm(mm);
	spin_lock(&s->lock);
	/* Behind the cursor, so that a new area can settle before KSM comes by. */
	if (which == MM_SCANNER_KSM && s->cursor)
		cds_list_add_tail(&slot->node, &s->cursor->node);
	else
		cds_list_add_tail(&slot->node, &s->list);
	mm->slots[which] = slot;
	spin_unlock(&s->lock);
	(void)atomic_fetch_or(registered_flag[which], &mm->flags);
	count_vm_event(VMSTAT_mm_slot_enter);
	event_record(&ev_enter, mm->context.id, which);
	return 0;
}

int mm_slots_fork(struct mm_struct *mm, const struct mm_struct *oldmm)
{
	u32 flags = READ_ONCE(oldmm->flags);
	int err = 0;

	for (u32 i = 0; i < NR_MM_SCANNERS && !err; i++) {
		if (unlikely(flags & registered_flag[i]))
			err = mm_slots_enter(mm, (enum mm_scanner)i);
	}
	return err;
}

/* lock held. The slot belongs to the caller then. */
static void unhook(struct mm_slots *s, struct mm_slot *slot)
{
	cds_list_del(&slot->node);
	slot->mm->slots[s->which] = NULL;
}

/* What unhook() has returned. The mm may go with it. */
static void free_slot(struct mm_slots *s, struct mm_slot *slot)
{
	struct mm_struct *mm = slot->mm;

	mm_check_alive(mm, __func__);
	/* Pairs with mm_slots_exit(): the mm's last user may be on its way. */
	(void)atomic_fetch_and(~registered_flag[s->which], &mm->flags);
	kmem_cache_free(s->cache, slot);
	slot_put_mm(mm);
}

void mm_slots_exit(struct mm_struct *mm, enum mm_scanner which)
{
	struct mm_slots *s = slots_of(which);
	struct mm_slot *slot;
	bool easy = false;

	/* Acquire: if the scanner has just taken the mm off its list (free_slot), what comes now
	 * comes after its walk. */
	if (likely(!(smp_load_acquire(&mm->flags) & registered_flag[which])))
		return;
	event_record(&ev_exit, mm->context.id, which);
	spin_lock(&s->lock);
	slot = mm->slots[which];
	if (slot && s->cursor != slot) {
		easy = !slot->nr_items;
		if (easy) {
			unhook(s, slot);
		} else if (s->cursor) {
			/* The next one that the scanner comes to. */
			cds_list_del(&slot->node);
			cds_list_add(&slot->node, &s->cursor->node);
		}
	}
	spin_unlock(&s->lock);
	if (easy) {
		free_slot(s, slot);
	} else if (slot && likely(!planted(KNOB_SCANNER_EXIT_NO_WAIT))) {
		/* A scanner inside comes out; the next one sees that mm_users is zero. */
		count_vm_event(VMSTAT_mm_slot_exit_waits);
		down_write(&mm->mmap_sem);
		up_write(&mm->mmap_sem);
	}
}

void mm_slots_check_left(struct mm_struct *mm)
{
	if (unlikely(oracle_read(mm->oracle_scanners)))
		VIOLATION(&inv_scanner_inside, "mm%u is torn down while a scanner walks it",
			  mm->context.id);
	__atomic_store_n(&mm->oracle_torn_down, 1, __ATOMIC_RELAXED);
}

u32 mm_slots_refs(const struct mm_struct *mm)
{
	u32 nr = 0;

	for (u32 i = 0; i < NR_MM_SCANNERS; i++)
		nr += mm->slots[i] != NULL;
	return nr;
}

void mm_slots_audit_leaks(struct machine *m)
{
	s64 on_lists = 0, in_use = kmem_cache_in_use(m->mm->slots[0].cache);

	for (u32 i = 0; i < NR_MM_SCANNERS; i++) {
		struct mm_slot *slot;

		cds_list_for_each_entry(slot, &m->mm->slots[i].list, node) {
			mm_check_alive(slot->mm, __func__);
			if (oracle_read(slot->mm->mm_users))
				VIOLATION(&inv_slot_leak, "mm%u is registered and has %u users",
					  slot->mm->context.id, oracle_read(slot->mm->mm_users));
			on_lists++;
		}
	}
	if (on_lists != in_use)
		VIOLATION(&inv_slot_leak, "%lld slots are in use, %lld are on lists",
			  (long long)in_use, (long long)on_lists);
}

/* ---- the scanners ---- */

/* v3.14 ksm_test_exit(), khugepaged_test_exit(). mmap_sem held: false stays true only until
 * mm_slots_exit() gets it. */
static bool scanner_test_exit(const struct mm_struct *mm)
{
	if (planted(KNOB_SCANNER_NO_EXIT_TEST))
		return false;
	return !READ_ONCE(mm->mm_users);
}

static void check_not_torn_down(const struct mm_struct *mm)
{
	if (unlikely(oracle_read(mm->oracle_torn_down)))
		VIOLATION(&inv_scanner_inside, "a scanner walks mm%u, which is torn down",
			  mm->context.id);
}

static void walk_begin(struct mm_struct *mm)
{
	check_not_torn_down(mm);
	__atomic_fetch_add(&mm->oracle_scanners, 1, __ATOMIC_RELAXED);
}

static void walk_end(struct mm_struct *mm)
{
	check_not_torn_down(mm);
	__atomic_fetch_sub(&mm->oracle_scanners, 1, __ATOMIC_RELAXED);
}

/* The anonymous page at @addr, with a reference; NULL if there is none (v3.14 follow_page). */
static struct page *follow_anon_page(struct vm_area_struct *vma, u64 addr)
{
	struct page *page = NULL;
	spinlock_t *ptl;
	pteval_t *pte = pte_find_lock(vma->vm_mm, addr, &ptl), entry;

	if (!pte)
		return NULL;
	entry = READ_ONCE(*pte);
	if (pte_present(entry))
		page = vm_normal_page(vma, addr, entry);
	if (page && page_is_anon(page))
		get_page(page);
	else
		page = NULL;
	spin_unlock(ptl);
	return page;
}

/* mmap_sem for reading. Looks at *nr pages at the most, from s->address on, and goes on there the
 * next time. True: the mm is through. */
static bool walk_pages(struct mm_slots *s, struct mm_slot *slot, u32 *nr)
{
	struct mm_struct *mm = slot->mm;

	for (u32 i = find_vma_index(mm, s->address); i < mm->nr_vmas; i++) {
		struct vm_area_struct *vma = mm->vmas[i];

		if (!(vma->vm_flags & mm_slots_vm_flag(s->which)))
			continue;
		for (u64 addr = max(s->address, vma->vm_start); addr < vma->vm_end;
		     addr += PAGE_SIZE) {
			struct page *page;

			if (!*nr)
				return false;
			if (scanner_test_exit(mm))
				return true;
			page = follow_anon_page(vma, addr);
			s->address = addr + PAGE_SIZE;
			(*nr)--;
			count_vm_event(VMSTAT_scanner_pages);
			if (!page)
				continue;
			if (s->which == MM_SCANNER_KSM)
				slot->nr_items++;
			put_page(page);
			cond_resched();
		}
	}
	return true;
}

/* khugepaged, when it has seen enough of the mm to try (v3.14 collapse_huge_page): everything is
 * looked at again with mmap_sem held for writing. There are no huge pages: it is left as it is. */
static void try_collapse(struct mm_struct *mm)
{
	down_write(&mm->mmap_sem);
	if (likely(!scanner_test_exit(mm))) {
		walk_begin(mm);
		for (u32 i = 0; i < mm->nr_vmas; i++) {
			struct vm_area_struct *vma = mm->vmas[i];
			struct page *page;

			if (!(vma->vm_flags & VM_HUGEPAGE))
				continue;
			page = follow_anon_page(vma, vma->vm_start);
			if (page)
				put_page(page);
		}
		walk_end(mm);
	}
	up_write(&mm->mmap_sem);
}

/*
 * The cursor goes on; the slot that it has left is taken off the list if its mm is exiting. Returns
 * the slot that is to be freed, and lets mmap_sem go, which is held for reading.
 *
 * As soon as the cursor is elsewhere the last mmput() may unhook the slot, and free it and the mm,
 * without waiting for us. khugepaged has dropped mmap_sem before; ksmd drops it under the lock
 * (v4.7 7496fea9a6bf).
 */
static struct mm_slot *cursor_next(struct mm_slots *s, struct mm_slot *slot)
{
	bool early = s->which == MM_SCANNER_KHUGEPAGED, late = planted(KNOB_KSM_UP_READ_LATE);
	struct mm_struct *mm = slot->mm;
	struct cds_list_head *next;
	bool exiting;

	if (early)
		up_read(&mm->mmap_sem);
	s->address = 0;
	spin_lock(&s->lock);
	next = slot->node.next;
	s->cursor = next == &s->list ? NULL : caa_container_of(next, struct mm_slot, node);
	exiting = !READ_ONCE(mm->mm_users);
	if (exiting)
		unhook(s, slot);
	if (!early && likely(!late))
		up_read(&mm->mmap_sem);
	spin_unlock(&s->lock);
	if (!early && unlikely(late))
		up_read(&mm->mmap_sem);
	return exiting ? slot : NULL;
}

/* One mm, or as much of it as *nr pages are. */
static void scan_slot(struct mm_slots *s, struct mm_slot *slot, u32 *nr)
{
	struct mm_struct *mm = slot->mm;
	struct mm_slot *gone = NULL;
	bool through = true, exiting;

	mm_check_alive(mm, __func__);
	event_record(&ev_scan, mm->context.id, s->address);
	down_read(&mm->mmap_sem);
	exiting = scanner_test_exit(mm);
	if (!exiting) {
		if (!s->address)
			slot->nr_items = 0;
		walk_begin(mm);
		through = walk_pages(s, slot, nr);
		walk_end(mm);
	}
	if (!exiting && through && s->which == MM_SCANNER_KHUGEPAGED) {
		up_read(&mm->mmap_sem);
		try_collapse(mm);
		down_read(&mm->mmap_sem);
	}
	if (through)
		gone = cursor_next(s, slot);
	else
		up_read(&mm->mmap_sem);
	if (gone) {
		count_vm_event(VMSTAT_mm_slot_collected);
		event_record(&ev_collect, mm->context.id, s->which);
		free_slot(s, gone);
	}
}

/* The slot that is to be scanned; NULL: there is none. *anew: it is the first of a pass. */
static struct mm_slot *cursor_slot(struct mm_slots *s, bool *anew)
{
	struct mm_slot *slot;

	spin_lock(&s->lock);
	*anew = !s->cursor;
	if (!s->cursor && !cds_list_empty(&s->list))
		s->cursor = cds_list_first_entry(&s->list, struct mm_slot, node);
	slot = s->cursor;
	spin_unlock(&s->lock);
	return slot;
}

void sys_scan_mms(enum mm_scanner which, u32 nr_pages)
{
	struct mm_slots *s = slots_of(which);
	struct mm_slot *slot;
	bool first = true, anew;

	current->in_syscall = "scan_mms";
	mutex_lock(&s->turn);
	while (nr_pages && (slot = cursor_slot(s, &anew))) {
		/* To the end of the list, not beyond: there may be no pages at all. */
		if (anew && !first)
			break;
		first = false;
		scan_slot(s, slot, &nr_pages);
		cond_resched();
	}
	mutex_unlock(&s->turn);
	current->in_syscall = NULL;
}

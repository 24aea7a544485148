// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/uprobes.h"

#include <errno.h>

#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/memcg.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/notifier.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/rss.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/fail_alloc.h"
#include "smp/mutex.h"
#include "smp/vmstat.h"
#include "tlbshoot/tlbflush.h"

EVENT_DESC(ev_register, 406, 0, "uprobe_register", "inode %llu, page %llu");
EVENT_DESC(ev_unregister, 407, 0, "uprobe_unregister", "inode %llu, page %llu");
EVENT_DESC(ev_install, 408, 0, "install_breakpoint", "mm%llu at %#llx");
EVENT_DESC(ev_remove, 409, 0, "remove_breakpoint", "mm%llu at %#llx");
EVENT_DESC(ev_trap, 410, 0, "handle_swbp", "mm%llu at %#llx");

INVARIANT(inv_missed, "uprobe-missed",
	  "text with a registered uprobe traps in every address space that maps it");
INVARIANT(inv_stray, "uprobe-stray", "text traps only where a uprobe is");

struct uprobe {
	struct inode *inode;
	u64 pgoff;
	u64 insn;		   /* what was there; written before the first breakpoint */
	u32 ref;		   /* atomic; one for the tree */
	u32 consumers;		   /* treelock */
	struct cds_list_head node; /* treelock */
};

/* Of one machine. */
struct uprobes {
	struct mutex register_mutex;
	struct rw_semaphore dup_mmap_sem;
	struct rwsem_slot slot; /* one: fork is rare */
	spinlock_t treelock;
	struct cds_list_head tree;
	u32 nr; /* atomic: of the tree; written under treelock */
	struct kmem_cache *cache, *map_cache, *xol_cache;
	u32 oracle_epoch;
};

/* A place that register has to visit, with a use of its mm. */
struct map_info {
	struct map_info *next;
	struct mm_struct *mm;
	u64 vaddr;
};

/* v3.13 struct xol_area; the slots are all alike here. */
struct xol_area {
	struct page *page;
	u32 slot_count; /* atomic: traps that are being stepped over */
};

static struct uprobes *uprobes(void)
{
	return this_mm()->uprobes;
}

int uprobes_setup(struct machine *m)
{
	struct uprobes *u = arena_alloc(&m->arena, sizeof(*u), CACHE_LINE);

	if (!u)
		return -ENOMEM;
	m->mm->uprobes = u;
	mutex_init(&u->register_mutex, LOCK_CLASS_uprobe_register);
	init_rwsem(&u->dup_mmap_sem, &u->slot, 1, LOCK_CLASS_dup_mmap_sem);
	spin_lock_init(&u->treelock, LOCK_CLASS_uprobes_treelock);
	CDS_INIT_LIST_HEAD(&u->tree);
	u->cache = kmem_cache_create(m, "uprobe", sizeof(struct uprobe), sizeof(void *));
	u->map_cache = kmem_cache_create(m, "map_info", sizeof(struct map_info), sizeof(void *));
	u->xol_cache = kmem_cache_create(m, "xol_area", sizeof(struct xol_area), sizeof(void *));
	return u->cache && u->map_cache && u->xol_cache ? 0 : -ENOMEM;
}

/* --- The tree --------------------------------------------------------------------------------- */

/* Who has put a VMA on i_mmap and finds no uprobe comes before a registration that finds it there.
 */
static bool no_uprobe_events(void)
{
	return likely(!READ_ONCE(uprobes()->nr));
}

bool uprobe_possible(const struct mm_struct *mm)
{
	return !no_uprobe_events() || READ_ONCE(mm->flags) & MMF_HAS_UPROBES;
}

static void put_uprobe(struct uprobe *u)
{
	if (atomic_dec_and_test(&u->ref))
		kmem_cache_free(uprobes()->cache, u);
}

/* The first one in [first, last] of @inode, with a reference; NULL if there is none. @wanted: that
 * somebody consumes. */
static struct uprobe *find_uprobe_from(const struct inode *inode, u64 first, u64 last, bool wanted)
{
	struct uprobes *us = uprobes();
	struct uprobe *u, *found = NULL;

	spin_lock(&us->treelock);
	cds_list_for_each_entry(u, &us->tree, node) {
		if (u->inode == inode && u->pgoff >= first && u->pgoff <= last &&
		    (!wanted || u->consumers) && (!found || u->pgoff < found->pgoff))
			found = u;
	}
	if (found)
		atomic_inc(&found->ref);
	spin_unlock(&us->treelock);
	return found;
}

static struct uprobe *find_uprobe(const struct inode *inode, u64 pgoff)
{
	return find_uprobe_from(inode, pgoff, pgoff, false);
}

/* Of the tree, or new in it; with a reference. NULL without memory. register_mutex held. */
static struct uprobe *alloc_uprobe(struct inode *inode, u64 pgoff)
{
	struct uprobes *us = uprobes();
	struct uprobe *u = find_uprobe(inode, pgoff);

	if (u)
		return u;
	u = kmem_cache_zalloc_at(us->cache, ALLOC_SITE_uprobe);
	if (!u)
		return NULL;
	u->inode = inode;
	u->pgoff = pgoff;
	init_once(u->ref, 2);
	spin_lock(&us->treelock);
	cds_list_add_tail(&u->node, &us->tree);
	WRITE_ONCE(us->nr, us->nr + 1);
	spin_unlock(&us->treelock);
	return u;
}

static void delete_uprobe(struct uprobe *u)
{
	struct uprobes *us = uprobes();

	spin_lock(&us->treelock);
	cds_list_del(&u->node);
	WRITE_ONCE(us->nr, us->nr - 1);
	spin_unlock(&us->treelock);
	put_uprobe(u);
}

/* How many consumers there are with @change. */
static u32 change_consumers(struct uprobe *u, s32 change)
{
	struct uprobes *us = uprobes();
	u32 left;

	spin_lock(&us->treelock);
	u->consumers += (u32)change;
	left = u->consumers;
	spin_unlock(&us->treelock);
	return left;
}

/* --- Breakpoints ------------------------------------------------------------------------------ */

/* v3.13 valid_vma(): private mappings of files can be made executable. A breakpoint comes only
 * where nobody writes; it goes wherever it is, and a store to its page at that moment may be lost.
 */
static bool valid_vma(const struct vm_area_struct *vma, bool is_register)
{
	if (!vma->vm_file || vma->vm_flags & VM_SHARED)
		return false;
	return !is_register || (vma->vm_flags & (VM_READ | VM_WRITE)) == VM_READ;
}

static u64 offset_to_vaddr(const struct vm_area_struct *vma, u64 pgoff)
{
	return vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
}

/* The page that is mapped at @addr, with a reference; NULL if there is none. */
static struct page *mapped_page(struct vm_area_struct *vma, u64 addr)
{
	struct page *page = NULL;
	spinlock_t *ptl;
	pteval_t *pte = pte_find_lock(vma->vm_mm, addr, &ptl), entry;

	if (!pte)
		return NULL;
	entry = READ_ONCE(*pte);
	if (pte_present(entry))
		page = vm_normal_page(vma, addr, entry);
	if (page)
		get_page(page);
	spin_unlock(ptl);
	return page;
}

/* The same, faulted in; NULL without memory, or beyond the file's end (v3.13 get_user_pages).
 * mmap_sem for reading. */
static struct page *get_user_page(struct vm_area_struct *vma, u64 addr)
{
	for (;;) {
		struct page *page = mapped_page(vma, addr);

		if (page)
			return page;
		if (handle_mm_fault(vma->vm_mm, vma, addr, 0) &
		    (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
			return NULL;
	}
}

/* A charged copy of @old whose first word is @word; NULL without memory. */
static struct page *copy_with(struct vm_area_struct *vma, const struct page *old, u64 word)
{
	struct page *new = alloc_page_at(PAGE_USER, ALLOC_SITE_page);

	if (!new)
		return NULL;
	if (mem_cgroup_charge(vma->vm_mm->memcg, new)) {
		put_page(new);
		return NULL;
	}
	copy_user_page(new, old);
	WRITE_ONCE(*frame_word(page_frame(new), 0), word);
	return new;
}

/* @new takes the place of @old at @addr. False: something else is there by now. */
static bool replace_page(struct vm_area_struct *vma, u64 addr, struct page *old, struct page *new)
{
	struct mm_struct *mm = vma->vm_mm;
	bool was_anon = page_is_anon(old), done;
	spinlock_t *ptl;
	pteval_t *pte, bits;

	lock_page(old);
	mmu_notifier_invalidate_range_start(mm, addr, addr + PAGE_SIZE);
	pte = pte_find_lock(mm, addr, &ptl);
	done = pte && pte_present(READ_ONCE(*pte)) && pte_pfn(READ_ONCE(*pte)) == page_to_pfn(old);
	if (done) {
		bits = READ_ONCE(*pte) & ~(PTE_PFN_MASK | PTE_RW | PTE_DIRTY);
		if (!was_anon) {
			add_mm_counter_fast(mm, MM_FILEPAGES, -1);
			add_mm_counter_fast(mm, MM_ANONPAGES, 1);
		}
		/* Through "none": no CPU runs the old text after another has run the new one. */
		tlb_change_begin(&mm->context);
		(void)xchg(pte, 0);
		flush_tlb_page(&mm->context, addr);
		page_add_new_anon_rmap(new, vma, addr);
		WRITE_ONCE(*pte, pfn_pte(page_to_pfn(new), bits));
		tlb_change_end(&mm->context);
		page_remove_rmap(old);
	}
	if (pte)
		spin_unlock(ptl);
	mmu_notifier_invalidate_range_end(mm, addr, addr + PAGE_SIZE);
	unlock_page(old);
	if (done)
		put_page(old); /* the entry's */
	return done;
}

/* v3.13 uprobe_write_opcode(): the breakpoint at @addr, or the instruction. mmap_sem for writing.
 * 0 or -ENOMEM; 0 also where it is that way already. */
static int write_opcode(struct uprobe *u, struct vm_area_struct *vma, u64 addr, bool install)
{
	struct page *old, *new;
	bool done = false;

	while (!done) {
		u64 word;

		old = install ? get_user_page(vma, addr) : mapped_page(vma, addr);
		if (!old)
			return install ? -ENOMEM : 0;
		word = READ_ONCE(*frame_word(page_frame(old), 0));
		if ((word == UPROBE_SWBP) == install) {
			put_page(old);
			return 0;
		}
		/* v3.13 prepare_uprobe(): text is the same for all. */
		if (install)
			WRITE_ONCE(u->insn, word);
		new = anon_vma_prepare(vma)
			      ? NULL
			      : copy_with(vma, old, install ? UPROBE_SWBP : READ_ONCE(u->insn));
		if (!new) {
			put_page(old);
			return -ENOMEM;
		}
		done = replace_page(vma, addr, old, new);
		if (!done) {
			mem_cgroup_uncharge(new);
			put_page(new);
		}
		put_page(old);
	}
	return 0;
}

static void set_flags(struct mm_struct *mm, u32 flags)
{
	(void)atomic_fetch_or(flags, &mm->flags);
}

static void clear_flags(struct mm_struct *mm, u32 flags)
{
	(void)atomic_fetch_and(~flags, &mm->flags);
}

/* mmap_sem for writing. 0 or -ENOMEM. */
static int install_breakpoint(struct uprobe *u, struct vm_area_struct *vma, u64 addr)
{
	struct mm_struct *mm = vma->vm_mm;
	bool first = !(READ_ONCE(mm->flags) & MMF_HAS_UPROBES);
	int err;

	/* Before the breakpoint, which another task may meet at once. */
	if (first)
		set_flags(mm, MMF_HAS_UPROBES);
	event_record(&ev_install, mm->context.id, addr);
	count_vm_event(VMSTAT_uprobe_install);
	err = write_opcode(u, vma, addr, true);
	if (!err) {
		clear_flags(mm, MMF_RECALC_UPROBES);
		return 0;
	}
	set_flags(mm, MMF_ORACLE_UPROBE_FAILED);
	if (first)
		clear_flags(mm, MMF_HAS_UPROBES);
	return err;
}

static int remove_breakpoint(struct uprobe *u, struct vm_area_struct *vma, u64 addr)
{
	struct mm_struct *mm = vma->vm_mm;

	set_flags(mm, MMF_RECALC_UPROBES);
	event_record(&ev_remove, mm->context.id, addr);
	count_vm_event(VMSTAT_uprobe_remove);
	return write_opcode(u, vma, addr, false);
}

/* --- Registration ----------------------------------------------------------------------------- */

/* One more place; *err without memory. */
static struct map_info *add_map(struct map_info *list, struct vm_area_struct *vma, u64 pgoff,
				int *err)
{
	struct map_info *info = kmem_cache_alloc_at(uprobes()->map_cache, ALLOC_SITE_map_info);

	if (!info) {
		*err = -ENOMEM;
		return list;
	}
	/* It is being torn down otherwise: nobody will trap there. */
	if (!mmget_not_zero(vma->vm_mm)) {
		kmem_cache_free(uprobes()->map_cache, info);
		return list;
	}
	*info = (struct map_info){
		.next = list, .mm = vma->vm_mm, .vaddr = offset_to_vaddr(vma, pgoff)};
	return info;
}

/* Where the page is mapped. */
static struct map_info *build_map_info(struct address_space *mapping, u64 pgoff, bool is_register,
				       int *err)
{
	struct map_info *list = NULL;
	struct vm_area_struct *vma;

	mutex_lock(&mapping->i_mmap_mutex);
	cds_list_for_each_entry(vma, &mapping->i_mmap, shared) {
		if (valid_vma(vma, is_register) && vma->vm_pgoff <= pgoff &&
		    pgoff - vma->vm_pgoff < vma_pages(vma))
			list = add_map(list, vma, pgoff, err);
	}
	mutex_unlock(&mapping->i_mmap_mutex);
	return list;
}

/* One place, if it still is one. */
static int visit_map(struct uprobe *u, const struct map_info *info, bool is_register)
{
	struct mm_struct *mm = info->mm;
	struct vm_area_struct *vma;
	int err = 0;

	down_write(&mm->mmap_sem);
	vma = vma_lookup(mm, info->vaddr);
	if (vma && valid_vma(vma, is_register) && vma->vm_file->inode == u->inode &&
	    linear_page_index(vma, info->vaddr) == u->pgoff) {
		if (is_register)
			err = install_breakpoint(u, vma, info->vaddr);
		else if (READ_ONCE(mm->flags) & MMF_HAS_UPROBES)
			err = remove_breakpoint(u, vma, info->vaddr);
	}
	up_write(&mm->mmap_sem);
	return err;
}

/* 0, or -ENOMEM when some place has been left as it was. */
static int register_for_each_vma(struct uprobe *u, bool is_register)
{
	struct uprobes *us = uprobes();
	struct map_info *info, *next;
	int err = 0, one;

	/* No fork copies page tables while we go from the one to the other. */
	down_write(&us->dup_mmap_sem);
	for (info = build_map_info(&u->inode->mapping, u->pgoff, is_register, &err); info;
	     info = next) {
		next = info->next;
		one = visit_map(u, info, is_register);
		err = err ? err : one;
		mmput(info->mm);
		kmem_cache_free(us->map_cache, info);
	}
	up_write(&us->dup_mmap_sem);
	return err;
}

static void epoch_step(void)
{
	struct uprobes *us = uprobes();

	__atomic_store_n(&us->oracle_epoch, us->oracle_epoch + 1, __ATOMIC_RELEASE);
}

static void unregister(struct uprobe *u)
{
	if (change_consumers(u, -1))
		return;
	/* What could not be removed traps on, and stays known. */
	if (!register_for_each_vma(u, false))
		delete_uprobe(u);
}

int sys_uprobe_register(struct inode *inode, u64 pgoff)
{
	struct uprobes *us = uprobes();
	struct uprobe *u;
	int err = -ENOMEM;

	if (pgoff >= READ_ONCE(inode->size_pages))
		return -EINVAL;
	current->in_syscall = "uprobe_register";
	mutex_lock(&us->register_mutex);
	epoch_step();
	event_record(&ev_register, inode->ino, pgoff);
	u = alloc_uprobe(inode, pgoff);
	if (u) {
		change_consumers(u, 1);
		err = register_for_each_vma(u, true);
		if (err)
			unregister(u);
		put_uprobe(u);
	}
	epoch_step();
	mutex_unlock(&us->register_mutex);
	current->in_syscall = NULL;
	return err;
}

int sys_uprobe_unregister(struct inode *inode, u64 pgoff)
{
	struct uprobes *us = uprobes();
	struct uprobe *u;

	current->in_syscall = "uprobe_unregister";
	mutex_lock(&us->register_mutex);
	epoch_step();
	u = find_uprobe_from(inode, pgoff, pgoff, true);
	if (u) {
		event_record(&ev_unregister, inode->ino, pgoff);
		unregister(u);
		put_uprobe(u);
	}
	epoch_step();
	mutex_unlock(&us->register_mutex);
	current->in_syscall = NULL;
	return u ? 0 : -ENOENT;
}

/* --- What the mm's own steps ask for ---------------------------------------------------------- */

void uprobe_mmap(struct vm_area_struct *vma)
{
	u64 next = vma->vm_pgoff, last = vma->vm_pgoff + vma_pages(vma) - 1;
	struct uprobe *u;

	if (no_uprobe_events() || !valid_vma(vma, true))
		return;
	while (next <= last &&
	       (u = find_uprobe_from(vma->vm_file->inode, next, last, true)) != NULL) {
		next = u->pgoff + 1;
		(void)install_breakpoint(u, vma, offset_to_vaddr(vma, u->pgoff));
		put_uprobe(u);
	}
}

static bool vma_has_uprobes(const struct vm_area_struct *vma, u64 start, u64 end)
{
	struct uprobe *u = find_uprobe_from(vma->vm_file->inode, linear_page_index(vma, start),
					    linear_page_index(vma, end - PAGE_SIZE), false);

	if (u)
		put_uprobe(u);
	return u != NULL;
}

void uprobe_munmap(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;
	u32 flags;

	if (no_uprobe_events() || !valid_vma(vma, false))
		return;
	/* Nobody will trap there any more: called by mmput(). */
	if (!READ_ONCE(mm->mm_users))
		return;
	flags = READ_ONCE(mm->flags);
	if (!(flags & MMF_HAS_UPROBES) || flags & MMF_RECALC_UPROBES)
		return;
	if (!vma_has_uprobes(vma, start, end))
		return;
	/* There may be others, elsewhere in the mm. */
	if (likely(!planted(KNOB_UPROBE_MUNMAP_FORGETS)))
		set_flags(mm, MMF_RECALC_UPROBES);
	else
		clear_flags(mm, MMF_HAS_UPROBES);
}

void uprobe_start_dup_mmap(void)
{
	if (likely(!planted(KNOB_UPROBE_FORK_UNLOCKED)))
		down_read(&uprobes()->dup_mmap_sem);
}

void uprobe_end_dup_mmap(void)
{
	if (likely(!planted(KNOB_UPROBE_FORK_UNLOCKED)))
		up_read(&uprobes()->dup_mmap_sem);
}

void uprobe_dup_mmap(struct mm_struct *mm, const struct mm_struct *oldmm)
{
	u32 flags = READ_ONCE(oldmm->flags);

	/* Breakpoints come with the page tables; some VMA may not. The area is the parent's own. */
	if (unlikely(flags & MMF_HAS_UPROBES))
		set_flags(mm, MMF_HAS_UPROBES | MMF_RECALC_UPROBES);
	if (unlikely(flags & MMF_ORACLE_UPROBE_FAILED))
		set_flags(mm, MMF_ORACLE_UPROBE_FAILED);
}

void uprobe_clear_state(struct mm_struct *mm)
{
	struct xol_area *area = smp_load_acquire(&mm->xol_area);

	if (likely(!area) || planted(KNOB_UPROBE_STATE_KEPT))
		return;
	mm->xol_area = NULL;
	put_page(area->page);
	kmem_cache_free(uprobes()->xol_cache, area);
}

void uprobes_count_refs(struct machine *m, u32 *refs)
{
	const struct mm_struct *mm;

	cds_list_for_each_entry(mm, &m->mm->mmlist, mmlist) {
		const struct xol_area *area = oracle_read(mm->xol_area);

		if (area)
			refs[area->page - m->mm->pages]++;
	}
}

/* --- Traps ------------------------------------------------------------------------------------ */

static struct xol_area *alloc_xol_area(void)
{
	struct xol_area *area = kmem_cache_zalloc_at(uprobes()->xol_cache, ALLOC_SITE_xol_area);

	if (!area)
		return NULL;
	area->page = alloc_page_at(PAGE_USER, ALLOC_SITE_page);
	if (!area->page) {
		kmem_cache_free(uprobes()->xol_cache, area);
		return NULL;
	}
	clear_user_page(area->page);
	return area;
}

/* The mm's area; the first trap makes it. NULL without memory. */
static struct xol_area *get_xol_area(struct mm_struct *mm)
{
	struct xol_area *area = smp_load_acquire(&mm->xol_area), *new;

	if (area)
		return area;
	new = alloc_xol_area();
	if (!new)
		return NULL;
	down_write(&mm->mmap_sem);
	area = mm->xol_area;
	if (!area) {
		smp_store_release(&mm->xol_area, new);
		count_vm_event(VMSTAT_xol_area);
	}
	up_write(&mm->mmap_sem);
	if (!area)
		return new;
	/* Another thread was first. */
	put_page(new->page);
	kmem_cache_free(uprobes()->xol_cache, new);
	return area;
}

/* A trap that no uprobe explains: is there anything to be found in the mm at all? mmap_sem for
 * reading. */
static void mmf_recalc_uprobes(struct mm_struct *mm)
{
	for (u32 i = 0; i < mm->nr_vmas; i++) {
		const struct vm_area_struct *vma = mm->vmas[i];

		if (valid_vma(vma, false) && vma_has_uprobes(vma, vma->vm_start, vma->vm_end))
			return;
	}
	clear_flags(mm, MMF_HAS_UPROBES);
}

/* v3.13 is_trap_at_addr(). mmap_sem for reading. */
static bool is_trap_at(struct vm_area_struct *vma, u64 addr)
{
	struct page *page = get_user_page(vma, addr);
	bool is_trap = page && READ_ONCE(*frame_word(page_frame(page), 0)) == UPROBE_SWBP;

	if (page)
		put_page(page);
	return is_trap;
}

/* The uprobe that a trap at @addr belongs to, with a reference. NULL: it has gone meanwhile, and
 * the instruction is run again. */
static struct uprobe *find_active_uprobe(struct mm_struct *mm, u64 addr)
{
	struct vm_area_struct *vma;
	struct uprobe *u = NULL;

	down_read(&mm->mmap_sem);
	vma = vma_lookup(mm, addr);
	if (vma && valid_vma(vma, false))
		u = find_uprobe(vma->vm_file->inode, linear_page_index(vma, addr));
	/* A breakpoint goes, with mmap_sem held for writing, before its uprobe does. */
	if (vma && !u && is_trap_at(vma, addr))
		VIOLATION(&inv_stray, "mm%u traps at %#llx, where no uprobe is", mm->context.id,
			  (unsigned long long)addr);
	if (!u && READ_ONCE(mm->flags) & MMF_RECALC_UPROBES) {
		clear_flags(mm, MMF_RECALC_UPROBES);
		count_vm_event(VMSTAT_uprobe_recalc);
		mmf_recalc_uprobes(mm);
	}
	up_read(&mm->mmap_sem);
	return u;
}

/* The instruction is run out of line, from the area. */
static void handle_swbp(u64 addr)
{
	struct mm_struct *mm = current->mm;
	struct xol_area *area;
	struct uprobe *u;

	event_record(&ev_trap, mm->context.id, addr);
	u = find_active_uprobe(mm, addr);
	if (!u)
		return;
	count_vm_event(VMSTAT_uprobe_hit);
	area = get_xol_area(mm);
	if (area) {
		atomic_inc(&area->slot_count);
		WRITE_ONCE(*frame_word(page_frame(area->page), 0), READ_ONCE(u->insn));
		atomic_dec(&area->slot_count);
	}
	put_uprobe(u);
}

static u32 epoch(void)
{
	return __atomic_load_n(&uprobes()->oracle_epoch, __ATOMIC_ACQUIRE);
}

/* What has been run without a trap may have been on its way out: the CPU's TLB knows a page until
 * munmap() has flushed it, and who registers meanwhile finds no VMA any more. */
static bool maps_no_trap(struct mm_struct *mm, u64 addr, const struct inode *inode, u64 pgoff)
{
	struct vm_area_struct *vma;
	struct page *page = NULL;
	bool no_trap;

	down_read(&mm->mmap_sem);
	vma = vma_lookup(mm, addr);
	if (vma && valid_vma(vma, true) && vma->vm_file->inode == inode &&
	    linear_page_index(vma, addr) == pgoff)
		page = mapped_page(vma, addr);
	no_trap = page && READ_ONCE(*frame_word(page_frame(page), 0)) != UPROBE_SWBP;
	if (page)
		put_page(page);
	up_read(&mm->mmap_sem);
	return no_trap;
}

int user_execute(u64 addr, const struct inode *inode, u64 pgoff)
{
	struct mm_struct *mm = current->mm;
	u32 before = epoch();
	struct uprobe *u = find_uprobe_from(inode, pgoff, pgoff, true);
	u64 word;
	int err = user_read(addr, &word);

	if (u)
		put_uprobe(u);
	if (err)
		return err;
	if (word == UPROBE_SWBP) {
		handle_swbp(addr);
		return 1;
	}
	if (u && !(before & 1) && before == epoch() &&
	    !(oracle_read(mm->flags) & MMF_ORACLE_UPROBE_FAILED) &&
	    maps_no_trap(mm, addr, inode, pgoff) && before == epoch())
		VIOLATION(&inv_missed, "mm%u does not trap at %#llx, page %llu of inode %u",
			  mm->context.id, (unsigned long long)addr, (unsigned long long)pgoff,
			  inode->ino);
	return 0;
}

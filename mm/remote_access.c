// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/remote_access.h"

#include <errno.h>

#include "mm/gup.h"
#include "mm/knobs.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/vmstat.h"

EVENT_DESC(ev_access, 473, 0, "access_remote_vm", "mm%llu, at %#llx");

INVARIANT(inv_pinned, "pinned-page-freed",
	  "a page that get_user_page() has returned is not freed before it is put");

INVARIANT(inv_own_copy, "private-write-reaches-file",
	  "a write to a private mapping goes to the address space's own copy");

/* mmap_sem held: the area is the one that the page was found by. */
static void check_own_copy(struct mm_struct *mm, struct page *page, u64 addr)
{
	const struct vm_area_struct *vma = find_vma(mm, addr);

	if (unlikely(!(vma->vm_flags & VM_SHARED) &&
		     !((unsigned long)oracle_read(page->mapping) & PAGE_MAPPING_ANON)))
		VIOLATION(&inv_own_copy,
			  "a write to %#llx of mm%u, in a private mapping, would go to pfn %llu, "
			  "which is not anonymous",
			  (unsigned long long)addr, mm->context.id,
			  (unsigned long long)page_to_pfn(page));
}

/* One word of a page that we hold. */
static void copy_word(struct mm_struct *mm, struct page *page, u32 generation, u64 addr, bool write,
		      u64 *value)
{
	struct frame *f = page_frame(page);
	u64 *word = frame_word(f, addr);

	if (unlikely(exploring()))
		explore_point(word, write ? MMT_SITE(ACCESS_STORE) : MMT_SITE(ACCESS_LOAD));
	/* From here to the access nobody else runs. */
	explore_touch(f, false);
	if (unlikely(frame_generation(f) != generation))
		VIOLATION(&inv_pinned, "pfn %llu, for %#llx: found at generation %u, is at %u",
			  (unsigned long long)page_to_pfn(page), (unsigned long long)addr,
			  generation, frame_generation(f));
	explore_touch(&page->mapping, false);
	if (write)
		check_own_copy(mm, page, addr);
	if (write)
		__atomic_store_n(word, *value, __ATOMIC_RELAXED);
	else
		*value = __atomic_load_n(word, __ATOMIC_RELAXED);
}

int access_remote_vm(struct mm_struct *mm, u64 addr, bool write, u64 *value,
		     void (*seen)(void *arg, u64 value), void *arg)
{
	struct page *page;
	u32 generation;
	int err;

	event_record(&ev_access, mm->context.id, addr);
	down_read(&mm->mmap_sem);
	err = get_user_page(mm, addr, FOLL_FORCE | (write ? FOLL_WRITE : 0), &page);
	if (err) {
		up_read(&mm->mmap_sem);
		return err;
	}
	generation = frame_generation(page_frame(page));
	/* Where the kernel maps the page: others get on. */
	cond_resched();
	copy_word(mm, page, generation, addr, write, value);
	if (seen)
		seen(arg, *value);
	count_vm_event(write ? VMSTAT_remote_write : VMSTAT_remote_read);
	if (write && !planted(KNOB_POKE_NOT_DIRTY))
		set_page_dirty_lock(page);
	put_user_page(page);
	up_read(&mm->mmap_sem);
	return 0;
}

int access_process_vm(u32 pid, u64 addr, bool write, u64 *value, void (*seen)(void *arg, u64 value),
		      void *arg)
{
	struct task_struct *t = find_get_task(current->machine, pid);
	struct mm_struct *mm;
	int err;

	if (!t)
		return -ESRCH;
	mm = get_task_mm(t);
	put_task_struct(t);
	if (!mm)
		return -EINVAL;
	err = access_remote_vm(mm, addr, write, value, seen, arg);
	mmput(mm);
	return err;
}

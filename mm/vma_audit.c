// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The audits of what VMAs, committed memory and the emulated driver know of themselves.
 */
#include <stdarg.h>

#include "mm/device.h"
#include "mm/file.h"
#include "mm/mm_machine.h"
#include "mm/vma.h"

INVARIANT(inv_order, "vma-order",
	  "the VMAs of an mm are whole pages, in ascending order, and know their mm");
INVARIANT(inv_count, "vma-accounting",
	  "total_vm and locked_vm are the pages of the mm's VMAs and of its locked ones");
INVARIANT(inv_i_mmap, "vma-i-mmap", "a file mapping is on its file's i_mmap exactly once");
INVARIANT(inv_commit, "committed-memory",
	  "committed memory is what all VM_ACCOUNT areas together have");
INVARIANT(inv_driver, "driver-frames",
	  "the driver's frames are reserved, referenced by it alone, and as many as it counts");

typedef unsigned long long ull;

/* On a vCPU: leaves the machine. From outside: returns. */
static __cold_path __attribute__((format(printf, 3, 4))) void
report(struct machine *m, const struct invariant *inv, const char *fmt, ...)
{
	char text[VIOLATION_MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (this_vcpu())
		VIOLATION(inv, "%s", text);
	violation_from_outside(m, inv, 0, "%s", text);
}

static void audit_i_mmap(struct machine *m, const struct vm_area_struct *vma)
{
	const struct address_space *mapping = &vma->vm_file->inode->mapping;
	const struct vm_area_struct *other;
	u32 found = 0;

	cds_list_for_each_entry(other, &mapping->i_mmap, shared)
		found += other == vma;
	if (found != 1)
		report(m, &inv_i_mmap, "VMA %u [%#llx, %#llx) of mm %u is %u times on i_mmap of %s",
		       vma->id, (ull)vma->vm_start, (ull)vma->vm_end, vma->vm_mm->context.id, found,
		       mapping->host->name);
}

/* Returns the VMAs' pages in committed memory. */
static s64 audit_mm(struct machine *m, const struct mm_struct *mm)
{
	u64 end = 0, total = 0, locked = 0;
	s64 accounted = 0;

	for (u32 i = 0; i < mm->nr_vmas; i++) {
		const struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_start < end || vma->vm_start >= vma->vm_end ||
		    (vma->vm_start | vma->vm_end) & ~PAGE_MASK || vma->vm_end > TASK_SIZE ||
		    vma->vm_mm != mm)
			report(m, &inv_order,
			       "mm %u: VMA %u [%#llx, %#llx) of mm %u is number %u, after one that "
			       "ends at %#llx",
			       mm->context.id, vma->id, (ull)vma->vm_start, (ull)vma->vm_end,
			       vma->vm_mm->context.id, i, (ull)end);
		end = vma->vm_end;
		total += vma_pages(vma);
		if (vma->vm_flags & VM_LOCKED)
			locked += vma_pages(vma);
		if (vma->vm_flags & VM_ACCOUNT)
			accounted += (s64)vma_pages(vma);
		if (vma->vm_file)
			audit_i_mmap(m, vma);
	}
	if (total != mm->total_vm || locked != mm->locked_vm)
		report(m, &inv_count,
		       "mm %u: total_vm is %llu, the VMAs have %llu pages; locked_vm is %llu, the "
		       "locked ones have %llu",
		       mm->context.id, (ull)mm->total_vm, (ull)total, (ull)mm->locked_vm,
		       (ull)locked);
	return accounted;
}

void vma_audit(struct mm_struct *mm)
{
	audit_mm(this_vcpu()->machine, mm);
}

void vma_audit_all(struct machine *m)
{
	const struct mm_struct *mm;
	s64 accounted = 0;

	cds_list_for_each_entry(mm, &m->mm->mmlist, mmlist) {
		/* Without users it has been torn down: only the structure is left. */
		if (oracle_read(mm->mm_users))
			accounted += audit_mm(m, mm);
	}
	if (accounted != m->mm->committed_pages)
		report(m, &inv_commit,
		       "%lld pages are committed, the VMAs of all mms account for %lld",
		       (long long)m->mm->committed_pages, (long long)accounted);
	device_audit(m);
}

void device_audit(struct machine *m)
{
	const struct device_driver *d = m->mm->driver;
	const struct device_map *map;
	u64 frames = 0;

	cds_list_for_each_entry(map, &d->maps, node) {
		for (u32 i = 0; i < map->nr; i++) {
			const struct page *p = &m->mm->pages[map->pfns[i]];

			if (oracle_read(p->flags) != 1u << PG_reserved ||
			    oracle_read(p->refcount) != 1)
				report(m, &inv_driver,
				       "pfn %llu of the driver has flags %#x and refcount %d, not %#x "
				       "and 1",
				       (ull)map->pfns[i], oracle_read(p->flags),
				       oracle_read(p->refcount), 1u << PG_reserved);
		}
		frames += map->nr;
		if (!oracle_read(map->refs))
			report(m, &inv_driver, "pfn %llu ff. are the driver's without a VMA",
			       (ull)map->pfns[0]);
	}
	if (frames != d->nr_frames)
		report(m, &inv_driver, "the driver counts %llu frames and has %llu",
		       (ull)d->nr_frames, (ull)frames);
}

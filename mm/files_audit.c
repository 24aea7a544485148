// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The audit of all files in a quiet machine (mm/file.h). It takes no locks, makes no decision
 * points and changes nothing; on a vCPU a violation leaves the machine, from outside it is recorded
 * and the audit ends.
 */
#include "mm/disk.h"
#include "mm/file_private.h"
#include "mm/mm_types.h"
#include "mm/page_alloc.h"
#include "tlbshoot/tlb_oracle.h"

INVARIANT(inv_cache_state, "page-cache-state",
	  "a cached page names its file and place, lies below the end of the file, has the file's "
	  "content, and is held by the cache and by each entry that maps it");
INVARIANT(inv_cache_count, "page-cache-count", "nr_cached counts the pages in the cache");
INVARIANT(inv_lost_write, "lost-write",
	  "a page that is neither marked dirty nor dirty in a page-table entry has the words that "
	  "are on the disk");
INVARIANT(inv_clean_writable, "clean-page-writable",
	  "where dirty pages are accounted, an entry that lets write maps a page marked dirty");
INVARIANT(inv_beyond_end, "mapped-beyond-end",
	  "no page-table entry of a file mapping is present beyond the end of the file");
INVARIANT(inv_i_mmap, "i-mmap", "a file's list of mappings has the VMAs that map it, each once");

#define AUDIT_FAIL(m, inv, ...)                                                                    \
	do {                                                                                       \
		if (this_vcpu())                                                                   \
			VIOLATION((inv), __VA_ARGS__);                                             \
		violation_from_outside((m), (inv), 0, __VA_ARGS__);                                \
	} while (0)

/* What the entries that map a page allow and know. */
struct mapped_as {
	u32 entries;
	bool dirty, writable;
};

/* Looks at every place where @p may be mapped. */
static void look_at_entries(const struct machine *m, const struct address_space *mapping,
			    const struct page *p, u64 pfn, struct mapped_as *as)
{
	const struct vm_area_struct *vma;

	cds_list_for_each_entry(vma, &mapping->i_mmap, shared) {
		u64 pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT, addr;
		pteval_t pte;
		u32 level;

		if (p->index < vma->vm_pgoff || p->index - vma->vm_pgoff >= pages)
			continue;
		addr = vma->vm_start + ((p->index - vma->vm_pgoff) << PAGE_SHIFT);
		pte = tlb_oracle_walk(m, vma->vm_mm->context.root, addr, &level);
		if (!(pte & PTE_PRESENT) || level || pte_pfn(pte) != pfn)
			continue;
		as->entries++;
		as->dirty |= !!(pte & PTE_DIRTY);
		as->writable |= !!(pte & PTE_RW);
	}
}

/* Flags and counts. True if sound. */
static bool audit_page_state(struct machine *m, const struct inode *inode, u64 index,
			     const struct page *p, u64 pfn)
{
	u32 flags = oracle_read(p->flags);
	s32 refcount = oracle_read(p->refcount), mapped = oracle_read(p->mapcount) + 1;

	if (oracle_read(p->mapping) == &inode->mapping && p->index == index &&
	    index < oracle_read(inode->size_pages) && (flags & (1u << PG_uptodate)) &&
	    !(flags & (1u << PG_locked | 1u << PG_writeback | 1u << PG_table)) && mapped >= 0 &&
	    refcount >= 1 + mapped)
		return true;
	AUDIT_FAIL(m, &inv_cache_state,
		   "inode %u index %llu of %llu: pfn %llu has flags %#x, refcount %d, mapcount %d, "
		   "%s mapping, index %llu",
		   inode->ino, (unsigned long long)index,
		   (unsigned long long)oracle_read(inode->size_pages), (unsigned long long)pfn,
		   flags, refcount, mapped,
		   oracle_read(p->mapping) == &inode->mapping ? "this" : "another",
		   (unsigned long long)p->index);
	return false;
}

/* Content. True if sound. */
static bool audit_page_content(struct machine *m, const struct inode *inode, u64 index,
			       const struct page *p, u64 pfn)
{
	const struct disk_block *block = disk_peek(m, inode->disk_block + index);
	const struct frame *frame = &m->tlb->mem.frames[pfn];
	struct mapped_as as = {0};

	if (oracle_read(p->flags) & (1u << PG_dirty))
		return true;
	look_at_entries(m, &inode->mapping, p, pfn, &as);
	if (inode->mapping.account_dirty && as.writable) {
		AUDIT_FAIL(
			m, &inv_clean_writable,
			"inode %u index %llu: pfn %llu is not marked dirty, one of its %u entries "
			"is writable",
			inode->ino, (unsigned long long)index, (unsigned long long)pfn, as.entries);
		return false;
	}
	if (as.dirty)
		return true;
	for (u32 i = 0; i < FRAME_WORDS; i++) {
		if (oracle_read(frame->data[i]) == block->words[i])
			continue;
		AUDIT_FAIL(
			m, &inv_lost_write,
			"inode %u index %llu word %u: pfn %llu is clean, with %u entries, and has "
			"%#llx; the disk has %#llx in version %llu",
			inode->ino, (unsigned long long)index, i, (unsigned long long)pfn,
			as.entries, (unsigned long long)oracle_read(frame->data[i]),
			(unsigned long long)block->words[i], (unsigned long long)block->version);
		return false;
	}
	return true;
}

/* Neither the file's pages nor private copies of them may be mapped beyond its end. */
static bool audit_beyond_end(struct machine *m, const struct inode *inode,
			     const struct vm_area_struct *vma)
{
	u64 pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
	u64 size = oracle_read(inode->size_pages);
	u64 first = size > vma->vm_pgoff ? size - vma->vm_pgoff : 0;

	for (u64 i = first; i < pages; i++) {
		u64 addr = vma->vm_start + (i << PAGE_SHIFT);
		u32 level;
		pteval_t pte = tlb_oracle_walk(m, vma->vm_mm->context.root, addr, &level);

		if (!(pte & PTE_PRESENT))
			continue;
		AUDIT_FAIL(
			m, &inv_beyond_end,
			"inode %u has %llu pages; page %llu is mapped at %#llx of mm%u, pfn %llu",
			inode->ino, (unsigned long long)size,
			(unsigned long long)(vma->vm_pgoff + i), (unsigned long long)addr,
			vma->vm_mm->context.id, (unsigned long long)pte_pfn(pte));
		return false;
	}
	return true;
}

static bool audit_mappings(struct machine *m, const struct inode *inode)
{
	const struct vm_area_struct *vma;
	u32 nr = 0;

	cds_list_for_each_entry(vma, &inode->mapping.i_mmap, shared) {
		nr++;
		if (vma->vm_file && vma->vm_file->inode == inode &&
		    nr <= inode->mapping.nr_mappings) {
			if (!audit_beyond_end(m, inode, vma))
				return false;
			continue;
		}
		AUDIT_FAIL(m, &inv_i_mmap, "inode %u: VMA %u from %#llx, number %u of %u, maps %s",
			   inode->ino, vma->id, (unsigned long long)vma->vm_start, nr,
			   inode->mapping.nr_mappings,
			   vma->vm_file ? vma->vm_file->inode->name : "no file");
		return false;
	}
	if (nr == inode->mapping.nr_mappings)
		return true;
	AUDIT_FAIL(m, &inv_i_mmap, "inode %u: %u VMAs are listed, %u are counted", inode->ino, nr,
		   inode->mapping.nr_mappings);
	return false;
}

static bool audit_inode(struct machine *m, const struct inode *inode)
{
	u64 nr = 0;

	if (!audit_mappings(m, inode))
		return false;
	/* No page to be found, none to be looked for: files may be big. */
	for (u64 i = 0; i < inode->max_pages && (inode->mapping.nr_cached || i == 0); i++) {
		const struct page *p = oracle_read(inode->mapping.pages[i]);
		u64 pfn = (u64)(p - m->mm->pages);

		if (!p)
			continue;
		nr++;
		if (!audit_page_state(m, inode, i, p, pfn) ||
		    !audit_page_content(m, inode, i, p, pfn))
			return false;
	}
	if (nr == inode->mapping.nr_cached)
		return true;
	AUDIT_FAIL(m, &inv_cache_count, "inode %u: %llu pages are cached, %llu are counted",
		   inode->ino, (unsigned long long)nr,
		   (unsigned long long)inode->mapping.nr_cached);
	return false;
}

void files_audit(struct machine *m)
{
	struct inode *inode;

	if (this_vcpu())
		oracle_enter();
	for (inode = m->mm->files->inodes; inode; inode = inode->next) {
		if (!audit_inode(m, inode))
			break;
	}
	if (this_vcpu())
		oracle_exit();
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/disk.h"
#include "mm/file_private.h"
#include "mm/knobs.h"
#include "mm/mm_types.h"
#include "smp/fail_alloc.h"
#include "smp/sched.h"

INVARIANT(inv_file_count, "file-refcount", "an open file has as many references as are put");

int files_setup(struct machine *m)
{
	struct files *f = arena_alloc(&m->arena, sizeof(*f), CACHE_LINE);

	if (!f)
		return -ENOMEM;
	f->inodes_tail = &f->inodes;
	f->file_cache = kmem_cache_create(m, "file", sizeof(struct file), sizeof(u64));
	/* Who looks at a file that has been closed is reported by the oracle, not AddressSanitizer.
	 */
	if (f->file_cache)
		f->file_cache->type_stable = knob_given(m, KNOB_EXE_FILE_UNLOCKED) ||
					     knob_given(m, KNOB_EXE_FILE_NOT_HELD);
	if (!f->file_cache || page_wait_setup(m, &f->page_wait))
		return -ENOMEM;
	m->mm->files = f;
	return disk_setup(m);
}

struct inode *inode_create(struct machine *m, const char *name, u64 pages)
{
	struct files *f = m->mm->files;
	struct inode *inode = arena_alloc(&m->arena, sizeof(*inode), CACHE_LINE);
	struct address_space *mapping;

	if (!inode)
		return NULL;
	mapping = &inode->mapping;
	/* A file of no pages has a cache of none; its array is not looked at. */
	mapping->pages =
		arena_alloc(&m->arena, max(pages, (u64)1) * sizeof(*mapping->pages), sizeof(u64));
	if (!mapping->pages || disk_extend(m, pages, &inode->disk_block))
		return NULL;
	inode->files = f;
	inode->ino = ++f->nr_inodes;
	snprintf(inode->name, sizeof(inode->name), "%s", name);
	mutex_init(&inode->i_mutex, LOCK_CLASS_inode_mutex);
	inode->max_pages = pages;
	inode->size_pages = pages;
	mapping->host = inode;
	mapping->account_dirty = true;
	spin_lock_init(&mapping->tree_lock, LOCK_CLASS_tree_lock);
	mutex_init(&mapping->i_mmap_mutex, LOCK_CLASS_i_mmap_mutex);
	CDS_INIT_LIST_HEAD(&mapping->i_mmap);
	*f->inodes_tail = inode;
	f->inodes_tail = &inode->next;
	return inode;
}

struct inode *inode_find(struct machine *m, const char *name)
{
	struct inode *inode;

	for (inode = m->mm->files->inodes; inode; inode = inode->next) {
		if (!strcmp(inode->name, name))
			return inode;
	}
	return NULL;
}

struct file *file_open(struct inode *inode)
{
	struct file *f = kmem_cache_alloc_at(inode->files->file_cache, ALLOC_SITE_file);

	if (!f)
		return NULL;
	init_once(f->count, 1);
	init_once(f->inode, inode);
	return f;
}

void fput(struct file *f)
{
	u32 left = atomic_dec_return(&f->count);

	if (unlikely(left + 1 == 0))
		VIOLATION(&inv_file_count, "inode %u: a reference is put that nobody holds",
			  f->inode->ino);
	if (!left)
		kmem_cache_free(f->inode->files->file_cache, f);
}

void vma_link_file(struct vm_area_struct *vma)
{
	struct address_space *mapping;

	if (!vma->vm_file)
		return;
	mapping = &vma->vm_file->inode->mapping;
	mutex_lock(&mapping->i_mmap_mutex);
	cds_list_add_tail(&vma->shared, &mapping->i_mmap);
	mapping->nr_mappings++;
	mutex_unlock(&mapping->i_mmap_mutex);
}

void unlink_file_vma(struct vm_area_struct *vma)
{
	struct address_space *mapping;

	if (!vma->vm_file)
		return;
	mapping = &vma->vm_file->inode->mapping;
	mutex_lock(&mapping->i_mmap_mutex);
	cds_list_del(&vma->shared);
	mapping->nr_mappings--;
	mutex_unlock(&mapping->i_mmap_mutex);
	CDS_INIT_LIST_HEAD(&vma->shared);
}

bool page_in_cache(const struct page *p)
{
	const void *mapping = oracle_read(p->mapping);
	const struct address_space *as = mapping;

	if (!mapping || ((unsigned long)mapping & PAGE_MAPPING_ANON))
		return false;
	return p->index < as->host->max_pages && oracle_read(as->pages[p->index]) == p;
}

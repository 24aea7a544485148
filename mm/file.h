// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files: inodes with a page cache, open files, and the mappings of a file.
 *
 * An inode of an emulated file lives as long as the machine. A struct file is a reference-counted
 * handle on it: VMAs, an mm's exe_file and open descriptors hold references; close happens at zero.
 * The cache is an array of page pointers indexed by page offset, under tree_lock; each cached page
 * has one reference from the cache and PG_locked for whoever changes its mapping or content state.
 *
 * Content. Word w of page i of an inode has a version on disk (disk.c). Writeback copies the page's
 * words to the disk after page_mkclean(); a page that is dropped while clean is read back from
 * there. So a store through a mapping that nobody marks dirty is lost for all to see.
 */
#ifndef MM_FILE_H
#define MM_FILE_H

#include <urcu/list.h>

#include "mm/page.h"
#include "smp/mutex.h"

struct vm_area_struct;

struct address_space {
	struct inode *host;
	spinlock_t tree_lock;
	struct page **pages; /* host->max_pages; NULL: not cached; under tree_lock */
	u64 nr_cached;	     /* under tree_lock */
	struct mutex i_mmap_mutex;
	struct cds_list_head i_mmap; /* vm_area_struct.shared; i_mmap_mutex */
	u32 nr_mappings;	     /* under i_mmap_mutex */
	/* Set-up only. True, as inode_create() leaves it: a clean page is mapped read-only, the
	 * first write faults and sets PG_dirty (v3.14 mapping_cap_account_dirty). False, as for
	 * tmpfs: an entry is writable from the start, and until a zap or page_mkclean() moves the
	 * hardware's dirty bit to the page, only the entry knows of the write. */
	bool account_dirty;
};

struct inode {
	u32 ino;
	char name[32];
	struct mutex i_mutex; /* size changes */
	u64 max_pages;
	u64 size_pages; /* atomic; written under i_mutex and tree_lock; pages from here on are
			 * beyond the end, and none of them comes into the cache */
	u64 disk_block; /* of page 0 */
	struct address_space mapping;
	struct files *files;
	struct inode *next;
};

struct file {
	u32 count; /* atomic */
	struct inode *inode;
};

/* Files of the machine; the disk has room for all of them. 0 or -ENOMEM. */
int files_setup(struct machine *m);

/* Set-up only: a new inode of @pages pages of zero, which is also the most it may grow to. NULL
 * without memory. */
struct inode *inode_create(struct machine *m, const char *name, u64 pages);
struct inode *inode_find(struct machine *m, const char *name);

struct file *file_open(struct inode *inode); /* NULL without memory */
static inline void get_file(struct file *f)
{
	atomic_inc(&f->count);
}
void fput(struct file *f);

/* Sleeping bit lock of a page. */
void lock_page(struct page *p);
bool trylock_page(struct page *p);
void unlock_page(struct page *p);

/* Finds a cached page; with a reference. NULL if there is none. */
struct page *find_get_page(struct address_space *mapping, u64 index);

/*
 * The fault handler of a file mapping: finds the page, or reads it from disk; returns it locked,
 * with a reference, in *page. 0, VM_FAULT_SIGBUS beyond the end of the file, VM_FAULT_OOM;
 * VM_FAULT_MAJOR is or-ed in when the disk was read.
 */
u32 filemap_fault(struct vm_area_struct *vma, u64 index, struct page **page);

/*
 * PG_locked held: an entry of a shared mapping of @p's file is about to become writable. Sets
 * PG_dirty if the file accounts dirty pages. Writeback, which takes PG_locked, so comes either
 * before, and finds the entry as it was, or after, and write-protects it again.
 */
void page_mkwrite(struct page *p);

/* PG_dirty, if not set already. Under the pte lock, PG_locked, or with a reference. */
void set_page_dirty(struct page *p);

/*
 * The VMA joins or leaves the mappings of its file. Take i_mmap_mutex. New ones go to the end: a
 * walk of i_mmap, under the mutex, that has to meet both a parent and the child that fork copies
 * from it meets the parent first, so that an entry is either gone before it is copied or its copy
 * is found.
 */
void vma_link_file(struct vm_area_struct *vma);
void unlink_file_vma(struct vm_area_struct *vma);

/* Writes dirty pages of [first, first + nr) to the disk. Sleeps. Returns pages written. */
u64 writeback_range(struct inode *inode, u64 first, u64 nr);

/* New size: pages beyond it are unmapped everywhere (unmap_mapping_range) and leave the cache;
 * growing makes zero pages. Sleeps. 0 or -EINVAL. */
int vmtruncate(struct inode *inode, u64 size_pages);

/* Drops clean, unmapped, unlocked pages from the cache. Returns how many. */
u64 invalidate_mapping_pages(struct inode *inode, u64 first, u64 nr);

/* Quiet machine: cache, references, dirty bits and disk contents agree: a page that is neither
 * PG_dirty nor dirty in any page-table entry has the words that the disk has. */
void files_audit(struct machine *m);

/* The end of a machine's life: writes everything back and empties the caches, so that every page
 * can be counted free. */
void files_drop_all(struct machine *m);

/* Does the cache hold a reference on @p? (quiet machine) */
bool page_in_cache(const struct page *p);

#endif

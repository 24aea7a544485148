// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The emulated driver: frames of its own that it lets programs map (VM_PFNMAP). The kernel's page
 * management must not touch them: they have PG_reserved, the page-table entries are PTE_SPECIAL, no
 * gather holds them, no counter knows them. So the driver alone frees them: when the last VMA that
 * may map them is closed (remove_vma), which is after the flush of the unmap.
 *
 * A mapping's reference count is the number of VMAs on it: fork and split open another one. As
 * track_pfn_* do for the memory types of v3.14 x86 (arch/x86/mm/pat.c), the driver keeps how many
 * pages are mapped by VMAs that have not been unmapped: at the last close there must be none.
 *
 * Locking: the list of mappings is under driver_lock; refs and tracked are atomic; the frames of a
 * mapping are constant.
 */
#ifndef MM_DEVICE_H
#define MM_DEVICE_H

#include <urcu/list.h>

#include "mm/mm_types.h"

/* Frames of one mapping: a ring of descriptors or a frame buffer's worth, chosen small. */
#define DEVICE_MAX_FRAMES 32

struct device_map {
	u32 refs;		   /* atomic: VMAs on it */
	u32 nr;			   /* frames */
	s64 tracked;		   /* atomic: pages of VMAs on it that have not been unmapped */
	struct cds_list_head node; /* device_driver.maps; driver_lock */
	u64 pfns[DEVICE_MAX_FRAMES];
};

struct device_driver {
	spinlock_t lock;
	struct cds_list_head maps; /* under lock */
	u64 nr_frames;		   /* of all maps; under lock */
	struct kmem_cache *map_cache;
};

/* 0 or -ENOMEM. */
int device_setup(struct machine *m);

/* @nr fresh frames, with one reference for the first VMA. NULL without memory. */
struct device_map *device_map_create(u32 nr);

/* vm_ops->open and ->close: one more VMA on it, one less. The last close frees the frames. */
void device_map_open(struct device_map *map);
void device_map_close(struct device_map *map);

/* The VMA has joined an mm: its pages are tracked from now on. */
void track_pfn(struct vm_area_struct *vma);

/* [start, end) of the VMA is being unmapped for good (v3.14 unmap_single_vma). */
void untrack_pfn(struct vm_area_struct *vma, u64 start, u64 end);

/* Does the driver own this frame? Quiet machine. */
bool device_owns_frame(const struct machine *m, u64 pfn);

/* Quiet machine: what the driver knows of its frames is so. Reports a violation as vma_audit(). */
void device_audit(struct machine *m);

#endif

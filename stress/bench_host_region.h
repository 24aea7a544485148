// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A region of the host's real memory that a bench measure writes and zaps: private, anonymous,
 * readable and writable, aligned to 2 MiB, small pages only, and a mapping (VMA) of its own:
 * inaccessible pages on both sides keep it from merging with a neighbour.
 *
 * Units: pages of the host. Locking: none; the measure decides which thread does what.
 * Sources: mmap(2), madvise(2).
 */
#ifndef STRESS_BENCH_HOST_REGION_H
#define STRESS_BENCH_HOST_REGION_H

#include "stress/bench_cpus.h"

#include <stddef.h>

struct host_region {
	volatile char *first; /* of the first page */
	size_t pages;
	size_t page_size;
	void *reserved; /* what mmap() gave, borders included */
	size_t reserved_bytes;
};

/* 0, or -1 with the reason in *@err; then there is nothing to unmap. */
int host_region_map(struct host_region *region, size_t pages, size_t page_size,
		    struct bench_error *err);
/* Does nothing for a region that is all zero. */
void host_region_unmap(struct host_region *region);

/* One write to each page. */
static inline void host_region_write(const struct host_region *region)
{
	for (size_t i = 0; i < region->pages; i++)
		region->first[i * region->page_size] = 1;
}

/* MADV_DONTNEED over the whole region. Returns 0 or the errno value. */
int host_region_zap(const struct host_region *region);

#endif

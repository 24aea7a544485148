// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench_host_region.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* What one page table maps with 4 KiB pages (Intel SDM vol. 3, 4.5): a region starts with a
 * page table of its own. */
#define REGION_ALIGN ((size_t)2 << 20)

int host_region_map(struct host_region *region, size_t pages, size_t page_size,
		    struct bench_error *err)
{
	size_t bytes = pages * page_size;
	uintptr_t first;

	memset(region, 0, sizeof(*region));
	/* One alignment is lost to aligning, the other leaves a border on both sides. */
	region->reserved_bytes = bytes + 2 * REGION_ALIGN;
	region->reserved = mmap(NULL, region->reserved_bytes, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region->reserved == MAP_FAILED) {
		region->reserved = NULL;
		return bench_fail(err, "mmap of %zu bytes: %s", region->reserved_bytes,
				  strerror(errno));
	}
	first = ((uintptr_t)region->reserved + REGION_ALIGN) & ~(uintptr_t)(REGION_ALIGN - 1);
	region->first = (volatile char *)first;
	region->pages = pages;
	region->page_size = page_size;
	/* EINVAL: a kernel without huge pages, and nothing to switch off. */
	if (mprotect((void *)first, bytes, PROT_READ | PROT_WRITE) ||
	    (madvise((void *)first, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)) {
		bench_fail(err, "mprotect and MADV_NOHUGEPAGE of %zu bytes: %s", bytes,
			   strerror(errno));
		host_region_unmap(region);
		return -1;
	}
	return 0;
}

void host_region_unmap(struct host_region *region)
{
	if (region->reserved)
		munmap(region->reserved, region->reserved_bytes);
	memset(region, 0, sizeof(*region));
}

int host_region_zap(const struct host_region *region)
{
	if (madvise((void *)region->first, region->pages * region->page_size, MADV_DONTNEED))
		return errno;
	return 0;
}

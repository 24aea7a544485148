// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/device.h"

#include <errno.h>

#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/vma.h"

EVENT_DESC(ev_created, 353, 0, "device frames", "%llu frames, the first is pfn %llu");
EVENT_DESC(ev_freed, 354, 0, "device frames freed", "%llu frames, the first is pfn %llu");

INVARIANT(inv_tracked, "pfn-range-tracking",
	  "the driver's frames are freed when all VMAs that map them have been unmapped");

int device_setup(struct machine *m)
{
	struct device_driver *d = arena_alloc(&m->arena, sizeof(*d), CACHE_LINE);

	if (!d)
		return -ENOMEM;
	spin_lock_init(&d->lock, LOCK_CLASS_driver_lock);
	CDS_INIT_LIST_HEAD(&d->maps);
	d->map_cache = kmem_cache_create(m, "device_map", sizeof(struct device_map), CACHE_LINE);
	m->mm->driver = d;
	return d->map_cache ? 0 : -ENOMEM;
}

static void free_frames(const struct device_map *map)
{
	for (u32 i = 0; i < map->nr; i++) {
		struct page *p = pfn_to_page(map->pfns[i]);

		page_flag_clear(p, PG_reserved);
		put_page(p);
	}
}

struct device_map *device_map_create(u32 nr)
{
	struct device_driver *d = this_mm()->driver;
	struct device_map *map = kmem_cache_alloc_at(d->map_cache, ALLOC_SITE_device);

	if (!map)
		return NULL;
	init_once(map->refs, 1);
	init_once(map->tracked, 0);
	for (map->nr = 0; map->nr < nr; map->nr++) {
		struct page *p = alloc_page_at(PAGE_USER, ALLOC_SITE_device);

		if (!p) {
			free_frames(map);
			kmem_cache_free(d->map_cache, map);
			return NULL;
		}
		clear_user_page(p);
		page_flag_set(p, PG_reserved);
		map->pfns[map->nr] = page_to_pfn(p);
	}
	spin_lock(&d->lock);
	cds_list_add_tail(&map->node, &d->maps);
	d->nr_frames += nr;
	spin_unlock(&d->lock);
	event_record(&ev_created, nr, map->pfns[0]);
	return map;
}

void device_map_open(struct device_map *map)
{
	atomic_inc(&map->refs);
}

void device_map_close(struct device_map *map)
{
	struct device_driver *d = this_mm()->driver;
	s64 tracked;

	if (!atomic_dec_and_test(&map->refs))
		return;
	tracked = atomic_read(&map->tracked);
	if (unlikely(tracked))
		VIOLATION(&inv_tracked,
			  "the last VMA on pfn %llu ff. closes, %lld pages of them %s",
			  (unsigned long long)map->pfns[0],
			  (long long)(tracked < 0 ? -tracked : tracked),
			  tracked < 0 ? "were unmapped twice" : "have not been unmapped");
	spin_lock(&d->lock);
	cds_list_del(&map->node);
	d->nr_frames -= map->nr;
	spin_unlock(&d->lock);
	event_record(&ev_freed, map->nr, map->pfns[0]);
	free_frames(map);
	kmem_cache_free(d->map_cache, map);
}

void track_pfn(struct vm_area_struct *vma)
{
	struct device_map *map = vma->vm_private;

	if (map)
		atomic_add((s64)vma_pages(vma), &map->tracked);
}

void untrack_pfn(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct device_map *map = vma->vm_private;

	if (map)
		atomic_sub((s64)((end - start) >> PAGE_SHIFT), &map->tracked);
}

bool device_owns_frame(const struct machine *m, u64 pfn)
{
	const struct device_map *map;

	cds_list_for_each_entry(map, &m->mm->driver->maps, node) {
		for (u32 i = 0; i < map->nr; i++) {
			if (map->pfns[i] == pfn)
				return true;
		}
	}
	return false;
}

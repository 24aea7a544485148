// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/disk.h"

#include <errno.h>
#include <string.h>

#include "mm/mm_machine.h"
#include "smp/spinlock.h"

/* Blocks cleared under one hold of disk_lock: 64 * 40 bytes, under a microsecond. */
#define DISK_CLEAR_BATCH 64

/* Room for the first inode of a small machine; doubled from there. */
#define DISK_MIN_BLOCKS 64

struct disk {
	spinlock_t disk_lock;
	struct disk_block *blocks; /* contents under disk_lock; the pointer is constant in a run */
	u64 nr_blocks, capacity;   /* constant in a run */
};

int disk_setup(struct machine *m)
{
	struct disk *d = arena_alloc(&m->arena, sizeof(*d), CACHE_LINE);

	if (!d)
		return -ENOMEM;
	spin_lock_init(&d->disk_lock, LOCK_CLASS_disk_lock);
	m->mm->disk = d;
	return 0;
}

int disk_extend(struct machine *m, u64 nr, u64 *first)
{
	struct disk *d = m->mm->disk;

	if (d->nr_blocks + nr > d->capacity) {
		u64 capacity = max(max(2 * d->capacity, d->nr_blocks + nr), (u64)DISK_MIN_BLOCKS);
		struct disk_block *blocks =
			arena_alloc_dirty(&m->arena, capacity * sizeof(*blocks), CACHE_LINE);

		if (!blocks)
			return -ENOMEM;
		if (d->nr_blocks)
			memcpy(blocks, d->blocks, d->nr_blocks * sizeof(*blocks));
		d->blocks = blocks;
		d->capacity = capacity;
	}
	/* Those that may never come into use stay as they are. */
	if (nr)
		memset(d->blocks + d->nr_blocks, 0, nr * sizeof(*d->blocks));
	*first = d->nr_blocks;
	d->nr_blocks += nr;
	return 0;
}

static struct disk *disk_with(u64 block, u64 nr)
{
	struct disk *d = this_mm()->disk;

	BUG_ON(block + nr > d->nr_blocks || block + nr < block,
	       "disk blocks %llu + %llu asked for, the disk has %llu", (unsigned long long)block,
	       (unsigned long long)nr, (unsigned long long)d->nr_blocks);
	return d;
}

void disk_read(u64 block, struct frame *to)
{
	struct disk *d = disk_with(block, 1);
	struct disk_block copy;

	spin_lock(&d->disk_lock);
	copy = d->blocks[block];
	spin_unlock(&d->disk_lock);
	for (u32 i = 0; i < FRAME_WORDS; i++)
		init_once(to->data[i], copy.words[i]);
}

void disk_write(u64 block, struct frame *from)
{
	struct disk *d = disk_with(block, 1);
	u64 words[FRAME_WORDS];

	/* CPUs may store to the frame between any two of these. */
	for (u32 i = 0; i < FRAME_WORDS; i++)
		words[i] = READ_ONCE(from->data[i]);
	spin_lock(&d->disk_lock);
	memcpy(d->blocks[block].words, words, sizeof(words));
	d->blocks[block].version++;
	spin_unlock(&d->disk_lock);
}

void disk_clear(u64 first, u64 nr)
{
	struct disk *d = disk_with(first, nr);

	while (nr) {
		u64 n = min(nr, (u64)DISK_CLEAR_BATCH);

		spin_lock(&d->disk_lock);
		for (u64 i = 0; i < n; i++) {
			memset(d->blocks[first + i].words, 0, sizeof(d->blocks[0].words));
			d->blocks[first + i].version++;
		}
		spin_unlock(&d->disk_lock);
		first += n;
		nr -= n;
	}
}

const struct disk_block *disk_peek(const struct machine *m, u64 block)
{
	return &m->mm->disk->blocks[block];
}

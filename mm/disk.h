// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The emulated disk: an array of blocks, one a file page, that holds the same FRAME_WORDS words as
 * a frame does, and a version that counts the writes to it. It grows while inodes are created and
 * is fixed once the machine runs.
 *
 * Locking: disk_lock guards all blocks. A transfer to or from memory reads or writes the frame one
 * word at a time, outside the lock, as a device does beside the CPUs: whoever must not see a
 * mixture of two states (writeback, which write-protects the page first; a reader, which holds
 * PG_locked) sees to that. Units: blocks are numbered from 0 over the whole disk.
 */
#ifndef MM_DISK_H
#define MM_DISK_H

#include "engine/machine.h"
#include "tlbshoot/phys.h"

struct disk_block {
	u64 words[FRAME_WORDS];
	u64 version; /* writes so far */
};

/* An empty disk in machine->mm->disk. 0 or -ENOMEM. */
int disk_setup(struct machine *m);

/* Set-up only: @nr more blocks of zero, the first is *first. 0 or -ENOMEM. */
int disk_extend(struct machine *m, u64 nr, u64 *first);

/* Block to frame, frame to block. The range of blocks is insisted on. */
void disk_read(u64 block, struct frame *to);
void disk_write(u64 block, struct frame *from);

/* Blocks [first, first + nr) become zero (a file has become shorter). */
void disk_clear(u64 first, u64 nr);

/* A block as it is; quiet machine, for audits and tests. */
const struct disk_block *disk_peek(const struct machine *m, u64 block);

#endif

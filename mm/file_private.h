// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of one machine, for the files that implement mm/file.h. */
#ifndef MM_FILE_PRIVATE_H
#define MM_FILE_PRIVATE_H

#include "mm/file.h"
#include "mm/mm_machine.h"
#include "mm/pagelock.h"

struct files {
	struct inode *inodes, **inodes_tail; /* by ino; made at set-up, constant in a run */
	u32 nr_inodes;
	struct kmem_cache *file_cache;
	struct page_wait_table page_wait;
};

#endif

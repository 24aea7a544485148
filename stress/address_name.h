// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What lies at an address of a machine's arena, in the kernel's words: "mm3->mm_users", "pte
 * 0x10000 mm3", "page12->mapcount", "zone_lock".
 *
 * The structures themselves are asked, at the moment of the access: the list of mms with their
 * VMAs, the list of tasks, the arrays of pages and frames, the page tables. So names are right for
 * that moment only; a name that was given stays valid as long as the namer. Page tables that have
 * left their mm keep the name that they had in it, until the frame is freed.
 *
 * It reads shared memory without being a decision point, where no vCPU runs: from an observer
 * (engine/machine.h) or on a machine that stands still. One thread at a time.
 */
#ifndef STRESS_ADDRESS_NAME_H
#define STRESS_ADDRESS_NAME_H

#include <stddef.h>

#include "engine/access.h"
#include "engine/machine.h"

struct address_namer;

/* What it is part of. */
enum address_kind {
	ADDRESS_UNKNOWN,
	ADDRESS_LOCK,	 /* a lock of any kind: spinlock, rwsem, mutex */
	ADDRESS_TABLE,	 /* an entry of a last-level page table: a pte */
	ADDRESS_UPPER,	 /* an entry above the last level: of a pmd, pud or pgd */
	ADDRESS_DATA,	 /* user memory: a word of a frame */
	ADDRESS_MASK,	 /* the CPU mask of an mm */
	ADDRESS_MM,	 /* mm_struct */
	ADDRESS_VMA,	 /* vm_area_struct, anon_vma */
	ADDRESS_PAGE,	 /* struct page, struct frame */
	ADDRESS_FILE,	 /* inode, address_space */
	ADDRESS_TASK,	 /* task_struct, signal_struct, sighand_struct */
	ADDRESS_COUNTER, /* of an mm: resident pages, page tables */
	ADDRESS_REQUEST, /* of a call_function interrupt: set until it is acknowledged */
	ADDRESS_CPU,	 /* run queues, interrupts and their requests */
};

enum value_format {
	VALUE_HEX,
	VALUE_DECIMAL,
	VALUE_TABLE_ENTRY,
	VALUE_PAGE_FLAGS,
	VALUE_POINTER, /* set or NULL: an address of the host is the same in no two runs */
};

#define ADDRESS_NAME_SIZE 56

struct named_address {
	char name[ADDRESS_NAME_SIZE];
	u8 kind;   /* enum address_kind */
	u8 format; /* enum value_format */
	u8 bytes;  /* of the value; 0: not to be read */
	u32 mm;	   /* number of the mm that it belongs to; 0: none */
	u64 pfn;   /* the frame that it is, or describes; ~0: none */
	u64 va;	   /* the page that it maps; ~0: none */
};

struct address_namer *address_namer_create(const struct machine *m);
void address_namer_destroy(struct address_namer *n);

/* @offset: of the arena, not 0. @site: who accesses it. The result lives as long as @n and is the
 * same pointer for the same name. NULL without memory. */
const struct named_address *address_name(struct address_namer *n, u64 offset,
					 const struct site *site);

/* What lies there now; 0 if it is not to be read. */
u64 address_value(const struct address_namer *n, const struct named_address *a, u64 offset);

/* "+dirty -locked": what has changed from one value of page flags to another. Returns @buf. */
const char *address_flags_change(u64 before, u64 after, char *buf, size_t size);

/* A value in words: "pfn 12 rw dirty", "0x3", "2". Returns @buf. */
const char *address_value_text(const struct named_address *a, u64 value, char *buf, size_t size);

#endif

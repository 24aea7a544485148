// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page-table entries that move: the pages are found at their new addresses and not at the old ones,
 * with what was in them, however the two ranges lie to each other.
 */
#include "mm_address_space.h"

#define VALUE(i) (0x76616c0000ULL + (i))
/* In the middle of a page table's range, far enough from others. */
#define FROM 0x200000100000ULL
#define PAGES_OF_TABLE (1ULL << TABLE_BITS)
/* Every third page is not there. */
#define IS_THERE(i) ((i) % 3 != 2)

static void move(struct mm_struct *mm, u64 nr, u64 shift)
{
	u64 old = FROM, new = FROM - (shift << PAGE_SHIFT), len = nr << PAGE_SHIFT, rss, value;
	struct vm_area_struct *vma;

	EXPECT_EQ(sys_mmap(old, len, RW, NULL, 0), old);
	for (u64 i = 0; i < nr; i++) {
		if (IS_THERE(i))
			EXPECT(!user_write(old + (i << PAGE_SHIFT), VALUE(i)));
	}
	rss = (u64)get_mm_rss(mm);
	down_write(&mm->mmap_sem);
	vma = find_vma(mm, old);
	vma_set_bounds(vma, new, old + len);
	EXPECT_EQ(mm->total_vm, nr + shift);
	EXPECT_EQ(move_page_tables(vma, old, new, len), len);
	vma_set_bounds(vma, new, new + len);
	EXPECT_EQ(mm->total_vm, nr);
	up_write(&mm->mmap_sem);

	EXPECT_EQ((u64)get_mm_rss(mm), rss);
	for (u64 i = 0; i < nr; i++) {
		u64 was = old + (i << PAGE_SHIFT);

		if (was >= new + len)
			EXPECT_EQ(user_read(was, &value), -EFAULT);
		if (!IS_THERE(i))
			continue;
		EXPECT(!user_read(new + (i << PAGE_SHIFT), &value));
		EXPECT_EQ(value, VALUE(i));
	}
	/* rmap follows: writing to it finds nothing to copy, and its page is the VMA's. */
	EXPECT(!user_write(new, VALUE(nr)));
	EXPECT_EQ((u64)get_mm_rss(mm), rss);
	/* The old tables go with the range that they may have been left in. */
	EXPECT(sys_mmap(max(old, new + len), len, RW, NULL, 0) > 0);
	EXPECT(!sys_munmap(new, 2 * len + (shift << PAGE_SHIFT)));
	EXPECT_EQ(atomic_read(&mm->nr_ptes), 0);
}

static void moves(void *arg)
{
	struct space *s = arg;

	move(s->mm, 1, 1);
	move(s->mm, 4, 1);
	move(s->mm, 4, 3);
	move(s->mm, 4, 4);
	move(s->mm, 5, 9);
	/* Over a table's border, to the same place of another table, and anywhere. */
	move(s->mm, PAGES_OF_TABLE / 4, PAGES_OF_TABLE);
	move(s->mm, PAGES_OF_TABLE / 4, PAGES_OF_TABLE / 2 + 3);
	move(s->mm, PAGES_OF_TABLE / 2 + 20, 1);
	move(s->mm, PAGES_OF_TABLE / 2 + 20, PAGES_OF_TABLE / 2 + 7);
}

Test(mm_move_page_tables, pages_are_found_at_their_new_addresses)
{
	run_alone(moves);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The array of VMAs and the operations on it, and the audits that watch it.
 */
#include "mm_address_space.h"

#include "mm/rmap.h"

static struct vm_area_struct *add(struct mm_struct *mm, u64 first, u64 nr, u32 flags,
				  struct file *file, u64 pgoff)
{
	struct vm_area_struct *vma =
		vma_alloc(mm, PAGE(first), PAGE(first + nr), flags, file, pgoff);

	EXPECT(vma);
	EXPECT_EQ(insert_vma(mm, vma), 0);
	return vma;
}

static void drop(struct mm_struct *mm, struct vm_area_struct *vma)
{
	detach_vma(mm, vma);
	unlink_anon_vmas(vma);
	if (vma->vm_file)
		unlink_file_vma(vma);
	remove_vma(vma);
}

static void drop_all(struct mm_struct *mm)
{
	while (mm->nr_vmas)
		drop(mm, mm->vmas[mm->nr_vmas - 1]);
}

static void find_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	struct vm_area_struct *b, *a, *c;

	down_write(&mm->mmap_sem);
	EXPECT(!find_vma(mm, 0));
	b = add(mm, 20, 5, RW, NULL, 0);
	a = add(mm, 10, 5, VM_READ, NULL, 0);
	c = add(mm, 25, 1, VM_READ, NULL, 0);
	EXPECT(find_vma(mm, 0) == a);
	EXPECT(find_vma(mm, PAGE(10)) == a);
	EXPECT(find_vma(mm, PAGE(15) - 1) == a);
	EXPECT(find_vma(mm, PAGE(15)) == b);
	EXPECT(find_vma(mm, PAGE(25) - 1) == b);
	EXPECT(find_vma(mm, PAGE(25)) == c);
	EXPECT(!find_vma(mm, PAGE(26)));
	EXPECT(!vma_lookup(mm, PAGE(15)));
	EXPECT(!vma_lookup(mm, PAGE(10) - 1));
	EXPECT(vma_lookup(mm, PAGE(24)) == b);
	EXPECT_EQ(mm->total_vm, 11);
	EXPECT_EQ(linear_page_index(b, PAGE(22)), PAGE(22) >> PAGE_SHIFT);
	vma_audit(mm);
	drop(mm, b);
	EXPECT_EQ(mm->total_vm, 6);
	EXPECT(find_vma(mm, PAGE(15)) == c);
	drop_all(mm);
	up_write(&mm->mmap_sem);
}

Test(vma, finds_what_ends_above_an_address)
{
	run_alone(find_body);
}

/* More than every size of array but the last holds. */
#define MANY 9000

static void grow_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	down_write(&mm->mmap_sem);
	for (u32 i = 0; i < MANY; i++)
		add(mm, 2 * ((u64)i * 7919 % MANY), 1, VM_READ, NULL, 0);
	EXPECT_EQ(mm->nr_vmas, MANY);
	vma_audit(mm);
	for (u32 i = 0; i < MANY; i += 97) {
		EXPECT(vma_lookup(mm, PAGE(2 * i)) == mm->vmas[i]);
		EXPECT(!vma_lookup(mm, PAGE(2 * i + 1)));
	}
	drop_all(mm);
	up_write(&mm->mmap_sem);
	for (u32 i = 0; i < VMA_ARRAY_SIZES; i++)
		EXPECT_EQ(kmem_cache_in_use(this_mm()->vma_arrays[i]), i == VMA_ARRAY_SIZES - 1);
}

Test(vma, array_grows_with_the_number_of_vmas)
{
	struct space_test test = {
		.nr_vcpus = 1, .nr_tasks = 1, .body = grow_body, .executor = EXECUTOR_THREADS};

	cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
}

static void detach_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	u32 nr = 9;

	down_write(&mm->mmap_sem);
	for (u32 first = 0; first < nr; first++) {
		for (u32 count = 1; first + count <= nr; count++) {
			struct vm_area_struct **gone;

			for (u32 i = 0; i < nr; i++)
				add(mm, 2 * i, 1, i & 1 ? VM_READ : VM_READ | VM_LOCKED, NULL, 0);
			gone = detach_vmas(mm, first, count);
			EXPECT_EQ(mm->nr_vmas, nr - count);
			for (u32 i = 0; i < count; i++)
				EXPECT_EQ(gone[i]->vm_start, PAGE(2 * (first + i)));
			for (u32 i = 0; i < nr - count; i++)
				EXPECT_EQ(mm->vmas[i]->vm_start,
					  PAGE(2 * (i < first ? i : i + count)));
			vma_audit(mm);
			for (u32 i = 0; i < count; i++)
				remove_vma(gone[i]);
			drop_all(mm);
			EXPECT_EQ(mm->total_vm + mm->locked_vm, 0);
		}
	}
	up_write(&mm->mmap_sem);
}

Test(vma, detaches_any_run_in_order)
{
	run_alone(detach_body);
}

static void split_merge_body(void *arg)
{
	struct space *s = arg;
	struct mm_struct *mm = s->mm;
	struct file *file = file_open(s->inode), *other = file_open(s->inode);
	struct vm_area_struct *vma, *upper;

	down_write(&mm->mmap_sem);
	vma = add(mm, 0, 10, RW, NULL, 0);
	EXPECT_EQ(anon_vma_prepare(vma), 0);
	EXPECT_EQ(split_vma(mm, vma, PAGE(4)), 0);
	EXPECT_MAP(mm, "0-4 rw; 4-10 rw");
	upper = mm->vmas[1];
	EXPECT(upper->anon_vma == vma->anon_vma);
	EXPECT(!cds_list_empty(&upper->anon_vma_chain));
	EXPECT_EQ(upper->vm_pgoff, PAGE(4) >> PAGE_SHIFT);
	EXPECT_EQ(mm->total_vm, 10);
	EXPECT_EQ(split_vma(mm, upper, PAGE(7)), 0);
	EXPECT_MAP(mm, "0-4 rw; 4-7 rw; 7-10 rw");
	/* Both neighbours at once. */
	EXPECT(vma_merge_neighbours(mm, upper) == vma);
	EXPECT_MAP(mm, "0-10 rw");

	/* The one with an anon_vma stays, whichever side it is on. */
	upper = add(mm, 12, 3, RW, NULL, 0);
	EXPECT_EQ(anon_vma_prepare(upper), 0);
	add(mm, 11, 1, RW, NULL, 0);
	EXPECT(vma_merge_neighbours(mm, mm->vmas[1]) == upper);
	EXPECT_MAP(mm, "0-10 rw; 11-15 rw");
	EXPECT_EQ(upper->vm_pgoff, PAGE(11) >> PAGE_SHIFT);
	/* Two anon_vmas of their own don't become one. */
	EXPECT(vma_merge_neighbours(mm, add(mm, 10, 1, RW, NULL, 0)) == vma);
	EXPECT_MAP(mm, "0-11 rw; 11-15 rw");
	vma_audit(mm);
	drop_all(mm);

	/* A file: the same file, and its offsets go on. */
	vma = add(mm, 0, 4, VM_READ | VM_SHARED, file, 3);
	EXPECT_EQ(split_vma(mm, vma, PAGE(1)), 0);
	EXPECT_EQ(mm->vmas[1]->vm_pgoff, 4);
	EXPECT_EQ(s->inode->mapping.nr_mappings, 2);
	vma_audit(mm);
	EXPECT(vma_merge_neighbours(mm, mm->vmas[1]) == vma);
	EXPECT_EQ(s->inode->mapping.nr_mappings, 1);
	EXPECT_EQ(vma->vm_pgoff, 3);
	vma_merge_neighbours(mm, add(mm, 4, 1, VM_READ | VM_SHARED, file, 8));
	EXPECT_MAP(mm, "0-4 rsf; 4-5 rsf");
	vma_merge_neighbours(mm, add(mm, 5, 1, VM_READ, file, 9));
	vma_merge_neighbours(mm, add(mm, 6, 1, VM_READ, other, 10));
	vma_merge_neighbours(mm, add(mm, 7, 1, VM_READ, NULL, 11));
	EXPECT_MAP(mm, "0-4 rsf; 4-5 rsf; 5-6 rf; 6-7 rf; 7-8 r");
	vma_audit(mm);
	drop_all(mm);
	EXPECT_EQ(s->inode->mapping.nr_mappings, 0);
	up_write(&mm->mmap_sem);
	EXPECT_EQ(file->count, 1);
	fput(file);
	fput(other);
}

Test(vma, split_and_merge_undo_each_other)
{
	run_alone(split_merge_body);
}

static void stack_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	u64 gap = STACK_GUARD_GAP >> PAGE_SHIFT;
	struct vm_area_struct *stack, *below;

	down_write(&mm->mmap_sem);
	stack = add(mm, 2000, 2, RW | VM_GROWSDOWN, NULL, 0);
	EXPECT_EQ(expand_stack(stack, PAGE(2001)), 0);
	EXPECT_EQ(expand_stack(stack, PAGE(1990) + 123), 0);
	EXPECT_MAP(mm, "1990-2002 rw");
	EXPECT_EQ(mm->total_vm, 12);
	EXPECT_EQ(stack->vm_pgoff, PAGE(1990) >> PAGE_SHIFT);
	below = add(mm, 1000, 1, VM_READ, NULL, 0);
	EXPECT_EQ(expand_stack(stack, PAGE(1001 + gap) - 1), -ENOMEM);
	EXPECT_EQ(expand_stack(stack, PAGE(1001 + gap)), 0);
	drop(mm, below);
	EXPECT_EQ(expand_stack(stack, stack->vm_end - STACK_LIMIT - 1), -ENOMEM);
	EXPECT_EQ(expand_stack(stack, stack->vm_end - STACK_LIMIT), 0);
	vma_audit(mm);
	drop_all(mm);
	up_write(&mm->mmap_sem);
}

Test(vma, stack_grows_to_its_limit_and_keeps_the_gap)
{
	run_alone(stack_body);
}

static void unmapped_area_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	down_write(&mm->mmap_sem);
	mm->mmap_base = PAGE(0);
	EXPECT_EQ(get_unmapped_area(mm, PAGE_SIZE, PAGE_SIZE), PAGE(0));
	add(mm, 0, 2, RW, NULL, 0);
	add(mm, 3, 2, RW, NULL, 0);
	EXPECT_EQ(get_unmapped_area(mm, PAGE_SIZE, PAGE_SIZE), PAGE(2));
	EXPECT_EQ(get_unmapped_area(mm, 2 * PAGE_SIZE, PAGE_SIZE), PAGE(5));
	EXPECT_EQ(get_unmapped_area(mm, PAGE_SIZE, 4 * PAGE_SIZE), PAGE(8));
	EXPECT_EQ(get_unmapped_area(mm, TASK_SIZE, PAGE_SIZE), 0);
	EXPECT_EQ(get_unmapped_area(mm, TASK_SIZE - PAGE(5), PAGE_SIZE), PAGE(5));
	EXPECT_EQ(get_unmapped_area(mm, TASK_SIZE - PAGE(4), PAGE_SIZE), 0);
	EXPECT_EQ(get_unmapped_area(mm, 0, PAGE_SIZE), 0);
	/* Not up to a stack. */
	add(mm, 400, 1, RW | VM_GROWSDOWN, NULL, 0);
	EXPECT_EQ(get_unmapped_area(mm, 100 * PAGE_SIZE, PAGE_SIZE), PAGE(5));
	EXPECT_EQ(get_unmapped_area(mm, 200 * PAGE_SIZE, PAGE_SIZE), PAGE(401));
	/* Never at 0. */
	mm->mmap_base = 0;
	EXPECT_EQ(get_unmapped_area(mm, PAGE_SIZE, PAGE_SIZE), MMAP_MIN_ADDR);
	drop_all(mm);
	up_write(&mm->mmap_sem);
}

Test(vma, unmapped_area_is_the_first_that_fits)
{
	run_alone(unmapped_area_body);
}

static void dup_body(void *arg)
{
	struct space *s = arg;
	struct mm_struct *mm = s->mm;
	struct file *file = file_open(s->inode);
	struct vm_area_struct *vma, *copy;

	down_write(&mm->mmap_sem);
	vma = add(mm, 0, 4, RW | VM_LOCKED, file, 7);
	copy = vma_dup(mm, vma);
	EXPECT(copy);
	EXPECT_EQ(file->count, 3);
	EXPECT_EQ(copy->vm_flags, RW);
	EXPECT_EQ(copy->vm_pgoff, 7);
	EXPECT(copy->id != vma->id);
	remove_vma(copy);
	drop_all(mm);
	up_write(&mm->mmap_sem);
	fput(file);
}

Test(vma, copy_for_fork_has_its_own_references)
{
	run_alone(dup_body);
}

static void commit_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	u64 all = this_mm()->nr_pages;

	EXPECT_EQ(security_vm_enough_memory(mm, all + 1), -ENOMEM);
	EXPECT_EQ(security_vm_enough_memory(mm, all), 0);
	EXPECT_EQ(security_vm_enough_memory(mm, all), 0);
	EXPECT_EQ(this_mm()->committed_pages, 2 * all);
	vm_unacct_memory(2 * all);
}

Test(vma, commit_refuses_what_can_never_be_had)
{
	run_alone(commit_body);
}

/* --- The audits and checks see what they are for ---------------------------------------------- */

static void expect_violation(void (*body)(void *), const char *slug)
{
	struct space_test test = {
		.nr_vcpus = 1, .nr_tasks = 1, .body = body, .executor = EXECUTOR_EXPLORE};
	struct violation seen;

	cr_assert_eq(run_space(&test, &seen), MACHINE_VIOLATION);
	cr_assert_str_eq(seen.invariant->slug, slug, "%s: %s", seen.invariant->slug, seen.message);
}

static void overlap_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	add(mm, 0, 4, RW, NULL, 0);
	add(mm, 3, 4, RW, NULL, 0);
}

static void order_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	add(mm, 0, 4, RW, NULL, 0);
	add(mm, 8, 4, RW, NULL, 0)->vm_start = PAGE(2);
	mm->total_vm += 6;
	vma_audit(mm);
}

static void total_vm_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	add(mm, 0, 4, RW, NULL, 0);
	mm->total_vm++;
	vma_audit(mm);
}

static void locked_vm_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;

	add(mm, 0, 4, RW, NULL, 0)->vm_flags |= VM_LOCKED;
	vma_audit(mm);
}

static void i_mmap_body(void *arg)
{
	struct space *s = arg;

	unlink_file_vma(add(s->mm, 0, 4, VM_READ, file_open(s->inode), 0));
	vma_audit(s->mm);
}

static void commit_lost_body(void *arg)
{
	struct space *s = arg;

	add(s->mm, 0, 4, RW | VM_ACCOUNT, NULL, 0);
	vma_audit_all(s->m);
}

static void freed_linked_body(void *arg)
{
	struct mm_struct *mm = ((struct space *)arg)->mm;
	struct vm_area_struct *vma = add(mm, 0, 4, RW, NULL, 0);

	EXPECT_EQ(anon_vma_prepare(vma), 0);
	detach_vma(mm, vma);
	remove_vma(vma);
}

static void tracked_body(void *arg)
{
	struct space *s = arg;
	s64 addr = sys_mmap_device(3);
	struct vm_area_struct *vma = vma_lookup(s->mm, (u64)addr);

	untrack_pfn(vma, vma->vm_start, PAGE_SIZE);
	sys_munmap((u64)addr, 3 * PAGE_SIZE);
}

static void driver_body(void *arg)
{
	struct space *s = arg;
	s64 addr = sys_mmap_device(3);
	struct vm_area_struct *vma = vma_lookup(s->mm, (u64)addr);

	get_page(pfn_to_page(((struct device_map *)vma->vm_private)->pfns[1]));
	vma_audit_all(s->m);
}

Test(vma, checks_report_what_is_wrong)
{
	expect_violation(overlap_body, "vma-overlap");
	expect_violation(order_body, "vma-order");
	expect_violation(total_vm_body, "vma-accounting");
	expect_violation(locked_vm_body, "vma-accounting");
	expect_violation(i_mmap_body, "vma-i-mmap");
	expect_violation(commit_lost_body, "committed-memory");
	expect_violation(freed_linked_body, "vma-freed-linked");
	expect_violation(tracked_body, "pfn-range-tracking");
	expect_violation(driver_body, "driver-frames");
}

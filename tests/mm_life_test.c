// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of an mm (seed_path B, C, E2): its two reference counts and all who hold them, what must
 * be gone when it goes, and notifiers.
 */
#include "mm_life_seeds.h"

#include "mm/notifier.h"
#include "mm/rmap.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 300
#define SMALL_PAGES 96
#define MARK 0x6d61726bULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

/* --- Counts ----------------------------------------------------------------------------------- */

static void alloc_and_put(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = mm_alloc(), *other;

	EXPECT(mm && mm->mm_users == 1 && mm->mm_count == 1 && mm->magic == MM_MAGIC);
	other = mm_alloc();
	EXPECT(other->context.id != mm->context.id && other->domain != mm->domain);
	mmget(mm);
	mmgrab(mm);
	mmput(mm);
	EXPECT(vmstat_sum(l->m, VMSTAT_mmput_last) == 0);
	mmput(mm);
	EXPECT(vmstat_sum(l->m, VMSTAT_mmput_last) == 1);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_freed) == 0);
	mm_check_alive(mm, __func__);
	mmdrop(mm);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_freed) == 1);
	mmput(other);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_freed) == 2);
	sys_exit(0);
}

Test(mm_life, mm_users_and_mm_count)
{
	life_both(&small, 1, alloc_and_put);
}

static void put_twice(void *arg)
{
	struct mm_struct *mm = mm_alloc();

	(void)arg;
	mmgrab(mm);
	mmput(mm);
	mmput(mm);
	sys_exit(0);
}

static void use_after_free(void *arg)
{
	struct mm_struct *mm = mm_alloc();

	(void)arg;
	mmput(mm);
	mmdrop(mm);
	sys_exit(0);
}

static void drop_too_often(void *arg)
{
	struct mm_struct *mm = mm_alloc();

	(void)arg;
	mmdrop(mm);
	sys_exit(0);
}

Test(mm_life, counts_that_go_wrong_are_noticed)
{
	life_violates(&small, put_twice, "mm-users-underflow");
	life_violates(&small, use_after_free, "mm-use-after-free");
	life_violates(&small, drop_too_often, "mm-freed-in-use");
}

static void leak_rss(void *arg)
{
	struct mm_struct *mm = mm_alloc();

	(void)arg;
	add_mm_counter(mm, MM_FILEPAGES, 1);
	mmput(mm);
	sys_exit(0);
}

static void leak_nr_ptes(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	atomic_inc(&current->mm->nr_ptes);
	sys_exit(0);
}

static void leak_notifier_range(void *arg)
{
	struct mm_struct *mm = mm_alloc();

	(void)arg;
	mmu_notifier_invalidate_range_start(mm, 0, PAGE_SIZE);
	mmput(mm);
	sys_exit(0);
}

static void leak_locked_vm(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	current->mm->locked_vm++;
	sys_exit(0);
}

Test(mm_life, what_is_left_of_a_freed_mm_is_noticed)
{
	life_violates(&small, leak_rss, "bad-rss-counter");
	life_violates(&small, leak_nr_ptes, "nr-ptes-left");
	life_violates(&small, leak_notifier_range, "mm-not-torn-down");
	life_violates(&small, leak_locked_vm, "locked-vm-left");
}

/* --- get_task_mm ------------------------------------------------------------------------------ */

static void program(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->start_data, MARK) == 0);
	(void)return_to_user();
	sys_exit(0);
}

static void own_and_others(void *arg)
{
	struct life *l = arg;
	struct task_struct *child;
	struct mm_struct *mm;
	s64 pid;

	EXPECT(!get_task_mm(current));
	EXPECT(sys_peek_mm(current->pid) == -EINVAL);
	EXPECT(sys_peek_mm(12345) == -ESRCH);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_peek_mm(current->pid) == 4);
	mm = get_task_mm(current);
	EXPECT(mm == current->mm && atomic_read(&mm->mm_users) == 2);
	mmput(mm);

	pid = sys_clone(0, "child", program, l, &child);
	EXPECT(pid > 0);
	mm = get_task_mm(child);
	EXPECT(sys_wait(NULL) == pid);
	/* The child has gone, but for its address space. */
	if (mm) {
		EXPECT(mm != current->mm && atomic_read(&mm->mm_users) == 1 && mm->nr_vmas == 4);
		mmput(mm);
	}
	EXPECT(sys_peek_mm((u32)pid) == -ESRCH);
	sys_exit(0);
}

Test(mm_life, get_task_mm_holds_the_address_space)
{
	life_both(&small, 1, own_and_others);
	life_explore(&small, 1, own_and_others, SEEDS);
}

/* Looks at the programs with pid 1 and 2 again and again. */
static void reader(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < (exploring() ? 4 : 4000); i++) {
		(void)sys_peek_mm(1 + i % 2);
		(void)return_to_user();
	}
	sys_exit(0);
}

static void first_two_run_others_read(void *arg)
{
	if (current->pid <= 2)
		program(arg);
	else
		reader(arg);
}

Test(mm_life, readers_race_with_exit)
{
	life_both(&small, 4, first_two_run_others_read);
	life_explore(&small, 6, first_two_run_others_read, SEEDS);
}

/* Planted: a reader that does not take task_lock raises mm_users of an mm that is going. */
Test(mm_life, get_task_mm_without_task_lock_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_GET_TASK_MM_UNLOCKED, 6, first_two_run_others_read,
				 SEEDS, "mm-users-resurrected mm-use-after-free"),
		      0);
}

/* --- Lazy TLB --------------------------------------------------------------------------------- */

/* A kernel thread that sleeps and wakes between programs: each time it borrows what ran before. */
static void kernel_thread(void *arg)
{
	(void)arg;
	for (u32 i = 0; i < (exploring() ? 3 : 2000); i++) {
		struct mm_struct *borrowed;

		yield();
		preempt_disable();
		borrowed = current->active_mm;
		mm_check_alive(borrowed, __func__);
		EXPECT(!current->mm && atomic_read(&borrowed->mm_count) > 0);
		preempt_enable();
	}
	sys_exit(0);
}

static void programs_and_kernel_threads(void *arg)
{
	if (current->pid % 2)
		kernel_thread(arg);
	else
		program(arg);
}

Test(mm_life, a_borrowed_mm_stays)
{
	life_both(&small, 5, programs_and_kernel_threads);
	life_explore(&small, 5, programs_and_kernel_threads, SEEDS);
}

Test(mm_life, a_borrower_without_a_reference_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_LAZY_NOT_PINNED, 5, programs_and_kernel_threads,
				 SEEDS, "mm-use-after-free mm-freed-in-use"),
		      0);
}

/* --- use_mm ----------------------------------------------------------------------------------- */

static void owner_of_adopted(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->start_data, MARK) == 0);
	smp_store_release(&l->data, (void *)get_task_mm(current));
	/* It may be gone before the other is done with the address space. */
	sys_exit(0);
}

static void adopter(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm;
	u64 v;

	while (!(mm = smp_load_acquire(&l->data)))
		yield();
	use_mm(mm);
	EXPECT(current->mm == mm && current->active_mm == mm);
	EXPECT(!get_task_mm(current));
	EXPECT(user_read(mm->start_data, &v) == 0 && v == MARK);
	EXPECT(user_write(mm->end_data, 1) == 0);
	EXPECT(READ_ONCE(mm->owner) != current);
	unuse_mm(mm);
	EXPECT(!current->mm && current->active_mm == mm);
	EXPECT(!current->rss_stat.count[MM_ANONPAGES]);
	mmput(mm);
	sys_exit(0);
}

static void adopted_and_adopter(void *arg)
{
	if (current->pid == 1)
		owner_of_adopted(arg);
	else
		adopter(arg);
}

static void clear_data(struct life *l)
{
	l->data = NULL;
}

Test(mm_life, a_kernel_thread_adopts_an_mm)
{
	struct life_config config = small;
	struct life l = {0};

	life_create(&l, &config);
	for (u64 seed = 1; seed <= SEEDS; seed++) {
		config.seed = seed;
		life_again(&l, &config);
		clear_data(&l);
		life_task(&l, 0, adopted_and_adopter);
		life_task(&l, 1, adopted_and_adopter);
		expect_clean(&l, life_run(&l, seed == 1 ? EXECUTOR_THREADS : EXECUTOR_EXPLORE));
	}
	life_destroy(&l);
}

static void adopts_one_after_the_other(void *arg)
{
	struct life *l = arg;
	struct mm_struct *a = mm_alloc(), *b = mm_alloc();

	use_mm(a);
	EXPECT(atomic_read(&a->mm_count) == 2);
	unuse_mm(a);
	mmput(a); /* borrowed still, unless another has run here meanwhile */
	use_mm(b);
	EXPECT(vmstat_sum(l->m, VMSTAT_mm_freed) == 1);
	unuse_mm(b);
	use_mm(b);
	EXPECT(atomic_read(&b->mm_count) == 2);
	unuse_mm(b);
	mmput(b);
	sys_exit(0);
}

Test(mm_life, who_adopts_an_mm_lets_go_of_the_borrowed_one)
{
	life_both(&small, 1, adopts_one_after_the_other);
}

/* --- Owners ----------------------------------------------------------------------------------- */

static void heir(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = current->mm;

	/* The one that made us goes without waiting. */
	while (atomic_read(&l->count) == 0)
		yield();
	EXPECT(current->mm == mm);
	while (READ_ONCE(mm->owner) != current && atomic_read(&mm->mm_users) > 1)
		yield();
	sys_exit(0);
}

static void leaves_its_mm_to_threads(void *arg, bool by_exec)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm->owner == current);
	for (u32 i = 0; i < 2; i++)
		EXPECT(sys_clone(CLONE_VM, "heir", heir, l, NULL) > 0);
	EXPECT(current->mm->owner == current);
	atomic_inc(&l->count);
	if (by_exec) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(current->mm->owner == current);
		EXPECT(sys_wait(NULL) > 0 && sys_wait(NULL) > 0);
	}
	sys_exit(0);
}

static void leaves_by_exit(void *arg)
{
	leaves_its_mm_to_threads(arg, false);
}

static void leaves_by_exec(void *arg)
{
	leaves_its_mm_to_threads(arg, true);
}

Test(mm_life, the_owner_is_followed_by_another_user)
{
	life_both(&small, 1, leaves_by_exit);
	life_explore(&small, 1, leaves_by_exit, SEEDS);
	life_both(&small, 1, leaves_by_exec);
	life_explore(&small, 1, leaves_by_exec, SEEDS);
}

/* --- exit_mmap -------------------------------------------------------------------------------- */

static void locks_memory(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_mlock(current->mm->start_code, 3 * PAGE_SIZE) == 0);
	EXPECT(current->mm->locked_vm == 3);
	EXPECT(vmstat_sum(l->m, VMSTAT_unevictable_pgs_mlocked) >= 3);
	if (current->pid == 2) {
		EXPECT(sys_execve(&l->image) == 0);
		EXPECT(current->mm->locked_vm == 0);
	}
	sys_exit(0);
}

Test(mm_life, locked_pages_are_munlocked_at_the_end)
{
	life_both(&small, 2, locks_memory);
	cr_assert_neq(
		life_finds(&small, KNOB_MUNLOCK_SKIPPED, 2, locks_memory, 1, "locked-vm-left"), 0);
}

static void locks_text(void *arg)
{
	struct life *l = arg;
	struct page *page;

	EXPECT(sys_mlock(current->mm->start_code, PAGE_SIZE) == 0);
	page = find_get_page(&l->prog->mapping, 0);
	EXPECT(page && page_flag(page, PG_mlocked));
	put_page(page);
	sys_exit(0);
}

static void shares_text_with_a_locker(void *arg)
{
	struct life *l = arg;
	struct page *page;
	u64 v;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_read(current->mm->start_code, &v) == 0);
	EXPECT(sys_clone(0, "locker", locks_text, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	page = find_get_page(&l->prog->mapping, 0);
	EXPECT(page && page_mapped(page));
	EXPECT(!page_flag(page, PG_mlocked) && !page_flag(page, PG_unevictable));
	put_page(page);
	sys_exit(0);
}

Test(mm_life, what_the_others_still_map_is_locked_no_longer)
{
	life_both(&small, 1, shares_text_with_a_locker);
}

Test(mm_life, committed_memory_that_is_not_given_back_is_found)
{
	cr_assert_neq(
		life_finds(&small, KNOB_COMMIT_NOT_RETURNED, 2, program, 1, "committed-memory"), 0);
}

/* --- Notifiers -------------------------------------------------------------------------------- */

struct device_mmu {
	struct mmu_notifier mn;
	u32 nr_release;
	bool over; /* the address space has gone: nobody may call any more */
};

static void device_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct device_mmu *d = container_of(mn, struct device_mmu, mn);

	EXPECT(mm->magic == MM_MAGIC);
	d->nr_release++;
}

static void device_range(struct mmu_notifier *mn, struct mm_struct *mm, u64 start, u64 end)
{
	struct device_mmu *d = container_of(mn, struct device_mmu, mn);

	(void)mm;
	EXPECT(start < end);
	/* A device takes its time. */
	for (u32 i = 0; i < 8; i++)
		EXPECT(!READ_ONCE(d->over));
}

static const struct mmu_notifier_ops device_ops = {
	.release = device_release,
	.invalidate_range_start = device_range,
	.invalidate_range_end = device_range,
};

static void notified(void *arg)
{
	struct life *l = arg;
	struct device_mmu devices[2] = {{.mn.ops = &device_ops}, {.mn.ops = &device_ops}};
	struct mm_struct *mm;
	u32 nr_start;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	mmu_notifier_register(&devices[0].mn, mm);
	mmu_notifier_register(&devices[1].mn, mm);
	EXPECT(user_write(mm->end_data, 1) == 0);
	EXPECT(sys_madvise_dontneed(mm->end_data, PAGE_SIZE) == 0);
	for (u32 i = 0; i < 2; i++) {
		EXPECT(devices[i].mn.nr_start > 0);
		EXPECT(devices[i].mn.nr_start == devices[i].mn.nr_end);
		EXPECT(devices[i].nr_release == 0);
	}
	/* One leaves, the other stays until the address space goes. */
	mmu_notifier_unregister(&devices[0].mn, mm);
	EXPECT(devices[0].nr_release == 1);
	nr_start = devices[0].mn.nr_start;
	EXPECT(sys_madvise_dontneed(mm->end_data, PAGE_SIZE) == 0);
	EXPECT(devices[0].mn.nr_start == nr_start && devices[1].mn.nr_start > nr_start);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(devices[1].nr_release == 1);
	mmu_notifier_unregister(&devices[1].mn, mm);
	EXPECT(devices[1].nr_release == 1);
	sys_exit(0);
}

Test(mm_life, notifiers_hear_of_ranges_and_of_the_end)
{
	life_both(&small, 1, notified);
}

/* One registers and goes while others zap and the address space ends. */
static void zapper(void *arg)
{
	struct mm_struct *mm = current->mm;

	(void)arg;
	for (u32 i = 0; i < 2; i++) {
		EXPECT(user_write(mm->end_data, 1) == 0);
		EXPECT(sys_madvise_dontneed(mm->end_data, PAGE_SIZE) == 0);
	}
	sys_exit(0);
}

static void notified_while_others_zap(void *arg)
{
	struct life *l = arg;
	struct device_mmu d = {.mn.ops = &device_ops};
	struct mm_struct *mm;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	EXPECT(sys_clone(CLONE_VM, "zapper", zapper, l, NULL) > 0);
	mmu_notifier_register(&d.mn, mm);
	EXPECT(sys_execve(&l->image) == 0);
	mmu_notifier_unregister(&d.mn, mm);
	WRITE_ONCE(d.over, true);
	EXPECT(d.nr_release == 1);
	EXPECT(sys_wait(NULL) > 0);
	sys_exit(0);
}

Test(mm_life, notifiers_come_and_go_while_others_zap)
{
	life_both(&small, 1, notified_while_others_zap);
	life_explore(&small, 1, notified_while_others_zap, SEEDS);
}

/* Truncation comes to an mm through the file: it needs no user of the mm to stay. */
static void truncates(void *arg)
{
	struct life *l = arg;

	for (u32 i = 0; i < 3; i++) {
		EXPECT(sys_ftruncate(l->prog, 0) == 0);
		EXPECT(sys_ftruncate(l->prog, LIFE_FILE_PAGES) == 0);
	}
	sys_exit(0);
}

static void notified_while_truncated(void *arg)
{
	struct life *l = arg;
	struct device_mmu d = {.mn.ops = &device_ops};

	EXPECT(sys_execve(&l->image) == 0);
	for (u32 i = 0; i < 2; i++) {
		struct mm_struct *mm = current->mm;

		mmu_notifier_register(&d.mn, mm);
		EXPECT(sys_execve(&l->image) == 0);
		WRITE_ONCE(d.over, true);
		mmu_notifier_unregister(&d.mn, mm);
		EXPECT(d.nr_release == i + 1);
		d.over = false;
	}
	sys_exit(0);
}

static void notified_and_truncater(void *arg)
{
	if (current->pid % 2)
		notified_while_truncated(arg);
	else
		truncates(arg);
}

Test(mm_life, notifiers_are_released_while_their_file_is_truncated)
{
	life_both(&small, 3, notified_and_truncater);
	life_explore(&small, 5, notified_and_truncater, SEEDS);
}

static void zaps(void *arg)
{
	struct life *l = arg;

	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(user_write(current->mm->end_data, 1) == 0);
	EXPECT(sys_madvise_dontneed(current->mm->end_data, PAGE_SIZE) == 0);
	EXPECT(sys_madvise_dontneed(current->mm->end_data, PAGE_SIZE) == 0);
	sys_exit(0);
}

Test(mm_life, a_notifier_range_without_an_end_is_found)
{
	cr_assert_neq(
		life_finds(&small, KNOB_NOTIFIER_END_MISSING, 2, zaps, 50, "mm-not-torn-down"), 0);
}

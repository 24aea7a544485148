// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec (seed_path A): what a new image looks like, what is left of the old one, and what happens
 * when it fails at each place where it can.
 */
#include "mm_life_seeds.h"

#include "mm/coredump.h"
#include "mm/notifier.h"
#include "smp/signal.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 300
#define SMALL_PAGES 96
/* Programs write this to see later whether it is still there. */
#define MARK 0x6d61726bULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};
static const struct life_config three_cpus = {.nr_vcpus = 3, .nr_pages = SMALL_PAGES};

/* --- The new image ---------------------------------------------------------------------------- */

static void check_image(struct life *l)
{
	struct mm_struct *mm = current->mm;
	const struct exec_image *image = &l->image;
	u64 v = MARK;

	EXPECT(mm->nr_vmas == 4);
	EXPECT(mm->start_code == ELF_TEXT_START);
	EXPECT(mm->end_code == mm->start_code + image->text_pages * PAGE_SIZE);
	EXPECT(mm->end_data == mm->start_data + image->data_pages * PAGE_SIZE);
	EXPECT(mm->start_brk == mm->end_data + image->bss_pages * PAGE_SIZE);
	EXPECT(mm->brk == mm->start_brk);
	EXPECT(mm->arg_start == STACK_TOP - image->argument_pages * PAGE_SIZE);
	EXPECT(mm->vmas[0]->vm_flags == (VM_READ | VM_EXEC));
	EXPECT(mm->vmas[1]->vm_flags == (VM_READ | VM_WRITE | VM_ACCOUNT));
	EXPECT(mm->vmas[1]->vm_pgoff == image->text_pages);
	EXPECT(mm->vmas[2]->vm_file == NULL);
	EXPECT(mm->vmas[3]->vm_end == STACK_TOP);
	EXPECT(mm->vmas[3]->vm_start == STACK_TOP - image->stack_pages * PAGE_SIZE);
	EXPECT(!(mm->vmas[3]->vm_flags & VM_STACK_INCOMPLETE_SETUP));
	EXPECT(mm->exe_file && mm->exe_file->inode == l->prog);
	EXPECT(mm->owner == current);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	/* The argument page is there, and no other. */
	EXPECT(get_mm_counter(mm, MM_ANONPAGES) == image->argument_pages);

	EXPECT(user_read(mm->start_code, &v) == 0 && v == 0);
	EXPECT(user_write(mm->start_code, 1) == -EFAULT);
	EXPECT(user_write(mm->start_data, 2) == 0);
	EXPECT(user_write(mm->end_data, 3) == 0);
	EXPECT(user_write(STACK_TOP - 8, 4) == 0);
	EXPECT(user_read(mm->start_data, &v) == 0 && v == 2);
	EXPECT(user_read(mm->end_data, &v) == 0 && v == 3);
	EXPECT(user_read(STACK_TOP - 8, &v) == 0 && v == 4);
}

static void exec_from_kthread(void *arg)
{
	struct life *l = arg;
	struct mm_struct *borrowed = current->active_mm;

	EXPECT(!current->mm && borrowed);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm != borrowed && current->active_mm == current->mm);
	EXPECT(!(current->flags & (PF_KTHREAD | PF_NOFREEZE)));
	EXPECT(strcmp(current->comm, "program") == 0);
	check_image(l);
	sys_exit(0);
}

Test(mm_exec, a_kernel_thread_becomes_a_program)
{
	life_both(&small, 1, exec_from_kthread);
}

static void exec_twice(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm;
	u32 domain, id;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	domain = mm->domain;
	id = mm->context.id;
	EXPECT(user_write(mm->start_data, MARK) == 0);
	EXPECT(user_write(STACK_TOP - PAGE_SIZE - 8, MARK) == 0);
	sync_mm_rss(mm);
	EXPECT(get_mm_rss(mm) == 3);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm->domain != domain && current->mm->context.id != id);
	EXPECT(current->signal->maxrss == 3);
	check_image(l);
	sys_exit(0);
}

Test(mm_exec, the_old_image_goes)
{
	life_both(&small, 1, exec_twice);
}

static void dirty_thread_execs(void *arg)
{
	struct life *l = arg;
	struct exec_image image = l->image;
	struct task_struct *t = current;

	EXPECT(t->thread.addr_limit == KERNEL_DS);
	t->thread.debugreg[1] = MARK;
	t->thread.tls[0] = MARK;
	t->personality = ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC;
	EXPECT(sys_execve(&image) == 0);
	EXPECT(t->thread.addr_limit == USER_DS);
	EXPECT(!t->thread.debugreg[1]);
	EXPECT(!t->thread.tls[0]);
	/* An ordinary program inherits the personality, one that gains privileges does not. */
	EXPECT(t->personality == (ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC));
	image.setid = true;
	EXPECT(sys_execve(&image) == 0);
	EXPECT(!t->personality);
	EXPECT(!return_to_user());
	sys_exit(0);
}

Test(mm_exec, a_program_starts_with_a_clean_thread)
{
	life_both(&small, 1, dirty_thread_execs);
}

static void exec_named(void *arg)
{
	struct life *l = arg;

	memcpy(l->prog->name, "/opt/x/a-name-longer-than-comm", 31);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(memcmp(current->comm, "a-name-longer-t", 16) == 0);
	memcpy(l->prog->name, "sh", 3);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(strcmp(current->comm, "sh") == 0);
	memcpy(l->prog->name, "dir/", 5);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(strcmp(current->comm, "") == 0);
	sys_exit(0);
}

Test(mm_exec, the_task_is_named_after_the_last_component)
{
	life_both(&small, 1, exec_named);
}

static void exec_many_arguments(void *arg)
{
	struct life *l = arg;
	u64 v;

	l->image.argument_pages = 5;
	l->image.stack_pages = 9;
	EXPECT(sys_execve(&l->image) == 0);
	check_image(l);
	/* More arguments than stack: the stack is as large as they need. */
	l->image.stack_pages = 2;
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm->vmas[3]->vm_start == STACK_TOP - 5 * PAGE_SIZE);
	EXPECT(user_read(current->mm->arg_start, &v) == 0 && v == 0);
	/* No segments but text, no arguments. */
	l->image.data_pages = 0;
	l->image.bss_pages = 0;
	l->image.argument_pages = 0;
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm->nr_vmas == 2 && get_mm_rss(current->mm) == 0);
	sys_exit(0);
}

/* The stack is where the image wants it, with the arguments in it, and nothing where it was. */
static void exec_elsewhere(void *arg)
{
	static const u32 shifts[] = {0, 1, 3, 4, 5, 511, 512, 600, 1u << 18, STACK_SHIFT_MAX_PAGES};
	struct life *l = arg;
	s64 tables = 0;

	l->image.argument_pages = 4;
	for (u32 i = 0; i < ARRAY_SIZE(shifts); i++) {
		u64 top = STACK_TOP - ((u64)shifts[i] << PAGE_SHIFT), v;
		struct mm_struct *mm;
		s64 committed;

		l->image.stack_shift_pages = shifts[i];
		l->image.stack_pages = 3 + 3 * (i % 2);
		EXPECT(sys_execve(&l->image) == 0);
		mm = current->mm;
		committed =
			(s64)(l->image.data_pages + l->image.bss_pages + vma_pages(mm->vmas[3]));
		EXPECT(mm->nr_vmas == 4 && mm->vmas[3]->vm_end == top);
		EXPECT(vma_pages(mm->vmas[3]) == max(4ULL, l->image.stack_pages));
		EXPECT(!(mm->vmas[3]->vm_flags & VM_STACK_INCOMPLETE_SETUP));
		EXPECT(!mm->vmas[3]->oracle_moving);
		EXPECT(mm->arg_end == top && mm->arg_start == top - 4 * PAGE_SIZE);
		EXPECT(mm->start_stack == mm->arg_start);
		EXPECT(this_mm()->committed_pages == committed);
		EXPECT(mm->total_vm == l->image.text_pages + (u64)committed);
		EXPECT(get_mm_rss(mm) == 4);
		/* Page tables: those of the stack alone. */
		if (!i)
			tables = mm->nr_ptes;
		EXPECT(mm->nr_ptes == tables);
		for (u32 a = 0; a < 4; a++)
			EXPECT(user_read(mm->arg_start + a * PAGE_SIZE, &v) == 0 && v == 0);
		EXPECT(get_mm_rss(mm) == 4);
		EXPECT(user_read(top, &v) == -EFAULT);
		EXPECT(user_write(top - 8, MARK) == 0);
	}
	l->image.stack_shift_pages = STACK_SHIFT_MAX_PAGES + 1;
	EXPECT(sys_execve(&l->image) == -ENOEXEC);
	sys_exit(0);
}

Test(mm_exec, the_stack_is_moved_with_its_arguments)
{
	life_both(&small, 1, exec_elsewhere);
}

/* Another thread of the old mm looks at its counter. */
static void looks_at_rss(void *arg)
{
	struct life *l = arg;
	s64 *most = l->data;

	while (!atomic_read(&l->count)) {
		*most = max(*most, get_mm_counter(current->mm, MM_ANONPAGES));
		yield();
	}
	sys_exit(0);
}

#define MANY_ARGUMENTS 20

static void exec_watched(void *arg)
{
	struct life *l = arg;
	s64 before;

	EXPECT(sys_execve(&l->image) == 0);
	sync_mm_rss(current->mm);
	before = get_mm_counter(current->mm, MM_ANONPAGES);
	EXPECT(sys_clone(CLONE_VM, "watcher", looks_at_rss, l, NULL) > 0);
	l->image.argument_pages = MANY_ARGUMENTS;
	l->image.fail_at = EXEC_FAIL_BEFORE;
	EXPECT(sys_execve(&l->image) == -ENOEXEC);
	atomic_inc(&l->count);
	EXPECT(sys_wait(NULL) > 0);
	EXPECT(get_mm_counter(current->mm, MM_ANONPAGES) == before);
	sys_exit(0);
}

Test(mm_exec, arguments_are_charged_to_the_old_mm_until_they_are_taken_back)
{
	struct life_config config = small;
	struct life l = {0};
	s64 most = 0;

	life_create(&l, &config);
	for (config.seed = 1; config.seed <= SEEDS / 10; config.seed++) {
		life_again(&l, &config);
		l.data = &most;
		life_task(&l, 0, exec_watched);
		expect_clean(&l, life_run(&l, EXECUTOR_EXPLORE));
	}
	cr_expect_geq(most, MANY_ARGUMENTS);
	life_destroy(&l);
}

Test(mm_exec, arguments_make_the_stack_as_large_as_they_need)
{
	life_both(&small, 1, exec_many_arguments);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* The image is the one that was marked, and the counters are what they were. */
static void check_untouched(struct mm_struct *mm, s64 anon)
{
	u64 v;

	EXPECT(current->mm == mm && current->active_mm == mm);
	EXPECT(atomic_read(&mm->mm_users) == 1);
	EXPECT(!READ_ONCE(current->killed));
	sync_mm_rss(mm);
	EXPECT(oracle_read(mm->rss[MM_ANONPAGES]) == anon);
	EXPECT(user_read(mm->start_data, &v) == 0 && v == MARK);
	EXPECT(strcmp(current->comm, "program") == 0);
}

static void exec_refused(void *arg)
{
	struct life *l = arg;
	struct exec_image bad = l->image;
	struct core_state dump;
	struct mm_struct *mm;
	u64 frees;
	s64 anon;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	EXPECT(user_write(mm->start_data, MARK) == 0);
	sync_mm_rss(mm);
	anon = oracle_read(mm->rss[MM_ANONPAGES]);
	lru_add_drain();
	rcu_barrier();
	frees = nr_free_pages(l->m);

	bad.fail_at = EXEC_FAIL_BEFORE;
	EXPECT(sys_execve(&bad) == -ENOEXEC);
	check_untouched(mm, anon);
	bad.fail_at = EXEC_FAIL_NOT;
	bad.file = NULL;
	EXPECT(sys_execve(&bad) == -ENOEXEC);
	bad.file = l->prog;
	bad.text_pages = 0;
	EXPECT(sys_execve(&bad) == -ENOEXEC);
	bad.text_pages = ~0ULL;
	EXPECT(sys_execve(&bad) == -ENOEXEC);
	bad.text_pages = 1;
	bad.argument_pages = 1 << 20;
	EXPECT(sys_execve(&bad) == -E2BIG);
	check_untouched(mm, anon);

	/* A core dump of the old mm has begun. */
	mm->core_state = &dump;
	EXPECT(sys_execve(&l->image) == -EINTR);
	mm->core_state = NULL;
	check_untouched(mm, anon);
	lru_add_drain();
	rcu_barrier();
	EXPECT(nr_free_pages(l->m) == frees);
	sys_exit(0);
}

Test(mm_exec, a_failure_before_the_point_of_no_return_leaves_the_old_image)
{
	life_both(&small, 1, exec_refused);
}

static void exec_killed(void *arg)
{
	struct life *l = arg;
	struct exec_image bad = l->image;

	EXPECT(sys_execve(&l->image) == 0);
	bad.fail_at = EXEC_FAIL_AFTER;
	EXPECT(sys_execve(&bad) == -EFAULT);
	EXPECT(return_to_user());
	EXPECT(current->mm->nr_vmas == 3); /* the new one, half built */
	sys_exit(9);
}

Test(mm_exec, a_failure_after_it_kills_the_task)
{
	life_both(&small, 1, exec_killed);
}

/* Takes pages until @left are free. */
static u32 hog_pages(struct page **hogged, u64 left)
{
	u32 nr = 0;

	lru_add_drain();
	while (nr_free_pages(this_vcpu()->machine) > left && nr < SMALL_PAGES) {
		struct page *p = alloc_page(PAGE_USER);

		if (!p)
			break;
		hogged[nr++] = p;
	}
	return nr;
}

static void release_hogged(struct page **hogged, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		put_page(hogged[i]);
}

/* With fewer and fewer pages: exec works, or leaves everything as it was. */
static void exec_starved(void *arg)
{
	struct life *l = arg;
	struct page *hogged[SMALL_PAGES];
	bool worked = false, failed = false;

	l->image.argument_pages = 2;
	EXPECT(sys_execve(&l->image) == 0);
	for (u32 left = 0; left < 12; left++) {
		struct mm_struct *mm = current->mm;
		u32 id = mm->context.id, nr;
		u64 v;
		int err;

		EXPECT(user_write(mm->start_data, MARK) == 0);
		nr = hog_pages(hogged, left);
		err = sys_execve(&l->image);
		release_hogged(hogged, nr);
		EXPECT(!READ_ONCE(current->killed));
		if (err) {
			EXPECT(err == -ENOMEM);
			failed = true;
			EXPECT(current->mm->context.id == id);
			EXPECT(user_read(mm->start_data, &v) == 0 && v == MARK);
		} else {
			worked = true;
		}
	}
	EXPECT(worked && failed);
	sys_exit(0);
}

Test(mm_exec, without_memory_nothing_has_happened)
{
	life_both(&small, 1, exec_starved);
}

/* --- With others ------------------------------------------------------------------------------ */

static void sharer(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm = current->mm;
	u64 v;

	for (u32 i = 0; i < 4; i++) {
		EXPECT(user_write(mm->end_data, i) == 0);
		EXPECT(user_read(mm->start_data, &v) == 0 && v == MARK);
		EXPECT(current->mm == mm);
		if (return_to_user())
			break;
	}
	atomic_inc(&l->count);
	sys_exit(7);
}

static void exec_away_from_sharers(void *arg)
{
	struct life *l = arg;
	struct mm_struct *shared;
	struct task_struct *child;
	u32 code, id;

	EXPECT(sys_execve(&l->image) == 0);
	shared = current->mm;
	id = shared->context.id;
	EXPECT(user_write(shared->start_data, MARK) == 0);
	for (u32 i = 0; i < 2; i++)
		EXPECT(sys_clone(CLONE_VM, "sharer", sharer, l, &child) > 0);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(current->mm->context.id != id);
	check_image(l);
	for (u32 i = 0; i < 2; i++)
		EXPECT(sys_wait(&code) > 0 && code == 7);
	EXPECT(sys_wait(&code) == -ECHILD);
	EXPECT(atomic_read(&l->count) == 2);
	sys_exit(0);
}

Test(mm_exec, leaves_a_shared_mm_to_the_others)
{
	life_both(&small, 1, exec_away_from_sharers);
	life_explore(&three_cpus, 1, exec_away_from_sharers, SEEDS);
}

static void exec_child(void *arg)
{
	struct life *l = arg;

	EXPECT(current->vfork_done);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(!current->vfork_done);
	EXPECT(!(current->flags & PF_FORKNOEXEC));
	atomic_inc(&l->count);
	sys_exit(3);
}

static void vfork_exec(void *arg)
{
	struct life *l = arg;
	struct task_struct *child;
	struct mm_struct *mm;
	u32 code;
	s64 pid;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	EXPECT(user_write(mm->start_data, MARK) == 0);
	pid = sys_clone(CLONE_VM | CLONE_VFORK, "child", exec_child, l, &child);
	/* We are back: mm_release() is the first thing on the child's way out of our mm. */
	EXPECT(pid > 0 && child->pid == (u32)pid && !READ_ONCE(child->vfork_done));
	EXPECT(sys_wait(&code) == pid && code == 3);
	EXPECT(atomic_read(&l->count) == 1);
	sys_exit(0);
}

Test(mm_exec, lets_the_vfork_parent_go)
{
	life_both(&small, 1, vfork_exec);
	life_explore(&small, 1, vfork_exec, SEEDS);
}

/* What happens all at once: programs that exec, kernel threads between them, readers. */
static void storm(void *arg)
{
	struct life *l = arg;
	u32 rounds = exploring() ? 2 : 500;

	for (u32 i = 0; i < rounds; i++) {
		struct exec_image image = l->image;

		image.fail_at = i % 5 == 3 ? EXEC_FAIL_BEFORE : EXEC_FAIL_NOT;
		if (!sys_execve(&image)) {
			EXPECT(user_write(current->mm->start_data, current->pid) == 0);
			EXPECT(user_write(STACK_TOP - 8, i) == 0);
		}
		if (current->mm && i) {
			u64 v;

			EXPECT(user_read(current->mm->start_data, &v) == 0);
			EXPECT(v == current->pid);
		}
		(void)sys_peek_mm(1 + random_below(&current->rng, 4));
		if (return_to_user())
			break;
	}
	sys_exit(0);
}

Test(mm_exec, storm_explored)
{
	life_explore(&three_cpus, 4, storm, SEEDS / 3);
}

Test(mm_exec, storm_on_threads)
{
	struct life_config config = {.nr_vcpus = 4, .nr_pages = 512, .seed = 3, .bigger = true};
	struct life l = {0};

	life_create(&l, &config);
	for (u32 i = 0; i < 8; i++)
		life_task(&l, i, storm);
	expect_clean(&l, life_run(&l, EXECUTOR_THREADS));
	life_destroy(&l);
}

/* --- Planted ---------------------------------------------------------------------------------- */

/* One kernel thread borrows the mm of a program that has gone; another drops what it has not got.
 */
Test(mm_exec, dropping_the_borrowed_mm_twice_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_EXEC_MM_COUNT_TWICE, 3, exec_from_kthread, SEEDS,
				 "mm-freed-in-use"),
		      0);
}

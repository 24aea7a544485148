// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A debugger's access to other tasks' memory: what it may read and write, what becomes of the
 * pages, and races with those that take them away.
 */
#include "mm_life_seeds.h"

#include "mm/remote_access.h"

#define SEEDS 300
#define SMALL_PAGES 128
#define MARK 0x6d61726bULL
#define OTHER 0x6f746872ULL

static const struct life_config small = {.nr_vcpus = 2, .nr_pages = SMALL_PAGES, .seed = 1};

static int peek(u32 pid, u64 va, u64 *value)
{
	return access_process_vm(pid, va, false, value, NULL, NULL);
}

static int poke(u32 pid, u64 va, u64 value)
{
	return access_process_vm(pid, va, true, &value, NULL, NULL);
}

/* --- What it may do --------------------------------------------------------------------------- */

static void waits_to_be_written(void *arg)
{
	struct life *l = arg;
	u64 v;

	wait_for_completion(l->data);
	EXPECT(user_read(current->mm->end_data, &v) == 0 && v == OTHER);
	sys_exit(0);
}

static void debugs_a_child(void *arg)
{
	struct life *l = arg;
	struct completion poked;
	u64 va, v;
	s64 pid;

	EXPECT(peek(current->pid, 0, &v) == -EINVAL);
	EXPECT(peek(12345, 0, &v) == -ESRCH);
	EXPECT(sys_execve(&l->image) == 0);
	va = current->mm->end_data;
	EXPECT(user_write(va, MARK) == 0);
	init_completion(&poked);
	l->data = &poked;
	pid = sys_clone(0, "child", waits_to_be_written, l, NULL);
	EXPECT(pid > 0);
	EXPECT(peek((u32)pid, va, &v) == 0 && v == MARK);
	EXPECT(peek((u32)pid, TASK_SIZE / 2, &v) == -EFAULT);
	EXPECT(poke((u32)pid, TASK_SIZE / 2, OTHER) == -EFAULT);
	/* The child gets a copy of its own. */
	EXPECT(poke((u32)pid, va, OTHER) == 0);
	EXPECT(peek((u32)pid, va, &v) == 0 && v == OTHER);
	EXPECT(user_read(va, &v) == 0 && v == MARK);
	complete(&poked);
	EXPECT(sys_wait(NULL) == pid);
	EXPECT(peek((u32)pid, va, &v) == -ESRCH);
	sys_exit(0);
}

Test(mm_remote_access, a_word_of_another_task_is_read_and_written)
{
	life_both(&small, 1, debugs_a_child);
	life_explore(&small, 1, debugs_a_child, SEEDS);
}

static u64 word_of_file(const struct life *l, u64 index)
{
	struct page *page = find_get_page(&l->prog->mapping, index);
	u64 value;

	EXPECT(page);
	value = oracle_read(page_frame(page)->data[0]);
	put_page(page);
	return value;
}

/* What the program may not touch, a debugger may; but never what is others' too. */
static void breaks_into_text(void *arg)
{
	struct life *l = arg;
	struct mm_struct *mm;
	struct file *file;
	u64 text, bss, v;
	s64 va;

	EXPECT(sys_execve(&l->image) == 0);
	mm = current->mm;
	text = mm->start_code;
	bss = mm->end_data;
	EXPECT(user_write(text, OTHER) == -EFAULT);
	EXPECT(poke(current->pid, text, MARK) == 0);
	EXPECT(user_read(text, &v) == 0 && v == MARK && word_of_file(l, 0) == 0);
	/* It is as forbidden as before, and a second time costs no copy. */
	EXPECT(user_write(text, OTHER) == -EFAULT);
	EXPECT(poke(current->pid, text, OTHER) == 0);
	EXPECT(user_read(text, &v) == 0 && v == OTHER && word_of_file(l, 0) == 0);

	EXPECT(sys_mprotect(bss, PAGE_SIZE, 0) == 0);
	EXPECT(peek(current->pid, bss, &v) == 0 && v == 0);
	EXPECT(user_read(bss, &v) == -EFAULT);
	EXPECT(poke(current->pid, bss, MARK) == 0);
	EXPECT(user_read(bss, &v) == -EFAULT);
	EXPECT(sys_mprotect(bss, PAGE_SIZE, VM_READ) == 0);
	EXPECT(user_read(bss, &v) == 0 && v == MARK);
	EXPECT(user_write(bss, OTHER) == -EFAULT);

	file = file_open(l->prog);
	va = sys_mmap(0, PAGE_SIZE, VM_READ | VM_SHARED, file, 1);
	EXPECT(va > 0);
	fput(file);
	EXPECT(poke(current->pid, (u64)va, MARK) == -EFAULT);
	EXPECT(peek(current->pid, (u64)va, &v) == 0 && v == 0);
	EXPECT(sys_ftruncate(l->prog, 1) == 0);
	EXPECT(peek(current->pid, (u64)va, &v) == -EIO);
	EXPECT(sys_ftruncate(l->prog, LIFE_FILE_PAGES) == 0);
	va = sys_mmap_device(1);
	EXPECT(va > 0);
	EXPECT(peek(current->pid, (u64)va, &v) == -EFAULT);
	sys_exit(0);
}

Test(mm_remote_access, protection_is_for_programs_only)
{
	life_both(&small, 1, breaks_into_text);
}

static void writes_to_a_file(void *arg)
{
	struct life *l = arg;
	struct page *page;
	struct file *file;
	s64 va;

	EXPECT(sys_execve(&l->image) == 0);
	file = file_open(l->prog);
	va = sys_mmap(0, PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, file, LIFE_FILE_PAGES - 1);
	EXPECT(va > 0);
	fput(file);
	for (u64 i = 1; i < 4; i++) {
		EXPECT(poke(current->pid, (u64)va, MARK + i) == 0);
		page = find_get_page(&l->prog->mapping, LIFE_FILE_PAGES - 1);
		EXPECT(page && page_flag(page, PG_dirty));
		put_page(page);
		EXPECT(sys_msync((u64)va, PAGE_SIZE) == 0);
		EXPECT(invalidate_mapping_pages(l->prog, 0, LIFE_FILE_PAGES) < LIFE_FILE_PAGES);
		EXPECT(word_of_file(l, LIFE_FILE_PAGES - 1) == MARK + i);
	}
	sys_exit(0);
}

Test(mm_remote_access, what_is_written_to_a_file_is_dirty)
{
	life_both(&small, 1, writes_to_a_file);
}

/* --- Races ------------------------------------------------------------------------------------ */

/* Programs have odd pids, debuggers even ones: each works on the one before. */
static void program(struct life *l)
{
	for (u32 i = 0; i < (exploring() ? 3 : 300); i++) {
		u64 va, v;

		EXPECT(sys_execve(&l->image) == 0);
		va = current->mm->end_data;
		EXPECT(user_write(va, MARK) == 0);
		EXPECT(sys_madvise_dontneed(va, PAGE_SIZE) == 0);
		EXPECT(user_read(va, &v) == 0 && (v == 0 || v == MARK));
		for (u32 n = 0; n < 3; n++) {
			va = current->mm->start_code;
			EXPECT(user_read(va, &v) == 0 && (v == 0 || v == MARK));
			EXPECT(sys_madvise_dontneed(va, PAGE_SIZE) == 0);
		}
	}
	sys_exit(0);
}

/* The image is the same after each exec. */
static void debugger(const struct life *l)
{
	u32 pid = current->pid - 1;
	u64 text = ELF_TEXT_START;
	u64 bss = text + ((l->image.text_pages + l->image.data_pages) << PAGE_SHIFT);

	for (u32 i = 0; i < (exploring() ? 12 : 2000);) {
		u64 v;
		int err = peek(pid, bss, &v);

		if (err == -ESRCH)
			break;
		if (err) {
			/* Not a program yet, or just before its image is mapped. */
			yield();
			continue;
		}
		i++;
		EXPECT(v == 0 || v == MARK);
		(void)poke(pid, bss, MARK);
		(void)poke(pid, text, MARK);
		(void)return_to_user();
	}
	sys_exit(0);
}

static void programs_and_debuggers(void *arg)
{
	if (current->pid % 2)
		program(arg);
	else
		debugger(arg);
}

Test(mm_remote_access, debuggers_race_with_zap_exec_and_exit)
{
	life_both(&small, 4, programs_and_debuggers);
	life_explore(&small, 2, programs_and_debuggers, SEEDS);
	life_explore(&small, 4, programs_and_debuggers, SEEDS / 3);
}

Test(mm_remote_access, a_forced_write_that_goes_on_as_a_read_is_found)
{
	cr_assert_neq(life_finds(&small, KNOB_GUP_FORGETS_WRITE, 2, programs_and_debuggers,
				 10 * SEEDS, "private-write-reaches-file"),
		      0);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who reads which file an mm executes (seed_path A4), while the mm goes or the file is exchanged.
 */
#include "mm_life_seeds.h"

#include "mm/exe_file.h"
#include "mm/mm_block.h"

/* Seeds explored a test: a second or two. */
#define SEEDS 200
/* For the planted bugs: many times what the rarest of them needed. */
#define BUG_SEEDS 4000
#define PAGES 160

static const struct life_config two_cpus = {.nr_vcpus = 2, .nr_pages = PAGES, .seed = 1};

static void unmap_image(void)
{
	const struct mm_struct *mm = current->mm;

	EXPECT(sys_munmap(mm->start_code, mm->end_data - mm->start_code) == 0);
}

static void child_reads(void *arg)
{
	struct life *l = arg;

	/* The copy has the parent's file, and may exchange it, too. */
	EXPECT(sys_read_exe(current->pid) == 'p');
	EXPECT(!(current->mm->flags & MMF_EXE_FILE_CHANGED));
	EXPECT(sys_set_mm_exe_file(l->prog) == -EBUSY);
	sys_exit(0);
}

static void reads_and_exchanges(void *arg)
{
	struct life *l = arg;
	struct file *file;

	EXPECT(sys_read_exe(12345) == -ESRCH);
	EXPECT(sys_read_exe(current->pid) == -ENOENT);
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(sys_read_exe(current->pid) == 'p');
	file = get_mm_exe_file(current->mm);
	EXPECT(file == current->mm->exe_file && file->inode == l->prog);
	EXPECT(sys_set_mm_exe_file(l->prog) == -EBUSY);
	EXPECT(sys_clone(0, "child", child_reads, l, NULL) > 0);
	EXPECT(sys_wait(NULL) > 0);
	unmap_image();
	EXPECT(sys_set_mm_exe_file(l->prog) == 0 && current->mm->exe_file != file);
	EXPECT(atomic_read(&file->count) == 1);
	fput(file);
	EXPECT(sys_set_mm_exe_file(l->prog) == -EPERM);
	EXPECT(sys_read_exe(current->pid) == 'p');
	EXPECT(sys_execve(&l->image) == 0);
	EXPECT(!(current->mm->flags & MMF_EXE_FILE_CHANGED));
	sys_exit(0);
}

Test(mm_exe_file, is_read_and_exchanged_once)
{
	life_both(&two_cpus, 1, reads_and_exchanges);
}

/* The first task executes, exchanges, exits; the other reads. */
static void program_and_reader(void *arg)
{
	struct life *l = arg;

	if (current->pid > 1) {
		while (!atomic_read(&l->count)) {
			(void)sys_read_exe(1);
			(void)return_to_user();
			yield();
		}
		sys_exit(0);
	}
	for (u32 i = 0; i < (exploring() ? 2 : 500); i++) {
		EXPECT(sys_execve(&l->image) == 0);
		unmap_image();
		EXPECT(sys_set_mm_exe_file(l->prog) == 0);
	}
	atomic_inc(&l->count);
	sys_exit(0);
}

static void run_seeds(u32 knob, const char *slug)
{
	struct life_config c = two_cpus;
	enum machine_end end = MACHINE_FINISHED;
	u64 read = 0, set = 0;
	struct life l = {0};

	c.knob = knob;
	for (c.seed = 1; c.seed <= (knob ? BUG_SEEDS : SEEDS) && end == MACHINE_FINISHED;
	     c.seed++) {
		end = life_round(&l, &c, 2, program_and_reader,
				 !knob && c.seed == 1 ? EXECUTOR_THREADS : EXECUTOR_EXPLORE);
		if (!knob)
			expect_clean(&l, end);
		read += vmstat_sum(l.m, VMSTAT_exe_file_read);
		set += vmstat_sum(l.m, VMSTAT_exe_file_set);
	}
	cr_expect_gt(read, 0);
	cr_expect_gt(set, 0);
	cr_expect_str_eq(life_slug(&l), slug, "%s", l.m->violations.first.message);
	life_destroy(&l);
}

Test(mm_exe_file, readers_race_with_exec_and_exchange)
{
	run_seeds(0, "none");
}

Test(mm_exe_file, a_reader_without_a_reference_is_found)
{
	run_seeds(KNOB_EXE_FILE_NOT_HELD, "file-used-after-close");
}

Test(mm_exe_file, a_reader_without_mmap_sem_is_found)
{
	run_seeds(KNOB_EXE_FILE_UNLOCKED, "file-used-after-close");
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A small machine with one address space that its tasks share, for tests of VMAs and of the system
 * calls that change them. The tasks begin as kernel threads that adopt the mm (use_mm) and become
 * its users, so that neither exec nor fork is needed.
 *
 * Code that runs on a vCPU checks with EXPECT(): a failure stops the machine as a violation, which
 * run_space()'s caller then sees.
 */
#ifndef TESTS_MM_ADDRESS_SPACE_H
#define TESTS_MM_ADDRESS_SPACE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/executor.h"
#include "engine/strategy.h"
#include "mm/audit.h"
#include "mm/device.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/lru.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rss.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

#define SPACE_TASKS_MAX 8
#define SPACE_ARENA_BYTES (1ULL << 30)
#define SPACE_STALL_SECONDS 60
/* Far more decision points than any schedule here needs. */
#define SPACE_MAX_STEPS 4000000
#define FILE_PAGES 32

#define RW (VM_READ | VM_WRITE)
#define BASE 0x10000000ULL
#define PAGE(i) (BASE + (u64)(i)*PAGE_SIZE)

#define EXPECT(cond) BUG_ON(!(cond), "line %d: expected %s", __LINE__, #cond)
#define EXPECT_EQ(a, b)                                                                            \
	do {                                                                                       \
		s64 _a = (s64)(a), _b = (s64)(b);                                                  \
		BUG_ON(_a != _b, "line %d: %s is %lld (%#llx), expected %s, %lld (%#llx)",         \
		       __LINE__, #a, (long long)_a, (unsigned long long)_a, #b, (long long)_b,     \
		       (unsigned long long)_b);                                                    \
	} while (0)

struct space_test {
	u32 nr_vcpus, nr_tasks;
	u64 nr_pages; /* 0: 1024 */
	u32 knob;     /* with knob_on */
	bool knob_on;
	enum executor executor;
	u64 seed;
	void (*body)(void *space); /* each task; space_task() tells which it is */
};

struct space {
	struct machine *m;
	struct mm_struct *mm;
	struct inode *inode;
	u32 next_task;		 /* atomic: numbers for the tasks */
	struct completion ended; /* once a task */
	u64 free_before;
	bool audited;
	const struct space_test *test;
	u64 shared[8]; /* atomic; the test's own */
};

/* Which of the tasks this is: 0, 1, ... in the order of their start. */
static inline u32 space_task(const struct space *s)
{
	(void)s;
	return (u32)(unsigned long)current->user;
}

/* While no other task is in a system call or an access. */
static inline void space_audit(struct machine *m)
{
	oracle_enter();
	vma_audit_all(m);
	mm_audit(m);
	oracle_exit();
}

/* The last task: looks at what is left when the others have gone. */
static inline void space_auditor(void *arg)
{
	struct space *s = arg;

	for (u32 i = 0; i < s->test->nr_tasks; i++)
		wait_for_completion(&s->ended);
	wait_for_last_task();
	rcu_barrier();
	space_audit(s->m);
	files_drop_all(s->m);
	oracle_enter();
	mm_audit_leaks(s->m, s->free_before);
	oracle_exit();
	s->audited = true;
}

static inline void space_task_main(void *arg)
{
	struct space *s = arg;

	current->user = (void *)(unsigned long)(atomic_inc_return(&s->next_task) - 1);
	use_mm(s->mm);
	/* As exec: a user has mm_users, not a reference of its own on the structure. */
	current->flags &= ~PF_KTHREAD;
	current->thread.addr_limit = USER_DS;
	(void)cmpxchg(&s->mm->owner, NULL, current);
	mmdrop(s->mm);
	s->test->body(s);
	exit_mm(current);
	complete(&s->ended);
}

static inline enum machine_end run_space_machine(struct space *s, const struct space_test *test)
{
	struct machine_config config = {
		.nr_vcpus = test->nr_vcpus,
		.seed = test->seed,
		.arena_bytes = SPACE_ARENA_BYTES,
		.max_steps = SPACE_MAX_STEPS,
		.stall_seconds = SPACE_STALL_SECONDS,
	};
	struct mm_options options = {
		.nr_pages = test->nr_pages ? test->nr_pages : 1024,
		.geometry = tlb_geometry_find("tiny"),
		.gather_batches = ~0u,
	};
	struct machine_ops ops = {0};
	struct strategy *strategy = NULL;
	enum machine_end end;

	if (test->knob_on)
		knob_set(config.knobs, test->knob);
	smp_machine_ops(&ops);
	s->m = machine_create(&config, &ops);
	cr_assert(s->m);
	cr_assert_eq(mm_setup(s->m, &options), 0);
	s->test = test;
	s->inode = inode_create(s->m, "data", FILE_PAGES);
	cr_assert(s->inode);
	init_completion(&s->ended);
	s->free_before = nr_free_pages(s->m);
	vcpu_set_current(&s->m->vcpus[0]);
	s->mm = mm_alloc();
	vcpu_set_current(NULL);
	cr_assert(s->mm);
	s->mm->owner = NULL;
	s->mm->mm_users = test->nr_tasks;
	for (u32 i = 0; i < test->nr_tasks; i++) {
		struct task_struct *t = task_create(s->m, "space", PF_KTHREAD, i % test->nr_vcpus,
						    space_task_main, s);

		cr_assert(t);
		wake_up_new_task(t);
	}
	wake_up_new_task(task_create(s->m, "auditor", PF_KTHREAD, 0, space_auditor, s));
	if (test->executor == EXECUTOR_EXPLORE)
		strategy = strategy_random_create();
	end = machine_run(s->m, test->executor, strategy);
	strategy_destroy(strategy);
	return end;
}

/* Runs it; on a violation, prints it unless one is expected. */
static inline enum machine_end run_space(const struct space_test *test, struct violation *seen)
{
	struct space s = {0};
	enum machine_end end = run_space_machine(&s, test);
	struct machine *m = s.m;

	if (seen)
		*seen = m->violations.first;
	else if (m->violations.ready)
		violation_print(stderr, m, 40);
	if (end == MACHINE_FINISHED)
		cr_expect(s.audited);
	smp_teardown(m);
	machine_destroy(m);
	return end;
}

/* One task on one vCPU, under both executors. */
static inline void run_alone(void (*body)(void *))
{
	struct space_test test = {.nr_vcpus = 1, .nr_tasks = 1, .body = body, .seed = 1};

	test.executor = EXECUTOR_EXPLORE;
	cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
	test.executor = EXECUTOR_THREADS;
	cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED);
}

/* Several tasks: @seeds schedules, and once in threads. */
static inline void run_together(u32 nr_vcpus, u32 nr_tasks, u32 seeds, void (*body)(void *))
{
	struct space_test test = {.nr_vcpus = nr_vcpus, .nr_tasks = nr_tasks, .body = body};

	test.executor = EXECUTOR_EXPLORE;
	for (test.seed = 1; test.seed <= seeds; test.seed++)
		cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED, "seed %llu",
			     (unsigned long long)test.seed);
	test.executor = EXECUTOR_THREADS;
	cr_assert_eq(run_space(&test, NULL), MACHINE_FINISHED, "threads");
}

/* For bodies: pages are numbered from BASE on; what fill() writes, expect_filled() reads. */
static inline void map_fixed(u64 first, u64 nr, u32 flags)
{
	EXPECT_EQ(sys_mmap(PAGE(first), nr * PAGE_SIZE, flags, NULL, 0), PAGE(first));
}

static inline void unmap(u64 first, u64 nr)
{
	EXPECT_EQ(sys_munmap(PAGE(first), nr * PAGE_SIZE), 0);
}

static inline void fill(u64 first, u64 nr)
{
	for (u64 i = first; i < first + nr; i++)
		EXPECT_EQ(user_write(PAGE(i), 1000 + i), 0);
}

static inline void expect_filled(u64 first, u64 nr)
{
	u64 value;

	for (u64 i = first; i < first + nr; i++) {
		EXPECT_EQ(user_read(PAGE(i), &value), 0);
		EXPECT_EQ(value, 1000 + i);
	}
}

/* "start-end flags" of each VMA in pages from BASE, for comparing at a glance; those outside are
 * not shown. Flags: r w x s l, p for VM_PFNMAP, f for a file. */
static inline const char *space_map(const struct mm_struct *mm, char *buf, size_t size)
{
	static const struct {
		u32 flag;
		char c;
	} letters[] = {{VM_READ, 'r'},	 {VM_WRITE, 'w'},  {VM_EXEC, 'x'},
		       {VM_SHARED, 's'}, {VM_LOCKED, 'l'}, {VM_PFNMAP, 'p'}};
	size_t len = 0;

	buf[0] = '\0';
	for (u32 i = 0; i < mm->nr_vmas && len < size; i++) {
		const struct vm_area_struct *vma = mm->vmas[i];

		if (vma->vm_start < BASE || vma->vm_start >= PAGE(100000))
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%llu-%llu ", len ? "; " : "",
					(unsigned long long)((vma->vm_start - BASE) >> PAGE_SHIFT),
					(unsigned long long)((vma->vm_end - BASE) >> PAGE_SHIFT));
		for (u32 f = 0; f < ARRAY_SIZE(letters) && len < size; f++) {
			if (vma->vm_flags & letters[f].flag)
				len += (size_t)snprintf(buf + len, size - len, "%c", letters[f].c);
		}
		if (vma->vm_file && len < size)
			len += (size_t)snprintf(buf + len, size - len, "f");
	}
	return buf;
}

#define EXPECT_MAP(mm, expected)                                                                   \
	do {                                                                                       \
		char _map[512];                                                                    \
		space_map((mm), _map, sizeof(_map));                                               \
		BUG_ON(strcmp(_map, (expected)), "line %d: the VMAs are \"%s\", expected \"%s\"",  \
		       __LINE__, _map, (expected));                                                \
	} while (0)

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* Several vCPUs at the LRU lists, under both executors, and the planted bug of the pagevecs. */
#include "smp/spinlock.h"
#include "tests/mm_page_machine.h"

#define PAGES 512

/* --- Two vCPUs and one page ------------------------------------------------------------------- */

struct meeting {
	struct machine *m;
	struct page *page; /* atomic; from the first task to the second */
	u32 done;	   /* atomic */
	u32 left;	   /* atomic */
};

static struct page *meeting_wait(struct meeting *t)
{
	while (!READ_ONCE(t->page))
		yield();
	return smp_load_acquire(&t->page);
}

static void meeting_wait_done(struct meeting *t)
{
	while (!READ_ONCE(t->done))
		yield();
}

static void task_adds_and_waits(void *arg)
{
	struct meeting *t = arg;
	struct page *p = new_anon_page(NULL);

	smp_store_release(&t->page, p);
	meeting_wait_done(t);
	lru_add_drain();
	check(p->flags == 1u << PG_lru);
	put_page(p);
	audit_pages(t->m);
}

static void task_accesses_others(void *arg)
{
	struct meeting *t = arg;
	struct page *p = meeting_wait(t);

	mark_page_accessed(p);
	mark_page_accessed(p);
	check(!(READ_ONCE(p->flags) & 1u << PG_active));
	WRITE_ONCE(t->done, 1);
}

static u64 on_cpu[2] = {1, 2};

/* Two tasks, each bound to a vCPU of its own. */
static enum machine_end run_meeting(struct machine *m, enum executor executor, struct meeting *t,
				    void (*first)(void *), void (*second)(void *))
{
	void (*entries[2])(void *) = {first, second};
	struct strategy *s = executor == EXECUTOR_EXPLORE ? strategy_random_create() : NULL;
	enum machine_end end;

	*t = (struct meeting){.m = m, .left = 2};
	for (u32 i = 0; i < 2; i++) {
		struct task_struct *task = task_create(m, "test", PF_KTHREAD, i, entries[i], t);

		cr_assert_not_null(task);
		task->cpus_allowed = &on_cpu[i];
		wake_up_new_task(task);
	}
	end = machine_run(m, executor, s);
	strategy_destroy(s);
	return end;
}

Test(lru_race, in_another_vcpus_pagevec_a_page_is_left_alone)
{
	for (int e = 0; e < 2; e++) {
		struct machine *m = page_machine_create(2, PAGES, 1, 0);
		struct meeting t;
		enum machine_end end = run_meeting(m, e ? EXECUTOR_EXPLORE : EXECUTOR_THREADS, &t,
						   task_adds_and_waits, task_accesses_others);

		expect_finished(m, end);
		page_machine_destroy(m);
	}
}

/* --- Races ------------------------------------------------------------------------------------ */

#define SLOTS 6

/* A slot stands for a page-table entry: its lock is held where the kernel holds the pte lock. */
struct slot {
	spinlock_t lock;
	struct page *page;
};

struct crew {
	struct machine *m;
	struct slot slots[SLOTS];
	u32 left;
	u32 rounds;
};

static void slot_replace(struct crew *c, struct slot *s, bool fill)
{
	struct page *p = NULL, *old;

	if (fill) {
		p = alloc_page(PAGE_USER);
		if (p && mem_cgroup_charge(memcg_get(c->m, current->pid % 3), p)) {
			put_page(p);
			p = NULL;
		}
		if (p)
			p->mapping = (void *)(64 | PAGE_MAPPING_ANON);
	}
	spin_lock(&s->lock);
	old = s->page;
	s->page = p;
	/* Both kinds of adding: known to others at once, or not yet. */
	if (p && (page_to_pfn(p) & 1))
		lru_cache_add(p);
	else if (p)
		lru_cache_add_new(p);
	if (old)
		clear_page_mlock(old);
	spin_unlock(&s->lock);
	if (old)
		release_pages(&old, 1);
}

static void slot_use(struct slot *s, u32 what)
{
	struct page *p;

	spin_lock(&s->lock);
	p = s->page;
	if (p) {
		get_page(p);
		if (what & 1)
			mlock_vma_page(p);
		else if (what & 2)
			munlock_vma_page(p);
	}
	spin_unlock(&s->lock);
	if (!p)
		return;
	if (what & 4)
		mark_page_accessed(p);
	if (what & 8)
		rotate_reclaimable_page(p);
	put_page(p);
}

static void task_races(void *arg)
{
	struct crew *c = arg;

	for (u32 r = 0; r < c->rounds; r++) {
		struct slot *s = &c->slots[random_below(&current->rng, SLOTS)];
		u32 what = random_below(&current->rng, 64);

		if (what < 24)
			slot_replace(c, s, what < 16);
		else if (what < 28)
			lru_add_drain();
		else
			slot_use(s, what);
		cond_resched();
	}
	lru_add_drain();
	if (!atomic_dec_and_test(&c->left))
		return;
	audit_pages(c->m);
	for (u32 i = 0; i < SLOTS; i++)
		slot_replace(c, &c->slots[i], false);
	audit_pages(c->m);
}

static void crew_init(struct crew *c, struct machine *m, u32 nr, u32 rounds)
{
	*c = (struct crew){.m = m, .left = nr, .rounds = rounds};
	for (u32 i = 0; i < SLOTS; i++)
		spin_lock_init(&c->slots[i].lock, LOCK_CLASS_test_a);
}

Test(lru_race, races_threads)
{
	struct machine *m = page_machine_create(4, 96, 1, 0);
	struct crew c;
	enum machine_end end;

	crew_init(&c, m, 6, 20000);
	end = page_machine_run(m, EXECUTOR_THREADS, 6, task_races, &c);
	expect_finished(m, end);
	page_machine_destroy(m);
}

Test(lru_race, races_explored)
{
	struct machine *m = page_machine_create(3, 64, 0, 0);

	for (u64 seed = 0; seed < 100; seed++) {
		struct crew c;
		enum machine_end end;

		page_machine_again(m, 64, seed, 0);
		crew_init(&c, m, 4, 60);
		end = page_machine_run(m, EXECUTOR_EXPLORE, 4, task_races, &c);
		expect_finished(m, end);
		if (end != MACHINE_FINISHED)
			break;
	}
	page_machine_destroy(m);
}

/* --- The planted bug -------------------------------------------------------------------------- */

/* The second vCPU drops the last reference while the page waits in the first one's pagevec. */
static void task_adds(void *arg)
{
	struct meeting *t = arg;
	struct page *p = new_anon_page(NULL);

	smp_store_release(&t->page, p);
	for (u32 i = 0; i < 20; i++)
		cond_resched();
	lru_add_drain();
	if (atomic_dec_and_test(&t->left))
		audit_pages(t->m);
}

static void task_zaps(void *arg)
{
	struct meeting *t = arg;

	put_page(meeting_wait(t));
	if (atomic_dec_and_test(&t->left))
		audit_pages(t->m);
}

static u32 schedules_that_violate(u32 knob, u64 seeds)
{
	struct machine *m = page_machine_create(2, 64, 0, knob);
	u32 nr = 0;

	for (u64 seed = 0; seed < seeds; seed++) {
		struct meeting t;

		page_machine_again(m, 64, seed, knob);
		if (run_meeting(m, EXECUTOR_EXPLORE, &t, task_adds, task_zaps) == MACHINE_FINISHED)
			continue;
		cr_expect_str_eq(page_machine_slug(m), "page-freed-in-pagevec", "%s: %s",
				 page_machine_slug(m), m->violations.first.message);
		nr++;
	}
	page_machine_destroy(m);
	return nr;
}

Test(lru_race, pagevec_without_a_reference_is_found)
{
	u32 found = schedules_that_violate(KNOB_PAGE_STILL_IN_PAGEVEC, 100);

	cr_expect_gt(found, 10, "found by %u of 100 schedules", found);
	cr_expect_eq(schedules_that_violate(0, 100), 0);
}

/* The same under threads, where the first vCPU waits for the second one. */
static void task_adds_and_stays(void *arg)
{
	struct meeting *t = arg;
	struct page *p = new_anon_page(NULL);

	smp_store_release(&t->page, p);
	meeting_wait_done(t);
	lru_add_drain();
}

static void task_zaps_and_tells(void *arg)
{
	struct meeting *t = arg;

	put_page(meeting_wait(t));
	WRITE_ONCE(t->done, 1);
}

Test(lru_race, pagevec_without_a_reference_is_found_by_threads)
{
	struct machine *m = page_machine_create(2, 64, 0, KNOB_PAGE_STILL_IN_PAGEVEC);
	struct meeting t;
	enum machine_end end =
		run_meeting(m, EXECUTOR_THREADS, &t, task_adds_and_stays, task_zaps_and_tells);

	expect_violation(m, end, "page-freed-in-pagevec");
	page_machine_again(m, 64, 0, 0);
	end = run_meeting(m, EXECUTOR_THREADS, &t, task_adds_and_stays, task_zaps_and_tells);
	expect_finished(m, end);
	page_machine_destroy(m);
}

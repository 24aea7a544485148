// SPDX-License-Identifier: GPL-2.0-or-later
/* The hardware walker: accessed and dirty bits, rights of all levels, paging-structure caches. */
#include "tests/tlbshoot_machine.h"
#include "tlbshoot/tlb_private.h"

#define NO_PAGE PAGE(40)
#define SEEDS 300

static u64 counted(enum vmstat_item item)
{
	return this_vcpu()->counters[item];
}

/* --- Accessed and dirty ----------------------------------------------------------------------- */

static void map_fresh(struct test_machine *t)
{
	map_page(t, t->mm[0], PAGE(0), PTE_PRESENT | PTE_USER | PTE_RW);
	map_page(t, t->mm[0], PAGE(1), PTE_PRESENT | PTE_USER);
	for (u32 level = 1; level <= 3; level++)
		*test_entry(t, t->mm[0], PAGE(0), level, false) &= ~(PTE_ACCESSED | PTE_DIRTY);
}

static void accessed_and_dirty(void *arg)
{
	struct test_machine *t = arg;
	struct mm_struct *mm = t->mm[0];
	pteval_t *pte = test_pte(t, mm, PAGE(0));

	/* Nothing is set on the way to a fault for want of rights, but above it. */
	EXPECT(wr(PAGE(1), 1) == (PF_FAULT | PF_USER | PF_WRITE | PF_PROT));
	EXPECT(!(*test_pte(t, mm, PAGE(1)) & (PTE_ACCESSED | PTE_DIRTY)));
	EXPECT(rd(PAGE(0)) == 0);
	EXPECT((*pte & (PTE_ACCESSED | PTE_DIRTY)) == PTE_ACCESSED);
	for (u32 level = 1; level <= 3; level++)
		EXPECT((*test_entry(t, mm, PAGE(0), level, false) & (PTE_ACCESSED | PTE_DIRTY)) ==
		       PTE_ACCESSED);
	EXPECT(wr(PAGE(0), 1) == 0);
	EXPECT((*pte & (PTE_ACCESSED | PTE_DIRTY)) == (PTE_ACCESSED | PTE_DIRTY));
	EXPECT(!(*test_entry(t, mm, PAGE(0), 1, false) & PTE_DIRTY));
	test_exit_mm();
}

Test(walker, accessed_and_dirty)
{
	run_alone(test_config(1), map_fresh, accessed_and_dirty, NULL);
}

static void map_huge_fresh(struct test_machine *t)
{
	map_huge(t, t->mm[0], PUD_SIZE, PTE_PRESENT | PTE_USER | PTE_RW);
}

static void huge_accessed_and_dirty(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pmd = test_entry(t, t->mm[0], PUD_SIZE, 1, false);

	EXPECT(rd(PUD_SIZE + 5 * PAGE_SIZE) == 0);
	EXPECT((*pmd & (PTE_ACCESSED | PTE_DIRTY)) == PTE_ACCESSED);
	EXPECT(wr(PUD_SIZE + 9 * PAGE_SIZE, 1) == 0);
	EXPECT((*pmd & (PTE_ACCESSED | PTE_DIRTY)) == (PTE_ACCESSED | PTE_DIRTY));
	EXPECT(counted(VMSTAT_tlb_dirty_assist) == 1);
	test_exit_mm();
}

Test(walker, huge_accessed_and_dirty)
{
	run_alone(test_config(1), map_huge_fresh, huge_accessed_and_dirty, NULL);
}

/* --- Rights ----------------------------------------------------------------------------------- */

static void rights_of_all_levels(void *arg)
{
	struct test_machine *t = arg;

	for (u32 level = 0; level <= 3; level++) {
		pteval_t *e = test_entry(t, t->mm[0], PAGE(0), level, false);
		pteval_t was = *e;
		u64 value = 0;

		/* Each bit alone at each level decides. */
		WRITE_ONCE(*e, was & ~PTE_RW);
		EXPECT(wr(PAGE(0), 1) == (PF_FAULT | PF_USER | PF_WRITE | PF_PROT));
		EXPECT(rd(PAGE(0)) == 0);
		WRITE_ONCE(*e, was & ~PTE_USER);
		tlb_flush_local_all();
		EXPECT(rd(PAGE(0)) == (PF_FAULT | PF_USER | PF_PROT));
		WRITE_ONCE(*e, was | PTE_NX);
		EXPECT(cpu_access(PAGE(0), TLB_EXEC, &value) ==
		       (PF_FAULT | PF_USER | PF_INSTR | PF_PROT));
		EXPECT(rd(PAGE(0)) == 0);
		WRITE_ONCE(*e, was & ~PTE_PRESENT);
		tlb_flush_local_all();
		EXPECT(rd(PAGE(0)) == (PF_FAULT | PF_USER));
		/* A fault drops what was cached for its address: no flush is needed to grant more.
		 */
		WRITE_ONCE(*e, was);
		EXPECT(wr(PAGE(0), 1) == 0);
		EXPECT(cpu_access(PAGE(0), TLB_EXEC, &value) == 0);
		tlb_flush_local_all();
	}
	test_exit_mm();
}

Test(walker, rights_of_all_levels)
{
	run_alone(test_config(1), map_sixteen, rights_of_all_levels, NULL);
}

static void oracle_agrees(void *arg)
{
	struct test_machine *t = arg;
	u64 root = t->mm[0]->context.root;
	u32 level = 9;

	EXPECT(tlb_oracle_walk(t->m, root, PAGE(3), &level) == *test_pte(t, t->mm[0], PAGE(3)));
	EXPECT(level == 0);
	EXPECT(tlb_oracle_walk(t->m, root, NO_PAGE, &level) == 0);
	EXPECT(tlb_oracle_walk(t->m, root, PGDIR_SIZE, &level) == 0);
	*test_entry(t, t->mm[0], PAGE(3), 2, false) &= ~PTE_RW;
	EXPECT(!(tlb_oracle_walk(t->m, root, PAGE(3), &level) & PTE_RW));
	*test_entry(t, t->mm[0], PAGE(3), 3, false) |= PTE_NX;
	EXPECT(tlb_oracle_walk(t->m, root, PAGE(3), &level) & PTE_NX);
	EXPECT(!(tlb_oracle_walk(t->m, root, PAGE(3), &level) & PTE_DIRTY));
	test_exit_mm();
}

Test(walker, oracle_walks_the_same_tables)
{
	run_alone(test_config(1), map_sixteen, oracle_agrees, NULL);
}

/* --- Paging-structure caches ------------------------------------------------------------------ */

static void walk_caches(void *arg)
{
	struct test_machine *t = arg;
	struct mm_struct *mm = t->mm[0];
	pteval_t *pmd = test_entry(t, mm, PAGE(0), 1, false);
	pteval_t was = *pmd;

	EXPECT(rd(PAGE(0)) == 0);
	EXPECT(counted(VMSTAT_walk_cache_hit) == 0);
	EXPECT(rd(PAGE(1)) == 0);
	EXPECT(counted(VMSTAT_walk_cache_hit) == 1);
	/* The page table is reached though the pmd is gone: that is why tables are not just freed.
	 */
	tlb_change_begin(&mm->context);
	WRITE_ONCE(*pmd, 0);
	EXPECT(rd(PAGE(2)) == 0);
	/* Any address drops all of it. */
	tlb_invlpg(NO_PAGE);
	EXPECT(rd(PAGE(3)) == (PF_FAULT | PF_USER));
	WRITE_ONCE(*pmd, was);
	flush_tlb_mm(&mm->context);
	tlb_change_end(&mm->context);
	/* A full flush drops them too. */
	EXPECT(rd(PAGE(0)) == 0);
	tlb_change_begin(&mm->context);
	WRITE_ONCE(*pmd, 0);
	tlb_flush_local_all();
	EXPECT(rd(PAGE(3)) == (PF_FAULT | PF_USER));
	WRITE_ONCE(*pmd, was);
	flush_tlb_mm(&mm->context);
	tlb_change_end(&mm->context);
	test_exit_mm();
}

Test(walker, paging_structure_caches)
{
	run_alone(test_config(1), map_sixteen, walk_caches, NULL);
}

#define FAR(i) ((u64)(i)*PGDIR_SIZE + 3 * PUD_SIZE + 5 * PMD_SIZE)

static void map_far(struct test_machine *t)
{
	for (u32 i = 0; i < 6; i++)
		map_page(t, t->mm[0], FAR(i), USER_RW);
}

/* More tables than the caches hold. */
static void replaced(void *arg)
{
	(void)arg;
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 6; i++)
			EXPECT(wr(FAR(i), i) == 0);
	}
	for (u32 i = 0; i < 6; i++) {
		u64 value = 99;

		EXPECT(cpu_access(FAR(i), TLB_READ, &value) == 0 && value == i);
	}
	test_exit_mm();
}

Test(walker, caches_replace)
{
	run_alone(test_config(1), map_far, replaced, NULL);
}

static void stale_walk(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(0)) == 0);
	frame_of(&t->m->tlb->mem, pte_pfn(*test_entry(t, t->mm[0], PAGE(0), 1, false)))
		->generation++;
	rd(PAGE(1));
	EXPECT(!"reached");
}

Test(walker, stale_walk_cache_is_seen)
{
	run_alone(test_config(1), map_sixteen, stale_walk, "stale-walk-cache");
}

static void stale_root(void *arg)
{
	struct test_machine *t = arg;

	frame_of(&t->m->tlb->mem, t->mm[0]->context.root)->generation++;
	rd(PAGE(0));
	EXPECT(!"reached");
}

Test(walker, freed_root_is_seen)
{
	run_alone(test_config(1), map_sixteen, stale_root, "table-freed-under-walk");
}

static void beyond_memory(void *arg)
{
	struct test_machine *t = arg;

	WRITE_ONCE(*test_pte(t, t->mm[0], PAGE(0)), pfn_pte(TEST_FRAMES, USER_RW));
	rd(PAGE(0));
	EXPECT(!"reached");
}

Test(walker, entry_beyond_memory_is_seen)
{
	run_alone(test_config(1), map_sixteen, beyond_memory, "bad-page-table-entry");
}

static void no_table(void *arg)
{
	struct test_machine *t = arg;

	WRITE_ONCE(*test_entry(t, t->mm[0], PAGE(0), 1, false),
		   pfn_pte(pte_pfn(*test_pte(t, t->mm[0], PAGE(0))), PTE_TABLE));
	rd(PAGE(0));
	EXPECT(!"reached");
}

Test(walker, upper_entry_that_names_no_table_is_seen)
{
	run_alone(test_config(1), map_sixteen, no_table, "bad-page-table-entry");
}

/* Given back while it is still mapped; nothing is cached, so that only the walk can see it. */
static void mapped_free(void *arg)
{
	struct test_machine *t = arg;

	frame_release(t->m, pte_pfn(*test_pte(t, t->mm[0], PAGE(0))));
	rd(PAGE(0));
	EXPECT(!"reached");
}

Test(walker, mapped_frame_that_is_free_is_seen)
{
	run_alone(test_config(1), map_sixteen, mapped_free, "mapped-frame-free");
}

/* --- Speculation ------------------------------------------------------------------------------ */

static void speculation(void *arg)
{
	struct test_machine *t = arg;
	u64 misses;

	tlb_speculate(PAGE(5));
	misses = counted(VMSTAT_tlb_miss);
	EXPECT(rd(PAGE(5)) == 0);
	EXPECT(counted(VMSTAT_tlb_miss) == misses);
	/* Never dirty, never a fault. */
	EXPECT(!(*test_pte(t, t->mm[0], PAGE(5)) & PTE_DIRTY));
	tlb_speculate(NO_PAGE);
	tlb_speculate(PGDIR_SIZE);
	tlb_speculate(TASK_SIZE);
	EXPECT(rd(NO_PAGE) == (PF_FAULT | PF_USER));
	test_exit_mm();
	/* A lazy CPU may go on speculating; one that has left has nothing to walk. */
	tlb_speculate(PAGE(6));
	leave_mm();
	tlb_speculate(PAGE(7));
	EXPECT(!this_tlb()->loaded);
}

Test(walker, speculation)
{
	run_alone(test_config(1), map_sixteen, speculation, NULL);
}

/* --- Races ------------------------------------------------------------------------------------ */

#define RACE_PAGES 3
/* Safepoints, of a nanosecond or two each, in which an access begins. */
#define RACE_WAIT 100
#define FRESH (PTE_PRESENT | PTE_USER | PTE_RW)

/* t->data. */
struct race {
	u32 rounds; /* of clearing */
	u32 users;  /* that run; atomic */
	u32 done;   /* atomic */
	u64 pfns[RACE_PAGES];
};

static void access_all(void *arg)
{
	struct race *race = ((struct test_machine *)arg)->data;

	atomic_inc(&race->users);
	for (u32 round = 0; round < 4 || (race->rounds > 1 && !READ_ONCE(race->done)); round++) {
		for (u32 i = 0; i < RACE_PAGES; i++) {
			rd(PAGE(i));
			wr(PAGE(i), round);
		}
		/* More vCPUs than cores: the one that clears wants to run, too. */
		if (race->rounds > 1)
			yield();
	}
	test_exit_mm();
}

/*
 * Write-protects entries, then clears them, while other CPUs set bits in them: the walker never
 * brings back what was cleared, and never sets dirty in what is write-protected.
 */
static void clear_one(struct test_machine *t, pteval_t *pte, u64 va)
{
	struct mm_context *ctx = &t->mm[0]->context;
	pteval_t protected;

	tlb_change_begin(ctx);
	(void)atomic_fetch_and(~PTE_RW, pte);
	flush_tlb_page(ctx, va);
	tlb_change_end(ctx);
	protected = READ_ONCE(*pte);
	EXPECT(!(protected & PTE_RW));

	tlb_change_begin(ctx);
	EXPECT((xchg(pte, 0) & PTE_DIRTY) == (protected & PTE_DIRTY));
	flush_tlb_page(ctx, va);
	tlb_change_end(ctx);
	EXPECT(READ_ONCE(*pte) == 0);
}

static void clear_all(void *arg)
{
	struct test_machine *t = arg;
	struct race *race = t->data;

	while (race->rounds > 1 && READ_ONCE(race->users) == 0)
		yield();
	for (u32 round = 0; round < race->rounds; round++) {
		for (u32 i = 0; i < RACE_PAGES; i++) {
			pteval_t *pte = test_pte(t, t->mm[0], PAGE(i));

			/* Gone since the last round. In the first one the entry is there, and the
			 * others have set its bits: to write it anew would take them away
			 * unflushed. */
			if (round)
				WRITE_ONCE(*pte, pfn_pte(race->pfns[i], FRESH));
			/* Somewhere in another CPU's first access to it. */
			for (u32 wait = round % RACE_WAIT; wait; wait--)
				safepoint();
			clear_one(t, pte, PAGE(i));
		}
	}
	WRITE_ONCE(race->done, 1);
	test_exit_mm();
}

static void bits_race(struct test_machine *t, u32 rounds)
{
	struct race *race = arena_alloc(&t->m->arena, sizeof(*race), CACHE_LINE);

	race->rounds = rounds;
	t->data = race;
	for (u32 i = 0; i < RACE_PAGES; i++)
		race->pfns[i] = map_page(t, t->mm[0], PAGE(i), FRESH);
	test_task(t, 0, t->mm[0], clear_all);
	for (u32 cpu = 1; cpu < t->m->nr_vcpus; cpu++)
		test_task(t, cpu, t->mm[0], access_all);
}

static void explored_bits_race(struct test_machine *t)
{
	bits_race(t, 1);
}

Test(walker, bits_race_with_clearing)
{
	struct campaign c;
	const char *slug = explore_seeds(test_config(3), explored_bits_race, SEEDS, &c);

	cr_assert_null(slug, "seed %llu: %s: %s", (unsigned long long)c.seed, slug, c.message);
}

#define THREAD_ROUNDS 100

Test(walker, bits_race_with_clearing_on_threads)
{
	const struct test_config c = test_config(2);
	struct test_machine t;

	test_create(&t, &c);
	bits_race(&t, THREAD_ROUNDS);
	machine_run(t.m, EXECUTOR_THREADS, NULL);
	cr_assert_null(found_violation(&t), "%s: %s", found_violation(&t),
		       t.m->violations.first.message);
	test_destroy(&t);
}

/* A kernel that frees a table without a flush: here its frame's generation changes, and nothing
 * else happens, so that the search at the free does not see it first. */
static void free_under_walk(void *arg)
{
	struct test_machine *t = arg;
	struct frame *f = t->data;

	atomic_inc(&f->generation);
	test_exit_mm();
}

static void walk_once(void *arg)
{
	(void)arg;
	rd(PAGE(0));
	test_exit_mm();
}

static void table_race(struct test_machine *t)
{
	map_page(t, t->mm[0], PAGE(0), PTE_PRESENT | PTE_USER);
	t->data = frame_of(&t->m->tlb->mem, pte_pfn(*test_entry(t, t->mm[0], PAGE(0), 1, false)));
	test_task(t, 0, t->mm[0], free_under_walk);
	test_task(t, 1, t->mm[0], walk_once);
}

Test(walker, table_freed_under_walk_is_seen)
{
	struct campaign c;
	const char *slug = explore_seeds(test_config(2), table_race, SEEDS, &c);

	cr_assert(slug && !strcmp(slug, "table-freed-under-walk"), "found %s: %s", slug, c.message);
}

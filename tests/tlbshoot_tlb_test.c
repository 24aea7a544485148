// SPDX-License-Identifier: GPL-2.0-or-later
/* The TLB arrays, what a hit checks, and what local invalidation drops. */
#include "tests/tlbshoot_machine.h"
#include "tlbshoot/tlb_private.h"

#define HUGE_VA (4 * PUD_SIZE)

static u64 counted(enum vmstat_item item)
{
	return this_vcpu()->counters[item];
}

/* True if the access misses. */
static bool misses(u64 va)
{
	u64 before = counted(VMSTAT_tlb_miss);

	EXPECT(rd(va) == 0);
	return counted(VMSTAT_tlb_miss) != before;
}

/* --- Geometry --------------------------------------------------------------------------------- */

Test(tlb, named_geometries)
{
	cr_assert_str_eq(tlb_geometries[0].name, "haswell");
	cr_assert_eq(tlb_geometry_find("haswell")->sets_4k * 8, 1024);
	cr_assert_eq(tlb_geometry_find("skylake")->sets_4k * 12, 1536);
	cr_assert_eq(tlb_geometry_find("zen2")->sets_4k * 8, 2048);
	cr_assert_not_null(tlb_geometry_find("tiny"));
	cr_assert_null(tlb_geometry_find("pentium"));
	for (const struct tlb_geometry *g = tlb_geometries; g->name; g++)
		cr_assert_not_null(g->source, "%s has no source", g->name);
}

Test(tlb, unsound_geometry_is_refused)
{
	const struct tlb_geometry good = *tlb_geometry_find("tiny");
	struct tlb_geometry bad[5] = {good, good, good, good, good};
	const struct machine_config config = {.nr_vcpus = 1, .arena_bytes = TEST_ARENA_BYTES};
	struct machine *m = machine_create(&config, &(struct machine_ops){0});

	bad[0].sets_4k = 3;
	bad[1].ways_4k = 0;
	bad[2].ways_2m = 256;
	bad[3].pde = 0;
	bad[4].sets_2m = 0;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(tlb_setup(m, 4, &bad[i], NULL), -EINVAL, "geometry %u", i);
	machine_destroy(m);
}

Test(tlb, every_geometry_works)
{
	for (const struct tlb_geometry *g = tlb_geometries; g->name; g++) {
		struct test_config c = test_config(1);
		struct test_machine t;

		c.geometry = g;
		test_create(&t, &c);
		test_destroy(&t);
	}
}

#define MANY_VCPUS 256
#define MANY_BYTES (20ULL << 20)

Test(tlb, memory_of_many_vcpus)
{
	const struct machine_config config = {.nr_vcpus = MANY_VCPUS};
	struct machine *m = machine_create(&config, &(struct machine_ops){0});
	u64 before = m->arena.used;

	cr_assert_eq(tlb_setup(m, 1, NULL, NULL), 0);
	cr_assert_leq(m->arena.used - before, MANY_BYTES, "%llu bytes",
		      (unsigned long long)(m->arena.used - before));
	machine_destroy(m);
}

/* --- Hits, misses, eviction ------------------------------------------------------------------- */

static void hit_after_miss(void *arg)
{
	(void)arg;
	EXPECT(misses(PAGE(0)));
	EXPECT(!misses(PAGE(0)));
	EXPECT(!misses(PAGE(0) + PAGE_SIZE - 8));
	EXPECT(misses(PAGE(1)));
	EXPECT(counted(VMSTAT_tlb_hit) == 2);
	test_exit_mm();
}

Test(tlb, hit_after_miss)
{
	run_alone(test_config(1), map_sixteen, hit_after_miss, NULL);
}

static void data_lands(void *arg)
{
	struct test_machine *t = arg;
	u64 value = 0;

	EXPECT(wr(PAGE(3), 77) == 0);
	EXPECT(wr(PAGE(3) + 8, 78) == 0);
	EXPECT(cpu_access(PAGE(3), TLB_READ, &value) == 0 && value == 77);
	EXPECT(cpu_access(PAGE(3) + 8, TLB_READ, &value) == 0 && value == 78);
	EXPECT(cpu_access(PAGE(3) + 8 * FRAME_WORDS, TLB_EXEC, &value) == 0 && value == 77);
	EXPECT(cpu_access(PAGE(4), TLB_READ, &value) == 0 && value == 0);
	EXPECT(frame_of(&t->m->tlb->mem, pte_pfn(*test_pte(t, t->mm[0], PAGE(3))))->data[1] == 78);
	test_exit_mm();
}

Test(tlb, data_lands_in_the_frame)
{
	run_alone(test_config(1), map_sixteen, data_lands, NULL);
}

/* tiny: four sets of two ways. */
static void round_robin(void *arg)
{
	(void)arg;
	EXPECT(misses(PAGE(0)) && misses(PAGE(4)));
	EXPECT(!misses(PAGE(0)) && !misses(PAGE(4)));
	EXPECT(misses(PAGE(8)));
	EXPECT(!misses(PAGE(4)) && !misses(PAGE(8)));
	EXPECT(misses(PAGE(0)));
	EXPECT(!misses(PAGE(8)) && misses(PAGE(4)));
	/* Other sets are left alone. */
	EXPECT(misses(PAGE(1)) && !misses(PAGE(4)) && !misses(PAGE(1)));
	test_exit_mm();
}

Test(tlb, eviction_within_a_set)
{
	run_alone(test_config(1), map_sixteen, round_robin, NULL);
}

/* --- Invalidation ----------------------------------------------------------------------------- */

static void invalidation(void *arg)
{
	(void)arg;
	EXPECT(misses(PAGE(0)) && misses(PAGE(1)) && misses(PAGE(2)));
	tlb_invlpg(PAGE(1));
	EXPECT(!misses(PAGE(0)) && misses(PAGE(1)) && !misses(PAGE(2)));
	tlb_flush_local_all();
	EXPECT(misses(PAGE(0)) && misses(PAGE(1)) && misses(PAGE(2)));
	test_exit_mm();
}

Test(tlb, invalidation)
{
	run_alone(test_config(1), map_sixteen, invalidation, NULL);
}

static void epoch_wraps(void *arg)
{
	struct tlb *t = this_tlb();
	u64 early;

	(void)arg;
	tlb_flush_local_all();
	early = t->epoch;
	EXPECT(misses(PAGE(0)));
	/* As many flushes later, the last epoch there is; then the first one again. */
	t->epoch = t->walk_epoch = 0 - TLB_EPOCH_ONE;
	EXPECT(misses(PAGE(1)));
	EXPECT(!misses(PAGE(1)));
	tlb_flush_local_all();
	EXPECT(t->epoch == TLB_EPOCH_ONE && t->walk_epoch == TLB_EPOCH_ONE);
	while (t->epoch != early)
		tlb_flush_local_all();
	/* The number is back, the entry is not. */
	EXPECT(misses(PAGE(0)) && misses(PAGE(1)));
	test_exit_mm();
}

Test(tlb, epoch_wraps)
{
	run_alone(test_config(1), map_sixteen, epoch_wraps, NULL);
}

/* --- 2 MiB ------------------------------------------------------------------------------------ */

static void map_huge_page(struct test_machine *t)
{
	map_huge(t, t->mm[0], HUGE_VA, USER_RW);
	map_page(t, t->mm[0], PAGE(0), USER_RW);
}

static void huge_entries(void *arg)
{
	struct test_machine *t = arg;
	u64 head = pte_pfn(*test_entry(t, t->mm[0], HUGE_VA, 1, false));

	EXPECT(misses(HUGE_VA) && !misses(HUGE_VA + 511 * PAGE_SIZE));
	EXPECT(wr(HUGE_VA + 7 * PAGE_SIZE + 16, 99) == 0);
	EXPECT(frame_of(&t->m->tlb->mem, head + 7)->data[2] == 99);
	EXPECT(misses(PAGE(0)));
	tlb_invlpg(PAGE(0));
	EXPECT(!misses(HUGE_VA));
	tlb_invlpg(HUGE_VA + 300 * PAGE_SIZE);
	EXPECT(misses(HUGE_VA));
	tlb_flush_local_all();
	EXPECT(misses(HUGE_VA));
	test_exit_mm();
}

Test(tlb, huge_entries)
{
	run_alone(test_config(1), map_huge_page, huge_entries, NULL);
}

/* --- Rights ----------------------------------------------------------------------------------- */

static void map_rights(struct test_machine *t)
{
	map_page(t, t->mm[0], PAGE(0), USER_RO);
	map_page(t, t->mm[0], PAGE(1), USER_RW | PTE_NX);
	map_page(t, t->mm[0], PAGE(2), PTE_PRESENT | PTE_RW | PTE_ACCESSED);
	map_page(t, t->mm[0], PAGE(3), USER_RW);
}

static void rights(void *arg)
{
	struct test_machine *t = arg;
	u64 value = 0;

	EXPECT(cpu_access(PAGE(0), TLB_EXEC, &value) == 0);
	EXPECT(wr(PAGE(0), 1) == (PF_FAULT | PF_USER | PF_WRITE | PF_PROT));
	EXPECT(rd(PAGE(1)) == 0);
	EXPECT(cpu_access(PAGE(1), TLB_EXEC, &value) == (PF_FAULT | PF_USER | PF_INSTR | PF_PROT));
	EXPECT(rd(PAGE(2)) == (PF_FAULT | PF_USER | PF_PROT));
	EXPECT(rd(PAGE(9)) == (PF_FAULT | PF_USER));
	EXPECT(wr(PAGE(9), 1) == (PF_FAULT | PF_USER | PF_WRITE));
	EXPECT(rd(TASK_SIZE) == (PF_FAULT | PF_USER | PF_PROT));
	/* Bits beyond the 48th do not run into the epoch. */
	EXPECT(rd(PAGE(3)) == 0);
	for (u32 bit = 47; bit < 64; bit++)
		EXPECT(rd(PAGE(3) | 1ULL << bit) == (PF_FAULT | PF_USER | PF_PROT));
	/* More was granted, nothing was flushed: the fault has dropped the old entry. */
	EXPECT(rd(PAGE(0)) == 0);
	WRITE_ONCE(*test_pte(t, t->mm[0], PAGE(0)), *test_pte(t, t->mm[0], PAGE(0)) | PTE_RW);
	EXPECT(wr(PAGE(0), 1) == (PF_FAULT | PF_USER | PF_WRITE | PF_PROT));
	EXPECT(wr(PAGE(0), 1) == 0);
	test_exit_mm();
}

Test(tlb, rights)
{
	run_alone(test_config(1), map_rights, rights, NULL);
}

static void dirty_assist(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pte = test_pte(t, t->mm[0], PAGE(0));

	EXPECT(rd(PAGE(0)) == 0 && !(*pte & PTE_DIRTY));
	EXPECT(wr(PAGE(0), 1) == 0 && (*pte & PTE_DIRTY));
	EXPECT(counted(VMSTAT_tlb_dirty_assist) == 1);
	EXPECT(wr(PAGE(0), 2) == 0);
	EXPECT(counted(VMSTAT_tlb_dirty_assist) == 1);
	/* The page table decides, not the entry: write-protected meanwhile, it is a fault. */
	EXPECT(rd(PAGE(1)) == 0);
	tlb_change_begin(&t->mm[0]->context);
	pte = test_pte(t, t->mm[0], PAGE(1));
	WRITE_ONCE(*pte, *pte & ~PTE_RW);
	EXPECT(wr(PAGE(1), 1) == (PF_FAULT | PF_USER | PF_WRITE | PF_PROT));
	EXPECT(!(*pte & PTE_DIRTY));
	EXPECT(misses(PAGE(1)));
	flush_tlb_page(&t->mm[0]->context, PAGE(1));
	tlb_change_end(&t->mm[0]->context);
	test_exit_mm();
}

Test(tlb, dirty_assist)
{
	run_alone(test_config(1), map_sixteen, dirty_assist, NULL);
}

/* --- The oracle at a use ---------------------------------------------------------------------- */

/* A frame whose generation has changed behind the TLB's back. */
static void stale_use(void *arg)
{
	struct test_machine *t = arg;
	struct frame *f = frame_of(&t->m->tlb->mem, pte_pfn(*test_pte(t, t->mm[0], PAGE(0))));

	EXPECT(rd(PAGE(0)) == 0);
	f->generation++;
	rd(PAGE(0));
	EXPECT(!"reached");
}

Test(tlb, stale_use_is_seen)
{
	run_alone(test_config(1), map_sixteen, stale_use, "stale-tlb-use");
}

static void stale_huge_use(void *arg)
{
	struct test_machine *t = arg;
	u64 head = pte_pfn(*test_entry(t, t->mm[0], HUGE_VA, 1, false));

	EXPECT(rd(HUGE_VA) == 0);
	frame_of(&t->m->tlb->mem, head)->generation++;
	rd(HUGE_VA + PAGE_SIZE);
	EXPECT(!"reached");
}

Test(tlb, stale_huge_use_is_seen)
{
	run_alone(test_config(1), map_huge_page, stale_huge_use, "stale-tlb-use");
}

/* Uses until the sampled look at the page table comes (threads) or at once (explorer). */
static void use_often(enum tlb_access access)
{
	u64 value = 0;

	for (u32 i = 0; i <= TLB_CHECK_INTERVAL; i++)
		EXPECT(cpu_access(PAGE(0), access, &value) == 0);
}

static void write_exceeds(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pte = test_pte(t, t->mm[0], PAGE(0));

	use_often(TLB_WRITE);
	tlb_change_begin(&t->mm[0]->context);
	WRITE_ONCE(*pte, *pte & ~PTE_RW);
	/* Legal until the flush. */
	use_often(TLB_WRITE);
	tlb_change_end(&t->mm[0]->context);
	/* A read makes no use of what was taken. */
	use_often(TLB_READ);
	use_often(TLB_WRITE);
	EXPECT(!"reached");
}

Test(tlb, write_beyond_the_page_table_is_seen)
{
	run_alone(test_config(1), map_sixteen, write_exceeds, "tlb-exceeds-pagetable");
}

/* Page 0 is used, its entry becomes @value without a flush, and the next uses are seen. */
static void change_unflushed(struct test_machine *t, enum tlb_access access, pteval_t value)
{
	use_often(access);
	WRITE_ONCE(*test_pte(t, t->mm[0], PAGE(0)), value);
	use_often(access);
	EXPECT(!"reached");
}

static void read_exceeds(void *arg)
{
	change_unflushed(arg, TLB_READ, 0);
}

Test(tlb, read_beyond_the_page_table_is_seen)
{
	run_alone(test_config(1), map_sixteen, read_exceeds, "tlb-exceeds-pagetable");
}

static void other_frame(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	change_unflushed(t, TLB_READ, pfn_pte(pfn + 1, USER_RW));
}

Test(tlb, another_frame_in_the_page_table_is_seen)
{
	run_alone(test_config(1), map_sixteen, other_frame, "tlb-exceeds-pagetable");
}

static void dirty_cleared(void *arg)
{
	struct test_machine *t = arg;
	pteval_t clean = *test_pte(t, t->mm[0], PAGE(0));

	EXPECT(!(clean & PTE_DIRTY));
	change_unflushed(t, TLB_WRITE, clean);
}

Test(tlb, write_through_a_cleaned_entry_is_seen)
{
	run_alone(test_config(1), map_sixteen, dirty_cleared, "tlb-exceeds-pagetable");
}

/* Strengthening needs no flush. */
static void strengthened(void *arg)
{
	struct test_machine *t = arg;
	pteval_t *pte = test_pte(t, t->mm[0], PAGE(0));

	use_often(TLB_READ);
	WRITE_ONCE(*pte, *pte | PTE_RW | PTE_DIRTY);
	use_often(TLB_READ);
	/* Nor does the accessed bit. */
	WRITE_ONCE(*pte, *pte & ~PTE_ACCESSED);
	use_often(TLB_READ);
	test_exit_mm();
}

static void map_one_read_only(struct test_machine *t)
{
	map_page(t, t->mm[0], PAGE(0), USER_RO);
}

Test(tlb, strengthening_is_no_violation)
{
	run_alone(test_config(1), map_one_read_only, strengthened, NULL);
}

/* --- The oracle at free and reuse ------------------------------------------------------------- */

static void free_cached(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	EXPECT(rd(PAGE(0)) == 0);
	WRITE_ONCE(*test_pte(t, t->mm[0], PAGE(0)), 0);
	frame_release(t->m, pfn);
	EXPECT(!"reached");
}

Test(tlb, free_of_a_cached_frame_is_seen)
{
	/* Threads: a vCPU's first free is one that searches. */
	run_alone(test_config(1), map_sixteen, free_cached, "stale-tlb-at-free");
}

static void free_flushed(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	EXPECT(rd(PAGE(0)) == 0 && rd(PAGE(1)) == 0);
	WRITE_ONCE(*test_pte(t, t->mm[0], PAGE(0)), 0);
	tlb_invlpg(PAGE(0));
	frame_release(t->m, pfn);
	frame_take_data(&t->m->tlb->mem, pfn);
	EXPECT(counted(VMSTAT_oracle_tlb_scans) == 1);
	test_exit_mm();
}

Test(tlb, free_of_a_flushed_frame_is_silent)
{
	run_alone(test_config(1), map_sixteen, free_flushed, NULL);
}

/* An entry that the search at the free did not see: here the frame just becomes free. */
static void taken_cached(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	EXPECT(rd(PAGE(0)) == 0);
	frame_of(&t->m->tlb->mem, pfn)->state = FRAME_FREE;
	frame_take_data(&t->m->tlb->mem, pfn);
	EXPECT(!"reached");
}

static void one_explored(struct test_machine *t)
{
	map_sixteen(t);
	test_task(t, 0, t->mm[0], taken_cached);
}

Test(tlb, reuse_of_a_cached_frame_is_seen)
{
	struct campaign found;

	cr_assert_str_eq(explore_seeds(test_config(1), one_explored, 1, &found),
			 "stale-tlb-at-reuse");
}

static void free_huge_tail(void *arg)
{
	struct test_machine *t = arg;
	u64 head = pte_pfn(*test_entry(t, t->mm[0], HUGE_VA, 1, false));

	EXPECT(rd(HUGE_VA) == 0);
	frame_release(t->m, head + 511);
	EXPECT(!"reached");
}

Test(tlb, free_of_a_huge_tail_is_seen)
{
	run_alone(test_config(1), map_huge_page, free_huge_tail, "stale-tlb-at-free");
}

static void free_table(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(rd(PAGE(0)) == 0);
	frame_release(t->m, pte_pfn(*test_entry(t, t->mm[0], PAGE(0), 1, false)));
	EXPECT(!"reached");
}

Test(tlb, free_of_a_cached_table_is_seen)
{
	run_alone(test_config(1), map_sixteen, free_table, "stale-tlb-at-free");
}

static void free_root(void *arg)
{
	struct test_machine *t = arg;

	frame_release(t->m, t->mm[0]->context.root);
	EXPECT(!"reached");
}

Test(tlb, free_of_a_loaded_root_is_seen)
{
	run_alone(test_config(1), map_sixteen, free_root, "stale-tlb-at-free");
}

static void double_free(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	frame_release(t->m, pfn);
	frame_release(t->m, pfn);
	EXPECT(!"reached");
}

Test(tlb, double_free_is_seen)
{
	run_alone(test_config(1), map_sixteen, double_free, "frame-state");
}

static void double_take(void *arg)
{
	struct test_machine *t = arg;

	frame_take_data(&t->m->tlb->mem, pte_pfn(*test_pte(t, t->mm[0], PAGE(0))));
	EXPECT(!"reached");
}

Test(tlb, double_take_is_seen)
{
	run_alone(test_config(1), map_sixteen, double_take, "frame-state");
}

/* A page that is declared clean: entries that cannot store without a walk are harmless. */
static void harmless_when_clean(void *arg)
{
	struct test_machine *t = arg;
	u64 pfn = pte_pfn(*test_pte(t, t->mm[0], PAGE(0)));

	EXPECT(rd(PAGE(0)) == 0 && wr(PAGE(1), 1) == 0);
	tlb_oracle_frame_clean(t->m, pfn);
	EXPECT(wr(PAGE(0), 1) == 0);
	tlb_invlpg(PAGE(0));
	tlb_oracle_frame_clean(t->m, pfn);
	test_exit_mm();
}

Test(tlb, entries_that_cannot_store_are_silent)
{
	run_alone(test_config(1), map_sixteen, harmless_when_clean, NULL);
}

static void storable_when_clean(void *arg)
{
	struct test_machine *t = arg;

	EXPECT(wr(PAGE(0), 1) == 0);
	tlb_oracle_frame_clean(t->m, pte_pfn(*test_pte(t, t->mm[0], PAGE(0))));
	EXPECT(!"reached");
}

static void explored_storable_when_clean(struct test_machine *t)
{
	map_sixteen(t);
	test_task(t, 0, t->mm[0], storable_when_clean);
}

Test(tlb, storable_entry_of_a_clean_page_is_seen)
{
	struct campaign found;

	cr_assert_str_eq(explore_seeds(test_config(1), explored_storable_when_clean, 1, &found),
			 "clean-page-writable-in-tlb");
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void frames(void *arg)
{
	struct test_machine *t = arg;
	struct phys_memory *mem = &t->m->tlb->mem;
	u64 pfn = t->next_pfn;
	struct frame *f = frame_of(mem, pfn), *g = frame_of(mem, pfn + 1);
	u32 generation = f->generation;

	EXPECT(f->state == FRAME_FREE && !frame_table(f));
	EXPECT(frame_take_table(mem, pfn) == 0);
	EXPECT(f->state == FRAME_TABLE);
	for (u32 i = 0; i < PTRS_PER_TABLE; i++)
		EXPECT(frame_table(f)[i] == 0);
	frame_table(f)[5] = 7;
	frame_release(t->m, pfn);
	EXPECT(f->state == FRAME_FREE && !frame_table(f) && f->generation == generation + 1);
	/* The next table gets the same memory, and finds it clean. */
	EXPECT(frame_take_table(mem, pfn + 1) == 0);
	EXPECT(frame_table(g)[5] == 0);
	frame_release(t->m, pfn + 1);

	frame_take_data(mem, pfn);
	frame_take_data(mem, pfn + 1);
	for (u32 i = 0; i < FRAME_WORDS; i++)
		f->data[i] = i + 1;
	frame_copy(g, f);
	frame_clear(f);
	for (u32 i = 0; i < FRAME_WORDS; i++)
		EXPECT(f->data[i] == 0 && g->data[i] == i + 1);
	EXPECT(frame_number(mem, g) == pfn + 1);
	test_exit_mm();
}

Test(tlb, frames)
{
	run_alone(test_config(1), map_sixteen, frames, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The state of a search: distinct schedules, ranges, places; what several workers saw together.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/explore_coverage.h"
#include "stress/search_state.h"
#include "stress/world.h"
#include "tests/engine_machine.h"

/* The emulated kernel with all its places belongs to the program. */
static void *const volatile whole_kernel[] = {(void *)world_create, (void *)world_run};

/* --- Distinct ----------------------------------------------------------------------------------
 */

static u64 hash_number(u64 n)
{
	return splitmix64(&n);
}

Test(distinct, counts_each_hash_once)
{
	struct distinct d = {0};

	for (u64 i = 0; i < 3 * 50000; i++)
		distinct_add(&d, hash_number(i % 50000));
	cr_assert_eq(distinct_count(&d), 50000);
	cr_assert_eq(d.level, 0);
	distinct_destroy(&d);
}

Test(distinct, zero_is_a_hash_too)
{
	struct distinct d = {0};

	distinct_add(&d, 0);
	distinct_add(&d, 0);
	cr_assert_eq(distinct_count(&d), 1);
	distinct_destroy(&d);
}

Test(distinct, sets_merge)
{
	struct distinct a = {0}, b = {0}, none = {0};

	for (u64 i = 0; i < 3000; i++)
		distinct_add(&a, hash_number(i));
	for (u64 i = 2000; i < 6000; i++)
		distinct_add(&b, hash_number(i));
	cr_assert_eq(distinct_merge(&a, &b), 0);
	cr_assert_eq(distinct_count(&a), 6000);
	cr_assert_eq(distinct_merge(&a, &none), 0);
	cr_assert_eq(distinct_merge(&none, &a), 0);
	cr_assert_eq(distinct_count(&none), 6000);
	distinct_destroy(&a);
	distinct_destroy(&b);
	distinct_destroy(&none);
}

/* A percent: ten times the standard error. */
static void expect_about(const struct distinct *d, u64 number)
{
	u64 count = distinct_count(d), off = count > number ? count - number : number - count;

	cr_assert_gt(d->level, 0);
	cr_assert_lt(off, number / 100, "%llu, expected about %llu", (unsigned long long)count,
		     (unsigned long long)number);
}

Test(distinct, beyond_some_millions_it_is_an_estimate)
{
	struct distinct d = {0}, other = {0};
	u64 number = 2 * DISTINCT_MAX + 100000;

	for (u64 i = 0; i < number; i++)
		distinct_add(&d, hash_number(i));
	expect_about(&d, number);
	/* Some more, half of them known. */
	for (u64 i = number - 500000; i < number + 500000; i++)
		distinct_add(&other, hash_number(i));
	cr_assert_eq(distinct_count(&other), 1000000);
	cr_assert_eq(distinct_merge(&other, &d), 0);
	expect_about(&other, number + 500000);
	distinct_destroy(&d);
	distinct_destroy(&other);
}

/* --- Searches ----------------------------------------------------------------------------------
 */

static void one_word(struct vcpu *v)
{
	u64 *words = shared_of(v);

	for (u32 i = 0; i < 3; i++)
		WRITE_ONCE(words[0], READ_ONCE(words[0]) + v->id);
}

static const struct bare_program program = {.cpus = 2, .vcpu_main = one_word, .shared_bytes = 64};

static void search(struct search_state *s, u64 seed, u64 nr)
{
	struct bare_machine b;

	bare_create(&b, &program, seed);
	cr_assert_eq(search_state_watch(s, b.m), 0);
	for (u64 i = 0; i < nr; i++) {
		if (i)
			bare_reset(&b, &program, seed + i);
		bare_expect_finished(&b, bare_explore(&b));
		search_state_add(s, b.m);
	}
	bare_destroy(&b);
}

static u32 bits(const u64 *map, u64 nr)
{
	u32 n = 0;

	for (u64 i = 0; i < nr; i++)
		n += map[i >> 6] >> (i & 63) & 1;
	return n;
}

Test(search_state, sums_up_what_the_machine_did)
{
	struct search_state s;
	struct bare_machine b;
	u64 steps = 0, most = 0, preemptions = 0;

	cr_assert_eq(search_state_init(&s), 0);
	bare_create(&b, &program, 1);
	cr_assert_eq(search_state_watch(&s, b.m), 0);
	for (u64 i = 0; i < 100; i++) {
		if (i)
			bare_reset(&b, &program, 1 + i);
		bare_expect_finished(&b, bare_explore(&b));
		search_state_add(&s, b.m);
		steps += b.m->explored.steps;
		preemptions += b.m->explored.preemptions;
		most = max(most, b.m->explored.preemptions);
	}
	cr_assert_eq(s.schedules, 100);
	cr_assert_eq(s.steps, steps);
	cr_assert_eq(s.preemptions, preemptions);
	cr_assert_eq(s.steps_of_one.min, 12);
	cr_assert_eq(s.steps_of_one.max, 12);
	cr_assert_eq(s.preemptions_of_one.max, most);
	cr_assert_lt(s.preemptions_of_one.min, most);
	cr_assert_gt(search_state_distinct(&s), 1);
	cr_assert_leq(search_state_distinct(&s), 100);
	cr_assert(search_state_exact(&s));
	/* One line reads and writes: two places, and no order of the two is missing but one read
	 * after the other. */
	cr_assert_eq(s.nr_reached, 2);
	cr_assert_eq(s.nr_pairs, 3);
	cr_assert_eq(bits(s.reached, s.nr_places), 2);
	cr_assert_eq(bits(s.pairs, (u64)s.nr_places * s.nr_places), 3);
	bare_destroy(&b);
	search_state_destroy(&s);
}

Test(search_state, workers_together_are_one_search)
{
	struct search_state one, first, second, empty;

	cr_assert_eq(search_state_init(&one), 0);
	cr_assert_eq(search_state_init(&first), 0);
	cr_assert_eq(search_state_init(&second), 0);
	cr_assert_eq(search_state_init(&empty), 0);
	search(&one, 1, 200);
	search(&first, 1, 80);
	search(&second, 81, 120);
	cr_assert_eq(search_state_merge(&empty, &first), 0);
	cr_assert_eq(search_state_merge(&empty, &second), 0);
	cr_assert_eq(empty.schedules, one.schedules);
	cr_assert_eq(empty.steps, one.steps);
	cr_assert_eq(empty.preemptions, one.preemptions);
	cr_assert_eq(empty.steps_of_one.min, one.steps_of_one.min);
	cr_assert_eq(empty.preemptions_of_one.min, one.preemptions_of_one.min);
	cr_assert_eq(empty.preemptions_of_one.max, one.preemptions_of_one.max);
	cr_assert_eq(search_state_distinct(&empty), search_state_distinct(&one));
	cr_assert_eq(empty.nr_pairs, one.nr_pairs);
	cr_assert_eq(empty.nr_reached, one.nr_reached);
	search_state_destroy(&one);
	search_state_destroy(&first);
	search_state_destroy(&second);
	search_state_destroy(&empty);
}

Test(search_state, places_of_the_source_are_counted_once)
{
	struct search_state s;

	cr_assert_not_null(whole_kernel[0]);
	cr_assert_eq(search_state_init(&s), 0);
	cr_assert_lt(s.nr_places, s.nr_sites); /* page_flag() alone stands in several sources */
	for (u32 i = 1; i < s.nr_places; i++) {
		const struct site *a = s.sites[i - 1], *b = s.sites[i];

		cr_assert(strcmp(a->file, b->file) != 0 || a->line != b->line ||
			  strcmp(a->func, b->func) != 0 || a->kind != b->kind);
	}
	for (u32 i = 0; i < s.nr_sites; i++) {
		const struct site *site = &__start_mmt_sites[i], *place = s.sites[s.place[i]];

		cr_assert_str_eq(site->file, place->file);
		cr_assert_eq(site->line, place->line);
	}
	search_state_destroy(&s);
}

Test(search_state, a_machine_without_coverage_is_said_to_be_one)
{
	struct search_state s;
	struct bare_machine b;

	cr_assert_eq(search_state_init(&s), 0);
	bare_create(&b, &program, 1);
	bare_expect_finished(&b, bare_explore(&b));
	search_state_add(&s, b.m);
	cr_assert_eq(s.unseen, 1);
	cr_assert(!search_state_exact(&s));
	bare_destroy(&b);
	search_state_destroy(&s);
}

Test(search_state, the_report_has_the_figures)
{
	struct search_state s;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_eq(search_state_init(&s), 0);
	search_state_print(&s, out); /* of nothing */
	search(&s, 1, 50);
	search_state_print(&s, out);
	search_state_print_unreached(&s, out);
	fclose(out);
	cr_assert_not_null(
		strstr(text, "\nschedules                                          50\n"), "%s",
		text);
	cr_assert_not_null(strstr(text, "600  a schedule: min 12 avg 12.0 max 12\n"), "%s", text);
	cr_assert_not_null(
		strstr(text, "places_reached                                      2  of "), "%s",
		text);
	cr_assert_not_null(strstr(text, "places_interleaved                                  3\n"),
			   "%s", text);
	cr_assert_not_null(strstr(text, "smp/ipi.c: csd_wait, "), "%s", text);
	cr_assert_not_null(strstr(text, "handle_mm_fault"), "%s", text);
	cr_assert_null(strstr(text, "one_word"), "%s", text);
	free(text);
	search_state_destroy(&s);
}

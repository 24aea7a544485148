// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/search_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/explore_coverage.h"

static size_t bitmap_words(uint64_t bits)
{
	return (bits + 63) / 64;
}

static int by_source(const void *pa, const void *pb)
{
	const struct site *a = *(const struct site *const *)pa;
	const struct site *b = *(const struct site *const *)pb;
	int order = strcmp(a->file, b->file);

	if (!order)
		order = a->line < b->line ? -1 : a->line > b->line;
	if (!order)
		order = strcmp(a->func, b->func);
	if (!order)
		order = a->kind < b->kind ? -1 : a->kind > b->kind;
	return order;
}

/* Numbers the places: s->sites has all sites, sorted, and becomes one of each place. */
static void number_places(struct search_state *s)
{
	for (uint32_t i = 0; i < s->nr_sites; i++)
		s->sites[i] = &__start_mmt_sites[i];
	qsort(s->sites, s->nr_sites, sizeof(const struct site *), by_source);
	for (uint32_t i = 0; i < s->nr_sites; i++) {
		if (!i || by_source(&s->sites[s->nr_places - 1], &s->sites[i]))
			s->sites[s->nr_places++] = s->sites[i];
		s->place[site_index(s->sites[i])] = (uint16_t)(s->nr_places - 1);
	}
}

int search_state_init(struct search_state *s)
{
	memset(s, 0, sizeof(*s));
	s->nr_sites = coverage_sites();
	s->place = calloc(s->nr_sites, sizeof(*s->place));
	s->sites = calloc(s->nr_sites, sizeof(const struct site *));
	if (!s->place || !s->sites)
		return -ENOMEM;
	number_places(s);
	s->reached = calloc(bitmap_words(s->nr_places), sizeof(uint64_t));
	s->pairs = calloc(bitmap_words((uint64_t)s->nr_places * s->nr_places), sizeof(uint64_t));
	return s->reached && s->pairs ? 0 : -ENOMEM;
}

void search_state_destroy(struct search_state *s)
{
	free(s->place);
	free(s->sites);
	free(s->reached);
	free(s->pairs);
	distinct_destroy(&s->classes);
	memset(s, 0, sizeof(*s));
}

int search_state_watch(const struct search_state *s, struct machine *m)
{
	int err = explore_coverage_on(m);

	(void)s;
	if (!err)
		m->coverage->touches = false;
	return err;
}

static void range_add(struct search_range *r, uint64_t min, uint64_t max, bool first)
{
	if (first || min < r->min)
		r->min = min;
	if (first || max > r->max)
		r->max = max;
}

/* Sets a bit; 1 if it was not set. */
static uint32_t newly_set(uint64_t *bits, uint64_t bit)
{
	uint64_t old = bits[bit >> 6];

	bits[bit >> 6] |= 1ULL << (bit & 63);
	return !(old >> (bit & 63) & 1);
}

static void add_site(struct search_state *s, uint32_t site)
{
	s->nr_reached += newly_set(s->reached, s->place[site]);
}

static void add_pair(struct search_state *s, uint64_t bit)
{
	uint64_t before = s->place[bit / s->nr_sites], after = s->place[bit % s->nr_sites];

	s->nr_pairs += newly_set(s->pairs, before * s->nr_places + after);
}

/* Everything that the machine has covered. */
static void add_all(struct search_state *s, const struct explore_coverage *c)
{
	uint64_t words = bitmap_words((uint64_t)s->nr_sites * s->nr_sites);

	for (uint32_t i = 0; i < s->nr_sites; i++) {
		if (coverage_has_site(c, i))
			add_site(s, i);
	}
	for (uint64_t i = 0; i < words; i++) {
		for (uint64_t left = c->pairs[i]; left; left &= left - 1)
			add_pair(s, i * 64 + (uint64_t)__builtin_ctzll(left));
	}
}

static void add_coverage(struct search_state *s, struct explore_coverage *c)
{
	uint64_t pairs = (uint64_t)s->nr_sites * s->nr_sites;

	distinct_add(&s->classes, c->class_hash);
	s->addresses_lost |= c->lost;
	if (c->nr_fresh > COVERAGE_FRESH) {
		add_all(s, c);
	} else {
		for (uint32_t i = 0; i < c->nr_fresh; i++) {
			if (c->fresh[i] >= pairs)
				add_site(s, (uint32_t)(c->fresh[i] - pairs));
			else
				add_pair(s, c->fresh[i]);
		}
	}
	coverage_seen(c);
}

void search_state_add(struct search_state *s, struct machine *m)
{
	const struct explore_stats *e = &m->explored;

	range_add(&s->steps_of_one, e->steps, e->steps, !s->schedules);
	range_add(&s->preemptions_of_one, e->preemptions, e->preemptions, !s->schedules);
	s->schedules++;
	s->steps += e->steps;
	s->preemptions += e->preemptions;
	if (m->coverage)
		add_coverage(s, m->coverage);
	else
		s->unseen++;
}

/* @to |= @from; the number of bits that are set afterwards. */
static uint32_t or_bits(uint64_t *to, const uint64_t *from, uint64_t bits)
{
	uint32_t nr = 0;

	for (size_t i = 0; i < bitmap_words(bits); i++) {
		to[i] |= from[i];
		nr += (uint32_t)__builtin_popcountll(to[i]);
	}
	return nr;
}

int search_state_merge(struct search_state *to, const struct search_state *from)
{
	if (!from->schedules)
		return 0;
	range_add(&to->steps_of_one, from->steps_of_one.min, from->steps_of_one.max,
		  !to->schedules);
	range_add(&to->preemptions_of_one, from->preemptions_of_one.min,
		  from->preemptions_of_one.max, !to->schedules);
	to->schedules += from->schedules;
	to->unseen += from->unseen;
	to->steps += from->steps;
	to->preemptions += from->preemptions;
	to->addresses_lost |= from->addresses_lost;
	to->nr_reached = or_bits(to->reached, from->reached, to->nr_places);
	to->nr_pairs = or_bits(to->pairs, from->pairs, (uint64_t)to->nr_places * to->nr_places);
	return distinct_merge(&to->classes, &from->classes);
}

bool search_state_has_site(const struct search_state *s, const struct site *site)
{
	uint32_t bit = s->place[site_index(site)];

	return s->reached[bit >> 6] >> (bit & 63) & 1;
}

bool search_state_has_pair(const struct search_state *s, const struct site *before,
			   const struct site *after)
{
	uint64_t bit =
		(uint64_t)s->place[site_index(before)] * s->nr_places + s->place[site_index(after)];

	return s->pairs[bit >> 6] >> (bit & 63) & 1;
}

static double average(const struct search_state *s, uint64_t sum)
{
	return s->schedules ? (double)sum / (double)s->schedules : 0;
}

static void print_count(FILE *out, const char *name, uint64_t count)
{
	fprintf(out, "%-32s %20" PRIu64 "\n", name, count);
}

static void print_range(FILE *out, const char *name, uint64_t sum, double average,
			const struct search_range *r)
{
	fprintf(out, "%-32s %20" PRIu64 "  a schedule: min %" PRIu64 " avg %.1f max %" PRIu64 "\n",
		name, sum, r->min, average, r->max);
}

void search_state_print(const struct search_state *s, FILE *out)
{
	fprintf(out, "%-32s %20" PRIu64 "\n", "schedules", s->schedules);
	fprintf(out, "%-32s %20" PRIu64 "%s\n", "distinct_schedules", search_state_distinct(s),
		search_state_exact(s) ? ""
		: s->classes.lost || s->unseen || s->addresses_lost
			? "  at least: no host memory for all"
			: "  about: counted from a sample");
	print_range(out, "decision_points", s->steps, average(s, s->steps), &s->steps_of_one);
	print_range(out, "preemptions", s->preemptions, average(s, s->preemptions),
		    &s->preemptions_of_one);
	fprintf(out, "%-32s %20" PRIu32 "  of %" PRIu32 " in the program\n", "places_reached",
		s->nr_reached, s->nr_places);
	print_count(out, "places_interleaved", s->nr_pairs);
}

/* From sites[*i] on, to the end of its function; was any of its places reached? */
static bool function_reached(const struct search_state *s, uint32_t *i)
{
	const struct site *first = s->sites[*i];
	bool reached = false;

	for (; *i < s->nr_places; ++*i) {
		const struct site *site = s->sites[*i];

		if (strcmp(site->file, first->file) != 0 || strcmp(site->func, first->func) != 0)
			break;
		reached |= s->reached[*i >> 6] >> (*i & 63) & 1;
	}
	return reached;
}

void search_state_print_unreached(const struct search_state *s, FILE *out)
{
	const char *file = "";

	for (uint32_t i = 0; i < s->nr_places;) {
		const struct site *first = s->sites[i];

		if (function_reached(s, &i))
			continue;
		if (strcmp(file, first->file) != 0)
			fprintf(out, "%snever reached in %s: %s", *file ? "\n" : "", first->file,
				first->func);
		else
			fprintf(out, ", %s", first->func);
		file = first->file;
	}
	if (*file)
		fputc('\n', out);
}

static json_t *range_json(const struct search_range *r, double average)
{
	return json_pack("{s:I, s:f, s:I}", "min", (json_int_t)r->min, "avg", average, "max",
			 (json_int_t)r->max);
}

void search_state_record(const struct search_state *s, struct record *record)
{
	json_t *explore = json_object_get(record_root(record), "explore");

	json_object_set_new(explore, "distinct_exact", json_boolean(search_state_exact(s)));
	json_object_set_new(explore, "steps_of_schedule",
			    range_json(&s->steps_of_one, average(s, s->steps)));
	json_object_set_new(explore, "preemptions_of_schedule",
			    range_json(&s->preemptions_of_one, average(s, s->preemptions)));
	json_object_set_new(explore, "coverage",
			    json_pack("{s:i, s:i, s:i}", "places", (int)s->nr_places, "reached",
				      (int)s->nr_reached, "interleaved", (int)s->nr_pairs));
}

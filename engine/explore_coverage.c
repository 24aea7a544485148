// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/explore_coverage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A schedule of a small program uses about a hundred addresses. */
#define COVERAGE_WORDS_MIN 2048u
/* 128 MiB of them. No schedule that ends within a few million steps has more addresses. */
#define COVERAGE_WORDS_MAX (1u << 22)

static size_t bitmap_words(u64 bits)
{
	return (bits + 63) / 64;
}

void explore_coverage_destroy(struct explore_coverage *c)
{
	if (!c)
		return;
	free(c->words);
	free(c->reached);
	free(c->pairs);
	free(c);
}

int explore_coverage_on(struct machine *m)
{
	struct explore_coverage *c;

	if (m->coverage)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->touches = true;
	c->nr_sites = coverage_sites();
	c->words = calloc(COVERAGE_WORDS_MIN, sizeof(*c->words));
	c->mask = COVERAGE_WORDS_MIN - 1;
	c->reached = calloc(bitmap_words(c->nr_sites), sizeof(u64));
	c->pairs = calloc(bitmap_words((u64)c->nr_sites * c->nr_sites), sizeof(u64));
	if (!c->words || !c->reached || !c->pairs) {
		explore_coverage_destroy(c);
		return -ENOMEM;
	}
	m->coverage = c;
	return 0;
}

/* Odd constants with as many bits set as not: of splitmix64 (engine/random.h) and xxHash64. */
#define PRIME_ADDRESS 0x9e3779b185ebca87ULL
#define PRIME_DEPENDS 0xc2b2ae3d27d4eb4fULL
#define PRIME_STEP 0xbf58476d1ce4e5b9ULL

static __always_inline_fn u64 mix(u64 tip, u64 value)
{
	u64 h = (tip ^ value) * PRIME_STEP;

	return h ^ h >> 32;
}

void coverage_begin(struct explore_coverage *c, u32 nr_vcpus)
{
	if (++c->epoch == COVERAGE_EPOCHS) {
		memset(c->words, 0, ((size_t)c->mask + 1) * sizeof(*c->words));
		c->epoch = 1;
	}
	c->nr = 0;
	c->nr_late = 0;
	for (u32 i = 0; i < nr_vcpus; i++) {
		c->tip[i] = mix(i, PRIME_ADDRESS);
		c->tip[MAX_VCPUS_EXPLORE + i] = c->tip[i] ^ PRIME_DEPENDS;
	}
}

void coverage_end(struct explore_coverage *c, u32 nr_vcpus)
{
	u64 h = nr_vcpus;

	coverage_catch_up(c);
	for (u32 i = 0; i < nr_vcpus; i++) {
		h = mix(h, c->tip[i]);
		h = mix(h, c->tip[MAX_VCPUS_EXPLORE + i]);
	}
	c->class_hash = h;
}

/* Neighbours stay neighbours: they are often used together. */
static __always_inline_fn u32 place_of(const struct explore_coverage *c, u64 address)
{
	return (u32)(address >> 2 ^ address >> 12) & c->mask;
}

/* The table twice as large, with the entries of this epoch. */
static void grow(struct explore_coverage *c)
{
	struct coverage_word *old = c->words;
	u32 size = c->mask + 1;
	struct coverage_word *words;

	if (size >= COVERAGE_WORDS_MAX)
		return;
	words = calloc(2 * (size_t)size, sizeof(*words));
	if (!words)
		return;
	c->words = words;
	c->mask = 2 * size - 1;
	for (u32 i = 0; i < size; i++) {
		u64 address = old[i].tag & ((1ULL << COVERAGE_ADDRESS_BITS) - 1);
		u32 at = place_of(c, address);

		if (old[i].tag >> COVERAGE_ADDRESS_BITS != c->epoch)
			continue;
		while (words[at].tag)
			at = (at + 1) & c->mask;
		words[at] = old[i];
	}
	free(old);
}

static __noinline struct coverage_word *word_of_other(struct explore_coverage *c, u64 address,
						      u32 at)
{
	u64 tag = c->epoch << COVERAGE_ADDRESS_BITS | address;
	struct coverage_word *w = &c->words[at];

	while (w->tag >> COVERAGE_ADDRESS_BITS == c->epoch) {
		if (w->tag == tag)
			return w;
		at = (at + 1) & c->mask;
		w = &c->words[at];
	}
	if (c->nr > c->mask / 2) {
		grow(c);
		/* Where it cannot grow: an address takes the place of another one. */
		if (c->nr > c->mask / 2) {
			c->lost = true;
			w = &c->words[place_of(c, address)];
			c->nr--;
		} else {
			for (at = place_of(c, address);
			     c->words[at].tag >> COVERAGE_ADDRESS_BITS == c->epoch;)
				at = (at + 1) & c->mask;
			w = &c->words[at];
		}
	}
	c->nr++;
	*w = (struct coverage_word){.tag = tag};
	return w;
}

/* The first access to an address in a schedule, as every third one is where schedules are short,
 * mostly finds its place free. */
static __noinline struct coverage_word *word_of_slow(struct explore_coverage *c, u64 address,
						     u32 at)
{
	struct coverage_word *w = &c->words[at];

	if (unlikely(w->tag >> COVERAGE_ADDRESS_BITS == c->epoch) || unlikely(c->nr > c->mask / 2))
		return word_of_other(c, address, at);
	c->nr++;
	*w = (struct coverage_word){.tag = c->epoch << COVERAGE_ADDRESS_BITS | address};
	return w;
}

static __always_inline_fn struct coverage_word *word_of(struct explore_coverage *c, u64 address)
{
	u32 at = place_of(c, address);
	struct coverage_word *w = &c->words[at];

	if (likely(w->tag == (c->epoch << COVERAGE_ADDRESS_BITS | address)))
		return w;
	return word_of_slow(c, address, at);
}

/* What a step at @w's address depends on; it counts itself there. */
static __always_inline_fn u64 count_access(struct coverage_word *w, u64 h, bool write)
{
	u64 writes = -(u64)write;

	h = mix(h, w->written * PRIME_DEPENDS + (w->read & writes));
	w->written ^= (w->written ^ h) & writes;
	w->read = (w->read + h) & ~writes;
	return h;
}

static __cold_path void fresh_site(struct explore_coverage *c, u32 site)
{
	c->reached[site >> 6] |= 1ULL << (site & 63);
	c->nr_reached++;
	if (c->nr_fresh++ < COVERAGE_FRESH)
		c->fresh[c->nr_fresh - 1] = c->nr_sites * c->nr_sites + site;
}

static __cold_path void fresh_pair(struct explore_coverage *c, u64 bit)
{
	c->pairs[bit >> 6] |= 1ULL << (bit & 63);
	c->nr_pairs++;
	if (c->nr_fresh++ < COVERAGE_FRESH)
		c->fresh[c->nr_fresh - 1] = (u32)bit;
}

/*
 * @cpu makes the access of @site. Few branches: which vCPU comes to which access with what before
 * it is the strategy's doing, and no predictor's business.
 */
static __always_inline_fn void count_step(struct explore_coverage *c, u32 cpu,
					  const struct site *site, u64 address)
{
	u32 index = site_index(site);
	bool write = site->kind != ACCESS_LOAD;
	struct coverage_word *w = word_of(c, address);
	u32 seen = COVERAGE_SEEN + write * COVERAGE_SEEN_WRITE;
	/* Both have been, and at least one of them wrote. */
	bool raced = (w->cpu != cpu) & w->seen & (w->seen | seen) >> 1;
	u64 bit = (u64)w->site * c->nr_sites + index;
	u32 fresh = raced & ~(u32)(c->pairs[bit >> 6] >> (bit & 63));
	u64 h = c->tip[cpu] + ((u64)site->line << 3 | site->kind) * PRIME_DEPENDS;

	c->tip[cpu] = count_access(w, h ^ address * PRIME_ADDRESS, write);
	if (unlikely(!coverage_has_site(c, index)))
		fresh_site(c, index);
	/* One branch, never taken: of its parts no predictor knows anything. */
	__asm__("" : "+r"(fresh));
	if (unlikely(fresh))
		fresh_pair(c, bit);
	w->site = index;
	w->cpu = (u16)cpu;
	w->seen = (u16)seen;
}

static __always_inline_fn void count_choice(struct explore_coverage *c, u32 cpu, u64 choice)
{
	c->tip[cpu] = mix(c->tip[cpu], choice * PRIME_DEPENDS);
}

void coverage_catch_up(struct explore_coverage *c)
{
	for (u32 i = 0; i < c->nr_late; i++) {
		const struct coverage_late *l = &c->late[i];
		u32 cpu = (u32)(l->what >> COVERAGE_CPU_SHIFT);
		u64 what = l->what & ((1ULL << COVERAGE_CPU_SHIFT) - 1);

		if (likely(l->site))
			count_step(c, cpu, l->site, what);
		else
			count_choice(c, cpu, what);
	}
	c->nr_late = 0;
}

void coverage_choice(struct explore_coverage *c, u32 cpu, enum choice kind, u32 value)
{
	/* The default changes nothing, so where it was asked for is no part of the execution. A
	 * drain is an event of the buffer's (coverage_drain()), not of whoever runs. */
	if (kind != CHOICE_DRAIN)
		coverage_later(c, NULL,
			       (u64)cpu << COVERAGE_CPU_SHIFT | (u64)kind << COVERAGE_KIND_SHIFT |
				       value);
}

void coverage_touch(struct explore_coverage *c, u32 cpu, u64 address, bool write)
{
	u64 h;

	coverage_catch_up(c);
	address = coverage_place(cpu % MAX_VCPUS_EXPLORE, address);
	h = c->tip[cpu] ^ address * PRIME_ADDRESS;
	c->tip[cpu] = count_access(word_of(c, address), h, write);
}

void coverage_drain(struct explore_coverage *c, u32 cpu, u64 address)
{
	coverage_touch(c, MAX_VCPUS_EXPLORE + cpu, address, true);
}

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

void coverage_begin(struct explore_coverage *c, u32 nr_vcpus)
{
	if (++c->epoch == COVERAGE_EPOCHS) {
		memset(c->words, 0, ((size_t)c->mask + 1) * sizeof(*c->words));
		c->epoch = 1;
	}
	c->nr = 0;
	for (u32 i = 0; i < nr_vcpus; i++) {
		c->tip[i] = coverage_mix(i, COVERAGE_PRIME_ADDRESS);
		c->tip[MAX_VCPUS_EXPLORE + i] = c->tip[i] ^ COVERAGE_PRIME_DEPENDS;
		c->own[i] = (struct coverage_word){
			.tag = c->epoch << COVERAGE_ADDRESS_BITS,
			.cpu = (u16)i,
		};
	}
}

void coverage_end(struct explore_coverage *c, u32 nr_vcpus)
{
	u64 h = nr_vcpus;

	for (u32 i = 0; i < nr_vcpus; i++) {
		h = coverage_mix(h, c->tip[i]);
		h = coverage_mix(h, c->tip[MAX_VCPUS_EXPLORE + i]);
	}
	c->class_hash = h;
}

void coverage_choice(struct explore_coverage *c, u32 cpu, enum choice kind, u32 value)
{
	/* The default changes nothing, so where it was asked for is no part of the execution. A
	 * drain is an event of the buffer's (coverage_drain()), not of whoever runs. */
	if (value && kind != CHOICE_DRAIN)
		c->tip[cpu] = coverage_mix(c->tip[cpu],
					   ((u64)kind << 32 | value) * COVERAGE_PRIME_DEPENDS);
}

void coverage_touch(struct explore_coverage *c, u32 cpu, u64 address, bool write)
{
	u64 h = c->tip[cpu] ^ address * COVERAGE_PRIME_ADDRESS;

	c->tip[cpu] = coverage_access(coverage_word(c, cpu % MAX_VCPUS_EXPLORE, address), h, write);
}

void coverage_drain(struct explore_coverage *c, u32 cpu, u64 address)
{
	coverage_touch(c, MAX_VCPUS_EXPLORE + cpu, address, true);
}

void coverage_fresh_site(struct explore_coverage *c, u32 site)
{
	c->reached[site >> 6] |= 1ULL << (site & 63);
	c->nr_reached++;
	if (c->nr_fresh++ < COVERAGE_FRESH)
		c->fresh[c->nr_fresh - 1] = c->nr_sites * c->nr_sites + site;
}

void coverage_fresh_pair(struct explore_coverage *c, u64 bit)
{
	c->pairs[bit >> 6] |= 1ULL << (bit & 63);
	c->nr_pairs++;
	if (c->nr_fresh++ < COVERAGE_FRESH)
		c->fresh[c->nr_fresh - 1] = (u32)bit;
}

static u32 place_of(const struct explore_coverage *c, u64 address)
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

struct coverage_word *coverage_word_slow(struct explore_coverage *c, u64 address, u32 at)
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy_dpor_rounds.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_FIRST_ITEMS 4096
#define ROUNDS_FIRST_CHAIN 16

/* Multiplicative hashing (Knuth, TAOCP vol. 3, 6.4). */
#define HASH_FACTOR 0x9e3779b97f4a7c15ULL

bool dpor_rounds_start(struct dpor_rounds *r)
{
	*r = (struct dpor_rounds){
		.items = calloc(ROUNDS_FIRST_ITEMS, sizeof(*r->items)),
		.nr = 1,
		.size = ROUNDS_FIRST_ITEMS,
		.slots = calloc(2 * ROUNDS_FIRST_ITEMS, sizeof(*r->slots)),
		.mask = 2 * ROUNDS_FIRST_ITEMS - 1,
		.chain = calloc(ROUNDS_FIRST_CHAIN, sizeof(*r->chain)),
		.size_chain = ROUNDS_FIRST_CHAIN,
	};
	return r->items && r->slots && r->chain;
}

void dpor_rounds_destroy(struct dpor_rounds *r)
{
	free(r->items);
	free(r->slots);
	free(r->chain);
	memset(r, 0, sizeof(*r));
}

const struct dpor_item *dpor_rounds_answer(struct dpor_rounds *r, u32 at)
{
	const struct dpor_item *item;

	if (dpor_rounds_answered(r))
		return NULL;
	item = &r->items[r->chain[r->passed]];
	if (item->at != at)
		return NULL;
	r->passed++;
	return item;
}

/* --- What was noted --------------------------------------------------------------------------- */

static bool is_item(const struct dpor_item *a, const struct dpor_item *b)
{
	return a->parent == b->parent && a->at == b->at && a->what == b->what;
}

/* Where @item stands, or would. */
static u32 slot_of(const struct dpor_rounds *r, const struct dpor_item *item)
{
	u64 hash = ((u64)item->parent << 32 | item->at) * HASH_FACTOR;
	u32 at = (u32)((hash ^ item->what * HASH_FACTOR) >> 32) & r->mask;

	while (r->slots[at] && !is_item(&r->items[r->slots[at]], item))
		at = (at + 1) & r->mask;
	return at;
}

static bool grow(struct dpor_rounds *r)
{
	struct dpor_item *items;
	u32 *slots;

	if (r->size >= DPOR_ITEMS_MAX)
		return false;
	items = realloc(r->items, 2 * (size_t)r->size * sizeof(*items));
	if (!items)
		return false;
	r->items = items;
	r->size *= 2;
	slots = calloc(2 * (size_t)r->size, sizeof(*slots));
	if (!slots)
		return false;
	free(r->slots);
	r->slots = slots;
	r->mask = 2 * r->size - 1;
	for (u32 i = 1; i < r->nr; i++)
		r->slots[slot_of(r, &r->items[i])] = i;
	return true;
}

static void add(struct dpor_rounds *r, struct dpor_item item)
{
	u32 slot = slot_of(r, &item);

	if (r->slots[slot])
		return;
	if (r->nr == r->size) {
		if (!grow(r)) {
			r->lost = true;
			return;
		}
		slot = slot_of(r, &item);
	}
	r->items[r->nr] = item;
	r->slots[slot] = r->nr;
	if (item.spent == dpor_rounds_spent(r)) {
		r->items[r->nr].next = r->first[item.spent];
		r->first[item.spent] = r->nr;
		if (!r->items[r->nr].next)
			r->last[item.spent] = r->nr;
	} else if (r->first[item.spent]) {
		r->items[r->last[item.spent]].next = r->nr;
		r->last[item.spent] = r->nr;
	} else {
		r->first[item.spent] = r->last[item.spent] = r->nr;
	}
	r->nr++;
}

/* The options to be tried at @n, number @at, behind the answers of @parent. */
static bool note_options(struct dpor_rounds *r, const struct node *n, u32 at, u32 parent, u32 bound)
{
	struct options left = n->backtrack;
	bool too_many = false;

	/* Its interrupt could come later, too; before a held lock when others have gone on. */
	if (n->chosen.take)
		left.step |= n->enabled.step & (1ULL << n->chosen.cpu) ? 1ULL << n->chosen.cpu
								       : n->enabled.step;
	/* The default is the parent itself. */
	options_remove(&left, n->by_default);
	options_remove(&left, n->chosen);
	for (u32 take = 0; take < 2; take++) {
		for (u64 set = take ? left.take : left.step; set; set &= set - 1) {
			struct option o = {(u32)__builtin_ctzll(set), take};
			u32 spent = n->spent + option_price(n, o);

			if (spent <= bound)
				add(r, (struct dpor_item){.parent = parent,
							  .at = at,
							  .what = o.cpu << 1 | take,
							  .spent = spent});
			else
				too_many = true;
		}
	}
	return too_many;
}

bool dpor_rounds_note(struct dpor_rounds *r, const struct node_stack *nodes, u32 bound)
{
	u32 passed = 0, parent = 0;
	bool too_many = false;

	for (u32 at = 0; at < nodes->nr; at++) {
		const struct node *n = &nodes->nodes[at];

		while (passed < r->nr_chain && r->items[r->chain[passed]].at < at)
			parent = r->chain[passed++];
		if (!n->is_choice) {
			too_many |= note_options(r, n, at, parent, bound);
			continue;
		}
		/* Before the last answer the parent has noted them. */
		if (passed < r->nr_chain)
			continue;
		for (u32 value = 1; value < n->n && n->spent < bound; value++)
			add(r, (struct dpor_item){.parent = parent,
						  .at = at,
						  .what = value,
						  .spent = n->spent + 1});
		too_many |= n->n > 1 && n->spent >= bound;
	}
	return too_many;
}

/* --- The next one ----------------------------------------------------------------------------- */

/* The answers of item number @i. */
static bool set_chain(struct dpor_rounds *r, u32 i)
{
	u32 nr = 0;

	for (u32 k = i; k; k = r->items[k].parent)
		nr++;
	if (nr > r->size_chain) {
		u32 *chain = realloc(r->chain, 2 * nr * sizeof(*chain));

		if (!chain)
			return false;
		r->chain = chain;
		r->size_chain = 2 * nr;
	}
	r->nr_chain = nr;
	r->passed = 0;
	for (u32 k = i; k; k = r->items[k].parent)
		r->chain[--nr] = k;
	return true;
}

bool dpor_rounds_next(struct dpor_rounds *r)
{
	for (u32 spent = 0; spent <= DPOR_BOUND_MAX; spent++) {
		u32 i = r->first[spent];

		if (!i)
			continue;
		r->first[spent] = r->items[i].next;
		if (set_chain(r, i))
			return true;
		r->lost = true;
	}
	return false;
}

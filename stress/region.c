// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/region.h"

#include <errno.h>
#include <string.h>

#include "smp/rcu.h"
#include "smp/vmstat.h"
#include "stress/world_private.h"

INVARIANT(inv_foreign_data, "foreign-data",
	  "a word that is read is zero or was written to this page of this address space or file");
INVARIANT(inv_lost_write, "lost-write",
	  "a read sees the last write to the page, or zero if the page has been zapped since");
INVARIANT(inv_stale_data, "stale-data",
	  "after MADV_DONTNEED or truncation has returned the page reads as zero");
INVARIANT(inv_user_fault, "user-fault", "an access that the mappings allow is not refused");

/* Value: owner (15 bits), kind (1), page (24), sequence (24). */
#define VALUE_SEQUENCE_BITS 24
#define VALUE_PAGE_BITS 24
#define VALUE_MASK(bits) ((1ULL << (bits)) - 1)

static u64 bits_of_owner(const struct region *r, u32 page, u32 domain)
{
	u64 number = r->kind == REGION_ANON ? (region_start(r) >> PAGE_SHIFT) + page : page;
	u64 kind = r->kind == REGION_FILE_SHARED;

	return ((((u64)domain << 1 | kind) << VALUE_PAGE_BITS) |
		(number & VALUE_MASK(VALUE_PAGE_BITS)))
	       << VALUE_SEQUENCE_BITS;
}

static u64 owner_bits(const struct region *r, u32 page)
{
	return bits_of_owner(r, page, r->domain);
}

/* Was @value written to this page of this address space or file? Or of the mm that was forked from,
 * before: what its tasks write later is not told from that, but what is written here is foreign
 * there. */
static bool belongs(const struct region *r, u32 page, u64 value)
{
	return !((value ^ owner_bits(r, page)) >> VALUE_SEQUENCE_BITS) ||
	       (r->inherited != r->domain &&
		!((value ^ bits_of_owner(r, page, r->inherited)) >> VALUE_SEQUENCE_BITS));
}

static u64 value_for(struct user_task *u, const struct region *r, u32 page)
{
	/* Unique among the tasks: their pid and a number of each. Never zero in the low bits. */
	u64 sequence = (u64)current->pid * 977 + ++u->sequence;

	return owner_bits(r, page) | (sequence & VALUE_MASK(VALUE_SEQUENCE_BITS)) | 1;
}

static inline u64 address_of(const struct region *r, u32 page)
{
	return region_start(r) + ((u64)page << PAGE_SHIFT) + page % FRAME_WORDS * sizeof(u64);
}

static void set_up(struct region *r, enum region_kind kind, u32 pages, u32 domain, bool exact)
{
	r->kind = kind;
	r->pages = pages;
	r->domain = domain & 0x7fff;
	r->inherited = r->domain;
	r->exact = exact;
	region_set(r->unstable, false);
	region_set(r->gone, false);
	region_set(r->haunted, false);
}

int region_prepare(struct machine *m, struct region *r, enum region_kind kind, u32 pages,
		   u32 domain, bool exact)
{
	struct shadow_store *store = r->store ? r->store : &r->own;

	if (exact && pages > store->nr) {
		store->nr = 0;
		store->pages = arena_alloc_dirty(&m->arena, pages * sizeof(*store->pages), 8);
		if (!store->pages)
			return -ENOMEM;
		store->nr = pages;
	}
	r->shadow = store->pages;
	set_up(r, kind, pages, domain, exact);
	if (r->exact)
		memset(r->shadow, 0, pages * sizeof(*r->shadow));
	return 0;
}

int region_init(struct machine *m, struct region *r, enum region_kind kind, u64 start, u32 pages,
		u32 domain, bool exact)
{
	int err = region_prepare(m, r, kind, pages, domain, exact);

	if (!err)
		region_publish(r, start);
	return err;
}

void region_init_file(struct region *r, enum region_kind kind, u64 start, u32 pages, u32 file,
		      struct shadow_page *shadow)
{
	/* The shadow is the file's: it outlives mappings, and has what others have written. */
	r->shadow = shadow;
	set_up(r, kind, pages, file, shadow != NULL);
	region_publish(r, start);
}

void region_forget(struct region *r)
{
	region_publish(r, 0);
}

/* What is looked at here is no decision point of its own: a strategy that asks which steps depend
 * on each other is told. Users come and go in any order, as long as nobody condemns the region. */
void region_enter(struct region *r)
{
	explore_touch(r, false);
	__atomic_fetch_add(&r->users, 1, __ATOMIC_ACQ_REL);
}

void region_leave(struct region *r)
{
	bool gone = region_flag(r->gone);
	u32 users = __atomic_load_n(&r->users, __ATOMIC_RELAXED);

	explore_touch(r, gone);
	do {
		/* The last one of a region that is gone empties the slot; who enters meanwhile
		 * finds nothing there, and is the last one then. */
		if (gone && users == 1)
			region_forget(r);
	} while (!__atomic_compare_exchange_n(&r->users, &users, users - 1, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
}

bool region_take(struct region *r)
{
	u32 none = 0;

	explore_touch(r, false);
	if (region_start(r) || !__atomic_compare_exchange_n(&r->users, &none, 1, false,
							    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	/* Somebody may have mapped and left it since we looked. */
	if (!region_start(r))
		return true;
	region_leave(r);
	return false;
}

void region_condemn(struct region *r)
{
	explore_touch(r, true);
	region_set(r->gone, true);
	region_set(r->unstable, true);
}

void region_retire(struct region *r)
{
	if (region_start(r)) {
		region_enter(r);
		region_condemn(r);
		region_leave(r);
	}
	explore_touch(r, true);
	/* They may wait for a grace period, which must not wait for us. */
	while (__atomic_load_n(&r->users, __ATOMIC_ACQUIRE)) {
		synchronize_rcu();
		yield();
	}
}

void region_haunt(const struct region *gone, struct region *r, u64 start)
{
	u64 other = region_start(gone);

	if (!other || !region_flag(gone->gone) || other >= start + ((u64)r->pages << PAGE_SHIFT) ||
	    start >= other + ((u64)gone->pages << PAGE_SHIFT))
		return;
	region_set(r->haunted, true);
	region_set(r->unstable, true);
}

int region_copy(struct machine *m, struct region *to, const struct region *from, bool exact)
{
	int err;

	if (!region_start(from)) {
		region_forget(to);
		return 0;
	}
	if (from->kind == REGION_ANON) {
		err = region_init(m, to, from->kind, region_start(from), from->pages,
				  current->mm->domain, exact && from->exact);
		if (err)
			return err;
		to->inherited = from->domain;
	} else {
		struct shadow_store *store = to->store, own = to->own;

		*to = *from;
		to->store = store;
		to->own = own;
	}
	memcpy(to->name, from->name, sizeof(to->name));
	region_set(to->unstable, region_flag(from->unstable));
	region_set(to->haunted, region_flag(from->haunted) || region_flag(from->gone));
	if (to->exact && to->kind == REGION_ANON)
		memcpy(to->shadow, from->shadow, from->pages * sizeof(*to->shadow));
	return 0;
}

static int access_failed(const struct region *r, u32 page, int err, const char *what)
{
	if (err == -ENOMEM || region_flag(r->unstable))
		return err;
	VIOLATION(&inv_user_fault, "%s of page %u of region %s at %#llx: %s", what, page, r->name,
		  (unsigned long long)address_of(r, page), err == -EIO ? "SIGBUS" : "SIGSEGV");
}

/*
 * Shadows of regions that several vCPUs use are only kept under the explorer, in the same step as
 * the access itself: ThreadSanitizer, which takes those vCPUs for threads, is not to look at them.
 */
#define __shadow __attribute__((no_sanitize("thread"), noinline))

static __shadow void check_exact(const struct region *r, u32 page, u64 value)
{
	struct shadow_page *s = &r->shadow[page];

	explore_touch(s, s->unsure);
	if (likely(value == s->last))
		return;
	/* Until the flush of a zap a CPU may see the old page while another one writes a new one.
	 * But where nothing was written since another zap has returned, that one's promise stands.
	 */
	if (s->zaps && (s->last || s->unsure))
		return;
	if (s->unsure) {
		/* What was seen now is what must be seen from now on. */
		s->last = value;
		s->unsure = false;
		return;
	}
	if (!s->last)
		VIOLATION(
			&inv_stale_data,
			"pid %u reads %#llx at %#llx, which nobody has written since it was zapped",
			current->pid, (unsigned long long)value,
			(unsigned long long)address_of(r, page));
	VIOLATION(&inv_lost_write, "pid %u reads %#llx at %#llx; the last write was %#llx",
		  current->pid, (unsigned long long)value, (unsigned long long)address_of(r, page),
		  (unsigned long long)s->last);
}

/* Has nothing happened to the page since, and is nothing open? */
static __shadow bool unchanged(const struct shadow_page *s, const struct shadow_page *before)
{
	return s->writes == before->writes && s->ended == before->ended && !s->zaps &&
	       !before->zaps && !s->unsure && !before->unsure;
}

void region_was_read(const struct region *r, u32 page, u64 value, const struct shadow_page *before)
{
	if (unlikely(region_flag(r->gone) || region_flag(r->haunted)))
		return;
	if (value && unlikely(!belongs(r, page, value)) && r->kind != REGION_FILE_PRIVATE)
		VIOLATION(&inv_foreign_data,
			  "pid %u reads %#llx at %#llx; values that belong there begin with %#llx",
			  current->pid, (unsigned long long)value,
			  (unsigned long long)address_of(r, page),
			  (unsigned long long)owner_bits(r, page));
	if (r->exact && (!before || unchanged(&r->shadow[page], before)))
		check_exact(r, page, value);
	count_vm_event(VMSTAT_oracle_data_checks);
}

int region_read(struct region *r, u32 page)
{
	u64 value;
	int err = user_read(address_of(r, page), &value);

	if (unlikely(err))
		return access_failed(r, page, err, "read");
	region_was_read(r, page, value, NULL);
	return 0;
}

void region_dumped(const struct region *r, u32 page, const u64 *words)
{
	region_was_read(r, page, words ? words[page % FRAME_WORDS] : 0, NULL);
}

static __shadow void shadow_written(struct shadow_page *s, u64 value, bool gone)
{
	explore_touch(s, true);
	s->last = value;
	s->writes++;
	/* A zap that is under way may take it; or has taken the page that it went to. And of a
	 * file's shadow, which outlives the mapping: it may have gone to what is there now. */
	s->unsure = s->zaps != 0 || gone;
}

int region_write(struct user_task *u, struct region *r, u32 page)
{
	u64 value = value_for(u, r, page);
	int err = user_write(address_of(r, page), value);

	if (unlikely(err))
		return access_failed(r, page, err, "write");
	region_was_written(r, page, value, NULL);
	return 0;
}

static __shadow bool zapped_since(const struct shadow_page *s, const struct shadow_page *before)
{
	return before->zaps || s->ended != before->ended;
}

void region_was_written(struct region *r, u32 page, u64 value, const struct shadow_page *before)
{
	struct shadow_page *s = r->exact ? &r->shadow[page] : NULL;

	if (s)
		shadow_written(s, value,
			       region_flag(r->gone) || (before && zapped_since(s, before)));
}

__shadow void region_watch(const struct region *r, u32 page, struct shadow_page *before)
{
	*before = (struct shadow_page){0};
	if (!r->exact)
		return;
	explore_touch(&r->shadow[page], false);
	*before = r->shadow[page];
}

u64 region_address(const struct region *r, u32 page)
{
	return address_of(r, page);
}

u64 region_new_value(struct user_task *u, const struct region *r, u32 page)
{
	return value_for(u, r, page);
}

__shadow void region_zap_begin(struct region *r, u32 page, u32 nr, u32 *writes)
{
	if (!r->exact)
		return;
	for (u32 i = 0; i < nr; i++) {
		struct shadow_page *s = &r->shadow[page + i];

		explore_touch(s, true);
		s->zaps++;
		if (writes)
			writes[i] = s->writes;
	}
}

__shadow void region_zap_end(struct region *r, u32 page, u32 nr, const u32 *writes)
{
	if (!r->exact)
		return;
	for (u32 i = 0; i < nr; i++) {
		struct shadow_page *s = &r->shadow[page + i];

		explore_touch(s, true);
		s->zaps--;
		s->ended++;
		if (writes && s->writes == writes[i]) {
			/* Nobody wrote since it began: zero it is. */
			s->last = 0;
			s->unsure = false;
		} else {
			s->unsure = true;
		}
	}
}

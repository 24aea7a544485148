// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A region: a range of pages that a program uses, and what it knows of their contents: the data
 * oracle.
 *
 * Every word that a program writes says where it belongs: the address space's domain and the page,
 * or the file and its page, and a number of its own. A word that is read back must be zero or
 * belong there; anything else is another address space's data.
 *
 * Where the contents can be known exactly the shadow says what the last write was. That is so for a
 * region that one task uses alone (under both executors), and for every region under the explorer,
 * where an access and the update of its shadow are one step. Then a read must see the last write,
 * and after a zap with no write since, zero. While a zap is under way the contents are open (a CPU
 * that has not been flushed yet sees the old page, another one may write a new one), and after a
 * zap with a write in its time until the next read shows them. When one of several zaps has
 * returned, with no write since it began, zero it is, however long the others take. Each page uses
 * one word of its frame.
 *
 * A shadow belongs to its region's users as above and needs no lock.
 */
#ifndef STRESS_REGION_H
#define STRESS_REGION_H

#include "engine/types.h"
#include "stress/job.h"
#include "tlbshoot/pte.h"

struct inode;
struct machine;
struct user_task;

#define REGION_EXTRA_MAX 4
#define REGION_NAMED_MAX 8

enum region_kind {
	REGION_NONE,
	REGION_ANON,	     /* private anonymous memory */
	REGION_FILE_SHARED,  /* shared mapping of a file: the shadow is the file's */
	REGION_FILE_PRIVATE, /* private mapping of a file: no exact shadow */
};

struct shadow_page {
	u64 last;    /* the last value written; 0: none, or zapped since */
	u32 writes;  /* so far */
	u16 zaps;    /* under way */
	u8 ended;    /* zaps that have ended, modulo 256 */
	bool unsure; /* the last write may have gone to a page that has been zapped since */
};

/* Memory for a shadow, which outlives the regions that use it in turn: the machine's memory is not
 * given back before its end. */
struct shadow_store {
	struct shadow_page *pages;
	u32 nr;
};

struct region {
	enum region_kind kind;
	char name[JOB_NAME_SIZE]; /* in programs */
	u64 start;		  /* address; 0: not mapped now; region_start(), region_publish() */
	u32 pages;
	struct shadow_store own, *store; /* where its shadow lies; NULL: in its own */
	u32 domain;    /* the values' owner: domain of the mm, or number of the file */
	u32 inherited; /* owner of values that came by fork; domain: none did */
	bool exact;
	/* Written while other threads look: region_flag(), region_set(). */
	bool unstable; /* parts may be unmapped or protected at any time: faults are no surprise */
	bool gone;     /* unmapped for good: nobody new comes, and nobody knows what users see */
	bool haunted;  /* users of a region that is gone may change it: nothing is known */
	u32 users;     /* operations of programs that are about it; atomic */
	u32 remaps;    /* of those, such as map parts of it afresh; atomic */
	struct shadow_page *shadow;
};

/* Where @r is mapped; 0: nowhere. With an address comes all that was set up before it was
 * published: release and acquire. */
static inline u64 region_start(const struct region *r)
{
	return __atomic_load_n(&r->start, __ATOMIC_ACQUIRE);
}

static inline void region_publish(struct region *r, u64 start)
{
	__atomic_store_n(&r->start, start, __ATOMIC_RELEASE);
}

#define region_flag(flag) __atomic_load_n(&(flag), __ATOMIC_RELAXED)
#define region_set(flag, value) __atomic_store_n(&(flag), (value), __ATOMIC_RELAXED)

/* Makes @r, which nobody else uses, describe @pages of fresh memory that it will have: all zero.
 * region_publish() is due. 0 or -ENOMEM. */
int region_prepare(struct machine *m, struct region *r, enum region_kind kind, u32 pages,
		   u32 domain, bool exact);

/* The same, at @start. */
int region_init(struct machine *m, struct region *r, enum region_kind kind, u64 start, u32 pages,
		u32 domain, bool exact);

/* Makes @r describe a mapping of a file from its first page on; @shadow is the file's, NULL where
 * the contents are not known exactly. */
void region_init_file(struct region *r, enum region_kind kind, u64 start, u32 pages, u32 file,
		      struct shadow_page *shadow);

/* The memory has gone with its mm: nobody new comes, and when it returns the last of those who were
 * about it, from other address spaces, has left. */
void region_retire(struct region *r);

/* The shadow's memory is kept for the next region_init() of the same struct, or with its store. */
void region_forget(struct region *r);

/*
 * Operations of programs on a region that other threads use too: who uses it has entered it. A slot
 * without a region is taken by entering it as the only one (region_take). A region that is
 * condemned, because it is about to be unmapped, is forgotten when its last user leaves. Until then
 * it haunts regions that are mapped at its addresses: who still means the old one may change their
 * contents. region_haunt() tells @r, not yet published, so. Not to be condemned is a region of
 * which parts are being mapped again.
 */
static inline bool region_usable(const struct region *r)
{
	return region_start(r) && !region_flag(r->gone);
}
void region_enter(struct region *r);
void region_leave(struct region *r);
bool region_take(struct region *r);
void region_condemn(struct region *r);
void region_haunt(const struct region *gone, struct region *r, u64 start);

/* A child's view after fork: the same contents. 0 or -ENOMEM. */
int region_copy(struct machine *m, struct region *to, const struct region *from, bool exact);

/* Reads or writes one page's word as the running user task. 0, or a negative errno: -EFAULT and
 * -EIO are only returned for unstable regions, else they are a violation. */
int region_read(struct region *r, u32 page);
int region_write(struct user_task *u, struct region *r, u32 page);

/*
 * The same for accesses that are not the running task's own, but a device's or a debugger's to the
 * mm that @r belongs to: where the word is, what to write, and what has been done, in the same step
 * as the access. An access that looks for the page first and uses it later, when it may have been
 * replaced, has what region_watch() said before (@before, else NULL): a change in between leaves
 * open what it should have seen, or whether it was in time.
 */
u64 region_address(const struct region *r, u32 page);
u64 region_new_value(struct user_task *u, const struct region *r, u32 page);
void region_watch(const struct region *r, u32 page, struct shadow_page *before);
void region_was_read(const struct region *r, u32 page, u64 value, const struct shadow_page *before);
void region_was_written(struct region *r, u32 page, u64 value, const struct shadow_page *before);

/* A core dump has @words (FRAME_WORDS) for @page, or NULL: a hole. */
void region_dumped(const struct region *r, u32 page, const u64 *words);

/* Around an operation that makes the contents of [page, page + nr) zero. @writes has room for nr
 * counts; the same array for both. */
void region_zap_begin(struct region *r, u32 page, u32 nr, u32 *writes);
void region_zap_end(struct region *r, u32 page, u32 nr, const u32 *writes);

#endif

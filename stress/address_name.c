// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/address_name.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/file_private.h"
#include "mm/mm.h"
#include "mm/mm_block.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "smp/ipi.h"
#include "smp/sched.h"
#include "smp/signal.h"

/* It looks at other tasks' plain memory where no vCPU runs, and at what a planted bug has freed: no
 * business of the sanitizers'. */
#define PEEK __attribute__((no_sanitize_thread, no_sanitize_address))

/* A page table that has been met: what it is the table of. */
struct known_table {
	const pteval_t *entries;
	u64 pfn;
	u32 generation; /* of the frame */
	u32 mm, level;
	u64 va; /* of its first entry */
	bool placed;
};

/* An mm or a VMA that has been met: its memory is always one, also between two of them. */
struct known_object {
	const struct mm_struct *mm;
	const struct vm_area_struct *vma; /* one of the two */
};

struct address_namer {
	const struct machine *m;
	struct known_object *objects;
	u32 nr_objects, objects_size;
	struct named_address **names; /* open addressing; a power of two */
	u32 nr_names, size;
	struct known_table *tables;
	u32 nr_tables, tables_size;
};

/* A member of a structure. An array of scalars has members of @each bytes. */
struct field {
	u32 offset, bytes;
	u8 each, format, kind;
	const char *name;
};
#define FIELD_AS(type, member, format_, kind_, name_)                                              \
	{                                                                                          \
		offsetof(type, member), sizeof(((type *)0)->member), sizeof(((type *)0)->member),  \
			(format_), (kind_), (name_)                                                \
	}
#define FIELD(type, member, format_, kind_) FIELD_AS(type, member, format_, kind_, #member)
#define FIELD_ARRAY(type, member, format_, kind_, name_)                                           \
	{                                                                                          \
		offsetof(type, member), sizeof(((type *)0)->member),                               \
			sizeof(((type *)0)->member[0]), (format_), (kind_), (name_)                \
	}
/* A lock is a whole structure, of which the first word is its value: whether it is taken, or by
 * whom. What an rwsem begins with is neither. */
#define FIELD_LOCK_AS(type, member, each_, format_, name_)                                         \
	{                                                                                          \
		offsetof(type, member), sizeof(((type *)0)->member), (each_), (format_),           \
			ADDRESS_LOCK, (name_)                                                      \
	}
#define FIELD_SPINLOCK(type, member) FIELD_LOCK_AS(type, member, 4, VALUE_DECIMAL, #member)
#define FIELD_MUTEX(type, member, name) FIELD_LOCK_AS(type, member, 8, VALUE_POINTER, name)
#define FIELD_RWSEM(type, member) FIELD_LOCK_AS(type, member, 0, VALUE_DECIMAL, #member)

static const struct field mm_fields[] = {
	FIELD_ARRAY(struct mm_struct, context.cpumask, VALUE_HEX, ADDRESS_MASK, "cpumask"),
	FIELD_AS(struct mm_struct, context.flush_pending, VALUE_DECIMAL, ADDRESS_MM,
		 "tlb_flush_pending"),
	FIELD_AS(struct mm_struct, context.recent_va, VALUE_HEX, ADDRESS_UNKNOWN, "recent_va"),
	FIELD_ARRAY(struct mm_struct, rss, VALUE_DECIMAL, ADDRESS_COUNTER, "rss"),
	FIELD(struct mm_struct, mm_users, VALUE_DECIMAL, ADDRESS_MM),
	FIELD(struct mm_struct, mm_count, VALUE_DECIMAL, ADDRESS_MM),
	FIELD(struct mm_struct, flags, VALUE_HEX, ADDRESS_MM),
	FIELD_LOCK_AS(struct mm_struct, mmap_sem.slow, 4, VALUE_DECIMAL, "mmap_sem.slow"),
	FIELD_LOCK_AS(struct mm_struct, mmap_sem.lock, 4, VALUE_DECIMAL, "mmap_sem.lock"),
	FIELD_RWSEM(struct mm_struct, mmap_sem),
	FIELD_SPINLOCK(struct mm_struct, page_table_lock),
	FIELD(struct mm_struct, nr_ptes, VALUE_DECIMAL, ADDRESS_COUNTER),
	FIELD(struct mm_struct, hiwater_rss, VALUE_DECIMAL, ADDRESS_COUNTER),
	FIELD(struct mm_struct, owner, VALUE_POINTER, ADDRESS_MM),
	FIELD(struct mm_struct, notifiers, VALUE_POINTER, ADDRESS_MM),
	FIELD(struct mm_struct, core_state, VALUE_POINTER, ADDRESS_MM),
};

static const struct field page_fields[] = {
	FIELD(struct page, flags, VALUE_PAGE_FLAGS, ADDRESS_PAGE),
	FIELD(struct page, refcount, VALUE_DECIMAL, ADDRESS_PAGE),
	FIELD(struct page, mapcount, VALUE_DECIMAL, ADDRESS_PAGE),
	FIELD(struct page, mapping, VALUE_POINTER, ADDRESS_PAGE),
	FIELD(struct page, index, VALUE_HEX, ADDRESS_PAGE),
	FIELD_SPINLOCK(struct page, ptl),
	FIELD(struct page, memcg, VALUE_POINTER, ADDRESS_PAGE),
};

static const struct field task_fields[] = {
	FIELD(struct task_struct, state, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct task_struct, on_rq, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct task_struct, cpu, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct task_struct, flags, VALUE_HEX, ADDRESS_TASK),
	FIELD(struct task_struct, usage, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD_SPINLOCK(struct task_struct, alloc_lock),
	FIELD(struct task_struct, mm, VALUE_POINTER, ADDRESS_TASK),
	FIELD(struct task_struct, active_mm, VALUE_POINTER, ADDRESS_TASK),
	FIELD(struct task_struct, exit_state, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct task_struct, killed, VALUE_DECIMAL, ADDRESS_TASK),
};

static const struct field signal_fields[] = {
	FIELD(struct signal_struct, live, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct signal_struct, nr_threads, VALUE_DECIMAL, ADDRESS_TASK),
	FIELD(struct signal_struct, flags, VALUE_HEX, ADDRESS_TASK),
	FIELD(struct signal_struct, notify_count, VALUE_DECIMAL, ADDRESS_TASK),
};

static const struct field sighand_fields[] = {
	FIELD_SPINLOCK(struct sighand_struct, siglock),
	FIELD(struct sighand_struct, count, VALUE_DECIMAL, ADDRESS_TASK),
};

static const struct field vma_fields[] = {
	FIELD(struct vm_area_struct, vm_start, VALUE_HEX, ADDRESS_VMA),
	FIELD(struct vm_area_struct, vm_end, VALUE_HEX, ADDRESS_VMA),
	FIELD(struct vm_area_struct, vm_flags, VALUE_HEX, ADDRESS_VMA),
	FIELD(struct vm_area_struct, vm_pgoff, VALUE_HEX, ADDRESS_VMA),
	FIELD(struct vm_area_struct, anon_vma, VALUE_POINTER, ADDRESS_VMA),
};

static const struct field anon_vma_fields[] = {
	FIELD_RWSEM(struct anon_vma, rwsem),
	FIELD_LOCK_AS(struct anon_vma, slot, 4, VALUE_DECIMAL, "rwsem"),
	FIELD(struct anon_vma, refcount, VALUE_DECIMAL, ADDRESS_VMA),
};

static const struct field inode_fields[] = {
	FIELD_MUTEX(struct inode, i_mutex, "i_mutex"),
	FIELD(struct inode, size_pages, VALUE_DECIMAL, ADDRESS_FILE),
	FIELD_LOCK_AS(struct inode, mapping.tree_lock, 4, VALUE_DECIMAL, "tree_lock"),
	FIELD_MUTEX(struct inode, mapping.i_mmap_mutex, "i_mmap_mutex"),
	FIELD_AS(struct inode, mapping.nr_mappings, VALUE_DECIMAL, ADDRESS_FILE, "nr_mappings"),
};

static const struct field rq_fields[] = {
	FIELD_AS(struct rq, lock.locked, VALUE_DECIMAL, ADDRESS_CPU, "lock"),
	FIELD(struct rq, nr_queued, VALUE_DECIMAL, ADDRESS_CPU),
	FIELD(struct rq, curr, VALUE_POINTER, ADDRESS_CPU),
};

static const struct field smp_fields[] = {
	FIELD_SPINLOCK(struct smp_machine, tasklist_lock),
	FIELD(struct smp_machine, nr_tasks, VALUE_DECIMAL, ADDRESS_CPU),
	FIELD(struct smp_machine, last_waiter, VALUE_POINTER, ADDRESS_CPU),
	FIELD(struct smp_machine, next_pid, VALUE_DECIMAL, ADDRESS_CPU),
	FIELD(struct smp_machine, finish, VALUE_DECIMAL, ADDRESS_CPU),
};

static const struct field vcpu_fields[] = {
	FIELD(struct vcpu, pending, VALUE_HEX, ADDRESS_CPU),
	FIELD(struct vcpu, halted, VALUE_DECIMAL, ADDRESS_CPU),
	FIELD(struct vcpu, call_queue, VALUE_POINTER, ADDRESS_CPU),
	FIELD(struct vcpu, nr_waiting, VALUE_DECIMAL, ADDRESS_CPU),
};

static const struct field mm_machine_fields[] = {
	FIELD_SPINLOCK(struct mm_machine, mmlist_lock),
	FIELD(struct mm_machine, next_mm_id, VALUE_DECIMAL, ADDRESS_MM),
	FIELD(struct mm_machine, next_domain, VALUE_DECIMAL, ADDRESS_MM),
	FIELD_SPINLOCK(struct mm_machine, commit_lock),
};

struct address_namer *address_namer_create(const struct machine *m)
{
	struct address_namer *n = calloc(1, sizeof(*n));

	if (n)
		n->m = m;
	return n;
}

void address_namer_destroy(struct address_namer *n)
{
	if (!n)
		return;
	for (u32 i = 0; i < n->size; i++)
		free(n->names[i]);
	free(n->names);
	free(n->tables);
	free(n->objects);
	free(n);
}

/* ---- one object of each name ---- */

/* FNV-1a, 32 bit: offset basis and prime. */
static u32 name_hash(const char *name)
{
	u32 h = 2166136261u;

	while (*name)
		h = (h ^ (u8)*name++) * 16777619u;
	return h;
}

static struct named_address **name_slot(struct address_namer *n, const struct named_address *a)
{
	u32 i = name_hash(a->name) & (n->size - 1);

	/* One name can be two things, as a frame that becomes a page table does not: then both
	 * are kept. */
	while (n->names[i] && (strcmp(n->names[i]->name, a->name) || n->names[i]->pfn != a->pfn ||
			       n->names[i]->bytes != a->bytes))
		i = (i + 1) & (n->size - 1);
	return &n->names[i];
}

static bool names_grow(struct address_namer *n)
{
	struct named_address **old = n->names;
	u32 old_size = n->size;

	n->size = old_size ? old_size * 2 : 256;
	n->names = calloc(n->size, sizeof(struct named_address *));
	if (!n->names) {
		n->names = old;
		n->size = old_size;
		return false;
	}
	for (u32 i = 0; i < old_size; i++) {
		if (old[i])
			*name_slot(n, old[i]) = old[i];
	}
	free(old);
	return true;
}

static const struct named_address *intern(struct address_namer *n, const struct named_address *a)
{
	struct named_address **slot;

	if (n->nr_names * 2 >= n->size && !names_grow(n))
		return NULL;
	slot = name_slot(n, a);
	if (!*slot) {
		*slot = malloc(sizeof(*a));
		if (!*slot)
			return NULL;
		**slot = *a;
		n->nr_names++;
	}
	return *slot;
}

/* ---- what it is ---- */

__attribute__((format(printf, 2, 3))) static void set_name(struct named_address *a, const char *fmt,
							   ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(a->name, sizeof(a->name), fmt, args);
	va_end(args);
}

/* Does @offset lie in the @size bytes at @base? Then *inside is where. */
static bool inside(const struct address_namer *n, u64 offset, const void *base, u64 size,
		   u64 *inside_at)
{
	u64 start = base ? arena_offset(&n->m->arena, base) : 0;

	if (!start || offset < start || offset >= start + size)
		return false;
	*inside_at = offset - start;
	return true;
}

/* Is there a structure of @size bytes at @p at all? */
static bool in_arena(const struct address_namer *n, const void *p, u64 size)
{
	u64 at = arena_offset(&n->m->arena, p);

	return at && at + size <= n->m->arena.used;
}

/* Names "OWNER->member" for the member at @at, if it is one of @fields. */
static bool name_field(struct named_address *a, const struct field *fields, size_t nr, u64 at,
		       const char *owner)
{
	for (size_t i = 0; i < nr; i++) {
		const struct field *f = &fields[i];

		if (at < f->offset || at >= f->offset + f->bytes)
			continue;
		a->kind = f->kind;
		a->format = f->format;
		a->bytes = f->each;
		/* Inside a lock it is the lock's own business where. */
		if (f->kind == ADDRESS_LOCK) {
			a->bytes = at == f->offset ? f->each : 0;
			set_name(a, "%s%s", owner, f->name);
		} else if (f->bytes != f->each && at >= f->offset + f->each) {
			set_name(a, "%s%s[%" PRIu64 "]", owner, f->name,
				 (at - f->offset) / f->each);
		} else {
			set_name(a, "%s%s", owner, f->name);
		}
		return true;
	}
	return false;
}
#define NAME_FIELD(a, fields, at, owner)                                                           \
	name_field((a), (fields), ARRAY_SIZE(fields), (at), (owner))

static PEEK bool name_cpu(const struct address_namer *n, u64 offset, struct named_address *a)
{
	const struct machine *m = n->m;
	char owner[32];
	u64 at;

	if (inside(n, offset, m->vcpus, m->nr_vcpus * sizeof(*m->vcpus), &at)) {
		u64 cpu = at / sizeof(struct vcpu);

		snprintf(owner, sizeof(owner), "CPU%" PRIu64 "->", cpu);
		return NAME_FIELD(a, vcpu_fields, at % sizeof(struct vcpu), owner);
	}
	if (!m->smp)
		return false;
	if (inside(n, offset, m->smp->csds, (u64)m->nr_vcpus * m->nr_vcpus * sizeof(*m->smp->csds),
		   &at)) {
		u64 nr = at / sizeof(struct call_single_data);

		a->kind = ADDRESS_REQUEST;
		a->format = VALUE_DECIMAL;
		a->bytes = at % sizeof(struct call_single_data) ==
					   offsetof(struct call_single_data, locked)
				   ? 4
				   : 0;
		set_name(a, "csd CPU%" PRIu64 " to CPU%" PRIu64, nr / m->nr_vcpus,
			 nr % m->nr_vcpus);
		return true;
	}
	if (inside(n, offset, m->smp->rqs, m->nr_vcpus * sizeof(*m->smp->rqs), &at)) {
		snprintf(owner, sizeof(owner), "rq%" PRIu64 "->", at / sizeof(struct rq));
		return NAME_FIELD(a, rq_fields, at % sizeof(struct rq), owner);
	}
	if (inside(n, offset, m->smp->idle_mask, CPU_WORDS * sizeof(u64), &at)) {
		a->kind = ADDRESS_CPU;
		a->bytes = sizeof(u64);
		set_name(a, "idle_mask");
		return true;
	}
	if (inside(n, offset, m->smp, sizeof(*m->smp), &at))
		return NAME_FIELD(a, smp_fields, at, "");
	return false;
}

static PEEK bool name_page(const struct address_namer *n, u64 offset, struct named_address *a)
{
	const struct machine *m = n->m;
	char owner[32];
	u64 at;

	if (m->mm && inside(n, offset, m->mm->pages, m->mm->nr_pages * sizeof(struct page), &at)) {
		a->pfn = at / sizeof(struct page);
		snprintf(owner, sizeof(owner), "page%" PRIu64 "->", a->pfn);
		return NAME_FIELD(a, page_fields, at % sizeof(struct page), owner);
	}
	if (!m->tlb || !inside(n, offset, m->tlb->mem.frames,
			       m->tlb->mem.nr_frames * sizeof(struct frame), &at))
		return false;
	a->pfn = at / sizeof(struct frame);
	at %= sizeof(struct frame);
	if (at >= offsetof(struct frame, data) && at < offsetof(struct frame, cached)) {
		a->kind = ADDRESS_DATA;
		a->bytes = sizeof(u64);
		set_name(a, "pfn %" PRIu64 " word %" PRIu64, a->pfn,
			 (at - offsetof(struct frame, data)) / sizeof(u64));
	} else {
		a->kind = ADDRESS_PAGE;
		set_name(a, "frame %" PRIu64, a->pfn);
	}
	return true;
}

/* ---- page tables ---- */

static const char *const level_names[] = {"pte", "pmd", "pud", "pgd"};

/* Looks for the table @t below the table @pfn of @level that maps from @va on. */
static PEEK bool find_below(const struct address_namer *n, struct known_table *t, u64 pfn,
			    u32 level, u64 va)
{
	const struct phys_memory *mem = &n->m->tlb->mem;
	const pteval_t *entries;

	if (pfn >= mem->nr_frames)
		return false;
	entries = mem->frames[pfn].table;
	if (pfn == t->pfn) {
		t->level = level;
		t->va = va;
		return true;
	}
	if (!entries || !level)
		return false;
	for (u64 i = 0; i < PTRS_PER_TABLE; i++) {
		pteval_t e = entries[i];

		if ((e & PTE_PRESENT) && !(e & PTE_PSE) &&
		    find_below(n, t, pte_pfn(e), level - 1,
			       va + (i << (PAGE_SHIFT + TABLE_BITS * level))))
			return true;
	}
	return false;
}

static PEEK void place_table(const struct address_namer *n, struct known_table *t)
{
	const struct mm_struct *mm;

	cds_list_for_each_entry(mm, &n->m->mm->mmlist, mmlist) {
		if (!in_arena(n, mm, sizeof(*mm)))
			return;
		/* ROOT: the page global directory is level 3 (tlbshoot/pte.h). */
		if (!find_below(n, t, mm->context.root, ARRAY_SIZE(level_names) - 1, 0))
			continue;
		t->placed = true;
		t->mm = mm->context.id;
		return;
	}
}

static PEEK bool is_current(const struct address_namer *n, const struct known_table *t)
{
	const struct frame *f = &n->m->tlb->mem.frames[t->pfn];

	return f->generation == t->generation && f->table == t->entries;
}

/* The table in which @offset lies, NULL if in none. */
static PEEK struct known_table *table_at(struct address_namer *n, u64 offset)
{
	const struct phys_memory *mem = &n->m->tlb->mem;
	struct known_table *free_one = NULL;
	u64 at;

	for (u32 i = 0; i < n->nr_tables; i++) {
		struct known_table *t = &n->tables[i];

		if (!is_current(n, t))
			free_one = t;
		else if (inside(n, offset, t->entries, PAGE_SIZE, &at))
			return t;
	}
	for (u64 pfn = 0; pfn < mem->nr_frames; pfn++) {
		const struct frame *f = &mem->frames[pfn];

		if (!f->table || !inside(n, offset, f->table, PAGE_SIZE, &at))
			continue;
		if (!free_one && n->nr_tables == n->tables_size) {
			u32 size = n->tables_size ? n->tables_size * 2 : 32;
			struct known_table *more = realloc(n->tables, size * sizeof(*more));

			if (!more)
				return NULL;
			n->tables = more;
			n->tables_size = size;
		}
		if (!free_one)
			free_one = &n->tables[n->nr_tables++];
		*free_one = (struct known_table){
			.entries = f->table, .pfn = pfn, .generation = f->generation};
		return free_one;
	}
	return NULL;
}

static bool name_table(struct address_namer *n, u64 offset, struct named_address *a)
{
	struct known_table *t = n->m->tlb && n->m->mm ? table_at(n, offset) : NULL;
	u64 index;

	if (!t || !inside(n, offset, t->entries, PAGE_SIZE, &index))
		return false;
	index /= sizeof(pteval_t);
	if (!t->placed)
		place_table(n, t);
	a->kind = ADDRESS_TABLE;
	a->format = VALUE_TABLE_ENTRY;
	a->bytes = sizeof(pteval_t);
	if (t->placed) {
		a->va = t->va + (index << (PAGE_SHIFT + TABLE_BITS * t->level));
		a->mm = t->mm;
		a->kind = t->level ? ADDRESS_UPPER : ADDRESS_TABLE;
		set_name(a, "%s %#" PRIx64 " mm%u", level_names[t->level], a->va, t->mm);
	} else {
		set_name(a, "page table pfn %" PRIu64 " entry %" PRIu64, t->pfn, index);
	}
	return true;
}

/* ---- objects that come and go ---- */

/* Without memory it is forgotten again: only the name suffers. */
static void remember(struct address_namer *n, const struct mm_struct *mm,
		     const struct vm_area_struct *vma)
{
	for (u32 i = 0; i < n->nr_objects; i++) {
		if (n->objects[i].mm == mm && n->objects[i].vma == vma)
			return;
	}
	if (n->nr_objects == n->objects_size) {
		u32 size = n->objects_size ? n->objects_size * 2 : 32;
		struct known_object *more = realloc(n->objects, size * sizeof(*more));

		if (!more)
			return;
		n->objects = more;
		n->objects_size = size;
	}
	n->objects[n->nr_objects++] = (struct known_object){mm, vma};
}

static PEEK bool name_vma(const struct address_namer *n, const struct vm_area_struct *vma,
			  u64 offset, struct named_address *a)
{
	char owner[32];
	u64 at;

	if (inside(n, offset, vma, sizeof(*vma), &at)) {
		snprintf(owner, sizeof(owner), "vma%u->", vma->id);
		return NAME_FIELD(a, vma_fields, at, owner);
	}
	if (!vma->anon_vma || !in_arena(n, vma->anon_vma, sizeof(struct anon_vma)) ||
	    !inside(n, offset, vma->anon_vma, sizeof(struct anon_vma), &at))
		return false;
	snprintf(owner, sizeof(owner), "anon_vma%u->", vma->anon_vma->id);
	return NAME_FIELD(a, anon_vma_fields, at, owner);
}

static PEEK bool name_mm(const struct address_namer *n, const struct mm_struct *mm, u64 offset,
			 struct named_address *a)
{
	char owner[32];
	u64 at;

	if (!inside(n, offset, mm, mm_block_size(n->m->nr_vcpus), &at))
		return false;
	a->mm = mm->context.id;
	if (at >= offsetof(struct mm_block, slots)) {
		a->kind = ADDRESS_LOCK;
		a->format = VALUE_DECIMAL;
		a->bytes = 4;
		set_name(a, "mm%u->mmap_sem.readers", a->mm);
		return true;
	}
	snprintf(owner, sizeof(owner), "mm%u->", a->mm);
	return NAME_FIELD(a, mm_fields, at, owner);
}

/* The mms that there are now, and their VMAs. */
static PEEK void remember_mms(struct address_namer *n)
{
	const struct mm_struct *mm;

	cds_list_for_each_entry(mm, &n->m->mm->mmlist, mmlist) {
		if (!in_arena(n, mm, sizeof(*mm)))
			return;
		remember(n, mm, NULL);
		if (mm->nr_vmas > mm->vmas_capacity ||
		    !in_arena(n, mm->vmas, mm->nr_vmas * sizeof(void *)))
			continue;
		for (u32 i = 0; i < mm->nr_vmas; i++) {
			if (in_arena(n, mm->vmas[i], sizeof(struct vm_area_struct)))
				remember(n, NULL, mm->vmas[i]);
		}
	}
}

static PEEK bool name_mms(struct address_namer *n, u64 offset, struct named_address *a)
{
	const struct mm_machine *mms = n->m->mm;
	u64 at;

	if (!mms)
		return false;
	if (inside(n, offset, mms, sizeof(*mms), &at))
		return NAME_FIELD(a, mm_machine_fields, at, "");
	/* Kernel threads that borrow nothing have it: of its counters nothing follows. */
	if (mms->init_mm && inside(n, offset, mms->init_mm, sizeof(*mms->init_mm), &at)) {
		bool named = NAME_FIELD(a, mm_fields, at, "init_mm->");

		a->kind = ADDRESS_COUNTER;
		return named;
	}
	remember_mms(n);
	for (u32 i = 0; i < n->nr_objects; i++) {
		const struct known_object *k = &n->objects[i];

		if (k->mm ? name_mm(n, k->mm, offset, a) : name_vma(n, k->vma, offset, a))
			return true;
	}
	return false;
}

/* What the threads of @t's group have in common. */
static PEEK bool name_group(const struct address_namer *n, const struct task_struct *t, u64 offset,
			    struct named_address *a)
{
	char owner[32];
	u64 at;

	snprintf(owner, sizeof(owner), "group%u->", t->tgid);
	if (t->signal && in_arena(n, t->signal, sizeof(*t->signal)) &&
	    inside(n, offset, t->signal, sizeof(*t->signal), &at))
		return NAME_FIELD(a, signal_fields, at, owner);
	if (t->sighand && in_arena(n, t->sighand, sizeof(*t->sighand)) &&
	    inside(n, offset, t->sighand, sizeof(*t->sighand), &at))
		return NAME_FIELD(a, sighand_fields, at, owner);
	return false;
}

static PEEK bool name_task(const struct address_namer *n, const struct task_struct *t, u64 offset,
			   struct named_address *a)
{
	char owner[2 * TASK_COMM_LEN];
	u32 len = 0;
	u64 at;

	if (!in_arena(n, t, sizeof(*t)))
		return false;
	if (!inside(n, offset, t, sizeof(*t), &at))
		return name_group(n, t, offset, a);
	while (len < TASK_COMM_LEN - 1 && t->comm[len]) {
		owner[len] = t->comm[len];
		len++;
	}
	snprintf(owner + len, sizeof(owner) - len, "-%u->", t->pid);
	return NAME_FIELD(a, task_fields, at, owner);
}

static PEEK bool name_tasks(const struct address_namer *n, u64 offset, struct named_address *a)
{
	const struct machine *m = n->m;
	const struct task_struct *t;

	if (!m->smp)
		return false;
	/* The running ones first: one that is dead or not yet known to all is on no list. */
	for (u32 i = 0; i < m->nr_vcpus; i++) {
		if (name_task(n, m->vcpus[i].current_task, offset, a) ||
		    name_task(n, m->smp->rqs[i].idle, offset, a))
			return true;
	}
	cds_list_for_each_entry(t, &m->smp->all_tasks, all_node) {
		if (!in_arena(n, t, sizeof(*t)))
			return false;
		if (name_task(n, t, offset, a))
			return true;
	}
	return false;
}

static PEEK bool name_file(const struct address_namer *n, u64 offset, struct named_address *a)
{
	char owner[32];
	u64 at;

	if (!n->m->mm || !n->m->mm->files)
		return false;
	for (const struct inode *i = n->m->mm->files->inodes; i; i = i->next) {
		snprintf(owner, sizeof(owner), "inode%u->", i->ino);
		if (inside(n, offset, i, sizeof(*i), &at))
			return NAME_FIELD(a, inode_fields, at, owner);
		if (inside(n, offset, i->mapping.pages, i->max_pages * sizeof(struct page *),
			   &at)) {
			a->kind = ADDRESS_FILE;
			a->format = VALUE_POINTER;
			a->bytes = sizeof(void *);
			set_name(a, "%spages[%" PRIu64 "]", owner, at / sizeof(void *));
			return true;
		}
	}
	return false;
}

/* A spinlock in a structure that nobody here knows: by its class. */
static PEEK bool name_lock(const struct address_namer *n, u64 offset, const struct site *site,
			   struct named_address *a)
{
	const spinlock_t *l = (const spinlock_t *)(n->m->arena.base + offset);

	if ((site->kind != ACCESS_LOCK && site->kind != ACCESS_UNLOCK) ||
	    l->class >= NR_LOCK_CLASSES)
		return false;
	a->kind = ADDRESS_LOCK;
	a->format = VALUE_DECIMAL;
	a->bytes = sizeof(l->locked);
	set_name(a, "%s", lock_class_names[l->class]);
	return true;
}

const struct named_address *address_name(struct address_namer *n, u64 offset,
					 const struct site *site)
{
	struct named_address a = {.pfn = ~0ULL, .va = ~0ULL};

	if (!name_page(n, offset, &a) && !name_cpu(n, offset, &a) && !name_table(n, offset, &a) &&
	    !name_mms(n, offset, &a) && !name_tasks(n, offset, &a) && !name_file(n, offset, &a) &&
	    !name_lock(n, offset, site, &a)) {
		a.kind = ADDRESS_UNKNOWN;
		a.bytes = 0;
		set_name(&a, "0x%" PRIx64, offset);
	}
	return intern(n, &a);
}

PEEK u64 address_value(const struct address_namer *n, const struct named_address *a, u64 offset)
{
	const char *p = n->m->arena.base + offset;

	switch (a->bytes) {
	case 1:
		return *(const u8 *)p;
	case 2:
		return *(const u16 *)p;
	case 4:
		return *(const u32 *)p;
	case 8:
		return *(const u64 *)p;
	default:
		return 0;
	}
}

static void entry_text(pteval_t e, char *buf, size_t size)
{
	if (!e)
		snprintf(buf, size, "none");
	else
		snprintf(buf, size, "pfn %" PRIu64 "%s%s%s%s", pte_pfn(e),
			 e & PTE_PRESENT ? "" : " not present", e & PTE_RW ? " rw" : " ro",
			 e & PTE_DIRTY ? " dirty" : "", e & PTE_ACCESSED ? "" : " old");
}

const char *address_value_text(const struct named_address *a, u64 value, char *buf, size_t size)
{
	switch (a->format) {
	case VALUE_TABLE_ENTRY:
		entry_text(value, buf, size);
		return buf;
	case VALUE_PAGE_FLAGS:
		return page_flags_text((u32)value, buf, size);
	case VALUE_POINTER:
		return value ? "set" : "NULL";
	case VALUE_DECIMAL:
		snprintf(buf, size, "%" PRId64, a->bytes == 4 ? (s64)(s32)value : (s64)value);
		return buf;
	default:
		snprintf(buf, size, "%#" PRIx64, value);
		return buf;
	}
}

const char *address_flags_change(u64 before, u64 after, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (u64 left = before ^ after; left && len < size; left &= left - 1) {
		u32 flag = (u32)(left & -left);
		char name[32];
		int n = snprintf(buf + len, size - len, "%s%c%s", len ? " " : "",
				 after & flag ? '+' : '-',
				 page_flags_text(flag, name, sizeof(name)));

		len += n > 0 ? (size_t)n : 0;
	}
	return buf;
}

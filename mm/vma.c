// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/vma.h"

#include <errno.h>
#include <string.h>

#include "mm/coredump.h"
#include "mm/device.h"
#include "mm/file.h"
#include "mm/knobs.h"
#include "mm/mm_machine.h"
#include "mm/rmap.h"
#include "smp/fail_alloc.h"
#include "smp/mutex.h"

EVENT_DESC(ev_split, 348, 0, "split_vma", "VMA %llu at %#llx");
EVENT_DESC(ev_merge, 349, 0, "vma_merge", "VMA %llu takes in VMA %llu");
EVENT_DESC(ev_expand, 350, 0, "expand_stack", "VMA %llu down to %#llx");

INVARIANT(inv_overlap, "vma-overlap", "no two VMAs of an mm have an address in common");
INVARIANT(inv_linked, "vma-freed-linked", "a VMA that is freed is on no anon_vma's list");

static const u32 array_sizes[VMA_ARRAY_SIZES] = {128, 1024, 8192, 65536};
static const char *const array_names[VMA_ARRAY_SIZES] = {"vma_array-128", "vma_array-1k",
							 "vma_array-8k", "vma_array-64k"};
_Static_assert(MAX_MAP_COUNT <= 65536, "the largest array has room for all VMAs");

int vma_setup(struct machine *m)
{
	struct mm_machine *mm = m->mm;

	spin_lock_init(&mm->commit_lock, LOCK_CLASS_vmcommit_lock);
	mm->committed_pages = 0;
	if (!mm->vma_cache)
		mm->vma_cache = kmem_cache_create(m, "vm_area_struct",
						  sizeof(struct vm_area_struct), CACHE_LINE);
	if (!mm->vma_cache)
		return -ENOMEM;
	for (u32 i = 0; i < VMA_ARRAY_SIZES; i++) {
		mm->vma_arrays[i] = kmem_cache_create(
			m, array_names[i], array_sizes[i] * (u32)sizeof(struct vm_area_struct *),
			CACHE_LINE);
		if (!mm->vma_arrays[i])
			return -ENOMEM;
	}
	return device_setup(m);
}

/* --- The array -------------------------------------------------------------------------------- */

void vma_array_init(struct mm_struct *mm)
{
	mm->vmas = mm->vmas_inline;
	mm->vmas_capacity = VMA_INLINE;
	mm->nr_vmas = 0;
}

static u32 array_class(u32 capacity)
{
	u32 i = 0;

	while (array_sizes[i] != capacity)
		i++;
	return i;
}

void vma_array_free(struct mm_struct *mm)
{
	if (mm->vmas != mm->vmas_inline)
		kmem_cache_free(this_mm()->vma_arrays[array_class(mm->vmas_capacity)], mm->vmas);
	vma_array_init(mm);
}

/* Makes room for one more. */
static int array_reserve(struct mm_struct *mm)
{
	u32 class, nr = mm->nr_vmas;
	struct vm_area_struct **bigger;

	if (nr >= MAX_MAP_COUNT)
		return -ENOMEM;
	if (likely(nr < mm->vmas_capacity))
		return 0;
	class = nr == VMA_INLINE ? 0 : array_class(nr) + 1;
	bigger = kmem_cache_alloc_at(this_mm()->vma_arrays[class], ALLOC_SITE_vma_array);
	if (!bigger)
		return -ENOMEM;
	memcpy(bigger, mm->vmas, nr * sizeof(*bigger));
	vma_array_free(mm);
	mm->vmas = bigger;
	mm->vmas_capacity = array_sizes[class];
	mm->nr_vmas = nr;
	return 0;
}

/* There is room. */
static void array_insert(struct mm_struct *mm, u32 at, struct vm_area_struct *vma)
{
	check_vmas_may_change(mm);
	memmove(&mm->vmas[at + 1], &mm->vmas[at], (mm->nr_vmas - at) * sizeof(*mm->vmas));
	mm->vmas[at] = vma;
	mm->nr_vmas++;
}

static void array_remove(struct mm_struct *mm, u32 at)
{
	mm->nr_vmas--;
	memmove(&mm->vmas[at], &mm->vmas[at + 1], (mm->nr_vmas - at) * sizeof(*mm->vmas));
}

u32 find_vma_index(const struct mm_struct *mm, u64 addr)
{
	u32 low = 0, n = mm->nr_vmas;

	while (n) {
		u32 half = n / 2;

		if (mm->vmas[low + half]->vm_end <= addr) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

struct vm_area_struct *find_vma(const struct mm_struct *mm, u64 addr)
{
	u32 i = find_vma_index(mm, addr);

	return i < mm->nr_vmas ? mm->vmas[i] : NULL;
}

struct vm_area_struct *vma_lookup(const struct mm_struct *mm, u64 addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	return vma && vma->vm_start <= addr ? vma : NULL;
}

u64 get_unmapped_area(const struct mm_struct *mm, u64 len, u64 align)
{
	u64 addr = round_up_to(max(mm->mmap_base, MMAP_MIN_ADDR), align);

	if (!len || len > TASK_SIZE)
		return 0;
	for (u32 i = find_vma_index(mm, addr); i < mm->nr_vmas; i++) {
		const struct vm_area_struct *vma = mm->vmas[i];
		u64 gap = vma->vm_flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0;

		if (addr + len + gap <= vma->vm_start)
			return addr;
		addr = round_up_to(max(addr, vma->vm_end), align);
	}
	return addr <= TASK_SIZE - len ? addr : 0;
}

/* --- VMAs that come and go -------------------------------------------------------------------- */

static struct vm_area_struct *vma_new(struct mm_struct *mm, u64 start, u64 end, u32 flags,
				      struct file *file, u64 pgoff)
{
	struct vm_area_struct *vma = kmem_cache_alloc_at(this_mm()->vma_cache, ALLOC_SITE_vma);
	struct vcpu *v = this_vcpu();

	if (!vma)
		return NULL;
	vma->vm_start = start;
	vma->vm_end = end;
	vma->vm_mm = mm;
	vma->vm_flags = flags;
	init_once(vma->oracle_tables_freed, 0);
	init_once(vma->oracle_moving, 0);
	/* Unique, and no line that all vCPUs write. */
	vma->id = ++v->mm->vmas_made * v->machine->nr_vcpus + v->id;
	vma->vm_file = file;
	vma->vm_pgoff = pgoff;
	vma->anon_vma = NULL;
	vma->vm_private = NULL;
	CDS_INIT_LIST_HEAD(&vma->anon_vma_chain);
	CDS_INIT_LIST_HEAD(&vma->shared);
	if (file)
		get_file(file);
	return vma;
}

struct vm_area_struct *vma_alloc(struct mm_struct *mm, u64 start, u64 end, u32 flags,
				 struct file *file, u64 pgoff)
{
	BUG_ON(start >= end || (start | end) & ~PAGE_MASK || end > TASK_SIZE,
	       "a VMA of [%#llx, %#llx) is not a range of user pages", (unsigned long long)start,
	       (unsigned long long)end);
	return vma_new(mm, start, end, flags, file, file ? pgoff : start >> PAGE_SHIFT);
}

/* Another VMA with the same backing: vm_ops->open. */
static struct vm_area_struct *vma_copy(struct mm_struct *mm, const struct vm_area_struct *vma,
				       u32 flags)
{
	struct vm_area_struct *new =
		vma_new(mm, vma->vm_start, vma->vm_end, flags, vma->vm_file, vma->vm_pgoff);

	if (new && vma->vm_private) {
		new->vm_private = vma->vm_private;
		device_map_open(new->vm_private);
	}
	return new;
}

struct vm_area_struct *vma_dup(struct mm_struct *mm, const struct vm_area_struct *vma)
{
	return vma_copy(mm, vma, vma->vm_flags & ~VM_LOCKED);
}

void remove_vma(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;

	might_sleep();
	if (unlikely(planted(KNOB_RMAP_UNLINKED_LATE)))
		unlink_anon_vmas(vma);
	if (unlikely(!cds_list_empty(&vma->anon_vma_chain)))
		VIOLATION(&inv_linked, "VMA %u [%#llx, %#llx) of mm %u still has anon_vma_chains",
			  vma->id, (unsigned long long)vma->vm_start,
			  (unsigned long long)vma->vm_end, vma->vm_mm->context.id);
	if (vma->vm_private)
		device_map_close(vma->vm_private);
	kmem_cache_free(this_mm()->vma_cache, vma);
	if (file)
		fput(file);
}

int insert_vma(struct mm_struct *mm, struct vm_area_struct *vma)
{
	u32 at = find_vma_index(mm, vma->vm_start);

	if (unlikely(at < mm->nr_vmas && mm->vmas[at]->vm_start < vma->vm_end))
		VIOLATION(&inv_overlap,
			  "mm %u: VMA %u [%#llx, %#llx) would overlap VMA %u [%#llx, %#llx)",
			  mm->context.id, vma->id, (unsigned long long)vma->vm_start,
			  (unsigned long long)vma->vm_end, mm->vmas[at]->id,
			  (unsigned long long)mm->vmas[at]->vm_start,
			  (unsigned long long)mm->vmas[at]->vm_end);
	if (array_reserve(mm))
		return -ENOMEM;
	array_insert(mm, at, vma);
	mm->total_vm += vma_pages(vma);
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm += vma_pages(vma);
	if (vma->vm_file)
		vma_link_file(vma);
	if (vma->vm_flags & VM_PFNMAP)
		track_pfn(vma);
	return 0;
}

static void leaves_array(struct mm_struct *mm, const struct vm_area_struct *vma)
{
	check_vmas_may_change(mm);
	mm->total_vm -= vma_pages(vma);
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm -= vma_pages(vma);
}

void detach_vma(struct mm_struct *mm, struct vm_area_struct *vma)
{
	leaves_array(mm, vma);
	array_remove(mm, find_vma_index(mm, vma->vm_start));
}

static void reverse(struct vm_area_struct **a, u32 nr)
{
	for (u32 i = 0; i < nr / 2; i++) {
		struct vm_area_struct *vma = a[i];

		a[i] = a[nr - 1 - i];
		a[nr - 1 - i] = vma;
	}
}

/* They go behind those that stay: nothing has to be allocated, so an unmap can't fail here. */
struct vm_area_struct **detach_vmas(struct mm_struct *mm, u32 first, u32 nr)
{
	u32 behind = mm->nr_vmas - first - nr;

	for (u32 i = first; i < first + nr; i++)
		leaves_array(mm, mm->vmas[i]);
	if (behind) {
		reverse(&mm->vmas[first], nr);
		reverse(&mm->vmas[first + nr], behind);
		reverse(&mm->vmas[first], nr + behind);
	}
	mm->nr_vmas -= nr;
	return &mm->vmas[mm->nr_vmas];
}

/* --- Changing bounds -------------------------------------------------------------------------- */

/* Keeps out reverse mapping, which finds a VMA by its file or its anon_vmas and reads its fields.
 */
static void rmap_lock(const struct vm_area_struct *vma)
{
	if (vma->vm_file)
		mutex_lock(&vma->vm_file->inode->mapping.i_mmap_mutex);
	if (vma->anon_vma)
		down_write(&vma->anon_vma->root->rwsem);
}

static void rmap_unlock(const struct vm_area_struct *vma)
{
	if (vma->anon_vma)
		up_write(&vma->anon_vma->root->rwsem);
	if (vma->vm_file)
		mutex_unlock(&vma->vm_file->inode->mapping.i_mmap_mutex);
}

void vma_set_flags(struct vm_area_struct *vma, u32 flags)
{
	check_vmas_may_change(vma->vm_mm);
	rmap_lock(vma);
	vma->vm_flags = flags;
	rmap_unlock(vma);
}

void vma_set_bounds(struct vm_area_struct *vma, u64 start, u64 end)
{
	struct mm_struct *mm = vma->vm_mm;

	check_vmas_may_change(mm);
	mm->total_vm -= vma_pages(vma);
	rmap_lock(vma);
	vma->vm_start = start;
	vma->vm_end = end;
	rmap_unlock(vma);
	mm->total_vm += vma_pages(vma);
}

/* The halves of a VMA in one step for the walkers: under rmap_lock. */
static void divide(struct vm_area_struct *vma, struct vm_area_struct *new, u64 addr)
{
	new->vm_start = addr;
	new->vm_end = vma->vm_end;
	new->vm_pgoff = linear_page_index(vma, addr);
	vma->vm_end = addr;
	if (vma->vm_file) {
		struct address_space *mapping = &vma->vm_file->inode->mapping;

		cds_list_add_tail(&new->shared, &mapping->i_mmap);
		mapping->nr_mappings++;
	}
}

int split_vma(struct mm_struct *mm, struct vm_area_struct *vma, u64 addr)
{
	struct vm_area_struct *new;

	BUG_ON(addr <= vma->vm_start || addr >= vma->vm_end || addr & ~PAGE_MASK,
	       "mm %u: VMA %u [%#llx, %#llx) can't be split at %#llx", mm->context.id, vma->id,
	       (unsigned long long)vma->vm_start, (unsigned long long)vma->vm_end,
	       (unsigned long long)addr);
	if (array_reserve(mm))
		return -ENOMEM;
	new = vma_copy(mm, vma, vma->vm_flags);
	if (!new)
		return -ENOMEM;
	/* It joins the anon_vmas with nothing in it, so that no walk finds a page twice. */
	new->vm_end = new->vm_start;
	if (vma->anon_vma && anon_vma_clone(new, vma)) {
		remove_vma(new);
		return -ENOMEM;
	}
	new->anon_vma = vma->anon_vma;
	event_record(&ev_split, vma->id, addr);
	rmap_lock(vma);
	divide(vma, new, addr);
	rmap_unlock(vma);
	array_insert(mm, find_vma_index(mm, vma->vm_start) + 1, new);
	return 0;
}

/* v3.14 is_mergeable_anon_vma: a VMA that fork has given several anon_vmas is left alone. */
static bool anon_vmas_mergeable(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	const struct vm_area_struct *has = a->anon_vma ? a : b;

	if (a->anon_vma && b->anon_vma)
		return a->anon_vma == b->anon_vma;
	return !has->anon_vma ||
	       has->anon_vma_chain.next == has->anon_vma_chain.prev; /* one chain */
}

static bool mergeable(const struct vm_area_struct *lower, const struct vm_area_struct *upper)
{
	return lower->vm_end == upper->vm_start && lower->vm_flags == upper->vm_flags &&
	       !(lower->vm_flags & VM_PFNMAP) && lower->vm_file == upper->vm_file &&
	       linear_page_index(lower, lower->vm_end) == upper->vm_pgoff &&
	       anon_vmas_mergeable(lower, upper);
}

/* mm->vmas[at] and the next one become one. The one that has an anon_vma stays: its pages' reverse
 * mapping goes on as it is. */
static struct vm_area_struct *merge_at(struct mm_struct *mm, u32 at)
{
	struct vm_area_struct *lower = mm->vmas[at], *upper = mm->vmas[at + 1];
	bool keep_upper = !lower->anon_vma && upper->anon_vma;
	struct vm_area_struct *keep = keep_upper ? upper : lower;
	struct vm_area_struct *gone = keep_upper ? lower : upper;

	check_vmas_may_change(mm);
	event_record(&ev_merge, keep->id, gone->id);
	rmap_lock(keep);
	if (keep_upper) {
		keep->vm_start = gone->vm_start;
		keep->vm_pgoff = gone->vm_pgoff;
	} else {
		keep->vm_end = gone->vm_end;
	}
	gone->vm_end = gone->vm_start;
	if (gone->vm_file) {
		cds_list_del(&gone->shared);
		gone->vm_file->inode->mapping.nr_mappings--;
	}
	rmap_unlock(keep);
	mm->vmas[at] = keep;
	array_remove(mm, at + 1);
	unlink_anon_vmas(gone);
	remove_vma(gone);
	return keep;
}

struct vm_area_struct *vma_merge_neighbours(struct mm_struct *mm, struct vm_area_struct *vma)
{
	u32 at = find_vma_index(mm, vma->vm_start);

	if (at && mergeable(mm->vmas[at - 1], vma))
		vma = merge_at(mm, --at);
	if (at + 1 < mm->nr_vmas && mergeable(vma, mm->vmas[at + 1]))
		vma = merge_at(mm, at);
	return vma;
}

int expand_stack(struct vm_area_struct *vma, u64 addr)
{
	struct mm_struct *mm = vma->vm_mm;
	u32 at = find_vma_index(mm, vma->vm_start);
	u64 floor = MMAP_MIN_ADDR, pages;

	addr &= PAGE_MASK;
	if (addr >= vma->vm_start)
		return 0;
	if (at) {
		const struct vm_area_struct *below = mm->vmas[at - 1];

		floor = below->vm_end;
		if (!(below->vm_flags & VM_GROWSDOWN) &&
		    below->vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
			floor += STACK_GUARD_GAP;
	}
	if (addr < floor || vma->vm_end - addr > STACK_LIMIT)
		return -ENOMEM;
	pages = (vma->vm_start - addr) >> PAGE_SHIFT;
	if (vma->vm_flags & VM_ACCOUNT && security_vm_enough_memory(mm, pages))
		return -ENOMEM;
	check_vmas_may_change(mm);
	event_record(&ev_expand, vma->id, addr);
	rmap_lock(vma);
	vma->vm_start = addr;
	vma->vm_pgoff -= pages;
	rmap_unlock(vma);
	mm->total_vm += pages;
	if (vma->vm_flags & VM_LOCKED)
		mm->locked_vm += pages;
	return 0;
}

/* --- Committed memory ------------------------------------------------------------------------- */

void vm_acct_memory(u64 pages)
{
	struct mm_machine *machine = this_mm();

	spin_lock(&machine->commit_lock);
	machine->committed_pages += (s64)pages;
	spin_unlock(&machine->commit_lock);
}

/* OVERCOMMIT_GUESS as it is since v5.2 (8c7829b04c52, mm/util.c): a single request for more
 * than the machine has is refused, and nothing else. */
int security_vm_enough_memory(struct mm_struct *mm, u64 pages)
{
	struct mm_machine *machine = this_mm();

	(void)mm;
	if (pages > machine->nr_pages || should_fail_alloc(ALLOC_SITE_commit))
		return -ENOMEM;
	vm_acct_memory(pages);
	return 0;
}

void vm_unacct_memory(u64 pages)
{
	struct mm_machine *machine = this_mm();

	if (!pages)
		return;
	spin_lock(&machine->commit_lock);
	machine->committed_pages -= (s64)pages;
	spin_unlock(&machine->commit_lock);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "mm/aio.h"

#include <errno.h>

#include "mm/knobs.h"
#include "mm/memory.h"
#include "mm/mm.h"
#include "mm/mm_machine.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/syscalls.h"
#include "mm/vma.h"
#include "smp/fail_alloc.h"
#include "smp/sched.h"
#include "smp/vmstat.h"
#include "smp/wait.h"

EVENT_DESC(ev_submit, 317, 0, "io_submit", "for %#llx, pfn %llu");
EVENT_DESC(ev_complete, 318, EVENT_SYNC, "aio_complete", "for %#llx of mm%llu");
EVENT_DESC(ev_exit_aio, 319, 0, "exit_aio", "mm%llu, %llu requests under way");

INVARIANT(inv_page_freed, "aio-page-freed",
	  "a page stays as long as a request for it is under way, mapped or not");
INVARIANT(inv_after_exit, "aio-after-exit",
	  "an address space is taken apart when none of its requests is under way any more");
INVARIANT(inv_leak, "aio-leak", "contexts and requests go before the last task does");

/* Of one mm, from its first request to exit_aio(). */
struct kioctx {
	u32 users;		/* requests, and one for the mm; atomic */
	struct completion idle; /* completed when users reaches zero */
};

struct aio_request {
	struct mm_struct *mm; /* without a reference */
	struct kioctx *ctx;
	u64 addr;
	struct page *page; /* with a reference */
	u32 generation;	   /* of its frame when it was pinned */
};

int aio_setup(struct machine *m)
{
	struct mm_machine *mm = m->mm;

	mm->ioctx_cache = kmem_cache_create(m, "kioctx", sizeof(struct kioctx), sizeof(void *));
	mm->aio_cache =
		kmem_cache_create(m, "aio_request", sizeof(struct aio_request), sizeof(void *));
	return mm->ioctx_cache && mm->aio_cache ? 0 : -ENOMEM;
}

void aio_audit_leaks(struct machine *m)
{
	s64 contexts = kmem_cache_in_use(m->mm->ioctx_cache);
	s64 requests = kmem_cache_in_use(m->mm->aio_cache);

	if (contexts || requests)
		VIOLATION(&inv_leak, "%lld contexts and %lld requests are left",
			  (long long)contexts, (long long)requests);
}

/* The mm's context; the first request makes it. NULL without memory. */
static struct kioctx *lookup_ioctx(struct mm_struct *mm)
{
	struct kioctx *ctx = smp_load_acquire(&mm->ioctx), *other;

	if (ctx)
		return ctx;
	ctx = kmem_cache_alloc_at(this_mm()->ioctx_cache, ALLOC_SITE_kioctx);
	if (!ctx)
		return NULL;
	init_once(ctx->users, 1);
	init_completion(&ctx->idle);
	other = cmpxchg(&mm->ioctx, NULL, ctx);
	if (!other)
		return ctx;
	/* Another thread was first. */
	kmem_cache_free(this_mm()->ioctx_cache, ctx);
	return other;
}

/* The page that is mapped at @addr, pinned (v3.14 get_user_pages for reading, of one page). */
static struct page *pin_user_page(struct mm_struct *mm, u64 addr)
{
	struct page *page = NULL;
	struct vm_area_struct *vma;
	spinlock_t *ptl;
	pteval_t *pte, entry;

	down_read(&mm->mmap_sem);
	vma = vma_lookup(mm, addr);
	pte = vma ? pte_find_lock(mm, addr, &ptl) : NULL;
	if (pte) {
		entry = READ_ONCE(*pte);
		/* Neither the zero page nor a driver's frame: those have no references. */
		if (pte_present(entry))
			page = vm_normal_page(vma, addr, entry);
		if (page && likely(!planted(KNOB_AIO_NOT_PINNED)))
			get_page(page);
		spin_unlock(ptl);
	}
	up_read(&mm->mmap_sem);
	return page;
}

static void unpin(struct page *page)
{
	if (likely(!planted(KNOB_AIO_NOT_PINNED)))
		put_page(page);
}

static void check_not_exited(const struct mm_struct *mm)
{
	mm_check_alive(mm, "aio");
	if (unlikely(oracle_read(mm->oracle_torn_down)))
		VIOLATION(&inv_after_exit, "a request of mm%u is under way while it is torn down",
			  mm->context.id);
}

/* The transfer: the device knows the frame, not who has mapped it. */
static void device_reads(const struct aio_request *r)
{
	(void)READ_ONCE(*frame_word(page_frame(r->page), r->addr));
	if (unlikely(frame_generation(page_frame(r->page)) != r->generation))
		VIOLATION(&inv_page_freed, "pfn %llu has been freed before its request was done",
			  (unsigned long long)page_to_pfn(r->page));
}

/* Last thing: the context, and with it the mm, may be gone after it. */
static void put_ioctx(struct kioctx *ctx)
{
	if (!atomic_dec_and_test(&ctx->users))
		return;
	if (likely(!planted(KNOB_AIO_EXIT_NO_WAIT)))
		complete(&ctx->idle);
	else
		kmem_cache_free(this_mm()->ioctx_cache, ctx);
}

/* The kernel thread of one request. */
static void aio_worker(void *arg)
{
	struct aio_request *r = arg;
	struct mm_struct *mm = r->mm;
	struct kioctx *ctx = r->ctx;
	u64 value;

	check_not_exited(mm);
	use_mm(mm);
	/* It may have been unmapped since: a refused access is no surprise. */
	(void)user_read(r->addr, &value);
	unuse_mm(mm);
	device_reads(r);
	unpin(r->page);
	check_not_exited(mm);
	event_record(&ev_complete, r->addr, mm->context.id);
	count_vm_event(VMSTAT_aio_complete);
	kmem_cache_free(this_mm()->aio_cache, r);
	put_ioctx(ctx);
	sys_exit(0);
}

static int start_request(struct kioctx *ctx, u64 addr, struct page *page)
{
	struct task_struct *t = current, *worker;
	struct aio_request *r = kmem_cache_alloc_at(this_mm()->aio_cache, ALLOC_SITE_aio);

	if (!r)
		return -EAGAIN;
	*r = (struct aio_request){
		.mm = t->mm,
		.ctx = ctx,
		.addr = addr,
		.page = page,
		.generation = frame_generation(page_frame(page)),
	};
	worker = task_create(t->machine, "aio", PF_KTHREAD,
			     sched_pick_cpu(t->machine, t->cpus_allowed), aio_worker, r);
	if (!worker) {
		kmem_cache_free(this_mm()->aio_cache, r);
		return -EAGAIN;
	}
	worker->cpus_allowed = t->cpus_allowed;
	/* The caller's use of the mm keeps the context's own count meanwhile. */
	atomic_inc(&ctx->users);
	event_record(&ev_submit, addr, page_to_pfn(page));
	count_vm_event(VMSTAT_aio_submit);
	wake_up_new_task(worker);
	return 0;
}

int sys_io_submit(u64 addr)
{
	struct mm_struct *mm = current->mm;
	struct kioctx *ctx;
	struct page *page;
	int err = -ENOMEM; /* v3.14 io_setup() */

	current->in_syscall = "io_submit";
	ctx = lookup_ioctx(mm);
	if (ctx) {
		page = pin_user_page(mm, addr);
		err = page ? start_request(ctx, addr, page) : -EFAULT;
		if (err && page)
			unpin(page);
	}
	current->in_syscall = NULL;
	return err;
}

void exit_aio(struct mm_struct *mm)
{
	struct kioctx *ctx = READ_ONCE(mm->ioctx);

	if (likely(!ctx))
		return;
	event_record(&ev_exit_aio, mm->context.id, oracle_read(ctx->users) - 1);
	if (planted(KNOB_AIO_EXIT_NO_WAIT)) {
		/* The last request frees it. */
		put_ioctx(ctx);
		return;
	}
	if (!atomic_dec_and_test(&ctx->users)) {
		count_vm_event(VMSTAT_aio_exit_waits);
		wait_for_completion(&ctx->idle);
	}
	mm->ioctx = NULL;
	kmem_cache_free(this_mm()->ioctx_cache, ctx);
}

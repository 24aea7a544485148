// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "engine/fiber.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#ifdef __SANITIZE_ADDRESS__
#include <pthread.h>
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old,
				     size_t *size_old);
void __asan_unpoison_memory_region(const volatile void *addr, size_t size);
#endif

#ifdef __SANITIZE_THREAD__
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
/* From <sanitizer/tsan_interface.h>: the switch orders nothing between the two fibers. */
#define TSAN_SWITCH_TO_FIBER_NO_SYNC 1
#else
#define TSAN_SWITCH_TO_FIBER_NO_SYNC 0
#endif

/* Boost.Context 1.74, C linkage (boost/context/detail/fcontext.hpp). */
typedef struct {
	void *fctx;
	void *data;
} transfer_t;
extern transfer_t jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *sp, size_t size, void (*fn)(transfer_t));

struct fiber_stack_pool {
	pthread_mutex_t lock; /* guards free */
	size_t stack_size;
	void *free; /* singly linked through link_of() each stack */
};

struct fiber_stack_pool *fiber_stack_pool_create(size_t stack_size)
{
	struct fiber_stack_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pool->stack_size = round_up_to(stack_size, (u64)sysconf(_SC_PAGESIZE));
	return pool;
}

/* The word at the top: its page has been used, and will be used first again. */
static void **link_of(const struct fiber_stack_pool *pool, void *stack)
{
	return (void **)((char *)stack + pool->stack_size) - 1;
}

static void stack_unmap(void *stack, size_t size)
{
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);

	munmap((char *)stack - guard, size + guard);
}

void fiber_stack_pool_destroy(struct fiber_stack_pool *pool)
{
	if (!pool)
		return;
	while (pool->free) {
		void *stack = pool->free;

		pool->free = *link_of(pool, stack);
		stack_unmap(stack, pool->stack_size);
	}
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static void *stack_get(struct fiber_stack_pool *pool)
{
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);
	void *stack;
	char *area;

	pthread_mutex_lock(&pool->lock);
	stack = pool->free;
	if (stack)
		pool->free = *link_of(pool, stack);
	pthread_mutex_unlock(&pool->lock);
	if (stack)
		return stack;

	area = mmap(NULL, pool->stack_size + guard, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (area == MAP_FAILED)
		return NULL;
	if (mprotect(area, guard, PROT_NONE)) {
		munmap(area, pool->stack_size + guard);
		return NULL;
	}
	return area + guard;
}

static void stack_put(struct fiber_stack_pool *pool, void *stack)
{
	pthread_mutex_lock(&pool->lock);
	*link_of(pool, stack) = pool->free;
	pool->free = stack;
	pthread_mutex_unlock(&pool->lock);
}

/* The new fiber has the processor: tell the sanitizers, and keep where the old one stands. */
static inline void switch_arrived(struct fiber *self, transfer_t t)
{
	struct fiber *from = t.data;

#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(self->asan_stack, NULL, NULL);
#endif
	self->sp = NULL;
	from->sp = t.fctx;
}

static void fiber_main(transfer_t t)
{
	/* make_fcontext cannot carry an argument: the one who switches leaves it in from->arg. */
	struct fiber *from = t.data;
	struct fiber *self = from->arg;

	switch_arrived(self, t);
	self->entry(self->arg);
	abort(); /* an entry function must not return */
}

/*
 * While a fiber is switched out its own arg is free to name the fiber it switched to: entry()
 * received it long ago. A fiber that has not started yet never is a "from".
 */
static inline void jump(struct fiber *from, struct fiber *to, unsigned tsan_flags)
{
	transfer_t t;

	from->arg = to;
#ifdef __SANITIZE_THREAD__
	__tsan_switch_to_fiber(to->tsan, tsan_flags);
#else
	(void)tsan_flags;
#endif
	t = jump_fcontext(to->sp, from);
	switch_arrived(from, t);
}

void fiber_switch(struct fiber *from, struct fiber *to)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(&from->asan_stack, to->stack, to->stack_size);
#endif
	jump(from, to, 0);
}

void fiber_switch_vcpu(struct fiber *from, struct fiber *to)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(&from->asan_stack, to->stack, to->stack_size);
#endif
	jump(from, to, TSAN_SWITCH_TO_FIBER_NO_SYNC);
}

void fiber_switch_vcpu_final(struct fiber *from, struct fiber *to)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(NULL, to->stack, to->stack_size);
#endif
	jump(from, to, TSAN_SWITCH_TO_FIBER_NO_SYNC);
}

void fiber_switch_final(struct fiber *from, struct fiber *to)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(NULL, to->stack, to->stack_size);
#endif
	jump(from, to, 0);
}

void fiber_restart(struct fiber *f, void (*entry)(void *), void *arg)
{
#ifdef __SANITIZE_ADDRESS__
	/* An abandoned stack is full of redzones of frames that no longer exist. */
	__asan_unpoison_memory_region(f->stack, f->stack_size);
#endif
#ifdef __SANITIZE_THREAD__
	/* A new one: it remembers the frames that the old one stood in. */
	if (f->tsan)
		__tsan_destroy_fiber(f->tsan);
	f->tsan = __tsan_create_fiber(0);
#endif
	f->entry = entry;
	f->arg = arg;
	f->asan_stack = NULL;
	f->sp = make_fcontext((char *)f->stack + f->stack_size, f->stack_size, fiber_main);
}

int fiber_create(struct fiber *f, struct fiber_stack_pool *pool, void (*entry)(void *), void *arg)
{
	*f = (struct fiber){.stack_size = pool->stack_size};
	f->stack = stack_get(pool);
	if (!f->stack)
		return -ENOMEM;
	f->valgrind_id = VALGRIND_STACK_REGISTER(f->stack, (char *)f->stack + f->stack_size);
	fiber_restart(f, entry, arg);
	return 0;
}

void fiber_release(struct fiber *f, struct fiber_stack_pool *pool)
{
	if (!f->stack || f->on_host_stack)
		return;
#ifdef __SANITIZE_THREAD__
	__tsan_destroy_fiber(f->tsan);
	f->tsan = NULL;
#endif
	VALGRIND_STACK_DEREGISTER(f->valgrind_id);
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(f->stack, f->stack_size);
#endif
	stack_put(pool, f->stack);
	f->stack = NULL;
	f->sp = NULL;
}

void fiber_init_host(struct fiber *f)
{
	*f = (struct fiber){.on_host_stack = true};
#ifdef __SANITIZE_ADDRESS__
	pthread_attr_t attr;

	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &f->stack, &f->stack_size);
		pthread_attr_destroy(&attr);
	}
#endif
#ifdef __SANITIZE_THREAD__
	f->tsan = __tsan_get_current_fiber();
#endif
}

void fiber_forget_host(struct fiber *f)
{
	*f = (struct fiber){0};
}

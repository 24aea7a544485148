// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fibers: stacks that one thread can switch between. Stack switching is boost.context's
 * (jump_fcontext, measured here at about 15 ns with an atomic access in it); this adds stacks with
 * a guard page, and tells AddressSanitizer, ThreadSanitizer and valgrind about every switch.
 *
 * A fiber may be resumed by another thread than the one that left it, but only after the thread
 * that left it has completed its switch: whoever hands fibers between threads must order that
 * (smp/: task_struct.on_cpu). A fiber that is never resumed again may simply be released: nothing
 * on its stack owns host resources.
 *
 * ThreadSanitizer: a switch between two tasks of one vCPU orders them (a CPU's own program order);
 * a switch between two vCPUs of one thread is announced with the no-sync flag, so that they are as
 * unordered as two threads. That is what makes a data race between two emulated CPUs visible in a
 * run on one thread.
 */
#ifndef ENGINE_FIBER_H
#define ENGINE_FIBER_H

#include "engine/types.h"

struct fiber_stack_pool;

struct fiber {
	void *sp;    /* the saved context; NULL while running */
	void *stack; /* lowest usable address */
	size_t stack_size;
	void (*entry)(void *arg);
	void *arg;
	void *tsan;	  /* ThreadSanitizer's fiber */
	void *asan_stack; /* AddressSanitizer's fake stack while switched out */
	u32 valgrind_id;
	bool on_host_stack; /* stands for a thread's own stack */
};

/*
 * Stacks are kept for reuse: making one costs three system calls. A pool belongs to one machine;
 * fiber_stack_pool has its own lock, so any vCPU may take and give.
 */
struct fiber_stack_pool *fiber_stack_pool_create(size_t stack_size);
void fiber_stack_pool_destroy(struct fiber_stack_pool *pool);

/* Prepares @f to run entry(arg) on a stack from @pool at its first switch. Returns 0, or -ENOMEM.
 * @entry must not return: its last act is a switch to another fiber. */
int fiber_create(struct fiber *f, struct fiber_stack_pool *pool, void (*entry)(void *), void *arg);

/* Starts @f over from entry(arg) on the stack it has; @f must not be running. */
void fiber_restart(struct fiber *f, void (*entry)(void *), void *arg);

/* Gives the stack back. @f must not be running. */
void fiber_release(struct fiber *f, struct fiber_stack_pool *pool);

/* Makes @f stand for the calling thread's own stack. */
void fiber_init_host(struct fiber *f);
void fiber_forget_host(struct fiber *f);

/* Leaves @from (which must be running on this thread) and goes on in @to. Returns when somebody
 * switches back to @from. */
void fiber_switch(struct fiber *from, struct fiber *to);

/* The same from one vCPU to another: orders nothing between the two. */
void fiber_switch_vcpu(struct fiber *from, struct fiber *to);

/* The same, for a @from that is never resumed: its stack may be reused by whoever runs next. */
void fiber_switch_final(struct fiber *from, struct fiber *to);
void fiber_switch_vcpu_final(struct fiber *from, struct fiber *to);

#endif

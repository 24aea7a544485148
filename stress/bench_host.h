// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's side of the bench: the operations of the measures, done by the host's real kernel
 * through system calls. bench_host_regions.c has those on memory regions, bench_host_process.c
 * exec, fork and exit. docs/bench.md says for each what is timed and what is counted; an emulated
 * side has to count the same.
 *
 * Units: items are host pages (of env->page_size bytes, 4 KiB on x86-64), calls or processes.
 * Threads: one thread runs on env->cpu[0]; where a measure has two, the other is a
 * bench_sibling on env->cpu[1]. Every region is private anonymous memory, aligned to 2 MiB,
 * with MADV_NOHUGEPAGE, and has a mapping (VMA) of its own.
 * Errors: a system call that fails ends the side with "NAME: reason" (bench.h).
 *
 * The objects are immutable; the state of a side hangs off the context that its setup() makes.
 */
#ifndef STRESS_BENCH_HOST_H
#define STRESS_BENCH_HOST_H

#include "stress/bench.h"

/* What an operation covers, in pages. Named here, for the emulated sides take the same. */
#define BENCH_FEW_PAGES 16
#define BENCH_MANY_PAGES 512 /* a whole page table */
#define BENCH_FORK_PAGES 16384
#define BENCH_EXIT_PAGES 4096

/* One thread: write to each of n pages, then MADV_DONTNEED over them. */
extern const struct bench_side bench_host_fault_zap_one;
extern const struct bench_side bench_host_fault_zap_few;
extern const struct bench_side bench_host_fault_zap_many;
/* The same by two threads of one process, each in a region of its own. */
extern const struct bench_side bench_host_own_regions_few;
extern const struct bench_side bench_host_own_regions_many;
/* One thread zaps what the other writes. */
extern const struct bench_side bench_host_shared_region;
/* MADV_DONTNEED of one present page, timed alone: without and with a sibling in user mode. */
extern const struct bench_side bench_host_zap_quiet;
extern const struct bench_side bench_host_zap_shootdown;
/* The difference of these two, taken in slices next to each other. */
extern const struct bench_side bench_host_shootdown_alone;

/* vfork + exec of a tiny static program + its exit + wait. x86-64 only. */
extern const struct bench_side bench_host_exec;
/* fork + exit of the child + wait, with BENCH_FORK_PAGES written by the parent. */
extern const struct bench_side bench_host_fork_exit;
/* From the child's call of _exit() to the parent's return from wait, with BENCH_EXIT_PAGES
 * written by the child. */
extern const struct bench_side bench_host_exit_touched;

#endif

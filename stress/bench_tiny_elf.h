// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The smallest program that exec can run and that ends at once with status 0, made at run time:
 * an ELF header, one loadable segment and nine bytes of machine code. It has no interpreter and
 * no libraries, so that what is timed around it is the kernel's exec and exit.
 *
 * Errors: bench_tiny_elf() fails, with the reason, on machines other than x86-64 and where the
 * kernel gives no memfd.
 * Sources: System V ABI, ELF header and program header; AMD64 supplement (e_machine); exec and
 * exit_group in the x86-64 system call table; memfd_create(2).
 */
#ifndef STRESS_BENCH_TINY_ELF_H
#define STRESS_BENCH_TINY_ELF_H

#include "stress/bench_cpus.h"

/* A descriptor for fexecve(), closed on exec; -1 with the reason in *@err. */
int bench_tiny_elf(struct bench_error *err);

#endif

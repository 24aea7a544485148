// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A schedule as a trace file, for the tools that people have.
 *
 * PATH.json is Trace Event JSON, which chrome://tracing and ui.perfetto.dev read: a track a vCPU,
 * spans for tasks, operations, locks (from the attempt to the release) and interrupts, instants for
 * events, arrows from each IPI to its handler and from its acknowledgement to the sender that has
 * seen it. Any other name gets the text that /sys/kernel/tracing/trace has, with the kernel's name
 * for an event where it has one (sched_switch, ipi_entry, mm_page_free, ...) and mmt_NAME for the
 * rest.
 *
 * Time. An explored run has no clock: one decision point is one microsecond.
 *
 * The file appears whole or not at all (stress/whole_file.h). No state, no locks. Errors: see
 * error.h.
 */
#ifndef STRESS_TRACE_H
#define STRESS_TRACE_H

#include <stdio.h>

#include "stress/config.h"
#include "stress/error.h"

struct retrace;
struct schedule;

/* Runs @s again for @config (explain.h) and writes @path. 0, or -1 with @err filled. */
int trace_write(const char *path, const struct config *config, const struct schedule *s,
		struct error *err);

/* The two forms. 0, or -1 with @err filled (no memory). */
int trace_ftrace(FILE *out, const struct retrace *r, struct error *err);
int trace_chrome(FILE *out, const struct retrace *r, struct error *err);

#endif

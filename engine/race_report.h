// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ThreadSanitizer's reports as violations. In its builds a data race between two emulated CPUs that
 * it reports in an explored run stops the machine like a violation of the oracle's, so that there
 * is a schedule that replays it; in other builds nothing of this exists.
 *
 * ThreadSanitizer tells by __tsan_on_report() (compiler-rt, sanitizer interface), from within the
 * racing access: too early to leave the machine. It is noted there and reported at the vCPU's next
 * decision point.
 */
#ifndef ENGINE_RACE_REPORT_H
#define ENGINE_RACE_REPORT_H

#include "engine/types.h"
#include "engine/violation.h"

struct explorer;
struct vcpu;

#ifdef __SANITIZE_THREAD__
#define RACE_REPORTS true
#else
#define RACE_REPORTS false
#endif

extern const struct invariant inv_data_race;

/* The vCPU has come to its next decision point after a report: does not return. */
__attribute__((noreturn, cold)) void race_violation(struct vcpu *v);

/* The run has ended after a report: the same from outside. */
void race_violation_at_end(struct explorer *x);

/* Whether ThreadSanitizer prints what it finds; while a schedule is being made small it need not.
 * Nothing in other builds. */
void race_reports_shown(bool shown);

#endif

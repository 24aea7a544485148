// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Spans of time as people type them: 250ms, 45s, 5m, 3h, 2d. Inside the program a duration is a
 * number of nanoseconds in 64 bits. No state, no locks.
 */
#ifndef STRESS_DURATION_H
#define STRESS_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MINUTE (60 * NSEC_PER_SEC)
#define NSEC_PER_HOUR (60 * NSEC_PER_MINUTE)
#define NSEC_PER_DAY (24 * NSEC_PER_HOUR)

/* What may be typed, for error messages. */
#define DURATION_SYNTAX "45s, 5m, 3h or 2d"

/* Room for any text of duration_format() and duration_clock(). */
#define DURATION_TEXT_SIZE 32

/*
 * Reads all of @text into *@ns. With @plain_seconds a number without a unit counts seconds.
 * Returns NULL, or what is wrong as the predicate of a sentence ("has no unit").
 */
const char *duration_parse(const char *text, bool plain_seconds, uint64_t *ns);

/*
 * Writes @ns in the largest unit that leaves a whole number, so that duration_parse() gives the
 * same span back; less than a whole millisecond is rounded down. Returns @text.
 */
const char *duration_format(uint64_t ns, char *text, size_t size);

/* Writes @ns for people who watch: "7s", "03:25", "2:03:25", "1d 02:03:25". Returns @text. */
const char *duration_clock(uint64_t ns, char *text, size_t size);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole numbers as people type them: decimal or 0x hexadecimal, no sign, no blanks, no junk.
 *
 * strtoull() takes blanks, signs and wraps negative numbers around; none of that passes here.
 * Ranges and units are the caller's business: these functions say what is wrong with the text,
 * the caller says what would be right. No state, no locks.
 */
#ifndef STRESS_NUMBER_H
#define STRESS_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

enum number_fault {
	NUMBER_FINE,
	NUMBER_EMPTY,	 /* nothing there */
	NUMBER_NEGATIVE, /* starts with a minus */
	NUMBER_FRACTION, /* 1.5 */
	NUMBER_JUNK,	 /* a number with something behind it */
	NUMBER_NONE,	 /* no number at all: nan, abc, +1 */
	NUMBER_OVERFLOW, /* more than 64 bits */
};

/* What is wrong, as the predicate of a sentence: "has something after the number". */
const char *number_fault_text(enum number_fault fault);

/*
 * Reads the digits at *@cursor and moves it behind them. Answers NUMBER_FINE, NUMBER_EMPTY,
 * NUMBER_NEGATIVE, NUMBER_NONE or NUMBER_OVERFLOW; what follows the digits is not looked at.
 */
enum number_fault number_scan(const char **cursor, uint64_t *value);

/* Reads all of @text. With @scaled, one suffix k or K (1024) or M (1024 * 1024) may follow. */
enum number_fault number_parse(const char *text, bool scaled, uint64_t *value);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/number.h"

#include <ctype.h>

#define KIBI_SHIFT 10
#define MEBI_SHIFT 20

const char *number_fault_text(enum number_fault fault)
{
	switch (fault) {
	case NUMBER_FINE:
		break;
	case NUMBER_EMPTY:
		return "is empty";
	case NUMBER_NEGATIVE:
		return "is negative";
	case NUMBER_FRACTION:
		return "is not a whole number";
	case NUMBER_JUNK:
		return "has something after the number";
	case NUMBER_NONE:
		return "is not a number";
	case NUMBER_OVERFLOW:
		return "does not fit in 64 bits";
	}
	return "is fine";
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum number_fault number_scan(const char **cursor, uint64_t *value)
{
	const char *s = *cursor;
	unsigned int base = 10;
	uint64_t sum = 0;
	bool overflow = false;

	if (*s == '\0')
		return NUMBER_EMPTY;
	if (*s == '-')
		return NUMBER_NEGATIVE;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && isxdigit((unsigned char)s[2])) {
		base = 16;
		s += 2;
	}
	if (!isdigit((unsigned char)*s) && base == 10)
		return NUMBER_NONE;
	for (;; s++) {
		int digit = digit_value(*s);

		if (digit < 0 || (unsigned int)digit >= base)
			break;
		if (__builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, (unsigned int)digit, &sum))
			overflow = true;
	}
	*cursor = s;
	*value = sum;
	return overflow ? NUMBER_OVERFLOW : NUMBER_FINE;
}

enum number_fault number_parse(const char *text, bool scaled, uint64_t *value)
{
	const char *s = text;
	uint64_t digits = 0;
	enum number_fault fault = number_scan(&s, &digits);
	unsigned int shift = 0;

	if (fault != NUMBER_FINE && fault != NUMBER_OVERFLOW)
		return fault;
	if (*s == '.' && isdigit((unsigned char)s[1]))
		return NUMBER_FRACTION;
	if (scaled && (*s == 'k' || *s == 'K'))
		shift = KIBI_SHIFT;
	else if (scaled && *s == 'M')
		shift = MEBI_SHIFT;
	if (shift)
		s++;
	if (*s)
		return NUMBER_JUNK;
	if (fault == NUMBER_OVERFLOW || digits > UINT64_MAX >> shift)
		return NUMBER_OVERFLOW;
	*value = digits << shift;
	return NUMBER_FINE;
}

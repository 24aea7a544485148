// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/duration.h"

#include "engine/types.h"
#include "stress/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct duration_unit {
	const char *suffix;
	uint64_t ns;
};

/* Largest first: duration_format() takes the first that divides. */
static const struct duration_unit units[] = {
	{"d", NSEC_PER_DAY}, {"h", NSEC_PER_HOUR},  {"m", NSEC_PER_MINUTE},
	{"s", NSEC_PER_SEC}, {"ms", NSEC_PER_MSEC},
};

const char *duration_parse(const char *text, bool plain_seconds, uint64_t *ns)
{
	const char *s = text;
	uint64_t digits = 0;
	uint64_t scale = 0;
	enum number_fault fault = number_scan(&s, &digits);

	if (fault == NUMBER_NONE)
		return "is not a duration";
	if (fault != NUMBER_FINE)
		return number_fault_text(fault);
	if (*s == '.')
		return number_fault_text(NUMBER_FRACTION);
	if (*s == '\0' && plain_seconds)
		scale = NSEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (!strcmp(s, units[i].suffix))
			scale = units[i].ns;
	}
	if (scale == 0)
		return *s ? "has an unknown unit" : "has no unit";
	if (__builtin_mul_overflow(digits, scale, ns))
		return "is too long to count";
	return NULL;
}

const char *duration_format(uint64_t ns, char *text, size_t size)
{
	const struct duration_unit *unit = units;

	while (unit < units + ARRAY_SIZE(units) - 1 && ns % unit->ns)
		unit++;
	if (ns == 0) {
		snprintf(text, size, "0s");
		return text;
	}
	snprintf(text, size, "%" PRIu64 "%s", ns / unit->ns, unit->suffix);
	return text;
}

const char *duration_clock(uint64_t ns, char *text, size_t size)
{
	uint64_t seconds = ns / NSEC_PER_SEC;
	uint64_t minutes = seconds / 60;
	uint64_t hours = minutes / 60;
	uint64_t days = hours / 24;

	if (minutes == 0)
		snprintf(text, size, "%" PRIu64 "s", seconds);
	else if (hours == 0)
		snprintf(text, size, "%02" PRIu64 ":%02" PRIu64, minutes, seconds % 60);
	else if (days == 0)
		snprintf(text, size, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, hours, minutes % 60,
			 seconds % 60);
	else
		snprintf(text, size, "%" PRIu64 "d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64, days,
			 hours % 24, minutes % 60, seconds % 60);
	return text;
}

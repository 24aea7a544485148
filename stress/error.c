// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/error.h"

#include "stress/printable.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, int status, const char *format, ...)
{
	/* Longer than the line: what is cut is to be cut once, by printable(). */
	char raw[2 * ERROR_LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	err->status = status;
	printable(err->line, sizeof(err->line), raw);
	return -1;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text from outside (arguments, paths, lines of a file) made fit to be shown: on one line, and
 * valid UTF-8, which JSON insists on.
 *
 * Control characters and bytes that are not UTF-8 (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF) become \xNN. Whatever doesn't fit is replaced by "..." at the end. The
 * result is for people to read, not to be turned back. No state, no locks.
 */
#ifndef STRESS_PRINTABLE_H
#define STRESS_PRINTABLE_H

#include <stddef.h>

/* The room that printable() needs for any text of @length bytes. */
#define PRINTABLE_SIZE(length) (4 * (length) + 1)

/* Writes @text to @dst, at most @size bytes with the terminator. Returns the length written. */
size_t printable(char *dst, size_t size, const char *text);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/printable.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Length of the UTF-8 sequence of a printable character at @s, 0 where there is none. */
static size_t character_length(const unsigned char *s)
{
	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf && is_continuation(s[1])) {
		bool is_c1_control = s[0] == 0xc2 && s[1] < 0xa0;

		return is_c1_control ? 0 : 2;
	}
	if ((s[0] & 0xf0) == 0xe0 && is_continuation(s[1]) && is_continuation(s[2])) {
		bool overlong = s[0] == 0xe0 && s[1] < 0xa0;
		bool surrogate = s[0] == 0xed && s[1] >= 0xa0;

		return overlong || surrogate ? 0 : 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4 && is_continuation(s[1]) && is_continuation(s[2]) &&
	    is_continuation(s[3])) {
		bool overlong = s[0] == 0xf0 && s[1] < 0x90;
		bool too_high = s[0] == 0xf4 && s[1] >= 0x90;

		return overlong || too_high ? 0 : 4;
	}
	return 0;
}

size_t printable(char *dst, size_t size, const char *text)
{
	static const char ellipsis[] = "...";
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0;
	size_t cut = 0; /* the last place where the ellipsis still fits */

	if (size == 0)
		return 0;
	while (*s) {
		size_t length = character_length(s);
		char escaped[sizeof("\\xNN")];
		const char *piece = (const char *)s;
		size_t piece_length = length;

		if (length == 0) {
			snprintf(escaped, sizeof(escaped), "\\x%02x", *s);
			piece = escaped;
			piece_length = strlen(escaped);
			length = 1;
		}
		if (used + piece_length >= size) {
			if (cut + sizeof(ellipsis) <= size) {
				memcpy(dst + cut, ellipsis, sizeof(ellipsis) - 1);
				used = cut + sizeof(ellipsis) - 1;
			}
			break;
		}
		memcpy(dst + used, piece, piece_length);
		used += piece_length;
		if (used + sizeof(ellipsis) <= size)
			cut = used;
		s += length;
	}
	dst[used] = '\0';
	return used;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy_dpor_words.h"

#include <string.h>

#include "engine/strategy_dpor_rounds.h"
#include "engine/strategy_kinds.h"

/* Reads the word of @length characters at @text; false: it is none. */
static bool read_word(struct dpor_words *words, const char *text, size_t length)
{
	bool *flag;

	if (length == 6 && !strncmp(text, "no-tlb", length))
		flag = &words->no_tlb;
	else if (length == 3 && !strncmp(text, "all", length))
		flag = &words->all;
	else
		flag = &words->bounded;
	if (*flag)
		return false;
	*flag = true;
	if (flag != &words->bounded)
		return true;
	if (!length || length > 2)
		return false;
	for (; length; length--, text++) {
		if (*text < '0' || *text > '9')
			return false;
		words->bound = words->bound * 10 + (u32)(*text - '0');
	}
	return words->bound <= DPOR_BOUND_MAX;
}

/* Words joined with +; false: not all of them can be read. */
bool dpor_words_read(struct dpor_words *words, const char *parameter)
{
	*words = (struct dpor_words){0};
	while (*parameter) {
		size_t length = strcspn(parameter, "+");

		if (!read_word(words, parameter, length))
			return false;
		parameter += length;
		if (*parameter && !*++parameter)
			return false;
	}
	return !(words->all && words->bounded);
}

_Static_assert(DPOR_BOUND_MAX == 16, "the message below has it");

const char *strategy_dpor_refusal(const char *parameter)
{
	struct dpor_words words;

	if (dpor_words_read(&words, parameter))
		return NULL;
	return "takes a bound from 0 to 16 or all, and no-tlb, as in dpor:2+no-tlb";
}

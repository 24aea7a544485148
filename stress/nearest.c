// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/nearest.h"

#include "engine/types.h"
#include "stress/number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* No valid name is longer; what is longer is no slip of the finger. */
#define NEAREST_NAME_MAX 64

static const char parameter_suffix[] = ":N";

/* Length of the word of an entry "word:N", 0 for an entry without a parameter. */
static size_t parametrised_length(const char *entry)
{
	size_t length = strlen(entry);
	size_t suffix = sizeof(parameter_suffix) - 1;

	if (length <= suffix || strcmp(entry + length - suffix, parameter_suffix))
		return 0;
	return length - suffix;
}

static bool entry_matches(const char *entry, const char *name)
{
	size_t word = parametrised_length(entry);
	uint64_t parameter;

	if (word == 0)
		return !strcmp(entry, name);
	return !strncmp(entry, name, word) && name[word] == ':' &&
	       number_parse(name + word + 1, false, &parameter) == NUMBER_FINE && parameter >= 1 &&
	       parameter <= NAME_PARAMETER_MAX;
}

int name_list_find(const struct name_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr; i++) {
		if (entry_matches(list->names[i], name))
			return (int)i;
	}
	return -1;
}

static bool same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Both lengths are at most NEAREST_NAME_MAX. */
static unsigned int alignment_distance(const char *a, size_t a_length, const char *b,
				       size_t b_length)
{
	/* row[i % 3][j]: steps from the first i letters of a to the first j letters of b */
	unsigned int row[3][NEAREST_NAME_MAX + 1];

	for (size_t i = 0; i <= a_length; i++) {
		unsigned int *now = row[i % 3];
		const unsigned int *last = row[(i + 2) % 3];
		const unsigned int *before_last = row[(i + 1) % 3];

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_length; j++) {
			if (i == 0) {
				now[j] = (unsigned int)j;
				continue;
			}
			now[j] = min(last[j], now[j - 1]) + 1;
			now[j] = min(now[j], last[j - 1] + !same_letter(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
			    same_letter(a[i - 2], b[j - 1]))
				now[j] = min(now[j], before_last[j - 2] + 1);
		}
	}
	return row[a_length % 3][b_length];
}

static bool starts_with(const char *name, const char *start, size_t length)
{
	return !strncasecmp(name, start, length);
}

const char *nearest_name(const struct name_list *list, const char *wrong)
{
	size_t wrong_length = strnlen(wrong, NEAREST_NAME_MAX + 1);
	const char *best = NULL;
	unsigned int best_distance = 0;

	if (wrong_length == 0 || wrong_length > NEAREST_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < list->nr; i++) {
		const char *name = list->names[i];
		size_t word = parametrised_length(name);
		size_t length = word ? word : strlen(name);
		const char *colon = word ? strchr(wrong, ':') : NULL;
		size_t typed = colon ? (size_t)(colon - wrong) : wrong_length;
		unsigned int limit = max((unsigned int)typed / 3, 1u);
		unsigned int distance;

		if (length > NEAREST_NAME_MAX || typed == 0)
			continue;
		distance = alignment_distance(wrong, typed, name, length);
		if (typed > 1 && starts_with(name, wrong, typed))
			distance = min(distance, 1u);
		/* One letter in place of another one-letter name is no likeness. */
		if (distance > limit || distance >= max(typed, length))
			continue;
		if (!best || distance < best_distance) {
			best = name;
			best_distance = distance;
		}
	}
	return best;
}

const char *nearest_hint(const struct name_list *list, const char *wrong, char *hint, size_t size)
{
	const char *near = nearest_name(list, wrong);
	size_t used;

	if (list->nr == 0) {
		snprintf(hint, size, "this version knows no %s", list->what);
		return hint;
	}
	if (near) {
		snprintf(hint, size, "did you mean \"%s\"?", near);
		return hint;
	}
	used = (size_t)snprintf(hint, size, "valid: ");
	for (size_t i = 0; i < list->nr; i++) {
		int more = snprintf(hint + min(used, size), size - min(used, size), "%s%s",
				    i ? ", " : "", list->names[i]);

		used += (size_t)more;
	}
	if (used >= size)
		snprintf(hint, size, "none of the %zu names is near; see --help", list->nr);
	return hint;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists of valid names, and the valid name that somebody probably meant.
 *
 * A name_list is constant data of whoever knows the names (the catalog of bugs, the strategies,
 * the measures of bench ...). An entry may end in ":N": it then stands for that word, a colon and
 * a number from 1 to NAME_PARAMETER_MAX, as in `pct:3` for the entry "pct:N".
 *
 * Nearness is the optimal string alignment distance (insertions, deletions, substitutions and
 * swaps of neighbours; Damerau, CACM 7(3), 1964), blind to case. A name that starts with what was
 * typed counts as one step away. Nothing is suggested where more than a third of the typed name
 * would have to change. No state, no locks; ties go to the earlier name.
 */
#ifndef STRESS_NEAREST_H
#define STRESS_NEAREST_H

#include <stddef.h>

/* Depths and bounds above two digits are mistakes: PCT and preemption bounding use 1 to 5. */
#define NAME_PARAMETER_MAX 99

/* Room for a hint with one suggestion or a list of some ten names. */
#define NEAREST_HINT_SIZE 320

struct name_list {
	const char *what;	  /* what the names name, in the singular: "bug", "strategy" */
	const char *const *names; /* NULL where nr is 0 */
	size_t nr;
};

/* The index of the entry that @name matches, or -1. */
int name_list_find(const struct name_list *list, const char *name);

/* The entry nearest to @wrong, or NULL where none is near. */
const char *nearest_name(const struct name_list *list, const char *wrong);

/*
 * What would be right, to end an error message with: `did you mean "cpus"?`; or all valid names
 * where none is near and they fit; or the number of them. Returns @hint.
 */
const char *nearest_hint(const struct name_list *list, const char *wrong, char *hint, size_t size);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/locking.md has a row for every class of smp/lock_class.h, in its order, and for no other;
 * and a class is taken inside classes above it only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "engine/types.h"
#include "smp/lock_class.h"

#define PAGE "docs/locking.md"
#define TABLE "| class | kind | guards | taken inside |\n"
#define COLUMNS 4

/* Far more than the page has. */
#define PAGE_BYTES (256u << 10)

static char *read_page(void)
{
	FILE *in = fopen(PAGE, "rb");
	char *text = calloc(1, PAGE_BYTES);

	cr_assert(in, "%s can't be read", PAGE);
	cr_assert_not_null(text);
	cr_assert_lt(fread(text, 1, PAGE_BYTES, in), PAGE_BYTES, "%s is too long", PAGE);
	fclose(in);
	return text;
}

static int class_of(const char *name, size_t len)
{
	for (int i = 0; i < NR_LOCK_CLASSES; i++) {
		if (strlen(lock_class_names[i]) == len && !strncmp(lock_class_names[i], name, len))
			return i;
	}
	return -1;
}

/* Cuts "| a | b | c | d |" into its columns; false if it is no row. */
static bool split_row(char *row, char **column)
{
	char *save = NULL, *cell = row;

	if (*row != '|')
		return false;
	for (int i = 0; i < COLUMNS; i++) {
		cell = strtok_r(i ? NULL : row, "|", &save);
		cr_assert_not_null(cell, "%s: a row with fewer than %d columns", PAGE, COLUMNS);
		cell += strspn(cell, " ");
		for (size_t len = strlen(cell); len && cell[len - 1] == ' '; len--)
			cell[len - 1] = '\0';
		cr_assert_str_not_empty(cell, "%s: an empty column", PAGE);
		column[i] = cell;
	}
	return true;
}

/* Every `name` in @text that is a class comes before @class. */
static void check_inside(const char *text, int class)
{
	const char *end;

	for (text = strchr(text, '`'); text; text = strchr(end + 1, '`')) {
		int outer;

		end = strchr(++text, '`');
		cr_assert_not_null(end, "%s: %s: ` without its other half", PAGE,
				   lock_class_names[class]);
		outer = class_of(text, (size_t)(end - text));
		cr_assert_geq(outer, 0, "%s: %s: there is no class %.*s", PAGE,
			      lock_class_names[class], (int)(end - text), text);
		cr_assert_lt(outer, class, "%s: %s is taken inside %s, which comes after it", PAGE,
			     lock_class_names[class], lock_class_names[outer]);
	}
}

Test(smp_locking_doc, table_has_every_class_in_order)
{
	char *page = read_page(), *save = NULL, *row, *column[COLUMNS];
	char *table = strstr(page, TABLE);
	int class = 0;

	cr_assert_not_null(table, "%s: there is no table headed %s", PAGE, TABLE);
	row = strtok_r(table + strlen(TABLE), "\n", &save);
	cr_assert_str_eq(row, "|---|---|---|---|");
	while ((row = strtok_r(NULL, "\n", &save)) && *row == '|') {
		size_t len;

		/* Past the end of the row there may be no empty line left: strtok skips it. */
		if (!split_row(row, column) || *column[0] != '`')
			break;
		len = strlen(column[0]);
		cr_assert(len > 2 && column[0][len - 1] == '`', "%s: %s", PAGE, column[0]);
		cr_assert_lt(class, NR_LOCK_CLASSES, "%s: %s is one too many", PAGE, column[0]);
		cr_assert_eq(class_of(column[0] + 1, len - 2), class,
			     "%s: a row for %s, expected one for `%s`", PAGE, column[0],
			     lock_class_names[class]);
		check_inside(column[3], class);
		class ++;
	}
	cr_assert_eq(class, NR_LOCK_CLASSES, "%s: no row for `%s`", PAGE,
		     class < NR_LOCK_CLASSES ? lock_class_names[class] : "");
	free(page);
}

Test(smp_locking_doc, every_class_has_a_reason)
{
	for (int i = 0; i < NR_LOCK_CLASSES; i++) {
		cr_assert_not_null(lock_class_names[i]);
		cr_assert_str_not_empty(lock_class_reasons[i]);
	}
}

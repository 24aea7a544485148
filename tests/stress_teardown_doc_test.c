// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/teardown-path.md has every row of the path, A1 to E5, and names only functions, files,
 * tests, bugs and invariants that exist.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "smp/vmstat.h"
#include "stress/bugs.h"

#define PAGE "docs/teardown-path.md"
#define INVARIANTS "docs/oracle.md"
/* row, step, function, file, shown by */
#define COLUMNS 5
#define CELL_SIZE 1024
#define NAME_SIZE 96

struct row {
	char cell[COLUMNS][CELL_SIZE];
	int nr;
};

/* Rows of each section. */
static const struct {
	char letter;
	int nr;
} sections[] = {{'A', 9}, {'B', 4}, {'C', 9}, {'D', 8}, {'E', 5}};

/* NULL if there is none. */
static char *read_if_there(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	cr_assert_gt(getdelim(&text, &size, '\0', in), 0, "%s is empty", path);
	fclose(in);
	return text;
}

static char *read_file(const char *path)
{
	char *text = read_if_there(path);

	cr_assert(text, "%s can't be read", path);
	return text;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The next word in backticks at or behind *at. */
static bool next_quoted(const char **at, char *word)
{
	const char *start = strchr(*at, '`'), *end = start ? strchr(start + 1, '`') : NULL;

	if (!end)
		return false;
	snprintf(word, NAME_SIZE, "%.*s", (int)(end - start - 1), start + 1);
	*at = end + 1;
	return true;
}

static void trim(char *text)
{
	size_t length = strlen(text), blanks = strspn(text, " ");

	while (length > blanks && text[length - 1] == ' ')
		length--;
	memmove(text, text + blanks, length - blanks);
	text[length - blanks] = '\0';
}

/* Splits "| a | b |"; false if it is no row of a table. */
static bool split(const char *line, struct row *r)
{
	r->nr = 0;
	if (line[0] != '|' || line[1] == '-')
		return false;
	for (line++; *line && *line != '\n' && r->nr < COLUMNS; r->nr++) {
		size_t length = strcspn(line, "|\n");

		cr_assert_lt(length, (size_t)CELL_SIZE);
		snprintf(r->cell[r->nr], CELL_SIZE, "%.*s", (int)length, line);
		trim(r->cell[r->nr]);
		line += length + (line[length] == '|');
	}
	return r->nr > 1;
}

/* Is @name a function (or an array, a macro's product) that begins a line of @text? */
static bool defines(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = text; (at = strstr(at, name)); at += length) {
		const char *line = at;

		if (at[length] != '(' || (at > text && is_name(at[-1])))
			continue;
		while (line > text && line[-1] != '\n')
			line--;
		if (is_name(line[0]))
			return true;
	}
	return false;
}

static void check_functions(const struct row *r)
{
	const char *names = r->cell[2];
	char name[NAME_SIZE], path[NAME_SIZE];
	int nr = 0;

	while (next_quoted(&names, name)) {
		const char *files = r->cell[3];
		bool found = false;

		while (!found && next_quoted(&files, path)) {
			char *text = read_if_there(path);

			found = text && defines(text, name);
			free(text);
		}
		cr_expect(found, "%s: no %s() in %s", r->cell[0], name, r->cell[3]);
		nr++;
	}
	cr_expect_gt(nr, 0, "%s (%s) names no function", r->cell[0], r->cell[1]);
	for (const char *files = r->cell[3]; next_quoted(&files, path);)
		cr_expect(access(path, R_OK) == 0, "%s: there is no %s", r->cell[0], path);
}

/* Test(suite, name) or with a fixture, in @text. */
static bool has_test(const char *text, const char *suite, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = text; (at = strstr(at, "Test(")); at++) {
		const char *comma = strchr(at, ',');
		size_t suite_length;

		if (!comma)
			return false;
		at += strlen("Test(");
		suite_length = (size_t)(comma - at);
		comma += 1 + strspn(comma + 1, " \t\n");
		if (!strncmp(comma, name, length) && !is_name(comma[length]) &&
		    (!suite ||
		     (strlen(suite) == suite_length && !strncmp(at, suite, suite_length))))
			return true;
	}
	return false;
}

/* The next name of a list "a, b"; false at its end. */
static bool next_listed(const char **at, char *name)
{
	size_t length;

	*at += strspn(*at, " ,");
	length = strcspn(*at, ",");
	if (!length)
		return false;
	snprintf(name, NAME_SIZE, "%.*s", (int)length, *at);
	*at += length;
	trim(name);
	return true;
}

/* "FILE: TEST, TEST" or "FILE (suite SUITE): ..." */
static void check_tests(const char *row, const char *part, const char *colon)
{
	char file[NAME_SIZE], suite[NAME_SIZE], path[2 * NAME_SIZE], name[NAME_SIZE];
	int fields = sscanf(part, "%95[a-z0-9_] (suite %95[a-z0-9_])", file, suite);
	const char *list = colon + 1;
	char *text;

	cr_assert_geq(fields, 1, "%s: \"%s\" names no file of tests", row, part);
	snprintf(path, sizeof(path), "tests/%s_test.c", file);
	text = read_if_there(path);
	cr_expect(text, "%s: there is no %s", row, path);
	while (text && next_listed(&list, name))
		cr_expect(has_test(text, fields == 2 ? suite : NULL, name), "%s: no test %s in %s",
			  row, name, path);
	free(text);
}

static void check_bugs(const char *row, const char *list)
{
	char slug[NAME_SIZE];

	while (next_listed(&list, slug))
		cr_expect_geq(name_list_find(&bug_names, slug), 0, "%s: no bug %s", row, slug);
}

static void check_counter(const char *row, const char *part)
{
	char name[NAME_SIZE];

	while (next_quoted(&part, name)) {
		bool found = false;

		for (int i = 0; i < NR_VMSTAT_ITEMS && !found; i++)
			found = !strcmp(vmstat_names[i], name);
		cr_expect(found, "%s: no counter %s", row, name);
	}
}

static void check_invariant(const char *row, const char *part)
{
	char *text = read_file(INVARIANTS);
	char slug[NAME_SIZE], line[NAME_SIZE + 8];

	while (next_quoted(&part, slug)) {
		snprintf(line, sizeof(line), "\n| `%s` |", slug);
		cr_expect(strstr(text, line), "%s: no invariant %s", row, slug);
	}
	free(text);
}

/* Parts between semicolons: tests, "bugs SLUG, SLUG", "invariant `SLUG`", "counter `NAME`", and
 * words. One of the first four there must be. */
static void check_shown_by(const struct row *r)
{
	char cell[CELL_SIZE], *rest = cell, *part;
	int nr = 0;

	memcpy(cell, r->cell[4], sizeof(cell));
	while ((part = strsep(&rest, ";"))) {
		const char *colon;

		trim(part);
		colon = strchr(part, ':');
		nr++;
		if (colon)
			check_tests(r->cell[0], part, colon);
		else if (!strncmp(part, "bugs ", 5) || !strncmp(part, "bug ", 4))
			check_bugs(r->cell[0], strchr(part, ' '));
		else if (!strncmp(part, "counter ", 8))
			check_counter(r->cell[0], part);
		else if (!strncmp(part, "invariant ", 10))
			check_invariant(r->cell[0], part);
		else
			nr--;
	}
	cr_expect_gt(nr, 0, "%s (%s) is shown by nothing: \"%s\"", r->cell[0], r->cell[1],
		     r->cell[4]);
}

/* "A1", or "A7, B4". */
static bool is_of(const struct row *r, char letter, int number)
{
	char id[16];
	const char *at;

	snprintf(id, sizeof(id), "%c%d", letter, number);
	at = strstr(r->cell[0], id);
	return at && !is_name(at[strlen(id)]);
}

Test(teardown_doc, has_every_row_and_names_what_exists)
{
	char *text = read_file(PAGE), *rest = text, *line;
	bool seen['E' + 1][10] = {0};
	static struct row r;
	int nr = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!split(line, &r) || !strcmp(r.cell[0], "row"))
			continue;
		for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
			for (int i = 1; i <= sections[s].nr; i++)
				seen[(int)sections[s].letter][i] |=
					is_of(&r, sections[s].letter, i);
		}
		/* What is not there has two columns. */
		if (r.nr < COLUMNS)
			continue;
		check_functions(&r);
		check_shown_by(&r);
		nr++;
	}
	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++) {
		for (int i = 1; i <= sections[s].nr; i++)
			cr_expect(seen[(int)sections[s].letter][i], PAGE " has no row %c%d",
				  sections[s].letter, i);
	}
	cr_expect_gt(nr, 30, "only %d rows found in " PAGE, nr);
	free(text);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* docs/oracle.md has a row for every invariant in the sources, and for none that is not there. */
#include <ctype.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define SLUGS_MAX 512
#define SLUG_SIZE 64
#define PAGE "docs/oracle.md"

struct slugs {
	int nr;
	char slug[SLUGS_MAX][SLUG_SIZE];
};

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = NULL;
	size_t size = 0;

	cr_assert(in, "%s can't be read", path);
	cr_assert_gt(getdelim(&text, &size, '\0', in), 0, "%s is empty", path);
	fclose(in);
	return text;
}

static bool has(const struct slugs *s, const char *slug)
{
	for (int i = 0; i < s->nr; i++) {
		if (!strcmp(s->slug[i], slug))
			return true;
	}
	return false;
}

static void add(struct slugs *s, const char *text, size_t length)
{
	char slug[SLUG_SIZE];

	snprintf(slug, sizeof(slug), "%.*s", (int)length, text);
	if (has(s, slug))
		return;
	cr_assert_lt(s->nr, SLUGS_MAX);
	memcpy(s->slug[s->nr++], slug, sizeof(slug));
}

/* Adds the first string literal behind each @start that a name follows at once or after blanks. */
static void add_literals(struct slugs *s, const char *text, const char *start)
{
	for (const char *at = text; (at = strstr(at, start));) {
		const char *quote;

		at += strlen(start);
		at += strspn(at, " \t\n");
		/* The macro's own definition names its parameter here, not a variable inv_... */
		if (strncmp(at, "inv_", 4))
			continue;
		quote = strchr(at, '"');
		cr_assert(quote);
		add(s, quote + 1, strcspn(quote + 1, "\""));
	}
}

static void add_sources(struct slugs *s)
{
	static const char *const patterns[] = {"engine/*.[ch]", "smp/*.[ch]", "tlbshoot/*.[ch]",
					       "mm/*.[ch]", "stress/*.[ch]"};

	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		glob_t files;

		cr_assert_eq(glob(patterns[p], 0, NULL, &files), 0, "no %s here", patterns[p]);
		for (size_t i = 0; i < files.gl_pathc; i++) {
			char *text = read_file(files.gl_pathv[i]);

			add_literals(s, text, "INVARIANT(");
			/* The one that is shared between files. */
			add_literals(s, text, "\nconst struct invariant ");
			free(text);
		}
		globfree(&files);
	}
}

/* The first column of the page's tables: "| `slug` | ...". */
static void add_rows(struct slugs *s)
{
	static const char start[] = "\n| `";
	char *text = read_file(PAGE);

	for (const char *at = text; (at = strstr(at, start));) {
		at += strlen(start);
		add(s, at, strcspn(at, "`"));
	}
	free(text);
}

Test(oracle_doc, names_every_invariant_and_no_other)
{
	static struct slugs sources, rows;

	add_sources(&sources);
	add_rows(&rows);
	cr_expect_gt(sources.nr, 50, "only %d invariants found in the sources", sources.nr);
	cr_expect(has(&sources, "kernel-bug"));
	for (int i = 0; i < sources.nr; i++)
		cr_expect(has(&rows, sources.slug[i]), PAGE " has no row for %s", sources.slug[i]);
	for (int i = 0; i < rows.nr; i++)
		cr_expect(has(&sources, rows.slug[i]),
			  PAGE " has a row for %s, which no source has", rows.slug[i]);
}

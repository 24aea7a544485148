// SPDX-License-Identifier: GPL-2.0-or-later
/* What people type and what they are shown: numbers, durations, lists, names, escapes. */
#include "engine/types.h"
#include "stress/cpulist.h"
#include "stress/duration.h"
#include "stress/error.h"
#include "stress/items.h"
#include "stress/nearest.h"
#include "stress/number.h"
#include "stress/printable.h"

#include <string.h>

#include <criterion/criterion.h>

Test(number, reads_decimal_and_hexadecimal)
{
	static const struct {
		const char *text;
		bool scaled;
		uint64_t value;
	} rows[] = {
		{"0", false, 0},
		{"00042", false, 42},
		{"18446744073709551615", false, UINT64_MAX},
		{"0xff", false, 255},
		{"0XffffFFFFffffFFFF", false, UINT64_MAX},
		{"64k", true, 65536},
		{"3K", true, 3072},
		{"16M", true, 16777216},
		{"0x10k", true, 16384},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value = 7;

		cr_expect_eq(number_parse(rows[i].text, rows[i].scaled, &value), NUMBER_FINE,
			     "\"%s\" is refused", rows[i].text);
		cr_expect_eq(value, rows[i].value, "\"%s\" gives %lu", rows[i].text, value);
	}
}

Test(number, refuses_what_is_no_number)
{
	static const struct {
		const char *text;
		bool scaled;
		enum number_fault fault;
	} rows[] = {
		{"", false, NUMBER_EMPTY},
		{" 1", false, NUMBER_NONE},
		{"1 ", false, NUMBER_JUNK},
		{"+1", false, NUMBER_NONE},
		{"-1", false, NUMBER_NEGATIVE},
		{"-", false, NUMBER_NEGATIVE},
		{"1.5", false, NUMBER_FRACTION},
		{"1.", false, NUMBER_JUNK},
		{"1e3", false, NUMBER_JUNK},
		{"nan", false, NUMBER_NONE},
		{"inf", false, NUMBER_NONE},
		{"ff", false, NUMBER_NONE},
		{"0x", false, NUMBER_JUNK},
		{"0xg", false, NUMBER_JUNK},
		{"4k", false, NUMBER_JUNK},
		{"k", true, NUMBER_NONE},
		{"4kk", true, NUMBER_JUNK},
		{"4m", true, NUMBER_JUNK},
		{"4G", true, NUMBER_JUNK},
		{"18446744073709551616", false, NUMBER_OVERFLOW},
		{"184467440737095516150", false, NUMBER_OVERFLOW},
		{"99999999999999999999999999999999999999999", false, NUMBER_OVERFLOW},
		{"0x10000000000000000", false, NUMBER_OVERFLOW},
		{"18014398509481984k", true, NUMBER_OVERFLOW},
		{"99999999999999999999x", false, NUMBER_JUNK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t value;

		cr_expect_eq(number_parse(rows[i].text, rows[i].scaled, &value), rows[i].fault,
			     "\"%s\": fault %d", rows[i].text,
			     number_parse(rows[i].text, rows[i].scaled, &value));
	}
}

Test(duration, reads_every_unit)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		{"250ms", 250 * NSEC_PER_MSEC}, {"45s", 45 * NSEC_PER_SEC},
		{"5m", 300 * NSEC_PER_SEC},	{"3h", 10800 * NSEC_PER_SEC},
		{"2d", 172800 * NSEC_PER_SEC},	{"0s", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[DURATION_TEXT_SIZE];
		uint64_t ns = 7;

		cr_expect_null(duration_parse(rows[i].text, false, &ns), "%s", rows[i].text);
		cr_expect_eq(ns, rows[i].ns, "%s gives %lu", rows[i].text, ns);
		cr_expect_str_eq(duration_format(ns, text, sizeof(text)), rows[i].text);
	}
}

Test(duration, a_plain_number_counts_seconds_only_where_allowed)
{
	uint64_t ns;

	cr_expect_str_eq(duration_parse("10", false, &ns), "has no unit");
	cr_expect_null(duration_parse("10", true, &ns));
	cr_expect_eq(ns, 10 * NSEC_PER_SEC);
}

Test(duration, refuses_what_is_no_duration)
{
	static const char *const bad[] = {"",
					  "s",
					  "-5s",
					  "1.5s",
					  "5 s",
					  "5S",
					  "5sec",
					  "5s ",
					  "nan",
					  "1h30m",
					  "5w",
					  "999999999d",
					  "99999999999999999999999s"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t ns;

		cr_expect_not_null(duration_parse(bad[i], true, &ns), "\"%s\" passes", bad[i]);
	}
}

Test(duration, format_takes_the_largest_whole_unit)
{
	char text[DURATION_TEXT_SIZE];

	cr_expect_str_eq(duration_format(90 * NSEC_PER_SEC, text, sizeof(text)), "90s");
	cr_expect_str_eq(duration_format(120 * NSEC_PER_SEC, text, sizeof(text)), "2m");
	cr_expect_str_eq(duration_format(1500 * NSEC_PER_MSEC, text, sizeof(text)), "1500ms");
}

Test(duration, clock_grows_with_the_span)
{
	char text[DURATION_TEXT_SIZE];

	cr_expect_str_eq(duration_clock(7 * NSEC_PER_SEC, text, sizeof(text)), "7s");
	cr_expect_str_eq(duration_clock(205 * NSEC_PER_SEC, text, sizeof(text)), "03:25");
	cr_expect_str_eq(duration_clock(7405 * NSEC_PER_SEC, text, sizeof(text)), "2:03:25");
	cr_expect_str_eq(duration_clock(93805 * NSEC_PER_SEC, text, sizeof(text)), "1d 02:03:25");
	duration_clock(UINT64_MAX, text, sizeof(text));
}

Test(printable, leaves_text_alone)
{
	static const char text[] = "plain, \xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7 \\ \"";
	char shown[PRINTABLE_SIZE(sizeof(text))];

	printable(shown, sizeof(shown), text);
	cr_expect_str_eq(shown, text);
}

Test(printable, escapes_controls_and_what_is_not_utf8)
{
	static const struct {
		const char *text;
		const char *shown;
	} rows[] = {
		{"a\nb", "a\\x0ab"},
		{"\x1b[2J", "\\x1b[2J"},
		{"\x7f", "\\x7f"},
		{"\xff", "\\xff"},
		{"\xc3", "\\xc3"},
		{"\xc3(", "\\xc3("},
		{"\xc0\x80", "\\xc0\\x80"},		      /* overlong NUL */
		{"\xe0\x80\x80", "\\xe0\\x80\\x80"},	      /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xc2\x85", "\\xc2\\x85"},		      /* a C1 control: next line */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char shown[64];

		printable(shown, sizeof(shown), rows[i].text);
		cr_expect_str_eq(shown, rows[i].shown);
	}
}

Test(printable, cuts_between_characters_and_says_so)
{
	char shown[8];

	printable(shown, sizeof(shown), "1234567");
	cr_expect_str_eq(shown, "1234567");
	printable(shown, sizeof(shown), "12345678");
	cr_expect_str_eq(shown, "1234...");
	printable(shown, sizeof(shown), "123\xe2\x82\xac\xe2\x82\xac");
	cr_expect_str_eq(shown, "123...");
	for (size_t size = 1; size < sizeof(shown); size++) {
		cr_expect_lt(printable(shown, size, "\x01\x02\x03"), size);
		cr_expect_eq(strlen(shown) + 1 <= size, true);
	}
}

Test(error, a_line_is_one_line_and_fits)
{
	struct error err = {0};
	char path[5000];

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	cr_expect_eq(error_input(&err, "two\nlines"), -1);
	cr_expect_eq(err.status, 64);
	cr_expect_str_eq(err.line, "two\\x0alines");
	error_input(&err, "%s", path);
	cr_expect_eq(strlen(err.line), sizeof(err.line) - 1);
}

static const char *const words[] = {"cpus", "pages", "duration", "pct:N", "no-bind", "job"};
static const struct name_list word_list = {"word", words, ARRAY_SIZE(words)};

Test(nearest, finds_what_was_meant)
{
	static const struct {
		const char *wrong;
		const char *right;
	} rows[] = {
		{"cpu", "cpus"},       {"CPUS", "cpus"},       {"cups", "cpus"},
		{"pagse", "pages"},    {"dur", "duration"},    {"duratoin", "duration"},
		{"nobind", "no-bind"}, {"no_bind", "no-bind"}, {"pct", "pct:N"},
		{"pct:0", "pct:N"},    {"ptc:3", "pct:N"},     {"jobs", "job"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *near = nearest_name(&word_list, rows[i].wrong);

		cr_assert_not_null(near, "nothing is near %s", rows[i].wrong);
		cr_expect_str_eq(near, rows[i].right);
	}
}

Test(nearest, suggests_nothing_far_fetched)
{
	static const char *const far[] = {"",
					  "x",
					  "zebra",
					  "seed",
					  "memory",
					  "cpuspagesdurationcpuspagesdurationcpuspagesdurationcpus"
					  "pagesduration"};

	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		cr_expect_null(nearest_name(&word_list, far[i]), "something is near \"%s\"",
			       far[i]);
}

Test(nearest, hint_says_what_would_be_right)
{
	static const struct name_list nothing = {"profile", NULL, 0};
	char hint[NEAREST_HINT_SIZE];
	char small[24];

	cr_expect_str_eq(nearest_hint(&word_list, "cpu", hint, sizeof(hint)),
			 "did you mean \"cpus\"?");
	cr_expect_str_eq(nearest_hint(&word_list, "zebra", hint, sizeof(hint)),
			 "valid: cpus, pages, duration, pct:N, no-bind, job");
	cr_expect_str_eq(nearest_hint(&nothing, "x", hint, sizeof(hint)),
			 "this version knows no profile");
	nearest_hint(&word_list, "zebra", small, sizeof(small));
	cr_expect_str_eq(small, "none of the 6 names is ");
}

Test(nearest, a_parameter_is_part_of_the_name)
{
	cr_expect_eq(name_list_find(&word_list, "pct:3"), 3);
	cr_expect_eq(name_list_find(&word_list, "pct:99"), 3);
	cr_expect_eq(name_list_find(&word_list, "pct:100"), -1);
	cr_expect_eq(name_list_find(&word_list, "pct:0"), -1);
	cr_expect_eq(name_list_find(&word_list, "pct:"), -1);
	cr_expect_eq(name_list_find(&word_list, "pct"), -1);
	cr_expect_eq(name_list_find(&word_list, "pct:N"), -1);
	cr_expect_eq(name_list_find(&word_list, "cpus:3"), -1);
}

Test(items, counts_lines_and_trims)
{
	struct item_reader reader;

	items_begin(&reader, " a  b ;\n\n c;;d", 10, ';');
	cr_assert(items_next(&reader));
	cr_expect_str_eq(reader.item, "a b");
	cr_expect_eq(reader.item_line, 10);
	cr_assert(items_next(&reader));
	cr_expect_str_eq(reader.item, "c");
	cr_expect_eq(reader.item_line, 12);
	cr_assert(items_next(&reader));
	cr_expect_str_eq(reader.item, "");
	cr_expect_not(reader.last);
	cr_assert(items_next(&reader));
	cr_expect_str_eq(reader.item, "d");
	cr_expect(reader.last);
	cr_expect_not(items_next(&reader));
}

Test(items, an_item_that_does_not_fit_is_marked)
{
	char text[ITEM_SIZE + 1];
	struct item_reader reader;

	memset(text, 'x', ITEM_SIZE);
	text[ITEM_SIZE] = '\0';
	items_begin(&reader, text, 1, ',');
	cr_assert(items_next(&reader));
	cr_expect(reader.cut);
	items_begin(&reader, text + 1, 1, ',');
	cr_assert(items_next(&reader));
	cr_expect_not(reader.cut);
}

Test(cpulist, reads_and_writes)
{
	static const char *const lists[] = {"0", "0-3,8", "5,7,9-11", "0-1023", "1023"};
	struct cpu_list list;
	char text[CPULIST_TEXT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		cr_assert_null(cpulist_parse(lists[i], &list), "%s", lists[i]);
		cr_expect_str_eq(cpulist_format(&list, text, sizeof(text)), lists[i]);
	}
	cr_expect_null(cpulist_parse("8, 0-3", &list));
	cr_expect_str_eq(cpulist_format(&list, text, sizeof(text)), "0-3,8");
}

Test(cpulist, the_longest_lists_fit)
{
	/* Runs of one to five CPUs, with one CPU missing between them. */
	for (unsigned int run = 1; run <= 5; run++) {
		struct cpu_list list = {0};
		struct cpu_list again;
		char text[CPULIST_TEXT_SIZE];

		for (unsigned int cpu = 0; cpu < JOB_CPUS_MAX; cpu++) {
			if (cpu % (run + 1))
				list.bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
		}
		cpulist_format(&list, text, sizeof(text));
		cr_assert_null(cpulist_parse(text, &again));
		cr_expect_arr_eq(&again, &list, sizeof(list), "runs of %u", run);
	}
}

Test(cpulist, refuses_what_is_no_list)
{
	static const char *const bad[] = {
		"",    " ",   "a",    "1-",	"-1",  "1,,2", "1,",
		"3-1", "1;2", "1024", "0-1024", "1 2", "0x",   "99999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cpu_list list;

		cr_expect_not_null(cpulist_parse(bad[i], &list), "\"%s\" passes", bad[i]);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of options, the values that they take, and what a configuration comes to. */
#include "engine/types.h"
#include "stress/duration.h"
#include "stress/options.h"
#include "tests/stress_known_names.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct config config;
static struct error err;

static void begin(enum verb verb)
{
	config_init(&config, verb);
	err = (struct error){0};
}

static int set_from(enum option_id id, const char *value, enum origin origin)
{
	const struct option_source source = {origin, option_names.names[id], NULL};

	return option_set(&config, &test_names, id, value, &source, &err);
}

static int set(enum option_id id, const char *value)
{
	return set_from(id, value, ORIGIN_COMMAND_LINE);
}

Test(options, every_row_is_complete)
{
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		const struct option_row *row = &option_table[id];
		const char *name = option_names.names[id];

		cr_expect_not_null(row->help, "%s has no help", name);
		cr_expect(row->verbs, "%s is for no verb", name);
		cr_expect(row->argument || row->type == OPTION_FLAG, "%s has no argument", name);
		cr_expect(row->preset || row->preset_help, "%s has no default", name);
		cr_expect_lt(strlen(name), CONFIG_NAME_SIZE);
		cr_expect_eq(name_list_find(&option_names, name), (int)id, "%s stands twice", name);
	}
}

Test(options, every_preset_is_a_value_that_could_be_typed)
{
	for (enum verb verb = 0; verb < NR_VERBS; verb++) {
		for (enum option_id id = 0; id < NR_OPTIONS; id++) {
			const struct option_row *row = &option_table[id];
			char text[OPTION_TEXT_SIZE];

			if (!row->preset || !option_applies(id, verb))
				continue;
			begin(verb);
			option_text(&config, id, text, sizeof(text));
			cr_expect_eq(set(id, text), 0, "%s: %s", option_names.names[id], err.line);
			cr_expect_eq(config.origin[id], ORIGIN_COMMAND_LINE);
		}
	}
}

Test(options, values_read_back_as_they_are_written)
{
	static const struct {
		enum option_id id;
		const char *value;
		const char *text;
	} rows[] = {
		{OPT_CPUS, "64", "64"},
		{OPT_CPUS, "0x10", "16"},
		{OPT_PAGES, "64k", "65536"},
		{OPT_PAGES, "16M", "16777216"},
		{OPT_SEED, "0xffffffffffffffff", "18446744073709551615"},
		{OPT_SEED, "0", "0"},
		{OPT_DURATION, "120s", "2m"},
		{OPT_DURATION, "none", "none"},
		{OPT_ITERATIONS, "100", "100"},
		{OPT_UNTIL_FOUND, "yes", "yes"},
		{OPT_JOB, "mixed", "mixed"},
		{OPT_PROFILE, "v3.13", "v3.13"},
		{OPT_BUG, "flush-short, mask-late", "flush-short,mask-late"},
		{OPT_STRATEGY, "pct:3", "pct:3"},
		{OPT_MEMORY_MODEL, "tso", "tso"},
		{OPT_TABLE_FREE, "rcu", "rcu"},
		{OPT_TLB, "tiny", "tiny"},
		{OPT_STAT_INTERVAL, "5", "5s"},
		{OPT_AUDIT_INTERVAL, "500ms", "500ms"},
		{OPT_FAIL_ALLOC, "none", "none"},
		{OPT_FAIL_ALLOC, "pte:3, any:1/100", "pte:3,any:1/100"},
		{OPT_JSON, "out.json", "out.json"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[OPTION_TEXT_SIZE];

		begin(VERB_EXPLORE);
		cr_expect_eq(set(rows[i].id, rows[i].value), 0, "%s", err.line);
		option_text(&config, rows[i].id, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].text);
		cr_expect_eq(option_given(&config, rows[i].id), strcmp(text, "none") != 0);
	}
}

Test(options, bad_values_are_refused_with_what_would_be_right)
{
	static const struct {
		enum option_id id;
		const char *value;
		const char *line;
	} rows[] = {
		{OPT_CPUS, "0", "cpus: \"0\" is out of range; give 1 to 1024 CPUs"},
		{OPT_CPUS, "1025", "cpus: \"1025\" is out of range; give 1 to 1024 CPUs"},
		{OPT_CPUS, "4294967297",
		 "cpus: \"4294967297\" is out of range; give 1 to 1024 CPUs"},
		{OPT_CPUS, "", "cpus: \"\" is empty; give 1 to 1024 CPUs"},
		{OPT_CPUS, "4k",
		 "cpus: \"4k\" has something after the number; give 1 to 1024 CPUs"},
		{OPT_CPUS, "none", "cpus: \"none\" is not a number; give 1 to 1024 CPUs"},
		{OPT_PAGES, "63",
		 "pages: \"63\" is out of range; give 64 to 16777216 pages (k = 1024, M = 1024k)"},
		{OPT_PAGES, "17M",
		 "pages: \"17M\" is out of range; give 64 to 16777216 pages (k = 1024, M = 1024k)"},
		{OPT_SEED, "18446744073709551616",
		 "seed: \"18446744073709551616\" does not fit in 64 bits; give 0 to "
		 "18446744073709551615"},
		{OPT_SEED, "-1", "seed: \"-1\" is negative; give 0 to 18446744073709551615"},
		{OPT_DURATION, "10",
		 "duration: \"10\" has no unit; give a time like 45s, 5m, 3h or 2d, or none"},
		{OPT_DURATION, "0s",
		 "duration: \"0s\" is out of range; give 1ms to 3650d, or none"},
		{OPT_STAT_INTERVAL, "none",
		 "stat-interval: \"none\" is not a duration; give a time like 45s, 5m, 3h or 2d"},
		{OPT_STAT_INTERVAL, "0", "stat-interval: \"0\" is out of range; give 100ms to 1d"},
		{OPT_UNTIL_FOUND, "maybe",
		 "until-found: \"maybe\" is no known value; valid: no, yes"},
		{OPT_STRATEGY, "pc:3",
		 "strategy: \"pc\" is no known strategy; did you mean \"pct\"?"},
		{OPT_STRATEGY, "pct:x", "strategy: \"pct:x\": pct takes a digit"},
		{OPT_STRATEGY, "random:1", "strategy: \"random:1\": random takes no parameter"},
		{OPT_MEMORY_MODEL, "ts",
		 "memory-model: \"ts\" is no known memory model; did you mean \"tso\"?"},
		{OPT_TLB, "haswel", "tlb: \"haswel\" is no known TLB; did you mean \"haswell\"?"},
		{OPT_POLICY, "lazy",
		 "policy: \"lazy\" is no known policy; this version knows no policy"},
		{OPT_BUG, "flush-shrot",
		 "bug: \"flush-shrot\" is no known bug; did you mean \"flush-short\"?"},
		{OPT_BUG, "flush-short,flush-short",
		 "bug: flush-short is given twice; name each bug once"},
		{OPT_BUG, "flush-short,",
		 "bug: \"\" is no known bug; valid: flush-short, free-early, mask-late"},
		{OPT_FAIL_ALLOC, "pte",
		 "fail-alloc: \"pte\" is no rule; give SITE:N for the N-th allocation or "
		 "SITE:1/N for one in N"},
		{OPT_FAIL_ALLOC, "pte:1/0",
		 "fail-alloc: \"pte:1/0\" is out of range; give SITE:N for the N-th allocation or "
		 "SITE:1/N for one in N"},
		{OPT_FAIL_ALLOC, "vma:1,pet:3",
		 "fail-alloc: \"pet\" is no known allocation site; did you mean \"pte\"?"},
		{OPT_FAIL_ALLOC, "vma:1,vma:1",
		 "fail-alloc: vma:1 is given twice; name each allocation site once"},
		{OPT_JSON, "", "json: is empty; give the path of a file"},
		{OPT_JSON, "-",
		 "json: \"-\" would mix with what stands on the standard streams; give a file"},
		{OPT_TOPOLOGY, "/", "topology: / is a directory; give a file"},
		{OPT_TOPOLOGY, "/nonexistent.xml",
		 "topology: can't read /nonexistent.xml: No such file or directory; give a readable "
		 "file"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config before;

		begin(VERB_EXPLORE);
		before = config;
		cr_expect_eq(set(rows[i].id, rows[i].value), -1, "%s passes", rows[i].line);
		cr_expect_str_eq(err.line, rows[i].line);
		cr_expect_eq(err.status, 64);
		cr_expect_arr_eq(&config, &before, sizeof(config));
	}
}

Test(options, the_command_line_wins_over_the_job_and_that_over_the_default)
{
	begin(VERB_SOAK);
	cr_expect_eq(set_from(OPT_TLB, "tiny", ORIGIN_JOB), 0);
	cr_expect_str_eq(config.tlb, "tiny");
	cr_expect_eq(set(OPT_CPUS, "8"), 0);
	cr_expect_eq(set_from(OPT_CPUS, "16", ORIGIN_JOB), 0);
	cr_expect_eq(config.cpus, 8u);
	/* What doesn't count is checked all the same. */
	cr_expect_eq(set_from(OPT_CPUS, "0", ORIGIN_JOB), -1);
	cr_expect_eq(set(OPT_BUG, "mask-late"), 0);
	cr_expect_eq(set_from(OPT_BUG, "flush-short,free-early", ORIGIN_JOB), 0);
	cr_expect_eq(config.bugs.nr, 1u);
	cr_expect_str_eq(config.bugs.name[0], "mask-late");
}

Test(options, bugs_add_up_on_the_command_line)
{
	begin(VERB_SOAK);
	cr_expect_not(config_is_busted(&config));
	cr_expect_eq(set(OPT_BUG, "mask-late"), 0);
	cr_expect_eq(set(OPT_BUG, "flush-short"), 0);
	cr_expect_eq(config.bugs.nr, 2u);
	cr_expect(config_is_busted(&config));
	cr_expect_eq(set(OPT_BUG, "mask-late"), -1);
	cr_expect_eq(set(OPT_BUG, "none"), -1);
	cr_expect_eq(config.bugs.nr, 2u);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_BUG, "none"), 0);
	cr_expect_eq(set(OPT_BUG, "mask-late"), -1);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_PROFILE, "v3.13"), 0);
	cr_expect(config_is_busted(&config));
}

Test(options, relative_paths_start_where_the_person_was)
{
	const struct option_source source = {ORIGIN_COMMAND_LINE, "--json", "/home/somebody"};
	char path[CONFIG_PATH_SIZE];
	char long_path[CONFIG_PATH_SIZE];

	begin(VERB_SOAK);
	cr_expect_eq(option_set(&config, &test_names, OPT_JSON, "out.json", &source, &err), 0);
	cr_expect_str_eq(config.json, "/home/somebody/out.json");
	begin(VERB_SOAK);
	cr_expect_eq(option_set(&config, &test_names, OPT_JSON, "/tmp/o", &source, &err), 0);
	cr_expect_str_eq(config.json, "/tmp/o");
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	cr_expect_eq(path_resolve(path, sizeof(path), "/home", long_path, "--json", &err), -1);
	cr_expect_eq(path_resolve(path, sizeof(path), NULL, long_path, "--json", &err), 0);
}

/* "  --NAME" and no longer name. */
static bool help_has(const char *text, const char *name)
{
	char start[CONFIG_NAME_SIZE + 8];

	snprintf(start, sizeof(start), "  --%s", name);
	for (const char *at = strstr(text, start); at; at = strstr(at + 1, start)) {
		if (at[strlen(start)] == ' ' || at[strlen(start)] == '\n')
			return true;
	}
	return false;
}

Test(options, help_shows_every_option_of_the_verb)
{
	for (enum verb verb = 0; verb < NR_VERBS; verb++) {
		char *text = NULL;
		size_t length;
		FILE *out = open_memstream(&text, &length);

		options_help(out, verb);
		fclose(out);
		for (enum option_id id = 0; id < NR_OPTIONS; id++) {
			const char *name = option_names.names[id];

			cr_expect_eq(help_has(text, name), option_applies(id, verb), "--%s in %s",
				     name, verb_names.names[verb]);
		}
		for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
			cr_expect_leq(strcspn(line, "\n"), 100u);
		free(text);
	}
}

static int resolve(void)
{
	return config_resolve(&config, &test_host, &err);
}

Test(config, cpus_follow_the_host_but_not_when_exploring)
{
	struct host_facts large = test_host;

	begin(VERB_SOAK);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.cpus, 4u);
	large.pus = 24;
	begin(VERB_SOAK);
	cr_expect_eq(config_resolve(&config, &large, &err), 0);
	cr_expect_eq(config.cpus, 48u);
	large.pus = 4096;
	begin(VERB_SOAK);
	cr_expect_eq(config_resolve(&config, &large, &err), 0);
	cr_expect_eq(config.cpus, 1024u);
	begin(VERB_EXPLORE);
	cr_expect_eq(config_resolve(&config, &large, &err), 0);
	cr_expect_eq(config.cpus, 4u);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_CPUS, "3"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.cpus, 3u);
}

Test(config, a_seed_that_is_not_given_is_drawn)
{
	begin(VERB_SOAK);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.seed, test_host.seed);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_SEED, "0"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.seed, 0u);
}

Test(config, a_run_ends_after_ten_seconds_unless_something_else_ends_it)
{
	begin(VERB_SOAK);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.duration_ns, 10 * NSEC_PER_SEC);
	begin(VERB_EXPLORE);
	cr_expect_eq(set(OPT_ITERATIONS, "5"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.duration_ns, 0u);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_UNTIL_FOUND, "yes"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.duration_ns, 0u);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_DURATION, "none"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.duration_ns, 0u);
	begin(VERB_SOAK);
	cr_expect_eq(set(OPT_UNTIL_FOUND, "yes"), 0);
	cr_expect_eq(set(OPT_DURATION, "3s"), 0);
	cr_expect_eq(resolve(), 0);
	cr_expect_eq(config.duration_ns, 3 * NSEC_PER_SEC);
}

Test(config, more_pages_than_memory_are_refused)
{
	struct host_facts small = test_host;

	small.memory_bytes = UINT64_C(65536) * 256;
	begin(VERB_SOAK);
	cr_expect_eq(config_resolve(&config, &small, &err), 0, "%s", err.line);
	small.memory_bytes--;
	begin(VERB_SOAK);
	cr_expect_eq(config_resolve(&config, &small, &err), -1);
	cr_expect_str_eq(err.line,
			 "--pages: 65536 pages take 16 MiB of this host's 15 MiB; give at "
			 "most 65535");
	cr_expect_eq(err.status, 64);
}

Test(config, two_results_need_two_files)
{
	begin(VERB_EXPLORE);
	cr_expect_eq(set(OPT_JSON, "/tmp/same"), 0);
	cr_expect_eq(set(OPT_SCHEDULE, "/tmp/same"), 0);
	cr_expect_eq(resolve(), -1);
	cr_expect_str_eq(err.line, "--schedule: is the same file as --json; give another one");
}

Test(config, this_host_has_facts)
{
	struct host_facts a, b;

	cr_assert_eq(host_facts_read(&a, &err), 0, "%s", err.line);
	cr_assert_eq(host_facts_read(&b, &err), 0);
	cr_expect_geq(a.pus, 1u);
	cr_expect_leq(a.pus, (unsigned int)sysconf(_SC_NPROCESSORS_CONF));
	cr_expect_gt(a.memory_bytes, UINT64_C(1) << 20);
	cr_expect_neq(a.seed, b.seed);
}

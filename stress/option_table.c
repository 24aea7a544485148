// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/options.h"

#include "engine/types.h"
#include "mm/mmu_gather.h"
#include "stress/duration.h"
#include "stress/fail_alloc_rule.h"

#define SOAK VERB_BIT(VERB_SOAK)
#define EXPLORE VERB_BIT(VERB_EXPLORE)
#define REPLAY VERB_BIT(VERB_REPLAY)
#define MINIMIZE VERB_BIT(VERB_MINIMIZE)
#define BUGS VERB_BIT(VERB_BUGS)
#define BENCH VERB_BIT(VERB_BENCH)
#define TOPOLOGY VERB_BIT(VERB_TOPOLOGY)

/* In the order of enum memory_model. */
static const char *const memory_models[] = {"sc", "tso"};
static const struct name_list memory_model_list = {"memory model", memory_models,
						   ARRAY_SIZE(memory_models)};

/* In the order of enum table_free. */
static const char *const table_frees[] = {"ipi", "rcu"};
static const struct name_list table_free_list = {"way of freeing page tables", table_frees,
						 ARRAY_SIZE(table_frees)};

/* In the order of enum programs. */
static const char *const program_sources[] = {"job", "random"};
static const struct name_list programs_list = {"source of programs", program_sources,
					       ARRAY_SIZE(program_sources)};

/* The presets below, as text. */
_Static_assert(MMU_GATHER_BUNDLE == 8 && MAX_GATHER_BATCH_COUNT == 19,
	       "the presets are the kernel's");

#define FIELD(field) .offset = offsetof(struct config, field)
#define LIST(list) .list_offset = offsetof(struct known_names, list)

const struct option_row option_table[NR_OPTIONS] = {
	[OPT_JOB] =
		{
			.argument = "NAME|FILE.ini",
			.type = OPTION_JOB,
			FIELD(job_name),
			.preset = "default",
			.verbs = SOAK | EXPLORE,
			.help = "what the tasks do: a shipped job, or a job file",
		},
	[OPT_CPUS] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(cpus),
			.min = 1,
			.max = JOB_CPUS_MAX,
			.unit = "CPUs",
			.in_job = true,
			.preset_help = "twice the host's processing units, at least 4; explore: 4",
			.verbs = SOAK | EXPLORE | TOPOLOGY,
			.help = "emulated CPUs",
		},
	[OPT_PAGES] =
		{
			.argument = "N",
			.type = OPTION_COUNT64,
			FIELD(pages),
			.min = 64,
			.max = JOB_PAGES_MAX,
			.scaled = true,
			.unit = "pages",
			.in_job = true,
			.preset = "64k",
			.verbs = SOAK | EXPLORE,
			.help = "physical memory of the machine, in frames of 4 KiB",
		},
	[OPT_SEED] =
		{
			.argument = "U64",
			.type = OPTION_COUNT64,
			FIELD(seed),
			.min = 0,
			.max = UINT64_MAX,
			.in_job = true,
			.preset_help = "drawn, and shown",
			.verbs = SOAK | EXPLORE | BENCH,
			.help = "where all chance comes from, decimal or 0x",
		},
	[OPT_DURATION] =
		{
			.argument = "TIME",
			.type = OPTION_DURATION,
			FIELD(duration_ns),
			.min = NSEC_PER_MSEC,
			.max = 3650 * NSEC_PER_DAY,
			.none = true,
			.in_job = true,
			.preset_help = "10s; none with --iterations or --until-found",
			.verbs = SOAK | EXPLORE | MINIMIZE,
			.help = "end after this time, like " DURATION_SYNTAX "; none: never",
		},
	[OPT_ITERATIONS] =
		{
			.argument = "N",
			.type = OPTION_COUNT64,
			FIELD(iterations),
			.min = 1,
			.max = UINT64_C(1000000000000000),
			.unit = "schedules",
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = EXPLORE,
			.help = "end after this many schedules",
		},
	[OPT_UNTIL_FOUND] =
		{
			.type = OPTION_FLAG,
			FIELD(until_found),
			.in_job = true,
			.preset = "no",
			.verbs = SOAK | EXPLORE,
			.help = "go on until something is found, if need be for ever",
		},
	[OPT_PROFILE] =
		{
			.argument = "NAME",
			.type = OPTION_NAME,
			FIELD(profile),
			LIST(profiles),
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | EXPLORE,
			.help = "plant the bugs that this kernel version had",
		},
	[OPT_BUG] =
		{
			.argument = "SLUG",
			.type = OPTION_NAMES,
			FIELD(bugs),
			LIST(bugs),
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | EXPLORE,
			.help = "plant this bug, see `mmtorture bugs list`; may be repeated",
		},
	[OPT_PROGRAMS] =
		{
			.argument = "NAME",
			.type = OPTION_CHOICE,
			FIELD(programs),
			.choices = &programs_list,
			.in_job = true,
			.preset = "job",
			.verbs = EXPLORE,
			.help = "the job's operations, or random small programs, another one every few "
				"schedules",
		},
	[OPT_STRATEGY] =
		{
			.argument = "NAME[:PARAMETER]",
			.type = OPTION_STRATEGY,
			FIELD(strategy),
			LIST(strategies),
			.in_job = true,
			.preset = "random",
			.verbs = EXPLORE,
			.help = "how schedules are chosen",
		},
	[OPT_MEMORY_MODEL] =
		{
			.argument = "NAME",
			.type = OPTION_CHOICE,
			FIELD(memory_model),
			.choices = &memory_model_list,
			.in_job = true,
			.preset = "sc",
			.verbs = EXPLORE,
			.help = "sequential consistency, or x86's store buffers",
		},
	[OPT_MAX_STEPS] =
		{
			.argument = "N",
			.type = OPTION_COUNT64,
			FIELD(max_steps),
			.min = 100,
			.max = UINT64_C(1000000000000),
			.unit = "decision points",
			.in_job = true,
			.preset = "50000000",
			.verbs = EXPLORE,
			.help = "decision points of a schedule before it counts as making no progress",
		},
	[OPT_POLICY] =
		{
			.argument = "NAME",
			.type = OPTION_NAME,
			FIELD(policy),
			LIST(policies),
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | EXPLORE,
			.help = "flush policy of the emulated kernel; none: its own",
		},
	[OPT_TABLE_FREE] =
		{
			.argument = "NAME",
			.type = OPTION_CHOICE,
			FIELD(table_free),
			.choices = &table_free_list,
			.in_job = true,
			.preset = "ipi",
			.verbs = SOAK | EXPLORE,
			.help = "what makes freeing page tables safe: the flush's interrupts, or RCU",
		},
	[OPT_ONLY_OPERATIONS] =
		{
			.type = OPTION_FLAG,
			FIELD(only_operations),
			.in_job = true,
			.preset = "no",
			.verbs = EXPLORE,
			.help = "a schedule is the operations alone: neither how their tasks come to "
				"run nor how they exit is explored",
		},
	[OPT_WRITE_NOTIFY] =
		{
			.type = OPTION_FLAG,
			FIELD(write_notify),
			.in_job = true,
			.preset = "yes",
			.verbs = SOAK | EXPLORE,
			.help = "files are mapped read-only until a fault has noticed the first write, as on "
				"disk file systems; no: dirty bits alone tell, as on tmpfs",
		},
	[OPT_GATHER_BUNDLE] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(gather_bundle),
			.min = 1,
			.max = MMU_GATHER_BUNDLE,
			.unit = "pages",
			.in_job = true,
			.preset = "8",
			.verbs = SOAK | EXPLORE,
			.help = "pages that a gather holds before it needs another batch",
		},
	[OPT_GATHER_BATCHES] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(gather_batches),
			.min = 0,
			.max = MAX_GATHER_BATCH_COUNT,
			.unit = "batches",
			.in_job = true,
			.preset = "19",
			.verbs = SOAK | EXPLORE,
			.help = "further batches of a gather before it is full and must be flushed",
		},
	[OPT_FAIL_ALLOC] =
		{
			.argument = "SITE:N|SITE:1/N",
			.type = OPTION_FAILING,
			FIELD(fail_alloc),
			.choices = &alloc_site_list,
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | EXPLORE,
			.help = "the N-th allocation at SITE fails, or one in N (explore: those that the "
				"strategy wants), once the tasks are set up; may be repeated; sites",
		},
	[OPT_TLB] =
		{
			.argument = "NAME",
			.type = OPTION_NAME,
			FIELD(tlb),
			LIST(tlbs),
			.in_job = true,
			.preset = "haswell",
			.preset_explore = "tiny",
			.verbs = SOAK | EXPLORE,
			.help = "sizes of the TLB, by the CPU that has them",
		},
	[OPT_TOPOLOGY] =
		{
			.argument = "FILE.xml",
			.type = OPTION_PATH_IN,
			FIELD(topology),
			.none = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | TOPOLOGY,
			.help = "place CPUs as on the host that this hwloc XML describes",
		},
	[OPT_NO_BIND] =
		{
			.type = OPTION_FLAG,
			FIELD(no_bind),
			.in_job = true,
			.preset = "no",
			.verbs = SOAK | EXPLORE | BENCH | TOPOLOGY,
			.help = "leave it to the host's scheduler where threads run",
		},
	[OPT_STAT_INTERVAL] =
		{
			.argument = "TIME",
			.type = OPTION_DURATION,
			FIELD(stat_interval_ns),
			.min = 100 * NSEC_PER_MSEC,
			.max = NSEC_PER_DAY,
			.plain_seconds = true,
			.in_job = true,
			.preset = "1s",
			.verbs = SOAK | EXPLORE,
			.help = "time between two progress lines; a plain number counts seconds",
		},
	[OPT_AUDIT_INTERVAL] =
		{
			.argument = "TIME",
			.type = OPTION_DURATION,
			FIELD(audit_interval_ns),
			.min = 10 * NSEC_PER_MSEC,
			.max = 30 * NSEC_PER_DAY,
			.none = true,
			.plain_seconds = true,
			.in_job = true,
			.preset = OPTION_NONE,
			.verbs = SOAK,
			.help = "stop the machine this often for a full audit; there is always one at the "
				"end",
		},
	[OPT_REPETITIONS] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(repetitions),
			.min = 1,
			.max = 1000,
			.unit = "repetitions",
			.preset = "7",
			.verbs = BENCH,
			.help = "pairs of samples of each measure, emulated and host in turn",
		},
	[OPT_WORKERS] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(workers),
			.min = 1,
			.max = EXPLORE_WORKERS_MAX,
			.unit = "workers",
			.preset_help = "the host's processing units",
			.verbs = EXPLORE | BUGS,
			.help = "machines that explore side by side, a host thread each",
		},
	[OPT_FINDINGS] =
		{
			.argument = "N",
			.type = OPTION_COUNT,
			FIELD(findings),
			.min = 1,
			.max = EXPLORE_FINDINGS_MAX,
			.unit = "findings",
			.preset = "1",
			.verbs = EXPLORE,
			.help = "go on until so many violations were found that differ in invariant or "
				"place",
		},
	[OPT_MINIMIZE] =
		{
			.type = OPTION_FLAG,
			FIELD(minimize),
			.preset = "yes",
			.verbs = EXPLORE,
			.help = "make the schedule of a violation small before it is shown",
		},
	[OPT_FULL] =
		{
			.type = OPTION_FLAG,
			FIELD(full),
			.preset = "no",
			.verbs = EXPLORE | REPLAY | MINIMIZE,
			.help = "explain a violation with every step of its schedule",
		},
	[OPT_TRACE] =
		{
			.argument = "FILE",
			.type = OPTION_PATH_OUT,
			FIELD(trace),
			.none = true,
			.preset = OPTION_NONE,
			.verbs = EXPLORE | REPLAY | MINIMIZE,
			.help = "write the violation's schedule as a trace: FILE.json for Chrome and "
				"Perfetto, else the text that ftrace writes",
		},
	[OPT_TABLE] =
		{
			.type = OPTION_FLAG,
			FIELD(table),
			.preset = "no",
			.verbs = BUGS,
			.help = "check: how long each strategy takes, the median over many seeds",
		},
	[OPT_SCHEDULE] =
		{
			.argument = "FILE",
			.type = OPTION_PATH_OUT,
			FIELD(schedule),
			.none = true,
			.preset = OPTION_NONE,
			.verbs = EXPLORE | MINIMIZE,
			.help = "where to write the schedule of a violation; none: a name in the current "
				"directory",
		},
	[OPT_JSON] =
		{
			.argument = "FILE",
			.type = OPTION_PATH_OUT,
			FIELD(json),
			.none = true,
			.preset = OPTION_NONE,
			.verbs = SOAK | EXPLORE | REPLAY | MINIMIZE | BENCH | TOPOLOGY,
			.help = "write the results as one JSON document",
		},
};

static const char *const option_name_table[NR_OPTIONS] = {
#define OPTION_NAME_ROW(id, name) [id] = name,
	CONFIG_OPTIONS(OPTION_NAME_ROW)
#undef OPTION_NAME_ROW
};

const struct name_list option_names = {"option", option_name_table, NR_OPTIONS};

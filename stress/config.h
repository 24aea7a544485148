// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration of a run: what the command line, the job file and the defaults come to.
 *
 * Structure. One struct config holds everything that a verb may ask; options.h has the table that
 * says which option fills which field, its range, unit and default. Values are plain data, copied
 * in: nothing points into argv or into a job file's text. What it owns on the heap (`job`,
 * `command`) is freed by config_destroy().
 *
 * Precedence. The command line wins over the job file's [global] section, that wins over the
 * defaults; `origin` says for each option which of them it was.
 *
 * Life. config_init() sets the defaults of a verb; cli_parse() sets what was given and reads the
 * job; config_resolve() fills in what depends on the host or on other options and refuses what
 * can't be. After that the configuration never changes and any thread may read it.
 *
 * Units: pages of 4 KiB, nanoseconds for all durations. For durations and counts that may be
 * absent, 0 means none. Paths are absolute where BUILD_WORKING_DIRECTORY told from where, else as
 * they were typed.
 */
#ifndef STRESS_CONFIG_H
#define STRESS_CONFIG_H

#include "stress/error.h"
#include "stress/job.h"
#include "stress/nearest.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_PATH_SIZE 4096 /* PATH_MAX of Linux */
#define CONFIG_NAME_SIZE 64
#define CONFIG_NAMES_MAX 64 /* bugs planted, measures asked for */

#define EXPLORE_WORKERS_MAX 256
#define EXPLORE_FINDINGS_MAX 64

/* Host memory behind one emulated frame, all its bookkeeping included. */
#define CONFIG_BYTES_PER_PAGE 256

enum verb {
	VERB_SOAK,
	VERB_EXPLORE,
	VERB_REPLAY,
	VERB_MINIMIZE,
	VERB_BUGS,
	VERB_BENCH,
	VERB_TOPOLOGY,
	NR_VERBS,
};

/* Options by name: on the command line with two dashes, in a job file without. */
#define CONFIG_OPTIONS(X)                                                                          \
	X(OPT_JOB, "job")                                                                          \
	X(OPT_CPUS, "cpus")                                                                        \
	X(OPT_PAGES, "pages")                                                                      \
	X(OPT_SEED, "seed")                                                                        \
	X(OPT_DURATION, "duration")                                                                \
	X(OPT_ITERATIONS, "iterations")                                                            \
	X(OPT_UNTIL_FOUND, "until-found")                                                          \
	X(OPT_PROFILE, "profile")                                                                  \
	X(OPT_BUG, "bug")                                                                          \
	X(OPT_PROGRAMS, "programs")                                                                \
	X(OPT_STRATEGY, "strategy")                                                                \
	X(OPT_MEMORY_MODEL, "memory-model")                                                        \
	X(OPT_MAX_STEPS, "max-steps")                                                              \
	X(OPT_ONLY_OPERATIONS, "only-operations")                                                  \
	X(OPT_POLICY, "policy")                                                                    \
	X(OPT_TABLE_FREE, "table-free")                                                            \
	X(OPT_WRITE_NOTIFY, "write-notify")                                                        \
	X(OPT_GATHER_BUNDLE, "gather-bundle")                                                      \
	X(OPT_GATHER_BATCHES, "gather-batches")                                                    \
	X(OPT_FAIL_ALLOC, "fail-alloc")                                                            \
	X(OPT_TLB, "tlb")                                                                          \
	X(OPT_TOPOLOGY, "topology")                                                                \
	X(OPT_NO_BIND, "no-bind")                                                                  \
	X(OPT_STAT_INTERVAL, "stat-interval")                                                      \
	X(OPT_AUDIT_INTERVAL, "audit-interval")                                                    \
	X(OPT_REPETITIONS, "repetitions")                                                          \
	X(OPT_WORKERS, "workers")                                                                  \
	X(OPT_FINDINGS, "findings")                                                                \
	X(OPT_MINIMIZE, "minimize")                                                                \
	X(OPT_FULL, "full")                                                                        \
	X(OPT_TRACE, "trace")                                                                      \
	X(OPT_TABLE, "table")                                                                      \
	X(OPT_SCHEDULE, "schedule")                                                                \
	X(OPT_JSON, "json")

enum option_id {
#define CONFIG_OPTION_ID(id, name) id,
	CONFIG_OPTIONS(CONFIG_OPTION_ID)
#undef CONFIG_OPTION_ID
		NR_OPTIONS,
};

enum origin { ORIGIN_DEFAULT, ORIGIN_JOB, ORIGIN_COMMAND_LINE };

enum memory_model { MEMORY_MODEL_SC, MEMORY_MODEL_TSO };
enum programs { PROGRAMS_JOB, PROGRAMS_RANDOM };
enum table_free { TABLE_FREE_IPI, TABLE_FREE_RCU };

/* Names that an option collects. */
struct name_set {
	unsigned int nr;
	char name[CONFIG_NAMES_MAX][CONFIG_NAME_SIZE];
};

/* What the host has, as far as defaults and limits depend on it. */
struct host_facts {
	unsigned int pus;      /* processing units that this process may run on */
	uint64_t memory_bytes; /* physical memory */
	uint64_t seed;	       /* fresh entropy */
};

/* The names that only the parts further down know. An empty list refuses every name. */
struct known_names {
	struct name_list bugs;
	struct name_list profiles;
	struct name_list strategies;
	struct name_list policies;
	struct name_list tlbs;
	struct name_list measures; /* of bench */
	/* What is wrong with a strategy's parameter, or NULL (engine/strategy.h). */
	const char *(*strategy_refusal)(const char *text);
};

struct config {
	enum verb verb;
	enum origin origin[NR_OPTIONS];

	/* The machine. */
	unsigned int cpus;
	uint64_t pages;
	uint64_t seed;
	char policy[CONFIG_NAME_SIZE];
	char tlb[CONFIG_NAME_SIZE];
	enum table_free table_free;
	bool write_notify;		 /* address_space.account_dirty of the job's files */
	unsigned int gather_bundle;	 /* pages in an mmu_gather's first batch */
	unsigned int gather_batches;	 /* further batches that it may have */
	struct name_set fail_alloc;	 /* rules (fail_alloc_rule.h), as they were typed */
	char topology[CONFIG_PATH_SIZE]; /* hwloc XML of another host; "": this host */
	bool no_bind;

	/* What is wrong with it on purpose. */
	char profile[CONFIG_NAME_SIZE]; /* "": none */
	struct name_set bugs;

	/* What runs on it, and for how long. */
	char job_name[CONFIG_PATH_SIZE]; /* as given: a shipped job's name or a file */
	struct job job;			 /* of soak and explore; else empty */
	uint64_t duration_ns;
	uint64_t iterations;
	bool until_found;

	/* How schedules are chosen. */
	enum programs programs; /* whose operations: the job's, or drawn for each schedule */
	unsigned int workers;	/* machines that explore side by side */
	unsigned int findings;	/* different violations to look for before it ends */
	bool minimize;		/* what was found is made small before it is shown */
	bool minimizes;		/* of a configuration read from a schedule file: the verb minimize
				   has read it, not replay */
	char strategy[CONFIG_NAME_SIZE]; /* with its parameter: "pct:3" */
	enum memory_model memory_model;
	uint64_t max_steps;
	bool only_operations; /* a schedule ends when all programs are through */

	/* What is looked at, and where it is written. */
	bool full;		      /* explain every step */
	bool table;		      /* bugs check: the strategies side by side */
	char trace[CONFIG_PATH_SIZE]; /* "": none */
	uint64_t stat_interval_ns;
	uint64_t audit_interval_ns;
	char json[CONFIG_PATH_SIZE];	 /* "": none */
	char schedule[CONFIG_PATH_SIZE]; /* where a schedule is written; "": the verb's own choice
					  */

	/* Arguments that are not options. */
	char file[CONFIG_PATH_SIZE];   /* replay, minimize: the schedule file to read */
	char action[CONFIG_NAME_SIZE]; /* bugs: "list", "check" */
	struct name_set measures;      /* bench: empty means all */
	unsigned int repetitions;

	char **command; /* the argument list with the program's name, NULL-terminated */
};

/* The names of the verbs, in the order of enum verb. */
extern const struct name_list verb_names;

/* Sets the defaults of @verb. The rest is empty; config_destroy() is due. */
void config_init(struct config *config, enum verb verb);

/* Frees what @config owns. Harmless on a config of zeroes, and twice. */
void config_destroy(struct config *config);

/* Copies the argument list into @config. Returns 0, or -1 with @err filled. */
int config_keep_command(struct config *config, int argc, char *const argv[], struct error *err);

/* Makes @recorded, which a schedule file has told, the configuration of the command @config: its
 * words, its file, and where it writes. The job's text is in the schedule file; where it once came
 * from is not known: the file's name stands for it. Returns 0, or -1 with @err filled. */
int config_adopt_command(struct config *recorded, const struct config *config, struct error *err);

/* Asks the host. Returns 0, or -1 with @err filled (no source of entropy). */
int host_facts_read(struct host_facts *facts, struct error *err);

/*
 * Fills in what depends on the host or on other options: CPUs, seed, duration; and refuses what
 * can't be: more pages than memory, a CPU of the job that the machine has not, a job that does
 * not fit. Returns 0, or -1 with @err filled. A job must have been read by now.
 */
int config_resolve(struct config *config, const struct host_facts *facts, struct error *err);

/*
 * What the run is called. The configuration of replay and minimize is the one that explore had,
 * read from a schedule file: explore itself takes no file.
 */
static inline const char *config_run_name(const struct config *config)
{
	enum verb reader = config->minimizes ? VERB_MINIMIZE : VERB_REPLAY;

	return verb_names
		.names[config->verb == VERB_EXPLORE && config->file[0] ? reader : config->verb];
}

/* Whether bugs are planted: the run is BUSTED. */
static inline bool config_is_busted(const struct config *config)
{
	return config->bugs.nr > 0 || config->profile[0] != '\0';
}

#endif

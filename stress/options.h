// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one table of options. It serves the command line (--name VALUE), the [global] section of
 * job files (name = VALUE), --help, the banner and the JSON document's `config`.
 *
 * Structure. A row says which field of struct config the option fills (offset), what its values
 * are (type, range, suffixes, list of names), its default, the verbs that it applies to, and
 * whether a job file may set it. Everything else here reads the table; adding an option means a
 * field in config.h, an id, and a row.
 *
 * A job file may set options that the verb of the day has no use for, since one job serves soak
 * and explore: their values are checked, kept, and named in the banner as not used.
 *
 * Constant data; no locks. Errors: see error.h.
 */
#ifndef STRESS_OPTIONS_H
#define STRESS_OPTIONS_H

#include "stress/config.h"

#include <stdio.h>

#define VERB_BIT(verb) (1u << (verb))

/* The value of an option that is absent. */
#define OPTION_NONE "none"

/* What an option's value is, and the type of its field. */
enum option_type {
	OPTION_FLAG,	 /* bool; yes or no, on the command line the name alone will do */
	OPTION_COUNT,	 /* unsigned int, min to max */
	OPTION_COUNT64,	 /* uint64_t, min to max */
	OPTION_DURATION, /* uint64_t in ns, min to max */
	OPTION_CHOICE,	 /* unsigned int, the index in a list that is fixed */
	OPTION_NAME,	 /* char[CONFIG_NAME_SIZE], of a list in struct known_names */
	OPTION_STRATEGY, /* char[CONFIG_NAME_SIZE], a name of a list, perhaps with :PARAMETER */
	OPTION_NAMES,	 /* struct name_set, likewise; repeatable, or separated by commas */
	OPTION_FAILING,	 /* struct name_set of rules (fail_alloc_rule.h), given like names */
	OPTION_JOB,	 /* char[CONFIG_PATH_SIZE], a shipped job or a path */
	OPTION_PATH_IN,	 /* char[CONFIG_PATH_SIZE], a file that must be readable */
	OPTION_PATH_OUT, /* char[CONFIG_PATH_SIZE], a file that will be written */
};

struct option_row {
	const char *argument; /* what --help calls the value; NULL for a flag */
	enum option_type type;
	size_t offset; /* of the field in struct config */
	uint64_t min;
	uint64_t max;
	bool scaled;	    /* k and M are understood, as powers of 1024 */
	bool plain_seconds; /* a duration may lack its unit */
	bool none;	    /* "none" is a value: 0, or empty */
	bool in_job;	    /* the [global] section may set it */
	const char *unit;   /* of a count, in the plural; NULL where the name says it */
	const struct name_list *choices; /* OPTION_CHOICE */
	size_t list_offset; /* OPTION_NAME, _STRATEGY, _NAMES: the list in struct known_names */
	const char *preset; /* the default, as it would be typed; NULL: config_resolve()'s */
	const char *preset_explore; /* the default of explore where it is another one */
	const char *preset_help;    /* the default in words, where it is not a value */
	unsigned int verbs;	    /* VERB_BIT() of each verb that it applies to */
	const char *help;
};

/* Where a value came from. */
struct option_source {
	enum origin origin;
	const char *place;     /* begins error messages: "--cpus", "JOB.ini:3: cpus" */
	const char *directory; /* relative paths start here; NULL: the current directory */
};

/* option_table.c */
extern const struct option_row option_table[NR_OPTIONS];

/* The names of all options, in the order of enum option_id. */
extern const struct name_list option_names;

/* Whether option @id means something to @verb. */
bool option_applies(enum option_id id, enum verb verb);

/* Sets all options of @config to the defaults of its verb. */
void options_preset(struct config *config);

/*
 * Checks @value and stores it, unless something stronger than @source has set the option already
 * (then it is only checked). Returns 0, or -1 with @err filled.
 */
int option_set(struct config *config, const struct known_names *names, enum option_id id,
	       const char *value, const struct option_source *source, struct error *err);

/* Room for any option's value as text, all names of a name_set included. */
#define OPTION_TEXT_SIZE (CONFIG_NAMES_MAX * CONFIG_NAME_SIZE)

/*
 * Writes the value of option @id as it could be typed; "none" for what is absent. Returns @text.
 */
const char *option_text(const struct config *config, enum option_id id, char *text, size_t size);

/* Whether the option has a value: false where option_text() says "none". */
bool option_given(const struct config *config, enum option_id id);

/*
 * Joins @path to @directory unless it is absolute or @directory is NULL. Returns 0, or -1 with
 * @err filled, whose line begins with @place.
 */
int path_resolve(char *resolved, size_t size, const char *directory, const char *path,
		 const char *place, struct error *err);

/*
 * Insists that @path is a file that can be opened for reading, so that a slip is known before the
 * run. Returns 0, or -1 with @err filled, whose line begins with @place.
 */
int path_check_readable(const char *path, const char *place, struct error *err);

/* Writes the part of --help that lists the options of @verb. */
void options_help(FILE *out, enum verb verb);

#endif

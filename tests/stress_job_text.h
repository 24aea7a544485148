// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads a job from a text, with the names of stress_known_names.h, as if it were the file t.ini. */
#ifndef TESTS_STRESS_JOB_TEXT_H
#define TESTS_STRESS_JOB_TEXT_H

#include "stress/jobfile.h"
#include "tests/stress_known_names.h"

#include <string.h>

/* @config is destroyed and made anew: at first it is zeroed, in the end the caller destroys it. */
static inline int job_from_bytes(struct config *config, struct error *err, enum verb verb,
				 const char *text, size_t length)
{
	const struct jobfile_text job = {
		.text = text,
		.length = length,
		.file = "t.ini",
		.first_line = 1,
		.name = "t",
	};

	config_destroy(config);
	config_init(config, verb);
	*err = (struct error){0};
	return jobfile_parse(config, &test_names, &job, err);
}

static inline int job_from_text(struct config *config, struct error *err, const char *text)
{
	return job_from_bytes(config, err, VERB_SOAK, text, strlen(text));
}

#endif

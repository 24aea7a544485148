// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: whatever a schedule file says, reading it ends in a refusal or in a schedule
 * that can be written and read again as the same; and if its job is a small one, replaying it ends
 * as well.
 *
 * An input is the file without its first two lines (format and version) and without its last one
 * (the checksum): the target puts them there, for by chance no fuzzer gets beyond them, and the
 * corpus stays good when the version changes.
 *
 * Built and run by tests/fuzz/run. With FUZZ_CANARY in the environment the target has a fault of
 * its own, a read behind the end of an allocation for each input that is accepted: what a run must
 * report to be trusted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stress/explored.h"
#include "stress/schedule.h"
#include "stress/schedule_text.h"
#include "stress/verbs.h"
#include "stress/version.h"

/* What is replayed: a machine that is built at once, a run that is over at once. */
#define CPUS_MOST 4
#define PAGES_MOST 512
#define TASKS_MOST 8
#define STEPS_MOST 5000

#define FILE_NAME "fuzz"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Always the same host. */
static const struct host_facts host = {.pus = 2, .memory_bytes = UINT64_C(1) << 33, .seed = 1};

static __attribute__((noreturn)) void failed(const char *what, const char *text)
{
	fprintf(stderr, "%s:\n%s\n", what, text);
	abort();
}

/* The whole file around @data: malloc'ed, with a NUL behind its *@length bytes. */
static char *whole_file(const uint8_t *data, size_t size, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		abort();
	fprintf(out, "mmtorture-schedule %d\nversion: " MMTORTURE_VERSION "\n", SCHEDULE_FORMAT);
	fwrite(data, 1, size, out);
	fflush(out);
	fprintf(out, "checksum: %016" PRIx64 "\n", schedule_text_checksum(text, *length));
	if (fclose(out))
		abort();
	return text;
}

/* 0 if it is accepted; then @s and @config are to be destroyed, else @config only. */
static int read_text(const char *text, size_t length, struct schedule *s, struct config *config)
{
	struct known_names names = {0};
	struct error err = {0};
	int ret;

	verbs_known_names(&names);
	config_init(config, VERB_EXPLORE);
	ret = schedule_text_read(text, length, FILE_NAME, s, config, &names, &err);
	if (ret && (!err.status || !err.line[0]))
		failed("refused without a word", text);
	if (!ret && config_resolve(config, &host, &err)) {
		schedule_destroy(s);
		ret = -1;
	}
	return ret;
}

static void read_again(const struct config *config, const struct schedule *s)
{
	struct config *config2 = calloc(1, sizeof(*config2));
	struct schedule s2;
	size_t length, length2;
	char *text = schedule_text_write(config, s, &length), *text2;

	if (!config2 || !text)
		abort();
	if (read_text(text, length, &s2, config2))
		failed("refused what was written", text);
	text2 = schedule_text_write(config2, &s2, &length2);
	if (!text2)
		abort();
	if (length != length2 || memcmp(text, text2, length))
		failed("read as something else", text);
	free(text);
	free(text2);
	schedule_destroy(&s2);
	config_destroy(config2);
	free(config2);
}

static void replay(struct config *config, const struct schedule *s)
{
	struct schedule unchecked = *s;
	struct replay_state state;
	struct error err = {0};
	struct world *w;

	if (config->cpus > CPUS_MOST || config->pages > PAGES_MOST || !config->job.nr_groups ||
	    job_tasks(&config->job) > TASKS_MOST)
		return;
	if (!config->max_steps || config->max_steps > STEPS_MOST)
		config->max_steps = STEPS_MOST;
	unchecked.checks = NULL;
	unchecked.nr_checks = 0;
	w = explored_world(config, &err);
	if (!w)
		return;
	(void)schedule_run(w, s, &state, &err);
	/* That ends at the first step which is not what was recorded; this goes on as far as the
	 * decisions can be made. */
	(void)schedule_run(w, &unchecked, &state, &err);
	world_destroy(w);
}

static void canary(const uint8_t *data, size_t size)
{
	volatile uint8_t *copy = malloc(size);

	if (!copy || !getenv("FUZZ_CANARY")) {
		free((void *)copy);
		return;
	}
	memcpy((void *)copy, data, size);
	(void)copy[size];
	free((void *)copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = calloc(1, sizeof(*config));
	struct schedule s;
	size_t length;
	char *text = whole_file(data, size, &length);

	if (!config)
		abort();
	if (!read_text(text, length, &s, config)) {
		canary(data, size);
		read_again(config, &s);
		replay(config, &s);
		schedule_destroy(&s);
	}
	config_destroy(config);
	free(config);
	free(text);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/trace.h"

#include <stdlib.h>
#include <string.h>

#include "stress/retrace.h"
#include "stress/whole_file.h"

static bool is_json(const char *path)
{
	static const char suffix[] = ".json";
	size_t length = strlen(path);

	return length >= sizeof(suffix) - 1 &&
	       !strcmp(path + length - (sizeof(suffix) - 1), suffix);
}

static int write_retrace(const char *path, const struct retrace *r, struct error *err)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	int ret;

	if (!out)
		return error_no_memory(err);
	ret = is_json(path) ? trace_chrome(out, r, err) : trace_ftrace(out, r, err);
	if (fclose(out) && !ret)
		ret = error_no_memory(err);
	if (!ret)
		ret = whole_file_write(path, "--trace", text, length, err);
	free(text);
	return ret;
}

int trace_write(const char *path, const struct config *config, const struct schedule *s,
		struct error *err)
{
	struct retrace *r = retrace_schedule(config, s, err);
	int ret;

	if (!r)
		return -1;
	ret = write_retrace(path, r, err);
	retrace_destroy(r);
	return ret;
}

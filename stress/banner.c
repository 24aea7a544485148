// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/banner.h"

#include "stress/options.h"
#include "stress/printable.h"
#include "stress/version.h"

#include <ctype.h>
#include <string.h>

static void write_value(FILE *out, const char *value)
{
	char text[PRINTABLE_SIZE(OPTION_TEXT_SIZE)];

	printable(text, sizeof(text), value);
	if (text[strcspn(text, " \"")])
		fprintf(out, "\"%s\"", text);
	else
		fputs(text, out);
}

static void write_option(FILE *out, const struct config *config, enum option_id id)
{
	char text[OPTION_TEXT_SIZE];

	fprintf(out, " %s=", option_names.names[id]);
	write_value(out, option_text(config, id, text, sizeof(text)));
}

/* Arguments that are no options. */
static void write_operands(FILE *out, const struct config *config)
{
	if (config->file[0]) {
		fputs(" file=", out);
		write_value(out, config->file);
	}
	for (unsigned int i = 0; i < config->measures.nr; i++)
		fprintf(out, "%s%s", i ? "," : " measures=", config->measures.name[i]);
}

static void write_config(FILE *out, const struct config *config)
{
	bool unused = false;

	write_operands(out, config);
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_applies(id, config->verb))
			write_option(out, config, id);
	}
	for (enum option_id id = 0; id < NR_OPTIONS; id++) {
		if (option_applies(id, config->verb) || config->origin[id] == ORIGIN_DEFAULT)
			continue;
		if (!unused)
			fputs(" not used:", out);
		unused = true;
		write_option(out, config, id);
	}
	fputc('\n', out);
	fflush(out);
}

static void write_opening(FILE *out, const struct config *config, const char *what)
{
	fprintf(out, "mmtorture " MMTORTURE_VERSION ": %s%s of %s:",
		config_is_busted(config) ? "BUSTED " : "", what, config_run_name(config));
}

void banner_start(FILE *out, const struct config *config)
{
	write_opening(out, config, "start");
	write_config(out, config);
}

void banner_end(FILE *out, const struct config *config, enum verdict verdict, double elapsed_s)
{
	char name[CONFIG_NAME_SIZE];
	size_t length = 0;

	for (const char *s = verdict_name(verdict); *s && length + 1 < sizeof(name); s++)
		name[length++] = (char)toupper((unsigned char)*s);
	name[length] = '\0';
	write_opening(out, config, "end");
	fprintf(out, " %s: status=%d elapsed=%.1fs", name, (int)verdict, elapsed_s);
	write_config(out, config);
}

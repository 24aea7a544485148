// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/strategy.h"

#include <stdlib.h>
#include <string.h>

#include "engine/strategy_kinds.h"

/* A strategy that can be asked for. */
struct strategy_kind {
	const char *name;
	/* NULL: takes no parameter. Otherwise what is wrong with @parameter ("" for none given), or
	 * NULL. */
	const char *(*refusal)(const char *parameter);
	struct strategy *(*create)(const char *parameter, const struct strategy_place *place);
};

static struct strategy *create_random(const char *parameter, const struct strategy_place *place)
{
	(void)parameter;
	(void)place;
	return strategy_random_create();
}

static const struct strategy_kind kinds[] = {
	{"random", NULL, create_random},
	{"pct", strategy_pct_refusal, strategy_pct_create},
	{"pos", NULL, strategy_pos_create},
	{"urw", NULL, strategy_urw_create},
	{"portfolio", strategy_portfolio_refusal, strategy_portfolio_create},
	{"dfs", strategy_dfs_refusal, strategy_dfs_create},
	{"dpor", strategy_dpor_refusal, strategy_dpor_create},
};

const char *const strategy_names[] = {"random",	   "pct", "pos",  "urw",
				      "portfolio", "dfs", "dpor", NULL};

size_t strategy_count(void)
{
	return ARRAY_SIZE(kinds);
}

static const struct strategy_kind *find_kind(const char *text, const char **parameter)
{
	size_t length = strcspn(text, ":");

	*parameter = text[length] ? text + length + 1 : "";
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, text, length))
			return &kinds[i];
	}
	return NULL;
}

const char *strategy_refusal(const char *text)
{
	const char *parameter;
	const struct strategy_kind *kind = find_kind(text, &parameter);

	if (!kind)
		return "is no strategy";
	if (strchr(text, ':') && !*parameter)
		return "has a colon and no parameter behind it";
	if (!kind->refusal)
		return strchr(text, ':') ? "takes no parameter" : NULL;
	return kind->refusal(parameter);
}

struct strategy *strategy_create_at(const char *text, const struct strategy_place *place)
{
	const char *parameter;
	const struct strategy_kind *kind = find_kind(text, &parameter);

	if (!kind || strategy_refusal(text))
		return NULL;
	return kind->create(parameter, place);
}

struct strategy *strategy_create(const char *text)
{
	return strategy_create_at(text, &(struct strategy_place){0, 1});
}

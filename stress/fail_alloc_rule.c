// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/fail_alloc_rule.h"

#include <stdio.h>
#include <string.h>

#include "stress/config.h"
#include "stress/number.h"

/* As good as never. */
#define ONE_IN_MAX 1000000000u

const struct name_list alloc_site_list = {"allocation site", alloc_site_names, NR_ALLOC_SITES + 1};

int fail_alloc_rule_parse(const char *text, unsigned int *site, struct alloc_rule *rule,
			  const char **wrong)
{
	char name[CONFIG_NAME_SIZE];
	size_t length = strcspn(text, ":");
	const char *number = text + length;
	bool one_in;
	uint64_t n;
	int found;

	*wrong = NULL;
	*rule = (struct alloc_rule){0};
	if (length >= sizeof(name))
		return -1;
	memcpy(name, text, length);
	name[length] = '\0';
	found = name_list_find(&alloc_site_list, name);
	if (found < 0)
		return -1;
	*site = (unsigned int)found;
	number += number[0] == ':';
	one_in = !strncmp(number, "1/", 2);
	if (one_in)
		number += 2;
	*wrong = "is no rule";
	if (strlen(text) >= CONFIG_NAME_SIZE || number_parse(number, false, &n) != NUMBER_FINE)
		return -1;
	*wrong = "is out of range";
	if (!n || (one_in && n > ONE_IN_MAX))
		return -1;
	if (one_in)
		rule->one_in = (u32)n;
	else
		rule->nth = n;
	return 0;
}

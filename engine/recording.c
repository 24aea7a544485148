// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDING_FIRST 1024
/* 16 MiB; a schedule that long is not for reading. */
#define RECORDING_MAX (2u << 20)

void recording_destroy(struct recording *r)
{
	free(r->choices);
	*r = (struct recording){0};
}

int recording_copy(struct recording *to, const struct recording *from)
{
	struct recorded_choice *choices = malloc((from->nr + 1) * sizeof(*choices));

	if (!choices)
		return -ENOMEM;
	memcpy(choices, from->choices, from->nr * sizeof(*choices));
	free(to->choices);
	*to = *from;
	to->choices = choices;
	to->size = from->nr + 1;
	return 0;
}

void recording_grow(struct recording *r)
{
	u32 size = r->size ? r->size * 2 : RECORDING_FIRST;
	struct recorded_choice *choices =
		size <= RECORDING_MAX ? realloc(r->choices, size * sizeof(*choices)) : NULL;

	if (!choices) {
		r->lost = true;
		return;
	}
	r->choices = choices;
	r->size = size;
}

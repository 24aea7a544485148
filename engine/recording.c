// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE */
#include "engine/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* 16 MiB; a schedule that long is not for reading. */
#define RECORDING_MAX (2u << 20)

static void release(struct recording *r)
{
	if (r->reserved)
		munmap(r->choices, RECORDING_MAX * sizeof(*r->choices));
	else
		free(r->choices);
}

void recording_destroy(struct recording *r)
{
	release(r);
	*r = (struct recording){0};
}

int recording_copy(struct recording *to, const struct recording *from)
{
	struct recorded_choice *choices = malloc((from->nr + 1) * sizeof(*choices));

	if (!choices)
		return -ENOMEM;
	if (from->nr)
		memcpy(choices, from->choices, from->nr * sizeof(*choices));
	release(to);
	*to = *from;
	to->choices = choices;
	to->size = from->nr + 1;
	to->reserved = false;
	return 0;
}

int recording_reserve(struct recording *r)
{
	void *choices = mmap(NULL, RECORDING_MAX * sizeof(*r->choices), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (choices == MAP_FAILED)
		return -ENOMEM;
	r->choices = choices;
	r->size = RECORDING_MAX;
	r->reserved = true;
	return 0;
}

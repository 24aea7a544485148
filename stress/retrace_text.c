// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/retrace_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_SIZE 64

static const char *value_of(const struct retrace_entry *e, u64 value, char *buf)
{
	return address_value_text(e->access.name, value, buf, VALUE_SIZE);
}

/* The hardware walker's accesses, and those of user programs, are not the kernel's. */
static const char *who(const struct retrace_entry *e)
{
	return strstr(e->access.site->file, "tlbshoot/walker.c") ? "walker "
	       : strstr(e->access.site->file, "tlbshoot/tlb.c")	 ? "user "
								 : "";
}

/* What comes of a write. */
static const char *change_text(const struct retrace_entry *e, char *buf, size_t size)
{
	const char *name = e->access.name->name;
	char before[VALUE_SIZE], after[VALUE_SIZE];

	if (e->access.name->kind == ADDRESS_DATA || !e->access.name->bytes)
		snprintf(buf, size, "%swrites %s", who(e), name);
	else if (!e->access.after_known)
		snprintf(buf, size, "%s: %s -> ?", name, value_of(e, e->access.before, before));
	else if (e->access.before == e->access.after && e->access.site->kind == ACCESS_STORE)
		snprintf(buf, size, "writes %s: is %s", name,
			 value_of(e, e->access.before, before));
	else if (e->access.before == e->access.after)
		snprintf(buf, size, "%s: stays %s", name, value_of(e, e->access.before, before));
	else if (e->access.name->format == VALUE_PAGE_FLAGS)
		snprintf(buf, size, "%s: %s", name,
			 address_flags_change(e->access.before, e->access.after, before,
					      VALUE_SIZE));
	else
		snprintf(buf, size, "%s%s: %s -> %s", who(e), name,
			 value_of(e, e->access.before, before),
			 value_of(e, e->access.after, after));
	return buf;
}

const char *retrace_access_text(const struct retrace_entry *e, char *buf, size_t size)
{
	const struct named_address *name = e->access.name;
	u32 kind = e->access.site->kind;
	char value[VALUE_SIZE];

	if (!e->access.address || !name) {
		/* Neither fences nor what lies on a stack have an address. */
		snprintf(buf, size, "%s",
			 kind == ACCESS_FENCE	 ? "smp_mb()"
			 : kind == ACCESS_EXEC	 ? "user instruction or safepoint"
			 : kind == ACCESS_LOCK	 ? "takes a lock"
			 : kind == ACCESS_UNLOCK ? "releases a lock"
						 : "on a stack");
		return buf;
	}
	switch (kind) {
	case ACCESS_LOAD:
		if (name->kind == ADDRESS_DATA || !name->bytes)
			snprintf(buf, size, "%sreads %s", who(e), name->name);
		else
			snprintf(buf, size, "%s %s: %s", *who(e) ? "walks" : "reads", name->name,
				 value_of(e, e->access.before, value));
		return buf;
	case ACCESS_LOCK:
		snprintf(buf, size, "%s %s", e->access.before ? "waits for" : "takes", name->name);
		return buf;
	case ACCESS_UNLOCK:
		snprintf(buf, size, "releases %s", name->name);
		return buf;
	default:
		return change_text(e, buf, size);
	}
}

const char *retrace_entry_text(const struct retrace_entry *e, char *buf, size_t size)
{
	size_t len;

	switch (e->kind) {
	case RETRACE_STEP:
		return retrace_access_text(e, buf, size);
	case RETRACE_EVENT:
		event_format(&e->event, buf, size);
		len = strlen(buf);
		while (len && buf[len - 1] == ' ')
			buf[--len] = '\0';
		return buf;
	case RETRACE_CHOICE:
		snprintf(buf, size, "<%s>", choice_word(e->choice.kind));
		return buf;
	default:
		snprintf(buf, size, "CPU%u goes on, CPU%u %s", e->cpu, e->change.from,
			 e->change.preempted ? "could have" : "has to wait");
		return buf;
	}
}

const char *retrace_task_text(const struct retrace *r, u32 task, char *buf, size_t size)
{
	const struct retrace_task *t = &r->tasks[task];

	if (t->idle)
		snprintf(buf, size, "idle");
	else
		snprintf(buf, size, "%s-%u", t->comm, t->pid);
	return buf;
}

bool retrace_next_number(const char **text, enum named_number *what, u64 *number)
{
	static const struct {
		const char *word;
		enum named_number what;
		int base;
	} words[] = {
		{"pfn ", NAMED_PFN, 10}, {"va ", NAMED_VA, 16},	  {"mm ", NAMED_MM, 10},
		{"mm", NAMED_MM, 10},	 {"at 0x", NAMED_VA, 16}, {"from 0x", NAMED_VA, 16},
	};
	bool inside = false; /* of a word */

	for (const char *p = *text; *p; inside = isalnum((unsigned char)*p) || *p == '_', p++) {
		for (size_t i = 0; i < ARRAY_SIZE(words) && !inside; i++) {
			const char *digits = p + strlen(words[i].word);
			char *end;

			if (strncmp(p, words[i].word, strlen(words[i].word)) ||
			    !(words[i].base == 16 ? isxdigit((unsigned char)*digits)
						  : isdigit((unsigned char)*digits)))
				continue;
			*what = words[i].what;
			*number = strtoull(digits, &end, words[i].base);
			*text = end;
			return true;
		}
	}
	return false;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/cpulist.h"

#include "stress/number.h"

#include <stdio.h>
#include <string.h>

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\n");
}

/* One CPU number; NULL or what is wrong. */
static const char *scan_cpu(const char **cursor, uint64_t *cpu)
{
	enum number_fault fault = number_scan(cursor, cpu);

	if (fault == NUMBER_EMPTY || fault == NUMBER_NONE)
		return "is not a list of CPUs";
	if (fault == NUMBER_NEGATIVE)
		return number_fault_text(fault);
	if (fault == NUMBER_OVERFLOW || *cpu >= JOB_CPUS_MAX)
		return "names a CPU above 1023";
	return NULL;
}

const char *cpulist_parse(const char *text, struct cpu_list *list)
{
	const char *s = skip_blanks(text);
	const char *fault;

	memset(list, 0, sizeof(*list));
	if (*s == '\0')
		return "is empty";
	for (;;) {
		uint64_t first, last;

		fault = scan_cpu(&s, &first);
		if (fault)
			return fault;
		last = first;
		if (*s == '-') {
			s++;
			fault = scan_cpu(&s, &last);
			if (fault)
				return fault;
		}
		if (last < first)
			return "has a range that runs backwards";
		for (uint64_t cpu = first; cpu <= last; cpu++)
			list->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
		s = skip_blanks(s);
		if (*s == '\0')
			return NULL;
		if (*s != ',')
			return "is not a list of CPUs";
		s = skip_blanks(s + 1);
	}
}

const char *cpulist_format(const struct cpu_list *list, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int cpu = 0; cpu < JOB_CPUS_MAX && used < size; cpu++) {
		unsigned int last = cpu;

		if (!cpu_list_has(list, cpu))
			continue;
		while (last + 1 < JOB_CPUS_MAX && cpu_list_has(list, last + 1))
			last++;
		if (last == cpu)
			used += (size_t)snprintf(text + used, size - used, "%s%u", used ? "," : "",
						 cpu);
		else
			used += (size_t)snprintf(text + used, size - used, "%s%u-%u",
						 used ? "," : "", cpu, last);
		cpu = last;
	}
	return text;
}

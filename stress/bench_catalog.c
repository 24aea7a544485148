// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/bench_catalog.h"

#include "stress/bench_cacheline.h"
#include "stress/bench_host.h"

#include <string.h>

/* The project's requirements for two cores. */
#define GOAL_FAULT_ZAP 8
#define GOAL_SHOOTDOWN 5
#define GOAL_EXEC 15
#define BOUND_ROUND_TRIPS 2

static const struct bench_measure catalog[] = {
	{
		.name = "fault-zap-1",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "one thread writes 1 page and zaps it",
		.host = &bench_host_fault_zap_one,
	},
	{
		.name = "fault-zap-16",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "one thread writes 16 pages and zaps them in one call",
		.host = &bench_host_fault_zap_few,
	},
	{
		.name = "fault-zap-512",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "one thread writes 512 pages and zaps them in one call",
		.host = &bench_host_fault_zap_many,
		.goal_ratio = GOAL_FAULT_ZAP,
	},
	{
		.name = "own-regions-16",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "two threads of one process, each as fault-zap-16 in its own region",
		.host = &bench_host_own_regions_few,
		.goal_ratio = GOAL_FAULT_ZAP,
	},
	{
		.name = "own-regions-512",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "two threads of one process, each as fault-zap-512 in its own region",
		.host = &bench_host_own_regions_many,
		.goal_ratio = GOAL_FAULT_ZAP,
	},
	{
		.name = "shared-region-16",
		.item = "page",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "one thread zaps 16 pages a call, the other writes them back; pages that "
			"were present when zapped",
		.host = &bench_host_shared_region,
		.goal_ratio = GOAL_FAULT_ZAP,
	},
	{
		.name = "zap-quiet",
		.item = "call",
		.kind = BENCH_NS_PER_ITEM,
		.says = "zap of one present page, nobody to tell; the call alone",
		.host = &bench_host_zap_quiet,
	},
	{
		.name = "zap-shootdown",
		.item = "call",
		.kind = BENCH_NS_PER_ITEM,
		.says = "zap of one present page while a thread of the process runs on the other "
			"CPU; the call alone",
		.host = &bench_host_zap_shootdown,
		.goal_ratio = GOAL_SHOOTDOWN,
		.bound = {.of = "cache-line-two", .factor = BOUND_ROUND_TRIPS, .plus = "zap-quiet"},
	},
	{
		.name = "shootdown",
		.item = "call",
		.kind = BENCH_NS_PER_ITEM,
		.says = "what the shootdown adds to the call: the difference of the two above",
		.host = &bench_host_shootdown_alone,
	},
	{
		.name = "exec",
		.item = "exec",
		.kind = BENCH_ITEMS_PER_SECOND,
		.says = "exec of a small image, with the process around it: vfork, exec, exit, wait",
		.host = &bench_host_exec,
		.goal_ratio = GOAL_EXEC,
	},
	{
		.name = "fork-exit",
		.item = "page",
		.kind = BENCH_NS_PER_ITEM,
		.says = "fork of a process with 16384 written pages, exit of the child, wait",
		.host = &bench_host_fork_exit,
	},
	{
		.name = "exit-touched",
		.item = "page",
		.kind = BENCH_NS_PER_ITEM,
		.says = "exit of a process that wrote 4096 pages of its own, to the end of wait",
		.host = &bench_host_exit_touched,
	},
	{
		.name = "cache-line-one",
		.item = "trip",
		.kind = BENCH_NS_PER_ITEM,
		.says = "round trip between two CPUs over one cache line",
		.host = &bench_cacheline_one,
	},
	{
		.name = "cache-line-two",
		.item = "trip",
		.kind = BENCH_NS_PER_ITEM,
		.says = "round trip between two CPUs, question and answer on a line each",
		.host = &bench_cacheline_two,
	},
	{
		.name = "atomic-add",
		.item = "add",
		.kind = BENCH_NS_PER_ITEM,
		.says = "atomic addition to a word that no other CPU uses",
		.host = &bench_atomic_add,
	},
	{
		.name = "timestamp",
		.item = "read",
		.kind = BENCH_NS_PER_ITEM,
		.says = "one read of the time stamp counter",
		.host = &bench_timestamp,
	},
};

_Static_assert(sizeof(catalog) / sizeof(catalog[0]) <= BENCH_CATALOG_MAX, "too many measures");

size_t bench_catalog(struct bench_measure *measures)
{
	memcpy(measures, catalog, sizeof(catalog));
	return sizeof(catalog) / sizeof(catalog[0]);
}

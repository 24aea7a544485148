// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cpu_map: the processing units of one machine as flat arrays.
 *
 * hwloc describes a machine as a tree of objects; placement only asks "which package, node, L3
 * and core is this PU in". A cpu_map answers that with dense ordinals and holds no pointer, so
 * that it can cross a pipe or a file from the process that read an untrusted description.
 *
 * Units and numbering. Ordinals (package, node, l3, core) count from 0 over what the map
 * contains, in hwloc's logical order, so that consecutive PUs are as close as they can be. An
 * os_index is the number by which that machine's own operating system knows the thing
 * (/proc/cpuinfo, numactl); os_index values may have gaps.
 *
 * What is in it: the PUs that hwloc knows, are allowed and are in the caller's set. A node is in
 * it when a PU calls it its own; memory without CPUs is left out. A machine without packages has
 * one; without cores each PU is its own core.
 *
 * Node distances are in the unit of the ACPI SLIT (section 5.2.17 of ACPI 6.4): 10 is local.
 *
 * Locking: none. A map does not change once built; any thread may read it.
 * Errors: cpu_map_from_hwloc() returns a negative errno and writes the reason as text.
 */
#ifndef MMTORTURE_SMP_CPU_MAP_H
#define MMTORTURE_SMP_CPU_MAP_H

#include <hwloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Linux's NR_CPUS with CONFIG_MAXSMP on x86-64: no kernel of ours can have seen more. */
#define CPU_MAP_MAX_PUS 8192u
/* Linux's MAX_NUMNODES with the largest CONFIG_NODES_SHIFT (10). */
#define CPU_MAP_MAX_NODES 1024u
/* Longer than any CPU brand string (48 bytes of CPUID leaves 0x80000002 to 0x80000004). */
#define CPU_MAP_MODEL_LEN 64u

/* The l3 of a PU below no third-level cache. */
#define CPU_MAP_NO_L3 UINT32_MAX

/* ACPI SLIT: a node to itself; and what Linux assumes between nodes without a SLIT. */
#define CPU_MAP_LOCAL_DISTANCE 10u
#define CPU_MAP_REMOTE_DISTANCE 20u

struct cpu_map_pu {
	uint32_t os_index;
	uint32_t package;
	uint32_t node;
	uint32_t l3; /* or CPU_MAP_NO_L3 */
	uint32_t core;
	uint32_t smt; /* which thread of its core, from 0 */
};

struct cpu_map_node {
	uint32_t os_index;
	uint64_t bytes; /* 0: not known */
};

struct cpu_map {
	char model[CPU_MAP_MODEL_LEN]; /* "" when not known */
	uint32_t nr_packages;
	uint32_t nr_nodes;
	uint32_t nr_l3;
	uint32_t nr_cores;
	uint32_t nr_pus;
	uint32_t nr_absent; /* PUs that the machine has but that are offline or not allowed */
	bool distance_known;
	struct cpu_map_pu *pus;	    /* nr_pus, in topology order */
	struct cpu_map_node *nodes; /* nr_nodes */
	uint32_t *node_distance;    /* nr_nodes * nr_nodes, row = from; filled even if not known */
};

/*
 * Fill @map from a loaded @hwloc topology, keeping the PUs in @usable (NULL: all of them).
 * Returns 0, or a negative errno with the reason in @why; @map then needs no cpu_map_destroy().
 */
int cpu_map_from_hwloc(struct cpu_map *map, hwloc_topology_t hwloc, hwloc_const_cpuset_t usable,
		       char *why, size_t why_len);

/* Free what @map points to; a zeroed map is fine. */
void cpu_map_destroy(struct cpu_map *map);

/* Is every ordinal within its count? For maps that came from another process. */
bool cpu_map_is_sound(const struct cpu_map *map);

#endif

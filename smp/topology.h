// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * topology: where each emulated CPU (vCPU) goes on the host, and what the emulated machine
 * looks like.
 *
 * Two machines are in play. The emulated one is either this host or another host, described by
 * the hwloc XML that `lstopo FILE.xml` writes there. The host is where the vCPU threads really
 * run. A struct topology holds both; a struct placement gives every vCPU
 *
 *   - a place in the emulated machine: package, NUMA node, L3 group, core, PU;
 *   - a host PU to bind its thread to, and the host's NUMA node next to it.
 *
 * Without a description the two machines are one and the two PUs are the same.
 *
 * Placement. vCPUs fill the cores first, one each; then the second SMT thread of each core that
 * has one, and so on; then all over again. More vCPUs than PUs is the normal case. A round that
 * is not full is spread evenly over the machine, so that 4 vCPUs on 2 packages of 16 cores are 2
 * and 2. Within a round the vCPUs are numbered in topology order. The host is filled by the same
 * rule; then the vCPUs, sorted by emulated place, meet the host PUs, sorted by place: vCPUs of
 * one emulated core, L3, node and package share host cores as far as can be, while the numbers
 * of vCPUs on any two host PUs differ by one at most.
 *
 * Of the host only the PUs that the process may use count: those of its cgroup that the thread
 * calling topology_load() may run on (sched_getaffinity). So load before binding that thread.
 *
 * Units and numbering. Packages, nodes, L3 groups and cores are ordinals from 0, PUs the numbers
 * that the machine's own operating system gives them. Node distances are in units of the ACPI
 * SLIT: 10 is local. They need not be symmetric; distance classes are.
 *
 * Locking: none. Both structures are constant once built, but for two atomic flags that make a
 * binding failure be reported once. Any thread may query and bind; destroy them last: placements
 * before their topology.
 *
 * Safety. hwloc 2.9 can crash on a description that was damaged, so the file is read in a
 * short-lived child process: load before starting threads where possible.
 *
 * Errors: topology_load() fills a struct topology_error; the rest returns a negative errno.
 * Nothing here prints, but for topology_print().
 *
 * Sources: hwloc 2.9 (hwloc.h, hwloc/distances.h); ACPI 6.4, 5.2.17 (SLIT).
 */
#ifndef MMTORTURE_SMP_TOPOLOGY_H
#define MMTORTURE_SMP_TOPOLOGY_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct topology;

/* Linux's NR_CPUS with CONFIG_MAXSMP on x86-64. */
#define PLACEMENT_MAX_VCPUS 8192u

/* The l3 of a vCPU below no third-level cache. */
#define PLACEMENT_NO_L3 UINT32_MAX

/* A path, and a sentence about it. */
#define TOPOLOGY_ERROR_LEN (PATH_MAX + 512)

struct topology_error {
	int code;			  /* negative errno; -EINVAL: the description is wrong */
	char message[TOPOLOGY_ERROR_LEN]; /* one line without its newline, names the file */
};

/* One machine in numbers. */
struct topology_summary {
	const char *source; /* path of its description, or "this host" */
	const char *model;  /* name of its CPUs, "" when not known */
	uint32_t nr_packages;
	uint32_t nr_nodes; /* NUMA nodes that have CPUs */
	uint32_t nr_l3;
	uint32_t nr_cores;
	uint32_t nr_pus;
	uint32_t nr_absent;  /* PUs that are there, but offline or not allowed */
	bool distance_known; /* else every other node is 20 away */
};

/* How far a cache line or an IPI travels between two vCPUs. */
enum placement_distance {
	PLACEMENT_SAME_CORE = 0,
	PLACEMENT_SAME_L3 = 1,
	PLACEMENT_SAME_PACKAGE = 2,
	PLACEMENT_OTHER_PACKAGE = 3,
	PLACEMENT_NR_DISTANCES
};

struct placement_vcpu {
	/* in the emulated machine */
	uint32_t package;
	uint32_t node;
	uint32_t l3; /* or PLACEMENT_NO_L3 */
	uint32_t core;
	uint32_t smt;	   /* which thread of its core, from 0 */
	uint32_t pu;	   /* OS number */
	uint32_t pu_share; /* vCPUs on this PU, this one included */
	/* on the host */
	uint32_t host_package;
	uint32_t host_node;
	uint32_t host_core;
	uint32_t host_pu;    /* OS number */
	uint32_t host_share; /* vCPUs on this host PU, this one included */
};

/* Read it freely, change nothing. */
struct placement {
	struct topology *topology;
	const uint32_t *node_distance; /* nr_nodes * nr_nodes, row = from; the topology's */
	uint32_t nr_nodes;
	uint32_t nr_packages;
	uint32_t max_pu_share;	 /* vCPUs on the fullest emulated PU */
	uint32_t max_host_share; /* vCPUs on the fullest host PU: the oversubscription factor */
	uint32_t nr_vcpus;
	struct placement_vcpu vcpu[];
};

/*
 * Load the machine described by the hwloc XML in the file @xml_path, or this host (NULL).
 * Returns NULL when that fails, with the reason in @err (which may be NULL).
 */
struct topology *topology_load(const char *xml_path, struct topology_error *err);

/*
 * The same, as it would be on the host described by @host_xml_path: for previews and tests.
 * Threads cannot be bound to such a host: topology_bind_self() reports -ENOTSUP.
 */
struct topology *topology_load_on(const char *xml_path, const char *host_xml_path,
				  struct topology_error *err);

void topology_destroy(struct topology *topology);

/* The emulated machine; the host. Valid as long as @topology. */
struct topology_summary topology_emulated(const struct topology *topology);
struct topology_summary topology_host(const struct topology *topology);

/* Is the emulated machine another one than the host? */
bool topology_is_foreign(const struct topology *topology);

/* Bytes of memory of an emulated NUMA node; 0 when the description does not say. */
uint64_t topology_node_bytes(const struct topology *topology, uint32_t node);

/* The number that the machine's operating system gives to an emulated NUMA node. */
uint32_t topology_node_os_index(const struct topology *topology, uint32_t node);

/* From one emulated NUMA node to another, in SLIT units. */
uint32_t topology_node_distance(const struct topology *topology, uint32_t from, uint32_t to);

/*
 * Give @nr_vcpus vCPUs (1 to PLACEMENT_MAX_VCPUS) their places. The result in @out is the
 * caller's, until placement_destroy(). Returns 0, -EINVAL or -ENOMEM.
 */
int topology_place(struct topology *topology, unsigned nr_vcpus, struct placement **out);

void placement_destroy(struct placement *placement);

/* What topology_bind_self() and topology_bind_memory() return from the second failure on. */
#define TOPOLOGY_BIND_FAILED_AGAIN 1

/*
 * Bind the calling thread to the host PU of @vcpu. A failure harms nothing but speed (containers
 * forbid it now and then): the first one on this topology returns a negative errno for the
 * caller to report, later ones TOPOLOGY_BIND_FAILED_AGAIN. Returns 0 when bound.
 */
int topology_bind_self(const struct placement *placement, unsigned vcpu);

/*
 * Ask that the pages holding [addr, addr + len) come from @host_node (an ordinal, as in
 * placement_vcpu.host_node) when they are first touched, or from elsewhere when that node is
 * full. Returns 0 at once where the host has one node. Errors as in topology_bind_self();
 * -EINVAL for a node that the host does not have.
 */
int topology_bind_memory(struct topology *topology, void *addr, size_t len, uint32_t host_node);

/*
 * Print the machine, the host and, with @placement (NULL: without), where each vCPU went.
 * The caller checks ferror(@out).
 */
void topology_print(FILE *out, const struct topology *topology, const struct placement *placement);

/* The queries below are a few loads each, for use on hot paths. */

static inline const struct placement_vcpu *placement_vcpu(const struct placement *placement,
							  unsigned vcpu)
{
	assert(vcpu < placement->nr_vcpus);
	return &placement->vcpu[vcpu];
}

/* How far vCPU @j is from vCPU @i. Symmetric; PLACEMENT_SAME_CORE for @i and @i. */
static inline enum placement_distance placement_distance(const struct placement *placement,
							 unsigned i, unsigned j)
{
	const struct placement_vcpu *a = placement_vcpu(placement, i);
	const struct placement_vcpu *b = placement_vcpu(placement, j);

	if (a->core == b->core)
		return PLACEMENT_SAME_CORE;
	if (a->l3 == b->l3 && a->l3 != PLACEMENT_NO_L3)
		return PLACEMENT_SAME_L3;
	return a->package == b->package ? PLACEMENT_SAME_PACKAGE : PLACEMENT_OTHER_PACKAGE;
}

/* From the node of vCPU @from to the node of vCPU @to, in SLIT units; may differ from the way back.
 */
static inline uint32_t placement_node_distance(const struct placement *placement, unsigned from,
					       unsigned to)
{
	return placement
		->node_distance[placement_vcpu(placement, from)->node * placement->nr_nodes +
				placement_vcpu(placement, to)->node];
}

static inline uint32_t placement_node(const struct placement *placement, unsigned vcpu)
{
	return placement_vcpu(placement, vcpu)->node;
}

static inline uint32_t placement_nr_nodes(const struct placement *placement)
{
	return placement->nr_nodes;
}

static inline uint32_t placement_nr_packages(const struct placement *placement)
{
	return placement->nr_packages;
}

#endif

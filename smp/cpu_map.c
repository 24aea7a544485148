// SPDX-License-Identifier: GPL-2.0-or-later
/* How hwloc's tree becomes the flat description of one machine's CPUs. */
#include "smp/cpu_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpu_map_destroy(struct cpu_map *map)
{
	free(map->pus);
	free(map->nodes);
	free(map->node_distance);
	memset(map, 0, sizeof(*map));
}

/*
 * The node whose memory a PU calls its own. Where several are equally local to it (DDR and HBM,
 * or memory of the whole package behind CXL), the one that fewest PUs share, then the lowest:
 * that is the one Linux's cpu_to_node() names.
 */
static hwloc_obj_t node_of_pu(hwloc_topology_t hwloc, hwloc_obj_t pu)
{
	hwloc_obj_t best = NULL;
	hwloc_obj_t node = NULL;
	int best_weight = 0;

	while ((node = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node)) != NULL) {
		int weight;

		if (!node->cpuset || !hwloc_bitmap_isset(node->cpuset, pu->os_index))
			continue;
		weight = hwloc_bitmap_weight(node->cpuset);
		if (!best || weight < best_weight) {
			best = node;
			best_weight = weight;
		}
	}
	/* A CPU on a node without memory: hwloc lists nodes by locality, the first will do. */
	return best ? best : hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, 0);
}

/* The ordinal of @node in the map; a node not met before gets the next one. */
static int node_ordinal(struct cpu_map *map, hwloc_obj_t *node_objs, hwloc_obj_t node)
{
	uint32_t n;

	for (n = map->nr_nodes; n-- > 0;)
		if (node_objs[n] == node)
			return (int)n;
	if (map->nr_nodes == CPU_MAP_MAX_NODES)
		return -1;
	n = map->nr_nodes++;
	node_objs[n] = node;
	map->nodes[n].os_index = node->os_index;
	map->nodes[n].bytes = node->attr ? node->attr->numanode.local_memory : 0;
	return (int)n;
}

/* The objects above the PU visited last: a change of object means the next ordinal. */
struct walk {
	bool started;
	hwloc_obj_t package;
	hwloc_obj_t l3;
	hwloc_obj_t core;
};

static void add_pu(struct cpu_map *map, struct walk *at, hwloc_topology_t hwloc, hwloc_obj_t pu,
		   uint32_t node)
{
	hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, pu);
	hwloc_obj_t l3 = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_L3CACHE, pu);
	hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(hwloc, HWLOC_OBJ_CORE, pu);
	struct cpu_map_pu *entry = &map->pus[map->nr_pus];
	bool same_core = at->started && core && core == at->core;

	if (!at->started || package != at->package)
		map->nr_packages++;
	if (l3 && (!at->started || l3 != at->l3))
		map->nr_l3++;
	if (!same_core)
		map->nr_cores++;
	*entry = (struct cpu_map_pu){
		.os_index = pu->os_index,
		.package = map->nr_packages - 1,
		.node = node,
		.l3 = l3 ? map->nr_l3 - 1 : CPU_MAP_NO_L3,
		.core = map->nr_cores - 1,
		.smt = same_core ? map->pus[map->nr_pus - 1].smt + 1 : 0,
	};
	map->nr_pus++;
	*at = (struct walk){.started = true, .package = package, .l3 = l3, .core = core};
}

/* What can be wrong with a single PU of a description somebody edited. */
static int check_pu(hwloc_obj_t pu, hwloc_bitmap_t seen, char *why, size_t why_len)
{
	if (!pu->cpuset || hwloc_bitmap_weight(pu->cpuset) != 1 ||
	    !hwloc_bitmap_isset(pu->cpuset, pu->os_index)) {
		snprintf(why, why_len,
			 "the PU with os_index %u has another cpuset than that one bit",
			 pu->os_index);
		return -EINVAL;
	}
	if (hwloc_bitmap_isset(seen, pu->os_index)) {
		snprintf(why, why_len, "two PUs have the os_index %u", pu->os_index);
		return -EINVAL;
	}
	if (hwloc_bitmap_set(seen, pu->os_index) < 0) {
		snprintf(why, why_len, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int add_pus(struct cpu_map *map, hwloc_topology_t hwloc, hwloc_const_cpuset_t usable,
		   hwloc_obj_t *node_objs, hwloc_bitmap_t seen, char *why, size_t why_len)
{
	struct walk at = {.started = false};
	hwloc_obj_t pu = NULL;

	while ((pu = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_PU, pu)) != NULL) {
		hwloc_obj_t node;
		int ordinal;
		int ret = check_pu(pu, seen, why, why_len);

		if (ret)
			return ret;
		if (usable && !hwloc_bitmap_isset(usable, pu->os_index))
			continue;
		node = node_of_pu(hwloc, pu);
		if (!node) {
			snprintf(why, why_len, "no NUMA node holds the PU with os_index %u",
				 pu->os_index);
			return -EINVAL;
		}
		ordinal = node_ordinal(map, node_objs, node);
		if (ordinal < 0) {
			snprintf(why, why_len, "more than %u NUMA nodes", CPU_MAP_MAX_NODES);
			return -E2BIG;
		}
		add_pu(map, &at, hwloc, pu, (uint32_t)ordinal);
	}
	if (!map->nr_pus) {
		snprintf(why, why_len, "no processing unit (PU) that may be used");
		return -EINVAL;
	}
	return 0;
}

/*
 * One value in SLIT units. Tables come in other units too: hwloc keeps those of its version 1
 * files times 1000, and drivers give hop counts with 0 for local. @local is the table's smallest
 * diagonal value.
 */
static uint32_t slit_units(uint64_t value, uint64_t local)
{
	double scaled = local ? (double)value * CPU_MAP_LOCAL_DISTANCE / (double)local
			      : CPU_MAP_LOCAL_DISTANCE * (1.0 + (double)value);

	return scaled < (double)UINT32_MAX ? (uint32_t)(scaled + 0.5) : UINT32_MAX;
}

static void assume_distances(struct cpu_map *map)
{
	for (uint32_t i = 0; i < map->nr_nodes; i++)
		for (uint32_t j = 0; j < map->nr_nodes; j++)
			map->node_distance[i * map->nr_nodes + j] =
				i == j ? CPU_MAP_LOCAL_DISTANCE : CPU_MAP_REMOTE_DISTANCE;
}

/* Overwrite what was assumed with what the description's latency table says, where it has one. */
static int read_distances(struct cpu_map *map, hwloc_topology_t hwloc, hwloc_obj_t *node_objs)
{
	struct hwloc_distances_s *table = NULL;
	uint64_t local = UINT64_MAX;
	unsigned nr = 1;
	int *row;

	assume_distances(map);
	if (hwloc_distances_get_by_type(hwloc, HWLOC_OBJ_NUMANODE, &nr, &table,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0 ||
	    !nr || !table)
		return 0;
	row = calloc(map->nr_nodes, sizeof(*row));
	if (!row) {
		hwloc_distances_release(hwloc, table);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < table->nbobjs; i++)
		if (table->values[i * table->nbobjs + i] < local)
			local = table->values[i * table->nbobjs + i];
	for (uint32_t i = 0; i < map->nr_nodes; i++)
		row[i] = hwloc_distances_obj_index(table, node_objs[i]);
	for (uint32_t i = 0; i < map->nr_nodes; i++) {
		for (uint32_t j = 0; j < map->nr_nodes; j++) {
			if (row[i] < 0 || row[j] < 0)
				continue;
			map->node_distance[i * map->nr_nodes + j] = slit_units(
				table->values[(unsigned)row[i] * table->nbobjs + (unsigned)row[j]],
				local);
			map->distance_known = true;
		}
	}
	free(row);
	hwloc_distances_release(hwloc, table);
	return 0;
}

static void read_model(struct cpu_map *map, hwloc_topology_t hwloc)
{
	hwloc_obj_t package = hwloc_get_obj_by_type(hwloc, HWLOC_OBJ_PACKAGE, 0);
	const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;

	if (model)
		snprintf(map->model, sizeof(map->model), "%s", model);
}

int cpu_map_from_hwloc(struct cpu_map *map, hwloc_topology_t hwloc, hwloc_const_cpuset_t usable,
		       char *why, size_t why_len)
{
	int nr_pus = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_PU);
	int nr_nodes = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_NUMANODE);
	hwloc_obj_t *node_objs;
	hwloc_bitmap_t seen;
	int nr_complete;
	int ret;

	memset(map, 0, sizeof(*map));
	if (nr_pus <= 0 || nr_nodes <= 0) {
		snprintf(why, why_len, "no processing unit (PU) that may be used");
		return -EINVAL;
	}
	if ((unsigned)nr_pus > CPU_MAP_MAX_PUS) {
		snprintf(why, why_len, "%d PUs; at most %u can be described", nr_pus,
			 CPU_MAP_MAX_PUS);
		return -E2BIG;
	}
	node_objs = calloc((size_t)nr_nodes, sizeof(hwloc_obj_t));
	seen = hwloc_bitmap_alloc();
	map->pus = calloc((size_t)nr_pus, sizeof(*map->pus));
	map->nodes = calloc((size_t)nr_nodes, sizeof(*map->nodes));
	ret = -ENOMEM;
	snprintf(why, why_len, "out of memory");
	if (!node_objs || !seen || !map->pus || !map->nodes)
		goto out;

	ret = add_pus(map, hwloc, usable, node_objs, seen, why, why_len);
	if (ret)
		goto out;
	map->node_distance =
		calloc((size_t)map->nr_nodes * map->nr_nodes, sizeof(*map->node_distance));
	ret = map->node_distance ? read_distances(map, hwloc, node_objs) : -ENOMEM;
	if (ret) {
		snprintf(why, why_len, "out of memory");
		goto out;
	}
	read_model(map, hwloc);
	/* -1 for an endless set, as in a file without complete_cpuset: then nothing is known. */
	nr_complete = hwloc_bitmap_weight(hwloc_topology_get_complete_cpuset(hwloc));
	if (nr_complete > (int)map->nr_pus)
		map->nr_absent = (uint32_t)nr_complete - map->nr_pus;
out:
	free(node_objs);
	hwloc_bitmap_free(seen);
	if (ret)
		cpu_map_destroy(map);
	return ret;
}

bool cpu_map_is_sound(const struct cpu_map *map)
{
	for (uint32_t i = 0; i < map->nr_pus; i++) {
		const struct cpu_map_pu *pu = &map->pus[i];

		if (pu->package >= map->nr_packages || pu->node >= map->nr_nodes ||
		    pu->core >= map->nr_cores || pu->smt >= map->nr_pus ||
		    (pu->l3 != CPU_MAP_NO_L3 && pu->l3 >= map->nr_l3))
			return false;
	}
	return map->nr_pus > 0 && memchr(map->model, 0, sizeof(map->model)) != NULL;
}

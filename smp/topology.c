// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading and releasing the two machines, questions about them, and binding to the real one. */
#include "smp/topology.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "smp/topology_private.h"

void topology_fail(struct topology_error *err, int code, const char *path, const char *format, ...)
{
	va_list args;
	int used;

	err->code = code;
	used = snprintf(err->message, sizeof(err->message), "%.*s: ", PATH_MAX,
			*path ? path : "''");
	va_start(args, format);
	vsnprintf(err->message + used, sizeof(err->message) - (size_t)used, format, args);
	va_end(args);
	for (char *c = err->message; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
}

/*
 * hwloc takes another machine for this one when these are set. It is what --topology is for, and
 * done by the environment it would bind threads to CPUs that do not exist.
 */
static int check_environment(struct topology_error *err)
{
	static const char *const overrides[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_FSROOT"};

	for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
		if (!getenv(overrides[i]))
			continue;
		topology_fail(err, -EINVAL, overrides[i],
			      "set in the environment, it hides this host from hwloc; unset it and "
			      "give the description of the other machine as a file");
		return -EINVAL;
	}
	return 0;
}

/* The PUs that this thread may run on, of those that hwloc may use. NULL: out of memory. */
static hwloc_bitmap_t usable_pus(hwloc_topology_t hwloc)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (!set)
		return NULL;
	/* Where the affinity cannot be had (seccomp), the cgroup's set is the best known. */
	if (hwloc_get_cpubind(hwloc, set, HWLOC_CPUBIND_THREAD) < 0) {
		if (hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(hwloc)) < 0)
			goto fail;
	} else if (hwloc_bitmap_and(set, set, hwloc_topology_get_allowed_cpuset(hwloc)) < 0) {
		goto fail;
	}
	return set;
fail:
	hwloc_bitmap_free(set);
	return NULL;
}

static int load_host(struct topology *topology, struct topology_error *err)
{
	char why[128] = "out of memory";
	hwloc_bitmap_t usable;
	int ret = check_environment(err);

	if (ret)
		return ret;
	if (hwloc_topology_init(&topology->live) < 0) {
		topology->live = NULL;
		topology_fail(err, -ENOMEM, "this host", "out of memory");
		return -ENOMEM;
	}
	if (hwloc_topology_load(topology->live) < 0) {
		ret = -errno;
		topology_fail(err, ret, "this host", "hwloc cannot describe it: %s",
			      strerror(-ret));
		return ret;
	}
	usable = usable_pus(topology->live);
	ret = usable ? cpu_map_from_hwloc(&topology->host, topology->live, usable, why, sizeof(why))
		     : -ENOMEM;
	hwloc_bitmap_free(usable);
	if (ret)
		topology_fail(err, ret, "this host", "%s", why);
	return ret;
}

static int load_into(struct topology *topology, const char *xml_path, const char *host_xml_path,
		     struct topology_error *err)
{
	int ret;

	if (xml_path) {
		topology->xml_path = strdup(xml_path);
		ret = topology->xml_path ? topology_read_xml(&topology->emulated, xml_path, err)
					 : -ENOMEM;
		if (ret)
			return ret;
	}
	if (!host_xml_path)
		return load_host(topology, err);
	topology->host_xml_path = strdup(host_xml_path);
	return topology->host_xml_path ? topology_read_xml(&topology->host, host_xml_path, err)
				       : -ENOMEM;
}

struct topology *topology_load_on(const char *xml_path, const char *host_xml_path,
				  struct topology_error *err)
{
	struct topology *topology = calloc(1, sizeof(*topology));
	struct topology_error unseen;

	if (!err)
		err = &unseen;
	topology_fail(err, -ENOMEM, xml_path ? xml_path : "this host", "out of memory");
	if (topology && load_into(topology, xml_path, host_xml_path, err)) {
		topology_destroy(topology);
		topology = NULL;
	}
	if (topology)
		*err = (struct topology_error){.code = 0};
	return topology;
}

struct topology *topology_load(const char *xml_path, struct topology_error *err)
{
	return topology_load_on(xml_path, NULL, err);
}

void topology_destroy(struct topology *topology)
{
	if (!topology)
		return;
	if (topology->live)
		hwloc_topology_destroy(topology->live);
	cpu_map_destroy(&topology->emulated);
	cpu_map_destroy(&topology->host);
	free(topology->xml_path);
	free(topology->host_xml_path);
	free(topology);
}

static struct topology_summary summarise(const struct cpu_map *map, const char *path)
{
	return (struct topology_summary){
		.source = path ? path : "this host",
		.model = map->model,
		.nr_packages = map->nr_packages,
		.nr_nodes = map->nr_nodes,
		.nr_l3 = map->nr_l3,
		.nr_cores = map->nr_cores,
		.nr_pus = map->nr_pus,
		.nr_absent = map->nr_absent,
		.distance_known = map->distance_known,
	};
}

struct topology_summary topology_host(const struct topology *topology)
{
	return summarise(&topology->host, topology->host_xml_path);
}

struct topology_summary topology_emulated(const struct topology *topology)
{
	return topology_is_foreign(topology) ? summarise(&topology->emulated, topology->xml_path)
					     : topology_host(topology);
}

bool topology_is_foreign(const struct topology *topology)
{
	return topology->xml_path != NULL;
}

uint64_t topology_node_bytes(const struct topology *topology, uint32_t node)
{
	assert(node < emulated_map(topology)->nr_nodes);
	return emulated_map(topology)->nodes[node].bytes;
}

uint32_t topology_node_os_index(const struct topology *topology, uint32_t node)
{
	assert(node < emulated_map(topology)->nr_nodes);
	return emulated_map(topology)->nodes[node].os_index;
}

uint32_t topology_node_distance(const struct topology *topology, uint32_t from, uint32_t to)
{
	const struct cpu_map *map = emulated_map(topology);

	assert(from < map->nr_nodes && to < map->nr_nodes);
	return map->node_distance[from * map->nr_nodes + to];
}

/* The first failure of its kind is told, the others only counted among it. */
static int bind_failed(atomic_bool *failed_before, int code)
{
	return atomic_exchange_explicit(failed_before, true, memory_order_relaxed)
		       ? TOPOLOGY_BIND_FAILED_AGAIN
		       : code;
}

int topology_bind_self(const struct placement *placement, unsigned vcpu)
{
	struct topology *topology = placement->topology;
	hwloc_bitmap_t set;
	int ret = 0;

	if (!topology->live)
		return bind_failed(&topology->cpu_bind_failed, -ENOTSUP);
	set = hwloc_bitmap_alloc();
	if (!set || hwloc_bitmap_only(set, placement_vcpu(placement, vcpu)->host_pu) < 0)
		ret = -ENOMEM;
	else if (hwloc_set_cpubind(topology->live, set, HWLOC_CPUBIND_THREAD) < 0)
		ret = -errno;
	hwloc_bitmap_free(set);
	return ret ? bind_failed(&topology->cpu_bind_failed, ret) : 0;
}

int topology_bind_memory(struct topology *topology, void *addr, size_t len, uint32_t host_node)
{
	hwloc_bitmap_t set;
	int ret = 0;

	if (host_node >= topology->host.nr_nodes)
		return -EINVAL;
	if (topology->host.nr_nodes == 1 || !len)
		return 0;
	if (!topology->live)
		return bind_failed(&topology->memory_bind_failed, -ENOTSUP);
	set = hwloc_bitmap_alloc();
	/* Not HWLOC_MEMBIND_STRICT: a full node is to overflow, not to summon the OOM killer. */
	if (!set || hwloc_bitmap_only(set, topology->host.nodes[host_node].os_index) < 0)
		ret = -ENOMEM;
	else if (hwloc_set_area_membind(topology->live, addr, len, set, HWLOC_MEMBIND_BIND,
					HWLOC_MEMBIND_BYNODESET) < 0)
		ret = -errno;
	hwloc_bitmap_free(set);
	return ret ? bind_failed(&topology->memory_bind_failed, ret) : 0;
}

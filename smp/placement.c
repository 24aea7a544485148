// SPDX-License-Identifier: GPL-2.0-or-later
/* Which vCPU goes where, and the table that shows it. The rule is in smp/topology.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "smp/topology_private.h"

/*
 * The PUs of @map sorted by SMT thread, in topology order within one: out[0] to out[n - 1].
 * ends[t] says where the PUs that are thread t of their core end. Returns the number of threads
 * of the core that has most. @out and @ends have room for nr_pus.
 */
static uint32_t sort_by_smt(const struct cpu_map *map, uint32_t *out, uint32_t *ends)
{
	uint32_t nr_threads = 0;
	uint32_t n = 0;

	while (n < map->nr_pus) {
		for (uint32_t pu = 0; pu < map->nr_pus; pu++)
			if (map->pus[pu].smt == nr_threads)
				out[n++] = pu;
		ends[nr_threads++] = n;
	}
	return nr_threads;
}

/*
 * Give @nr vCPUs a PU of @map each (its index, in pu_of). A round covers each core once; what
 * does not fill a round is spread evenly over it.
 */
static int spread(const struct cpu_map *map, uint32_t nr, uint32_t *pu_of)
{
	uint32_t *sorted = calloc(map->nr_pus, sizeof(*sorted));
	uint32_t *ends = calloc(map->nr_pus, sizeof(*ends));
	uint32_t nr_threads;
	uint32_t thread = 0;

	if (!sorted || !ends) {
		free(sorted);
		free(ends);
		return -ENOMEM;
	}
	nr_threads = sort_by_smt(map, sorted, ends);
	while (nr) {
		uint32_t start = thread ? ends[thread - 1] : 0;
		uint32_t width = ends[thread] - start;
		uint32_t taken = nr < width ? nr : width;

		for (uint32_t i = 0; i < taken; i++)
			*pu_of++ = sorted[start + (uint64_t)i * width / taken];
		nr -= taken;
		thread = (thread + 1) % nr_threads;
	}
	free(sorted);
	free(ends);
	return 0;
}

/* The vCPUs sorted by PU, and by number on one PU. */
static int sort_by_pu(const uint32_t *pu_of, uint32_t nr, uint32_t nr_pus, uint32_t *out)
{
	uint32_t *start = calloc((size_t)nr_pus + 1, sizeof(*start));

	if (!start)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		start[pu_of[i] + 1]++;
	for (uint32_t pu = 0; pu < nr_pus; pu++)
		start[pu + 1] += start[pu];
	for (uint32_t i = 0; i < nr; i++)
		out[start[pu_of[i]]++] = i;
	free(start);
	return 0;
}

/* Who goes where, as indexes into the maps' PUs; one array each, nr_vcpus long. */
struct assignment {
	uint32_t *emulated;
	uint32_t *host;
	uint32_t *slots;       /* host PUs before they are matched with vCPUs */
	uint32_t *by_emulated; /* vCPUs sorted by emulated PU */
	uint32_t *slots_by_pu; /* indexes of slots sorted by host PU */
};

static void assignment_free(struct assignment *a)
{
	free(a->emulated);
	free(a->host);
	free(a->slots);
	free(a->by_emulated);
	free(a->slots_by_pu);
}

static int assignment_alloc(struct assignment *a, uint32_t nr)
{
	a->emulated = calloc(nr, sizeof(uint32_t));
	a->host = calloc(nr, sizeof(uint32_t));
	a->slots = calloc(nr, sizeof(uint32_t));
	a->by_emulated = calloc(nr, sizeof(uint32_t));
	a->slots_by_pu = calloc(nr, sizeof(uint32_t));
	return a->emulated && a->host && a->slots && a->by_emulated && a->slots_by_pu ? 0 : -ENOMEM;
}

/* Neighbours in the emulated machine become neighbours on the host: sort both sides and pair. */
static int assign(struct assignment *a, const struct cpu_map *emulated, const struct cpu_map *host,
		  uint32_t nr)
{
	int ret = spread(emulated, nr, a->emulated);

	if (!ret)
		ret = spread(host, nr, a->slots);
	if (!ret)
		ret = sort_by_pu(a->emulated, nr, emulated->nr_pus, a->by_emulated);
	if (!ret)
		ret = sort_by_pu(a->slots, nr, host->nr_pus, a->slots_by_pu);
	if (ret)
		return ret;
	for (uint32_t i = 0; i < nr; i++)
		a->host[a->by_emulated[i]] = a->slots[a->slots_by_pu[i]];
	return 0;
}

/* How many vCPUs each PU has: the counts, by PU index. */
static uint32_t *count_shares(const uint32_t *pu_of, uint32_t nr, uint32_t nr_pus, uint32_t *max)
{
	uint32_t *share = calloc(nr_pus, sizeof(*share));

	*max = 0;
	if (!share)
		return NULL;
	for (uint32_t i = 0; i < nr; i++)
		if (++share[pu_of[i]] > *max)
			*max = share[pu_of[i]];
	return share;
}

static int fill(struct placement *p, const struct assignment *a, const struct cpu_map *emulated,
		const struct cpu_map *host)
{
	uint32_t *pu_share =
		count_shares(a->emulated, p->nr_vcpus, emulated->nr_pus, &p->max_pu_share);
	uint32_t *host_share = count_shares(a->host, p->nr_vcpus, host->nr_pus, &p->max_host_share);

	for (uint32_t i = 0; pu_share && host_share && i < p->nr_vcpus; i++) {
		const struct cpu_map_pu *pu = &emulated->pus[a->emulated[i]];
		const struct cpu_map_pu *host_pu = &host->pus[a->host[i]];

		p->vcpu[i] = (struct placement_vcpu){
			.package = pu->package,
			.node = pu->node,
			.l3 = pu->l3,
			.core = pu->core,
			.smt = pu->smt,
			.pu = pu->os_index,
			.pu_share = pu_share[a->emulated[i]],
			.host_package = host_pu->package,
			.host_node = host_pu->node,
			.host_core = host_pu->core,
			.host_pu = host_pu->os_index,
			.host_share = host_share[a->host[i]],
		};
	}
	free(pu_share);
	free(host_share);
	return pu_share && host_share ? 0 : -ENOMEM;
}

int topology_place(struct topology *topology, unsigned nr_vcpus, struct placement **out)
{
	const struct cpu_map *emulated = emulated_map(topology);
	struct assignment a = {NULL};
	struct placement *p;
	int ret;

	_Static_assert(PLACEMENT_NO_L3 == CPU_MAP_NO_L3, "one value for no L3");
	*out = NULL;
	if (!nr_vcpus || nr_vcpus > PLACEMENT_MAX_VCPUS)
		return -EINVAL;
	p = calloc(1, sizeof(*p) + nr_vcpus * sizeof(p->vcpu[0]));
	if (!p)
		return -ENOMEM;
	p->topology = topology;
	p->node_distance = emulated->node_distance;
	p->nr_nodes = emulated->nr_nodes;
	p->nr_packages = emulated->nr_packages;
	p->nr_vcpus = nr_vcpus;
	ret = assignment_alloc(&a, nr_vcpus);
	if (!ret)
		ret = assign(&a, emulated, &topology->host, nr_vcpus);
	if (!ret)
		ret = fill(p, &a, emulated, &topology->host);
	assignment_free(&a);
	if (ret) {
		free(p);
		return ret;
	}
	*out = p;
	return 0;
}

void placement_destroy(struct placement *placement)
{
	free(placement);
}

static void print_count(FILE *out, const char *separator, uint32_t count, const char *thing)
{
	fprintf(out, "%s%" PRIu32 " %s%s", separator, count, thing, count == 1 ? "" : "s");
}

static void print_summary(FILE *out, const char *label, const struct topology_summary *machine)
{
	fprintf(out, "%-10s %s", label, machine->source);
	if (machine->model[0])
		fprintf(out, " (%s)", machine->model);
	print_count(out, ": ", machine->nr_packages, "package");
	print_count(out, ", ", machine->nr_nodes, "NUMA node");
	print_count(out, ", ", machine->nr_l3, "L3 group");
	print_count(out, ", ", machine->nr_cores, "core");
	print_count(out, ", ", machine->nr_pus, "PU");
	if (machine->nr_absent)
		fprintf(out, " (%" PRIu32 " more offline or not allowed)", machine->nr_absent);
	fputc('\n', out);
}

static void print_nodes(FILE *out, const struct topology *topology,
			const struct placement *placement)
{
	static const double gib = 1u << 30;
	struct topology_summary machine = topology_emulated(topology);

	for (uint32_t node = 0; node < machine.nr_nodes; node++) {
		uint32_t nr_vcpus = 0;

		fprintf(out, "%-10s %" PRIu32 " (OS number %" PRIu32 ")", "node", node,
			topology_node_os_index(topology, node));
		if (topology_node_bytes(topology, node))
			fprintf(out, ": %.1f GiB",
				(double)topology_node_bytes(topology, node) / gib);
		for (uint32_t i = 0; placement && i < placement->nr_vcpus; i++)
			nr_vcpus += placement->vcpu[i].node == node;
		if (placement)
			print_count(out, ", ", nr_vcpus, "vCPU");
		fputc('\n', out);
	}
	if (machine.nr_nodes == 1)
		return;
	fprintf(out, "\nnode distances, 10 = local%s\nfrom\\to",
		machine.distance_known ? "" : " (assumed: the description has none)");
	for (uint32_t to = 0; to < machine.nr_nodes; to++)
		fprintf(out, " %5" PRIu32, to);
	fputc('\n', out);
	for (uint32_t from = 0; from < machine.nr_nodes; from++) {
		fprintf(out, "%7" PRIu32, from);
		for (uint32_t to = 0; to < machine.nr_nodes; to++)
			fprintf(out, " %5" PRIu32, topology_node_distance(topology, from, to));
		fputc('\n', out);
	}
}

static void print_pairs(FILE *out, const struct placement *placement)
{
	static const char *const name[PLACEMENT_NR_DISTANCES] = {
		[PLACEMENT_SAME_CORE] = "same core",
		[PLACEMENT_SAME_L3] = "same L3",
		[PLACEMENT_SAME_PACKAGE] = "same package",
		[PLACEMENT_OTHER_PACKAGE] = "other package",
	};
	uint32_t pairs[PLACEMENT_NR_DISTANCES] = {0};

	for (uint32_t i = 0; i < placement->nr_vcpus; i++)
		for (uint32_t j = 0; j < i; j++)
			pairs[placement_distance(placement, i, j)]++;
	fprintf(out, "%-10s", "pairs");
	for (int d = 0; d < PLACEMENT_NR_DISTANCES; d++)
		fprintf(out, "%s %s %" PRIu32, d ? "," : "", name[d], pairs[d]);
	fputc('\n', out);
}

static void print_vcpus(FILE *out, const struct placement *placement)
{
	fprintf(out, "\n%5s  %7s %5s %5s %5s %4s %5s  %8s %10s\n", "vCPU", "package", "node", "L3",
		"core", "SMT", "PU", "host PU", "vCPUs here");
	for (uint32_t i = 0; i < placement->nr_vcpus; i++) {
		const struct placement_vcpu *v = &placement->vcpu[i];
		char l3[12] = "-";

		if (v->l3 != PLACEMENT_NO_L3)
			snprintf(l3, sizeof(l3), "%" PRIu32, v->l3);
		fprintf(out,
			"%5" PRIu32 "  %7" PRIu32 " %5" PRIu32 " %5s %5" PRIu32 " %4" PRIu32
			" %5" PRIu32 "  %8" PRIu32 " %10" PRIu32 "\n",
			i, v->package, v->node, l3, v->core, v->smt, v->pu, v->host_pu,
			v->host_share);
	}
}

void topology_print(FILE *out, const struct topology *topology, const struct placement *placement)
{
	struct topology_summary emulated = topology_emulated(topology);
	struct topology_summary host = topology_host(topology);

	print_summary(out, "machine", &emulated);
	if (topology_is_foreign(topology))
		print_summary(out, "host", &host);
	if (placement) {
		fprintf(out, "%-10s", "placement");
		print_count(out, " ", placement->nr_vcpus, "vCPU");
		fprintf(out,
			", at most %" PRIu32 " on an emulated PU and %" PRIu32 " on a host PU\n",
			placement->max_pu_share, placement->max_host_share);
		print_pairs(out, placement);
	}
	print_nodes(out, topology, placement);
	if (placement)
		print_vcpus(out, placement);
}

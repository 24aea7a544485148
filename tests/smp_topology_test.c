// SPDX-License-Identifier: GPL-2.0-or-later
/* Placement of vCPUs on this host and on the machines in tests/data/topology. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* CPU_SET */
#endif

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "smp/topology.h"
#include "tests/topology_machines.h"

/* What `lstopo tests/data/topology/NAME` shows; the files are described in docs/topology.md. */
static const struct machine_shape {
	const char *name;
	uint32_t packages, nodes, l3, cores, pus, absent;
	bool distance_known;
	bool even; /* packages have equally many cores with equally many PUs */
} shapes[] = {
	{"two_socket_smt.xml", 2, 2, 2, 32, 64, 0, true, true},
	{"four_socket_asymmetric.xml", 4, 4, 4, 24, 48, 0, true, true},
	{"eight_node_l3x4.xml", 2, 8, 16, 64, 64, 0, true, true},
	{"hybrid_odd.xml", 2, 2, 1, 11, 14, 2, false, false},
	{"two_pus.xml", 1, 1, 0, 2, 2, 0, false, true},
};

#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static unsigned min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

Test(topology, shapes_of_the_described_machines)
{
	for (size_t i = 0; i < NR_SHAPES; i++) {
		const struct machine_shape *want = &shapes[i];
		struct topology *topology = load(want->name, NULL);
		struct topology_summary got = topology_emulated(topology);

		cr_expect(topology_is_foreign(topology));
		cr_expect_eq(got.nr_packages, want->packages, "%s", want->name);
		cr_expect_eq(got.nr_nodes, want->nodes, "%s", want->name);
		cr_expect_eq(got.nr_l3, want->l3, "%s", want->name);
		cr_expect_eq(got.nr_cores, want->cores, "%s", want->name);
		cr_expect_eq(got.nr_pus, want->pus, "%s", want->name);
		cr_expect_eq(got.nr_absent, want->absent, "%s", want->name);
		cr_expect_eq(got.distance_known, want->distance_known, "%s", want->name);
		cr_expect_not_null(strstr(got.source, want->name));
		topology_destroy(topology);
	}
}

Test(topology, this_host_is_its_own_emulation)
{
	struct topology *topology = load(NULL, NULL);
	struct topology_summary machine = topology_emulated(topology);
	struct placement *placement = place(topology, 3 * machine.nr_pus + 1);

	cr_expect_not(topology_is_foreign(topology));
	cr_expect_str_eq(machine.source, "this host");
	cr_expect_eq(machine.nr_pus, topology_host(topology).nr_pus);
	for (unsigned i = 0; i < placement->nr_vcpus; i++) {
		cr_expect_eq(placement_vcpu(placement, i)->pu,
			     placement_vcpu(placement, i)->host_pu);
		cr_expect_eq(placement_node(placement, i), placement_vcpu(placement, i)->host_node);
	}
	cr_expect_eq(placement->max_host_share, 4);
	release(topology, placement);
}

Test(topology, refuses_no_vcpus_and_too_many)
{
	struct topology *topology = load(NULL, NULL);
	struct placement *placement = (struct placement *)topology;

	cr_expect_eq(topology_place(topology, 0, &placement), -EINVAL);
	cr_expect_null(placement);
	cr_expect_eq(topology_place(topology, PLACEMENT_MAX_VCPUS + 1, &placement), -EINVAL);
	cr_expect_null(placement);
	placement_destroy(NULL);
	topology_destroy(topology);
	topology_destroy(NULL);
}

/* How many vCPUs each PU, core and package has. */
struct census {
	unsigned pu[PLACEMENT_MAX_VCPUS];
	unsigned core[PLACEMENT_MAX_VCPUS];
	unsigned package[PLACEMENT_MAX_VCPUS];
	unsigned host_pu[PLACEMENT_MAX_VCPUS];
	unsigned siblings; /* vCPUs that are not on the first thread of their core */
};

static void take_census(const struct placement *placement, struct census *census)
{
	memset(census, 0, sizeof(*census));
	for (unsigned i = 0; i < placement->nr_vcpus; i++) {
		const struct placement_vcpu *v = placement_vcpu(placement, i);

		census->pu[v->pu]++;
		census->core[v->core]++;
		census->package[v->package]++;
		census->host_pu[v->host_pu]++;
		census->siblings += v->smt != 0;
	}
}

static unsigned nr_used(const unsigned *count)
{
	unsigned used = 0;

	for (unsigned i = 0; i < PLACEMENT_MAX_VCPUS; i++)
		used += count[i] != 0;
	return used;
}

/* The largest of @count less the smallest that is not 0. */
static unsigned spread_of(const unsigned *count)
{
	unsigned max = 0;
	unsigned min = UINT32_MAX;

	for (unsigned i = 0; i < PLACEMENT_MAX_VCPUS; i++) {
		if (count[i] > max)
			max = count[i];
		if (count[i] && count[i] < min)
			min = count[i];
	}
	return max - min;
}

static void check_spread(const struct machine_shape *shape, struct topology *topology, unsigned n,
			 struct census *census)
{
	struct placement *placement = place(topology, n);
	unsigned host_pus = topology_host(topology).nr_pus;

	take_census(placement, census);
	cr_expect_eq(nr_used(census->core), min_of(n, shape->cores), "%s, %u vCPUs: cores first",
		     shape->name, n);
	cr_expect_eq(nr_used(census->pu), min_of(n, shape->pus), "%s, %u vCPUs: then siblings",
		     shape->name, n);
	cr_expect(n > shape->cores || !census->siblings,
		  "%s, %u vCPUs: a sibling is used while a core is free", shape->name, n);
	cr_expect_leq(spread_of(census->pu), 1, "%s, %u vCPUs: wraps evenly", shape->name, n);
	cr_expect_eq(nr_used(census->host_pu), min_of(n, host_pus), "%s, %u vCPUs: host PUs idle",
		     shape->name, n);
	cr_expect_leq(spread_of(census->host_pu), 1, "%s, %u vCPUs: host load", shape->name, n);
	if (shape->even) {
		cr_expect_eq(nr_used(census->package), min_of(n, shape->packages),
			     "%s, %u vCPUs: packages", shape->name, n);
		cr_expect_leq(spread_of(census->package), 1, "%s, %u vCPUs: packages", shape->name,
			      n);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct placement_vcpu *v = placement_vcpu(placement, i);

		cr_expect_eq(v->pu_share, census->pu[v->pu]);
		cr_expect_eq(v->host_share, census->host_pu[v->host_pu]);
		cr_expect_leq(v->pu_share, placement->max_pu_share);
		cr_expect_leq(v->host_share, placement->max_host_share);
	}
	placement_destroy(placement);
}

Test(topology, spreads_over_cores_then_siblings_then_wraps)
{
	struct census *census = malloc(sizeof(*census));

	for (size_t i = 0; i < NR_SHAPES; i++) {
		struct topology *topology = load(shapes[i].name, NULL);

		for (unsigned n = 1; n <= 2 * shapes[i].pus + 3; n++)
			check_spread(&shapes[i], topology, n, census);
		check_spread(&shapes[i], topology, 1024, census);
		check_spread(&shapes[i], topology, PLACEMENT_MAX_VCPUS, census);
		topology_destroy(topology);
	}
	free(census);
}

Test(topology, places_the_same_way_twice)
{
	for (size_t i = 0; i < NR_SHAPES; i++) {
		struct topology *a = load(shapes[i].name, shapes[0].name);
		struct topology *b = load(shapes[i].name, shapes[0].name);
		struct placement *p = place(a, 100);
		struct placement *q = place(b, 100);

		cr_expect_arr_eq(p->vcpu, q->vcpu, 100 * sizeof(p->vcpu[0]));
		release(a, p);
		release(b, q);
	}
}

Test(topology, two_hundred_and_fifty_six_vcpus_on_two_pus)
{
	struct topology *topology = load("two_socket_smt.xml", "two_pus.xml");
	struct placement *placement = place(topology, 256);

	cr_expect_eq(placement->max_host_share, 128);
	cr_expect_eq(placement->max_pu_share, 4);
	for (unsigned i = 0; i < 256; i++) {
		const struct placement_vcpu *v = placement_vcpu(placement, i);

		cr_expect_eq(v->host_share, 128);
		/* Two packages, two host cores: one each. */
		cr_expect_eq(v->host_core, v->package);
	}
	release(topology, placement);
}

Test(topology, one_package_shares_host_cores)
{
	struct topology *topology = load("four_socket_asymmetric.xml", "eight_node_l3x4.xml");
	struct placement *placement = place(topology, 48);

	for (unsigned i = 0; i < 48; i++) {
		const struct placement_vcpu *v = placement_vcpu(placement, i);

		cr_expect_eq(v->host_package, v->package / 2, "vCPU %u", i);
		cr_expect_eq(v->host_share, 1);
		/* 4 packages of 12 vCPUs over 8 host nodes: two nodes each. */
		cr_expect_eq(v->host_node / 2, v->package, "vCPU %u", i);
	}
	release(topology, placement);
}

Test(topology, distance_classes_are_symmetric_and_nested)
{
	for (size_t m = 0; m < NR_SHAPES; m++) {
		struct topology *topology = load(shapes[m].name, NULL);
		struct placement *p = place(topology, 150);

		for (unsigned i = 0; i < 150; i++) {
			cr_expect_eq(placement_distance(p, i, i), PLACEMENT_SAME_CORE);
			for (unsigned j = 0; j < 150; j++) {
				const struct placement_vcpu *a = placement_vcpu(p, i);
				const struct placement_vcpu *b = placement_vcpu(p, j);
				enum placement_distance d = placement_distance(p, i, j);

				cr_expect_eq(d, placement_distance(p, j, i));
				cr_expect_eq(d == PLACEMENT_SAME_CORE, a->core == b->core);
				cr_expect_eq(d == PLACEMENT_OTHER_PACKAGE,
					     a->package != b->package);
			}
		}
		release(topology, p);
	}
}

Test(topology, distances_of_known_pairs)
{
	struct topology *topology = load("eight_node_l3x4.xml", NULL);
	struct placement *p = place(topology, 128);

	/* A vCPU a core, in order; 4 cores an L3, 8 a node, 32 a package; then once more. */
	cr_expect_eq(placement_distance(p, 0, 64), PLACEMENT_SAME_CORE);
	cr_expect_eq(placement_distance(p, 0, 3), PLACEMENT_SAME_L3);
	cr_expect_eq(placement_distance(p, 0, 4), PLACEMENT_SAME_PACKAGE);
	cr_expect_eq(placement_distance(p, 0, 31), PLACEMENT_SAME_PACKAGE);
	cr_expect_eq(placement_distance(p, 0, 32), PLACEMENT_OTHER_PACKAGE);
	cr_expect_eq(placement_node_distance(p, 0, 7), 10);
	cr_expect_eq(placement_node_distance(p, 0, 8), 12);
	cr_expect_eq(placement_node_distance(p, 0, 63), 32);
	cr_expect_eq(placement_nr_nodes(p), 8);
	cr_expect_eq(placement_nr_packages(p), 2);
	release(topology, p);
}

Test(topology, node_distances_need_not_be_symmetric)
{
	/* As given to hwloc-annotate when the file was made. */
	static const uint32_t want[4][4] = {
		{10, 20, 20, 30}, {20, 10, 30, 20}, {22, 30, 10, 20}, {40, 20, 20, 10}};
	struct topology *topology = load("four_socket_asymmetric.xml", NULL);
	struct placement *p = place(topology, 24);

	for (unsigned i = 0; i < 24; i++) {
		cr_expect_eq(placement_node(p, i), i / 6);
		for (unsigned j = 0; j < 24; j++)
			cr_expect_eq(placement_node_distance(p, i, j), want[i / 6][j / 6]);
	}
	cr_expect_eq(topology_node_distance(topology, 0, 3), 30);
	cr_expect_eq(topology_node_distance(topology, 3, 0), 40);
	cr_expect_eq(topology_node_bytes(topology, 2), 64ull << 30);
	release(topology, p);
}

Test(topology, odd_machine)
{
	struct topology *topology = load("hybrid_odd.xml", NULL);
	struct placement *p = place(topology, 14);
	/* 8 to 11 are cores without siblings, 3 is offline, 35 not allowed. */
	static const uint32_t want_pu[14] = {0, 2, 4, 6, 8, 9, 10, 11, 32, 33, 34, 1, 5, 7};

	for (unsigned i = 0; i < 14; i++) {
		const struct placement_vcpu *v = placement_vcpu(p, i);

		cr_expect_eq(v->pu, want_pu[i], "vCPU %u is on PU %u", i, v->pu);
		cr_expect_eq(v->smt, i >= 11);
		cr_expect_eq(v->package, v->pu >= 32);
		cr_expect_eq(v->node, v->pu >= 32);
		cr_expect_eq(v->l3, v->pu >= 32 ? PLACEMENT_NO_L3 : 0);
	}
	/* The second package has no L3 to share; the file has no distances. */
	cr_expect_eq(placement_distance(p, 8, 9), PLACEMENT_SAME_PACKAGE);
	cr_expect_eq(placement_distance(p, 0, 11), PLACEMENT_SAME_CORE);
	cr_expect_eq(placement_node_distance(p, 0, 8), 20);
	cr_expect_eq(placement_node_distance(p, 0, 1), 10);
	/* Memory node 7 has no CPUs. */
	cr_expect_eq(topology_node_os_index(topology, 1), 4);
	cr_expect_eq(topology_node_bytes(topology, 0), 16ull << 30);
	release(topology, p);
}

Test(topology, honours_the_affinity_of_the_process)
{
	cpu_set_t all;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct topology *topology;
		struct placement *placement;
		cpu_set_t one;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
		for (int foreign = 0; foreign < 2; foreign++) {
			topology = load(foreign ? "two_socket_smt.xml" : NULL, NULL);
			placement = place(topology, 9);
			cr_expect_eq(topology_host(topology).nr_pus, 1);
			for (unsigned i = 0; i < 9; i++)
				cr_expect_eq(placement_vcpu(placement, i)->host_pu, (unsigned)cpu);
			cr_expect_eq(placement->max_host_share, 9);
			release(topology, placement);
		}
	}
}

struct bind_args {
	const struct placement *placement;
	unsigned vcpu;
	int ret;
	cpu_set_t bound;
};

static void *bind_and_look(void *data)
{
	struct bind_args *args = data;

	args->ret = topology_bind_self(args->placement, args->vcpu);
	sched_getaffinity(0, sizeof(args->bound), &args->bound);
	return NULL;
}

Test(topology, binds_threads_to_their_host_pu)
{
	struct topology *topology = load("four_socket_asymmetric.xml", NULL);
	struct placement *placement = place(topology, 8);

	for (unsigned i = 0; i < 8; i++) {
		struct bind_args args = {.placement = placement, .vcpu = i};
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, bind_and_look, &args), 0);
		cr_assert_eq(pthread_join(thread, NULL), 0);
		cr_expect_eq(args.ret, 0);
		cr_expect_eq(CPU_COUNT(&args.bound), 1);
		cr_expect(CPU_ISSET(placement_vcpu(placement, i)->host_pu, &args.bound));
	}
	release(topology, placement);
}

Test(topology, reports_a_binding_failure_once)
{
	struct topology *topology = load(NULL, NULL);
	struct topology *other = load(NULL, "two_pus.xml");
	struct placement *placement = place(topology, 2);
	struct placement *elsewhere = place(other, 2);

	/* As if that CPU had gone offline since. */
	placement->vcpu[0].host_pu = PLACEMENT_MAX_VCPUS - 1;
	cr_expect_lt(topology_bind_self(placement, 0), 0);
	cr_expect_eq(topology_bind_self(placement, 0), TOPOLOGY_BIND_FAILED_AGAIN);
	cr_expect_eq(topology_bind_self(placement, 1), 0);

	cr_expect_eq(topology_bind_self(elsewhere, 0), -ENOTSUP);
	cr_expect_eq(topology_bind_self(elsewhere, 1), TOPOLOGY_BIND_FAILED_AGAIN);
	release(topology, placement);
	release(other, elsewhere);
}

Test(topology, binds_memory_where_there_is_a_choice)
{
	struct topology *here = load("two_socket_smt.xml", NULL);
	struct topology *single = load(NULL, "two_pus.xml");
	struct topology *elsewhere = load(NULL, "two_socket_smt.xml");
	size_t len = 1u << 20;
	char *region = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t nr_nodes = topology_host(here).nr_nodes;

	cr_assert_neq(region, MAP_FAILED);
	for (uint32_t node = 0; node < nr_nodes; node++)
		cr_expect_eq(topology_bind_memory(here, region, len, node), 0);
	memset(region, 1, len);
	cr_expect_eq(topology_bind_memory(here, region, len, nr_nodes), -EINVAL);
	cr_expect_eq(topology_bind_memory(single, region, len, 0), 0);
	cr_expect_eq(topology_bind_memory(elsewhere, region, len, 1), -ENOTSUP);
	cr_expect_eq(topology_bind_memory(elsewhere, region, len, 1), TOPOLOGY_BIND_FAILED_AGAIN);
	cr_expect_eq(topology_bind_memory(elsewhere, region, len, 2), -EINVAL);
	munmap(region, len);
	topology_destroy(here);
	topology_destroy(single);
	topology_destroy(elsewhere);
}

static char *printed(const struct topology *topology, const struct placement *placement)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	cr_assert_not_null(out);
	topology_print(out, topology, placement);
	fclose(out);
	return text;
}

Test(topology, prints_machine_host_and_a_row_for_each_vcpu)
{
	struct topology *topology = load("hybrid_odd.xml", "two_pus.xml");
	struct placement *placement = place(topology, 20);
	char *text = printed(topology, placement);
	char *machine_only = printed(topology, NULL);
	unsigned vcpu;
	unsigned rows = 0;

	cr_expect_not_null(strstr(text, "hybrid_odd.xml (Hybrid test machine): 2 packages, 2 NUMA "
					"nodes, 1 L3 group, 11 cores, 14 PUs (2 more offline or "
					"not allowed)\nhost "));
	cr_expect_not_null(
		strstr(text, "20 vCPUs, at most 2 on an emulated PU and 10 on a host PU\n"));
	cr_expect_not_null(strstr(text, "node       1 (OS number 4): 8.0 GiB, "));
	cr_expect_not_null(strstr(text, "assumed"));
	for (char *line = strstr(text, "\n vCPU"); line; line = strchr(line + 1, '\n'))
		if (sscanf(line, "\n%u", &vcpu) == 1 && vcpu == rows)
			rows++;
	cr_expect_eq(rows, 20);
	cr_expect_null(strstr(machine_only, "vCPU"));
	free(text);
	free(machine_only);
	release(topology, placement);
}

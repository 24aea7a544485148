// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * topology_machines: the machines described in tests/data/topology, for tests that need one.
 */
#ifndef MMTORTURE_TESTS_TOPOLOGY_MACHINES_H
#define MMTORTURE_TESTS_TOPOLOGY_MACHINES_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "smp/topology.h"

#define PATH_LEN 4096

/* Tests start in the root of the tree; elsewhere, Bazel's environment says where it is. */
static inline const char *data_path(const char *name, char *path)
{
	const char *srcdir = getenv("TEST_SRCDIR");
	const char *workspace = getenv("TEST_WORKSPACE");

	snprintf(path, PATH_LEN, "tests/data/topology/%s", name);
	if (access(path, R_OK) && srcdir && workspace)
		snprintf(path, PATH_LEN, "%s/%s/tests/data/topology/%s", srcdir, workspace, name);
	return path;
}

/* The machine @name on the host @host_name (NULL: this one). */
static inline struct topology *load(const char *name, const char *host_name)
{
	char path[PATH_LEN];
	char host_path[PATH_LEN];
	struct topology_error err;
	struct topology *topology =
		topology_load_on(name ? data_path(name, path) : NULL,
				 host_name ? data_path(host_name, host_path) : NULL, &err);

	cr_assert_not_null(topology, "%s", err.message);
	cr_assert_eq(err.code, 0);
	cr_assert_str_empty(err.message);
	return topology;
}

static inline struct placement *place(struct topology *topology, unsigned nr_vcpus)
{
	struct placement *placement;

	cr_assert_eq(topology_place(topology, nr_vcpus, &placement), 0);
	cr_assert_eq(placement->nr_vcpus, nr_vcpus);
	return placement;
}

static inline void release(struct topology *topology, struct placement *placement)
{
	placement_destroy(placement);
	topology_destroy(topology);
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * topology_private: what topology.c, topology_xml.c and placement.c share, and nobody else.
 */
#ifndef MMTORTURE_SMP_TOPOLOGY_PRIVATE_H
#define MMTORTURE_SMP_TOPOLOGY_PRIVATE_H

#include <stdatomic.h>

#include "smp/cpu_map.h"
#include "smp/topology.h"

struct topology {
	/* constant once loaded */
	struct cpu_map emulated; /* empty when the host is the emulated machine */
	struct cpu_map host;
	char *xml_path;	       /* NULL: the host is the emulated machine */
	char *host_xml_path;   /* NULL: the host is real */
	hwloc_topology_t live; /* the real host, for binding; NULL otherwise */

	/* set by the first failure; relaxed, for they order nothing */
	atomic_bool cpu_bind_failed;
	atomic_bool memory_bind_failed;
};

static inline const struct cpu_map *emulated_map(const struct topology *topology)
{
	return topology->xml_path ? &topology->emulated : &topology->host;
}

/* Write an error about @path; control characters in it would break the one line. */
__attribute__((format(printf, 4, 5))) void topology_fail(struct topology_error *err, int code,
							 const char *path, const char *format, ...);

/* Read the hwloc XML at @path into @map. Returns 0, or a negative errno with @err filled. */
int topology_read_xml(struct cpu_map *map, const char *path, struct topology_error *err);

#endif

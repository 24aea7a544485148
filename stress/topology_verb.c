// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * topology: where the vCPUs of a machine go, and what machine the XML describes.
 */
#include <stdio.h>

#include "smp/topology.h"
#include "stress/run.h"
#include "stress/verbs.h"

static json_t *vcpu_json(const struct placement *p, unsigned int i)
{
	const struct placement_vcpu *v = placement_vcpu(p, i);

	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "vcpu", (int)i, "package",
			 (int)v->package, "node", (int)v->node, "core", (int)v->core, "pu",
			 (int)v->pu, "host_pu", (int)v->host_pu);
}

static int show(const struct config *config, struct topology *t, struct placement *p)
{
	struct record *record = record_new(config);
	struct error err = {0};
	json_t *vcpus = json_array();
	enum verdict verdict = VERDICT_CLEAN;

	topology_print(stdout, t, p);
	if (record && config->json[0]) {
		for (unsigned int i = 0; i < config->cpus; i++)
			json_array_append_new(vcpus, vcpu_json(p, i));
		json_object_set(record_root(record), "topology", vcpus);
		record_verdict(record, verdict, 0);
		if (record_write(record, config->json, &err)) {
			fprintf(stderr, "mmtorture: %s\n", err.line);
			verdict = (enum verdict)err.status;
		}
	}
	json_decref(vcpus);
	record_free(record);
	return verdict;
}

int verb_topology(const struct config *config)
{
	struct topology_error terr = {0};
	struct placement *p = NULL;
	struct topology *t = topology_load(config->topology[0] ? config->topology : NULL, &terr);
	int status;

	if (!t) {
		fprintf(stderr, "mmtorture: %s\n", terr.message);
		return VERDICT_USAGE;
	}
	if (topology_place(t, config->cpus, &p)) {
		fprintf(stderr, "mmtorture: no memory to place %u CPUs\n", config->cpus);
		topology_destroy(t);
		return VERDICT_UNTRUSTWORTHY;
	}
	status = show(config, t, p);
	placement_destroy(p);
	topology_destroy(t);
	return status;
}

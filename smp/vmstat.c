// SPDX-License-Identifier: GPL-2.0-or-later
#include "smp/vmstat.h"

const char *const vmstat_names[NR_VMSTAT_ITEMS] = {
#define X(name) [VMSTAT_##name] = #name,
	VMSTAT_ITEMS(X)
#undef X
};

u64 vmstat_sum(const struct machine *m, enum vmstat_item item)
{
	u64 sum = 0;

	for (u32 i = 0; i < m->nr_vcpus; i++)
		sum += __atomic_load_n(&m->vcpus[i].counters[item], __ATOMIC_RELAXED);
	return sum;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operation "hotplug": a task takes a CPU offline, calls it back, or both, as who writes to
 * /sys/devices/system/cpu/cpuN/online does. Any task may do it, wherever it runs. One that finds
 * the CPU as it wants it, and one that names CPU 0, has nothing to do. Sleeps.
 */
#ifndef STRESS_HOTPLUG_OPS_H
#define STRESS_HOTPLUG_OPS_H

#include "engine/types.h"

enum hotplug_how {
	HOTPLUG_DOWN,
	HOTPLUG_UP,
	HOTPLUG_DOWN_AND_UP,
};
#define HOTPLUG_HOW_MAX HOTPLUG_DOWN_AND_UP

/* @cpu counts on from 0 behind the last one. */
void user_hotplug(u32 cpu, enum hotplug_how how);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The version that banners, the JSON document and schedule files carry. A schedule file is
 * refused by any other version, so the number changes with everything that changes a run.
 */
#ifndef STRESS_VERSION_H
#define STRESS_VERSION_H

#define MMTORTURE_VERSION "0.1.0"

#endif

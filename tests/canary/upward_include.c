// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Canary: includes a header of the part above the one that the target depends on. Must not build.
 */
#include MMT_UPWARD_HEADER

/* Something to compile, should the include succeed. */
extern const int upward_include;
const int upward_include;

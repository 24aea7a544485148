// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An error on its way to main(): one line for stderr and the exit status.
 *
 * A function that can fail on what people gave it takes a struct error, fills it with error_set()
 * and returns other than 0. Only main() prints and exits. The line names the option or
 * FILE:LINE first, then what was wrong, then, after a semicolon, what would be right; it carries
 * neither the program's name nor a newline. The caller owns the struct; no locks.
 */
#ifndef STRESS_ERROR_H
#define STRESS_ERROR_H

#include "stress/verdict.h"

/* Room for two full paths cut short, or one name and a list of some thirty valid ones. */
#define ERROR_LINE_SIZE 1024

struct error {
	int status; /* an enum verdict; 0 as long as nothing went wrong */
	char line[ERROR_LINE_SIZE];
};

/*
 * Fills @err. The line is made printable (see printable.h) and cut to fit. Returns -1, so that
 * `return error_set(...)` is all that a failing function has to say.
 */
int error_set(struct error *err, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Bad input: status 64. */
#define error_input(err, ...) error_set(err, VERDICT_USAGE, __VA_ARGS__)

/* The one reason that has no better words. */
#define error_no_memory(err) error_set(err, VERDICT_UNTRUSTWORTHY, "out of host memory")

#endif

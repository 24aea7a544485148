// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists whose items are separated by one character, possibly over several lines of a job file.
 *
 * An item comes without the blanks around it and with each run of blanks inside made one space.
 * The reader counts newlines, so that a complaint about an item can name its line. The text must
 * outlive the reader. No locks.
 */
#ifndef STRESS_ITEMS_H
#define STRESS_ITEMS_H

#include <stdbool.h>

/* An operation with four arguments takes some 160 bytes at most. */
#define ITEM_SIZE 256

struct item_reader {
	const char *cursor;
	unsigned int line; /* where the cursor stands */
	char separator;
	bool ended;
	/* of the item read last: */
	char item[ITEM_SIZE];
	unsigned int item_line; /* where it begins; of an empty one, where it ends */
	bool cut;		/* it was longer than fits */
	bool last;		/* no separator follows it */
};

void items_begin(struct item_reader *reader, const char *text, unsigned int line, char separator);

/* Reads the next item, which may be empty. False where there is none: n separators, n + 1 items. */
bool items_next(struct item_reader *reader);

#endif

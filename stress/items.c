// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/items.h"

#include <ctype.h>
#include <stddef.h>

void items_begin(struct item_reader *reader, const char *text, unsigned int line, char separator)
{
	*reader = (struct item_reader){.cursor = text, .line = line, .separator = separator};
}

static void append(struct item_reader *reader, size_t *used, char c)
{
	if (*used + 1 < sizeof(reader->item))
		reader->item[(*used)++] = c;
	else
		reader->cut = true;
}

bool items_next(struct item_reader *reader)
{
	size_t used = 0;
	bool blank = false;

	if (reader->ended)
		return false;
	reader->cut = false;
	reader->item_line = 0;
	for (;; reader->cursor++) {
		char c = *reader->cursor;

		if (c == '\0' || c == reader->separator)
			break;
		if (isspace((unsigned char)c)) {
			reader->line += c == '\n';
			blank = used > 0;
			continue;
		}
		if (used == 0)
			reader->item_line = reader->line;
		if (blank)
			append(reader, &used, ' ');
		blank = false;
		append(reader, &used, c);
	}
	reader->item[used] = '\0';
	if (used == 0)
		reader->item_line = reader->line;
	reader->last = *reader->cursor == '\0';
	reader->ended = reader->last;
	if (!reader->ended)
		reader->cursor++;
	return true;
}

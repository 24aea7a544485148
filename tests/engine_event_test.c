// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The event rings and their columns.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/engine_machine.h"

EVENT_DESC(ev_step, 90, 0, "step", "number %llu of %llu");
EVENT_DESC(ev_plain, 91, 0, "plain", "%llu%.0llu");
EVENT_DESC(ev_sync, 92, EVENT_SYNC, "sync", "%llu%.0llu");

static const struct event *newest(const struct vcpu *v, u64 back)
{
	return &v->events.slots[(v->events.head - 1 - back) % EVENT_RING_SIZE];
}

/* --- The ring --------------------------------------------------------------------------------- */

#define RECORDED (3 * EVENT_RING_SIZE + 17)

static void record_many(struct vcpu *v)
{
	for (u64 i = 0; i < RECORDED; i++)
		event_record(i % 5 ? &ev_step : &ev_sync, i, v->id);
}

Test(engine_event, ring_keeps_the_newest_in_order)
{
	static const struct bare_program p = {.cpus = 2, .vcpu_main = record_many};

	for (u32 threads = 0; threads < 2; threads++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		bare_expect_finished(&b, threads ? bare_threads(&b) : bare_explore(&b));
		for (u32 cpu = 0; cpu < 2; cpu++) {
			const struct vcpu *v = &b.m->vcpus[cpu];

			cr_assert_eq(v->events.head, RECORDED);
			for (u64 back = 0; back < EVENT_RING_SIZE; back++) {
				const struct event *e = newest(v, back);

				cr_assert_eq(e->a, RECORDED - 1 - back);
				cr_assert_eq(e->b, cpu);
				cr_assert(!back || e->time <= newest(v, back - 1)->time);
			}
		}
		bare_destroy(&b);
	}
}

/* Set-up code has no vCPU: its events have no ring to go to. */
Test(engine_event, without_a_vcpu_nothing_is_recorded)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = record_many};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	event_record(&ev_plain, 1, 2);
	cr_assert_eq(b.m->vcpus[0].events.head, 0);
	bare_destroy(&b);
}

Test(engine_event, reset_forgets)
{
	static const struct bare_program p = {.cpus = 1, .vcpu_main = record_many};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	bare_expect_finished(&b, bare_explore(&b));
	event_ring_reset(&b.m->vcpus[0].events);
	cr_assert_eq(b.m->vcpus[0].events.head, 0);
	cr_assert_not_null(b.m->vcpus[0].events.slots);
	bare_destroy(&b);
}

/* --- Time ------------------------------------------------------------------------------------- */

static void record_each_step(struct vcpu *v)
{
	for (u64 i = 0; i < 20; i++) {
		safepoint();
		event_record(&ev_step, v->id, i);
		safepoint();
	}
}

/* Explored, an event's time is the number of decision points so far: no two vCPUs' events that have
 * a decision point between them have the same. */
Test(engine_event, explored_time_is_the_step)
{
	static const struct bare_program p = {.cpus = 3, .vcpu_main = record_each_step};
	struct bare_machine b;
	bool seen[121] = {false};

	bare_create(&b, &p, 7);
	bare_expect_finished(&b, bare_explore(&b));
	cr_assert_eq(b.m->explored.steps, 120);
	for (u32 cpu = 0; cpu < 3; cpu++) {
		for (u64 back = 0; back < 20; back++) {
			u64 time = newest(&b.m->vcpus[cpu], back)->time;

			cr_assert(time >= 1 && time <= 120);
			cr_assert_not(seen[time], "time %llu twice", (unsigned long long)time);
			seen[time] = true;
		}
	}
	bare_destroy(&b);
}

/* --- Text ------------------------------------------------------------------------------------- */

Test(engine_event, text_is_name_and_numbers)
{
	struct event e = {.desc = &ev_step, .a = 3, .b = ~0ULL};
	char text[64], small[8];

	cr_assert_eq(event_format(&e, text, sizeof(text)),
		     (int)strlen("step number 3 of 18446744073709551615"));
	cr_assert_str_eq(text, "step number 3 of 18446744073709551615");
	event_format(&e, small, sizeof(small));
	cr_assert_str_eq(small, "step nu");
	e = (struct event){.desc = &ev_plain, .a = 5, .b = 0};
	event_format(&e, text, sizeof(text));
	cr_assert_str_eq(text, "plain 5");
}

/* Fills the rings by hand: @times of vCPU 0's events, then of vCPU 1's, and so on, 0 ending each.
 */
static void fill(struct machine *m, const u64 *times)
{
	for (u32 cpu = 0; cpu < m->nr_vcpus; cpu++) {
		struct event_ring *ring = &m->vcpus[cpu].events;

		for (; *times; times++)
			ring->slots[ring->head++] =
				(struct event){.time = *times, .desc = &ev_plain, .a = *times};
		times++;
	}
}

static char *columns(const struct machine *m, u32 depth)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	event_print_columns(out, m, depth);
	fclose(out);
	return text;
}

static void nothing(struct vcpu *v)
{
	(void)v;
}

/* Trailing blanks of the headline do not matter. */
static void expect_lines(char *text, const char *const *lines)
{
	char *save = NULL, *line = strtok_r(text, "\n", &save);

	for (; *lines; lines++) {
		size_t len;

		cr_assert_not_null(line, "expected \"%s\"", *lines);
		for (len = strlen(line); len && line[len - 1] == ' '; len--)
			line[len - 1] = '\0';
		cr_assert_str_eq(line, *lines);
		line = strtok_r(NULL, "\n", &save);
	}
	cr_assert_null(line);
	free(text);
}

#define COLUMN "                                            "

Test(engine_event, columns_are_in_order_of_time)
{
	static const struct bare_program p = {.cpus = 3, .vcpu_main = nothing};
	static const u64 times[] = {10, 30, 30, 0, 0, 20, 40, 0};
	static const char *const all[] = {"  CPU0                                        CPU2",
					  "  plain 10",
					  "  " COLUMN "plain 20",
					  "  plain 30",
					  "  plain 30",
					  "  " COLUMN "plain 40",
					  NULL};
	static const char *const last_two[] = {"  CPU0                                        CPU2",
					       "  plain 30", "  " COLUMN "plain 40", NULL};
	static const char *const last_one[] = {"  CPU2", "  plain 40", NULL};
	struct bare_machine b;

	bare_create(&b, &p, 1);
	fill(b.m, times);
	/* vCPU 1 has nothing to say, and no column. */
	expect_lines(columns(b.m, 100), all);
	expect_lines(columns(b.m, 2), last_two);
	expect_lines(columns(b.m, 1), last_one);
	bare_destroy(&b);
}

Test(engine_event, more_vcpus_than_columns_stand_in_front)
{
	static const struct bare_program p = {.cpus = 5, .vcpu_main = nothing};
	static const u64 times[] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0};
	struct bare_machine b;
	char *text;

	bare_create(&b, &p, 1);
	fill(b.m, times);
	text = columns(b.m, 100);
	cr_assert_not_null(strstr(text, "  CPU4    plain 5\n"), "%s", text);
	cr_assert_not_null(strstr(text, "  CPU0    plain 1\n"), "%s", text);
	free(text);
	bare_destroy(&b);
}

/* --- Events are part of the history ----------------------------------------------------------- */

static void record_secret(struct vcpu *v)
{
	safepoint();
	event_record(&ev_plain, *(const u64 *)shared_of(v), 0);
	safepoint();
}

Test(engine_event, history_depends_on_what_was_recorded)
{
	static const struct bare_program p = {
		.cpus = 2, .vcpu_main = record_secret, .shared_bytes = sizeof(u64)};
	u64 history[3];

	for (u64 i = 0; i < 3; i++) {
		struct bare_machine b;

		bare_create(&b, &p, 1);
		*(u64 *)b.shared = i / 2;
		bare_expect_finished(&b, bare_explore(&b));
		history[i] = b.m->explored.history;
		bare_destroy(&b);
	}
	cr_assert_eq(history[0], history[1]);
	cr_assert_neq(history[0], history[2]);
}

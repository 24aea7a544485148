// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trace files, read by readers of their grammar that are written here from the formats' own
 * descriptions: ftrace's text (Documentation/trace/ftrace.txt of v3.14 and the TP_printk() of the
 * events), and the Trace Event Format.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress/retrace.h"
#include "stress/trace.h"
#include "stress_found_schedule.h"
#include "support/test_machine.h"

#define CPUS_MAX 8

/* Of the cases: sanitizers make reading a trace 20 times slower. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CASE_STRIDE 3
#else
#define CASE_STRIDE 1
#endif

/* Schedules with interrupts, one that is never answered, sleeping locks, a violation in an
 * interrupt, a deadlock, and none. */
static const struct {
	const char *slug;
	bool planted;
} cases[] = {
	{"ipi-wait-irqs-off", true},	{"ipi-ack-before-flush", true},
	{"rwsem-lost-wakeup", true},	{"rmap-removed-before-flush", true},
	{"lock-order-inversion", true}, {"table-freed-at-once", true},
	{"flush-range-short", false},	{"lazy-mm-not-pinned", false},
};

static struct retrace *retraced(const struct found_schedule *f)
{
	struct error err = {0};
	struct retrace *r = retrace_schedule(&f->config, &f->schedule, &err);

	cr_assert_not_null(r, "%s", err.line);
	return r;
}

static char *written(int (*write)(FILE *, const struct retrace *, struct error *),
		     const struct retrace *r)
{
	struct error err = {0};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	cr_assert_eq(write(out, r, &err), 0, "%s", err.line);
	cr_assert_eq(fclose(out), 0);
	return text;
}

/* ---- ftrace ---- */

struct ftrace_line {
	char comm[17], name[64];
	unsigned int pid, cpu;
	char flags[5];
	unsigned long long us;
	const char *args;
};

/* "%16s-%-5d [%03d] FLAGS %5lu.%06lu: NAME: ARGS"; what is wrong with it, or NULL. */
static const char *parse_line(const char *line, struct ftrace_line *l)
{
	unsigned long long seconds, micro;
	const char *p = line, *dot, *colon;
	int n = 0;

	if (strlen(line) < 50)
		return "is too short";
	memcpy(l->comm, line, 16);
	l->comm[16] = '\0';
	if (line[15] == ' ' || line[16] != '-')
		return "no comm of 16 columns, right-aligned, and '-'";
	p += 17;
	if (!isdigit((unsigned char)*p) || sscanf(p, "%u%n", &l->pid, &n) != 1)
		return "no pid";
	for (; n < 5; n++) {
		if (p[n] != ' ')
			return "the pid is not padded to 5 columns";
	}
	p += n;
	if (strncmp(p, " [", 2) || !isdigit((unsigned char)p[2]) || !isdigit((unsigned char)p[3]) ||
	    !isdigit((unsigned char)p[4]) || strncmp(p + 5, "] ", 2))
		return "no [CPU] of three digits";
	l->cpu = (unsigned int)strtoul(p + 2, NULL, 10);
	p += 7;
	memcpy(l->flags, p, 4);
	l->flags[4] = '\0';
	if (!strchr("d.", p[0]) || !strchr("N.", p[1]) || !strchr("hsH.", p[2]) ||
	    !(p[3] == '.' || (isxdigit((unsigned char)p[3]) && p[3] != '0')))
		return "no four flags: irqs-off, need-resched, hardirq, preempt-depth";
	p += 4;
	dot = strchr(p, '.');
	if (*p != ' ' || !dot || dot - p < 6 ||
	    sscanf(p, "%llu.%llu:%n", &seconds, &micro, &n) != 2 || p[n - 1] != ':' ||
	    p + n - 1 - dot != 7)
		return "no time of 5.6 digits";
	l->us = seconds * 1000000 + micro;
	p += n;
	colon = strstr(p, ": ");
	if (*p != ' ' || !colon || colon - p < 2 || (size_t)(colon - p) > sizeof(l->name))
		return "no 'event: arguments'";
	memcpy(l->name, p + 1, (size_t)(colon - p - 1));
	l->name[colon - p - 1] = '\0';
	for (const char *c = l->name; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '_')
			return "the event's name is no word";
	}
	l->args = colon + 2;
	return NULL;
}

/* The arguments of events that the kernel has. */
static const char *check_arguments(const struct ftrace_line *l)
{
	char a[64], b[64], state;
	unsigned int p1, p2, prio1, prio2;
	unsigned long long x, y, z;
	long long pages;

	if (!strcmp(l->name, "sched_switch")) {
		if (sscanf(l->args,
			   "prev_comm=%63s prev_pid=%u prev_prio=%u prev_state=%c ==> "
			   "next_comm=%63s next_pid=%u next_prio=%u",
			   a, &p1, &prio1, &state, b, &p2, &prio2) != 7 ||
		    !strchr("RSDX", state))
			return "is no sched_switch";
	} else if (!strcmp(l->name, "sched_wakeup")) {
		if (sscanf(l->args, "comm=%63s pid=%u prio=%u target_cpu=%u", a, &p1, &prio1,
			   &p2) != 4)
			return "is no sched_wakeup";
	} else if (!strcmp(l->name, "ipi_raise")) {
		if (sscanf(l->args, "target_mask=%8llx,%8llx (Function call interrupts)", &x, &y) !=
			    2 ||
		    (!x && !y))
			return "is no ipi_raise";
	} else if (!strcmp(l->name, "ipi_entry") || !strcmp(l->name, "ipi_exit")) {
		if (l->args[0] != '(' || l->args[strlen(l->args) - 1] != ')')
			return "has no reason in brackets";
	} else if (!strcmp(l->name, "tlb_flush")) {
		if (sscanf(l->args, "pages:%lld reason:%63[a-z ](%u)", &pages, a, &p1) != 3)
			return "is no tlb_flush";
	} else if (!strcmp(l->name, "mm_page_free")) {
		if (sscanf(l->args, "page=%llx pfn=%llu order=%llu", &x, &y, &z) != 3)
			return "is no mm_page_free";
	} else if (!strcmp(l->name, "mm_page_alloc")) {
		if (sscanf(l->args, "page=%llx pfn=%llu order=%llu migratetype=%u gfp_flags=%63s",
			   &x, &y, &z, &p1, a) != 5)
			return "is no mm_page_alloc";
	} else if (!strcmp(l->name, "lock_acquire") || !strcmp(l->name, "lock_release")) {
		if (sscanf(l->args, "%llx %63s", &x, a) != 2)
			return "has no address and name";
	} else if (strncmp(l->name, "mmt_", 4)) {
		return "is neither the kernel's nor ours";
	}
	return NULL;
}

/* Reads all of @text; returns the lines, and of the events with @name their number in *found. */
static unsigned int check_ftrace(char *text, unsigned int cpus, const char *name,
				 unsigned int *found)
{
	unsigned int in_buffer = 0, heard_of = 0, processors = 0, lines = 0;
	bool inside[CPUS_MAX] = {false};
	unsigned long long last = 0;
	char *save = NULL;

	cr_assert(!strncmp(text, "# tracer: nop\n#\n", 16));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct ftrace_line l;
		const char *wrong;

		if (*line == '#') {
			sscanf(line, "# entries-in-buffer/entries-written: %u/%u   #P:%u",
			       &in_buffer, &heard_of, &processors);
			cr_expect_eq(lines, 0, "a comment among the entries");
			continue;
		}
		lines++;
		wrong = parse_line(line, &l);
		cr_assert_null(wrong, "%s: %s", wrong, line);
		wrong = check_arguments(&l);
		cr_assert_null(wrong, "%s: %s", wrong, line);
		cr_assert_lt(l.cpu, cpus);
		cr_expect_geq(l.us, last, "time goes back: %s", line);
		last = l.us;
		*found += !strcmp(l.name, name);
		if (!strcmp(l.name, "ipi_entry") || !strcmp(l.name, "ipi_exit")) {
			bool entry = l.name[4] == 'e' && l.name[5] == 'n';

			cr_expect_neq(inside[l.cpu], entry, "twice: %s", line);
			inside[l.cpu] = entry;
		}
		/* A violation is told of by nobody's code. */
		if (strcmp(l.name, "mmt_violation"))
			cr_expect_eq(inside[l.cpu], l.flags[2] == 'h', "the h is wrong: %s", line);
	}
	cr_expect_eq(in_buffer, lines);
	cr_expect_eq(heard_of, lines);
	cr_expect_eq(processors, cpus);
	return lines;
}

Test(trace, ftrace_is_well_formed)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i += CASE_STRIDE) {
		struct found_schedule f;
		unsigned int violations = 0;
		struct retrace *r;
		char *text;

		found_schedule_make(&f, cases[i].slug, cases[i].planted);
		r = retraced(&f);
		text = written(trace_ftrace, r);
		cr_expect_geq(check_ftrace(text, f.config.cpus, "mmt_violation", &violations),
			      f.schedule.steps);
		cr_expect_eq(violations, cases[i].planted, "%s", cases[i].slug);
		free(text);
		retrace_destroy(r);
		found_schedule_free(&f);
	}
}

/* The reader sees what is wrong: each of these differs in one thing from a line that it takes. */
Test(trace, ftrace_reader_refuses)
{
	static const char good[] =
		"          zapper-2     [001] d.h1     0.000257: mmt_op: dontneed(shared, 0)";
	static const struct {
		size_t at;
		char c;
	} faults[] = {{15, ' '}, {16, ' '}, {17, 'x'}, {23, '('}, {26, 'x'}, {29, 'x'},
		      {30, 'x'}, {31, 'x'}, {32, '0'}, {38, ':'}, {45, ' '}, {54, '-'}};
	struct ftrace_line l;

	cr_assert_null(parse_line(good, &l), "%s", parse_line(good, &l));
	cr_expect_eq(l.us, 257);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		char bad[sizeof(good)];

		memcpy(bad, good, sizeof(good));
		bad[faults[i].at] = faults[i].c;
		cr_expect_not_null(parse_line(bad, &l), "taken: %s", bad);
	}
}

/* ---- Chrome ---- */

#define DEPTH_MAX 128
#define FLOWS_MAX 4096

struct reader {
	const char *open[CPUS_MAX + 1][DEPTH_MAX]; /* names of spans, by tid */
	unsigned int depth[CPUS_MAX + 1];
	json_int_t flow_from[FLOWS_MAX]; /* tid + 1 of the s, by id */
	json_int_t flow_ts[FLOWS_MAX];
	bool flow_done[FLOWS_MAX];
	bool named[CPUS_MAX + 1];
	json_int_t last;
	unsigned int spans, arrows, instants, locks, violations;
};

static void read_flow(struct reader *r, const json_t *e, char ph, json_int_t tid, json_int_t ts)
{
	json_int_t id = json_integer_value(json_object_get(e, "id"));

	cr_assert(json_is_integer(json_object_get(e, "id")));
	cr_assert(id > 0 && id < FLOWS_MAX);
	/* It is bound to the span that it stands in: there has to be one. */
	cr_expect_gt(r->depth[tid], 0, "an arrow outside of any span");
	if (ph == 's') {
		cr_expect_eq(r->flow_from[id], 0, "two arrows %lld", (long long)id);
		r->flow_from[id] = tid + 1;
		r->flow_ts[id] = ts;
		return;
	}
	cr_expect_neq(r->flow_from[id], 0, "an arrow %lld ends that never began", (long long)id);
	cr_expect(!r->flow_done[id]);
	cr_expect_neq(r->flow_from[id], tid + 1, "from a CPU to itself");
	cr_expect_leq(r->flow_ts[id], ts);
	cr_expect_str_eq(json_string_value(json_object_get(e, "bp")), "e");
	r->flow_done[id] = true;
	r->arrows++;
}

static void read_span(struct reader *r, char ph, json_int_t tid, const char *name, const char *cat)
{
	if (ph == 'B') {
		cr_assert_lt(r->depth[tid], DEPTH_MAX);
		r->open[tid][r->depth[tid]++] = name;
		r->spans++;
		r->locks += !strcmp(cat, "lock");
		return;
	}
	cr_assert_gt(r->depth[tid], 0, "'%s' ends and has not begun", name);
	cr_expect_str_eq(name, r->open[tid][--r->depth[tid]], "spans do not nest");
}

static void read_event(struct reader *r, const json_t *e, unsigned int cpus)
{
	const char *ph = json_string_value(json_object_get(e, "ph"));
	const char *name = json_string_value(json_object_get(e, "name"));
	const char *cat = json_string_value(json_object_get(e, "cat"));
	const json_t *ts = json_object_get(e, "ts");
	json_int_t tid = json_integer_value(json_object_get(e, "tid"));

	cr_assert(ph && strlen(ph) == 1 && strchr("BEisfM", *ph), "ph is %s", ph ? ph : "missing");
	cr_assert_not_null(name);
	cr_assert_eq(json_integer_value(json_object_get(e, "pid")), 1);
	if (*ph == 'M') {
		cr_assert(json_is_object(json_object_get(e, "args")));
		if (!strcmp(name, "thread_name"))
			r->named[tid] = true;
		return;
	}
	cr_assert(tid >= 1 && tid <= (json_int_t)cpus);
	cr_assert_not_null(cat);
	cr_assert(json_is_integer(ts));
	cr_expect_geq(json_integer_value(ts), r->last, "time goes back");
	r->last = json_integer_value(ts);
	if (*ph == 'B' || *ph == 'E') {
		read_span(r, *ph, tid, name, cat);
	} else if (*ph == 's' || *ph == 'f') {
		read_flow(r, e, *ph, tid, r->last);
	} else {
		const char *scope = json_string_value(json_object_get(e, "s"));

		cr_assert(scope && strlen(scope) == 1 && strchr("tpg", *scope));
		r->instants++;
		r->violations += !strcmp(cat, "violation");
	}
}

static void check_chrome(const char *text, const struct retrace *t, struct reader *r)
{
	json_error_t error;
	json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	const json_t *events, *e;
	size_t i;

	cr_assert_not_null(document, "%s", error.text);
	events = json_object_get(document, "traceEvents");
	cr_assert(json_is_array(events));
	memset(r, 0, sizeof(*r));
	json_array_foreach(events, i, e) read_event(r, e, t->nr_cpus);
	for (u32 tid = 1; tid <= t->nr_cpus; tid++) {
		cr_expect_eq(r->depth[tid], 0, "spans of CPU%u are left open", tid - 1);
		cr_expect(r->named[tid], "CPU%u has no name", tid - 1);
	}
	for (i = 0; i < FLOWS_MAX; i++)
		cr_expect(!r->flow_from[i] || r->flow_done[i], "arrow %zu does not end", i);
	json_decref(document);
}

/* An arrow for each way of a request that has come to its end. */
static unsigned int arrows_due(const struct retrace *r)
{
	unsigned int due = 0;

	for (u32 i = 0; i < r->nr_ipis; i++)
		due += (r->ipis[i].handled != 0) + (r->ipis[i].seen != 0);
	return due;
}

Test(trace, chrome_is_well_formed)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i += CASE_STRIDE) {
		struct found_schedule f;
		struct reader reader;
		struct retrace *r;
		char *text;

		found_schedule_make(&f, cases[i].slug, cases[i].planted);
		r = retraced(&f);
		text = written(trace_chrome, r);
		check_chrome(text, r, &reader);
		cr_expect_eq(reader.arrows, arrows_due(r), "%s", cases[i].slug);
		cr_expect_geq(reader.instants, f.schedule.steps);
		cr_expect_gt(reader.spans, 10);
		cr_expect_gt(reader.locks, 2);
		cr_expect_eq(reader.violations, cases[i].planted, "%s", cases[i].slug);
		free(text);
		retrace_destroy(r);
		found_schedule_free(&f);
	}
}

/* Where everything has come to its end each IPI has both its arrows. */
Test(trace, arrows_of_a_silent_schedule)
{
	struct found_schedule f;
	struct reader reader;
	struct retrace *r;
	char *text;

	found_schedule_make(&f, "flush-range-short", false);
	r = retraced(&f);
	cr_assert_gt(r->nr_ipis, 0, "the job has no shootdown in this schedule");
	for (u32 i = 0; i < r->nr_ipis; i++) {
		const struct retrace_ipi *ipi = &r->ipis[i];

		cr_expect_neq(ipi->sender, ipi->target);
		cr_expect(ipi->sent < ipi->handled && ipi->handled < ipi->acked &&
				  ipi->acked < ipi->seen,
			  "IPI %u: %u %u %u %u", i, ipi->sent, ipi->handled, ipi->acked, ipi->seen);
	}
	text = written(trace_chrome, r);
	check_chrome(text, r, &reader);
	cr_expect_eq(reader.arrows, 2 * r->nr_ipis);
	free(text);
	/* One more that is never answered: it has none. */
	cr_assert_lt(r->nr_ipis, r->ipis_size);
	r->ipis[r->nr_ipis++] = (struct retrace_ipi){.sender = 0, .target = 1, .sent = 1};
	text = written(trace_chrome, r);
	check_chrome(text, r, &reader);
	cr_expect_eq(reader.arrows, 2 * (r->nr_ipis - 1));
	free(text);
	retrace_destroy(r);
	found_schedule_free(&f);
}

/* ---- files ---- */

static void check_first(const char *path, const char *expected)
{
	char head[32] = "";
	FILE *in = fopen(path, "r");

	cr_assert_not_null(in, "%s is not there", path);
	cr_assert_not_null(fgets(head, sizeof(head), in));
	cr_expect(!strncmp(head, expected, strlen(expected)), "%s begins with %s", path, head);
	fclose(in);
	unlink(path);
}

Test(trace, name_decides_the_form)
{
	struct found_schedule f;
	struct error err = {0};
	char directory[] = "/tmp/mmt_trace_XXXXXX", path[64];

	cr_assert_not_null(mkdtemp(directory));
	found_schedule_make(&f, "parallel-zap-skips-flush", true);
	snprintf(path, sizeof(path), "%s/a.json", directory);
	cr_expect_eq(trace_write(path, &f.config, &f.schedule, &err), 0, "%s", err.line);
	check_first(path, "{\"displayTimeUnit\"");
	snprintf(path, sizeof(path), "%s/a.trace", directory);
	cr_expect_eq(trace_write(path, &f.config, &f.schedule, &err), 0, "%s", err.line);
	check_first(path, "# tracer: nop");
	snprintf(path, sizeof(path), "%s/none/a.json", directory);
	cr_expect_neq(trace_write(path, &f.config, &f.schedule, &err), 0);
	cr_expect_eq(err.status, VERDICT_UNTRUSTWORTHY);
	cr_expect_not_null(strstr(err.line, "--trace"), "%s", err.line);
	rmdir(directory);
	found_schedule_free(&f);
}

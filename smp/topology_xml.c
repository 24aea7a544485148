// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a description of another host is read: hwloc's XML, from a file that may be anything.
 *
 * What can be told about the file without hwloc is told first, for hwloc only says "invalid".
 * Then a child process hands the text to hwloc and writes the flat result into a memory file:
 * hwloc 2.9 crashes on about one in twenty files with a few bytes changed, prints complaints on
 * stderr, and can be made to allocate without end by a large os_index. In the child a crash is
 * an error message, its stderr is the reason to quote, and memory and time have limits.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smp/topology_private.h"

/* lstopo writes about 650 bytes for a PU with its core: 12 times what CPU_MAP_MAX_PUS need. */
#define XML_MAX_BYTES (64u << 20)
/* Measured: 10 ms for 1024 PUs, 200 ms for 8192; a hundred times that for a busy machine. */
#define XML_MAX_SECONDS 20
/* Measured: hwloc 2.9 takes 57 MiB for 8192 PUs. */
#define XML_CHILD_BYTES (1ul << 30)
/* A line of hwloc's, or of ours. */
#define REASON_LEN 256u

#define EXPECTED "expected hwloc XML, as `lstopo --of xml FILE` writes it on that host"
#define WRITE_AGAIN "write it again with `lstopo --of xml FILE` on that host"

/* What the child writes; the arrays of the map follow in the order of struct cpu_map. */
struct reply {
	int32_t status; /* 0, or a negative errno with reason[] */
	uint32_t nr_packages, nr_nodes, nr_l3, nr_cores, nr_pus, nr_absent;
	uint32_t distance_known;
	char model[CPU_MAP_MODEL_LEN];
	char reason[REASON_LEN];
};

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* The root element's name in well-formed XML, past declaration, comments and DOCTYPE; or NULL. */
static const char *find_root(const char *text)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";

	if (!strncmp(text, byte_order_mark, strlen(byte_order_mark)))
		text += strlen(byte_order_mark);
	for (;;) {
		const char *end = ">";

		text += strspn(text, " \t\r\n");
		if (*text != '<')
			return NULL;
		if (!strncmp(text, "<!--", 4))
			end = "-->";
		else if (text[1] != '?' && text[1] != '!')
			return text + 1;
		text = strstr(text, end);
		if (!text)
			return NULL;
		text += strlen(end);
	}
}

/* Refuse what hwloc would refuse without saying why. @text ends in a NUL after @len bytes. */
static int check_text(const char *path, const char *text, size_t len, struct topology_error *err)
{
	static const char closing[] = "</topology>";
	const char *root;
	const char *tail;

	if (!len) {
		topology_fail(err, -EINVAL, path, "is empty; " EXPECTED);
		return -EINVAL;
	}
	if (strlen(text) != len) {
		topology_fail(err, -EINVAL, path, "byte %zu is NUL, which is not text; " EXPECTED,
			      strlen(text));
		return -EINVAL;
	}
	root = find_root(text);
	if (!root) {
		topology_fail(err, -EINVAL, path, "is not XML; " EXPECTED);
		return -EINVAL;
	}
	if (strncmp(root, "topology", 8) || (isalnum((unsigned char)root[8]) || root[8] == '_')) {
		int shown = (int)strcspn(root, " \t\r\n/>");

		topology_fail(err, -EINVAL, path,
			      "line %u: the root element is <%.*s>, not <topology>; " EXPECTED,
			      line_of(text, root), shown > 40 ? 40 : shown, root);
		return -EINVAL;
	}
	for (tail = text + len; tail > text && isspace((unsigned char)tail[-1]);)
		tail--;
	if (tail - text < (ptrdiff_t)strlen(closing) ||
	    strncmp(tail - strlen(closing), closing, strlen(closing))) {
		topology_fail(err, -EINVAL, path,
			      "line %u: ends without %s, so it was cut short; " WRITE_AGAIN,
			      line_of(text, tail), closing);
		return -EINVAL;
	}
	if (!strstr(text, "type=\"PU\"") && !strstr(text, "type='PU'")) {
		topology_fail(
			err, -EINVAL, path,
			"describes no processing unit (object of type PU): nothing to run on");
		return -EINVAL;
	}
	return 0;
}

/* Read all of @path, a NUL behind it. NULL with @err filled when that fails. */
static char *read_text(const char *path, size_t *len, struct topology_error *err)
{
	struct stat st;
	char *text = NULL;
	size_t got = 0;
	/* O_NONBLOCK: a FIFO without a writer must be refused, not waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		topology_fail(err, -errno, path, "cannot be opened: %s", strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		topology_fail(err, -EINVAL, path, "is %s; " EXPECTED,
			      S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
		goto out;
	}
	if (st.st_size > XML_MAX_BYTES) {
		topology_fail(err, -EFBIG, path, "has %lld bytes; a description has at most %u",
			      (long long)st.st_size, XML_MAX_BYTES);
		goto out;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		topology_fail(err, -ENOMEM, path, "cannot be read: out of memory");
		goto out;
	}
	while (got < (size_t)st.st_size) {
		ssize_t n = read(fd, text + got, (size_t)st.st_size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			topology_fail(err, -errno, path, "cannot be read: %s", strerror(errno));
			free(text);
			text = NULL;
			goto out;
		}
		if (!n)
			break;
		got += (size_t)n;
	}
	text[got] = 0;
	*len = got;
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * Cap this process's data at XML_CHILD_BYTES more than it has now (the parent's heap and a
 * sanitizer's shadow count too). Where that fails there is no cap, and nothing else is lost.
 */
static void limit_memory(void)
{
	struct rlimit limit;
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long data_pages;

	if (!statm)
		return;
	if (fscanf(statm, "%*u %*u %*u %*u %*u %lu", &data_pages) == 1 &&
	    !getrlimit(RLIMIT_DATA, &limit)) {
		rlim_t cap = data_pages * (rlim_t)sysconf(_SC_PAGESIZE) + XML_CHILD_BYTES;

		if (limit.rlim_max == RLIM_INFINITY || cap < limit.rlim_max) {
			limit.rlim_cur = cap;
			setrlimit(RLIMIT_DATA, &limit);
		}
	}
	fclose(statm);
}

/* Make this process one that may crash, hang or complain without anybody noticing but us. */
static void enter_sandbox(int log_fd, pid_t parent)
{
	static const struct rlimit no_core = {0, 0};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(XML_MAX_SECONDS);
	setrlimit(RLIMIT_CORE, &no_core);
	limit_memory();
	dup2(log_fd, STDERR_FILENO);
	setenv("HWLOC_XML_VERBOSE", "1", 1);
}

static int load_text(struct cpu_map *map, const char *text, size_t len, char *why)
{
	hwloc_topology_t hwloc;

	why[0] = 0; /* what hwloc prints is the reason then */
	if (hwloc_topology_init(&hwloc) < 0)
		return -ENOMEM;
	if (hwloc_topology_set_xmlbuffer(hwloc, text, (int)len + 1) < 0 ||
	    hwloc_topology_load(hwloc) < 0)
		return -EINVAL;
	return cpu_map_from_hwloc(map, hwloc, NULL, why, REASON_LEN);
	/* The process ends: hwloc_topology_destroy() would only be another chance to crash. */
}

/* The child's whole life. What it allocates ends with it. */
static _Noreturn void describe(const char *text, size_t len, int reply_fd, int log_fd, pid_t parent)
{
	struct reply reply = {0};
	struct cpu_map map;

	enter_sandbox(log_fd, parent);
	reply.status = load_text(&map, text, len, reply.reason);
	if (reply.status) {
		write_all(reply_fd, &reply, sizeof(reply));
		_exit(EXIT_SUCCESS);
	}
	reply.nr_packages = map.nr_packages;
	reply.nr_nodes = map.nr_nodes;
	reply.nr_l3 = map.nr_l3;
	reply.nr_cores = map.nr_cores;
	reply.nr_pus = map.nr_pus;
	reply.nr_absent = map.nr_absent;
	reply.distance_known = map.distance_known;
	memcpy(reply.model, map.model, sizeof(reply.model));
	if (!write_all(reply_fd, &reply, sizeof(reply)) ||
	    !write_all(reply_fd, map.pus, map.nr_pus * sizeof(*map.pus)) ||
	    !write_all(reply_fd, map.nodes, map.nr_nodes * sizeof(*map.nodes)) ||
	    !write_all(reply_fd, map.node_distance,
		       (size_t)map.nr_nodes * map.nr_nodes * sizeof(*map.node_distance)))
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

/* Read @count items of @size at *@at. NULL: out of memory or not there. */
static void *read_array(int fd, off_t *at, size_t count, size_t size)
{
	char *data = calloc(count, size);
	size_t len = count * size;

	if (!data)
		return NULL;
	for (size_t got = 0; got < len;) {
		ssize_t n = pread(fd, data + got, len - got, *at + (off_t)got);

		if (n <= 0) {
			free(data);
			return NULL;
		}
		got += (size_t)n;
	}
	*at += (off_t)len;
	return data;
}

/* The map behind @reply in the memory file; false when the child did not get so far. */
static bool receive_map(struct cpu_map *map, const struct reply *reply, int fd)
{
	off_t at = sizeof(*reply);

	if (!reply->nr_pus || reply->nr_pus > CPU_MAP_MAX_PUS || !reply->nr_nodes ||
	    reply->nr_nodes > CPU_MAP_MAX_NODES)
		return false;
	*map = (struct cpu_map){
		.nr_packages = reply->nr_packages,
		.nr_nodes = reply->nr_nodes,
		.nr_l3 = reply->nr_l3,
		.nr_cores = reply->nr_cores,
		.nr_pus = reply->nr_pus,
		.nr_absent = reply->nr_absent,
		.distance_known = reply->distance_known,
	};
	memcpy(map->model, reply->model, sizeof(map->model));
	map->pus = read_array(fd, &at, map->nr_pus, sizeof(*map->pus));
	map->nodes = read_array(fd, &at, map->nr_nodes, sizeof(*map->nodes));
	map->node_distance = read_array(fd, &at, (size_t)map->nr_nodes * map->nr_nodes,
					sizeof(*map->node_distance));
	if (map->pus && map->nodes && map->node_distance && cpu_map_is_sound(map))
		return true;
	cpu_map_destroy(map);
	return false;
}

/* hwloc's lines that accompany every failure, or success, and say nothing about this failure. */
static bool is_noise(const char *line)
{
	static const char *const noise[] = {
		"Loading XML topology without DTD", "ignoring ",
		"Failed to parse XML input",	    "generated by hwloc",
		"XML component discovery failed",
	};

	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (strstr(line, noise[i]))
			return true;
	return !*line;
}

/* The first line in the child's log that gives a reason; "" if none does. */
static void first_reason(int log_fd, char *reason)
{
	static const char prefix[] = "xmlbuffer: ";
	char log[4096];
	char *save = NULL;
	unsigned line_number;
	int skip = 0;
	ssize_t n = pread(log_fd, log, sizeof(log) - 1, 0);

	reason[0] = 0;
	if (n <= 0)
		return;
	log[n] = 0;
	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (is_noise(line))
			continue;
		if (!strncmp(line, prefix, strlen(prefix)))
			line += strlen(prefix);
		/* libxml2 writes FILE:LINE: REASON, and a buffer has no file. */
		if (sscanf(line, ":%u: %n", &line_number, &skip) == 1 && skip)
			snprintf(reason, REASON_LEN, "line %u: %s", line_number, line + skip);
		else
			snprintf(reason, REASON_LEN, "%s", line);
		return;
	}
}

/* Judge what the child left behind. */
static int conclude(struct cpu_map *map, const char *path, int status, int reply_fd, int log_fd,
		    struct topology_error *err)
{
	struct reply reply;

	if (pread(reply_fd, &reply, sizeof(reply), 0) == (ssize_t)sizeof(reply)) {
		if (!reply.status && receive_map(map, &reply, reply_fd))
			return 0;
		if (reply.status) {
			reply.reason[sizeof(reply.reason) - 1] = 0;
			if (!reply.reason[0])
				first_reason(log_fd, reply.reason);
			topology_fail(err, reply.status, path, "cannot be used: %s",
				      reply.reason[0] ? reply.reason : strerror(-reply.status));
			return reply.status;
		}
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
		topology_fail(err, -ETIMEDOUT, path, "hwloc did not finish reading it in %d s",
			      XML_MAX_SECONDS);
		return -ETIMEDOUT;
	}
	topology_fail(err, -EINVAL, path,
		      "is damaged in a way that hwloc crashes on; " WRITE_AGAIN);
	return -EINVAL;
}

static int read_in_child(struct cpu_map *map, const char *path, const char *text, size_t len,
			 struct topology_error *err)
{
	int reply_fd = memfd_create("topology-reply", MFD_CLOEXEC);
	int log_fd = memfd_create("topology-log", MFD_CLOEXEC);
	pid_t parent = getpid();
	pid_t child = -1;
	int status = 0;
	int ret;

	if (reply_fd >= 0 && log_fd >= 0)
		child = fork();
	if (child < 0) {
		ret = -errno;
		topology_fail(err, ret, path, "cannot be read: no child process: %s",
			      strerror(-ret));
		goto out;
	}
	if (!child)
		describe(text, len, reply_fd, log_fd, parent);
	/* ECHILD: somebody ignores SIGCHLD; the child has ended, its reply tells how. */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	ret = conclude(map, path, status, reply_fd, log_fd, err);
out:
	if (reply_fd >= 0)
		close(reply_fd);
	if (log_fd >= 0)
		close(log_fd);
	return ret;
}

int topology_read_xml(struct cpu_map *map, const char *path, struct topology_error *err)
{
	size_t len = 0;
	char *text = read_text(path, &len, err);
	int ret;

	if (!text)
		return err->code;
	ret = check_text(path, text, len, err);
	if (!ret)
		ret = read_in_child(map, path, text, len, err);
	free(text);
	return ret;
}

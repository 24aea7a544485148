// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "stress/bench_host.h"

#include "stress/bench_host_region.h"
#include "stress/bench_tiny_elf.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_SECOND 1e9
/* What a shell says of a program it could not run (POSIX, 2.8.2). */
#define EXIT_NOT_EXECUTED 126

static int wait_for(pid_t child, struct bench_error *err)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return bench_fail(err, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return bench_fail(err, "the child ended with status %d instead of 0",
				  WEXITSTATUS(status));
	return bench_fail(err, "the child was killed by signal %d", WTERMSIG(status));
}

/* ---- exec ----------------------------------------------------------------------------------- */

struct exec_ctx {
	const struct bench_env *env;
	int fd;
};

static int exec_setup(const struct bench_env *env, const void *arg, void **out,
		      struct bench_error *err)
{
	struct exec_ctx *ctx = calloc(1, sizeof(*ctx));

	(void)arg;
	if (!ctx)
		return bench_fail(err, "no memory for the measure");
	ctx->env = env;
	ctx->fd = bench_tiny_elf(err);
	if (ctx->fd < 0) {
		free(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

static void exec_teardown(void *arg)
{
	struct exec_ctx *ctx = arg;

	close(ctx->fd);
	free(ctx);
}

/* In a function of its own: what vfork's child does to this frame, nobody sees. */
static __attribute__((noinline)) pid_t vfork_and_exec(int fd, char *const argv[],
						      char *const envp[])
{
	pid_t child = vfork();

	if (child == 0) {
		fexecve(fd, argv, envp);
		_exit(EXIT_NOT_EXECUTED);
	}
	return child;
}

static int exec_once(int fd, struct bench_error *err)
{
	char name[] = "tiny";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	pid_t child = vfork_and_exec(fd, argv, envp);

	if (child < 0)
		return bench_fail(err, "vfork: %s", strerror(errno));
	return wait_for(child, err);
}

static int exec_run(void *arg, double seconds, struct bench_sample *out, struct bench_error *err)
{
	struct exec_ctx *ctx = arg;
	uint64_t start, now, deadline;
	int rc;

	if (bench_pin(ctx->env, 0, err))
		return -1;
	start = bench_now_ns();
	deadline = start + (uint64_t)(seconds * NS_PER_SECOND);
	do {
		rc = exec_once(ctx->fd, err);
		now = bench_now_ns();
		out->items++;
	} while (!rc && now < deadline);
	out->seconds = (double)(now - start) / NS_PER_SECOND;
	bench_unpin(ctx->env);
	return rc;
}

/* ---- fork and exit, in a worker process ------------------------------------------------------ */

/*
 * What fork copies and exit frees is a whole address space, so these two are measured in a
 * process that has little more than the region in it. It is forked in setup(), when no emulated
 * machine exists (bench.h), and asked over a socket.
 */
struct worker {
	const struct bench_env *env;
	struct host_region region;
	uint64_t *stamp; /* shared with the children: when the last one called _exit() */
	/* Does one operation and adds to the sample. */
	int (*once)(struct worker *w, struct bench_sample *sum, struct bench_error *err);
};

struct worker_variant {
	size_t pages;
	bool written_by_worker; /* else the children write */
	int (*once)(struct worker *w, struct bench_sample *sum, struct bench_error *err);
};

struct worker_reply {
	int rc;
	struct bench_sample sample;
	struct bench_error err;
};

struct worker_ctx {
	pid_t pid;
	int socket;
};

static int fork_and_exit_once(struct worker *w, struct bench_sample *sum, struct bench_error *err)
{
	uint64_t start = bench_now_ns();
	pid_t child = fork();

	if (child < 0)
		return bench_fail(err, "fork: %s", strerror(errno));
	if (child == 0)
		_exit(0);
	if (wait_for(child, err))
		return -1;
	sum->seconds += (double)(bench_now_ns() - start) / NS_PER_SECOND;
	sum->items += (double)w->region.pages;
	return 0;
}

static int touch_and_exit_once(struct worker *w, struct bench_sample *sum, struct bench_error *err)
{
	pid_t child = fork();

	if (child < 0)
		return bench_fail(err, "fork: %s", strerror(errno));
	if (child == 0) {
		host_region_write(&w->region);
		*w->stamp = bench_now_ns();
		_exit(0);
	}
	if (wait_for(child, err))
		return -1;
	sum->seconds += (double)(bench_now_ns() - *w->stamp) / NS_PER_SECOND;
	sum->items += (double)w->region.pages;
	return 0;
}

static int worker_init(struct worker *w, const struct bench_env *env,
		       const struct worker_variant *variant, struct bench_error *err)
{
	memset(w, 0, sizeof(*w));
	w->env = env;
	w->once = variant->once;
	w->stamp = mmap(NULL, env->page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (w->stamp == MAP_FAILED)
		return bench_fail(err, "mmap of a shared page: %s", strerror(errno));
	if (bench_pin(env, 0, err) ||
	    host_region_map(&w->region, variant->pages, env->page_size, err))
		return -1;
	if (variant->written_by_worker)
		host_region_write(&w->region);
	return 0;
}

static void worker_serve(struct worker *w, double seconds, struct worker_reply *reply)
{
	uint64_t deadline = bench_now_ns() + (uint64_t)(seconds * NS_PER_SECOND);

	do
		reply->rc = w->once(w, &reply->sample, &reply->err);
	while (!reply->rc && bench_now_ns() < deadline);
}

/* Receives a whole message; a signal that the program handles is no reason to stop. */
static bool receive(int socket, void *message, size_t size)
{
	ssize_t got;

	do
		got = recv(socket, message, size, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)size;
}

/* One reply for setup, then one for each request; ends when the other end of the socket goes. */
static _Noreturn void worker_main(const struct bench_env *env, const struct worker_variant *variant,
				  int socket)
{
	struct worker_reply reply = {0};
	struct worker w;
	double seconds;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reply.rc = worker_init(&w, env, variant, &reply.err);
	while (send(socket, &reply, sizeof(reply), MSG_NOSIGNAL) == (ssize_t)sizeof(reply)) {
		if (reply.rc || !receive(socket, &seconds, sizeof(seconds)))
			break;
		memset(&reply, 0, sizeof(reply));
		worker_serve(&w, seconds, &reply);
	}
	_exit(0);
}

static int worker_answer(const struct worker_ctx *ctx, struct bench_sample *out,
			 struct bench_error *err)
{
	struct worker_reply reply;

	if (!receive(ctx->socket, &reply, sizeof(reply)))
		return bench_fail(err, "the worker process ended unexpectedly");
	if (reply.rc)
		return bench_fail(err, "%s", reply.err.text);
	if (out)
		*out = reply.sample;
	return 0;
}

static void worker_teardown(void *arg)
{
	struct worker_ctx *ctx = arg;

	close(ctx->socket);
	while (waitpid(ctx->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(ctx);
}

static int worker_setup(const struct bench_env *env, const void *arg, void **out,
			struct bench_error *err)
{
	struct worker_ctx *ctx = calloc(1, sizeof(*ctx));
	int sockets[2];

	if (!ctx)
		return bench_fail(err, "no memory for the measure");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) {
		bench_fail(err, "socketpair: %s", strerror(errno));
		free(ctx);
		return -1;
	}
	ctx->pid = fork();
	if (ctx->pid == 0) {
		close(sockets[0]);
		worker_main(env, arg, sockets[1]);
	}
	close(sockets[1]);
	ctx->socket = sockets[0];
	if (ctx->pid < 0) {
		bench_fail(err, "fork: %s", strerror(errno));
		close(ctx->socket);
		free(ctx);
		return -1;
	}
	if (worker_answer(ctx, NULL, err)) {
		worker_teardown(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

static int worker_run(void *arg, double seconds, struct bench_sample *out, struct bench_error *err)
{
	struct worker_ctx *ctx = arg;

	if (send(ctx->socket, &seconds, sizeof(seconds), MSG_NOSIGNAL) != sizeof(seconds))
		return bench_fail(err, "the worker process can't be reached: %s", strerror(errno));
	return worker_answer(ctx, out, err);
}

/* ---- The sides ------------------------------------------------------------------------------ */

static const struct worker_variant fork_exit_variant = {
	.pages = BENCH_FORK_PAGES,
	.written_by_worker = true,
	.once = fork_and_exit_once,
};

static const struct worker_variant exit_touched_variant = {
	.pages = BENCH_EXIT_PAGES,
	.written_by_worker = false,
	.once = touch_and_exit_once,
};

const struct bench_side bench_host_exec = {
	.setup = exec_setup,
	.run = exec_run,
	.teardown = exec_teardown,
};

const struct bench_side bench_host_fork_exit = {
	.setup = worker_setup,
	.run = worker_run,
	.teardown = worker_teardown,
	.arg = &fork_exit_variant,
};

const struct bench_side bench_host_exit_touched = {
	.setup = worker_setup,
	.run = worker_run,
	.teardown = worker_teardown,
	.arg = &exit_touched_variant,
};

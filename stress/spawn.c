// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program that is started as posix_spawn does it: a vfork child, which lives in its parent's mm
 * until it execs. A parent that is killed meanwhile goes, and its stack with it; so the child knows
 * the slot only.
 */
#include <string.h>

#include "smp/signal.h"
#include "stress/world_private.h"

static void spawned_main(void *arg)
{
	struct slot *s = arg;
	struct exec_image image;
	struct user_task u;

	memset(&u, 0, sizeof(u));
	u.slot = s;
	u.w = s->w;
	u.child = true;
	current->user = &u;
	image = user_image(&u, 0);
	(void)sys_execve(&image);
	sys_exit(0);
}

void user_spawn(struct user_task *u)
{
	/* With the handlers as well, which the new program must have for itself. */
	s64 pid = sys_clone(CLONE_VM | CLONE_VFORK | CLONE_SIGHAND, "spawn", spawned_main, u->slot,
			    NULL);

	if (pid > 0)
		(void)sys_waitpid((u32)pid, NULL);
}

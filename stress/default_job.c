// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/default_job.h"

/* The path is relative to the root, from where everything is compiled. */
__asm__(".pushsection .rodata\n"
	".global default_job_text\n"
	".type default_job_text, @object\n"
	"default_job_text:\n"
	".incbin \"stress/jobs/default.ini\"\n"
	".byte 0\n"
	".size default_job_text, . - default_job_text\n"
	".popsection\n");

// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/race_report.h"

#include "engine/explore.h"

const struct invariant inv_data_race = {
	"data-race", "plain memory that two CPUs share is ordered by locks or barriers"};

#ifdef __SANITIZE_THREAD__
void __sanitizer_set_report_path(const char *path);
void __tsan_on_report(void *report);

/* Called by ThreadSanitizer's runtime in the thread that it reports. */
void __tsan_on_report(void *report)
{
	struct vcpu *v = this_vcpu();

	(void)report;
	if (v && v->explorer && !v->explorer->raced)
		v->explorer->raced = v->site;
}

void race_reports_shown(bool shown)
{
	__sanitizer_set_report_path(shown ? "stderr" : "/dev/null");
}
#else
void race_reports_shown(bool shown)
{
	(void)shown;
}
#endif

void race_violation(struct vcpu *v)
{
	const struct site *site = v->explorer->raced;

	v->explorer->raced = NULL;
	violation_report(&inv_data_race, site->func, ~0u,
			 "ThreadSanitizer has reported a data race of what follows %s:%u",
			 site->file, site->line);
}

void race_violation_at_end(struct explorer *x)
{
	const struct site *site = x->raced;

	violation_from_outside(x->machine, &inv_data_race, x->d.last,
			       "ThreadSanitizer has reported a data race of what follows %s:%u",
			       site->file, site->line);
}

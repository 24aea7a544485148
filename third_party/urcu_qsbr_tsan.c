// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ThreadSanitizer leaves alone inside liburcu-qsbr.so, in every executable that links it.
 *
 * liburcu 0.13.2 is not built for TSan: its own threads hand memory and locks to each other by
 * inline assembly that TSan does not see. Seen reported in a correct program: the completion that
 * urcu_qsbr_barrier() allocates and the call_rcu thread frees. called_from_lib silences only what
 * the library itself calls (malloc, free, locks). Our callbacks, which run on the library's
 * threads, stay checked: a rule such as race:liburcu-qsbr.so would match their stacks as well.
 *
 * The thread that the library makes for call_rcu ends without anybody joining it ("thread leak").
 *
 * Compiled in rather than read from a file named in TSAN_OPTIONS: no run can be without it, and a
 * test may change its directory.
 */
#ifdef __SANITIZE_THREAD__

/* libsanitizer/tsan/tsan_suppressions.cpp asks for it at start. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:liburcu-qsbr.so\n"
	       "thread:liburcu-qsbr.so\n";
}

#endif

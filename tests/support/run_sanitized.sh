#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Starts a sanitizer build: run_sanitized.sh PROGRAM [ARGUMENT...]
#
# gcc 12's ThreadSanitizer and AddressSanitizer keep their shadow where they expect no mapping of
# the kernel's. That holds for up to 28 bits of randomness in mmap (Debian 12's kernel); newer
# distributions set 32, and then TSan gives up at start with "unexpected memory mapping" and ASan
# now and then. There the program is started without address randomisation. Only there, because a
# container's seccomp filter may forbid just that.
set -euo pipefail

readonly MMAP_RND_BITS_MAX=28

bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 0)
if ((bits > MMAP_RND_BITS_MAX)); then
	exec setarch -R "$@"
fi
exec "$@"

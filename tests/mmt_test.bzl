# SPDX-License-Identifier: GPL-2.0-or-later
"""mmt_test: one Criterion binary."""

# What a test may reach follows from the first word of its file's name: the part itself, and with it
# everything below. A test of the command line gets the program.
_PARTS = ["engine", "smp", "tlbshoot", "mm", "stress"]
_COMMAND_LINE = "cli"

def mmt_test(name, srcs, deps = [], data = [], env = {}, **kwargs):
    """A Criterion test, linked statically with tests/support.

    Args:
      name: PART_THING, as in mm_zap, where PART is a part of the project or "cli".
      srcs: the test's sources.
      deps: more libraries than the part itself.
      data: more files than those below tests/data/.
      env: more environment variables. A test of the command line finds the program's path in
        MMTORTURE, relative to the directory in which tests start.
      **kwargs: whatever else cc_test takes.
    """
    part = name.split("_")[0]
    if part in _PARTS:
        deps = deps + ["//" + part]
        if part != "engine":
            deps = deps + ["//tests/support:machine"]
    elif part == _COMMAND_LINE:
        data = data + ["//:mmtorture"]
        env = dict(env, MMTORTURE = "$(rootpath //:mmtorture)")
    else:
        fail("tests/%s.c: a test is named PART_THING.c, and PART is one of: %s" %
             (name, ", ".join(_PARTS + [_COMMAND_LINE])))
    if part in ["stress", _COMMAND_LINE]:
        deps = deps + ["//third_party:jansson"]
        data = data + ["//stress:jobs"]

    native.cc_test(
        name = name,
        srcs = srcs,
        data = data,
        env = env,
        # As compiled: what is optimised as a whole is the program (stress/BUILD).
        linkopts = ["-fno-lto"],
        linkstatic = True,
        deps = deps + ["//tests/support"],
        **kwargs
    )

// SPDX-License-Identifier: GPL-2.0-or-later
#include "stress/opnames.h"

#define JOB_OPS(X)                                                                                 \
	X(JOB_OP_READ, "read", "rf[p", JOB_OP_REGION, "read PAGES pages from FIRST on, or one")    \
	X(JOB_OP_WRITE, "write", "rf[p", JOB_OP_REGION, "write them")                              \
	X(JOB_OP_DONTNEED, "dontneed", "r[fp", JOB_OP_REGION,                                      \
	  "madvise(MADV_DONTNEED), of all by default")                                             \
	X(JOB_OP_MMAP, "mmap", "Rp", JOB_OP_USER, "map fresh anonymous memory")                    \
	X(JOB_OP_MUNMAP, "munmap", "r[fp", JOB_OP_USER,                                            \
	  "unmap it; with FIRST: those pages, and map them afresh")                                \
	X(JOB_OP_MPROTECT, "mprotect", "rm[fp", JOB_OP_USER,                                       \
	  "change protection: 0 none, 1 read, 3 read and write")                                   \
	X(JOB_OP_BRK, "brk", "[p", JOB_OP_USER, "move the end of the heap")                        \
	X(JOB_OP_MLOCK, "mlock", "r[fp", JOB_OP_REGION, "lock pages in memory, all by default")    \
	X(JOB_OP_MUNLOCK, "munlock", "r[fp", JOB_OP_REGION, "unlock them")                         \
	X(JOB_OP_FORK, "fork", "", JOB_OP_USER, "fork a child that works and exits")               \
	X(JOB_OP_EXEC, "exec", "[ps", JOB_OP_ANY, "exec a new image, tear the old one down")       \
	X(JOB_OP_EXEC_FAIL, "exec-fail", "[a", JOB_OP_ANY,                                         \
	  "an exec that fails, with 1 when the old image has gone")                                \
	X(JOB_OP_EXIT, "exit", "", JOB_OP_ANY, "exit; a successor goes on in the task's place")    \
	X(JOB_OP_MSYNC, "msync", "[fp", JOB_OP_FILE, "write dirty file pages back")                \
	X(JOB_OP_TRUNCATE, "truncate", "[p", JOB_OP_FILE,                                          \
	  "cut the file to PAGES, then extend it again")                                           \
	X(JOB_OP_DROPCACHE, "dropcache", "", JOB_OP_ANY, "drop clean pages of the page cache")     \
	X(JOB_OP_YIELD, "yield", "[n", JOB_OP_ANY, "give the CPU away")                            \
	X(JOB_OP_SLEEP, "sleep", "[n", JOB_OP_ANY, "sleep for emulated operations")                \
	X(JOB_OP_GETMM, "getmm", "[t", JOB_OP_ANY,                                                 \
	  "look at the mm of the job's task TASK, or of some, as /proc does")                      \
	X(JOB_OP_KTHREAD, "kthread", "[nt", JOB_OP_ANY,                                            \
	  "let a kernel thread run on TASK's or somebody's mm")                                    \
	X(JOB_OP_AGE, "age", "[ng", JOB_OP_ANY,                                                    \
	  "ask by rmap who has used N page frames, 8 by default")                                  \
	X(JOB_OP_THREADS, "threads", "[dddk", JOB_OP_USER,                                         \
	  "a process of three threads, leader first; kill it if told")                             \
	X(JOB_OP_HOTPLUG, "hotplug", "[ch", JOB_OP_ANY,                                            \
	  "take a CPU offline (0), call it back (1), or both (2, default)")                        \
	X(JOB_OP_DEVICE, "device", "[tfp", JOB_OP_ANY,                                             \
	  "a device with a TLB of its own uses pages of TASK's mm")                                \
	X(JOB_OP_PEEK, "peek", "[tfp", JOB_OP_ANY, "read TASK's pages as a debugger does")         \
	X(JOB_OP_POKE, "poke", "[tfp", JOB_OP_ANY, "write them")                                   \
	X(JOB_OP_ACCESS, "access", "[t", JOB_OP_ANY,                                               \
	  "look at the mm of TASK, or of some, as debuggers may")                                  \
	X(JOB_OP_COREDUMP, "coredump", "[ddk", JOB_OP_USER,                                        \
	  "a process that dumps core; deeds of a thread and of a sharer")                          \
	X(JOB_OP_READEXE, "readexe", "[t", JOB_OP_ANY,                                             \
	  "read which file the job's task TASK, or some, executes, as /proc does")                 \
	X(JOB_OP_SETEXE, "setexe", "", JOB_OP_USER,                                                \
	  "unmap the program and execute another file, in name")                                   \
	X(JOB_OP_MERGEABLE, "mergeable", "r[fp", JOB_OP_REGION,                                    \
	  "madvise(MADV_MERGEABLE): KSM may scan it")                                              \
	X(JOB_OP_UNMERGEABLE, "unmergeable", "r[fp", JOB_OP_REGION,                                \
	  "madvise(MADV_UNMERGEABLE): or not")                                                     \
	X(JOB_OP_HUGEPAGE, "hugepage", "r[fp", JOB_OP_REGION,                                      \
	  "madvise(MADV_HUGEPAGE): khugepaged may scan it")                                        \
	X(JOB_OP_KSMD, "ksmd", "[p", JOB_OP_ANY,                                                   \
	  "a turn of KSM's scanner over PAGES pages, 16 by default")                               \
	X(JOB_OP_KHUGEPAGED, "khugepaged", "[p", JOB_OP_ANY, "a turn of khugepaged's")             \
	X(JOB_OP_AIO, "aio", "rf[p", JOB_OP_REGION,                                                \
	  "start asynchronous requests for PAGES pages from FIRST on, or for one")                 \
	X(JOB_OP_SWAPUSE, "swapuse", "", JOB_OP_USER, "put the mm on swapoff's list")              \
	X(JOB_OP_SWAPOFF, "swapoff", "", JOB_OP_ANY, "visit every mm on it")                       \
	X(JOB_OP_RMMOD, "rmmod", "", JOB_OP_ANY,                                                   \
	  "unload the loader of programs if nobody uses it")                                       \
	X(JOB_OP_PROBE, "probe", "[f", JOB_OP_ANY,                                                 \
	  "register a uprobe for a page of the programs' text")                                    \
	X(JOB_OP_UNPROBE, "unprobe", "[f", JOB_OP_ANY, "and take it back")                         \
	X(JOB_OP_EXECUTE, "execute", "[f", JOB_OP_USER, "run what is there")                       \
	X(JOB_OP_LIBRARY, "library", "[f", JOB_OP_USER,                                            \
	  "map the text once more, run what is there, unmap it")

const struct job_op_spec job_ops[NR_JOB_OPS] = {
#define JOB_OP_ROW(id, name, signature, needs, help) [id] = {name, signature, needs, help},
	JOB_OPS(JOB_OP_ROW)};

static const char *const names[NR_JOB_OPS] = {
#define JOB_OP_NAME(id, name, signature, needs, help) [id] = name,
	JOB_OPS(JOB_OP_NAME)};

const struct name_list job_op_names = {"operation", names, NR_JOB_OPS};

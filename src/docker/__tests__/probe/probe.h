/* What every probe is made of: a name, what it tries, and one function that ends in escaped() or blocked(). */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct probe {
  const char *name;
  const char *tries;
  void (*attempt)(void);
};

/* Each list ends with a probe without a name. */
extern const struct probe FILE_PROBES[], MOUNT_PROBES[], KERNEL_PROBES[], PROCESS_PROBES[], NETWORK_PROBES[],
    IMAGE_PROBES[], BOMB_PROBES[], LAST_PROBES[];

/* The program's own file, for probes that copy and execute it. */
#define SELF "/bin/probe"

/* Each prints the probe's line and ends its process. */
_Noreturn void escaped(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void blocked(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a call that does its work when it is let: anything but -1 is an escape. */
_Noreturn void judge(long result, const char *done);

/*
 * For a call whose arguments are wrong on purpose, so that it harms nothing when it is let: only "not permitted" and
 * "no such call" are a block; any other error says that the kernel went as far as to read the arguments.
 */
_Noreturn void judge_harmless(long result);

/* Opens each path (which may be absent) and closes it again; an escape when one can be opened. Nothing is written. */
_Noreturn void judge_open(const char *const *paths, int flags);

/* Reads one byte of each path; an escape when one gives it. */
_Noreturn void judge_read(const char *const *paths);

#endif

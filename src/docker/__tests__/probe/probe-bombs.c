/*
 * Resource bombs. Each has a ceiling of its own, a little above the limit that is to hold, so that the machine stays
 * whole even where none does. To reach the ceiling is the escape.
 */
#include "probe.h"

#include <limits.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define MIB (1024L * 1024L)
#define MEMORY (320 * MIB)
/* A namespace holds 32,000 queues of 16 KiB. */
#define MESSAGES (320 * MIB)
#define TMPFS (80 * MIB)
#define INODES 20000
#define FILES 2000
#define PROCESSES 200
#define FILE_SIZE (300 * MIB)
#define LOCKED (1 * MIB)
#define SPINNERS 4
#define SPIN_MS 1000
/* The test gives a fifth of a core. */
#define CORES 0.3

static void eat_memory(void) {
  for (long eaten = 0; eaten < MEMORY; eaten += 4 * MIB) {
    char *piece = malloc(4 * MIB);
    if (!piece) blocked("after %ld MiB: %s", eaten / MIB, strerrorname_np(errno));
    memset(piece, 1, 4 * MIB);
  }
  escaped("%ld MiB were eaten", MEMORY / MIB);
}

static void eat_shared_memory(void) {
  int segment = shmget(IPC_PRIVATE, MEMORY, IPC_CREAT | 0600);
  if (segment < 0) blocked("%s", strerrorname_np(errno));
  char *place = shmat(segment, NULL, 0);
  int reason = errno;
  shmctl(segment, IPC_RMID, NULL);
  if (place == (void *)-1) blocked("%s", strerrorname_np(reason));
  memset(place, 1, MEMORY);
  escaped("%ld MiB were eaten", MEMORY / MIB);
}

/* In pieces, each below the limit for a file. */
static void eat_memory_file(void) {
  for (long eaten = 0; eaten < MEMORY; eaten += MEMORY / 4) {
    int fd = (int)syscall(SYS_memfd_create, "bomb", 0U);
    if (fd < 0 || ftruncate(fd, MEMORY / 4) != 0) blocked("%s", strerrorname_np(errno));
    char *place = mmap(NULL, MEMORY / 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (place == MAP_FAILED) blocked("%s", strerrorname_np(errno));
    memset(place, 1, MEMORY / 4);
  }
  escaped("%ld MiB were eaten", MEMORY / MIB);
}

static void eat_messages(void) {
  static struct {
    long kind;
    char text[8192];
  } message = {.kind = 1};
  for (long sent = 0; sent < MESSAGES;) {
    int queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0) blocked("after %ld MiB: %s", sent / MIB, strerrorname_np(errno));
    for (; msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0; sent += (long)sizeof message.text)
      ;
    if (errno != EAGAIN) blocked("after %ld MiB: %s", sent / MIB, strerrorname_np(errno));
  }
  escaped("%ld MiB are in queues", MESSAGES / MIB);
}

static void open_queue(void) {
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 8192};
  judge(mq_open("/probe", O_RDWR | O_CREAT, 0600, &attributes), "a message queue was opened");
}

static void fill_tmp(void) {
  static char piece[MIB];
  int fd = open("/tmp/bomb", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) blocked("%s", strerrorname_np(errno));
  for (long written = 0; written < TMPFS;) {
    ssize_t got = write(fd, piece, sizeof piece);
    if (got <= 0) {
      int reason = errno;
      unlink("/tmp/bomb");
      blocked("after %ld MiB: %s", written / MIB, strerrorname_np(reason));
    }
    written += got;
  }
  unlink("/tmp/bomb");
  escaped("%ld MiB were written to /tmp", TMPFS / MIB);
}

static void fill_inodes(void) {
  char path[32];
  int made = 0, reason = 0;
  for (; made < INODES && reason == 0; made++) {
    snprintf(path, sizeof path, "/tmp/inode-%d", made);
    if (mknod(path, S_IFREG | 0600, 0) != 0) reason = errno;
  }
  for (int index = 0; index < made; index++) {
    snprintf(path, sizeof path, "/tmp/inode-%d", index);
    unlink(path);
  }
  if (reason != 0) blocked("after %d files: %s", made, strerrorname_np(reason));
  escaped("%d files were made in /tmp", made);
}

static void large_file(void) {
  signal(SIGXFSZ, SIG_IGN);
  int fd = open("/tmp/large", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  int result = ftruncate(fd, FILE_SIZE);
  int reason = errno;
  unlink("/tmp/large");
  errno = reason;
  judge(result, "a file of 300 MiB was made");
}

static void open_files(void) {
  for (int count = 0; count < FILES; count++)
    if (dup(0) < 0) blocked("after %d: %s", count, strerrorname_np(errno));
  escaped("%d files were opened", FILES);
}

static void lock_memory(void) {
  void *place = mmap(NULL, LOCKED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  judge(mlock(place, LOCKED), "1 MiB was locked in memory");
}

static void fork_bomb(void) {
  pid_t children[PROCESSES];
  int made = 0, reason = 0;
  for (; made < PROCESSES; made++) {
    children[made] = fork();
    if (children[made] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) pause();
    }
    if (children[made] < 0) {
      reason = errno;
      break;
    }
  }
  for (int index = 0; index < made; index++) {
    kill(children[index], SIGKILL);
    waitpid(children[index], NULL, 0);
  }
  if (reason != 0) blocked("after %d: %s", made, strerrorname_np(reason));
  escaped("%d processes ran at a time", made);
}

static void dump_core(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_max == 0) blocked("none is written");
  escaped("core files may have %lld bytes", (long long)limit.rlim_max);
}

/* How many cores programs get that never wait. */
static void spin(void) {
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int index = 0; index < SPINNERS; index++) {
    if (fork() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < SPIN_MS);
    _exit(0);
  }
  while (wait(NULL) > 0)
    ;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  double wall = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
  double used = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  if (used / wall > CORES) escaped("%.1f cores", used / wall);
  blocked("%.2f cores of the 0.2 given", used / wall);
}

const struct probe BOMB_PROBES[] = {
    {"fork-bomb", "Start more processes than the limit", fork_bomb},
    {"memory-bomb", "Use more memory than the limit", eat_memory},
    {"shared-memory-bomb", "Use more memory than the limit, as a System V segment", eat_shared_memory},
    {"memfd-bomb", "Use more memory than the limit, as a file in memory", eat_memory_file},
    {"posix-queue", "Open a POSIX message queue", open_queue},
    {"tmpfs-bomb", "Fill /tmp beyond its size", fill_tmp},
    {"inode-bomb", "Fill /tmp with files beyond its number of inodes", fill_inodes},
    {"file-size", "Make a file beyond the limit", large_file},
    {"descriptor-bomb", "Open more files than the limit", open_files},
    {"lock-memory", "Lock memory, so that it cannot be swapped", lock_memory},
    {"core-dump", "Have core files written", dump_core},
    {NULL, NULL, NULL},
};

/*
 * In a container of their own, in this order: messages are the kernel's memory, no process is large, and so the one that
 * the kernel ends may be the one that reports.
 */
const struct probe LAST_PROBES[] = {
    {"cpu-spin", "Use more cores than given", spin},
    {"message-bomb", "Use more memory than the limit, as System V messages", eat_messages},
    {NULL, NULL, NULL},
};

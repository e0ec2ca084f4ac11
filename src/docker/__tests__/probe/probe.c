/*
 * Tries to get out of a container, one probe per line of output: `name blocked why` or `name ESCAPED how`.
 * usage: probe GROUP...|NAME... | storm
 */
#include "probe.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TIMEOUT_MS 15000

static const struct {
  const char *name;
  const struct probe *probes;
} GROUPS[] = {
    {"files", FILE_PROBES},     {"mounts", MOUNT_PROBES}, {"kernel", KERNEL_PROBES}, {"processes", PROCESS_PROBES},
    {"network", NETWORK_PROBES}, {"image", IMAGE_PROBES},  {"bombs", BOMB_PROBES},    {"last", LAST_PROBES},
};
#define GROUP_COUNT (sizeof GROUPS / sizeof *GROUPS)

/* Where the process that makes the attempt writes its verdict. */
static int verdict_fd = STDOUT_FILENO;

static _Noreturn void report(const char *verdict, const char *format, va_list arguments) {
  char text[256];
  int length = snprintf(text, sizeof text, "%s ", verdict);
  vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
  _exit(write(verdict_fd, text, strlen(text)) < 0 ? 2 : 0);
}

void escaped(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report("ESCAPED", format, arguments);
}

void blocked(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report("blocked", format, arguments);
}

void judge(long result, const char *done) {
  if (result == -1) blocked("%s", strerrorname_np(errno));
  escaped("%s", done);
}

void judge_harmless(long result) {
  if (result != -1) escaped("the call was done");
  if (errno == EPERM || errno == EACCES || errno == ENOSYS) blocked("%s", strerrorname_np(errno));
  escaped("the kernel took the call and answered %s", strerrorname_np(errno));
}

void judge_open(const char *const *paths, int flags) {
  int reason = ENOENT;
  for (; *paths; paths++) {
    int fd = open(*paths, flags | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) escaped("%s was opened", *paths);
    if (errno != ENOENT) reason = errno;
  }
  blocked("%s", strerrorname_np(reason));
}

void judge_read(const char *const *paths) {
  const char *reason = "ENOENT";
  for (; *paths; paths++) {
    char byte;
    int fd = open(*paths, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      if (errno != ENOENT) reason = strerrorname_np(errno);
      continue;
    }
    ssize_t got = read(fd, &byte, 1);
    if (got == 1) escaped("%s was read", *paths);
    reason = got == 0 ? "it is empty" : strerrorname_np(errno);
    close(fd);
  }
  blocked("%s", reason);
}

/* Reads what the attempt wrote, which is one write; false when it neither wrote nor ended in time. */
static int read_verdict(int fd, char *text, size_t size) {
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (poll(&ready, 1, TIMEOUT_MS) <= 0) return 0;
  ssize_t got = read(fd, text, size - 1);
  text[got > 0 ? got : 0] = '\0';
  return 1;
}

static void run_probe(const struct probe *probe) {
  int channel[2];
  if (pipe2(channel, O_CLOEXEC) != 0) {
    perror("pipe2");
    exit(2);
  }
  pid_t child = fork();
  if (child < 0) {
    perror("fork");
    exit(2);
  }
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    verdict_fd = channel[1];
    probe->attempt();
    _exit(3);
  }
  close(channel[1]);
  char text[512] = "";
  int status = 0, ended = read_verdict(channel[0], text, sizeof text);
  close(channel[0]);
  if (!ended) kill(child, SIGKILL);
  waitpid(child, &status, 0);
  /* Ended by the kernel's own hand is a block; a crash is a defect of the probe, and a verdict of neither kind. */
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (text[0] != '\0')
    printf("%s %s\n", probe->name, text);
  else if (!ended)
    printf("%s broken it hangs\n", probe->name);
  else if (signal == SIGKILL || signal == SIGSYS || signal == SIGXFSZ)
    printf("%s blocked killed with SIG%s\n", probe->name, sigabbrev_np(signal));
  else
    printf("%s broken status %d\n", probe->name, status);
  fflush(stdout);
}

static int run_named(const char *name) {
  int ran = 0;
  for (size_t group = 0; group < GROUP_COUNT; group++) {
    int whole = strcmp(name, GROUPS[group].name) == 0;
    for (const struct probe *probe = GROUPS[group].probes; probe->name; probe++) {
      if (!whole && strcmp(name, probe->name) != 0) continue;
      run_probe(probe);
      ran++;
    }
  }
  return ran;
}

int main(int count, char **arguments) {
  /* The name under which the setuid probe is executed: it tells who it became. */
  if (count == 2 && strcmp(arguments[1], "whoami") == 0) return geteuid() == 0 || getegid() == 0;
  if (count == 2 && strcmp(arguments[1], "nothing") == 0) return 0;
  /* Processes without end, whatever is refused: the host has to stop it. */
  while (count == 2 && strcmp(arguments[1], "storm") == 0) fork();
  for (int index = 1; index < count; index++) {
    if (run_named(arguments[index]) > 0) continue;
    fprintf(stderr, "no probe and no group is named %s\n", arguments[index]);
    return 2;
  }
  return count > 1 ? 0 : 2;
}

/* Other processes, who the program is, its capabilities, priorities, limits and terminal. */
#include "probe.h"

#include <dirent.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* Process 1 is the init program that the host lends; in it every program of the container would be under control. */
static void trace_init(void) { judge(ptrace(PTRACE_SEIZE, 1, NULL, NULL), "process 1 is traced"); }

static void trace_child(void) {
  pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  long result = ptrace(PTRACE_SEIZE, child, NULL, NULL);
  int reason = errno;
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  errno = reason;
  judge(result, "a child is traced");
}

static void read_init(void) {
  char byte;
  struct iovec own = {&byte, 1}, theirs = {(void *)4096, 1};
  judge_harmless(process_vm_readv(1, &own, 1, &theirs, 1, 0));
}

static void write_init_memory(void) {
  char byte = 0;
  struct iovec own = {&byte, 1}, theirs = {(void *)4096, 1};
  judge_harmless(process_vm_writev(1, &own, 1, &theirs, 1, 0));
}

/* Process 1 has the program's own user, so its memory is no secret; what it holds open must be none either. */
static void open_init_files(void) {
  int reason = 0;
  for (int fd = 0; fd < 256; fd++) {
    char path[32], target[128] = "";
    snprintf(path, sizeof path, "/proc/1/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0) {
      if (errno != ENOENT) reason = errno;
      continue;
    }
    /* Some init programs wait for signals by a descriptor of their own. */
    const char *const harmless[] = {"pipe:", "/dev/null", "anon_inode:[signalfd]"};
    int leads_out = 1;
    for (size_t index = 0; index < sizeof harmless / sizeof *harmless; index++)
      leads_out &= strncmp(target, harmless[index], strlen(harmless[index])) != 0;
    if (leads_out) escaped("%s is %s", path, target);
  }
  blocked("%s", reason ? strerrorname_np(reason) : "it holds the standard streams alone");
}

static void compare_init(void) {
  judge(syscall(SYS_kcmp, 1, getpid(), KCMP_VM, 0UL, 0UL), "kernel addresses of process 1 were compared");
}

static void take_file(void) {
  long process = syscall(SYS_pidfd_open, 1, 0);
  if (process < 0) blocked("pidfd_open: %s", strerrorname_np(errno));
  judge(syscall(SYS_pidfd_getfd, process, 0, 0), "a file of process 1 was taken");
}

static void see_host(void) {
  DIR *processes = opendir("/proc");
  for (struct dirent *entry; processes && (entry = readdir(processes));) {
    char path[300], name[64] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    if (fgets(name, sizeof name, file) && (strncmp(name, "dockerd", 7) == 0 || strncmp(name, "containerd", 10) == 0))
      escaped("%s is seen", strtok(name, "\n"));
    fclose(file);
  }
  blocked("no process of the engine is seen");
}

static void become_root(void) {
  if (setuid(0) == 0) escaped("the user is 0");
  if (setgid(0) == 0) escaped("the group is 0");
  gid_t group = 0;
  judge(setgroups(1, &group), "the group 0 was added");
}

static void capabilities_left(void) {
  char line[128];
  FILE *status = fopen("/proc/self/status", "r");
  if (!status) blocked("%s", strerrorname_np(errno));
  while (fgets(line, sizeof line, status)) {
    unsigned long long set;
    if (sscanf(line, "Cap%*[A-Za-z]: %llx", &set) == 1 && set != 0) escaped("%.6s is not empty", line);
  }
  blocked("all five sets are empty");
}

static void take_capabilities(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {0x1ff, 0x1ff, 0x1ff}};
  if (syscall(SYS_capset, &header, all) == 0) escaped("capset gave all capabilities");
  judge(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21 /* sys_admin */, 0, 0), "an ambient capability was raised");
}

static void secure_bits(void) { judge(prctl(PR_SET_SECUREBITS, 1, 0, 0, 0), "root's meaning was changed"); }

/* The program is owned by root and has the setuid and setgid bits. */
static void run_setuid(void) {
  pid_t child = fork();
  if (child == 0) {
    execl("/bin/probe-setuid", "/bin/probe-setuid", "whoami", NULL);
    _exit(errno == EPERM ? 0 : 100);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) blocked("it stays who it was");
  if (WEXITSTATUS(status) == 1 && getuid() != 0) escaped("it became root");
  if (WEXITSTATUS(status) == 1) escaped("it is root");
  _exit(3);
}

static void raise_own_limits(void) {
  const int limits[] = {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE};
  int reason = 0;
  for (size_t index = 0; index < sizeof limits / sizeof *limits; index++) {
    struct rlimit limit;
    getrlimit((__rlimit_resource_t)limits[index], &limit);
    limit.rlim_cur = limit.rlim_max = limit.rlim_max == RLIM_INFINITY ? RLIM_INFINITY : limit.rlim_max + 1;
    if (prlimit(0, (__rlimit_resource_t)limits[index], &limit, NULL) == 0) escaped("limit %d was raised, or there is none", limits[index]);
    reason = errno;
  }
  blocked("%s", strerrorname_np(reason));
}

static void raise_priority(void) { judge(setpriority(PRIO_PROCESS, 0, -20), "it goes before all others"); }

static void real_time(void) {
  struct sched_param parameters = {.sched_priority = 99};
  int result = sched_setscheduler(0, SCHED_FIFO, &parameters);
  if (result == 0) sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
  judge(result, "real-time scheduling was given");
}

static void disk_priority(void) {
  judge(syscall(SYS_ioprio_set, 1, 0, 1 << 13 /* real-time class */), "its disk access goes before all others");
}

static void oom_score(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) blocked("%s", strerrorname_np(errno));
  judge(write(fd, "-1000", 5), "it is spared when memory runs out");
}

/* Characters pushed into the terminal from which the host started the program are typed there. */
static void push_input(void) {
  char enter = '\n';
  int fds[4] = {0, 1, 2, open("/dev/tty", O_RDWR | O_CLOEXEC)};
  int reason = fds[3] < 0 ? errno : 0;
  for (int index = 0; index < 4; index++) {
    if (fds[index] < 0 || !isatty(fds[index])) continue;
    if (ioctl(fds[index], TIOCSTI, &enter) == 0) escaped("a key was pressed in the terminal");
    reason = errno;
  }
  blocked("%s", strerrorname_np(reason));
}

/* What an earlier probe left has this program's own name. */
static int is_own(const char *process) {
  char path[300], name[64] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", process);
  FILE *file = fopen(path, "r");
  if (!file) return 1;
  if (!fgets(name, sizeof name, file)) name[0] = '\0';
  fclose(file);
  return strcmp(name, "probe\n") == 0 || name[0] == '\0';
}

static void kill_others(void) {
  DIR *processes = opendir("/proc");
  int seen = 0;
  for (struct dirent *entry; processes && (entry = readdir(processes));) {
    pid_t process = atoi(entry->d_name);
    /* Signal 0 only asks whether it could be sent. */
    if (process > 1 && !is_own(entry->d_name) && kill(process, 0) == 0) seen++;
  }
  if (seen > 0) escaped("%d other processes can be killed", seen);
  blocked("there are none but its own");
}

const struct probe PROCESS_PROBES[] = {
    {"ptrace-init", "Trace process 1, a program of the host", trace_init},
    {"ptrace-child", "Trace a child, which reaches code of the kernel that was often broken", trace_child},
    {"read-init-memory", "Read the memory of process 1 (process_vm_readv)", read_init},
    {"write-init-memory", "Write to the memory of process 1 (process_vm_writev)", write_init_memory},
    {"init-files", "Find a file of the host that process 1 holds open", open_init_files},
    {"kcmp", "Compare kernel addresses of processes", compare_init},
    {"pidfd-getfd", "Take an open file from process 1", take_file},
    {"see-host-processes", "Find the engine's processes", see_host},
    {"kill-others", "Find processes that it could kill", kill_others},
    {"become-root", "Become user or group 0", become_root},
    {"capabilities-left", "Find any capability left in any set", capabilities_left},
    {"capset", "Take capabilities", take_capabilities},
    {"securebits", "Change what being root means", secure_bits},
    {"setuid-program", "Run a setuid root program of the image", run_setuid},
    {"prlimit", "Raise its own limits", raise_own_limits},
    {"setpriority", "Go before all other processes of the host", raise_priority},
    {"real-time", "Take real-time scheduling", real_time},
    {"ioprio", "Go before all others at the disk", disk_priority},
    {"oom-score", "Be spared when the host's memory runs out", oom_score},
    {"tiocsti", "Type into the terminal of the host", push_input},
    {NULL, NULL, NULL},
};

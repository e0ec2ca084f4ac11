/* Files of the kernel and of the host, devices, control groups, and places to write to or to execute from. */
#include "probe.h"

#include <dirent.h>
#include <glob.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <linux/magic.h>

static void write_root(void) { judge(open("/escaped", O_WRONLY | O_CREAT, 0600), "/escaped was created"); }

static void write_image_file(void) {
  judge_open((const char *[]){"/etc/passwd", "/bin/busybox", NULL}, O_WRONLY);
}

/* /etc/hosts and its like are files of the host, outside every quota. */
static void write_host_file(void) {
  judge_open((const char *[]){"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", NULL}, O_WRONLY);
}

static void write_init(void) { judge_open((const char *[]){"/sbin/docker-init", "/proc/1/exe", NULL}, O_WRONLY); }

static void write_proc_sys(void) {
  judge_open((const char *[]){"/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/hostname", "/proc/sys/fs/file-max",
                              "/proc/sys/kernel/modprobe", NULL},
             O_WRONLY);
}

static void write_core_pattern(void) { judge_open((const char *[]){"/proc/sys/kernel/core_pattern", NULL}, O_WRONLY); }

static void write_binfmt(void) {
  judge_open((const char *[]){"/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/ns_last_pid", NULL}, O_WRONLY);
}

static void write_irq(void) {
  judge_open((const char *[]){"/proc/irq/default_smp_affinity", "/proc/bus/pci/00/00.0", "/proc/mtrr", NULL}, O_WRONLY);
}

static void write_sys(void) {
  judge_open((const char *[]){"/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled",
                              "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/kernel/profiling", NULL},
             O_WRONLY);
}

static void write_sysrq(void) {
  judge_open((const char *[]){"/proc/sysrq-trigger", "/proc/sys/kernel/sysrq", NULL}, O_WRONLY);
}

static void read_kcore(void) { judge_read((const char *[]){"/proc/kcore", NULL}); }
static void read_keys(void) { judge_read((const char *[]){"/proc/keys", NULL}); }
static void read_kmsg(void) { judge_read((const char *[]){"/proc/kmsg", "/dev/kmsg", NULL}); }

static void read_timers(void) {
  judge_read((const char *[]){"/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats", "/proc/timer_stats", NULL});
}

static void read_kernel_debug(void) {
  judge_read((const char *[]){"/sys/kernel/debug/sched/debug", "/sys/kernel/tracing/trace", "/sys/kernel/debug/gpio",
                              "/sys/kernel/security/lockdown", "/proc/slabinfo", "/proc/vmallocinfo", NULL});
}

/* Bare metal has ACPI tables there; in a virtual machine the directory may hold little, or nothing. */
static void read_firmware(void) {
  const char *const places[] = {"/sys/firmware", "/sys/devices/virtual/powercap", "/proc/acpi", "/proc/scsi"};
  int there = 0;
  for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
    DIR *directory = opendir(places[index]);
    if (!directory) continue;
    there = 1;
    for (struct dirent *entry; (entry = readdir(directory));)
      if (entry->d_name[0] != '.') escaped("%s holds %s", places[index], entry->d_name);
    closedir(directory);
  }
  blocked("%s", there ? "they are empty" : "ENOENT");
}

/* Any control group file that can be opened for writing could raise this container's own limits. */
static void try_cgroup(const char *pattern) {
  glob_t found;
  int reason = ENOENT;
  if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
    for (size_t index = 0; index < found.gl_pathc; index++) {
      if (open(found.gl_pathv[index], O_WRONLY | O_CLOEXEC) >= 0) escaped("%s was opened", found.gl_pathv[index]);
      reason = errno;
    }
    globfree(&found);
  }
  errno = reason;
}

static void raise_limits(void) {
  const char *const names[] = {"memory.max", "memory.limit_in_bytes", "pids.max", "cpu.max", "cpu.cfs_quota_us"};
  for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
    char pattern[64];
    for (const char *depth = "\0*/"; depth; depth = *depth ? NULL : "*/") {
      snprintf(pattern, sizeof pattern, "/sys/fs/cgroup/%s%s", depth, names[index]);
      try_cgroup(pattern);
    }
  }
  blocked("%s", strerrorname_np(errno));
}

static void make_cgroup(void) {
  glob_t found;
  int reason = mkdir("/sys/fs/cgroup/probe", 0700) == 0 ? 0 : errno;
  if (reason == 0 && rmdir("/sys/fs/cgroup/probe") == 0) escaped("/sys/fs/cgroup/probe was made");
  if (glob("/sys/fs/cgroup/*/", GLOB_NOSORT, NULL, &found) == 0) {
    for (size_t index = 0; index < found.gl_pathc; index++) {
      char path[256];
      snprintf(path, sizeof path, "%sprobe", found.gl_pathv[index]);
      if (mkdir(path, 0700) == 0 && rmdir(path) == 0) escaped("%s was made", path);
      reason = errno;
    }
  }
  blocked("%s", strerrorname_np(reason));
}

static void release_agent(void) {
  try_cgroup("/sys/fs/cgroup/release_agent");
  try_cgroup("/sys/fs/cgroup/*/release_agent");
  blocked("%s", strerrorname_np(errno));
}

static void open_devices(void) {
  judge_open((const char *[]){"/dev/mem",         "/dev/port",     "/dev/kvm",        "/dev/fuse",
                              "/dev/net/tun",     "/dev/vsock",    "/dev/vhost-net",  "/dev/loop-control",
                              "/dev/userfaultfd", "/dev/nvram",    "/dev/vda",        "/dev/sda",
                              "/dev/nvme0n1",     "/dev/loop0",    "/dev/mapper/control", NULL},
             O_RDONLY);
}

static void open_made_device(mode_t kind, unsigned int major_number, unsigned int minor_number) {
  const char *path = "/tmp/probe-device";
  unlink(path);
  if (mknod(path, kind | 0600, makedev(major_number, minor_number)) != 0) blocked("%s", strerrorname_np(errno));
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  int reason = errno;
  unlink(path);
  if (fd >= 0) escaped("device %u:%u was made and opened", major_number, minor_number);
  blocked("it was made; opening it: %s", strerrorname_np(reason));
}

/* 1:11 is /dev/kmsg, which every kernel has. */
static void make_character_device(void) { open_made_device(S_IFCHR, 1, 11); }

static void make_block_device(void) {
  unsigned int major_number = 0, minor_number = 0;
  char line[128];
  FILE *partitions = fopen("/proc/partitions", "r");
  while (partitions && fgets(line, sizeof line, partitions))
    if (sscanf(line, " %u %u", &major_number, &minor_number) == 2) break;
  if (major_number == 0) major_number = 254;
  open_made_device(S_IFBLK, major_number, minor_number);
}

static void copy_self(const char *path) {
  char buffer[65536];
  int from = open(SELF, O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (from < 0 || to < 0) blocked("cannot copy: %s", strerrorname_np(errno));
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)got) != got) blocked("cannot copy: %s", strerrorname_np(errno));
  close(to);
}

/* A program that was brought in at run time must not be executable from what is writable. */
static void judge_exec(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    execl(path, path, "nothing", NULL);
    _exit(errno);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) escaped("%s was executed", path);
  blocked("%s", strerrorname_np(WEXITSTATUS(status)));
}

static void exec_tmp(void) {
  copy_self("/tmp/brought-in");
  judge_exec("/tmp/brought-in");
}

static void exec_shm(void) {
  copy_self("/dev/shm/brought-in");
  judge_exec("/dev/shm/brought-in");
}

/* Finds a place to write that is no tmpfs: it would be the host's disk, without a quota. */
static void write_disk(void) {
  FILE *mounts = setmntent("/proc/self/mounts", "r");
  if (!mounts) blocked("%s", strerrorname_np(errno));
  for (struct mntent *mount; (mount = getmntent(mounts));) {
    char path[512];
    struct statfs information;
    if (statfs(mount->mnt_dir, &information) != 0 || information.f_type == TMPFS_MAGIC) continue;
    if (information.f_type == PROC_SUPER_MAGIC || information.f_type == DEVPTS_SUPER_MAGIC) continue;
    snprintf(path, sizeof path, "%s/probe-disk", mount->mnt_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno == ENOTDIR) fd = open(mount->mnt_dir, O_WRONLY);
    else if (fd >= 0) unlink(path);
    if (fd >= 0) escaped("%s (%s) can be written to", mount->mnt_dir, mount->mnt_type);
  }
  blocked("all that is writable is in memory");
}

static void engine_socket(void) {
  const char *const places[] = {"/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
                                "/run/containerd/containerd.sock", "/run/crio/crio.sock", NULL};
  FILE *mounts = setmntent("/proc/self/mounts", "r");
  for (struct mntent *mount; mounts && (mount = getmntent(mounts));)
    if (strstr(mount->mnt_dir, ".sock") || strstr(mount->mnt_fsname, ".sock")) escaped("%s is mounted", mount->mnt_dir);
  for (const char *const *place = places; *place; place++)
    if (access(*place, F_OK) == 0) escaped("%s is there", *place);
  blocked("none is mounted, none is at a known place");
}

const struct probe FILE_PROBES[] = {
    {"write-root", "Create a file in the image's root", write_root},
    {"write-image-file", "Open /etc/passwd and a program of the image for writing", write_image_file},
    {"write-host-file", "Open /etc/hosts and its like, which lie on the host, for writing", write_host_file},
    {"write-init", "Overwrite the init program that the host lends", write_init},
    {"write-proc-sys", "Open settings below /proc/sys for writing", write_proc_sys},
    {"write-core-pattern", "Make the host run a program on a crash (core_pattern)", write_core_pattern},
    {"write-binfmt", "Register an interpreter (binfmt_misc) or steer process ids", write_binfmt},
    {"write-irq", "Open /proc/irq, /proc/bus and /proc/mtrr for writing", write_irq},
    {"write-sys", "Open settings below /sys for writing", write_sys},
    {"write-sysrq", "Open sysrq-trigger for writing", write_sysrq},
    {"read-kcore", "Read the kernel's memory (/proc/kcore)", read_kcore},
    {"read-keys", "Read the host's keys (/proc/keys)", read_keys},
    {"read-kmsg", "Read the kernel's log (/proc/kmsg, /dev/kmsg)", read_kmsg},
    {"read-timers", "Read timers and the scheduler's state of the host", read_timers},
    {"read-kernel-debug", "Read debugfs, tracefs and memory statistics of the kernel", read_kernel_debug},
    {"read-firmware", "Read firmware tables, power counters, ACPI, SCSI", read_firmware},
    {"raise-limits", "Open the own memory, pids or CPU limit for writing", raise_limits},
    {"make-cgroup", "Make a control group", make_cgroup},
    {"release-agent", "Make the host run a program when a control group empties", release_agent},
    {"open-devices", "Open devices of the host in /dev", open_devices},
    {"make-character-device", "Make a character device (mknod) and open it", make_character_device},
    {"make-block-device", "Make a block device of the host's disk (mknod) and open it", make_block_device},
    {"exec-tmp", "Execute a program brought in through /tmp", exec_tmp},
    {"exec-shm", "Execute a program brought in through /dev/shm", exec_shm},
    {"write-disk", "Find any writable place on the host's disk", write_disk},
    {"engine-socket", "Find the engine's socket", engine_socket},
    {NULL, NULL, NULL},
};

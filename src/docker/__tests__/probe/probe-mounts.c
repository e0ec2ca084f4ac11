/* Mounts, namespaces, and handles and roots that lead around them. */
#include "probe.h"

#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void mount_tmpfs(void) { judge(mount("none", "/tmp", "tmpfs", 0, NULL), "a tmpfs was mounted"); }
static void mount_proc(void) { judge(mount("proc", "/tmp", "proc", 0, NULL), "a fresh /proc was mounted"); }
static void bind_mount(void) { judge(mount("/proc", "/tmp", NULL, MS_BIND, NULL), "/proc was mounted again"); }

static void remount_root(void) {
  judge(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL), "the root was remounted for writing");
}

static void remount_tmp(void) {
  judge(mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL), "/tmp was remounted without noexec");
}

static void mount_cgroup(void) {
  int result = mount("none", "/tmp", "cgroup", 0, "name=probe,none");
  if (result != 0) result = mount("none", "/tmp", "cgroup2", 0, NULL);
  judge(result, "a cgroup hierarchy was mounted");
}

static void unmask(void) {
  const char *const masked[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sys", "/sys/firmware"};
  for (size_t index = 0; index < sizeof masked / sizeof *masked; index++)
    if (umount2(masked[index], MNT_DETACH) == 0) escaped("the cover of %s was taken away", masked[index]);
  /* Without a cover there is EINVAL only for those who may unmount. */
  judge_harmless(-1);
}

static void new_mount_api(void) {
  long fd = syscall(SYS_fsopen, "tmpfs", 0);
  judge(fd, "fsopen gave a file system");
}

static void open_tree_clone(void) { judge(syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE), "the root was cloned"); }

static void set_mount_attributes(void) {
  struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_RDONLY};
  judge(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes), "the root was made writable");
}

static void move_root(void) {
  /* "/" on itself: refused as an argument after the check of rights. */
  judge_harmless(syscall(SYS_pivot_root, "/", "/"));
}

static void change_root(void) { judge(chroot("/tmp"), "chroot to /tmp"); }

static void unshare_user(void) { judge(unshare(CLONE_NEWUSER), "a user namespace with all capabilities in it"); }
static void unshare_mount(void) { judge(unshare(CLONE_NEWNS), "a mount namespace"); }
static void unshare_network(void) { judge(unshare(CLONE_NEWNET), "a network namespace"); }
static void unshare_cgroup(void) { judge(unshare(CLONE_NEWCGROUP), "a cgroup namespace"); }

static void clone_user(void) {
  long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
  if (child == 0) _exit(0);
  judge(child, "clone gave a child in a user namespace");
}

static void clone3_user(void) {
  /* struct clone_args, first version: flags first, exit_signal fifth. */
  unsigned long long arguments[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  long child = syscall(SYS_clone3, arguments, sizeof arguments);
  if (child == 0) _exit(0);
  judge(child, "clone3 gave a child in a user namespace");
}

static void join_init(void) {
  const char *const kinds[] = {"mnt", "pid", "net", "ipc", "uts", "cgroup"};
  int reason = 0;
  for (size_t index = 0; index < sizeof kinds / sizeof *kinds; index++) {
    char path[32];
    snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[index]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && setns(fd, 0) == 0) escaped("joined the %s namespace of process 1", kinds[index]);
    reason = errno;
  }
  blocked("%s", strerrorname_np(reason));
}

struct handle {
  struct file_handle head;
  unsigned char bytes[MAX_HANDLE_SZ];
};

static void name_handle(void) {
  struct handle handle = {.head = {.handle_bytes = MAX_HANDLE_SZ}};
  int mount_id;
  long result = name_to_handle_at(AT_FDCWD, "/bin/busybox", &handle.head, &mount_id, 0);
  if (result != 0 && errno == EOPNOTSUPP) result = name_to_handle_at(AT_FDCWD, "/tmp", &handle.head, &mount_id, 0);
  judge(result, "a handle of a file was given");
}

/* Inode 2 is the root of a disk: with its handle the whole disk of the host can be walked. */
static void open_handle(void) {
  struct handle handle = {.head = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
  const char *const places[] = {"/etc/hosts", "/etc", "/tmp"};
  for (size_t index = 0; index < sizeof places / sizeof *places; index++) {
    int fd = open_by_handle_at(open(places[index], O_RDONLY | O_CLOEXEC), &handle.head, O_RDONLY);
    if (fd >= 0) escaped("the root of the disk of %s was opened", places[index]);
    if (errno == EPERM || errno == ENOSYS) break;
  }
  judge_harmless(-1);
}

/* A directory that stays open across a change of root would lead out; the engine must leave none behind. */
static void inherited_files(void) {
  for (int fd = 3; fd < 1024; fd++) {
    struct stat information;
    char path[32], target[256] = "";
    if (fstat(fd, &information) != 0 || S_ISFIFO(information.st_mode)) continue;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, target, sizeof target - 1) < 0) continue;
    escaped("file descriptor %d is open: %s", fd, target);
  }
  blocked("none but the standard streams is open");
}

/* The way out of an older runc: a working directory outside the root. */
static void outside_directory(void) {
  char path[512];
  if (!getcwd(path, sizeof path)) escaped("the working directory has no name: %s", strerrorname_np(errno));
  if (path[0] != '/') escaped("the working directory is %s", path);
  for (int depth = 0; depth < 32; depth++)
    if (chdir("..") != 0) break;
  struct stat here, root;
  if (stat(".", &here) != 0 || stat("/", &root) != 0) blocked("%s", strerrorname_np(errno));
  if (here.st_ino != root.st_ino || here.st_dev != root.st_dev) escaped("above %s is another root", path);
  blocked("it is %s", path);
}

const struct probe MOUNT_PROBES[] = {
    {"mount-tmpfs", "Mount a tmpfs", mount_tmpfs},
    {"mount-proc", "Mount a fresh /proc, without covers", mount_proc},
    {"bind-mount", "Mount /proc at another place", bind_mount},
    {"remount-root", "Remount the root for writing", remount_root},
    {"remount-tmp", "Remount /tmp without noexec", remount_tmp},
    {"mount-cgroup", "Mount a cgroup hierarchy", mount_cgroup},
    {"unmask", "Take the covers off /proc and /sys", unmask},
    {"new-mount-api", "Make a file system by fsopen", new_mount_api},
    {"open-tree", "Clone the root by open_tree", open_tree_clone},
    {"mount-setattr", "Make the root writable by mount_setattr", set_mount_attributes},
    {"pivot-root", "Change the root by pivot_root", move_root},
    {"chroot", "Change the root by chroot", change_root},
    {"unshare-user", "Make a user namespace, to be root in it", unshare_user},
    {"unshare-mount", "Make a mount namespace", unshare_mount},
    {"unshare-network", "Make a network namespace", unshare_network},
    {"unshare-cgroup", "Make a cgroup namespace", unshare_cgroup},
    {"clone-user", "Make a user namespace by clone", clone_user},
    {"clone3-user", "Make a user namespace by clone3, whose flags no filter can read", clone3_user},
    {"setns-init", "Join the namespaces of process 1", join_init},
    {"name-handle", "Get the handle of a file (name_to_handle_at)", name_handle},
    {"open-handle", "Open the host's disk by handle (open_by_handle_at)", open_handle},
    {"inherited-files", "Find a file descriptor that the engine left open", inherited_files},
    {"outside-directory", "Leave the root by the working directory", outside_directory},
    {NULL, NULL, NULL},
};

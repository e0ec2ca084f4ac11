/* System calls that reach the whole kernel, or parts of it that have often been broken. */
#include "probe.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>

static void load_bpf(void) {
  union bpf_attr attributes = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
  judge(syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes), "a BPF map was made");
}

static void open_perf(void) {
  struct perf_event_attr attributes = {
      .type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = PERF_COUNT_SW_CPU_CLOCK};
  judge(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0), "a performance counter was opened");
}

static void make_user_fault(void) {
  long fd = syscall(SYS_userfaultfd, O_CLOEXEC);
  if (fd < 0 && errno == EPERM) fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* user mode only */);
  judge(fd, "a userfaultfd was made");
}

static void make_ring(void) {
  struct io_uring_params parameters = {0};
  judge(syscall(SYS_io_uring_setup, 1, &parameters), "an io_uring was made");
}

static void list_keyring(void) {
  judge(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1), "the session keyring was given");
}

static void store_key(void) {
  judge(syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING), "a key was stored");
}

static void ask_key(void) { judge_harmless(syscall(SYS_request_key, "user", "probe-absent", NULL, 0)); }

static void load_module(void) { judge_harmless(syscall(SYS_init_module, NULL, 0UL, "")); }
static void load_module_file(void) { judge_harmless(syscall(SYS_finit_module, -1, "", 0)); }
static void unload_module(void) { judge_harmless(syscall(SYS_delete_module, "probe-absent", O_NONBLOCK)); }
static void load_kernel(void) { judge_harmless(syscall(SYS_kexec_load, 0UL, 1UL << 20, NULL, 0UL)); }

static void load_kernel_file(void) {
#ifdef SYS_kexec_file_load
  judge_harmless(syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, 0UL));
#else
  blocked("this processor has no such call");
#endif
}

static void open_ports(void) {
#ifdef SYS_iopl
  if (syscall(SYS_ioperm, 0x80UL, 1UL, 1) == 0) escaped("ioperm gave a port");
  judge(syscall(SYS_iopl, 3), "iopl gave all ports");
#else
  blocked("this processor has no such call");
#endif
}

static void start_accounting(void) { judge_harmless(acct("/probe-absent")); }
static void start_swap(void) { judge_harmless(syscall(SYS_swapon, "/probe-absent", 0)); }

static void read_quota(void) {
  /* Q_GETINFO of user quotas, on a device that is none. */
  judge_harmless(syscall(SYS_quotactl, 0x80000500U, "/probe-absent", 0, NULL));
}

static void read_kernel_log(void) {
  char text[64];
  judge(syscall(SYS_syslog, 3 /* read all */, text, (int)sizeof text), "the kernel's log was read");
}

static void restart(void) {
  /* No such command: without the right to restart, it is refused before that is noticed. */
  judge_harmless(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x12345678, NULL));
}

static void set_clock(void) {
  struct timex clock = {0};
  if (adjtimex(&clock) < 0) blocked("%s", strerrorname_np(errno));
  clock.modes = ADJ_ESTERROR;
  judge(adjtimex(&clock), "the host's clock was set, to what it was");
}

static void set_host_name(void) {
  char name[256];
  gethostname(name, sizeof name);
  judge(sethostname(name, strlen(name)), "the host name was set, to what it was");
}

/* Executable stacks and heaps for everything, and no address randomisation. */
static void weaken_layout(void) {
  judge(personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC), "memory became executable, at known addresses");
}

static void watch_files(void) { judge(fanotify_init(FAN_CLASS_CONTENT, O_RDONLY), "files can be watched and held up"); }

static void map_zero(void) {
  void *place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  judge(place == MAP_FAILED ? -1 : 0, "address 0 was mapped");
}

static void run_from_memory(void) {
  int from = open(SELF, O_RDONLY | O_CLOEXEC);
  int to = (int)syscall(SYS_memfd_create, "brought-in", 0U);
  if (to < 0) blocked("%s", strerrorname_np(errno));
  char buffer[65536];
  for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
    if (write(to, buffer, (size_t)got) != got) blocked("cannot copy: %s", strerrorname_np(errno));
  int done[2];
  if (pipe2(done, O_CLOEXEC) != 0) blocked("%s", strerrorname_np(errno));
  pid_t child = fork();
  if (child == 0) {
    syscall(SYS_execveat, to, "", (char *[]){"brought-in", "nothing", NULL}, (char *[]){NULL}, AT_EMPTY_PATH);
    int reason = errno;
    _exit(write(done[1], &reason, sizeof reason) < 0);
  }
  close(done[1]);
  int reason;
  ssize_t got_reason = read(done[0], &reason, sizeof reason);
  /* Left alone it would be a process of another name, which a later probe would find. */
  waitpid(child, NULL, 0);
  if (got_reason == sizeof reason) blocked("%s", strerrorname_np(reason));
  escaped("a program in memory alone was executed");
}

/* A filter that forgets the architecture lets by 32-bit numbers, which mean other calls: 310 is unshare there. */
static void old_call_numbers(void) {
#ifdef __x86_64__
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(310L), "b"(0x10000000L) : "memory", "r8", "r9", "r10", "r11");
  errno = (int)-result;
  judge(result == 0 ? 0 : -1, "a user namespace by a 32-bit call");
#else
  blocked("this processor has no such calls");
#endif
}

static void x32_calls(void) {
#ifdef __x86_64__
  judge(syscall(0x40000000L | SYS_unshare, 0x10000000L), "a user namespace by an x32 call");
#else
  blocked("this processor has no such calls");
#endif
}

static void memory_policy(void) {
  unsigned long nodes = 1;
  judge(syscall(SYS_set_mempolicy, 2 /* bind */, &nodes, 2UL), "memory was bound to a node of the host");
}

const struct probe KERNEL_PROBES[] = {
    {"bpf", "Make a BPF map", load_bpf},
    {"perf-event", "Open a performance counter", open_perf},
    {"userfaultfd", "Handle own page faults, to stop the kernel midway", make_user_fault},
    {"io-uring", "Make an io_uring, whose calls no filter sees", make_ring},
    {"keyctl", "Reach the session keyring, which is not of the container", list_keyring},
    {"add-key", "Store a key in the kernel", store_key},
    {"request-key", "Ask the kernel for a key", ask_key},
    {"init-module", "Load a kernel module from memory", load_module},
    {"finit-module", "Load a kernel module from a file", load_module_file},
    {"delete-module", "Unload a kernel module", unload_module},
    {"kexec-load", "Load another kernel", load_kernel},
    {"kexec-file-load", "Load another kernel from a file", load_kernel_file},
    {"io-ports", "Reach the hardware's ports (iopl, ioperm)", open_ports},
    {"acct", "Switch on process accounting", start_accounting},
    {"swapon", "Switch on swapping to a file", start_swap},
    {"quotactl", "Ask for quotas of a disk", read_quota},
    {"syslog", "Read the kernel's log by system call", read_kernel_log},
    {"reboot", "Restart the host", restart},
    {"set-clock", "Set the host's clock", set_clock},
    {"set-hostname", "Set the host name", set_host_name},
    {"personality", "Make all memory executable, at known addresses", weaken_layout},
    {"fanotify", "Watch and hold up the use of files", watch_files},
    {"map-zero", "Map address 0, where the kernel's null pointers lead", map_zero},
    {"memfd-exec", "Execute a program from memory, around noexec", run_from_memory},
    {"i386-calls", "Make 32-bit calls, around the filter", old_call_numbers},
    {"x32-calls", "Make x32 calls, around the filter", x32_calls},
    {"memory-policy", "Bind memory to a node of the host", memory_policy},
    {NULL, NULL, NULL},
};

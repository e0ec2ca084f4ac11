/**
 * The system calls a program may make: an allowlist of our own, sent with each container, because engines' defaults differ
 * by version and the older ones let io_uring, AF_VSOCK and ptrace through. What is not here is answered EPERM.
 *
 * The base is Docker's default profile (moby/profiles, Apache-2.0) without what needs a capability, what reaches other
 * processes or kernel subsystems that a program does not need, and without every other architecture's calls: with no
 * architecture named, the native one alone is let through.
 */
import { createHash } from 'node:crypto'

const FILES =
  'access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes vmsplice write writev'
const WAITING =
  'epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create timerfd_gettime timerfd_settime'
const MEMORY =
  'brk madvise membarrier mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect'
const PROCESSES =
  'arch_prctl capget capset execve execveat exit exit_group fork futex futex_waitv get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid kill landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack tgkill tkill vfork wait4 waitid'
const TIME =
  'alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep pause setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime times'
const SOCKETS =
  'accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown'
/** Their objects live in the container's own namespace. */
const SHARING = 'semctl semget semop semtimedop shmat shmctl shmdt shmget'
const FACTS = 'getrandom sysinfo uname'
/** The same calls where registers have 32 bits; elsewhere there are none of these names. */
const NARROW =
  '_llseek _newselect arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush chown32 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 fadvise64_64 fchown32 fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32 getresgid32 getresuid32 getuid32 lchown32 lstat64 mmap2 ppoll_time64 pselect6_time64 recv recvmmsg_time64 rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop_time64 send sendfile64 set_tls setfsgid32 setfsuid32 setgid32 setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigaction signal sigprocmask sigreturn sigsuspend stat64 statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit utimensat_time64 waitpid'

/** Unix, IPv4, IPv6. Packet, VSOCK, ALG, Bluetooth and the rest are kernel code that no program here needs. */
const UNIX = 1
const SOCKET_FAMILIES = [UNIX, 2, 10]
const NETLINK = { family: 16, route: 0 }
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const NAMESPACE_FLAGS = 0x7e020000
/** Linux, its 32-bit address limit, both with uname26, and the question which one is set. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]
const FILE_TYPE_MASK = 0o170000
/** Regular file, FIFO, socket; devices need a capability as well. */
const FILE_TYPES = [0o100000, 0o010000, 0o140000, 0]
const ENOSYS = 38

interface Condition {
  index: number
  value: number
  valueTwo?: number
  op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ'
}

const allow = (names: string[], args: Condition[] = []) => ({ names, action: 'SCMP_ACT_ALLOW', args })
const equal = (index: number, value: number): Condition => ({ index, value, op: 'SCMP_CMP_EQ' })
const masked = (index: number, mask: number, value: number): Condition => ({
  index,
  value: mask,
  valueTwo: value,
  op: 'SCMP_CMP_MASKED_EQ',
})

export interface SeccompProfile {
  /** As `SecurityOpt` takes it. */
  json: string
  /** Hexadecimal SHA-256 of `json`. */
  sha256: string
}

const profiles = new Map<string, SeccompProfile>()

/** The profile for programs of this architecture (Go's GOARCH: `amd64`, `arm64`). It never changes, so it is written once. */
export function seccompProfile(arch: string): SeccompProfile {
  const known = profiles.get(arch) ?? writeProfile(arch)
  profiles.set(arch, known)
  return known
}

function writeProfile(arch: string): SeccompProfile {
  const profile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [
      allow(
        [FILES, WAITING, MEMORY, PROCESSES, TIME, SOCKETS, SHARING, FACTS, NARROW].flatMap((names) => names.split(' ')),
      ),
      ...SOCKET_FAMILIES.map((family) => allow(['socket'], [equal(0, family)])),
      // It makes a socket of the family before it finds out that most have no pairs.
      allow(['socketpair'], [equal(0, UNIX)]),
      // Programs ask for their own addresses by it.
      allow(['socket'], [equal(0, NETLINK.family), equal(2, NETLINK.route)]),
      // s390 takes the flags second.
      allow(['clone'], [masked(arch === 's390x' ? 1 : 0, NAMESPACE_FLAGS, 0)]),
      ...PERSONALITIES.map((persona) => allow(['personality'], [equal(0, persona)])),
      ...FILE_TYPES.map((type) => allow(['mknod'], [masked(1, FILE_TYPE_MASK, type)])),
      ...FILE_TYPES.map((type) => allow(['mknodat'], [masked(2, FILE_TYPE_MASK, type)])),
      // Its flags are in memory, where no filter sees them; C libraries fall back to clone when it does not exist.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, args: [] },
    ],
  }
  const json = JSON.stringify(profile)
  return { json, sha256: createHash('sha256').update(json).digest('hex') }
}

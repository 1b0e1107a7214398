// The seal: limits, then a filter that ends the process at any call but the few it needs.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no system call filter for this processor"
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// Reading, writing, waiting, time, exit.
static const unsigned permitted[] = {
    SYS_read,       SYS_pread64,         SYS_write,           SYS_close,
    SYS_futex,      SYS_nanosleep,       SYS_clock_nanosleep, SYS_restart_syscall,
    SYS_sched_yield, SYS_clock_gettime,  SYS_rt_sigreturn,    SYS_exit,
    SYS_exit_group,
};

// What a command that publishes a file calls once, at its end.
static const unsigned publishing_calls[] = {SYS_renameat, SYS_renameat2, SYS_unlinkat};

static int limit(int resource, unsigned long bytes) {
  struct rlimit limits;
  if (getrlimit(resource, &limits) < 0) return 0;
  if (limits.rlim_max < bytes) bytes = limits.rlim_max;
  limits.rlim_cur = limits.rlim_max = bytes;
  return setrlimit(resource, &limits) == 0;
}

static int filter_calls(int publishing) {
  enum { ROOM = 8 + COUNT(permitted) + COUNT(publishing_calls) };
  struct sock_filter program[ROOM];
  unsigned calls = COUNT(permitted) + (publishing ? COUNT(publishing_calls) : 0);
  unsigned length = 0;
  program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                   offsetof(struct seccomp_data, arch));
  program[length++] =
      (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[length++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (unsigned index = 0; index < calls; index++) {
    unsigned number = index < COUNT(permitted) ? permitted[index]
                                               : publishing_calls[index - COUNT(permitted)];
    // On a match jump over the remaining comparisons and the killing return.
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number,
                                                     (unsigned char)(calls - index), 0);
  }
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog description = {.len = (unsigned short)length, .filter = program};
  // TSYNC: the pool's threads exist already.
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &description) ==
         0;
}

long platform_seal(unsigned long address_space_bytes, unsigned long stack_bytes, int publishing) {
  int limited = limit(RLIMIT_NOFILE, 0) & limit(RLIMIT_AS, address_space_bytes) &
                limit(RLIMIT_STACK, stack_bytes);
  // Proofs that watch the process from outside take this call as the end of launching.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return limited ? PLATFORM_LIMITS_MEMORY : 0;
  int filtered = filter_calls(publishing);
  return (filtered ? PLATFORM_FILTERS_CALLS : 0) | (limited ? PLATFORM_LIMITS_MEMORY : 0);
}

// Preloaded into the hosted build: counts requests for memory between launch and end.
// Launch ends at prctl(PR_SET_NO_NEW_PRIVS), which the seal calls; the end is _exit or the
// destructor. TERRARIUM_COUNTS names the file for the counts. TERRARIUM_CANARY makes a
// write after launch commit what the proofs must notice: "allocate", "call" or "touch" (pages).
// TERRARIUM_FILTER=off refuses the filter of system calls, so that the trace stands on its own.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int launched, reported;
static atomic_long allocations, mappings;
static int counts = -1;
static const char *canary;
static volatile char untouched[1 << 20];

long syscall(long number, ...) {
  static long (*next)(long, ...);
  if (!next) next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  va_list rest;
  va_start(rest, number);
  long words[6];
  for (int index = 0; index < 6; index++) words[index] = va_arg(rest, long);
  va_end(rest);
  const char *filter = number == SYS_seccomp ? getenv("TERRARIUM_FILTER") : NULL;
  if (filter && strcmp(filter, "off") == 0) {
    errno = EPERM;
    return -1;
  }
  return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

static void count(atomic_long *counter) {
  if (atomic_load(&launched)) atomic_fetch_add(counter, 1);
}

// The program may bring a counter of its own before glibc's allocator. What both end in is counted:
// glibc's names for it. They are looked up in the libraries behind this one.
#define NEXT(name, ...)                                                  \
  static void *(*next)(__VA_ARGS__);                                     \
  if (!next) next = (void *(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);      \
  count(&allocations)

void *__libc_malloc(size_t size) {
  NEXT("__libc_malloc", size_t);
  return next(size);
}

void *__libc_calloc(size_t number, size_t size) {
  NEXT("__libc_calloc", size_t, size_t);
  return next(number, size);
}

void *__libc_realloc(void *old, size_t size) {
  NEXT("__libc_realloc", void *, size_t);
  return next(old, size);
}

void *__libc_memalign(size_t alignment, size_t size) {
  NEXT("__libc_memalign", size_t, size_t);
  return next(alignment, size);
}

void *malloc(size_t size) { return __libc_malloc(size); }

void *calloc(size_t number, size_t size) { return __libc_calloc(number, size); }

void *realloc(void *old, size_t size) { return __libc_realloc(old, size); }

void *memalign(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = memalign(alignment, size);
  return *result ? 0 : 12;
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  count(&mappings);
  return (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off_t offset) {
  return mmap(address, length, protection, flags, file, offset);
}

int munmap(void *address, size_t length) {
  count(&mappings);
  return (int)syscall(SYS_munmap, address, length);
}

int mprotect(void *address, size_t length, int protection) {
  count(&mappings);
  return (int)syscall(SYS_mprotect, address, length, protection);
}

int prctl(int option, ...) {
  va_list rest;
  va_start(rest, option);
  unsigned long words[4];
  for (int index = 0; index < 4; index++) words[index] = va_arg(rest, unsigned long);
  va_end(rest);
  if (option == PR_SET_NO_NEW_PRIVS) atomic_store(&launched, 1);
  return (int)syscall(SYS_prctl, option, words[0], words[1], words[2], words[3]);
}

ssize_t write(int file, const void *bytes, size_t size) {
  static atomic_int writes;
  if (canary && atomic_load(&launched)) {
    int number = atomic_fetch_add(&writes, 1);
    if (number == 0 && strcmp(canary, "allocate") == 0) *(volatile char *)malloc(1) = 0;
    if (number == 0 && strcmp(canary, "call") == 0) syscall(SYS_getppid);
    // Later, so that there was a time before.
    if (number == 100 && strcmp(canary, "touch") == 0)
      for (size_t at = 0; at < sizeof untouched; at += 1024) untouched[at] = 1;
  }
  return syscall(SYS_write, file, bytes, size);
}

static void report(void) {
  if (counts < 0 || atomic_exchange(&reported, 1)) return;
  char text[128];
  int length = snprintf(text, sizeof text, "launched %d allocations %ld mappings %ld\n",
                        atomic_load(&launched), atomic_load(&allocations), atomic_load(&mappings));
  syscall(SYS_write, counts, text, (size_t)length);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("TERRARIUM_COUNTS");
  if (path) counts = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  canary = getenv("TERRARIUM_CANARY");
}

__attribute__((destructor)) static void end(void) { report(); }

void _exit(int status) {
  report();
  syscall(SYS_exit_group, status);
  __builtin_unreachable();
}

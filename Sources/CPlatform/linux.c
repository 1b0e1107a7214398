// Linux calls: one thin function each.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static long checked(long result) { return result < 0 ? -(long)errno : result; }

long platform_open(const void *path) { return checked(open(path, O_RDONLY | O_CLOEXEC)); }

long platform_create(const void *path) {
  return checked(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
}

long platform_rename(const void *source, const void *destination) {
  return checked(renameat(AT_FDCWD, source, AT_FDCWD, destination));
}

long platform_remove(const void *path) { return checked(unlinkat(AT_FDCWD, path, 0)); }

long platform_close(int file) { return checked(close(file)); }

long platform_file_size(int file) {
  struct stat information;
  if (fstat(file, &information) < 0) return -(long)errno;
  return S_ISREG(information.st_mode) ? (long)information.st_size : -EINVAL;
}

long platform_read(int file, void *buffer, unsigned long count) {
  return checked(read(file, buffer, count));
}

long platform_read_at(int file, void *buffer, unsigned long count, unsigned long offset) {
  return checked(pread(file, buffer, count, (off_t)offset));
}

long platform_write(int file, const void *bytes, unsigned long count) {
  return checked(write(file, bytes, count));
}

void platform_advise(int file, unsigned long offset, unsigned long count, int finished) {
  posix_fadvise(file, (off_t)offset, (off_t)count,
                finished ? POSIX_FADV_DONTNEED : POSIX_FADV_SEQUENTIAL);
}

int platform_is_terminal(int file) {
  struct winsize size;
  return ioctl(file, TIOCGWINSZ, &size) == 0;
}

long platform_executable_path(void *buffer, unsigned long count) {
  return checked(readlink("/proc/self/exe", buffer, count));
}

unsigned long platform_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long)now.tv_sec * 1000000000ul + (unsigned long)now.tv_nsec;
}

long platform_page_size(void) { return (long)getauxval(AT_PAGESZ); }

long platform_processors(int *numbers, long capacity) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) < 0) return checked(-1);
  long found = 0;
  for (int number = 0; number < CPU_SETSIZE; number++) {
    if (!CPU_ISSET(number, &set)) continue;
    if (found < capacity) numbers[found] = number;
    found++;
  }
  return found;
}

unsigned long platform_processor_features(int word) {
  return getauxval(word == 0 ? AT_HWCAP : AT_HWCAP2);
}

// Maps more than asked for and gives back what lies before and behind the aligned part.
static void *map_aligned(unsigned long count, unsigned long alignment) {
  unsigned long page = getauxval(AT_PAGESZ), slack = alignment > page ? alignment - page : 0;
  count = (count + page - 1) & ~(page - 1);
  unsigned char *start =
      mmap(NULL, count + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  unsigned long before = -(unsigned long)start & (alignment - 1), behind = slack - before;
  if (before > 0) munmap(start, before);
  if (behind > 0) munmap(start + before + count, behind);
  return start + before;
}

struct share {
  unsigned char *start;
  unsigned long count;
};

static void *touch_pages(void *argument) {
  const struct share *share = argument;
  unsigned long page = getauxval(AT_PAGESZ);
  for (unsigned long offset = 0; offset < share->count; offset += page)
    ((volatile unsigned char *)share->start)[offset] = 0;
  return NULL;
}

// Makes every page present. The kernel clears each one, which takes most of a launch, so as many
// threads as there are processors share the work; their stacks lie at the end of the memory, which
// is cleared again when they have ended.
static void make_present(unsigned char *base, unsigned long count) {
  enum { THREADS_MAX = 8, STACK = 128 << 10, WORTH = 32 << 20 };
  struct share shares[THREADS_MAX];
  pthread_t threads[THREADS_MAX];
  int started[THREADS_MAX] = {0}, allowed = 0;
  long processors = platform_processors(&allowed, 1);
  unsigned long parts = processors < THREADS_MAX ? (unsigned long)processors : THREADS_MAX;
  if (count < WORTH || processors < 1) parts = 1;
  unsigned char *stacks = base + count - (parts - 1) * STACK;
  unsigned long each = (unsigned long)(stacks - base) / parts / STACK * STACK;
  for (unsigned long i = 0; i < parts; i++) {
    unsigned char *start = base + i * each;
    shares[i] = (struct share){start, i + 1 == parts ? (unsigned long)(stacks - start) : each};
    pthread_attr_t attributes;
    if (i == 0 || pthread_attr_init(&attributes) != 0) continue;
    if (pthread_attr_setstack(&attributes, stacks + (i - 1) * STACK, STACK) == 0)
      started[i] = pthread_create(&threads[i], &attributes, touch_pages, &shares[i]) == 0;
  }
  for (unsigned long i = 0; i < parts; i++)
    if (!started[i]) touch_pages(&shares[i]);
  for (unsigned long i = 1; i < parts; i++)
    if (started[i]) pthread_join(threads[i], NULL);
  memset(stacks, 0, (parts - 1) * STACK);
}

void *platform_reserve(unsigned long count, int huge_pages, int locked, long *error) {
  // 64 KiB is the largest page of the kernels that run this; 2 MiB the usual huge page.
  void *base = map_aligned(count, huge_pages ? 2ul << 20 : 64ul << 10);
  *error = base ? 0 : -(long)errno;
  if (!base) return NULL;
  // Without the first line a kernel set to "always" rounds small arenas up to huge pages.
  madvise(base, count, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  make_present(base, count);
  if (locked && mlock(base, count) < 0) {
    *error = -EAGAIN;  // Nothing else gives this number here.
    munmap(base, count);
    return NULL;
  }
  return base;
}

__attribute__((noinline)) void platform_prefault_stack(unsigned long count) {
  unsigned long page = getauxval(AT_PAGESZ);
  unsigned long frame = (unsigned long)__builtin_frame_address(0);
  for (unsigned long offset = page; offset <= count; offset += page)
    *(volatile unsigned char *)(frame - offset) = 0;
  // The callers' frames may hold arrays that nobody has written yet. On the main thread they end
  // below the environment, which the kernel put at the top of the stack.
  unsigned long top = (unsigned long)environ;
  if (top < frame || top - frame > 8ul << 20) return;
  for (unsigned long at = frame; at < top; at += page) {
    volatile unsigned char *byte = (volatile unsigned char *)at;
    *byte = *byte;
  }
}

long platform_status(void *buffer, unsigned long count) {
  static _Atomic int kept = -1;
  int file = atomic_load(&kept);
  if (file < 0) {
    file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) return checked(-1);
    atomic_store(&kept, file);
  }
  return checked(pread(file, buffer, count, 0));
}

static _Atomic int interrupted = 0;

static void interrupt(int signal) {
  (void)signal;
  atomic_store(&interrupted, 1);
}

void platform_prepare(void) {
  // No SA_RESTART: a waiting read must come back. SA_RESETHAND: the second Ctrl-C ends the process.
  struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  // Whoever started this process may have blocked the signal, and that is inherited.
  sigset_t interrupts;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &interrupts, NULL);
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGPIPE, &ignore, NULL);
}

int platform_is_interrupted(void) {
  return atomic_load_explicit(&interrupted, memory_order_relaxed);
}

void platform_exit(int code) { _exit(code); }

// The hosted program links a counting allocator; the board has none, and nothing to count.
extern unsigned long allocations_count(void) __attribute__((weak));

unsigned long platform_allocation_count(void) {
  return allocations_count ? allocations_count() : 0;
}

// A team of threads that runs one function at a time and meets at barriers.
// Waiting spins for a short while, then sleeps in the kernel: a thread whose processor was taken
// away costs the others at most the spinning time.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAUSES_PER_LOOK_AT_THE_CLOCK = 32, LINE = 64 };

// A number that only grows, and how many threads sleep until it does. One cache line each.
struct event {
  _Alignas(LINE) _Atomic unsigned number;
  _Atomic unsigned sleepers;
};

struct pool {
  struct event jobs;
  struct event meetings;
  _Alignas(LINE) _Atomic unsigned arrived;
  _Alignas(LINE) platform_body body;
  void *context;
  long threads;
  unsigned long spin_nanoseconds;
  const int *processors;
  // Threads that have begun; each takes its index from here.
  _Atomic unsigned begun;
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

static void advance(struct event *event) {
  atomic_fetch_add(&event->number, 1);
  if (atomic_load(&event->sleepers) > 0)
    syscall(SYS_futex, &event->number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void wait_beyond(struct event *event, unsigned seen, unsigned long spin_nanoseconds) {
  if (spin_nanoseconds > 0) {
    unsigned long start = platform_nanoseconds();
    do {
      for (int pause = 0; pause < PAUSES_PER_LOOK_AT_THE_CLOCK; pause++) {
        if (atomic_load_explicit(&event->number, memory_order_acquire) != seen) return;
        pause_briefly();
      }
    } while (platform_nanoseconds() - start < spin_nanoseconds);
  }
  // Both sides are sequentially consistent: either this thread sees the new number or the other
  // one sees a sleeper. The kernel compares once more before it lets the thread sleep.
  atomic_fetch_add(&event->sleepers, 1);
  while (atomic_load(&event->number) == seen)
    syscall(SYS_futex, &event->number, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
  atomic_fetch_sub(&event->sleepers, 1);
}

void platform_pool_barrier(void *memory) {
  struct pool *pool = memory;
  if (pool->threads == 1) return;
  unsigned seen = atomic_load(&pool->meetings.number);
  if (atomic_fetch_add(&pool->arrived, 1) + 1 == (unsigned)pool->threads) {
    atomic_store(&pool->arrived, 0);
    advance(&pool->meetings);
  } else {
    wait_beyond(&pool->meetings, seen, pool->spin_nanoseconds);
  }
}

static void pin(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  // A processor that has gone away since it was listed leaves the thread where it is.
  sched_setaffinity(0, sizeof set, &set);
}

static void *work(void *memory) {
  struct pool *pool = memory;
  long index = (long)atomic_fetch_add(&pool->begun, 1);
  if (pool->processors) pin(pool->processors[index]);
  for (unsigned seen = 0;; seen++) {
    if (atomic_load_explicit(&pool->jobs.number, memory_order_acquire) == seen)
      wait_beyond(&pool->jobs, seen, pool->spin_nanoseconds);
    pool->body(pool->context, index, pool->threads);
    platform_pool_barrier(pool);
  }
  return NULL;
}

static void nothing(void *context, long index, long count) {
  (void)context, (void)index, (void)count;
}

static int start_thread(struct pool *pool, unsigned char *stack, unsigned long stack_bytes) {
  pthread_attr_t attributes;
  pthread_t thread;
  int error = pthread_attr_init(&attributes);
  if (error == 0) error = pthread_attr_setstack(&attributes, stack, stack_bytes);
  if (error == 0) error = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  if (error == 0) error = pthread_create(&thread, &attributes, work, pool);
  return error;
}

long platform_pool_start(void *memory, long threads, unsigned long stack_bytes,
                         unsigned long spin_microseconds, const int *processors) {
  struct pool *pool = memory;
  unsigned long page = getauxval(AT_PAGESZ);
  pool->threads = threads;
  pool->processors = processors;
  atomic_store(&pool->begun, 1);
  int allowed = 0;
  // With fewer processors than threads, spinning keeps one from running that others wait for.
  if (platform_processors(&allowed, 1) >= threads)
    pool->spin_nanoseconds = spin_microseconds * 1000;
  if (processors) pin(processors[0]);

  // The threads inherit a mask without signals: Ctrl-C belongs to the one that may be reading.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  unsigned char *next = (unsigned char *)memory + page;
  int error = 0;
  for (long index = 1; index < threads && error == 0; index++) {
    if (mprotect(next, page, PROT_NONE) < 0) error = errno;
    if (error == 0) error = start_thread(pool, next + page, stack_bytes);
    next += page + stack_bytes;
  }
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  if (error) return error == EAGAIN ? -ENOMEM : -error;
  // One empty round: when it ends every thread is pinned and has used its stack once.
  platform_pool_run(pool, nothing, pool);
  return 0;
}

void platform_pool_run(void *memory, platform_body body, void *context) {
  struct pool *pool = memory;
  pool->body = body;
  pool->context = context;
  if (pool->threads > 1) advance(&pool->jobs);
  body(context, 0, pool->threads);
  platform_pool_barrier(pool);
}

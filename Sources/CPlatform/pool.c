// A team of threads that runs one function at a time.
//
// The function is a sequence of steps, the same one on every thread. A step is a number of items;
// the threads claim ranges of them, and the step is complete when every item is done, not when
// every thread has arrived: a thread whose processor was taken away holds up the others only while
// it is inside a range. When it runs again it finds its steps complete and passes through them.
//
// Each thread owns an equal, contiguous share of the items and claims half of what is left of it at
// a time, in multiples of a grain; with its own share used up it does the same to the others'. A
// share is one word, the step in its upper 48 bits and the next item in its lower 16. A word of an
// earlier step means that the share is untouched, so nothing is reset between steps; one that is
// full or of a later step refuses a late thread. Steps are numbered through all runs, so a number
// never means two things.
//
// Waiting spins for a short while, then sleeps in the kernel.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  PAUSES_PER_LOOK_AT_THE_CLOCK = 32,
  PAUSES_BEFORE_STEALING = 32,
  LINE = 64,
  ITEM_BITS = 16,
  CONTEXT_WORDS = PLATFORM_POOL_CONTEXT_BYTES / 8,
};

// A number that only grows, and how many threads sleep until it does. One cache line each.
struct event {
  _Alignas(LINE) _Atomic unsigned number;
  _Atomic unsigned sleepers;
};

// A thread. Its share is in a cache line of its own, the rest is touched by the thread alone. Two
// lines, because processors fetch lines in pairs.
struct member {
  _Alignas(2 * LINE) _Atomic uint64_t share;
  _Alignas(LINE) uint64_t step;
  unsigned claimed;   // items of the range at hand
  unsigned finished;  // items done and not yet reported
};

struct pool {
  // Odd while the words below are being written: who sees that, or another number afterwards, has
  // read words of two runs.
  struct event jobs;
  struct event steps;  // the lower half of the number of the step at hand
  _Alignas(LINE) _Atomic unsigned done;  // items of that step
  _Alignas(LINE) long threads;
  unsigned long spin_nanoseconds;
  const int *processors;
  long processor_count;
  int is_pinned;
  // Threads that have begun; each takes its index from here.
  _Atomic unsigned begun;
  _Atomic unsigned ready;
  // The run at hand.
  _Atomic(platform_body) body;
  _Atomic uint64_t first_step;
  _Atomic unsigned context_words;
  _Alignas(LINE) _Atomic uint64_t context[CONTEXT_WORDS];
  struct member members[];
};

_Static_assert(sizeof(struct member) == PLATFORM_POOL_MEMBER_BYTES, "the state of a thread");
_Static_assert(sizeof(struct pool) == PLATFORM_POOL_STATE_BYTES, "the state without the threads");

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

// Items of member `index` begin here; those of the last end at `count`.
static long share_start(const struct pool *pool, long count, long index) {
  return (count * index + pool->threads - 1) / pool->threads;
}

// Takes half of what is left of a share, rounded up to a multiple of `grain`, or all of it if that
// is less; 0 where nothing is left.
static unsigned long take(struct pool *pool, long owner, uint64_t step, long count, long grain) {
  const long start = share_start(pool, count, owner);
  const long size = share_start(pool, count, owner + 1) - start;
  _Atomic uint64_t *share = &pool->members[owner].share;
  uint64_t seen = atomic_load_explicit(share, memory_order_relaxed);
  for (;;) {
    const uint64_t tag = seen >> ITEM_BITS;
    if (tag > step) return 0;
    const long next = tag == step ? (long)(seen & ((1 << ITEM_BITS) - 1)) : 0;
    const long left = size - next;
    if (left <= 0) return 0;
    long taken = ((left + 1) / 2 + grain - 1) / grain * grain;
    if (taken > left) taken = left;
    const uint64_t wanted = step << ITEM_BITS | (uint64_t)(next + taken);
    if (atomic_compare_exchange_weak_explicit(share, &seen, wanted, memory_order_relaxed,
                                              memory_order_relaxed))
      return (unsigned long)(start + next) | (unsigned long)taken << 32;
  }
}

static unsigned long claimed(struct member *me, unsigned long range) {
  me->claimed = (unsigned)(range >> 32);
  return range;
}

static unsigned long passed(struct member *me) {
  me->step++;
  return 0;
}

// Whether the step is over; looks for as long as another thread's last range usually takes.
static int ends_soon(struct pool *pool, unsigned step) {
  for (int pause = 0; pool->spin_nanoseconds > 0 && pause < PAUSES_BEFORE_STEALING; pause++) {
    if (atomic_load_explicit(&pool->steps.number, memory_order_acquire) != step) return 1;
    pause_briefly();
  }
  return 0;
}

unsigned long platform_pool_claim(void *memory, long index, long count, long grain) {
  struct pool *pool = memory;
  struct member *me = &pool->members[index];
  const unsigned step = (unsigned)me->step;
  // Whoever comes late may not look at the shares: the step is complete. While this thread has
  // items to report it is not.
  me->finished += me->claimed;
  me->claimed = 0;
  if (me->finished == 0 &&
      atomic_load_explicit(&pool->steps.number, memory_order_acquire) != step)
    return passed(me);
  unsigned long range = take(pool, index, me->step, count, grain);
  if (range) return claimed(me, range);

  const unsigned finished = me->finished;
  me->finished = 0;
  if (finished > 0 && atomic_fetch_add(&pool->done, finished) + finished == (unsigned)count) {
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    advance(&pool->steps);
    return passed(me);
  }
  if (ends_soon(pool, step)) return passed(me);
  for (long other = index + 1; other < index + pool->threads; other++) {
    range = take(pool, other % pool->threads, me->step, count, grain);
    if (range) return claimed(me, range);
  }
  // All items are claimed, and none comes back.
  wait_beyond(&pool->steps, step, pool->spin_nanoseconds);
  return passed(me);
}

// Keeps the calling thread on its processor, or on the processors of all.
static void place(const struct pool *pool, long index) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (long i = 0; i < pool->processor_count; i++)
    if (!pool->is_pinned || i == index) CPU_SET(pool->processors[i], &set);
  // Processors that have gone away since they were listed leave the thread where it is.
  if (pool->processor_count > 0) sched_setaffinity(0, sizeof set, &set);
}

// The run at hand, as one thread reads it.
struct job {
  _Alignas(16) uint64_t context[CONTEXT_WORDS];
  platform_body body;
  uint64_t first_step;
};

// Copies the run at hand; false where another one was begun meanwhile. Every word is released and
// acquired, so whoever reads a word of a later run also sees that run's number.
static int read_job(struct pool *pool, unsigned number, struct job *job) {
  job->body = atomic_load_explicit(&pool->body, memory_order_acquire);
  job->first_step = atomic_load_explicit(&pool->first_step, memory_order_acquire);
  const unsigned words = atomic_load_explicit(&pool->context_words, memory_order_acquire);
  for (unsigned i = 0; i < words; i++)
    job->context[i] = atomic_load_explicit(&pool->context[i], memory_order_acquire);
  return atomic_load_explicit(&pool->jobs.number, memory_order_relaxed) == number;
}

static void publish(struct pool *pool, platform_body body, const void *context,
                    unsigned long bytes) {
  const unsigned words = (unsigned)(bytes + 7) / 8;
  atomic_fetch_add(&pool->jobs.number, 1);
  atomic_store_explicit(&pool->body, body, memory_order_release);
  atomic_store_explicit(&pool->first_step, pool->members[0].step, memory_order_release);
  atomic_store_explicit(&pool->context_words, words, memory_order_release);
  for (unsigned i = 0; i < words; i++) {
    uint64_t word = 0;
    const unsigned long rest = bytes - i * 8;
    memcpy(&word, (const unsigned char *)context + i * 8, rest < 8 ? rest : 8);
    atomic_store_explicit(&pool->context[i], word, memory_order_release);
  }
  advance(&pool->jobs);
}

static void *work(void *memory) {
  struct pool *pool = memory;
  const long index = (long)atomic_fetch_add(&pool->begun, 1);
  place(pool, index);
  struct job job;
  atomic_fetch_add(&pool->ready, 1);
  for (unsigned seen = 0;;) {
    const unsigned number = atomic_load_explicit(&pool->jobs.number, memory_order_acquire);
    if (number == seen || number % 2 == 1) {
      wait_beyond(&pool->jobs, number, pool->spin_nanoseconds);
    } else if (read_job(pool, number, &job)) {
      seen = number;
      pool->members[index].step = job.first_step;
      job.body(job.context, index, pool->threads);
    }
  }
  return NULL;
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
                         unsigned long spin_microseconds, const int *processors,
                         long processor_count, int is_pinned) {
  struct pool *pool = memory;
  const unsigned long page = getauxval(AT_PAGESZ);
  pool->threads = threads;
  pool->processors = processors;
  pool->processor_count = processor_count;
  pool->is_pinned = is_pinned;
  atomic_store(&pool->begun, 1);
  // Step 1: a share that was never touched is one of step 0.
  atomic_store(&pool->steps.number, 1);
  for (long index = 0; index < threads; index++) pool->members[index].step = 1;
  int allowed = 0;
  // With fewer processors than threads, spinning keeps one from running that others wait for.
  if (platform_processors(&allowed, 1) >= threads)
    pool->spin_nanoseconds = spin_microseconds * 1000;
  place(pool, 0);

  // The threads inherit a mask without signals: Ctrl-C belongs to the one that may be reading.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  const unsigned long state = sizeof *pool + (unsigned long)threads * sizeof(struct member);
  unsigned char *next = (unsigned char *)memory + (state + page - 1) / page * page;
  int error = 0;
  for (long index = 1; index < threads && error == 0; index++) {
    if (mprotect(next, page, PROT_NONE) < 0) error = errno;
    if (error == 0) error = start_thread(pool, next + page, stack_bytes);
    next += page + stack_bytes;
  }
  pthread_sigmask(SIG_SETMASK, &previous, NULL);
  if (error) return error == EAGAIN ? -ENOMEM : -error;
  // When the last one is ready, every thread is pinned and has used its stack.
  while (atomic_load(&pool->ready) < (unsigned)threads - 1) sched_yield();
  return 0;
}

void platform_pool_compute(void *memory, platform_body body, void *context, unsigned long bytes) {
  struct pool *pool = memory;
  if (pool->threads > 1) publish(pool, body, context, bytes);
  // This thread passes each step only when it is complete, so at the end all are.
  body(context, 0, pool->threads);
}

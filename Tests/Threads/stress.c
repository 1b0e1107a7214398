// Runs steps of all sizes on pools of 1 to 64 threads: every item of a step is done once, and not
// before the step before is complete. Tests/Threads/run builds it with the thread sanitizer.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STEPS = 12, ITEMS_MAX = 300, STACK = 512 << 10, THREADS_MAX = 64 };

// What the runs work on; only items touch it. Plain numbers, so that the sanitizer sees a race.
struct board {
  unsigned values[STEPS][ITEMS_MAX];
};

// One run as every thread has it.
struct plan {
  void *pool;
  struct board *board;
  unsigned run;
  int stops;
  unsigned counts[STEPS];
  unsigned grains[STEPS];
  // Nothing of a run may be torn: its words agree.
  unsigned again;
};

static unsigned random_number(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(*state >> 33);
}

static void fail(const char *what, unsigned run, int step) {
  fprintf(stderr, "run %u, step %d: %s\n", run, step, what);
  exit(1);
}

static void body(void *context, long index, long count) {
  const struct plan *plan = context;
  (void)count;
  if (plan->again != plan->run * 7) fail("a context of two runs", plan->run, 0);
  uint64_t state = plan->run * 64 + (unsigned)index;
  for (int step = 0; step < STEPS; step++) {
    unsigned long range;
    while ((range = platform_pool_claim(plan->pool, index, plan->counts[step],
                                        plan->grains[step]))) {
      const unsigned first = (unsigned)range, items = (unsigned)(range >> 32);
      for (unsigned item = first; item < first + items; item++) {
        if (item >= plan->counts[step]) fail("an item too many", plan->run, step);
        if (plan->board->values[step][item] != plan->run - 1) fail("done twice", plan->run, step);
        plan->board->values[step][item] = plan->run;
        // The step before is complete, and visible from here.
        for (unsigned i = 0; step > 0 && i < plan->counts[step - 1]; i += 17)
          if (plan->board->values[step - 1][i] != plan->run) fail("too early", plan->run, step);
      }
      // The kernel takes the processor away inside a range and elsewhere.
      if (plan->stops && random_number(&state) % 16 == 0) sched_yield();
      if (plan->stops && random_number(&state) % 256 == 0) usleep(100);
    }
    if (plan->stops && random_number(&state) % 64 == 0) usleep(50);
  }
}

static void run_pool(long threads, unsigned runs, int stops) {
  const unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
  const unsigned long state =
      PLATFORM_POOL_STATE_BYTES + (unsigned long)threads * PLATFORM_POOL_MEMBER_BYTES;
  const unsigned long bytes =
      (state + page - 1) / page * page + (unsigned long)(threads - 1) * (page + STACK);
  void *pool = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pool == MAP_FAILED) exit(2);
  if (platform_pool_start(pool, threads, STACK, 20, &(int){0}, 0, 0) < 0) exit(3);
  // A thread may be late in the last run, so nothing here is used again.
  struct board *board = calloc(1, sizeof *board);
  uint64_t random = (uint64_t)threads;
  for (unsigned run = 1; run <= runs; run++) {
    struct plan plan = {
        .pool = pool, .board = board, .run = run, .stops = stops, .again = run * 7};
    for (int step = 0; step < STEPS; step++) {
      const unsigned most = random_number(&random) % 4 == 0 ? 3 : ITEMS_MAX;
      plan.counts[step] = 1 + random_number(&random) % most;
      plan.grains[step] = 1 + random_number(&random) % 5;
    }
    platform_pool_compute(pool, body, &plan, sizeof plan);
    for (int step = 0; step < STEPS; step++)
      for (unsigned item = 0; item < ITEMS_MAX; item++) {
        if (item < plan.counts[step] && board->values[step][item] != run)
          fail("not done", run, step);
        board->values[step][item] = run;
      }
  }
  // The threads stay asleep until the process ends, and so does their memory.
}

int main(int count, char **arguments) {
  static const long threads[] = {1, 2, 3, 4, 7, 8, 16, 33, 64};
  const unsigned runs = count > 1 ? (unsigned)atoi(arguments[1]) : 300;
  for (unsigned i = 0; i < sizeof threads / sizeof threads[0]; i++)
    for (int stops = 0; stops < 2; stops++) run_pool(threads[i], runs, stops);
  puts("every item once, in order");
  return 0;
}

// Reading memory as fast as it goes: sums of 64-bit words over contiguous parts.
#define _GNU_SOURCE
#include "CMeasure.h"
#include "Team.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE = 2 << 20, STREAMS_MAX = 4 };

// As many instructions as the processor's registers take.
typedef uint64_t words __attribute__((vector_size(LINE)));

struct reading {
  const unsigned char *memory;
  unsigned long count;
  int passes;
  void (*sum)(const unsigned char *part, unsigned long count);
};

void *measure_reserve(unsigned long count) {
  count = (count + HUGE - 1) / HUGE * HUGE;
  unsigned char *start =
      mmap(NULL, count + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return NULL;
  unsigned long before = -(unsigned long)start & (HUGE - 1);
  if (before > 0) munmap(start, before);
  munmap(start + before + count, HUGE - before);
  madvise(start + before, count, MADV_HUGEPAGE);
  memset(start + before, 1, count);
  return start + before;
}

void measure_release(void *memory, unsigned long count) {
  munmap(memory, (count + HUGE - 1) / HUGE * HUGE);
}

// Sums `count` bytes, `streams` runs of them at once, asking for lines `ahead` bytes early.
static inline __attribute__((always_inline)) void sum(const unsigned char *part,
                                                      unsigned long count, int streams, long ahead,
                                                      int lasting) {
  words sums[STREAMS_MAX] = {0};
  unsigned long run = count / (unsigned long)streams / (2 * LINE) * (2 * LINE);
  for (unsigned long offset = 0; offset < run; offset += 2 * LINE)
    for (int stream = 0; stream < streams; stream++) {
      const unsigned char *at = part + (unsigned long)stream * run + offset;
      if (ahead && lasting) {
        __builtin_prefetch(at + ahead, 0, 3);
        __builtin_prefetch(at + ahead + LINE, 0, 3);
      } else if (ahead) {
        __builtin_prefetch(at + ahead, 0, 0);
        __builtin_prefetch(at + ahead + LINE, 0, 0);
      }
      sums[stream] += ((const words *)at)[0] + ((const words *)at)[1];
    }
  // The compiler may not leave out what this reads.
  __asm__ volatile("" : : "r"(sums) : "memory");
}

#define READER(name, attribute, streams, ahead, lasting)                                   \
  attribute static void name(const unsigned char *part, unsigned long count) {            \
    sum(part, count, streams, ahead, lasting);                                             \
  }

#define READERS(set, attribute)                      \
  READER(plain_##set, attribute, 1, 0, 0)            \
  READER(near_##set, attribute, 1, 1024, 1)          \
  READER(far_##set, attribute, 1, 4096, 1)           \
  READER(passing_##set, attribute, 1, 2048, 0)       \
  READER(streams_##set, attribute, 4, 0, 0)          \
  READER(streams_near_##set, attribute, 4, 1024, 1)

#define LIST(set) \
  plain_##set, near_##set, far_##set, passing_##set, streams_##set, streams_near_##set

READERS(base, )
#if defined(__x86_64__)
READERS(avx2, __attribute__((target("avx2"))))
READERS(avx512, __attribute__((target("avx512f"))))
#endif

enum { VARIANTS = 6 };

int measure_read_variants(void) { return VARIANTS; }

static void read_part(const void *context, int index, int count) {
  const struct reading *reading = context;
  unsigned long lines = reading->count / LINE;
  unsigned long first = lines * (unsigned long)index / (unsigned long)count;
  unsigned long last = lines * (unsigned long)(index + 1) / (unsigned long)count;
  for (int pass = 0; pass < reading->passes; pass++)
    reading->sum(reading->memory + first * LINE, (last - first) * LINE);
}

double measure_read(const void *memory, unsigned long count, int threads, const int *processors,
                    int variant, int passes) {
  static void (*const base[VARIANTS])(const unsigned char *, unsigned long) = {LIST(base)};
  struct reading reading = {memory, count, passes, base[variant]};
#if defined(__x86_64__)
  static void (*const avx2[VARIANTS])(const unsigned char *, unsigned long) = {LIST(avx2)};
  static void (*const avx512[VARIANTS])(const unsigned char *, unsigned long) = {LIST(avx512)};
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) reading.sum = avx2[variant];
  if (__builtin_cpu_supports("avx512f")) reading.sum = avx512[variant];
#endif
  double seconds = team_run(threads, processors, read_part, &reading);
  return seconds > 0 ? (double)count * passes / seconds : 0;
}

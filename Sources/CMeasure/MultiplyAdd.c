// Multiplying and adding small integers as fast as it goes: every operand stays in a register, and
// there are more sums than an instruction takes cycles, so that none waits for another.
#define _GNU_SOURCE
#include "CMeasure.h"
#include "Team.h"

#include <stdint.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

// Rounds of the loop: some milliseconds of work.
enum { ROUNDS = 1 << 20 };

// A loop, and the operations of one of its rounds.
typedef struct {
  int operations;
  void (*work)(const void *context, int index, int count);
} multiplier;

#if defined(__x86_64__)
typedef int v4 __attribute__((vector_size(16)));
typedef int v8 __attribute__((vector_size(32)));
typedef int v16 __attribute__((vector_size(64)));

// `name`: rounds of `sums` sums of the vector type; the code adds one product to sums[i].
#define LOOP(name, features, vector, sums, ...)                                     \
  __attribute__((target(features))) static void name(const void *context, int index, \
                                                     int count) {                    \
    (void)context, (void)index, (void)count;                                         \
    vector sum[sums] = {0}, a = {1}, b = {3};                                        \
    __asm__ volatile("" : "+v"(a), "+v"(b));                                         \
    for (int round = 0; round < ROUNDS; round++)                                     \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < sums; i++) { __VA_ARGS__; }    \
    for (int i = 0; i < sums; i++) __asm__ volatile("" : : "v"(sum[i]));             \
  }

#define WITH_SUM(multiply, add)                                                    \
  do {                                                                             \
    __typeof__(a) product;                                                         \
    __asm__ volatile(multiply : "=v"(product) : "v"(a), "v"(b));                   \
    __asm__ volatile(add : "+v"(sum[i]) : "v"(product));                           \
  } while (0)
#define FUSED(multiply) __asm__ volatile(multiply : "+v"(sum[i]) : "v"(a), "v"(b))

LOOP(sse2_int8, "sse2", v4, 8,
     do {
       v4 product = a;
       __asm__ volatile("pmaddwd %1, %0\n\tpaddd %0, %2"
                        : "+x"(product), "+x"(b), "+x"(sum[i]));
     } while (0))
LOOP(avx2_int8, "avx2", v8, 10, WITH_SUM("vpmaddwd %2, %1, %0", "vpaddd %1, %0, %0"))
LOOP(avx2_pairs, "avx2", v8, 10,
     do {
       v8 pairs, product;
       __asm__ volatile("vpmaddubsw %2, %1, %0" : "=v"(pairs) : "v"(a), "v"(b));
       __asm__ volatile("vpmaddwd %2, %1, %0" : "=v"(product) : "v"(pairs), "v"(b));
       __asm__ volatile("vpaddd %1, %0, %0" : "+v"(sum[i]) : "v"(product));
     } while (0))
LOOP(avx2_int4, "avx2", v8, 10, WITH_SUM("vpmaddubsw %2, %1, %0", "vpaddw %1, %0, %0"))
LOOP(avxvnni, "avx2,avxvnni", v8, 12, FUSED("%{vex%} vpdpbusd %2, %1, %0"))
LOOP(avx512vnni, "avx512f,avx512vnni", v16, 16, FUSED("vpdpbusd %2, %1, %0"))

static multiplier multiplier_of(enum measure_multiply kind) {
  switch (kind) {
    case MEASURE_SSE2_INT8: return (multiplier){8 * 8 * 2, sse2_int8};
    case MEASURE_AVX2_INT8: return (multiplier){10 * 16 * 2, avx2_int8};
    case MEASURE_AVX2_PAIRS: return (multiplier){10 * 32 * 2, avx2_pairs};
    case MEASURE_AVX2_INT4: return (multiplier){10 * 32 * 2, avx2_int4};
    case MEASURE_AVXVNNI: return (multiplier){12 * 32 * 2, avxvnni};
    case MEASURE_AVX512VNNI: return (multiplier){16 * 64 * 2, avx512vnni};
    default: return (multiplier){0, 0};
  }
}

int measure_has(enum measure_multiply kind) {
  __builtin_cpu_init();
  switch (kind) {
    case MEASURE_SSE2_INT8: return 1;
    case MEASURE_AVX2_INT8:
    case MEASURE_AVX2_PAIRS:
    case MEASURE_AVX2_INT4: return __builtin_cpu_supports("avx2") != 0;
    case MEASURE_AVXVNNI: return __builtin_cpu_supports("avxvnni") != 0;
    case MEASURE_AVX512VNNI: return __builtin_cpu_supports("avx512vnni") != 0;
    default: return 0;
  }
}

#elif defined(__aarch64__)
typedef int v4 __attribute__((vector_size(16)));

#define LOOP(name, features, sums, ...)                                              \
  __attribute__((target(features))) static void name(const void *context, int index, \
                                                     int count) {                    \
    (void)context, (void)index, (void)count;                                         \
    v4 sum[sums] = {0}, a = {1}, b = {3};                                            \
    __asm__ volatile("" : "+w"(a), "+w"(b));                                         \
    for (int round = 0; round < ROUNDS; round++)                                     \
      _Pragma("clang loop unroll(full)") for (int i = 0; i < sums; i++) { __VA_ARGS__; } \
    for (int i = 0; i < sums; i++) __asm__ volatile("" : : "w"(sum[i]));             \
  }

LOOP(neon, "arch=armv8-a", 12,
     do {
       v4 product;
       __asm__ volatile("smull %0.8h, %1.8b, %2.8b\n\tsmlal2 %0.8h, %1.16b, %2.16b"
                        : "=&w"(product) : "w"(a), "w"(b));
       __asm__ volatile("sadalp %0.4s, %1.8h" : "+w"(sum[i]) : "w"(product));
     } while (0))
LOOP(dotprod, "arch=armv8.2-a+dotprod", 16,
     __asm__ volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum[i]) : "w"(a), "w"(b)))
LOOP(i8mm, "arch=armv8.2-a+i8mm", 16,
     __asm__ volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(sum[i]) : "w"(a), "w"(b)))

static multiplier multiplier_of(enum measure_multiply kind) {
  switch (kind) {
    case MEASURE_NEON: return (multiplier){12 * 16 * 2, neon};
    case MEASURE_DOTPROD: return (multiplier){16 * 16 * 2, dotprod};
    case MEASURE_I8MM: return (multiplier){16 * 32 * 2, i8mm};
    default: return (multiplier){0, 0};
  }
}

int measure_has(enum measure_multiply kind) {
  // Bit 20 of the first word is the dot product, bit 13 of the second i8mm.
  switch (kind) {
    case MEASURE_NEON: return 1;
    case MEASURE_DOTPROD: return getauxval(AT_HWCAP) >> 20 & 1;
    case MEASURE_I8MM: return getauxval(AT_HWCAP2) >> 13 & 1;
    default: return 0;
  }
}
#endif

double measure_multiply_add(enum measure_multiply kind, int threads, const int *processors) {
  if (!measure_has(kind)) return 0;
  multiplier chosen = multiplier_of(kind);
  double seconds = team_run(threads, processors, chosen.work, 0);
  return seconds > 0 ? (double)chosen.operations * ROUNDS * threads / seconds : 0;
}

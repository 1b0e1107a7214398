#pragma STDC FP_CONTRACT OFF
// x86-64 with AVX-VNNI, 256 bits wide: Alder Lake and later, Zen 5.
//
// KERNEL_EMULATE_AVXVNNI, for tests on machines without it: a header included before replaces the
// intrinsic, and everything else is AVX2.
#if defined(__x86_64__)

#include <immintrin.h>

#if defined(KERNEL_EMULATE_AVXVNNI)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avxvnni,avx2,fma,f16c"))), apply_to = function)
#endif

#define KERNEL_ROWS 4
#define KERNEL_FEW_ROWS 3
#define KERNEL_WIDENS 0
#define KERNEL_POSITIVE 1
#define KERNEL_BIAS 128
#define KERNEL_ASKS_AHEAD 0
#define KERNEL_STRIPS 1
#include "AVX.h"
#include "Rows.h"

// sum[row][half] += 4 k of each row, starting at x[k]; `positive`: rows are the unsigned side.
INLINE void add_quad(const __m256i *w, const row_group *x, int k, const int positive,
                     const int rows, __m256i (*sum)[2]) {
  for (int r = 0; r < rows; r++) {
    __m256i xv = broadcast4(quants_of(x, r) + k);
    for (int i = 0; i < 2; i++)
      sum[r][i] = positive ? _mm256_dpbusd_avx_epi32(sum[r][i], xv, w[i])
                           : _mm256_dpbusd_avx_epi32(sum[r][i], w[i], xv);
  }
}

INLINE void start(__m256i (*sum)[2], const row_group *x, const int rows) {
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_set1_epi32(x->starts[r]);
}

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      ptrdiff_t ahead, i32x16 *dot) {
  __m256i sum[KERNEL_ROWS][2];
  start(sum, x, rows);
  for (int q = 0; q < quads; q++) {
    ask_ahead(w + q * 64, ahead);
    __m256i both[2] = {biased(load32(w + q * 64)), biased(load32(w + q * 64 + 32))};
    add_quad(both, x, q * 4, 0, rows, sum);
  }
  store_dots(sum, rows, dot);
}

// Rows that are not negative are the unsigned side as they are.
INLINE void dots_int8_positive(const uint8_t *w, const row_group *x, const int rows,
                               const int tiles, const int asked, ptrdiff_t ahead, i32x16 *dot) {
  (void)tiles, (void)asked;
  __m256i sum[KERNEL_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int q = 0; q < 8; q++) {
    ask_ahead(w + q * 64, ahead);
    const __m256i both[2] = {load32(w + q * 64), load32(w + q * 64 + 32)};
    add_quad(both, x, q * 4, 1, rows, sum);
  }
  store_dots(sum, rows, dot);
}

// Strip 1 comes with strip 0: bytes are nibbles of the latter plus 16 times those of the former.
INLINE void dots_int4(const uint8_t *w, const row_group *x, const int format, ptrdiff_t ahead,
                      f32x16 *dot) {
  (void)format;
  __m256i low[1][2], both[1][2];
  i32x16 sums[2];
  start(low, x, 1);
  both[0][0] = both[0][1] = _mm256_set1_epi32(17 * x->starts[0]);
  for (int step = 0; step < WEIGHT_STEPS; step++) {
    ask_ahead(w + step * 64, ahead);
    __m256i a = load32(w + step * 64), b = load32(w + step * 64 + 32);
    __m256i nibbles[2] = {low_nibbles(a), low_nibbles(b)}, bytes[2] = {biased(a), biased(b)};
    add_quad(nibbles, x, step * 4, 0, 1, low);
    add_quad(bytes, x, step * 4, 0, 1, both);
  }
  store_dots(low, 1, sums);
  store_dots(both, 1, sums + 1);
  dot[0] = to_float(sums[0]);
  dot[1] = to_float((sums[1] - sums[0]) >> 4);
}

INLINE void dots_cached_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                             ptrdiff_t ahead, i32x16 *dot) {
  __m256i sum[KERNEL_ROWS][2];
  start(sum, x, rows);
  for (int o = 0; o < octets; o++) {
    ask_ahead(w + o * 64, ahead);
    __m256i a = load32(w + o * 64), b = load32(w + o * 64 + 32);
    __m256i low[2] = {low_nibbles(a), low_nibbles(b)}, high[2] = {high_nibbles(a), high_nibbles(b)};
    add_quad(low, x, o * 8, 0, rows, sum);
    add_quad(high, x, o * 8 + 4, 0, rows, sum);
  }
  store_dots(sum, rows, dot);
}

// A strip of a group of weights as unsigned bytes, 64 for each four k.
typedef struct {
  _Alignas(64) __m256i part[WEIGHT_STEPS][2];
} prepared_strip;

INLINE void prepare(const uint8_t *w, const int format, prepared_strip *to) {
  for (int step = 0; step < WEIGHT_STEPS; step++)
    for (int j = 0; j < 2; j++) {
      __m256i v = biased(load32(w + step * 64 + j * 32));
      to[0].part[step][j] = format == INT8 ? v : low_nibbles(v);
      if (format != INT8) to[1].part[step][j] = high_nibbles(v);
    }
}

INLINE void dots_prepared(const prepared_strip *w, const int format, const row_group *x,
                          i32x16 *dot) {
  (void)format;
  __m256i sum[KERNEL_ROWS][2];
  start(sum, x, KERNEL_ROWS);
  for (int q = 0; q < WEIGHT_STEPS; q++) add_quad(w->part[q], x, q * 4, 0, KERNEL_ROWS, sum);
  store_dots(sum, KERNEL_ROWS, dot);
}

#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avxvnni, avx2);

#endif

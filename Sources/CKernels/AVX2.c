#pragma STDC FP_CONTRACT OFF
// x86-64 with AVX2, FMA and F16C.
#if defined(__x86_64__)

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define KERNEL_HALVES
#define KERNEL_ROWS 4
#define KERNEL_INT8_TAKES_SUMS 0
#include "Rows.h"

INLINE __m256i broadcast4(const int8_t *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

// |w| * (x with the sign of w): one side unsigned for vpmaddubsw, and two products fit 16 bits
// (2 * 128 * 127 = 32,512).
INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      i32x16 *dot) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[KERNEL_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int q = 0; q < quads; q++) {
    __m256i low = _mm256_loadu_si256((const __m256i *)(w + q * 64));
    __m256i high = _mm256_loadu_si256((const __m256i *)(w + q * 64 + 32));
    __m256i low_size = _mm256_abs_epi8(low), high_size = _mm256_abs_epi8(high);
    for (int r = 0; r < rows; r++) {
      __m256i xv = broadcast4(x->quants[r] + q * 4);
      __m256i a = _mm256_maddubs_epi16(low_size, _mm256_sign_epi8(xv, low));
      __m256i b = _mm256_maddubs_epi16(high_size, _mm256_sign_epi8(xv, high));
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a, ones));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(b, ones));
    }
  }
  for (int r = 0; r < rows; r++) __builtin_memcpy(&dot[r], sum[r], 64);
}

// Nibbles are unsigned: vpmaddubsw, and a whole group fits 16 bits (16 * 15 * 127 = 30,480).
INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                      i32x16 *dot) {
  const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i sum[KERNEL_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int o = 0; o < octets; o++) {
    for (int i = 0; i < 2; i++) {
      __m256i bytes = _mm256_loadu_si256((const __m256i *)(w + o * 64) + i);
      __m256i low = _mm256_and_si256(bytes, mask);
      __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
      for (int r = 0; r < rows; r++) {
        const int8_t *xr = x->quants[r] + o * 8;
        __m256i a = _mm256_maddubs_epi16(low, broadcast4(xr));
        __m256i b = _mm256_maddubs_epi16(high, broadcast4(xr + 4));
        sum[r][i] = _mm256_add_epi16(sum[r][i], _mm256_add_epi16(a, b));
      }
    }
  }
  for (int r = 0; r < rows; r++) {
    for (int i = 0; i < 2; i++) {
      __m256i wide = _mm256_madd_epi16(sum[r][i], ones);
      __builtin_memcpy((char *)&dot[r] + 32 * i, &wide, 32);
    }
  }
}

#define SET(name) avx2_##name
#include "Common.h"
#include "Products.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx2, avx2);

#endif

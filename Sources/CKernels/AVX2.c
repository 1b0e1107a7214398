#pragma STDC FP_CONTRACT OFF
// x86-64 with AVX2, FMA and F16C.
#if defined(__x86_64__)

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define KERNEL_HALVES
#include "Vector.h"

#define KERNEL_ROWS 2

INLINE __m256i broadcast4(const int8_t *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

INLINE __m256i broadcast4_wide(const int8_t *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(four)));
}

// Adds neighbours: (a, b) hold [4 rows][2 halves] each; the result holds 8 rows.
INLINE __m256i add_pairs(__m256i a, __m256i b) {
  return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8);
}

// vpmaddubsw would saturate, so both sides are widened to 16 bits.
INLINE void dots_int8(const uint8_t *w, int quads, const int8_t *x, size_t stride,
                      const int32_t *sums, size_t sum_stride, const int rows, i32x16 *dot) {
  (void)sums;
  (void)sum_stride;
  __m256i sum[KERNEL_ROWS][4];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++) sum[r][i] = _mm256_setzero_si256();
  for (int q = 0; q < quads; q++) {
    __m256i wide[4];
    for (int i = 0; i < 4; i++)
      wide[i] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + q * 64) + i));
    for (int r = 0; r < rows; r++) {
      __m256i xv = broadcast4_wide(x + (size_t)r * stride + q * 4);
      for (int i = 0; i < 4; i++)
        sum[r][i] = _mm256_add_epi32(sum[r][i], _mm256_madd_epi16(wide[i], xv));
    }
  }
  for (int r = 0; r < rows; r++) {
    __m256i low = add_pairs(sum[r][0], sum[r][1]), high = add_pairs(sum[r][2], sum[r][3]);
    __builtin_memcpy(&dot[r], &low, 32);
    __builtin_memcpy((char *)&dot[r] + 32, &high, 32);
  }
}

// Nibbles are unsigned: vpmaddubsw, and a whole group fits 16 bits (16 * 15 * 127 = 30,480).
INLINE void dots_int4(const uint8_t *w, int octets, const int8_t *x, size_t stride,
                      const int rows, i32x16 *dot) {
  const __m256i mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i sum[KERNEL_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int o = 0; o < octets; o++) {
    for (int i = 0; i < 2; i++) {
      __m256i bytes = _mm256_loadu_si256((const __m256i *)(w + o * 64) + i);
      __m256i low = _mm256_and_si256(bytes, mask);
      __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
      for (int r = 0; r < rows; r++) {
        const int8_t *xr = x + (size_t)r * stride + o * 8;
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

#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx2);

#endif

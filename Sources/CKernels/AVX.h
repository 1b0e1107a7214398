// What the kernels of 256-bit registers share: small helpers, some in place of what clang makes of
// vectors of sixteen lanes. Included once per kernel file, after <immintrin.h> and the attribute.
#ifndef CKERNELS_AVX_H
#define CKERNELS_AVX_H

#define KERNEL_HALVES
#define KERNEL_NEAREST
#define KERNEL_PACKS
#define KERNEL_SIDE_BY_SIDE
#include "Vector.h"

INLINE i32x16 nearest(f32x16 v) {
  __m256 part[2];
  __builtin_memcpy(part, &v, 64);
  __m256i whole[2] = {_mm256_cvtps_epi32(part[0]), _mm256_cvtps_epi32(part[1])};
  i32x16 result;
  __builtin_memcpy(&result, whole, 64);
  return result;
}

INLINE void store_quants(i32x16 a, i32x16 b, int8_t *quants) {
  // Packing keeps to halves of registers: afterwards lanes 0, 4, 1, 5 ... stand in order.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  __m256i part[4];
  __builtin_memcpy(part, &a, 64);
  __builtin_memcpy(part + 2, &b, 64);
  __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(part[0], part[1]),
                                      _mm256_packs_epi32(part[2], part[3]));
  _mm256_storeu_si256((__m256i *)quants, _mm256_permutevar8x32_epi32(packed, order));
}

INLINE void side_by_side(f32x16 *v, const int count) {
  if (count != 2) return;
  __m256 part[4];
  __builtin_memcpy(part, v, 128);
  __asm__("" : "+x"(part[0]), "+x"(part[1]), "+x"(part[2]), "+x"(part[3]));
  __builtin_memcpy(v, part, 128);
}

INLINE __m256i broadcast4(const void *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return _mm256_set1_epi32(four);
}

INLINE __m256i load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }

INLINE __m256i low_nibbles(__m256i w) { return _mm256_and_si256(w, _mm256_set1_epi8(15)); }
INLINE __m256i high_nibbles(__m256i w) { return low_nibbles(_mm256_srli_epi16(w, 4)); }

// Other sign bits: signed bytes plus 128, and nibbles of strip 1 of a tile as they are in strip 0.
INLINE __m256i biased(__m256i w) { return _mm256_xor_si256(w, _mm256_set1_epi8((char)0x80)); }

INLINE void store_dots(__m256i (*sum)[2], const int rows, i32x16 *dot) {
  for (int r = 0; r < rows; r++) __builtin_memcpy(&dot[r], sum[r], 64);
}

#endif

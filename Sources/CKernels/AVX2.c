#pragma STDC FP_CONTRACT OFF
// x86-64 with AVX2, FMA and F16C.
#if defined(__x86_64__)

#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define KERNEL_ROWS 4
#define KERNEL_FEW_ROWS 3
#define KERNEL_WIDENS 1
#define KERNEL_POSITIVE 1
#define KERNEL_BIAS 0
#define KERNEL_ASKS_AHEAD 0
#define KERNEL_STRIPS 1
#define KERNEL_STARTS
#include "AVX.h"
#include "Rows.h"

// The zero point of int4 in a sum of 32 products that is kept as two of 16 bits: -4 * sum in each.
INLINE int32_t start_of(int32_t sum, const int format) {
  return format == INT4 ? (int32_t)((uint32_t)(uint16_t)(-4 * sum) * 0x10001u) : 0;
}

// Wide quants: int16, each four in the order 0, 2, 1, 3, so that one broadcast of 32 bits pairs
// with the even and the next with the odd bytes of the weights.
INLINE __m256i even_before_odd(__m256i v) {
  return _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(v, 0xD8), 0xD8);
}

INLINE void widen(const int8_t *quants, int16_t *wide) {
  for (int i = 0; i < 2; i++) {
    __m256i v = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)quants + i));
    _mm256_storeu_si256((__m256i *)wide + i, even_before_odd(v));
  }
}

// Quants as magnitudes and, 32 bytes on, all bits set where they are negative: |x| * (w ^ signs) is
// x * w, or |x| less where x is negative. Returns what those add up to.
INLINE int32_t split(const int8_t *quants, int16_t *to) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i x = _mm256_loadu_si256((const __m256i *)quants), magnitudes = _mm256_abs_epi8(x);
  const __m256i signs = _mm256_cmpgt_epi8(zero, x);
  _mm256_storeu_si256((__m256i *)to, magnitudes);
  _mm256_storeu_si256((__m256i *)to + 1, signs);
  const __m256i sums = _mm256_sad_epu8(_mm256_and_si256(magnitudes, signs), zero);
  const __m128i half =
      _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  return _mm_cvtsi128_si32(half) + _mm_extract_epi32(half, 2);
}

INLINE __m256i even_bytes(__m256i w) { return _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8); }
INLINE __m256i odd_bytes(__m256i w) { return _mm256_srai_epi16(w, 8); }

// sum[row][half] += 4 k of one row of wide quants, in 32 bits.
INLINE void add_wide(const __m256i *even, const __m256i *odd, const row_group *x, int quad,
                     const int rows, __m256i (*sum)[2]) {
  for (int r = 0; r < rows; r++) {
    const int16_t *xr = (const int16_t *)x->quants + r * (WIDE_BYTES / 2) + quad * 4;
    __m256i x02 = broadcast4(xr), x13 = broadcast4(xr + 2);
    for (int i = 0; i < 2; i++) {
      sum[r][i] = _mm256_add_epi32(sum[r][i], _mm256_madd_epi16(even[i], x02));
      sum[r][i] = _mm256_add_epi32(sum[r][i], _mm256_madd_epi16(odd[i], x13));
    }
  }
}

// sum[row][half] += 8 k in 16 bits.
INLINE void add_nibbles(const __m256i *low, const __m256i *high, const row_group *x, int octet,
                        const int rows, __m256i (*sum)[2]) {
  for (int r = 0; r < rows; r++) {
    const int8_t *xr = quants_of(x, r) + octet * 8;
    __m256i x0 = broadcast4(xr), x1 = broadcast4(xr + 4);
    for (int i = 0; i < 2; i++) {
      sum[r][i] = _mm256_add_epi16(sum[r][i], _mm256_maddubs_epi16(low[i], x0));
      sum[r][i] = _mm256_add_epi16(sum[r][i], _mm256_maddubs_epi16(high[i], x1));
    }
  }
}

INLINE void clear(__m256i (*sum)[2], const int rows) {
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
}

// 16-bit sums of neighbours to 32 bits.
INLINE void store_pairs(__m256i (*sum)[2], const int rows, i32x16 *dot) {
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 2; i++) sum[r][i] = _mm256_madd_epi16(sum[r][i], _mm256_set1_epi16(1));
  store_dots(sum, rows, dot);
}

// One row: |x| * (w with the sign of x), so that one side is unsigned for vpmaddubsw; two products
// fit 16 bits (2 * 127 * 127 = 32,258). Fewer instructions on the way from memory than widening.
INLINE void dots_int8_single(const uint8_t *w, int quads, const int8_t *x, ptrdiff_t ahead,
                             i32x16 *dot) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[1][2];
  clear(sum, 1);
  for (int q = 0; q < quads; q++) {
    ask_ahead(w + q * 64, ahead);
    __m256i xv = broadcast4(x + q * 4), magnitudes = _mm256_abs_epi8(xv);
    for (int i = 0; i < 2; i++) {
      __m256i wv = load32(w + q * 64 + i * 32);
      __m256i pairs = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(wv, xv));
      sum[0][i] = _mm256_add_epi32(sum[0][i], _mm256_madd_epi16(pairs, ones));
    }
  }
  store_dots(sum, 1, dot);
}

// Rows that are not negative are the unsigned side as they are; two products fit 16 bits.
INLINE void dots_int8_positive(const uint8_t *w, const row_group *x, const int rows,
                               const int tiles, const int asked, ptrdiff_t ahead, i32x16 *dot) {
  (void)tiles, (void)asked;
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[KERNEL_ROWS][2];
  clear(sum, rows);
  for (int q = 0; q < 8; q++) {
    const __m256i wv[2] = {load32(w + q * 64), load32(w + q * 64 + 32)};
    ask_ahead(w + q * 64, ahead);
    for (int r = 0; r < rows; r++) {
      const __m256i xv = broadcast4(quants_of(x, r) + q * 4);
      for (int i = 0; i < 2; i++) {
        __m256i pairs = _mm256_maddubs_epi16(xv, wv[i]);
        sum[r][i] = _mm256_add_epi32(sum[r][i], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
  store_dots(sum, rows, dot);
}

// Several rows that are split: magnitudes are the unsigned side.
INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      ptrdiff_t ahead, i32x16 *dot) {
  if (rows == 1) {
    dots_int8_single(w, quads, quants_of(x, 0), ahead, dot);
    return;
  }
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[KERNEL_ROWS][2];
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = broadcast4(&x->starts[r]);
#pragma clang loop unroll(disable)
  for (int q = 0; q < quads; q++) {
    const __m256i wv[2] = {load32(w + q * 64), load32(w + q * 64 + 32)};
    ask_ahead(w + q * 64, ahead);
    for (int r = 0; r < rows; r++) {
      const int8_t *xr = (const int8_t *)x->quants + r * WIDE_BYTES + q * 4;
      const __m256i magnitudes = broadcast4(xr), signs = broadcast4(xr + 32);
      for (int i = 0; i < 2; i++) {
        __m256i pairs = _mm256_maddubs_epi16(magnitudes, _mm256_xor_si256(wv[i], signs));
        sum[r][i] = _mm256_add_epi32(sum[r][i], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
  store_dots(sum, rows, dot);
}

// The zero point of int4 goes in at the start, half of it in each of two 16-bit sums; with it every
// intermediate stays below 16 * 15 * 127 = 30,480.
INLINE void start_nibbles(const row_group *x, const int format, const int rows,
                          __m256i (*sum)[2]) {
  if (rows == 1 && format == INT4) {
    // What start_of gives, in fewer instructions where it is wanted once per group.
    const __m256i total = _mm256_set1_epi16((int16_t)x->sums[0]);
    sum[0][0] = sum[0][1] = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(total, 2));
    return;
  }
  for (int r = 0; r < rows; r++)
    sum[r][0] = sum[r][1] = format == INT4 ? broadcast4(&x->starts[r]) : _mm256_setzero_si256();
}

// Nibbles are unsigned: vpmaddubsw, and a whole group fits 16 bits.
INLINE void dots_int4(const uint8_t *w, const row_group *x, const int format, ptrdiff_t ahead,
                      f32x16 *dot) {
  __m256i sum[STRIPS_MAX][2];
  i32x16 sums[STRIPS_MAX];
  start_nibbles(x, format, 1, sum);
  start_nibbles(x, format, 1, sum + 1);
  for (int step = 0; step < WEIGHT_STEPS; step++) {
    ask_ahead(w + step * 64, ahead);
    const __m256i four = broadcast4(quants_of(x, 0) + step * 4);
    for (int i = 0; i < 2; i++) {
      const __m256i bytes = biased(load32(w + step * 64 + i * 32));
      sum[0][i] = _mm256_add_epi16(sum[0][i], _mm256_maddubs_epi16(low_nibbles(bytes), four));
      sum[1][i] = _mm256_add_epi16(sum[1][i], _mm256_maddubs_epi16(high_nibbles(bytes), four));
    }
    // In this order: all steps at once take more registers than there are.
    __asm__("" : "+x"(sum[0][0]), "+x"(sum[0][1]), "+x"(sum[1][0]), "+x"(sum[1][1]));
  }
  store_pairs(sum, STRIPS_MAX, sums);
  for (int n = 0; n < STRIPS_MAX; n++) dot[n] = to_float(sums[n]);
}

INLINE void dots_cached_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                             ptrdiff_t ahead, i32x16 *dot) {
  __m256i sum[KERNEL_ROWS][2];
  start_nibbles(x, INT4, rows, sum);
  for (int o = 0; o < octets; o++) {
    ask_ahead(w + o * 64, ahead);
    __m256i a = load32(w + o * 64), b = load32(w + o * 64 + 32);
    __m256i low[2] = {low_nibbles(a), low_nibbles(b)}, high[2] = {high_nibbles(a), high_nibbles(b)};
    add_nibbles(low, high, x, o, rows, sum);
    // One row in this order: all octets at once take more registers than there are.
    if (rows == 1) __asm__("" : "+x"(sum[0][0]), "+x"(sum[0][1]));
  }
  store_pairs(sum, rows, dot);
}

// A strip of a group of weights unpacked: for each four k the even bytes of int8, then the odd
// ones, or the nibbles.
typedef struct {
  _Alignas(64) __m256i part[32];
} prepared_strip;

INLINE void prepare(const uint8_t *w, const int format, prepared_strip *to) {
  for (int step = 0; step < WEIGHT_STEPS; step++)
    for (int j = 0; j < 2; j++) {
      __m256i v = load32(w + step * 64 + j * 32);
      if (format == INT8) {
        to->part[step * 4 + j] = even_bytes(v);
        to->part[step * 4 + 2 + j] = odd_bytes(v);
      } else {
        to[0].part[step * 2 + j] = low_nibbles(v);
        to[1].part[step * 2 + j] = high_nibbles(biased(v));
      }
    }
}

INLINE void dots_prepared(const prepared_strip *w, const int format, const row_group *x,
                          i32x16 *dot) {
  __m256i sum[KERNEL_ROWS][2];
  if (format == INT8) clear(sum, KERNEL_ROWS);
  else start_nibbles(x, format, KERNEL_ROWS, sum);
#pragma clang loop unroll(full)
  for (int i = 0; i < (format == INT8 ? 8 : 4); i++) {
    const __m256i *part = w->part + i * 4;
    if (format == INT8) add_wide(part, part + 2, x, i, KERNEL_ROWS, sum);
    else add_nibbles(part, part + 2, x, i, KERNEL_ROWS, sum);
  }
  if (format == INT8) store_dots(sum, KERNEL_ROWS, dot);
  else store_pairs(sum, KERNEL_ROWS, dot);
}

#define SET(name) avx2_##name
#include "Common.h"
#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx2, avx2);

#endif

#pragma STDC FP_CONTRACT OFF
// ARMv8.6 with integer matrix multiplication: Neoverse V1 and later, Cortex-A710, X2.
#if defined(__aarch64__)

#define KERNEL_HALVES
#include <arm_neon.h>

#pragma clang attribute push(                                                                   \
    __attribute__((target("arch=armv8.2-a+dotprod+i8mm"))), apply_to = function)

#include "Neon.h"

#define KERNEL_ROWS 4
#define KERNEL_FEW_ROWS 1
#define KERNEL_WIDENS 0
#define KERNEL_PREPARES 0
#define KERNEL_INT8_TAKES_SUMS 0
#include "Rows.h"

typedef struct {
  int8x16_t part[8];
} row_pairs;

// 16 rows x 8 k from two blocks of 16 rows x 4 k: each part holds [2 rows][8 k].
INLINE row_pairs pair_blocks(const int8x16_t *first, const int8x16_t *second) {
  row_pairs pairs;
  for (int i = 0; i < 4; i++) {
    int32x4_t a = vreinterpretq_s32_s8(first[i]), b = vreinterpretq_s32_s8(second[i]);
    pairs.part[2 * i] = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    pairs.part[2 * i + 1] = vreinterpretq_s8_s32(vzip2q_s32(a, b));
  }
  return pairs;
}

// Adds 8 k for `rows` (even) rows; sum[r / 2][i] holds [2 weight rows][2 activation rows].
INLINE void multiply(row_pairs w, const row_group *x, int k, const int rows,
                     int32x4_t (*sum)[8]) {
  for (int r = 0; r < rows; r += 2) {
    int8x16_t xv = vcombine_s8(vld1_s8(quants_of(x, r) + k), vld1_s8(quants_of(x, r + 1) + k));
    for (int i = 0; i < 8; i++) sum[r / 2][i] = vmmlaq_s32(sum[r / 2][i], w.part[i], xv);
  }
}

INLINE void unzip(int32x4_t (*sum)[8], const int rows, i32x16 *dot) {
  for (int r = 0; r < rows; r += 2)
    for (int i = 0; i < 4; i++) {
      int32x4_t a = sum[r / 2][2 * i], b = sum[r / 2][2 * i + 1];
      set_part(&dot[r], i, vuzp1q_s32(a, b));
      set_part(&dot[r + 1], i, vuzp2q_s32(a, b));
    }
}

INLINE void dots_int8_single(const uint8_t *w, int quads, const int8_t *x, i32x16 *dot) {
  int32x4_t sum[4];
  for (int i = 0; i < 4; i++) sum[i] = vdupq_n_s32(0);
  for (int q = 0; q < quads; q++)
    for (int i = 0; i < 4; i++)
      sum[i] = vdotq_s32(sum[i], load_quants(w + q * 64 + i * 16), broadcast4(x + q * 4));
  for (int i = 0; i < 4; i++) set_part(dot, i, sum[i]);
}

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      i32x16 *dot) {
  if (rows == 1) {
    dots_int8_single(w, quads, quants_of(x, 0), dot);
    return;
  }
  int32x4_t sum[KERNEL_ROWS / 2][8];
  for (int r = 0; r < rows / 2; r++)
    for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s32(0);
  for (int q = 0; q < quads; q += 2) {
    int8x16_t first[4], second[4];
    for (int i = 0; i < 4; i++) {
      first[i] = load_quants(w + q * 64 + i * 16);
      // Where the dimensions end after an odd block, activations are zero beyond it.
      second[i] = q + 1 < quads ? load_quants(w + q * 64 + 64 + i * 16) : vdupq_n_s8(0);
    }
    multiply(pair_blocks(first, second), x, q * 4, rows, sum);
  }
  unzip(sum, rows, dot);
}

INLINE void split_nibbles(const uint8_t *w, int8x16_t *low, int8x16_t *high) {
  for (int i = 0; i < 4; i++) {
    uint8x16_t bytes = vld1q_u8(w + i * 16);
    low[i] = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
    high[i] = vreinterpretq_s8_u8(vshrq_n_u8(bytes, 4));
  }
}

INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                      i32x16 *dot) {
  int8x16_t low[4], high[4];
  if (rows == 1) {
    int32x4_t sum[4];
    for (int i = 0; i < 4; i++) sum[i] = vdupq_n_s32(0);
    for (int o = 0; o < octets; o++) {
      split_nibbles(w + o * 64, low, high);
      for (int i = 0; i < 4; i++) {
        sum[i] = vdotq_s32(sum[i], low[i], broadcast4(quants_of(x, 0) + o * 8));
        sum[i] = vdotq_s32(sum[i], high[i], broadcast4(quants_of(x, 0) + o * 8 + 4));
      }
    }
    for (int i = 0; i < 4; i++) set_part(dot, i, sum[i]);
    return;
  }
  int32x4_t sum[KERNEL_ROWS / 2][8];
  for (int r = 0; r < rows / 2; r++)
    for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s32(0);
  for (int o = 0; o < octets; o++) {
    split_nibbles(w + o * 64, low, high);
    multiply(pair_blocks(low, high), x, o * 8, rows, sum);
  }
  unzip(sum, rows, dot);
}

#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_i8mm, portable);

#endif

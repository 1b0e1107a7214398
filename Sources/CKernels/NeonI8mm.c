#pragma STDC FP_CONTRACT OFF
// ARMv8.6 with integer matrix multiplication: Neoverse V1 and later, Cortex-A710, X2.
#if defined(__aarch64__)

#define KERNEL_HALVES
#include <arm_neon.h>

#pragma clang attribute push(                                                                   \
    __attribute__((target("arch=armv8.2-a+dotprod+i8mm"))), apply_to = function)

#define KERNEL_ROWS 4
#define KERNEL_STARTS_AS_FLOAT 1
#define KERNEL_PAIRS_ROWS 1
#include "NeonDot.h"

// Eight k of two rows side by side.
INLINE void place(row_set *to, int row, const int8_t *quants) {
  for (int k = 0; k < 4; k++)
    __builtin_memcpy(to->quants + k * KERNEL_ROWS * 8 + row * 8, quants + k * 8, 8);
}

// 16 rows x 8 k from two blocks of 16 rows x 4 k: each 16 bytes hold [2 rows][8 k].
INLINE void pair_blocks(int8x16_t first, int8x16_t second, int8_t *to) {
  int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(second);
  vst1q_s8(to, vreinterpretq_s8_s32(vzip1q_s32(a, b)));
  vst1q_s8(to + 16, vreinterpretq_s8_s32(vzip2q_s32(a, b)));
}

INLINE const int8_t *prepare(const uint8_t *w, const int format, int steps, prepared_group *to) {
  for (int k = 0; k < 2 * steps; k++)
    UNROLL for (int i = 0; i < 4; i++) {
      int8_t *pairs = to->quants + k * 128 + i * 32;
      if (format == INT8) {
        pair_blocks(load_quants(w + k * 128 + i * 16), load_quants(w + k * 128 + 64 + i * 16),
                    pairs);
      } else {
        int8x16_t bytes = load_quants(w + k * 64 + i * 16);
        pair_blocks(low_nibbles(bytes), high_nibbles(bytes), pairs);
      }
    }
  return to->quants;
}

INLINE void prepare_strips(const uint8_t *w, prepared_group *to) {
  for (int k = 0; k < 4; k++)
    UNROLL for (int i = 0; i < 4; i++) {
      int8x16_t a = load_quants(w + k * 128 + i * 16), b = load_quants(w + k * 128 + 64 + i * 16);
      pair_blocks(low_nibbles(a), low_nibbles(b), to[0].quants + k * 128 + i * 32);
      pair_blocks(second_nibbles(a), second_nibbles(b), to[1].quants + k * 128 + i * 32);
    }
}

// Each 16 bytes of products hold [2 weight rows][2 activation rows].
INLINE void dots_of_rows(const int8_t *w, const int format, const int steps, const row_set *x,
                         int32x4_t (*dot)[4]) {
  (void)format;
  UNROLL for (int r = 0; r < KERNEL_ROWS; r += 2) {
    int32x2_t biases = vld1_s32(x->biases + r);
    UNROLL for (int i = 0; i < 8; i++) dot[r + i / 4][i % 4] = vcombine_s32(biases, biases);
  }
  for (int step = 0; step < steps; step++)
    UNROLL for (int k = 2 * step; k < 2 * step + 2; k++) {
      int8x16_t xv[KERNEL_ROWS / 2];
      UNROLL for (int r = 0; r < KERNEL_ROWS / 2; r++)
        xv[r] = load_quants(x->quants + k * KERNEL_ROWS * 8 + r * 16);
      UNROLL for (int i = 0; i < 8; i++) {
        int8x16_t wv = load_quants(w + k * 128 + i * 16);
        UNROLL for (int r = 0; r < KERNEL_ROWS; r += 2) {
          int32x4_t *sum = &dot[r + i / 4][i % 4];
          *sum = vmmlaq_s32(*sum, wv, xv[r / 2]);
        }
      }
    }
}

#include "NeonProducts.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_i8mm, portable);

#endif

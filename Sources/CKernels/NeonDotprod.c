#pragma STDC FP_CONTRACT OFF
// ARMv8.2 with the dot product: Cortex-A55, A76 and later.
#if defined(__aarch64__)

#define KERNEL_HALVES
#include <arm_neon.h>

#pragma clang attribute push(__attribute__((target("arch=armv8.2-a+dotprod"))), apply_to = function)

#define KERNEL_ROWS 4
#define KERNEL_STARTS_AS_FLOAT 1
#define KERNEL_PAIRS_ROWS 0
#include "NeonDot.h"

INLINE void place(row_set *to, int row, const int8_t *quants) {
  __builtin_memcpy(to->quants + row * 32, quants, 32);
}

// int8 weights are taken as they lie.
INLINE const int8_t *prepare(const uint8_t *w, const int format, int steps, prepared_group *to) {
  if (format == INT8) return (const int8_t *)w;
  for (int step = 0; step < steps; step++) unpack_nibbles(w + step * 128, to->quants + step * 256);
  return to->quants;
}

INLINE void prepare_strips(const uint8_t *w, prepared_group *to) { unpack_strips(w, to); }

// Four k of all rows: a register of weights serves them all.
#define ADD_QUAD_OF_ROWS(lane)                                                                  \
  UNROLL for (int i = 0; i < 4; i++) {                                                          \
    int8x16_t wv = load_quants(w + step * 256 + lane * 64 + i * 16);                            \
    UNROLL for (int r = 0; r < KERNEL_ROWS; r++)                                                \
      dot[r][i] = vdotq_laneq_s32(dot[r][i], wv, xv[r], lane);                                  \
  }

INLINE void dots_of_rows(const int8_t *w, const int format, const int steps, const row_set *x,
                         int32x4_t (*dot)[4]) {
  (void)format;
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
    UNROLL for (int i = 0; i < 4; i++) dot[r][i] = vdupq_n_s32(x->biases[r]);
  for (int step = 0; step < steps; step++) {
    int8x16_t xv[KERNEL_ROWS];
    UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
      xv[r] = load_quants(x->quants + r * 32 + step * 16);
    ADD_QUAD_OF_ROWS(0)
    ADD_QUAD_OF_ROWS(1)
    ADD_QUAD_OF_ROWS(2)
    ADD_QUAD_OF_ROWS(3)
  }
}

#include "NeonProducts.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_dotprod, portable);

#endif

#pragma STDC FP_CONTRACT OFF
// ARMv8.0 with Advanced SIMD: Cortex-A53, A72.
//
// int8: two products of quants fit 16 bits (2 * 127 * 127 = 32,258): smull, smlal, then sadalp.
// int4: a whole group of nibbles fits 16 bits, four k to a lane (8 * 15 * 127 = 15,240, and the
// bias, 2 * 4,064 at most).
#if defined(__aarch64__)

#define KERNEL_HALVES
#define KERNEL_ROWS 2
#define KERNEL_STARTS_AS_FLOAT 0
#define KERNEL_PAIRS_ROWS 0
#include "Neon.h"

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

// Four k of a row of activations in all lanes. Both halves are kept, so that smull2 and smlal2 are
// used instead of moving the upper halves of the weights down first.
#define BROADCAST_QUAD(x, lane)                                                                 \
  ({                                                                                            \
    int32x4_t all = vdupq_laneq_s32(vreinterpretq_s32_s8(x), lane);                             \
    __asm__("" : "+w"(all));                                                                    \
    vreinterpretq_s8_s32(all);                                                                  \
  })

// One row goes in a straight line, several in a loop.
#define STEPS(add)                                                                              \
  if (rows == 1) {                                                                              \
    int step = 0;                                                                               \
    add;                                                                                        \
    if (++step < steps) add;                                                                    \
  } else {                                                                                      \
    for (int step = 0; step < steps; step++) add;                                               \
  }

// 16 bytes each of two fours of k, in 32 bits.
INLINE void add_products(int32x4_t *sum, int8x16_t w0, int8x16_t w1, int8x16_t x0, int8x16_t x1) {
  int16x8_t low = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
  int16x8_t high = vmull_high_s8(w0, x0);
  low = vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1));
  high = vmlal_high_s8(high, w1, x1);
  sum[0] = vpadalq_s16(sum[0], low);
  sum[1] = vpadalq_s16(sum[1], high);
}

// The same in 16 bits.
INLINE void add_nibbles(int16x8_t *sum, int8x16_t w0, int8x16_t w1, int8x16_t x0, int8x16_t x1) {
  sum[0] = vmlal_s8(sum[0], vget_low_s8(w0), vget_low_s8(x0));
  sum[1] = vmlal_high_s8(sum[1], w0, x0);
  sum[0] = vmlal_s8(sum[0], vget_low_s8(w1), vget_low_s8(x1));
  sum[1] = vmlal_high_s8(sum[1], w1, x1);
}

// Eight k, the fours `lane` and `lane + 1` of xv[row], of int8 weights.
#define ADD_OCTET(w, rows, lane)                                                                \
  {                                                                                             \
    int8x16_t x0[KERNEL_ROWS], x1[KERNEL_ROWS];                                                 \
    UNROLL for (int r = 0; r < rows; r++) {                                                     \
      x0[r] = BROADCAST_QUAD(xv[r], lane);                                                      \
      x1[r] = BROADCAST_QUAD(xv[r], lane + 1);                                                  \
    }                                                                                           \
    UNROLL for (int i = 0; i < 4; i++) {                                                        \
      int8x16_t w0 = load_quants((w) + i * 16), w1 = load_quants((w) + 64 + i * 16);            \
      UNROLL for (int r = 0; r < rows; r++) add_products(sum[r] + 2 * i, w0, w1, x0[r], x1[r]); \
    }                                                                                           \
  }

INLINE void add_step(const int8_t *w, const int8_t *x, const int rows, int32x4_t (*sum)[8]) {
  int8x16_t xv[KERNEL_ROWS];
  UNROLL for (int r = 0; r < rows; r++) xv[r] = load_quants(x + r * 32);
  ADD_OCTET(w, rows, 0)
  ADD_OCTET(w + 128, rows, 2)
}

INLINE void dots_int8(const int8_t *w, const int steps, const int8_t *x, const int rows,
                      int32x4_t (*dot)[4]) {
  int32x4_t sum[KERNEL_ROWS][8];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s32(0);
  STEPS(add_step(w + step * 256, x + step * 16, rows, sum))
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int i = 0; i < 4; i++) dot[r][i] = vpaddq_s32(sum[r][2 * i], sum[r][2 * i + 1]);
}

// Eight k of nibbles, packed in `w` or, where `packed` is 0, as int8.
#define ADD_NIBBLES(w, packed, rows, lane)                                                      \
  {                                                                                             \
    int8x16_t x0[KERNEL_ROWS], x1[KERNEL_ROWS];                                                 \
    UNROLL for (int r = 0; r < rows; r++) {                                                     \
      x0[r] = BROADCAST_QUAD(xv[r], lane);                                                      \
      x1[r] = BROADCAST_QUAD(xv[r], lane + 1);                                                  \
    }                                                                                           \
    UNROLL for (int i = 0; i < 4; i++) {                                                        \
      int8x16_t bytes = load_quants((w) + i * 16);                                              \
      int8x16_t w0 = packed ? low_nibbles(bytes) : bytes;                                       \
      int8x16_t w1 = packed ? high_nibbles(bytes) : load_quants((w) + 64 + i * 16);             \
      UNROLL for (int r = 0; r < rows; r++) add_nibbles(sum[r] + 2 * i, w0, w1, x0[r], x1[r]);  \
    }                                                                                           \
  }

INLINE void add_nibble_step(const int8_t *w, const int packed, const int8_t *x, const int rows,
                            int16x8_t (*sum)[8]) {
  int8x16_t xv[KERNEL_ROWS];
  UNROLL for (int r = 0; r < rows; r++) xv[r] = load_quants(x + r * 32);
  ADD_NIBBLES(w, packed, rows, 0)
  ADD_NIBBLES(w + (packed ? 64 : 128), packed, rows, 2)
}

INLINE void dots_int4(const int8_t *w, const int packed, const int steps, const int8_t *x,
                      const int32_t *biases, const int rows, int32x4_t (*dot)[4]) {
  int16x8_t sum[KERNEL_ROWS][8];
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s16((int16_t)(biases[r] >> 2));
  const int bytes = packed ? 128 : 256;
  STEPS(add_nibble_step(w + step * bytes, packed, x + step * 16, rows, sum))
  UNROLL for (int r = 0; r < rows; r++)
    UNROLL for (int i = 0; i < 4; i++)
      dot[r][i] = vpaddq_s32(vpaddlq_s16(sum[r][2 * i]), vpaddlq_s16(sum[r][2 * i + 1]));
}

INLINE void dots_of_one(const uint8_t *w, const int format, const int steps, const int8_t *x,
                        int32_t bias, int32x4_t *dot) {
  int32x4_t all[1][4];
  if (format == INT8) dots_int8((const int8_t *)w, steps, x, 1, all);
  else dots_int4((const int8_t *)w, 1, steps, x, &bias, 1, all);
  UNROLL for (int i = 0; i < 4; i++) dot[i] = all[0][i];
}

// Four k times both strips of a tile of int4; strip 1 less 8.
#define ADD_STRIPS(w, lane)                                                                     \
  {                                                                                             \
    int8x16_t x = BROADCAST_QUAD(xv, lane);                                                     \
    UNROLL for (int i = 0; i < 4; i++) {                                                        \
      int8x16_t bytes = load_quants((w) + i * 16);                                              \
      int8x16_t quants[STRIPS_MAX] = {low_nibbles(bytes), vshrq_n_s8(bytes, 4)};                \
      UNROLL for (int n = 0; n < STRIPS_MAX; n++) {                                             \
        sum[n][2 * i] = vmlal_s8(sum[n][2 * i], vget_low_s8(quants[n]), vget_low_s8(x));        \
        sum[n][2 * i + 1] = vmlal_high_s8(sum[n][2 * i + 1], quants[n], x);                     \
      }                                                                                         \
    }                                                                                           \
  }

INLINE void dots_of_strips(const uint8_t *w, const int8_t *x, int32_t total, int32_t zero,
                           f32x16 *dot) {
  int16x8_t sum[STRIPS_MAX][8];
  UNROLL for (int i = 0; i < 8; i++) {
    sum[0][i] = vdupq_n_s16((int16_t)(-zero * total >> 2));
    sum[1][i] = vdupq_n_s16((int16_t)((8 - zero) * total >> 2));
  }
  for (int half = 0; half < 2; half++, w += WEIGHT_QUANT_BYTES / 2) {
    int8x16_t xv = load_quants(x + half * 16);
    ADD_STRIPS(w, 0)
    ADD_STRIPS(w + 64, 1)
    ADD_STRIPS(w + 128, 2)
    ADD_STRIPS(w + 192, 3)
  }
  UNROLL for (int n = 0; n < STRIPS_MAX; n++) {
    int32x4_t all[4];
    UNROLL for (int i = 0; i < 4; i++)
      all[i] = vpaddq_s32(vpaddlq_s16(sum[n][2 * i]), vpaddlq_s16(sum[n][2 * i + 1]));
    dot[n] = dots_to_float(all);
  }
}

INLINE void dots_of_rows(const int8_t *w, const int format, const int steps, const row_set *x,
                         int32x4_t (*dot)[4]) {
  if (format == INT8) dots_int8(w, steps, x->quants, KERNEL_ROWS, dot);
  else dots_int4(w, 0, steps, x->quants, x->biases, KERNEL_ROWS, dot);
}

#include "NeonProducts.h"
#include "Table.h"

KERNEL_TABLE(kernel_table_neon, portable);

#endif

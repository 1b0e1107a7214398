// Products of one row of activations with the dot product, for the sets that have it.
#ifndef CKERNELS_NEON_DOT_H
#define CKERNELS_NEON_DOT_H

#include "Neon.h"

// Four k, number `lane` of the four fours of x, times 16 rows.
#define ADD_QUAD(dot, w, x, lane)                                                               \
  UNROLL for (int i = 0; i < 4; i++)                                                            \
    dot[i] = vdotq_laneq_s32(dot[i], load_quants((w) + i * 16), x, lane)

// Four k times both strips of a tile of int4: the nibbles of strip 0, and the bytes, which are
// those plus 16 times strip 1 less 8.
#define ADD_STRIPS(low, both, w, x, lane)                                                       \
  UNROLL for (int i = 0; i < 4; i++) {                                                          \
    int8x16_t bytes = load_quants((w) + i * 16);                                                \
    low[i] = vdotq_laneq_s32(low[i], low_nibbles(bytes), x, lane);                              \
    both[i] = vdotq_laneq_s32(both[i], bytes, x, lane);                                         \
  }

// Eight k of int4 of the cache times 16 rows.
#define ADD_OCTET(dot, w, x, lane)                                                              \
  UNROLL for (int i = 0; i < 4; i++) {                                                          \
    int8x16_t bytes = load_quants((w) + i * 16);                                                \
    dot[i] = vdotq_laneq_s32(dot[i], low_nibbles(bytes), x, lane);                              \
    dot[i] = vdotq_laneq_s32(dot[i], high_nibbles(bytes), x, lane + 1);                         \
  }

INLINE void add_step(const uint8_t *w, const int format, const int8_t *x, int32x4_t *dot) {
  int8x16_t xv = load_quants(x);
  if (format == INT8) {
    ADD_QUAD(dot, w, xv, 0);
    ADD_QUAD(dot, w + 64, xv, 1);
    ADD_QUAD(dot, w + 128, xv, 2);
    ADD_QUAD(dot, w + 192, xv, 3);
  } else {
    ADD_OCTET(dot, w, xv, 0);
    ADD_OCTET(dot, w + 64, xv, 2);
  }
}

INLINE void dots_of_one(const uint8_t *w, const int format, const int steps, const int8_t *x,
                        int32_t bias, int32x4_t *dot) {
  UNROLL for (int i = 0; i < 4; i++) dot[i] = vdupq_n_s32(bias);
  add_step(w, format, x, dot);
  if (steps > 1) add_step(w + cache_group_bytes(format) / 2, format, x + 16, dot);
}

// What is left of both strips without strip 0 starts at the bits of 1.5 * 2^19, a float whose last
// bit is worth 1/16: then it needs no division, as sums that start at 1.5 * 2^23 no conversion.
INLINE void dots_of_strips(const uint8_t *w, const int8_t *x, int32_t sum, int32_t zero,
                           f32x16 *dot) {
  const int32_t start = dot_bias(sum, zero), rest = 0x49400000 + 16 * (8 - zero) * sum;
  int32x4_t low[4], both[4];
  UNROLL for (int i = 0; i < 4; i++) {
    low[i] = vdupq_n_s32(start);
    both[i] = vdupq_n_s32((int32_t)((uint32_t)start + (uint32_t)rest));
  }
  UNROLL for (int half = 0; half < 2; half++, w += WEIGHT_QUANT_BYTES / 2) {
    int8x16_t xv = load_quants(x + half * 16);
    ADD_STRIPS(low, both, w, xv, 0)
    ADD_STRIPS(low, both, w + 64, xv, 1)
    ADD_STRIPS(low, both, w + 128, xv, 2)
    ADD_STRIPS(low, both, w + 192, xv, 3)
  }
  UNROLL for (int i = 0; i < 4; i++) both[i] = vsubq_s32(both[i], low[i]);
  dot[0] = dots_to_float(low);
  __builtin_memcpy(&dot[1], both, sizeof both);
  dot[1] -= 786432.0f;
}

#endif

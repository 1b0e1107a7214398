// Products of one row of activations with the dot product, for the sets that have it.
#ifndef CKERNELS_NEON_DOT_H
#define CKERNELS_NEON_DOT_H

#include "Neon.h"

// Four k, number `lane` of the four fours of x, times 16 rows.
#define ADD_QUAD(dot, w, x, lane)                                                               \
  UNROLL for (int i = 0; i < 4; i++)                                                            \
    dot[i] = vdotq_laneq_s32(dot[i], load_quants((w) + i * 16), x, lane)

// Eight k as nibbles times 16 rows.
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
  if (steps > 1) add_step(w + group_quant_bytes(format) / 2, format, x + 16, dot);
}

#endif

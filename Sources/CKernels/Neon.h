// What the ARM kernels share: small helpers, and rows of activations as they take them.
//
// The including file defines
//   KERNEL_ROWS: the rows of activations it likes to take at once
//   KERNEL_STARTS_AS_FLOAT 1: 32-bit sums start at the bits of 1.5 * 2^23, so that a sum is a float
//     with the sum in its low bits and needs a subtraction instead of a conversion
#ifndef CKERNELS_NEON_H
#define CKERNELS_NEON_H

#include <arm_neon.h>

#include "Layout.h"

// One group of 32 k of several rows, copied together in the order that dots_of_rows takes.
typedef struct {
  int8_t quants[KERNEL_ROWS * 32];
  float scales[KERNEL_ROWS];
  float sums[KERNEL_ROWS];
  int32_t biases[KERNEL_ROWS];  // where the dot products start
} row_set;

// 16 rows x 32 k in the order that dots_of_rows takes.
typedef struct {
  _Alignas(64) int8_t quants[512];
} prepared_group;

INLINE int8x16_t load_quants(const void *w) { return vld1q_s8((const int8_t *)w); }

INLINE int8x16_t low_nibbles(int8x16_t bytes) { return vandq_s8(bytes, vdupq_n_s8(15)); }

INLINE int8x16_t high_nibbles(int8x16_t bytes) {
  return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(bytes), 4));
}

// Nibbles of strip 1 of a tile of weights.
INLINE int8x16_t second_nibbles(int8x16_t bytes) {
  return high_nibbles(veorq_s8(bytes, vdupq_n_s8(-128)));
}

// Sums of a group are below 32 * 128 * 127 < 2^22 in magnitude, so exact in both forms.
enum { DOT_START = KERNEL_STARTS_AS_FLOAT ? 0x4B400000 : 0 };

// What a quant of zero is stored as.
INLINE int32_t zero_point(const int format) { return format == INT4 ? 8 : 0; }

// Where a dot product starts: the zero point times the sum of the activations is off.
INLINE int32_t dot_bias(int32_t sum, int32_t zero) { return DOT_START - zero * sum; }

INLINE f32x16 dots_to_float(const int32x4_t *dot) {
  i32x16 all;
  __builtin_memcpy(&all, dot, sizeof all);
  return KERNEL_STARTS_AS_FLOAT ? (f32x16)all - 12582912.0f : to_float(all);
}

// 128 bytes of int4 of the cache (16 rows x 16 k) to int8 in the order of int8 weights.
INLINE void unpack_nibbles(const uint8_t *w, int8_t *to) {
  UNROLL for (int i = 0; i < 8; i++) {
    int8x16_t bytes = load_quants(w + i * 16);
    vst1q_s8(to + i / 4 * 128 + i % 4 * 16, low_nibbles(bytes));
    vst1q_s8(to + i / 4 * 128 + 64 + i % 4 * 16, high_nibbles(bytes));
  }
}

// A group of int4 weights to int8 weights of two strips.
INLINE void unpack_strips(const uint8_t *w, prepared_group *to) {
  for (int i = 0; i < WEIGHT_QUANT_BYTES; i += 16) {
    int8x16_t bytes = load_quants(w + i);
    vst1q_s8(to[0].quants + i, low_nibbles(bytes));
    vst1q_s8(to[1].quants + i, second_nibbles(bytes));
  }
}

#endif

// Formats and sizes of tiles; the Swift side (WeightLayout, KeyLayout, ValueLayout) explains them.
#ifndef CKERNELS_LAYOUT_H
#define CKERNELS_LAYOUT_H

#include "Vector.h"

enum { INT8, INT4, INT4_ASYMMETRIC };

INLINE size_t smaller_size(size_t a, size_t b) { return a < b ? a : b; }

// How far ahead of its use memory is asked for that is one long stream.
#if defined(__x86_64__)
enum { BYTES_AHEAD = 8192 };
#else
enum { BYTES_AHEAD = 3072 };
#endif

// Asks for the line at p, which is read later.
INLINE void ask(const uint8_t *p) { __builtin_prefetch(p, 0, 3); }

// Asks for the line so far from p; a distance known to be 0 asks for nothing.
INLINE void ask_ahead(const uint8_t *p, ptrdiff_t distance) {
  if (!__builtin_constant_p(distance) || distance != 0) ask(p + distance);
}

// Quants of 16 rows x 32 k.
INLINE size_t group_quant_bytes(const int format) { return format == INT8 ? 512 : 256; }

// Half-precision parameters of 16 rows: the scales, then perhaps the minimums.
INLINE size_t group_parameter_bytes(const int format) {
  return format == INT4_ASYMMETRIC ? 64 : 32;
}

// Where a group of a row of activations lies, counted in groups.
INLINE size_t group_index(const kernel_rows *x, size_t row, size_t group) {
  if (x->rows == 1) return group;
  const size_t block = KERNEL_BLOCK_ROWS;
  return (row / block * x->groups + group) * block + row % block;
}

// Where one group of a weight tile lies. Groups come in pairs: the quants of both, their scales,
// their minimums; a last one without a partner stands alone. So a tile is read front to back.
typedef struct {
  const uint8_t *quants;
  const uint8_t *scales;
  const uint8_t *minimums;
} weight_group;

INLINE weight_group weight_group_at(const uint8_t *tile, size_t groups, size_t group,
                                    const int format) {
  const size_t quants = group_quant_bytes(format), second = group % 2;
  const size_t members = group + 1 - second < groups ? 2 : 1;
  const uint8_t *pair = tile + (group - second) * (quants + group_parameter_bytes(format));
  const uint8_t *scales = pair + members * quants;
  return (weight_group){pair + second * quants, scales + second * 32,
                        scales + members * 32 + second * 32};
}

// Quants of a key tile: dimensions filled up to a multiple of 4 (int8) or 8 (int4).
INLINE size_t key_quant_bytes(size_t dimensions, const int format) {
  return (format == INT8 ? (dimensions + 3) / 4 : (dimensions + 7) / 8) * 64;
}

// Quants of a block of 32 values.
INLINE size_t value_quant_bytes(size_t dimensions, const int format) {
  return (dimensions + 15) / 16 * group_quant_bytes(format);
}

#endif

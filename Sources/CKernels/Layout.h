// Formats and sizes of tiles; the Swift side (WeightLayout, KeyLayout, ValueLayout) explains them.
#ifndef CKERNELS_LAYOUT_H
#define CKERNELS_LAYOUT_H

#include "Vector.h"

enum { INT8, INT4, INT4_ASYMMETRIC };

INLINE size_t smaller_size(size_t a, size_t b) { return a < b ? a : b; }

// Quants of 16 rows x 32 k.
INLINE size_t group_quant_bytes(const int format) { return format == INT8 ? 512 : 256; }

// Quants of a key tile: dimensions filled up to a multiple of 4 (int8) or 8 (int4).
INLINE size_t key_quant_bytes(size_t dimensions, const int format) {
  return (format == INT8 ? (dimensions + 3) / 4 : (dimensions + 7) / 8) * 64;
}

// Quants of a block of 32 values.
INLINE size_t value_quant_bytes(size_t dimensions, const int format) {
  return (dimensions + 15) / 16 * group_quant_bytes(format);
}

#endif

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

// Whether the set takes key tiles two at a time.
#if defined(KERNEL_TILE_PAIRS)
enum { TILE_PAIRS = 1 };
#else
enum { TILE_PAIRS = 0 };
#endif

// What is asked for while a slot is worked on.
INLINE const uint8_t *next_at(const kernel_next *next, size_t slot) {
  return slot < next->slots ? next->keys : next->rest;
}

// Weights. A group of a tile has 32 k: 16 rows of int8, or 32 of int4 in two strips of 16, which
// share their bytes. So a step of 64 bytes is four k of all rows of a tile, whatever the format.
enum { WEIGHT_STEPS = 8, WEIGHT_QUANT_BYTES = WEIGHT_STEPS * 64, STRIPS_MAX = 2 };

INLINE int tile_strips(const int format) { return format == INT8 ? 1 : 2; }
INLINE size_t tile_rows(const int format) { return 16 * (size_t)tile_strips(format); }

// Half-precision parameters of a group of a tile: the scales, then perhaps the minimums.
INLINE size_t weight_parameter_bytes(const int format) {
  return format == INT8 ? 32 : format == INT4 ? 64 : 128;
}

INLINE size_t weight_group_bytes(const int format) {
  return WEIGHT_QUANT_BYTES + weight_parameter_bytes(format);
}

// Where a group of a row of activations lies, counted in groups.
INLINE size_t group_index(const kernel_rows *x, size_t row, size_t group) {
  if (x->rows == 1) return group;
  const size_t block = KERNEL_BLOCK_ROWS;
  return (row / block * x->groups + group) * block + row % block;
}

// Where one group of a weight tile lies. Groups of int8 come in pairs, the quants of both and their
// scales; a last one without a partner stands alone, as those of int4 do. So a tile is read front
// to back, and quants begin with a line.
typedef struct {
  const uint8_t *quants;
  const uint8_t *scales;
  const uint8_t *minimums;
} weight_group;

INLINE weight_group weight_group_at(const uint8_t *tile, size_t groups, size_t group,
                                    const int format) {
  const size_t quants = WEIGHT_QUANT_BYTES, second = format == INT8 ? group % 2 : 0;
  const size_t members = format == INT8 && group + 1 - second < groups ? 2 : 1;
  const uint8_t *first = tile + (group - second) * weight_group_bytes(format);
  const uint8_t *scales = first + members * quants + second * 32;
  return (weight_group){first + second * quants, scales, scales + 64};
}

// The cache: keys and values, 16 of a tile's rows x 32 k. A byte of int4 has two k of one row.
INLINE size_t cache_group_bytes(const int format) { return format == INT8 ? 512 : 256; }

// Quants of a key tile: dimensions filled up to a multiple of 4 (int8) or 8 (int4).
INLINE size_t key_quant_bytes(size_t dimensions, const int format) {
  return (format == INT8 ? (dimensions + 3) / 4 : (dimensions + 7) / 8) * 64;
}

// Quants of a block of 32 values.
INLINE size_t value_quant_bytes(size_t dimensions, const int format) {
  return (dimensions + 15) / 16 * cache_group_bytes(format);
}

#endif

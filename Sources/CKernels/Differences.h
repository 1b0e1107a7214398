// How little the values of a cache are like their mean, in integers: see kernel_differences.
#ifndef CKERNELS_DIFFERENCES_H
#define CKERNELS_DIFFERENCES_H

#include "Layout.h"
#include "Math.h"

enum {
  BLOCK_SLOTS = 32,
  // Sums of 2^20 (and a bit) stay within 32 bits for so many blocks, four slots apart.
  BATCH_BLOCKS = 128,
  SIMILARITY_BIAS = 31,
};

// A block of 32 values and numbers of its slots, by group of 32 dimensions.
typedef struct {
  const uint8_t *values;
  size_t dimensions;
  size_t groups;
  size_t bytes;
  int32_t scales[KERNEL_HEAD_DIMENSION_MAX / 32][BLOCK_SLOTS];
  int32_t sums[KERNEL_HEAD_DIMENSION_MAX / 32][BLOCK_SLOTS];
} value_block;

// Quants of four dimensions from k on, each of four slots from 4 * row on; 0 past the last one.
INLINE i32x16 quants_at(const value_block *b, size_t k, size_t row, const int format) {
  const size_t tile = k / 16, byte = k % 16 * 4;
  i8x16 packed;
  i32x16 v;
  if (format == INT8) {
    __builtin_memcpy(&packed, b->values + tile * 512 + row * 64 + byte, sizeof packed);
    v = __builtin_convertvector(packed, i32x16);
  } else {
    __builtin_memcpy(&packed, b->values + tile * 256 + row / 2 * 64 + byte, sizeof packed);
    v = (__builtin_convertvector(packed, i32x16) >> (row % 2 ? 4 : 0) & 15) - 8;
  }
  if (b->dimensions - k >= 4) return v;
  const i32x16 dimension = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  return dimension < (int32_t)(b->dimensions - k) ? v : 0;
}

INLINE i32x16 for_each_dimension(const int32_t *slots) {
  i32x4 v;
  __builtin_memcpy(&v, slots, sizeof v);
  return __builtin_shufflevector(v, v, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
}

// The end of a group of dimensions.
INLINE size_t group_end(const value_block *b, size_t group) {
  return smaller_size(group * 32 + 32, b->dimensions);
}

// How often `number` has to be halved to have that many bits.
INLINE int halvings_to(int bits, uint64_t number) {
  const int more = 64 - __builtin_clzll(number | 1) - bits;
  return more > 0 ? more : 0;
}

// Scales of sixteen slots as whole numbers of 16 bits: units of 2^-24, those of a slot halved until
// the largest fits. A half with exponent e is a mantissa of 11 bits, doubled e - 1 times.
INLINE void read_scales(value_block *b, size_t slot, const int format) {
  const uint8_t *bits = b->values + value_quant_bytes(b->dimensions, format) + slot * 2;
  u16x16 halves[KERNEL_HEAD_DIMENSION_MAX / 32];
  i32x16 largest = 0;
  for (size_t g = 0; g < b->groups; g++) {
    __builtin_memcpy(&halves[g], bits + g * 64, sizeof halves[g]);
    const i32x16 size = __builtin_convertvector(halves[g] & 0x7FFF, i32x16);
    largest = __builtin_elementwise_max(largest, size);
  }
  const i32x16 halvings = __builtin_elementwise_max((largest >> 10) - 6, (i32x16)0);
  for (size_t g = 0; g < b->groups; g++) {
    const i32x16 half = __builtin_convertvector(halves[g], i32x16), exponent = half >> 10 & 31;
    const i32x16 mantissa = half & 1023;
    const i32x16 doublings = __builtin_elementwise_max(exponent, (i32x16)1) - 1 - halvings;
    const i32x16 size = (exponent > 0 ? mantissa | 1024 : mantissa)
                        << __builtin_elementwise_max(doublings, (i32x16)0) >>
                        __builtin_elementwise_min(
                            __builtin_elementwise_max(-doublings, (i32x16)0), (i32x16)31);
    const i32x16 scale = half > 0x7FFF ? -size : size;
    __builtin_memcpy(&b->scales[g][slot], &scale, sizeof scale);
  }
}

// sums[group][slot] = the sum of quant * anchor or, without an anchor, of quant * quant.
INLINE void sum_products(value_block *b, const i32x16 *anchor, const int format) {
  for (size_t g = 0; g < b->groups; g++)
    for (size_t row = 0; row < 8; row++) {
      i32x16 sum = 0;
      for (size_t k = g * 32; k < group_end(b, g); k += 4) {
        const i32x16 v = quants_at(b, k, row, format);
        sum += v * (anchor ? anchor[k / 4] : v);
      }
      const i32x4 sums = sum_of_four(sum, 0);
      __builtin_memcpy(&b->sums[g][row * 4], &sums, sizeof sums);
    }
}

// 2^44 / the length of a slot's value, or 0 where it has none.
INLINE uint64_t inverse_length(const value_block *b, size_t slot) {
  int64_t square = 0;
  for (size_t g = 0; g < b->groups; g++)
    square += (int64_t)b->scales[g][slot] * b->scales[g][slot] * b->sums[g][slot];
  if (square == 0) return 0;
  // A double holds the root of 2^55 to less than 1.
  int64_t root = (int64_t)__builtin_elementwise_sqrt((double)square);
  while (root * root > square) root--;
  while ((root + 1) * (root + 1) <= square) root++;
  return ((uint64_t)1 << 44) / (uint64_t)root;
}

// scales[group][slot] becomes what a quant is worth in the direction of its value, in units of
// 2^-20. Quants that are not 0 times it stay within 2^20 and 128.
INLINE void direct(value_block *b, size_t slot, uint64_t inverse) {
  for (size_t g = 0; g < b->groups; g++)
    b->scales[g][slot] = (int32_t)((int64_t)b->scales[g][slot] * (int64_t)inverse >> 24);
}

// sums[k / 4] += directions of the block, dimension by dimension and every fourth slot.
INLINE void add_directions(const value_block *b, i32x16 *sums, const int format) {
  for (size_t k = 0; k < b->dimensions; k += 4) {
    i32x16 sum = sums[k / 4];
    for (size_t row = 0; row < 8; row++)
      sum += quants_at(b, k, row, format) * for_each_dimension(&b->scales[k / 32][row * 4]);
    sums[k / 4] = sum;
  }
}

// The sum of all directions, halved until every element is below 2^18, four times each. Leaves
// the inverse of each slot's length in scores[slot].
INLINE void find_anchor(const kernel_differences *s, value_block *b, i32x16 *anchor,
                        const int format) {
  int64_t total[KERNEL_HEAD_DIMENSION_MAX] = {0}, largest = 0;
  for (size_t slot = 0; slot < s->slot_count;) {
    __builtin_memset(anchor, 0, (s->dimensions + 3) / 4 * sizeof *anchor);
    for (size_t i = 0; i < BATCH_BLOCKS && slot < s->slot_count; i++, slot += BLOCK_SLOTS) {
      b->values = s->values + slot / BLOCK_SLOTS * b->bytes;
      sum_products(b, 0, format);
      for (size_t j = 0; j < BLOCK_SLOTS; j += 16) read_scales(b, j, format);
      for (size_t j = 0; j < BLOCK_SLOTS; j++) {
        const int taken = slot + j < s->slot_count && s->positions[slot + j] != UINT32_MAX;
        const uint64_t inverse = taken ? inverse_length(b, j) : 0;
        direct(b, j, inverse);
        if (slot + j < s->slot_count) s->scores[slot + j] = inverse;
      }
      add_directions(b, anchor, format);
    }
    for (size_t k = 0; k < s->dimensions; k++)
      for (size_t i = 0; i < 4; i++) total[k] += anchor[k / 4][k % 4 * 4 + i];
  }
  for (size_t k = 0; k < s->dimensions; k++) {
    const int64_t size = total[k] < 0 ? -total[k] : total[k];
    largest = size > largest ? size : largest;
  }
  const int halvings = halvings_to(18, (uint64_t)largest);
  for (size_t k = 0; k < s->dimensions; k++)
    for (size_t i = 0; i < 4; i++) anchor[k / 4][k % 4 * 4 + i] = (int32_t)(total[k] >> halvings);
}

INLINE void differences(const kernel_differences *s, const int format) {
  value_block b;
  i32x16 anchor[KERNEL_HEAD_DIMENSION_MAX / 4];
  b.dimensions = s->dimensions;
  b.groups = (s->dimensions + 31) / 32;
  b.bytes = value_quant_bytes(s->dimensions, format) + b.groups * 64;
  find_anchor(s, &b, anchor, format);
  for (size_t slot = 0; slot < s->slot_count; slot += BLOCK_SLOTS) {
    b.values = s->values + slot / BLOCK_SLOTS * b.bytes;
    sum_products(&b, anchor, format);
    for (size_t j = 0; j < BLOCK_SLOTS; j += 16) read_scales(&b, j, format);
    for (size_t j = 0; j < BLOCK_SLOTS && slot + j < s->slot_count; j++) {
      if (s->positions[slot + j] == UINT32_MAX) {
        s->scores[slot + j] = UINT64_MAX;
        continue;
      }
      direct(&b, j, s->scores[slot + j]);
      int64_t similarity = 0;
      for (size_t g = 0; g < b.groups; g++)
        similarity += (int64_t)b.scales[g][j] * b.sums[g][j];
      s->scores[slot + j] = (uint64_t)(((int64_t)1 << SIMILARITY_BIAS) - (similarity >> 12));
    }
  }
}

void SET(differences_int8)(const kernel_differences *s) { differences(s, INT8); }
void SET(differences_int4)(const kernel_differences *s) { differences(s, INT4); }

#endif

// Keys and values on their way into the cache, and keys that turn within it. Part of Common.h.
#ifndef CKERNELS_STORAGE_H
#define CKERNELS_STORAGE_H

#include "Quantize.h"

// Up to 32 elements of a head; returns the half-precision scale.
INLINE uint16_t quantize_some(const float *x, size_t count, int8_t *quants, const int format) {
  float padded[32] = {0};
  if (count < 32) {
    for (size_t i = 0; i < count; i++) padded[i] = x[i];
    x = padded;
  }
  return format == INT8 ? SET(quantize_int8)(x, quants) : SET(quantize_int4)(x, quants);
}

INLINE void append_key(uint8_t *tile, size_t dimensions, size_t slot, const float *x,
                       const int format) {
  uint8_t *scales = tile + key_quant_bytes(dimensions, format);
  for (size_t start = 0; start < dimensions; start += 32) {
    size_t count = smaller_size(dimensions - start, 32);
    int8_t quants[32];
    uint16_t scale = quantize_some(x + start, count, quants, format);
    __builtin_memcpy(scales + start + slot * 2, &scale, 2);
    if (format == INT8) {
      uint8_t *to = tile + start * 16 + slot * 4;
      if (count == 32) {
        // From registers, not by way of memory.
        UNROLL for (size_t k = 0; k < 32; k += 4) __builtin_memcpy(to + k * 16, quants + k, 4);
      } else {
        for (size_t k = 0; k < count; k += 4) __builtin_memcpy(to + k * 16, quants + k, 4);
      }
      continue;
    }
    uint8_t *to = tile + start * 8 + slot * 4;
    for (size_t k = 0; k < count; k += 8)
      for (size_t j = 0; j < 4; j++)
        to[k * 8 + j] = (uint8_t)(quants[k + j] | quants[k + 4 + j] << 4);
  }
}

void SET(append_key_int8)(uint8_t *tile, size_t dimensions, size_t slot, const float *x) {
  append_key(tile, dimensions, slot, x, INT8);
}
void SET(append_key_int4)(uint8_t *tile, size_t dimensions, size_t slot, const float *x) {
  append_key(tile, dimensions, slot, x, INT4);
}

INLINE void append_value(uint8_t *block, size_t dimensions, size_t slot, const float *x,
                         const int format) {
  const size_t tile_bytes = cache_group_bytes(format);
  uint8_t *scales = block + value_quant_bytes(dimensions, format);
  const int high = slot % 8 >= 4;
  for (size_t start = 0; start < dimensions; start += 32) {
    size_t count = smaller_size(dimensions - start, 32);
    int8_t quants[32];
    uint16_t scale = quantize_some(x + start, count, quants, format);
    __builtin_memcpy(scales + start * 2 + slot * 2, &scale, 2);
    for (size_t k = 0; k < count; k++) {
      uint8_t *to = block + (start + k) / 16 * tile_bytes + k % 16 * 4 + slot % 4;
      to += format == INT8 ? slot / 4 * 64 : slot / 8 * 64;
      if (format == INT8) *to = (uint8_t)quants[k];
      else if (high) *to = (uint8_t)((*to & 0x0F) | quants[k] << 4);
      else *to = (uint8_t)((*to & 0xF0) | quants[k]);
    }
  }
}

void SET(append_value_int8)(uint8_t *block, size_t dimensions, size_t slot, const float *x) {
  append_value(block, dimensions, slot, x, INT8);
}
void SET(append_value_int4)(uint8_t *block, size_t dimensions, size_t slot, const float *x) {
  append_value(block, dimensions, slot, x, INT4);
}

// Turning keys.

INLINE int32_t load_word(const uint8_t *p) {
  int32_t word;
  __builtin_memcpy(&word, p, 4);
  return word;
}

// Sixteen dimensions of a slot of an int8 key tile, without a way through memory.
INLINE f32x16 key_quants(const uint8_t *from) {
  const i32x4 words = {load_word(from), load_word(from + 64), load_word(from + 128),
                       load_word(from + 192)};
  return __builtin_convertvector((i8x16)words, f32x16);
}

// Thirty-two dimensions of a slot, as they came from int8.
INLINE void load_group(const uint8_t *quants, const uint8_t *scale, f32x16 *x) {
  const f32x16 by = float_of_half(scale);
  for (int half = 0; half < 2; half++) x[half] = key_quants(quants + half * 256) * by;
}

// Any key, by way of memory.
static void turn_key(const kernel_turn *t, uint8_t *tile, size_t slot) {
  const uint8_t *scales = tile + key_quant_bytes(t->dimensions, INT8) + slot * 2;
  float key[KERNEL_HEAD_DIMENSION_MAX];
  size_t k = 0;
  for (; k + 32 <= t->dimensions; k += 32) {
    f32x16 x[2];
    load_group(tile + k * 16 + slot * 4, scales + k, x);
    for (int half = 0; half < 2; half++) store16(key + k + half * 16, x[half]);
  }
#pragma clang loop vectorize(disable) unroll(disable)
  for (; k < t->dimensions; k++) {
    const int8_t quant = (int8_t)tile[k / 4 * 64 + slot * 4 + k % 4];
    key[k] = (float)quant * float_of_half(scales + k / 32 * 32);
  }
  SET(rope)(key, 1, t->dimensions, t->rotated, t->interleaved, t->cosines, t->sines);
  SET(append_key_int8)(tile, t->dimensions, slot, key);
}

// Sixteen groups at a time, where bytes do not count as they do on boards.
#if !defined(__aarch64__)

// Pairs of dimensions that lie apart: those of one group with those of the other.
INLINE void turn_apart(const kernel_turn *t, size_t pair, f32x16 (*x)[2]) {
  for (int half = 0; half < 2; half++, pair += 16) {
    const f32x16 cosine = load16(t->cosines + pair), sine = load16(t->sines + pair);
    const f32x16 a = x[0][half], b = x[1][half];
    x[0][half] = a * cosine - b * sine;
    x[1][half] = a * sine + b * cosine;
  }
}

// Pairs of neighbours in two groups.
INLINE void turn_neighbours(const kernel_turn *t, size_t pair, f32x16 (*x)[2]) {
  for (int g = 0; g < 2; g++, pair += 16) {
    const f32x16 cosine = load16(t->cosines + pair), sine = load16(t->sines + pair);
    const f32x16 a = __builtin_shufflevector(x[g][0], x[g][1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
                                             20, 22, 24, 26, 28, 30);
    const f32x16 b = __builtin_shufflevector(x[g][0], x[g][1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19,
                                             21, 23, 25, 27, 29, 31);
    const f32x16 c = a * cosine - b * sine, d = a * sine + b * cosine;
    x[g][0] = __builtin_shufflevector(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    x[g][1] = __builtin_shufflevector(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30,
                                      15, 31);
  }
}

// Eight pairs of groups that turn together, of which some may be the same: where their quants and
// scales lie, and what becomes of them.
typedef struct {
  uint8_t *quants[16];
  uint8_t *scales[16];
  float turned[16][32];
} turned_batch;

INLINE void turn_batch(const kernel_turn *t, const size_t *pairs, turned_batch *b) {
  sixteen_folds folds;
#pragma clang loop unroll(disable)
  for (int i = 0; i < 16; i += 2) {
    f32x16 x[2][2];
    for (int g = 0; g < 2; g++) load_group(b->quants[i + g], b->scales[i + g], x[g]);
    if (t->interleaved) turn_neighbours(t, pairs[i / 2], x);
    else turn_apart(t, pairs[i / 2], x);
    for (int g = 0; g < 2; g++) {
      const i32x16 first = (i32x16)magnitude(x[g][0]), second = (i32x16)magnitude(x[g][1]);
      fold_one(folds, i + g, __builtin_elementwise_max(first, second), 0);
      for (int half = 0; half < 2; half++) store16(b->turned[i + g] + half * 16, x[g][half]);
    }
  }
  uint16_t halves[16];
  float scales[16];
  store_halves(halves, (f32x16)fold_sixteen(folds, 0) / 127.0f);
  // Of a scale of 0 the elements are below 1/2.
  const f32x16 scale = load_halves(halves);
  store16(scales, scale == 0.0f ? (f32x16)1.0f : scale);
#pragma clang loop unroll(disable)
  for (int i = 0; i < 16; i++) {
    int8_t quants[32];
    store_quants(nearest(clamped(load16(b->turned[i]) / scales[i], -127.0f, 127.0f)),
                 nearest(clamped(load16(b->turned[i] + 16) / scales[i], -127.0f, 127.0f)), quants);
    UNROLL for (int k = 0; k < 32; k += 4)
      __builtin_memcpy(b->quants[i] + k * 16, quants + k, 4);
    __builtin_memcpy(b->scales[i], halves + i, 2);
  }
}

// Keys of whole pairs of groups that turn together.
INLINE void turn_groups(const kernel_turn *t) {
  const size_t half = t->rotated / 2, scales = key_quant_bytes(t->dimensions, INT8);
  size_t index = 0, pair = 0;
  int is_done = t->slot_count == 0;
  while (!is_done) {
    turned_batch batch;
    size_t pairs[8];
    for (int i = 0; i < 8; i++) {
      const size_t slot = t->slots[index];
      const size_t first = t->interleaved ? 2 * pair : pair;
      const size_t second = first + (t->interleaved ? 32 : half);
      uint8_t *tile = t->keys + slot / 16 * t->tile_bytes;
      batch.quants[2 * i] = tile + slot % 16 * 4 + first * 16;
      batch.quants[2 * i + 1] = tile + slot % 16 * 4 + second * 16;
      batch.scales[2 * i] = tile + scales + slot % 16 * 2 + first;
      batch.scales[2 * i + 1] = tile + scales + slot % 16 * 2 + second;
      pairs[i] = pair;
      if (pair + 32 < half) {
        pair += 32;
      } else if (index + 1 < t->slot_count) {
        pair = 0;
        index++;
      } else {
        is_done = 1;  // and that one again
      }
    }
    turn_batch(t, pairs, &batch);
  }
}

#endif

void SET(turn_keys)(const kernel_turn *t) {
#if !defined(__aarch64__)
  if (t->rotated == t->dimensions && t->rotated % 64 == 0) {
    turn_groups(t);
    return;
  }
#endif
  for (size_t i = 0; i < t->slot_count; i++)
    turn_key(t, t->keys + t->slots[i] / 16 * t->tile_bytes, t->slots[i] % 16);
}

#endif

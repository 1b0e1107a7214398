// Attention over the quantized cache: keys are tiles of 16 slots, values blocks of 32 slots.
#ifndef CKERNELS_ATTENTION_H
#define CKERNELS_ATTENTION_H

#include "Elementwise.h"
#include "Products.h"

INLINE size_t smaller_size(size_t a, size_t b) { return a < b ? a : b; }

// Bytes of the quants of a key tile: dimensions filled up to a multiple of 4 (int8) or 8 (int4).
INLINE size_t key_quant_bytes(size_t dimensions, const int format) {
  return (format == INT8 ? (dimensions + 3) / 4 : (dimensions + 7) / 8) * 64;
}

INLINE uint16_t quantize_some(const float *x, size_t count, int8_t *quants, const int format) {
  float padded[32] = {0};
  __builtin_memcpy(padded, x, count * sizeof *x);
  return format == INT8 ? quantize_int8(padded, quants) : quantize_int4(padded, quants);
}

INLINE void put_nibble(uint8_t *byte, int high, int8_t nibble) {
  *byte = high ? (uint8_t)((*byte & 0x0F) | nibble << 4) : (uint8_t)((*byte & 0xF0) | nibble);
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
      for (size_t k = 0; k < count; k += 4) __builtin_memcpy(to + k * 16, quants + k, 4);
      continue;
    }
    uint8_t *to = tile + start * 8 + slot * 4;
    for (size_t k = 0; k < count; k += 8)
      for (size_t j = 0; j < 4; j++)
        to[k * 8 + j] = (uint8_t)(quants[k + j] | quants[k + 4 + j] << 4);
  }
}

static void append_key_int8(uint8_t *tile, size_t dimensions, size_t slot, const float *x) {
  append_key(tile, dimensions, slot, x, INT8);
}
static void append_key_int4(uint8_t *tile, size_t dimensions, size_t slot, const float *x) {
  append_key(tile, dimensions, slot, x, INT4);
}

INLINE void append_value(uint8_t *block, size_t dimensions, size_t slot, const float *x,
                         const int format) {
  const size_t tile_bytes = format == INT8 ? 512 : 256;
  uint8_t *scales = block + (dimensions + 15) / 16 * tile_bytes;
  for (size_t start = 0; start < dimensions; start += 32) {
    size_t count = smaller_size(dimensions - start, 32);
    int8_t quants[32];
    uint16_t scale = quantize_some(x + start, count, quants, format);
    __builtin_memcpy(scales + start * 2 + slot * 2, &scale, 2);
    for (size_t k = 0; k < count; k++) {
      uint8_t *tile = block + (start + k) / 16 * tile_bytes + k % 16 * 4 + slot % 4;
      if (format == INT8) tile[slot / 4 * 64] = (uint8_t)quants[k];
      else put_nibble(tile + slot / 8 * 64, slot % 8 >= 4, quants[k]);
    }
  }
}

static void append_value_int8(uint8_t *block, size_t dimensions, size_t slot, const float *x) {
  append_value(block, dimensions, slot, x, INT8);
}
static void append_value_int4(uint8_t *block, size_t dimensions, size_t slot, const float *x) {
  append_value(block, dimensions, slot, x, INT4);
}

// Scores of one key tile for `rows` queries; lanes [begin, end) are stored.
INLINE void score_rows(const kernel_scores *s, const uint8_t *tile, size_t slot, size_t begin,
                       size_t end, size_t query, const int format, const int rows) {
  const size_t group_bytes = format == INT8 ? 512 : 256;
  const uint8_t *scales = tile + key_quant_bytes(s->dimensions, format);
  f32x16 acc[KERNEL_ROWS];
  for (int r = 0; r < rows; r++) acc[r] = 0.0f;
  size_t full = s->dimensions / 32, rest = s->dimensions % 32, g = 0;
  for (; g < full; g++)
    accumulate(tile + g * group_bytes, scales + g * 32, scales, format, 32, &s->queries, query, g,
               rows, acc);
  if (rest > 0)
    accumulate(tile + g * group_bytes, scales + g * 32, scales, format, (int)rest, &s->queries,
               query, g, rows, acc);
  for (int r = 0; r < rows; r++) {
    float *to = s->scores + (query + (size_t)r) * s->score_stride + slot;
    f32x16 score = acc[r] * s->scale;
    if (end - begin == 16) {
      store16(to, score);
      continue;
    }
    float lanes[16];
    store16(lanes, score);
    for (size_t i = begin; i < end; i++) to[i] = lanes[i];
  }
}

INLINE void scores(const kernel_scores *s, const int format) {
  for (size_t slot = s->slot_begin / 16 * 16; slot < s->slot_end; slot += 16) {
    const uint8_t *tile = s->keys + slot / 16 * s->tile_bytes;
    size_t begin = slot < s->slot_begin ? s->slot_begin - slot : 0;
    size_t end = smaller_size(s->slot_end - slot, 16);
    size_t query = 0;
    for (; query + KERNEL_ROWS <= s->queries.rows; query += KERNEL_ROWS)
      score_rows(s, tile, slot, begin, end, query, format, KERNEL_ROWS);
    for (; query < s->queries.rows; query++)
      score_rows(s, tile, slot, begin, end, query, format, 1);
  }
}

static void scores_int8(const kernel_scores *s) { scores(s, INT8); }
static void scores_int4(const kernel_scores *s) { scores(s, INT4); }

INLINE i32x16 visible16(const kernel_softmax *s, size_t query, size_t slot) {
  const i32x16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t left = s->slot_count - slot;
  u32x16 positions = 0;
  __builtin_memcpy(&positions, s->slot_positions + slot, (left < 16 ? left : 16) * 4);
  u32x16 at = s->query_positions[query];
  u32x16 slots = (u32x16)lane + (uint32_t)slot;
  return (positions <= at) & (slots < (uint32_t)s->slot_count) &
         ((slots < (uint32_t)s->sink_slots) | (at - positions < s->window));
}

static void softmax(const kernel_softmax *s) {
  for (size_t query = 0; query < s->queries; query++) {
    float *p = s->scores + query * s->score_stride;
    f32x16 largest = -__builtin_inff();
    for (size_t slot = 0; slot < s->slot_count; slot += 16)
      largest = larger(largest, select16(visible16(s, query, slot), load16(p + slot), largest));
    f32x16 top = fold_largest(largest), sum = 0.0f;
    for (size_t slot = 0; slot < s->slot_count; slot += 16) {
      f32x16 e = exp16(load16(p + slot) - top);
      e = select16(visible16(s, query, slot), e, (f32x16)0.0f);
      store16(p + slot, e);
      sum += e;
    }
    size_t end = (s->slot_count + 15) / 16 * 16;
    if (end % 32 != 0) store16(p + end, (f32x16)0.0f);
    s->sums[query] = fold(sum);
  }
}

// One block of 32 slots: adds to the accumulators [rows][KERNEL_HEAD_DIMENSION_MAX].
INLINE void weigh_block(const kernel_weighted_sum *s, const uint8_t *block, size_t slot,
                        size_t query, const int format, const int rows,
                        float (*acc)[KERNEL_HEAD_DIMENSION_MAX]) {
  const size_t tile_bytes = format == INT8 ? 512 : 256;
  const uint8_t *scales = block + (s->dimensions + 15) / 16 * tile_bytes;
  int8_t quants[KERNEL_ROWS * 32];
  float y_scales[KERNEL_ROWS];
  int32_t sums[KERNEL_ROWS];
  for (size_t start = 0; start < s->dimensions; start += 32) {
    f32x16 a = load_halves(scales + start * 2), b = load_halves(scales + start * 2 + 32);
    for (int r = 0; r < rows; r++) {
      const float *p = s->probabilities + (query + (size_t)r) * s->probability_stride + slot;
      quantize_group(load16(p) * a, load16(p + 16) * b, quants + r * 32, y_scales + r, sums + r);
    }
    size_t end = smaller_size(start + 32, s->dimensions);
    for (size_t d = start; d < end; d += 16) {
      i32x16 dot[KERNEL_ROWS];
      dots(block + d / 16 * tile_bytes, format, 32, quants, 32, sums, 1, rows, dot);
      for (int r = 0; r < rows; r++)
        store16(acc[r] + d, fused(to_float(dot[r]), (f32x16)y_scales[r], load16(acc[r] + d)));
    }
  }
}

INLINE void weigh_rows(const kernel_weighted_sum *s, size_t query, const int format,
                       const int rows) {
  float acc[KERNEL_ROWS][KERNEL_HEAD_DIMENSION_MAX];
  for (int r = 0; r < rows; r++) __builtin_memset(acc[r], 0, (s->dimensions + 15) / 16 * 64);
  for (size_t slot = 0; slot < s->slot_count; slot += 32)
    weigh_block(s, s->values + slot / 32 * s->block_bytes, slot, query, format, rows, acc);
  for (int r = 0; r < rows; r++) {
    float *to = s->output + (query + (size_t)r) * s->output_stride;
    float sum = s->sums[query + (size_t)r];
    for (size_t d = 0; d < s->dimensions; d++) to[d] = acc[r][d] / sum;
  }
}

INLINE void weighted_sum(const kernel_weighted_sum *s, const int format) {
  size_t query = 0;
  for (; query + KERNEL_ROWS <= s->queries; query += KERNEL_ROWS)
    weigh_rows(s, query, format, KERNEL_ROWS);
  for (; query < s->queries; query++) weigh_rows(s, query, format, 1);
}

static void weighted_sum_int8(const kernel_weighted_sum *s) { weighted_sum(s, INT8); }
static void weighted_sum_int4(const kernel_weighted_sum *s) { weighted_sum(s, INT4); }

#endif

// Matrix products over tiles, for weights and attention, built on two primitives that each
// instruction set defines before it includes this file:
//
//   dots_int8(w, quads, x, rows, dot)
//     dot[row][lane] = sum over k < 4 * quads of w[k / 4][lane][k % 4] * x->quants[row][k]
//   dots_int4(w, octets, x, rows, dot)
//     dot[row][lane] = sum over k < 8 * octets of nibble(w, lane, k) * x->quants[row][k]
//
// `rows`, a constant after inlining, is 1 or KERNEL_ROWS, the rows the set likes to take at once.
// Fewer rows than that repeat the last one, and nobody reads what comes of it.
#ifndef CKERNELS_PRODUCTS_H
#define CKERNELS_PRODUCTS_H

#include "Layout.h"
#include "Math.h"

INLINE void dots(const uint8_t *w, const int format, const int length, const row_group *x,
                 const int rows, i32x16 *dot) {
  if (format == INT8) {
    dots_int8(w, (length + 3) / 4, x, rows, dot);
    return;
  }
  dots_int4(w, (length + 7) / 8, x, rows, dot);
  if (format == INT4)
    for (int r = 0; r < rows; r++) dot[r] -= x->sums[r] * 8;
}

// One group of up to 32 k: adds to the accumulators.
INLINE void accumulate(const uint8_t *quants, const uint8_t *scales, const uint8_t *minimums,
                       const int format, const int length, const kernel_rows *x,
                       const size_t *index, size_t group, const int rows, f32x16 *acc) {
  i32x16 dot[KERNEL_ROWS];
  row_group group_rows;
  float x_scales[KERNEL_ROWS];
  for (int r = 0; r < rows; r++) {
    size_t at = index[r] * x->group_stride + group;
    group_rows.quants[r] = x->quants + index[r] * x->quant_stride + group * 32;
    group_rows.sums[r] = x->sums[at];
    x_scales[r] = x->scales[at];
  }
  dots(quants, format, length, &group_rows, rows, dot);
  f32x16 scale = load_halves(scales);
  for (int r = 0; r < rows; r++) acc[r] = fused(to_float(dot[r]), scale * x_scales[r], acc[r]);
  if (format != INT4_ASYMMETRIC) return;
  f32x16 minimum = load_halves(minimums);
  for (int r = 0; r < rows; r++)
    acc[r] = fused((f32x16)(float)group_rows.sums[r], minimum * x_scales[r], acc[r]);
}

// The rows first, first + 1 ... of `rows`, of which `count` exist.
INLINE void row_indices(size_t first, size_t count, const int rows, size_t *index) {
  for (int r = 0; r < rows; r++) index[r] = smaller_size(first + (size_t)r, count - 1);
}

INLINE void matmul_rows(const kernel_matmul *m, const uint8_t *tile, size_t lane, size_t token,
                        const int format, const int rows) {
  const size_t group_bytes = group_quant_bytes(format);
  const uint8_t *scales = tile + m->groups * group_bytes;
  const uint8_t *minimums = scales + m->groups * 32;
  size_t index[KERNEL_ROWS];
  row_indices(token, m->tokens.rows, rows, index);
  f32x16 acc[KERNEL_ROWS];
  for (int r = 0; r < rows; r++) acc[r] = 0.0f;
  for (size_t g = 0; g < m->groups; g++)
    accumulate(tile + g * group_bytes, scales + g * 32, minimums + g * 32, format, 32, &m->tokens,
               index, g, rows, acc);
  for (int r = 0; r < rows; r++) store16(m->output + index[r] * m->output_stride + lane, acc[r]);
}

INLINE void matmul(const kernel_matmul *m, const int format) {
  for (size_t t = 0; t < m->tile_count; t++) {
    const uint8_t *tile = m->tiles + t * m->tile_bytes;
    size_t token = 0;
    for (; token + 1 < m->tokens.rows; token += KERNEL_ROWS)
      matmul_rows(m, tile, t * 16, token, format, KERNEL_ROWS);
    if (token < m->tokens.rows) matmul_rows(m, tile, t * 16, token, format, 1);
  }
}

// Scores of one key tile; lanes [begin, end) are stored.
INLINE void score_rows(const kernel_scores *s, const uint8_t *tile, size_t slot, size_t begin,
                       size_t end, size_t query, const int format, const int rows) {
  const size_t group_bytes = group_quant_bytes(format);
  const uint8_t *scales = tile + key_quant_bytes(s->dimensions, format);
  size_t index[KERNEL_ROWS];
  row_indices(query, s->queries.rows, rows, index);
  f32x16 acc[KERNEL_ROWS];
  for (int r = 0; r < rows; r++) acc[r] = 0.0f;
  size_t full = s->dimensions / 32, rest = s->dimensions % 32, g = 0;
  for (; g < full; g++)
    accumulate(tile + g * group_bytes, scales + g * 32, scales, format, 32, &s->queries, index, g,
               rows, acc);
  if (rest > 0)
    accumulate(tile + g * group_bytes, scales + g * 32, scales, format, (int)rest, &s->queries,
               index, g, rows, acc);
  for (int r = 0; r < rows; r++) {
    float *to = s->scores + index[r] * s->score_stride + slot;
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
    for (; query + 1 < s->queries.rows; query += KERNEL_ROWS)
      score_rows(s, tile, slot, begin, end, query, format, KERNEL_ROWS);
    if (query < s->queries.rows) score_rows(s, tile, slot, begin, end, query, format, 1);
  }
}

// Probabilities times value scales of one block of 32 slots, quantized once per 32 dimensions.
typedef struct {
  int8_t quants[KERNEL_HEAD_DIMENSION_MAX / 32][KERNEL_ROWS][32];
  float scales[KERNEL_HEAD_DIMENSION_MAX / 32][KERNEL_ROWS];
  int32_t sums[KERNEL_HEAD_DIMENSION_MAX / 32][KERNEL_ROWS];
} weighted_rows;

INLINE void weigh(const kernel_weighted_sum *s, const uint8_t *scales, size_t slot,
                  const size_t *index, const int format, const int rows, weighted_rows *y) {
  const int needs_sum = format == INT4 || KERNEL_INT8_TAKES_SUMS;
  for (int r = 0; r < rows; r++) {
    const float *p = s->probabilities + index[r] * s->probability_stride + slot;
    f32x16 low = load16(p), high = load16(p + 16);
    for (size_t g = 0; g * 32 < s->dimensions; g++) {
      f32x16 a = low * load_halves(scales + g * 64), b = high * load_halves(scales + g * 64 + 32);
      y->sums[g][r] = 0;
      quantize_group(a, b, y->quants[g][r], &y->scales[g][r], needs_sum ? &y->sums[g][r] : NULL);
    }
  }
}

INLINE void weigh_rows(const kernel_weighted_sum *s, size_t query, const int format,
                       const int rows) {
  const size_t tile_bytes = group_quant_bytes(format);
  size_t index[KERNEL_ROWS];
  row_indices(query, s->queries, rows, index);
  float acc[KERNEL_ROWS][KERNEL_HEAD_DIMENSION_MAX];
  for (int r = 0; r < rows; r++) __builtin_memset(acc[r], 0, (s->dimensions + 15) / 16 * 64);
  for (size_t slot = 0; slot < s->slot_count; slot += 32) {
    const uint8_t *block = s->values + slot / 32 * s->block_bytes;
    weighted_rows y;
    weigh(s, block + value_quant_bytes(s->dimensions, format), slot, index, format, rows, &y);
    for (size_t d = 0; d < s->dimensions; d += 16) {
      i32x16 dot[KERNEL_ROWS];
      row_group group_rows;
      for (int r = 0; r < rows; r++) {
        group_rows.quants[r] = y.quants[d / 32][r];
        group_rows.sums[r] = y.sums[d / 32][r];
      }
      dots(block + d / 16 * tile_bytes, format, 32, &group_rows, rows, dot);
      for (int r = 0; r < rows; r++)
        store16(acc[r] + d,
                fused(to_float(dot[r]), (f32x16)y.scales[d / 32][r], load16(acc[r] + d)));
    }
  }
  for (int r = 0; r < rows; r++) {
    float *to = s->output + index[r] * s->output_stride;
    float sum = s->sums[index[r]];
    for (size_t d = 0; d < s->dimensions; d++) to[d] = acc[r][d] / sum;
  }
}

INLINE void weighted_sum(const kernel_weighted_sum *s, const int format) {
  size_t query = 0;
  for (; query + 1 < s->queries; query += KERNEL_ROWS) weigh_rows(s, query, format, KERNEL_ROWS);
  if (query < s->queries) weigh_rows(s, query, format, 1);
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul(m, INT4); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul(m, INT4_ASYMMETRIC); }
static void scores_int8(const kernel_scores *s) { scores(s, INT8); }
static void scores_int4(const kernel_scores *s) { scores(s, INT4); }
static void weighted_sum_int8(const kernel_weighted_sum *s) { weighted_sum(s, INT8); }
static void weighted_sum_int4(const kernel_weighted_sum *s) { weighted_sum(s, INT4); }

#endif

// Attention over the quantized cache: keys are a matrix with slots as rows, values one with slots
// along k, so both products are built from the primitives of Products.h.
#ifndef CKERNELS_ATTENTION_H
#define CKERNELS_ATTENTION_H

#include "Products.h"

// Sets of query rows that share keys or values while they are unpacked.
enum { QUERY_SETS = KERNEL_PREPARES ? 3 : 1, QUERY_ROWS = QUERY_SETS * KERNEL_ROWS };
enum { HEAD_GROUPS = KERNEL_HEAD_DIMENSION_MAX / 32 };
enum { KERNEL_COPIES = KERNEL_WIDENS || KERNEL_PREPARES };

// A group of keys or values, unpacked where that pays: `shares`, for more than one set of rows.
typedef struct {
#if KERNEL_PREPARES
  prepared_group prepared;
#endif
  const uint8_t *quants;
} shared_group;

INLINE void share_group(const uint8_t *quants, const int format, const int length,
                        const int shares, shared_group *to) {
  to->quants = quants;
  (void)format, (void)length, (void)shares;
#if KERNEL_PREPARES
  if (shares && length == 32) prepare(quants, format, &to->prepared);
#endif
}

INLINE void shared_dots(const shared_group *w, const int format, const int length,
                        const int shares, const row_group *x, const int rows, i32x16 *dot) {
  (void)shares;
#if KERNEL_PREPARES
  if (shares && length == 32) {
    dots_prepared(&w->prepared, format, x, dot);
    return;
  }
#endif
  dots(w->quants, format, length, x, rows, dot);
}

// The queries of one pass, gathered once.
typedef struct {
  size_t sets;
  _Alignas(64) row_group groups[HEAD_GROUPS][QUERY_SETS];
  _Alignas(64) int16_t wide[KERNEL_COPIES ? HEAD_GROUPS : 1][QUERY_SETS][KERNEL_ROWS][32];
  size_t index[QUERY_SETS][KERNEL_ROWS];
} query_rows;

// One group of dimensions of a key tile for all sets of rows.
INLINE void score_group(const uint8_t *quants, f32x16 scale, const row_group *groups, size_t sets,
                        const int format, const int length, const int shares, const int rows,
                        f32x16 (*acc)[KERNEL_ROWS]) {
  shared_group group;
  share_group(quants, format, length, shares, &group);
  for (size_t n = 0; n < sets; n++) {
    i32x16 dot[KERNEL_ROWS];
    shared_dots(&group, format, length, shares, &groups[n], rows, dot);
    accumulate(dot, scale, 0.0f, &groups[n], format, rows, acc[n]);
  }
}

// Scores of one key tile; lanes [begin, end) are stored.
INLINE void score_tile(const kernel_scores *s, size_t slot, size_t begin, size_t end, float scale,
                       const query_rows *q, const int format, const int shares, const int rows) {
  const uint8_t *tile = s->keys + slot / 16 * s->tile_bytes;
  const uint8_t *scales = tile + key_quant_bytes(s->dimensions, format);
  const size_t full = s->dimensions / 32, rest = s->dimensions % 32;
  // Keys and values alternate too soon for a processor to read ahead of them by itself; where many
  // rows share them they are in a cache already.
  if (!shares) ask_ahead(tile, s->tile_bytes);
  f32x16 acc[QUERY_SETS][KERNEL_ROWS];
  for (size_t n = 0; n < q->sets; n++)
    for (int r = 0; r < rows; r++) acc[n][r] = 0.0f;
  for (size_t g = 0; g < full; g++)
    score_group(tile + g * group_quant_bytes(format), load_halves(scales + g * 32), q->groups[g],
                q->sets, format, 32, shares, rows, acc);
  if (rest > 0)
    score_group(tile + full * group_quant_bytes(format), load_halves(scales + full * 32),
                q->groups[full], q->sets, format, (int)rest, shares, rows, acc);
  for (size_t n = 0; n < q->sets; n++)
    for (int r = 0; r < rows; r++) {
      float *to = s->scores + q->index[n][r] * s->score_stride + slot;
      f32x16 score = acc[n][r] * scale;
      if (end - begin == 16) {
        store16(to, score);
        continue;
      }
      float lanes[16];
      store16(lanes, score);
      for (size_t i = begin; i < end; i++) to[i] = lanes[i];
    }
}

INLINE void score_rows(const kernel_scores *s, size_t query, size_t sets, const int format,
                       const int shares, const int rows) {
  query_rows q;
  q.sets = sets;
  for (size_t n = 0; n < sets; n++) {
    row_indices(query + n * (size_t)rows, s->queries.rows, rows, q.index[n]);
    for (size_t g = 0; g * 32 < s->dimensions; g++)
      gather(&s->queries, q.index[n], g, format, rows, q.wide[KERNEL_COPIES ? g : 0][n],
             &q.groups[g][n]);
  }
  const float scale = 1.0f / __builtin_elementwise_sqrt((float)s->dimensions);
  for (size_t slot = s->slot_begin / 16 * 16; slot < s->slot_end; slot += 16) {
    size_t begin = slot < s->slot_begin ? s->slot_begin - slot : 0;
    score_tile(s, slot, begin, smaller_size(s->slot_end - slot, 16), scale, &q, format, shares,
               rows);
  }
}

// Calls `pass` on all rows: sets of KERNEL_ROWS together, what is left with as few as there are.
#define FOR_ALL_ROWS(pass, arguments, count, format)                                              \
  do {                                                                                            \
    size_t query = 0, left = (count);                                                             \
    for (; left > KERNEL_ROWS; query += QUERY_ROWS) {                                             \
      pass(arguments, query, smaller_size(QUERY_SETS, (left + KERNEL_ROWS - 1) / KERNEL_ROWS),    \
           format, KERNEL_PREPARES, KERNEL_ROWS);                                                 \
      left -= smaller_size(left, QUERY_ROWS);                                                     \
    }                                                                                             \
    if (left == 1) pass(arguments, query, 1, format, 0, 1);                                       \
    else if (KERNEL_FEW_ROWS > 1 && left > 0 && left <= KERNEL_FEW_ROWS)                          \
      pass(arguments, query, 1, format, 0, KERNEL_FEW_ROWS);                                      \
    else if (left > 0) pass(arguments, query, 1, format, 0, KERNEL_ROWS);                         \
  } while (0)

static void scores_int8(const kernel_scores *s) {
  FOR_ALL_ROWS(score_rows, s, s->queries.rows, INT8);
}
static void scores_int4(const kernel_scores *s) {
  FOR_ALL_ROWS(score_rows, s, s->queries.rows, INT4);
}

// Probabilities and the scales of int8 values are not negative (those of int4 may be).
INLINE int is_positive(const int format) { return KERNEL_POSITIVE && format == INT8; }

// Probabilities times value scales of one block of 32 slots, quantized once per 32 dimensions.
typedef struct {
  _Alignas(64) row_group groups[QUERY_SETS];
  _Alignas(64) int16_t quants[QUERY_SETS][KERNEL_ROWS][32];
} weighted_rows;

INLINE void weigh(const kernel_weighted_sum *s, const uint8_t *scales, size_t slot,
                  const size_t *index, const int format, const int rows, row_group *group,
                  int16_t (*quants)[32]) {
  const int takes_sum = format == INT4 || KERNEL_INT8_TAKES_SUMS;
  f32x16 low = load_halves(scales), high = load_halves(scales + 32);
  f32x16 a[(KERNEL_ROWS + 3) / 4 * 4], b[(KERNEL_ROWS + 3) / 4 * 4];
  i32x16 qa[(KERNEL_ROWS + 3) / 4 * 4], qb[(KERNEL_ROWS + 3) / 4 * 4];
  float rounded[(KERNEL_ROWS + 3) / 4 * 4];
  const int padded = rows > 2 ? (rows + 3) / 4 * 4 : rows;
  for (int r = 0; r < padded; r++) {
    const float *p = s->probabilities + index[r < rows ? r : 0] * s->probability_stride + slot;
    a[r] = load16(p) * low;
    b[r] = load16(p + 16) * high;
  }
  if (rows > 2)
    for (int r = 0; r < rows; r += 4) round_four(a + r, b + r, qa + r, qb + r, rounded + r);
  else
    for (int r = 0; r < rows; r++) round_group(a[r], b[r], qa + r, qb + r, rounded + r);
  for (int r = 0; r < rows; r++) group->scales[r] = rounded[r];
  for (int r = 0; r < rows; r++) {
    group->sums[r] = takes_sum ? __builtin_reduce_add(qa[r] + qb[r]) : 0;
    group->starts[r] = start_of(group->sums[r]);
    group->quants[r] = quants[r];
    if (takes_wide(format, rows) && !is_positive(format)) store_wide(qa[r], qb[r], quants[r]);
    else store_quants(qa[r], qb[r], (int8_t *)quants[r]);
  }
}

// Adds one block of 32 slots to the 32 dimensions from d on.
INLINE void weigh_block(const kernel_weighted_sum *s, const uint8_t *block, size_t slot, size_t d,
                        size_t (*index)[KERNEL_ROWS], size_t sets,
                        float (*acc)[KERNEL_HEAD_DIMENSION_MAX], const int format,
                        const int shares, const int rows) {
  const uint8_t *scales = block + value_quant_bytes(s->dimensions, format) + d * 2;
  weighted_rows y;
  for (size_t n = 0; n < sets; n++)
    weigh(s, scales, slot, index[n], format, rows, &y.groups[n], y.quants[n]);
  for (size_t tile = d; tile < d + 32 && tile < s->dimensions; tile += 16) {
    shared_group group;
    share_group(block + tile / 16 * group_quant_bytes(format), format, 32,
                shares && !is_positive(format), &group);
    for (size_t n = 0; n < sets; n++) {
      i32x16 dot[KERNEL_ROWS];
      if (is_positive(format)) dots_int8_positive(group.quants, &y.groups[n], rows, dot);
      else shared_dots(&group, format, 32, shares, &y.groups[n], rows, dot);
      for (int r = 0; r < rows; r++) {
        float *sum = acc[n * (size_t)rows + (size_t)r] + tile;
        store16(sum, fused(to_float(dot[r]), (f32x16)y.groups[n].scales[r], load16(sum)));
      }
    }
  }
}

INLINE void weigh_rows(const kernel_weighted_sum *s, size_t query, size_t sets, const int format,
                       const int shares, const int rows) {
  size_t index[QUERY_SETS][KERNEL_ROWS];
  _Alignas(64) float acc[QUERY_ROWS][KERNEL_HEAD_DIMENSION_MAX];
  for (size_t n = 0; n < sets; n++)
    row_indices(query + n * (size_t)rows, s->queries, rows, index[n]);
  for (size_t r = 0; r < sets * (size_t)rows; r++)
    __builtin_memset(acc[r], 0, (s->dimensions + 15) / 16 * 64);
  for (size_t slot = 0; slot < s->slot_count; slot += 32) {
    const uint8_t *block = s->values + slot / 32 * s->block_bytes;
    if (!shares) ask_ahead(block, s->block_bytes);
    for (size_t d = 0; d < s->dimensions; d += 32)
      weigh_block(s, block, slot, d, index, sets, acc, format, shares, rows);
  }
  for (size_t n = 0; n < sets; n++)
    for (int r = 0; r < rows; r++) {
      float *to = s->output + index[n][r] * s->output_stride;
      for (size_t d = 0; d < s->dimensions; d += 16)
        store_some(to + d, load16(acc[n * (size_t)rows + (size_t)r] + d), s->dimensions - d);
    }
}

static void weighted_sum_int8(const kernel_weighted_sum *s) {
  FOR_ALL_ROWS(weigh_rows, s, s->queries, INT8);
}
static void weighted_sum_int4(const kernel_weighted_sum *s) {
  FOR_ALL_ROWS(weigh_rows, s, s->queries, INT4);
}

#endif

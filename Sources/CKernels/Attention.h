// Attention over the quantized cache: keys are a matrix with slots as rows, values one with slots
// along k, so both products are built from the primitives of Products.h.
//
// A few query rows at a time pass over all slots of the call, which lie in a cache after the first
// pass. Nothing is unpacked before: what the products do beside multiplying fits between.
//
// Keys and values alternate too soon for a processor to read ahead by itself, and half of the time
// goes into what reads neither. So each step asks for what the next one reads, line by line: scores
// for the values, softmax and the weighted sum for the keys of the next run. What is asked for
// faster than memory gives is forgotten (measured on Zen 5: two values of five, asked for every two
// cycles), so with few queries softmax asks for the values once more, and scores for the keys.
#ifndef CKERNELS_ATTENTION_H
#define CKERNELS_ATTENTION_H

#include "Products.h"

enum { HEAD_GROUPS = KERNEL_HEAD_DIMENSION_MAX / 32 };

// Calls `pass` on all rows: KERNEL_ROWS at a time, what is left with 1, KERNEL_FEW_ROWS, half of
// KERNEL_ROWS (where that is more) or all of them.
#define FOR_ALL_ROWS(pass, arguments, count, format)                                            \
  do {                                                                                          \
    size_t query = 0, left = (count);                                                           \
    for (; left > KERNEL_ROWS; query += KERNEL_ROWS, left -= KERNEL_ROWS)                       \
      pass(arguments, query, format, KERNEL_ROWS);                                              \
    if (left == 1) pass(arguments, query, format, 1);                                           \
    else if (KERNEL_FEW_ROWS > 1 && left > 0 && left <= KERNEL_FEW_ROWS)                        \
      pass(arguments, query, format, KERNEL_FEW_ROWS);                                          \
    else if (KERNEL_ROWS / 2 > KERNEL_FEW_ROWS && left > 0 && left <= KERNEL_ROWS / 2)          \
      pass(arguments, query, format, KERNEL_ROWS / 2);                                          \
    else if (left > 0) pass(arguments, query, format, KERNEL_ROWS);                             \
  } while (0)

// The queries of a pass, gathered once.
typedef struct {
  row_group groups[HEAD_GROUPS];
  _Alignas(64) wide_rows wide[KERNEL_WIDENS ? HEAD_GROUPS : 1];
} query_rows;

INLINE void gather_queries(const kernel_scores *s, size_t query, const int format, const int rows,
                           query_rows *to) {
  for (size_t g = 0; g * 32 < s->dimensions; g++)
    gather(&s->queries, group_index(&s->queries, query, g), format, 1, rows,
           &to->wide[KERNEL_WIDENS ? g : 0], &to->groups[g]);
}

// Group `g` of the dimensions, `length` of them, of one key tile or a pair.
INLINE void score_group(const kernel_scores *s, const uint8_t *tile, size_t g, const query_rows *q,
                        const int format, const int length, const int rows, const int tiles,
                        f32x16 *acc) {
  const uint8_t *quants = tile + g * cache_group_bytes(format);
  const uint8_t *scales = tile + key_quant_bytes(s->dimensions, format) + g * 32;
  const uint8_t *asked = tile + s->ahead + 2 * g * cache_group_bytes(format);
  i32x16 dot[2 * KERNEL_ROWS];
  if (tiles == 1) cache_dots(quants, format, length, &q->groups[g], rows, s->ahead, dot);
  else pair_dots(quants, s->tile_bytes, format, length, &q->groups[g], rows, asked, dot);
  for (int n = 0; n < tiles; n++)
    accumulate(dot + n * rows, load_halves(scales + (size_t)n * s->tile_bytes), 0.0f,
               &q->groups[g], format, rows, acc + n * rows);
}

// acc = the scores of one key tile or a pair, [tiles][rows], not yet divided by the root of the
// dimensions.
INLINE void score_tiles(const kernel_scores *s, const uint8_t *tile, const query_rows *q,
                        const int format, const int rows, const int tiles, f32x16 *acc) {
  const size_t full = s->dimensions / 32, rest = s->dimensions % 32;
  const size_t quant_bytes = key_quant_bytes(s->dimensions, format);
  for (int i = 0; i < tiles * rows; i++) acc[i] = 0.0f;
  for (size_t g = 0; g < full; g++) score_group(s, tile, g, q, format, 32, rows, tiles, acc);
  if (rest > 0) score_group(s, tile, full, q, format, (int)rest, rows, tiles, acc);
  for (size_t i = (size_t)tiles * quant_bytes; i < (size_t)tiles * s->tile_bytes; i += 64)
    ask(tile + s->ahead + i);
}

// Lanes [begin, end) of the scores of one key tile, of the rows that there are.
INLINE void store_scores(const f32x16 *acc, float scale, size_t begin, size_t end, size_t count,
                         const int rows, float *to, size_t stride) {
  for (int r = 0; r < rows && (size_t)r < count; r++, to += stride) {
    if (end - begin == 16) {
      store16(to, acc[r] * scale);
      continue;
    }
    float lanes[16];
    store16(lanes, acc[r] * scale);
    for (size_t i = begin; i < end; i++) to[i] = lanes[i];
  }
}

// Whether key tiles are taken two at a time: a row alone reads no broadcast twice.
INLINE int takes_pairs(const int rows) { return TILE_PAIRS && rows > 1; }

INLINE void score_rows(const kernel_scores *s, size_t query, const int format, const int rows) {
  query_rows q;
  gather_queries(s, query, format, rows, &q);
  const float scale = 1.0f / __builtin_elementwise_sqrt((float)s->dimensions);
  size_t slot = s->slot_begin / 16 * 16;
  for (; takes_pairs(rows) && slot >= s->slot_begin && slot + 32 <= s->slot_end; slot += 32) {
    f32x16 acc[2 * KERNEL_ROWS];
    score_tiles(s, s->keys + slot / 16 * s->tile_bytes, &q, format, rows, 2, acc);
    for (size_t n = 0; n < 2; n++)
      store_scores(acc + n * (size_t)rows, scale, 0, 16, s->queries.rows - query, rows,
                   s->scores + query * s->score_stride + slot + n * 16, s->score_stride);
  }
  for (; slot < s->slot_end; slot += 16) {
    const uint8_t *tile = s->keys + slot / 16 * s->tile_bytes;
    f32x16 acc[KERNEL_ROWS];
    score_tiles(s, tile, &q, format, rows, 1, acc);
    store_scores(acc, scale, slot < s->slot_begin ? s->slot_begin - slot : 0,
                 smaller_size(s->slot_end - slot, 16), s->queries.rows - query, rows,
                 s->scores + query * s->score_stride + slot, s->score_stride);
  }
}

static void scores_int8(const kernel_scores *s) {
  FOR_ALL_ROWS(score_rows, s, s->queries.rows, INT8);
}
static void scores_int4(const kernel_scores *s) {
  FOR_ALL_ROWS(score_rows, s, s->queries.rows, INT4);
}

// Probabilities and the scales of int8 values are not negative (those of int4 may be).
INLINE int is_positive(const int format) { return KERNEL_POSITIVE && format == INT8; }

// Rows as vectors of four have them, and groups of dimensions that are quantized together.
enum { KERNEL_FOURS = (KERNEL_ROWS + 3) / 4, GROUPS_WEIGHED = 4 };

// Probabilities times value scales of 32 slots for some groups of dimensions, quantized.
typedef struct {
  row_group groups[GROUPS_WEIGHED];
  _Alignas(64) int8_t quants[GROUPS_WEIGHED][KERNEL_ROWS][ROW_BYTES];
  i32x4 folded[GROUPS_WEIGHED][KERNEL_FOURS * 4];  // of each row the largest, later the sum
  float inverses[GROUPS_WEIGHED][KERNEL_FOURS * 4];
} weighted_rows;

// Scales of one group of the rows, and what they are multiplied with to be quantized.
INLINE void weigh_scales(const i32x4 *largest, const int rows, float *inverses, float *scales) {
  for (int r = 0; r < rows; r += 4) {
    f32x4 scale, inverse = group_inverses(largest_of_rows(largest + r, rows - r), &scale);
    __builtin_memcpy(inverses + r, &inverse, 16);
    for (int i = 0; i < 4 && r + i < rows; i++) scales[r + i] = scale[i];
  }
}

// Quantizes the probabilities of a block times its scales. One loop over the groups after another,
// so that the chain of each (largest, quotient, quants) passes while others do.
INLINE void weigh(const uint8_t *scales, size_t groups, size_t slot, const float *const *p,
                  const int format, const int rows, weighted_rows *y) {
  const int sums = takes_sums(format) && !is_positive(format);
  for (size_t g = 0; g < groups; g++) {
    const f32x16 low = load_halves(scales + g * 64), high = load_halves(scales + g * 64 + 32);
    for (int r = 0; r < rows; r++) {
      const f32x16 a = load16(p[r] + slot) * low, b = load16(p[r] + slot + 16) * high;
      y->folded[g][r] = format == INT8 ? larger_of_four((i32x16)a, (i32x16)b)
                                       : largest_of_four(a, b);
    }
  }
  for (size_t g = 0; g < groups; g++)
    weigh_scales(y->folded[g], rows, y->inverses[g], y->groups[g].scales);
  for (size_t g = 0; g < groups; g++) {
    const f32x16 low = load_halves(scales + g * 64), high = load_halves(scales + g * 64 + 32);
    for (int r = 0; r < rows; r++) {
      const f32x16 inverse = y->inverses[g][r];
      const i32x16 qa = nearest(load16(p[r] + slot) * low * inverse);
      const i32x16 qb = nearest(load16(p[r] + slot + 16) * high * inverse);
      store_quants(qa, qb, y->quants[g][r]);
      if (sums) y->folded[g][r] = sum_of_four(qa, qb);
    }
  }
  for (size_t g = 0; g < groups && sums; g++)
    for (int r = 0; r < rows; r++) {
      y->groups[g].sums[r] = __builtin_reduce_add(y->folded[g][r]);
      y->groups[g].starts[r] = start_of(y->groups[g].sums[r], format);
    }
}

// Adds one or two tiles of a block of values that belong to one group to [tiles][rows][16]; the
// first `asked` of them ask for nothing.
INLINE void add_value_tiles(const uint8_t *w, const row_group *group, const int format,
                            const int rows, const int tiles, const int asked, ptrdiff_t ahead,
                            float *acc) {
  i32x16 dot[2 * KERNEL_ROWS];
  if (asked == tiles) ahead = 0;
  if (is_positive(format)) dots_int8_positive(w, group, rows, tiles, asked, ahead, dot);
  else cache_dots(w, format, 32, group, rows, ahead, dot);
  for (int n = 0; n < tiles; n++)
    for (int r = 0; r < rows; r++, acc += 16)
      store16(acc, fused(to_float(dot[n * rows + r]), (f32x16)group->scales[r], load16(acc)));
}

// Adds tiles [first, end) of a block of values to [dimensions / 16][rows][16]. What lies ahead of
// the very first softmax has asked for, if three queries or more took part.
INLINE void add_values(const uint8_t *block, size_t first, size_t end, const weighted_rows *y,
                       const int format, const int rows, ptrdiff_t ahead, float *acc) {
  const int pairs = is_positive(format) && KERNEL_POSITIVE > 1;
  acc += first * (size_t)rows * 16;
  for (size_t tile = first; tile < end;) {
    const uint8_t *w = block + tile * cache_group_bytes(format);
    const row_group *group = &y->groups[(tile - first) / 2];
    const int asked = tile == 0 && rows > 2, tiles = pairs && end - tile > 1 ? 2 : 1;
    if (asked && tiles == 2) add_value_tiles(w, group, format, rows, 2, 1, ahead, acc);
    else if (asked) add_value_tiles(w, group, format, rows, 1, 1, ahead, acc);
    else if (tiles == 2) add_value_tiles(w, group, format, rows, 2, 0, ahead, acc);
    else add_value_tiles(w, group, format, rows, 1, 0, ahead, acc);
    tile += (size_t)tiles;
    acc += tiles * rows * 16;
  }
}

INLINE void store_outputs(const kernel_weighted_sum *s, const size_t *index, const float *acc,
                          const int rows) {
  for (int r = 0; r < rows; r++) {
    float *to = s->output + index[r] * s->output_stride;
    for (size_t d = 0; d < s->dimensions; d += 16)
      store_some(to + d, load16(acc + d * (size_t)rows + (size_t)r * 16), s->dimensions - d);
  }
}

INLINE void weigh_rows(const kernel_weighted_sum *s, size_t query, const int format,
                       const int rows) {
  const float *p[KERNEL_ROWS];
  size_t index[KERNEL_ROWS];
  weighted_rows y;
  _Alignas(64) float acc[KERNEL_HEAD_DIMENSION_MAX * KERNEL_ROWS];
  const size_t tiles = (s->dimensions + 15) / 16;
  for (int r = 0; r < rows; r++) {
    index[r] = smaller_size(query + (size_t)r, s->queries - 1);
    p[r] = s->probabilities + index[r] * s->probability_stride;
  }
  for (size_t g = 0; g < GROUPS_WEIGHED; g++) y.groups[g].quants = y.quants[g];
  __builtin_memset(acc, 0, tiles * (size_t)rows * 64);
  for (size_t slot = 0; slot < s->slot_count; slot += 32) {
    const uint8_t *block = s->values + slot / 32 * s->block_bytes;
    const uint8_t *scales = block + value_quant_bytes(s->dimensions, format);
    const uint8_t *next = next_at(&s->next, slot);
    const ptrdiff_t ahead = next ? next - s->values : 0;
    for (size_t g = 0; g < tiles; g += 2) ask(scales + g * 32 + ahead);
    for (size_t tile = 0; tile < tiles; tile += 2 * GROUPS_WEIGHED) {
      const size_t end = smaller_size(tile + 2 * GROUPS_WEIGHED, tiles);
      weigh(scales + tile * 32, (end - tile + 1) / 2, slot, p, format, rows, &y);
      add_values(block, tile, end, &y, format, rows, ahead, acc);
    }
  }
  store_outputs(s, index, acc, rows);
}

static void weighted_sum_int8(const kernel_weighted_sum *s) {
  FOR_ALL_ROWS(weigh_rows, s, s->queries, INT8);
}
static void weighted_sum_int4(const kernel_weighted_sum *s) {
  FOR_ALL_ROWS(weigh_rows, s, s->queries, INT4);
}

#endif

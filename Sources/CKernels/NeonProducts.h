// Matrix products over tiles on ARM, for weights and attention, built on what each instruction set
// defines before it includes this file. A step is 16 k, a group two steps.
//
//   dots_of_one(w, format, steps, x, bias, dot)
//     dot[lane / 4][lane % 4] = bias + sum over k < 16 * steps of w[lane][k] * x[k], where w is a
//     tile of int8 weights, keys or values as it lies in memory
//   dots_of_strips(w, x, sum, zero, dot)
//     dot[strip][lane] = sum over k < 32 of (w[strip][lane][k] - zero) * x[k], where w is a group
//     of int4 weights as it lies in memory and sum that of x
//   prepare(w, format, steps, to)
//     what dots_of_one takes in the order that dots_of_rows takes: `to`, or where it is
//   prepare_strips(w, to)
//     the same for what dots_of_strips takes: to[0] and to[1]
//   place(set, row, quants)
//     copies a group of one row of activations into its place
//   dots_of_rows(w, format, steps, set, dot)
//     dots_of_one for each row of a set, from prepared weights and the biases of the set
//   KERNEL_PAIRS_ROWS 1: of dots_of_rows, dot[r] and dot[r + 1] (r even) hold lanes 0 ... 7 and
//     8 ... 15, each for rows r and r + 1 side by side; accumulators stay like that until the end
//
// Fewer rows than KERNEL_ROWS repeat the last one, and nobody reads what comes of it.
#ifndef CKERNELS_NEON_PRODUCTS_H
#define CKERNELS_NEON_PRODUCTS_H

#include "Math.h"

// The rows first, first + 1 ... of KERNEL_ROWS, of which those below `end` exist.
INLINE void row_indices(size_t first, size_t end, size_t *index) {
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
    index[r] = smaller_size(first + (size_t)r, end - 1);
}

// Copies one group of the rows index[0], index[1] ... into a set; out of line for all formats.
__attribute__((noinline)) static void gather(const kernel_rows *x, const size_t *index,
                                             size_t group, int32_t zero, row_set *to) {
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++) {
    size_t at = group_index(x, index[r], group);
    place(to, r, x->quants + at * 32);
    to->scales[r] = x->scales[at];
    to->sums[r] = (float)x->sums[at];
    to->biases[r] = dot_bias(x->sums[at], zero);
  }
}

// Adds one group of one row to its accumulators.
INLINE f32x16 accumulated(const int32x4_t *dot, f32x16 scale, f32x16 x_scale, f32x16 acc) {
  return fused(dots_to_float(dot), scale * x_scale, acc);
}

// One factor per lane of the weights, as dots_of_rows lays them out: to[0], paired to[0] and to[1].
INLINE void spread(f32x16 v, f32x16 *to) {
  to[0] = v;
  if (!KERNEL_PAIRS_ROWS) return;
  to[0] = __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  to[1] = __builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
}

// The factor of a row in all lanes, paired the factors of two rows.
INLINE f32x16 of_row(const float *rows, int row) {
  if (!KERNEL_PAIRS_ROWS) return (f32x16)rows[row];
  f32x2 both;
  __builtin_memcpy(&both, rows + row / 2 * 2, sizeof both);
  return __builtin_shufflevector(both, both, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1);
}

// Adds one group of a set, with the spread scales of the weights.
INLINE void accumulate_set(int32x4_t (*dot)[4], const f32x16 *scale, const row_set *x,
                           f32x16 *acc) {
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
    acc[r] = accumulated(dot[r], scale[KERNEL_PAIRS_ROWS ? r % 2 : 0], of_row(x->scales, r),
                         acc[r]);
}

// What the minimums of the weights add to that.
INLINE void accumulate_minimums(const f32x16 *minimum, const row_set *x, f32x16 *acc) {
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
    acc[r] = fused(of_row(x->sums, r),
                   minimum[KERNEL_PAIRS_ROWS ? r % 2 : 0] * of_row(x->scales, r), acc[r]);
}

// Paired accumulators to one row each.
INLINE void separate(f32x16 *acc) {
  UNROLL for (int r = 0; r < (KERNEL_PAIRS_ROWS ? KERNEL_ROWS : 0); r += 2) {
    f32x16 a = acc[r], b = acc[r + 1];
    acc[r] = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28,
                                     30);
    acc[r + 1] = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27,
                                         29, 31);
  }
}

// Products of weights. int4 has the same code with and without minimums (`full`: the format, with
// them), which would otherwise be the largest part of a board's kernels.

// Asks for what lies BYTES_AHEAD of these bytes.
INLINE void ask_all(const uint8_t *p, const size_t bytes) {
  for (size_t i = 0; i < bytes; i += 64) ask(p + i + BYTES_AHEAD);
}

// One token: the weights pass through registers once, in the order of their addresses.
INLINE void matmul_token(const kernel_matmul *m, const uint8_t *tile, float *output,
                         const int format, int full) {
  f32x16 acc[STRIPS_MAX] = {0.0f, 0.0f};
  for (size_t g = 0; g < m->groups; g++) {
    const weight_group at = weight_group_at(tile, m->groups, g, full);
    const int32_t sum = m->tokens.sums[g];
    const int8_t *x = m->tokens.quants + g * 32;
    const f32x16 x_scale = (f32x16)m->tokens.scales[g];
    f32x16 dot[STRIPS_MAX];
    ask_all(at.quants, weight_group_bytes(format));
    if (format == INT8) {
      int32x4_t sums[4];
      dots_of_one(at.quants, INT8, 2, x, DOT_START, sums);
      dot[0] = dots_to_float(sums);
    } else {
      dots_of_strips(at.quants, x, sum, zero_point(full), dot);
    }
    UNROLL for (int n = 0; n < tile_strips(format); n++)
      acc[n] = fused(dot[n], load_halves(at.scales + n * 32) * x_scale, acc[n]);
    if (full != INT4_ASYMMETRIC) continue;
    UNROLL for (int n = 0; n < STRIPS_MAX; n++)
      acc[n] = fused((f32x16)(float)sum, load_halves(at.minimums + n * 32) * x_scale, acc[n]);
  }
  UNROLL for (int n = 0; n < tile_strips(format); n++) store16(output + n * 16, acc[n]);
}

// A block of strips and tokens whose accumulators and activations stay in the first cache.
enum { BLOCK_STRIPS = 4, BLOCK_TOKENS = 32, BLOCK_SETS = BLOCK_TOKENS / KERNEL_ROWS };

typedef struct {
  _Alignas(64) float acc[BLOCK_STRIPS][BLOCK_TOKENS][16];
  _Alignas(64) row_set sets[BLOCK_SETS];
} block_state;

// One strip of a group, prepared.
INLINE void block_strip(const int8_t *w, const uint8_t *scales, const uint8_t *minimums,
                        size_t sets, float (*sums)[16], const row_set *x, const int format,
                        int full) {
  f32x16 scale[2];
  spread(load_halves(scales), scale);
  for (size_t s = 0; s < sets; s++, x++, sums += KERNEL_ROWS) {
    int32x4_t dot[KERNEL_ROWS][4];
    f32x16 acc[KERNEL_ROWS];
    dots_of_rows(w, format, 2, x, dot);
    UNROLL for (int r = 0; r < KERNEL_ROWS; r++) acc[r] = load16(sums[r]);
    accumulate_set(dot, scale, x, acc);
    if (full == INT4_ASYMMETRIC) {
      f32x16 minimum[2];
      spread(load_halves(minimums), minimum);
      accumulate_minimums(minimum, x, acc);
    }
    UNROLL for (int r = 0; r < KERNEL_ROWS; r++) store16(sums[r], acc[r]);
  }
}

INLINE void block_group(const kernel_matmul *m, const uint8_t *tile, size_t group, size_t sets,
                        float (*sums)[BLOCK_TOKENS][16], const row_set *x, const int format,
                        int full) {
  const weight_group at = weight_group_at(tile, m->groups, group, full);
  prepared_group room[STRIPS_MAX];
  if (format == INT8) {
    block_strip(prepare(at.quants, INT8, 2, room), at.scales, NULL, sets, *sums, x, INT8, INT8);
    return;
  }
  prepare_strips(at.quants, room);
  for (int n = 0; n < STRIPS_MAX; n++)
    block_strip(room[n].quants, at.scales + n * 32, at.minimums + n * 32, sets, sums[n], x, format,
                full);
}

INLINE void matmul_block(const kernel_matmul *m, size_t tile, size_t tiles, size_t token,
                         size_t tokens, const int format, int full) {
  block_state state;
  const size_t sets = (tokens + KERNEL_ROWS - 1) / KERNEL_ROWS;
  const size_t strips = tiles * (size_t)tile_strips(format);
  for (size_t n = 0; n < strips; n++)
    __builtin_memset(state.acc[n], 0, sets * KERNEL_ROWS * sizeof *state.acc[n]);
  for (size_t g = 0; g < m->groups; g++) {
    for (size_t s = 0; s < sets; s++) {
      size_t index[KERNEL_ROWS];
      row_indices(token + s * KERNEL_ROWS, token + tokens, index);
      gather(&m->tokens, index, g, zero_point(full), &state.sets[s]);
    }
    for (size_t n = 0; n < tiles; n++)
      block_group(m, m->tiles + (tile + n) * m->tile_bytes, g, sets,
                  state.acc + n * (size_t)tile_strips(format), state.sets, format, full);
  }
  float *output = m->output + token * m->output_stride + tile * tile_rows(format);
  for (size_t n = 0; n < strips; n++)
    for (size_t t = 0; t < tokens; t += KERNEL_ROWS) {
      f32x16 acc[KERNEL_ROWS];
      UNROLL for (int r = 0; r < KERNEL_ROWS; r++) acc[r] = load16(state.acc[n][t + (size_t)r]);
      separate(acc);
      UNROLL for (size_t r = 0; r < KERNEL_ROWS; r++)
        if (t + r < tokens) store16(output + (t + r) * m->output_stride + n * 16, acc[r]);
    }
}

INLINE void matmul(const kernel_matmul *m, const int format, int full) {
  if (m->tokens.rows == 1) {
    float *output = m->output;
    for (size_t t = 0; t < m->tile_count; t++, output += tile_rows(format))
      matmul_token(m, m->tiles + t * m->tile_bytes, output, format, full);
    return;
  }
  const size_t tiles = BLOCK_STRIPS / (size_t)tile_strips(format);
  for (size_t tile = 0; tile < m->tile_count; tile += tiles)
    for (size_t token = 0; token < m->tokens.rows; token += BLOCK_TOKENS)
      matmul_block(m, tile, smaller_size(tiles, m->tile_count - tile), token,
                   smaller_size(BLOCK_TOKENS, m->tokens.rows - token), format, full);
}

__attribute__((noinline)) static void matmul_nibbles(const kernel_matmul *m, int minimums) {
  matmul(m, INT4, minimums ? INT4_ASYMMETRIC : INT4);
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul_nibbles(m, 0); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul_nibbles(m, 1); }

// A group of a key tile, filled up with zeros where the head ends within a step.
INLINE const uint8_t *key_group(const kernel_scores *s, const uint8_t *tile, size_t group,
                                const int format, int *steps, prepared_group *room) {
  const uint8_t *w = tile + group * cache_group_bytes(format);
  size_t left = s->dimensions - group * 32, there = key_quant_bytes(left, format);
  *steps = left > 16 ? 2 : 1;
  size_t wanted = (size_t)*steps * cache_group_bytes(format) / 2;
  if (there >= wanted) return w;
  __builtin_memcpy(room->quants, w, there);
  __builtin_memset(room->quants + there, 0, wanted - there);
  return (const uint8_t *)room->quants;
}

// Lanes [begin, end) of the scores of a tile.
__attribute__((noinline)) static void store_lanes(float *to, const float *lanes, size_t begin,
                                                  size_t end) {
  for (size_t i = begin; i < end; i++) to[i] = lanes[i];
}

INLINE void store_scores(float *to, f32x16 score, size_t begin, size_t end) {
  if (end - begin == 16) {
    store16(to, score);
    return;
  }
  float lanes[16];
  store16(lanes, score);
  store_lanes(to, lanes, begin, end);
}

// Queries that meet a prepared key tile.
enum { QUERY_ROWS = 16, HEAD_GROUPS = KERNEL_HEAD_DIMENSION_MAX / 32 };

typedef struct {
  _Alignas(64) row_set sets[QUERY_ROWS / KERNEL_ROWS][HEAD_GROUPS];
  prepared_group keys[HEAD_GROUPS];
  prepared_group rest;  // the last group, filled up
} query_state;

// One query, one tile.
INLINE f32x16 score_query(const kernel_scores *s, const uint8_t *tile, size_t query,
                          const int format) {
  const uint8_t *scales = tile + key_quant_bytes(s->dimensions, format);
  const kernel_rows *x = &s->queries;
  f32x16 acc = 0.0f;
  for (size_t g = 0; g * 32 < s->dimensions; g++) {
    int steps;
    prepared_group room;
    int32x4_t dot[4];
    size_t at = group_index(x, query, g);
    const uint8_t *w = key_group(s, tile, g, format, &steps, &room);
    dots_of_one(w, format, steps, x->quants + at * 32, dot_bias(x->sums[at], zero_point(format)),
                dot);
    acc = accumulated(dot, load_halves(scales + g * 32), (f32x16)x->scales[at], acc);
  }
  return acc;
}

// A set of queries, one tile.
INLINE void score_set(const kernel_scores *s, const uint8_t *scales, const int8_t *const *keys,
                      const row_set *x, const int format, f32x16 *acc) {
  UNROLL for (int r = 0; r < KERNEL_ROWS; r++) acc[r] = 0.0f;
  for (size_t g = 0; g * 32 < s->dimensions; g++, x++) {
    int32x4_t dot[KERNEL_ROWS][4];
    f32x16 scale[2];
    spread(load_halves(scales + g * 32), scale);
    dots_of_rows(keys[g], format, s->dimensions - g * 32 > 16 ? 2 : 1, x, dot);
    accumulate_set(dot, scale, x, acc);
  }
  separate(acc);
}

// Up to QUERY_ROWS queries over all slots.
INLINE void score_block(const kernel_scores *s, size_t query, size_t queries, const int format) {
  query_state state;
  const float scale = 1.0f / __builtin_elementwise_sqrt((float)s->dimensions);
  size_t index[KERNEL_ROWS];
  for (size_t q = 0; q < queries && queries > 1; q += KERNEL_ROWS) {
    row_indices(query + q, query + queries, index);
    for (size_t g = 0; g * 32 < s->dimensions; g++)
      gather(&s->queries, index, g, zero_point(format), &state.sets[q / KERNEL_ROWS][g]);
  }
  for (size_t slot = s->slot_begin / 16 * 16; slot < s->slot_end; slot += 16) {
    const uint8_t *tile = s->keys + slot / 16 * s->tile_bytes;
    ask_all(tile, s->tile_bytes);
    size_t begin = slot < s->slot_begin ? s->slot_begin - slot : 0;
    size_t end = smaller_size(s->slot_end - slot, 16);
    if (queries == 1) {
      store_scores(s->scores + query * s->score_stride + slot,
                   score_query(s, tile, query, format) * scale, begin, end);
      continue;
    }
    const int8_t *keys[HEAD_GROUPS];
    for (size_t g = 0; g * 32 < s->dimensions; g++) {
      int steps;
      const uint8_t *w = key_group(s, tile, g, format, &steps, &state.rest);
      keys[g] = prepare(w, format, steps, &state.keys[g]);
    }
    for (size_t q = 0; q < queries; q += KERNEL_ROWS) {
      f32x16 acc[KERNEL_ROWS];
      score_set(s, tile + key_quant_bytes(s->dimensions, format), keys,
                state.sets[q / KERNEL_ROWS], format, acc);
      UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
        if (q + (size_t)r < queries)
          store_scores(s->scores + (query + q + (size_t)r) * s->score_stride + slot,
                       acc[r] * scale, begin, end);
    }
  }
}

INLINE void scores(const kernel_scores *s, const int format) {
  for (size_t query = 0; query < s->queries.rows; query += QUERY_ROWS)
    score_block(s, query, smaller_size(QUERY_ROWS, s->queries.rows - query), format);
}

static void scores_int8(const kernel_scores *s) { scores(s, INT8); }
static void scores_int4(const kernel_scores *s) { scores(s, INT4); }

// Probabilities times value scales of 32 slots, quantized for 32 dimensions.
INLINE void weigh(const kernel_weighted_sum *s, const uint8_t *scales, size_t slot,
                  const size_t *index, const int32_t zero, const int rows, row_set *y) {
  f32x16 low = load_halves(scales), high = load_halves(scales + 32);
  f32x16 a[KERNEL_ROWS], b[KERNEL_ROWS];
  i32x16 qa[KERNEL_ROWS], qb[KERNEL_ROWS];
  UNROLL for (int r = 0; r < rows; r++) {
    const float *p = s->probabilities + index[r] * s->probability_stride + slot;
    a[r] = load16(p) * low;
    b[r] = load16(p + 16) * high;
  }
  if (rows % 4 == 0) {
    round_four(a, b, qa, qb, y->scales);
  } else {
    UNROLL for (int r = 0; r < rows; r++) round_group(a[r], b[r], qa + r, qb + r, y->scales + r);
  }
  UNROLL for (int r = 0; r < rows; r++) {
    int8_t quants[32];
    store_quants(qa[r], qb[r], quants);
    if (rows == 1) __builtin_memcpy(y->quants, quants, 32);
    else place(y, r, quants);
    y->biases[r] = dot_bias(__builtin_reduce_add(qa[r] + qb[r]), zero);
  }
}

// Out of line: all formats share them.
__attribute__((noinline)) static void weigh_one(const kernel_weighted_sum *s,
                                                const uint8_t *scales, size_t slot,
                                                const size_t *index, int32_t zero, row_set *y) {
  weigh(s, scales, slot, index, zero, 1, y);
}
__attribute__((noinline)) static void weigh_set(const kernel_weighted_sum *s,
                                                const uint8_t *scales, size_t slot,
                                                const size_t *index, int32_t zero, row_set *y) {
  weigh(s, scales, slot, index, zero, KERNEL_ROWS, y);
}

// Queries that meet a block of values: one, or sets of them.
enum { WEIGHED_ROWS = 12, WEIGHED_SETS = WEIGHED_ROWS / KERNEL_ROWS };

typedef struct {
  _Alignas(64) float acc[WEIGHED_ROWS][KERNEL_HEAD_DIMENSION_MAX];
  size_t index[WEIGHED_ROWS];
  row_set y[WEIGHED_SETS];
} weighted_state;

// Adds 16 dimensions of a block of values; 0 sets stand for a single query.
INLINE void add_values(const uint8_t *w, const int format, size_t d, size_t sets,
                       weighted_state *state) {
  int32x4_t dot[KERNEL_ROWS][4];
  if (sets == 0) {
    const row_set *y = state->y;
    float *acc = state->acc[0] + d;
    dots_of_one(w, format, 2, y->quants, y->biases[0], dot[0]);
    store16(acc, fused(dots_to_float(dot[0]), (f32x16)y->scales[0], load16(acc)));
    return;
  }
  prepared_group room;
  const int8_t *prepared = prepare(w, format, 2, &room);
  for (size_t s = 0; s < sets; s++) {
    const row_set *y = &state->y[s];
    float(*acc)[KERNEL_HEAD_DIMENSION_MAX] = state->acc + s * KERNEL_ROWS;
    dots_of_rows(prepared, format, 2, y, dot);
    UNROLL for (int r = 0; r < KERNEL_ROWS; r++)
      store16(acc[r] + d,
              fused(dots_to_float(dot[r]), of_row(y->scales, r), load16(acc[r] + d)));
  }
}

// The sums of one set of queries, 16 dimensions from d on.
INLINE void store_values(const kernel_weighted_sum *s, const weighted_state *state, size_t first,
                         size_t d, const int rows) {
  f32x16 acc[KERNEL_ROWS];
  UNROLL for (int r = 0; r < rows; r++) acc[r] = load16(state->acc[first + (size_t)r] + d);
  if (rows > 1) separate(acc);
  UNROLL for (int r = 0; r < rows; r++) {
    float *to = s->output + state->index[first + (size_t)r] * s->output_stride + d;
    if (s->dimensions - d >= 16) {
      store16(to, acc[r]);
    } else {
      float lanes[16];
      store16(lanes, acc[r]);
      store_lanes(to, lanes, 0, s->dimensions - d);
    }
  }
}

// One query or `sets` sets of queries over all slots.
INLINE void weigh_rows(const kernel_weighted_sum *s, size_t query, size_t sets, const int format) {
  weighted_state state;
  for (size_t r = 0; r < (sets == 0 ? 1 : sets * KERNEL_ROWS); r++) {
    state.index[r] = smaller_size(query + r, s->queries - 1);
    __builtin_memset(state.acc[r], 0, (s->dimensions + 15) / 16 * 64);
  }
  for (size_t slot = 0; slot < s->slot_count; slot += 32) {
    const uint8_t *block = s->values + slot / 32 * s->block_bytes;
    const uint8_t *scales = block + value_quant_bytes(s->dimensions, format);
    const int32_t zero = zero_point(format);
    ask_all(block, s->block_bytes);
    for (size_t d = 0; d < s->dimensions; d += 32) {
      if (sets == 0) weigh_one(s, scales + d * 2, slot, state.index, zero, state.y);
      for (size_t n = 0; n < sets; n++)
        weigh_set(s, scales + d * 2, slot, state.index + n * KERNEL_ROWS, zero, &state.y[n]);
      for (size_t e = d; e < smaller_size(d + 32, s->dimensions); e += 16)
        add_values(block + e / 16 * cache_group_bytes(format), format, e, sets, &state);
    }
  }
  for (size_t d = 0; d < s->dimensions; d += 16) {
    if (sets == 0) store_values(s, &state, 0, d, 1);
    for (size_t n = 0; n < sets; n++) store_values(s, &state, n * KERNEL_ROWS, d, KERNEL_ROWS);
  }
}

INLINE void weighted_sum(const kernel_weighted_sum *s, const int format) {
  for (size_t query = 0; query < s->queries; query += WEIGHED_ROWS) {
    size_t left = smaller_size(s->queries - query, WEIGHED_ROWS);
    weigh_rows(s, query, left == 1 ? 0 : (left + KERNEL_ROWS - 1) / KERNEL_ROWS, format);
  }
}

static void weighted_sum_int8(const kernel_weighted_sum *s) { weighted_sum(s, INT8); }
static void weighted_sum_int4(const kernel_weighted_sum *s) { weighted_sum(s, INT4); }

#endif

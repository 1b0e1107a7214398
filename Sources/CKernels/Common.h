// The kernels that need no special instruction; each set that has no better one names another's.
//
// SET(name) gives the functions their names, which the table of the set takes up.
#ifndef CKERNELS_COMMON_H
#define CKERNELS_COMMON_H

#include "Differences.h"
#include "Eviction.h"
#include "Layout.h"
#include "Math.h"
#include "Quantize.h"

void SET(exponential)(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i += 16)
    store_some(y + i, exp16(load_some(x + i, count - i)), count - i);
}

void SET(swiglu)(const float *gate, const float *up, float *y, size_t count) {
  for (size_t i = 0; i < count; i += 16) {
    f32x16 v = silu16(load_some(gate + i, count - i)) * load_some(up + i, count - i);
    store_some(y + i, v, count - i);
  }
}

void SET(add)(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}

void SET(divide)(const float *x, float by, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] = x[i] / by;
}

int SET(is_finite)(const float *x, size_t count) {
  // Integers order non-negative floats, NaN above infinity.
  i32x16 m = 0;
  for (size_t i = 0; i < count; i += 16)
    m = __builtin_elementwise_max(m, (i32x16)magnitude(load_some(x + i, count - i)));
  return __builtin_reduce_max(m) < 0x7F800000;
}

void SET(rope)(float *x, size_t heads, size_t dimensions, size_t rotated, int interleaved,
               const float *cosines, const float *sines) {
  size_t pairs = rotated / 2;
  for (size_t head = 0; head < heads; head++, x += dimensions) {
    if (interleaved) {
      for (size_t i = 0; i < pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = a * sines[i] + b * cosines[i];
      }
    } else {
      float *y = x + pairs;
      for (size_t i = 0; i < pairs; i++) {
        float a = x[i], b = y[i];
        x[i] = a * cosines[i] - b * sines[i];
        y[i] = a * sines[i] + b * cosines[i];
      }
    }
  }
}

// One stage within sixteen lanes: (a, b) at distance `half` becomes (a + b, a - b).
#define HADAMARD_STAGE(v, half, ...)                                      \
  do {                                                                    \
    f32x16 other = __builtin_shufflevector(v, v, __VA_ARGS__);            \
    v = (lane & half) != 0 ? other - v : v + other;                       \
  } while (0)

INLINE f32x16 hadamard16(f32x16 v, size_t block) {
  const i32x16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  if (block > 1) HADAMARD_STAGE(v, 1, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  if (block > 2) HADAMARD_STAGE(v, 2, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
  if (block > 4) HADAMARD_STAGE(v, 4, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  if (block > 8) HADAMARD_STAGE(v, 8, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  return v;
}

INLINE float hadamard_normalization(size_t block) {
  switch (block) {
    case 1: return 1.0f;
    case 2: return 0.70710678f;
    case 4: return 0.5f;
    case 8: return 0.35355339f;
    case 16: return 0.25f;
    default: return 0.17677670f;
  }
}

void SET(hadamard)(float *x, size_t count, size_t block) {
  float normalization = hadamard_normalization(block);
  if (block < 32) {
    // Blocks divide sixteen, so what is left over at the end is whole blocks too.
    for (size_t i = 0; i < count; i += 16) {
      f32x16 v = hadamard16(load_some(x + i, count - i), block) * normalization;
      store_some(x + i, v, count - i);
    }
    return;
  }
  for (size_t i = 0; i < count; i += 32) {
    f32x16 a = hadamard16(load16(x + i), 16), b = hadamard16(load16(x + i + 16), 16);
    store16(x + i, (a + b) * normalization);
    store16(x + i + 16, (a - b) * normalization);
  }
}

int SET(rms_norm)(const float *x, const float *weight, float epsilon, float *y, size_t count) {
  f32x16 lanes = 0.0f;
  for (size_t i = 0; i < count; i += 16) {
    f32x16 v = load_some(x + i, count - i);
    lanes += v * v;
  }
  float mean = fold(lanes) / (float)count;
  if (!(mean <= 3.4028235e38f)) return 0;
  float factor = 1.0f / __builtin_elementwise_sqrt(mean + epsilon);
  for (size_t i = 0; i < count; i++) y[i] = (x[i] * factor) * weight[i];
  return 1;
}

// Keys and values go through it: once, where boards count bytes.
#if defined(__aarch64__)
__attribute__((noinline))
#endif
uint16_t SET(quantize_int8)(const float *x, int8_t *quants) {
  return group_int8(load16(x), load16(x + 16), quants);
}

__attribute__((noinline)) uint16_t SET(quantize_int4)(const float *x, int8_t *quants) {
  return group_int4(load16(x), load16(x + 16), quants);
}

uint16_t SET(quantize_int4_asymmetric)(const float *x, int8_t *quants, uint16_t *minimum) {
  return group_int4_asymmetric(load16(x), load16(x + 16), quants, minimum);
}

INLINE void dequantize_row(const uint8_t *tile, size_t groups, size_t row, float *y,
                           const int format) {
  for (size_t g = 0; g < groups; g++) {
    const weight_group at = weight_group_at(tile, groups, g, format);
    const uint8_t *quants = at.quants + row % 16 * 4;
    float scale = float_of_half(at.scales + row * 2), minimum = 0.0f;
    if (format == INT4_ASYMMETRIC) minimum = float_of_half(at.minimums + row * 2);
    for (size_t k = 0; k < 32; k++) {
      const uint8_t byte = quants[k / 4 * 64 + k % 4];
      const int nibble = row < 16 ? byte & 15 : byte >> 4 ^ 8;
      if (format == INT8) y[g * 32 + k] = (float)(int8_t)byte * scale;
      else if (format == INT4) y[g * 32 + k] = (float)(nibble - 8) * scale;
      else y[g * 32 + k] = (float)nibble * scale + minimum;
    }
  }
}

void SET(row_int8)(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT8);
}
void SET(row_int4)(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT4);
}
void SET(row_int4_asymmetric)(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT4_ASYMMETRIC);
}

#include "Storage.h"

INLINE u32x16 positions_at(const kernel_softmax *s, size_t slot) {
  u32x16 positions = 0;
  size_t left = s->slot_count - slot;
  if (left >= 16) __builtin_memcpy(&positions, s->slot_positions + slot, 64);
  else
    for (size_t i = 0; i < left; i++) positions[i] = s->slot_positions[slot + i];
  return positions;
}

// The largest score that a query sees. What it does not see, and what lies behind the last slot,
// becomes minus infinity.
INLINE float softmax_top(const kernel_softmax *s, float *p, u32x16 at, const int masked) {
  const size_t end = (s->slot_count + 15) / 16 * 16;
  for (size_t slot = s->slot_count; slot < end; slot++) p[slot] = -__builtin_inff();
  f32x16 largest = -0x1p127f;
  for (size_t slot = 0; slot < end; slot += 16) {
    f32x16 score = load16(p + slot);
    if (masked) {
      score = positions_at(s, slot) <= at ? score : (f32x16)(-__builtin_inff());
      store16(p + slot, score);
    }
    largest = larger(score, largest);
  }
  return fold_largest(largest);
}

// Vectors that softmax takes side by side. On ARM one of them is four registers already, and boards
// count bytes.
#if defined(__aarch64__)
enum { SOFTMAX_VECTORS = 1 };
#else
enum { SOFTMAX_VECTORS = 2 };
#endif

// Scores of `count` times sixteen slots to numerators, which are added to the sum.
INLINE void softmax_slots(float *p, float top, const int count, f32x16 *sum) {
  f32x16 e[2];
  EACH(e[i] = load16(p + i * 16) - top);
  exp_of_negative(e, count);
  EACH(store16(p + i * 16, e[i]));
  EACH(*sum += e[i]);
}

// Three queries share what is asked for meanwhile. Of each 32 slots of the next run nine lines, one
// more than a tile of int8 has; the weighted sum asks for the rest. And all values of this run once
// more: with few queries scores of pairs ask for them faster than memory gives, and what is too
// much is forgotten.
INLINE void ask_meanwhile(const kernel_softmax *s, size_t query, size_t slot) {
  const size_t shares = smaller_size(s->queries, 3), block = slot / 32;
  if (query >= shares) return;
  const uint8_t *next = next_at(&s->next, slot);
  for (size_t i = 0; next && i < 3; i++) ask(next + block * s->next_stride + (query * 3 + i) * 64);
  if (!TILE_PAIRS || !s->values || s->queries > 4) return;
  const size_t blocks = (s->slot_count + 31) / 32;
  const size_t bytes = (s->value_stride / 64 + shares - 1) / shares * 64;
  const uint8_t *values = s->values + (query * blocks + block) * bytes;
  for (size_t i = 0; i < bytes; i += 64) ask(values + i);
}

INLINE float softmax_row(const kernel_softmax *s, size_t query) {
  const size_t end = (s->slot_count + 15) / 16 * 16;
  float *p = s->scores + query * s->score_stride;
  const float top = s->tops[query];
  f32x16 sum = 0.0f;
  const size_t step = SOFTMAX_VECTORS * 16;
  size_t slot = 0;
  for (; slot + step <= end; slot += step) {
    if (SOFTMAX_VECTORS == 2) ask_meanwhile(s, query, slot);
    softmax_slots(p + slot, top, SOFTMAX_VECTORS, &sum);
  }
  if (SOFTMAX_VECTORS > 1 && slot < end) softmax_slots(p + slot, top, 1, &sum);
  if (end % 32 != 0) store16(p + end, (f32x16)0.0f);
  return fold(sum);
}

void SET(softmax)(const kernel_softmax *s) {
  // Only near the end of the stream are there slots that some query does not see.
  u32x16 newest = 0;
  for (size_t slot = 0; slot < s->slot_count; slot += 16) {
    ask((const uint8_t *)(s->slot_positions + s->slot_count + slot));  // of the next run
    newest = __builtin_elementwise_max(newest, positions_at(s, slot));
  }
  const uint32_t last = __builtin_reduce_max(newest);
  // All tops come first, so that no row waits for its own.
  for (size_t query = 0; query < s->queries; query++) {
    float *p = s->scores + query * s->score_stride;
    const uint32_t at = s->query_positions[query];
    s->tops[query] = at >= last ? softmax_top(s, p, at, 0) : softmax_top(s, p, at, 1);
  }
  for (size_t query = 0; query < s->queries; query++) s->sums[query] = softmax_row(s, query);
}

// Runs of queries that are joined at once, at most.
enum { MERGE_LANES = 64 };

// Which runs of which queries: those of a run stand side by side.
typedef struct {
  size_t run, runs;
  size_t query, queries;
} merge_block;

// What totals and parts are scaled by, for each lane; tops and sums are joined.
INLINE void merge_factors(const kernel_merge *m, const merge_block *block, float *a, float *b) {
  const size_t lanes = block->runs * block->queries;
  const size_t first = block->run * m->queries + block->query;
  float *tops = m->total_tops + block->query, *sums = m->total_sums + block->query;
  for (size_t run = 0, lane = 0; run < block->runs; run++)
    for (size_t query = 0; query < block->queries; query++, lane++) {
      const float part = m->part_tops[first + run * m->queries + query], total = tops[query];
      const float top = part > total ? part : total;
      a[lane] = total - top;
      b[lane] = part - top;
      tops[query] = top;
    }
  for (size_t lane = lanes; lane % 16 != 0; lane++) a[lane] = b[lane] = 0.0f;
  for (size_t lane = 0; lane < lanes; lane += 16) {
    f32x16 factors[2] = {load16(a + lane), load16(b + lane)};
    exp_of_negative(factors, 2);
    store16(a + lane, factors[0]);
    store16(b + lane, factors[1]);
  }
  for (size_t run = 0, lane = 0; run < block->runs; run++)
    for (size_t query = 0; query < block->queries; query++, lane++) {
      const float part = m->part_sums[first + run * m->queries + query];
      sums[query] = __builtin_elementwise_fma(part, b[lane], sums[query] * a[lane]);
    }
}

// Joins the rows of one query, which is lane `lane` of the first run.
INLINE void merge_rows(const kernel_merge *m, const merge_block *block, size_t lane, const float *a,
                       const float *b) {
  const size_t query = block->query + lane, run_stride = m->queries * m->stride;
  const float *parts = m->parts + block->run * run_stride + query * m->stride;
  float *total = m->totals + query * m->stride;
  for (size_t d = 0; d < m->dimensions; d += 16) {
    const size_t left = m->dimensions - d;
    f32x16 sum = load_some(total + d, left);
    for (size_t run = 0, i = lane; run < block->runs; run++, i += block->queries)
      sum = fused(load_some(parts + run * run_stride + d, left), (f32x16)b[i], sum * a[i]);
    store_some(total + d, sum, left);
  }
}

void SET(merge)(const kernel_merge *m) {
  float a[MERGE_LANES], b[MERGE_LANES];
  const size_t queries = smaller_size(m->queries, MERGE_LANES), runs = MERGE_LANES / queries;
  for (size_t run = 0; run < m->runs; run += runs)
    for (size_t query = 0; query < m->queries; query += queries) {
      const merge_block block = {run, smaller_size(runs, m->runs - run), query,
                                 smaller_size(queries, m->queries - query)};
      merge_factors(m, &block, a, b);
      for (size_t lane = 0; lane < block.queries; lane++) merge_rows(m, &block, lane, a, b);
    }
}

#endif

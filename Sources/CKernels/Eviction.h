// What eviction policies see of attention and how they choose among slots, in integers: the same
// bits whatever width the loops have.
#ifndef CKERNELS_EVICTION_H
#define CKERNELS_EVICTION_H

#include "Layout.h"
#include "Math.h"

typedef int64_t i64x8 __attribute__((ext_vector_type(8)));
typedef uint32_t u32x8 __attribute__((ext_vector_type(8)));

INLINE u32x16 load_words(const uint32_t *p) {
  u32x16 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

#define OUT_OF_LINE static __attribute__((noinline))

// Shares are computed for so many queries at once, their factors for so many runs of each.
enum { SHARE_ROWS = 4, FACTOR_RUNS = 4 };

// One query on its way through the slots.
typedef struct {
  const float *numerators;
  u32x16 given;             // sums of the shares so far
  float factors[FACTOR_RUNS];
  uint32_t largest;         // share so far
  size_t largest_start;     // the first slot of its run
  float largest_factor;
} share_row;

// Factors of the runs from slot `start` on, FACTOR_RUNS at most, of some queries: one vector. The
// largest share of a run is its factor, rounded down, as softmax leaves a 1 there.
OUT_OF_LINE void run_factors(const kernel_probabilities *s, size_t query, size_t rows, size_t start,
                             share_row *to) {
  const size_t first = start / s->run;
  const size_t count = smaller_size((s->slot_count - start + s->run - 1) / s->run, FACTOR_RUNS);
  float below[16] = {0}, sums[16], factors[16];
  for (size_t lane = 0; lane < 16; lane++) sums[lane] = 1.0f;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < count; i++) {
      const size_t lane = r * FACTOR_RUNS + i, q = query + r;
      below[lane] = s->run_tops[q * s->top_stride + first + i] - s->tops[q];
      sums[lane] = s->sums[q];
    }
  store16(factors, exp16_of_negative(load16(below)) * (16777216.0f / load16(sums)));
  for (size_t r = 0; r < rows; r++) {
    uint32_t largest = to[r].largest;
    size_t largest_start = to[r].largest_start;
    float largest_factor = to[r].largest_factor;
    for (size_t i = 0; i < count; i++) {
      const float factor = factors[r * FACTOR_RUNS + i];
      const uint32_t share = (uint32_t)(int32_t)factor;
      const int is_larger = share > largest;
      to[r].factors[i] = factor;
      largest = is_larger ? share : largest;
      largest_start = is_larger ? start + i * s->run : largest_start;
      largest_factor = is_larger ? factor : largest_factor;
    }
    to[r].largest = largest;
    to[r].largest_start = largest_start;
    to[r].largest_factor = largest_factor;
  }
}

// Which of sixteen slots have the largest share.
INLINE i32x16 has_largest(const share_row *row, size_t slot) {
  const f32x16 scaled = load16(row->numerators + slot) * row->largest_factor;
  return __builtin_convertvector(scaled, i32x16) == (int32_t)row->largest;
}

// The first slot with the largest share.
OUT_OF_LINE size_t first_largest(const kernel_probabilities *s, const share_row *row) {
  const i32x16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t slot = row->largest_start;
#if !defined(__aarch64__)  // boards count bytes
  for (; slot + 64 <= s->slot_count; slot += 64) {
    i32x16 first = 64;
    for (int i = 48; i >= 0; i -= 16) first = has_largest(row, slot + (size_t)i) ? lane + i : first;
    if (__builtin_reduce_or(first < 64)) return slot + (size_t)__builtin_reduce_min(first);
  }
#endif
  for (; slot + 16 <= s->slot_count; slot += 16) {
    const i32x16 is = has_largest(row, slot);
    if (__builtin_reduce_or(is)) return slot + (size_t)__builtin_reduce_min(is ? lane : 16);
  }
  for (; slot < s->slot_count; slot++)
    if ((int32_t)(row->numerators[slot] * row->largest_factor) == (int32_t)row->largest)
      return slot;
  return 0;
}

// Adds the shares of one run of slots, [slot, end), to the row.
INLINE void add_run(const kernel_probabilities *s, size_t slot, size_t end, size_t run,
                    share_row *queries, const int rows) {
  const i32x16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const float *p[SHARE_ROWS];
  f32x16 factor[SHARE_ROWS];
  u32x16 given[SHARE_ROWS];
  for (int r = 0; r < rows; r++) {
    p[r] = queries[r].numerators;
    factor[r] = queries[r].factors[run];
    given[r] = queries[r].given;
  }
  for (; slot + 16 <= end; slot += 16) {
    u32x16 row = load_words(s->row + slot);
    for (int r = 0; r < rows; r++) {
      const f32x16 scaled = load16(p[r] + slot) * factor[r];
      const u32x16 share = (u32x16)__builtin_convertvector(scaled, i32x16);
      given[r] += share;
      row += share;
    }
    __builtin_memcpy(s->row + slot, &row, sizeof row);
  }
  for (int r = 0; r < rows; r++) {
    if (slot < end) {
      f32x16 scaled = load16(p[r] + slot) * factor[r];
      scaled = lane < (int32_t)(end - slot) ? scaled : (f32x16)0.0f;
      const u32x16 share = (u32x16)__builtin_convertvector(scaled, i32x16);
      const u32x16 row = load_words(s->row + slot) + share;
      given[r] += share;
      __builtin_memcpy(s->row + slot, &row, sizeof row);
    }
    queries[r].given = given[r];
  }
}

INLINE void add_shares(const kernel_probabilities *s, size_t query, const int rows) {
  share_row queries[SHARE_ROWS];
  for (int r = 0; r < rows; r++) {
    queries[r].numerators = s->numerators + (query + (size_t)r) * s->numerator_stride;
    queries[r].given = 0;
    queries[r].largest = 0;
    queries[r].largest_start = 0;
    queries[r].largest_factor = 0.0f;
  }
  for (size_t slot = 0, run = FACTOR_RUNS; slot < s->slot_count; slot += s->run, run++) {
    if (run == FACTOR_RUNS) {
      run_factors(s, query, (size_t)rows, slot, queries);
      run = 0;
    }
    add_run(s, slot, smaller_size(slot + s->run, s->slot_count), run, queries, rows);
  }
  for (int r = 0; r < rows; r++)
    s->row[first_largest(s, &queries[r])] += 16777216u - __builtin_reduce_add(queries[r].given);
}

void SET(probabilities)(const kernel_probabilities *s) {
  __builtin_memset(s->row, 0, (s->slot_count + 15) / 16 * 64);
  size_t query = 0;
  for (; s->queries - query >= 4; query += 4) add_shares(s, query, 4);
  if (s->queries - query == 3) add_shares(s, query, 3);
  else
    for (; query < s->queries; query++) add_shares(s, query, 1);
}

// Scores and positions of one KV head after the other come from memory: so far ahead each pass
// asks for them.
enum { SCORE_BYTES_AHEAD = 2048 };

INLINE void ask_for_scores(const void *p) { ask((const uint8_t *)p + SCORE_BYTES_AHEAD); }

void SET(add_row)(const uint32_t *row, size_t count, int64_t *sums) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    ask_for_scores(sums + i);
    ask_for_scores(sums + i + 8);
    for (size_t j = i; j < i + 16; j++) sums[j] += row[j];
  }
  for (; i < count; i++) sums[i] += row[i];
}

void SET(take_sums)(int64_t *from, size_t count, int64_t *sums) {
  for (size_t i = 0; i < count; i++) sums[i] += from[i];
  __builtin_memset(from, 0, count * sizeof *from);
}

void SET(take_votes)(uint16_t *from, size_t count, uint16_t *votes) {
  for (size_t i = 0; i < count; i++) votes[i] += from[i];
  __builtin_memset(from, 0, count * sizeof *from);
}

INLINE void add_votes(uint16_t *votes, u16x16 low) {
  u16x16 v;
  __builtin_memcpy(&v, votes, sizeof v);
  v += low;
  __builtin_memcpy(votes, &v, sizeof v);
}

void SET(count_low)(const kernel_low_votes *s) {
  size_t slot = 0;
  for (; slot + 16 <= s->slot_count; slot += 16) {
    const u32x16 row = load_words(s->row + slot), at = load_words(s->positions + slot);
    const u32x16 low = (u32x16)((row < s->limit) & (at <= s->position)) & 1;
    const u16x16 vote = __builtin_convertvector(low, u16x16);
    add_votes(s->votes + slot, vote);
    if (s->more_votes) add_votes(s->more_votes + slot, vote);
  }
  for (; slot < s->slot_count; slot++) {
    const int low = (s->row[slot] < s->limit) & (s->positions[slot] <= s->position);
    s->votes[slot] += (uint16_t)low;
    if (s->more_votes) s->more_votes[slot] += (uint16_t)low;
  }
}

size_t SET(count_positions)(const uint32_t *positions, size_t count, uint32_t from, uint32_t to) {
  uint32_t found = 0;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    ask_for_scores(positions + i);
    for (size_t j = i; j < i + 16; j++) found += positions[j] - from < to - from;
  }
  for (; i < count; i++) found += positions[i] - from < to - from;
  return found;
}

// Which slots may be chosen: those with positions in [from, to).
typedef struct {
  const int64_t *scores;
  const uint32_t *positions;
  size_t count;
  uint32_t from;
  uint32_t length;
} candidates;

// Lanes from `slot` on: their positions where they may be chosen and have that score, else the
// largest number.
INLINE u32x8 positions_with(const candidates *c, size_t slot, int64_t least) {
  u32x8 at;
  __builtin_memcpy(&at, c->positions + slot, sizeof at);
  i32x8 is = (i32x8)(at - c->from < c->length);
  if (c->scores) {
    i64x8 score;
    __builtin_memcpy(&score, c->scores + slot, sizeof score);
    is &= __builtin_convertvector((i64x8)(score == least), i32x8);
  }
  return is ? at : (u32x8)UINT32_MAX;
}

INLINE int64_t lowest_score(const candidates *c) {
  i64x8 lowest = INT64_MAX;
  size_t slot = 0;
  for (; slot + 8 <= c->count; slot += 8) {
    u32x8 at;
    i64x8 score;
    ask_for_scores(c->scores + slot);
    __builtin_memcpy(&at, c->positions + slot, sizeof at);
    __builtin_memcpy(&score, c->scores + slot, sizeof score);
    const i64x8 may = __builtin_convertvector((i32x8)(at - c->from < c->length), i64x8);
    lowest = __builtin_elementwise_min(lowest, may ? score : (i64x8)INT64_MAX);
  }
  int64_t least = __builtin_reduce_min(lowest);
  for (; slot < c->count; slot++)
    if (c->positions[slot] - c->from < c->length && c->scores[slot] < least)
      least = c->scores[slot];
  return least;
}

// The slot with a position that is there, among whole vectors; positions differ.
INLINE size_t slot_of(const uint32_t *positions, uint32_t position) {
  size_t slot = 0;
  while (!__builtin_reduce_or((i32x16)(load_words(positions + slot) == position))) slot += 16;
  while (positions[slot] != position) slot++;
  return slot;
}

size_t SET(lowest)(const int64_t *scores, const uint32_t *positions, size_t count, uint32_t from,
                   uint32_t to) {
  const candidates c = {scores, positions, count, from, to - from};
  const int64_t least = scores ? lowest_score(&c) : 0;
  u32x8 first = UINT32_MAX;
  size_t slot = 0;
  for (; slot + 16 <= count; slot += 16)
    for (size_t half = 0; half < 16; half += 8)
      first = __builtin_elementwise_min(first, positions_with(&c, slot + half, least));
  uint32_t oldest = __builtin_reduce_min(first);
  size_t found = count;
  if (oldest < UINT32_MAX) found = slot_of(positions, oldest);
  for (; slot < count; slot++) {
    const int is = positions[slot] - from < c.length && (!scores || scores[slot] == least);
    if (is && positions[slot] < oldest) {
      oldest = positions[slot];
      found = slot;
    }
  }
  return found;
}

#endif

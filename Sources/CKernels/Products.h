// Matrix products over tiles, built on what each instruction set defines before it includes this
// file (Attention.h uses the same):
//
//   dots_int8(w, quads, x, rows, ahead, dot)
//     dot[row][lane] = sum over k < 4 * quads of w[k / 4][lane][k % 4] * quants[row][k]
//   dots_int4(w, octets, x, format, rows, ahead, dot)
//     dot[row][lane] = sum over k < 8 * octets of (nibble(w, lane, k) - z) * quants[row][k], where
//     z is 8 for INT4 and 0 for INT4_ASYMMETRIC
//   KERNEL_WIDENS 1: with several rows dots_prepared takes int16 as widen leaves them, and
//   dots_int8 (of attention) what split leaves, with what it returns as starts
//   KERNEL_PREPARES 1: prepare and dots_prepared keep a group of weights unpacked for many rows
//   of a matmul
//   KERNEL_POSITIVE 1: dots_int8_positive(w, x, rows, ahead, dot), dots_int8 for 32 k of rows that
//   are not negative, is cheaper
//   KERNEL_INT8_TAKES_SUMS 1: dots_int8 needs the sums of quants
//
// `ahead`: each 64 bytes ask for those BYTES_AHEAD of them, where nothing else does. One by one, as
// a processor waits when it is asked for more lines at once than it fetches at a time.
// `rows`, a constant after inlining, is 1 or KERNEL_ROWS, the rows the set likes to take at once.
// Fewer rows than that repeat the last one, and nobody reads what comes of it.
#ifndef CKERNELS_PRODUCTS_H
#define CKERNELS_PRODUCTS_H

#include "Layout.h"
#include "Math.h"

#if !KERNEL_WIDENS
INLINE void widen(const int8_t *quants, int16_t *to) { (void)quants, (void)to; }
INLINE int32_t split(const int8_t *quants, int16_t *to) { return (void)quants, (void)to, 0; }
#endif

#if !KERNEL_POSITIVE
INLINE void dots_int8_positive(const uint8_t *w, const row_group *x, const int rows,
                               const int ahead, i32x16 *dot) {
  (void)w, (void)x, (void)rows, (void)ahead, (void)dot;
}
#endif

INLINE int takes_wide(const int format, const int rows) {
  return KERNEL_WIDENS && format == INT8 && rows > 1;
}

// Whether the sums of quants are looked at.
INLINE int takes_sums(const int format) { return format != INT8 || KERNEL_INT8_TAKES_SUMS; }

INLINE void dots(const uint8_t *w, const int format, const int length, const row_group *x,
                 const int rows, const int ahead, i32x16 *dot) {
  if (format == INT8) dots_int8(w, (length + 3) / 4, x, rows, ahead, dot);
  else dots_int4(w, (length + 7) / 8, x, format, rows, ahead, dot);
}

// Points at one group of the rows index[0], index[1] ...; wide quants, and quants that must lie
// side by side, go into `wide`; `splits`: split instead of widened.
INLINE void gather(const kernel_rows *x, const size_t *index, size_t group, const int format,
                   const int splits, const int rows, int16_t (*wide)[32], row_group *out) {
  for (int r = 0; r < rows; r++) {
    size_t at = index[r] * x->group_stride + group;
    const int8_t *quants = x->quants + index[r] * x->quant_stride + group * 32;
    out->quants[r] = quants;
    out->scales[r] = x->scales[at];
    if (takes_sums(format)) {
      out->sums[r] = x->sums[at];
      out->starts[r] = start_of(x->sums[at]);
    }
    if (takes_wide(format, rows) && splits) out->starts[r] = split(quants, wide[r]);
    else if (takes_wide(format, rows)) widen(quants, wide[r]);
    else if (KERNEL_PREPARES && rows > 1) __builtin_memcpy(wide[r], quants, 32);
    else continue;
    out->quants[r] = wide[r];
  }
}

// Adds one group to the accumulators, from its integer products.
INLINE void accumulate(const i32x16 *dot, f32x16 scale, f32x16 minimum, const row_group *x,
                       const int format, const int rows, f32x16 *acc) {
  for (int r = 0; r < rows; r++) acc[r] = fused(to_float(dot[r]), scale * x->scales[r], acc[r]);
  if (format != INT4_ASYMMETRIC) return;
  for (int r = 0; r < rows; r++)
    acc[r] = fused((f32x16)(float)x->sums[r], minimum * x->scales[r], acc[r]);
}

// The rows first, first + 1 ... of `rows`, of which `count` exist.
INLINE void row_indices(size_t first, size_t count, const int rows, size_t *index) {
  for (int r = 0; r < rows; r++) index[r] = smaller_size(first + (size_t)r, count - 1);
}

// One group for one token.
INLINE void token_group(const kernel_rows *x, const weight_group *at, size_t g, const int format,
                        f32x16 *acc) {
  const size_t index = 0;
  i32x16 dot;
  row_group row;
  gather(x, &index, g, format, 0, 1, NULL, &row);
  dots(at->quants, format, 32, &row, 1, 0, &dot);
  f32x16 minimum = format == INT4_ASYMMETRIC ? load_halves(at->minimums) : (f32x16)0.0f;
  accumulate(&dot, load_halves(at->scales), minimum, &row, format, 1, acc);
}

// One token: the weights pass through registers once, in the order of their addresses. That is one
// stream, which processors read ahead by themselves better than prefetches do (measured).
INLINE void matmul_token(const kernel_matmul *m, const uint8_t *tile, float *output,
                         const int format) {
  const size_t pair_bytes = 2 * (group_quant_bytes(format) + group_parameter_bytes(format));
  f32x16 acc = 0.0f;
  size_t g = 0;
  for (; g + 2 <= m->groups; g += 2, tile += pair_bytes) {
    // With two groups known to be there the places are constants.
    const weight_group first = weight_group_at(tile, 2, 0, format);
    const weight_group second = weight_group_at(tile, 2, 1, format);
    token_group(&m->tokens, &first, g, format, &acc);
    token_group(&m->tokens, &second, g + 1, format, &acc);
  }
  if (g < m->groups) {
    const weight_group last = weight_group_at(tile, 1, 0, format);
    token_group(&m->tokens, &last, g, format, &acc);
  }
  store16(output, acc);
}

// A block of tiles and tokens whose accumulators and unpacked groups stay in the first cache.
enum { BLOCK_TILES = 12, BLOCK_SETS = 32 / KERNEL_ROWS };

typedef struct {
  _Alignas(64) float acc[BLOCK_TILES][BLOCK_SETS][KERNEL_ROWS][16];
  _Alignas(64) int16_t wide[BLOCK_SETS][KERNEL_ROWS][32];
  _Alignas(64) row_group rows[BLOCK_SETS];
} block_state;

INLINE void block_group(const kernel_matmul *m, const uint8_t *tile, size_t group, size_t sets,
                        float (*sums)[KERNEL_ROWS][16], const row_group *rows, const int format) {
  const weight_group at = weight_group_at(tile, m->groups, group, format);
  const f32x16 scale = load_halves(at.scales);
  const f32x16 minimum = format == INT4_ASYMMETRIC ? load_halves(at.minimums) : (f32x16)0.0f;
#if KERNEL_PREPARES
  prepared_group prepared;
  prepare(at.quants, format, &prepared);
#endif
  for (size_t s = 0; s < sets; s++) {
    i32x16 dot[KERNEL_ROWS];
    f32x16 acc[KERNEL_ROWS];
#if KERNEL_PREPARES
    dots_prepared(&prepared, format, &rows[s], dot);
#else
    dots(at.quants, format, 32, &rows[s], KERNEL_ROWS, 0, dot);
#endif
    for (int r = 0; r < KERNEL_ROWS; r++) acc[r] = load16(sums[s][r]);
    accumulate(dot, scale, minimum, &rows[s], format, KERNEL_ROWS, acc);
    for (int r = 0; r < KERNEL_ROWS; r++) store16(sums[s][r], acc[r]);
  }
}

INLINE void matmul_block(const kernel_matmul *m, size_t tile, size_t tiles, size_t token,
                         size_t tokens, const int format) {
  block_state state;
  const size_t sets = (tokens + KERNEL_ROWS - 1) / KERNEL_ROWS;
  for (size_t n = 0; n < tiles; n++) __builtin_memset(state.acc[n], 0, sets * sizeof *state.acc[n]);
  for (size_t g = 0; g < m->groups; g++) {
    for (size_t s = 0; s < sets; s++) {
      size_t index[KERNEL_ROWS];
      row_indices(token + s * KERNEL_ROWS, token + tokens, KERNEL_ROWS, index);
      gather(&m->tokens, index, g, format, 0, KERNEL_ROWS, state.wide[s], &state.rows[s]);
    }
    for (size_t n = 0; n < tiles; n++)
      block_group(m, m->tiles + (tile + n) * m->tile_bytes, g, sets, state.acc[n], state.rows,
                  format);
  }
  for (size_t n = 0; n < tiles; n++)
    for (size_t t = 0; t < tokens; t++) {
      float *to = m->output + (token + t) * m->output_stride + (tile + n) * 16;
      store16(to, load16(state.acc[n][t / KERNEL_ROWS][t % KERNEL_ROWS]));
    }
}

INLINE void matmul(const kernel_matmul *m, const int format) {
  const size_t block = BLOCK_SETS * KERNEL_ROWS;
  if (m->tokens.rows == 1) {
    for (size_t t = 0; t < m->tile_count; t++)
      matmul_token(m, m->tiles + t * m->tile_bytes, m->output + t * 16, format);
    return;
  }
  for (size_t tile = 0; tile < m->tile_count; tile += BLOCK_TILES)
    for (size_t token = 0; token < m->tokens.rows; token += block)
      matmul_block(m, tile, smaller_size(BLOCK_TILES, m->tile_count - tile), token,
                   smaller_size(block, m->tokens.rows - token), format);
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul(m, INT4); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul(m, INT4_ASYMMETRIC); }

#endif

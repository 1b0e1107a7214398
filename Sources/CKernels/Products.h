// Matrix products over tiles, built on what each instruction set defines before it includes this
// file (Attention.h uses the same):
//
//   dots_int8(w, quads, x, rows, ahead, dot)
//     dot[row][lane] = sum over k < 4 * quads of w[k / 4][lane][k % 4] * quants[row][k]
//   dots_int4(w, x, format, ahead, dot)
//     dot[strip][lane] = sum over k < 32 of (nibble(w, strip, lane, k) - z) * quants[0][k] as a
//     float for a group of weights, where z is 8 for INT4 and 0 for INT4_ASYMMETRIC
//   dots_cached_int4(w, octets, x, rows, ahead, dot)
//     dot[row][lane] = sum over k < 8 * octets of (nibble(w, lane, k) - 8) * quants[row][k] for
//     keys or values
//   KERNEL_WIDENS 1: with several rows dots_prepared takes int16 as widen leaves them, and
//   dots_int8 (of attention) what split leaves, with what it returns as starts
//   KERNEL_POSITIVE: how many tiles dots_int8_positive(w, x, rows, tiles, asked, ahead, dot) takes
//   at most; 0: there is none. It is dots_int8 for 32 k of rows that are not negative, cheaper;
//   dot[tile * rows + row]; the first `asked` tiles ask for nothing
//   KERNEL_TILE_PAIRS: pair_dots_int8(w, tile_bytes, quads, x, rows, asked, dot) and pair_dots_int4
//   with octets are dots_int8 and dots_cached_int4 for two tiles, tile_bytes apart;
//   dot[tile * rows + row]. They ask for the lines from `asked` on, one after the other, and for
//   the tile behind the second one
//   KERNEL_BIAS: what dots_int8 adds to weights to make them unsigned, or 0
//   KERNEL_ASKS_AHEAD 1: asks for the weights of one token ahead of their use. They are one stream,
//   which some processors read ahead best by themselves (measured: Zen 4 does, Zen 5 does not)
//   KERNEL_STRIPS more than 1: there are registers for the products of so many strips with
//   KERNEL_STRIP_ROWS rows and for what they add up to; strip_dots(w, format, first, strips, x,
//   sums, rows, ahead, dot), dot[n * rows + row] as above and as floats, for a group of strips
//   first, first + 1 ... of the tiles whose groups lie at w[0], w[1] ...
//   KERNEL_STRIPS 1: prepare(w, format, to) unpacks a group of weights for many rows, each strip to
//   one of `to`; dots_prepared(to, format, x, dot) are products of one with KERNEL_ROWS of them
//
// `ahead`: how far from them each 64 bytes ask for others, 0 for none. Line by line, as a processor
// waits for, or forgets, what it is asked for beyond the lines that it fetches at a time.
// `rows`, a constant after inlining, is at most KERNEL_ROWS, the rows the set likes to take at
// once, a divisor of KERNEL_BLOCK_ROWS. Where there are fewer, the rest is whatever lies in the
// block, and nobody reads what comes of it.
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
                               const int tiles, const int asked, ptrdiff_t ahead, i32x16 *dot) {
  (void)w, (void)x, (void)rows, (void)tiles, (void)asked, (void)ahead, (void)dot;
}
#endif

#if !defined(KERNEL_TILE_PAIRS)
INLINE void pair_dots_int8(const uint8_t *w, size_t tile_bytes, int quads, const row_group *x,
                           const int rows, const uint8_t *asked, i32x16 *dot) {
  (void)w, (void)tile_bytes, (void)quads, (void)x, (void)rows, (void)asked, (void)dot;
}
INLINE void pair_dots_int4(const uint8_t *w, size_t tile_bytes, int octets, const row_group *x,
                           const int rows, const uint8_t *asked, i32x16 *dot) {
  (void)w, (void)tile_bytes, (void)octets, (void)x, (void)rows, (void)asked, (void)dot;
}
#endif

INLINE int takes_wide(const int format, const int rows) {
  return KERNEL_WIDENS && format == INT8 && rows > 1;
}

// Whether the sums of quants are looked at.
INLINE int takes_sums(const int format) { return format != INT8 || KERNEL_BIAS != 0; }

// Products with keys or values.
INLINE void cache_dots(const uint8_t *w, const int format, const int length, const row_group *x,
                       const int rows, ptrdiff_t ahead, i32x16 *dot) {
  if (format == INT8) dots_int8(w, (length + 3) / 4, x, rows, ahead, dot);
  else dots_cached_int4(w, (length + 7) / 8, x, rows, ahead, dot);
}

// The same for two tiles.
INLINE void pair_dots(const uint8_t *w, size_t tile_bytes, const int format, const int length,
                      const row_group *x, const int rows, const uint8_t *asked, i32x16 *dot) {
  if (format == INT8) pair_dots_int8(w, tile_bytes, (length + 3) / 4, x, rows, asked, dot);
  else pair_dots_int4(w, tile_bytes, (length + 7) / 8, x, rows, asked, dot);
}

// Quants of some rows, widened.
typedef int16_t wide_rows[KERNEL_ROWS][WIDE_BYTES / 2];

// Points at one group of some rows, the first of them at index `at`; wide quants go into `wide`;
// `splits`: split instead of widened.
INLINE void gather(const kernel_rows *x, size_t at, const int format, const int splits,
                   const int rows, wide_rows *wide, row_group *out) {
  const int8_t *quants = x->quants + at * 32;
  out->quants = quants;
  __builtin_memcpy(out->scales, x->scales + at, (size_t)rows * 4);
  if (takes_sums(format)) {
    __builtin_memcpy(out->sums, x->sums + at, (size_t)rows * 4);
    for (int r = 0; r < rows; r++) out->starts[r] = start_of(out->sums[r], format);
  }
  if (!takes_wide(format, rows)) return;
  for (int r = 0; r < rows; r++, quants += 32) {
    if (splits) out->starts[r] = split(quants, (*wide)[r]);
    else widen(quants, (*wide)[r]);
  }
  out->quants = wide;
}

// One sum and one group more.
INLINE f32x16 accumulated(f32x16 dot, f32x16 scale, f32x16 minimum, float x_scale, int32_t x_sum,
                          const int format, f32x16 acc) {
  acc = fused(dot, scale * x_scale, acc);
  return format == INT4_ASYMMETRIC ? fused((f32x16)(float)x_sum, minimum * x_scale, acc) : acc;
}

// Adds one group to the accumulators, from its integer products.
INLINE void accumulate(const i32x16 *dot, f32x16 scale, f32x16 minimum, const row_group *x,
                       const int format, const int rows, f32x16 *acc) {
  for (int r = 0; r < rows; r++)
    acc[r] = accumulated(to_float(dot[r]), scale, minimum, x->scales[r], x->sums[r], format,
                         acc[r]);
}

// The minimums of half a group, or zeros where the format has none.
INLINE f32x16 load_minimums(const weight_group *at, const int format, int strip) {
  return format == INT4_ASYMMETRIC ? load_halves(at->minimums + strip * 32) : (f32x16)0.0f;
}

// One group for one token.
INLINE void token_group(const kernel_rows *x, const weight_group *at, size_t g, const int format,
                        f32x16 *acc) {
  const ptrdiff_t ahead = KERNEL_ASKS_AHEAD ? BYTES_AHEAD : 0;
  i32x16 sum;
  f32x16 dot[STRIPS_MAX];
  row_group row;
  gather(x, g, format, 0, 1, NULL, &row);
  if (format == INT8) {
    dots_int8(at->quants, WEIGHT_STEPS, &row, 1, ahead, &sum);
    dot[0] = to_float(sum);
  } else {
    dots_int4(at->quants, &row, format, ahead, dot);
  }
  UNROLL for (int n = 0; n < tile_strips(format); n++)
    acc[n] = accumulated(dot[n], load_halves(at->scales + n * 32), load_minimums(at, format, n),
                         row.scales[0], row.sums[0], format, acc[n]);
}

// One token: the weights pass through registers once, in the order of their addresses.
INLINE void matmul_token(const kernel_matmul *m, const uint8_t *tile, float *output,
                         const int format) {
  const size_t step = format == INT8 ? 2 : 1, bytes = step * weight_group_bytes(format);
  f32x16 acc[STRIPS_MAX] = {0.0f, 0.0f};
  size_t g = 0;
  for (; g + step <= m->groups; g += step, tile += bytes) {
    // With both groups of a pair known to be there the places are constants.
    const weight_group first = weight_group_at(tile, step, 0, format);
    token_group(&m->tokens, &first, g, format, acc);
    if (step == 1) continue;
    const weight_group second = weight_group_at(tile, step, 1, format);
    token_group(&m->tokens, &second, g + 1, format, acc);
  }
  if (g < m->groups) {
    const weight_group last = weight_group_at(tile, 1, 0, format);
    token_group(&m->tokens, &last, g, format, acc);
  }
  for (int n = 0; n < tile_strips(format); n++) store16(output + n * 16, acc[n]);
}

#if KERNEL_STRIPS > 1
#include "MatmulRegisters.h"
#else
#include "MatmulBlocks.h"
#endif

INLINE void matmul(const kernel_matmul *m, const int format) {
  if (m->tokens.rows > 1) {
    matmul_tokens(m, format);
    return;
  }
  for (size_t t = 0; t < m->tile_count; t++)
    matmul_token(m, m->tiles + t * m->tile_bytes, m->output + t * tile_rows(format), format);
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul(m, INT4); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul(m, INT4_ASYMMETRIC); }

#endif

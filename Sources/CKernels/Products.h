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
//   KERNEL_POSITIVE: how many tiles dots_int8_positive(w, x, rows, tiles, asked, ahead, dot) takes
//   at most; 0: there is none. It is dots_int8 for 32 k of rows that are not negative, cheaper;
//   dot[tile * rows + row]; the first `asked` tiles ask for nothing
//   KERNEL_BIAS: what dots_int8 adds to weights to make them unsigned, or 0
//   KERNEL_ASKS_AHEAD 1: asks for the weights of one token ahead of their use. They are one stream,
//   which some processors read ahead best by themselves (measured: Zen 4 does, Zen 5 does not)
//   KERNEL_TILES more than 1: there are registers for the products of so many tiles with
//   KERNEL_TILE_ROWS rows and for what they add up to; add_products(w, steps, format, x, rows,
//   tiles, ahead, dot) adds those of `steps` times 64 bytes of each tile to dot[tile * rows + row]
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

INLINE int takes_wide(const int format, const int rows) {
  return KERNEL_WIDENS && format == INT8 && rows > 1;
}

// Whether the sums of quants are looked at.
INLINE int takes_sums(const int format) { return format != INT8 || KERNEL_BIAS != 0; }

INLINE void dots(const uint8_t *w, const int format, const int length, const row_group *x,
                 const int rows, ptrdiff_t ahead, i32x16 *dot) {
  if (format == INT8) dots_int8(w, (length + 3) / 4, x, rows, ahead, dot);
  else dots_int4(w, (length + 7) / 8, x, format, rows, ahead, dot);
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

// Adds one group to the accumulators, from its integer products.
INLINE void accumulate(const i32x16 *dot, f32x16 scale, f32x16 minimum, const row_group *x,
                       const int format, const int rows, f32x16 *acc) {
  for (int r = 0; r < rows; r++) acc[r] = fused(to_float(dot[r]), scale * x->scales[r], acc[r]);
  if (format != INT4_ASYMMETRIC) return;
  for (int r = 0; r < rows; r++)
    acc[r] = fused((f32x16)(float)x->sums[r], minimum * x->scales[r], acc[r]);
}

// One group for one token.
INLINE void token_group(const kernel_rows *x, const weight_group *at, size_t g, const int format,
                        f32x16 *acc) {
  i32x16 dot;
  row_group row;
  gather(x, g, format, 0, 1, NULL, &row);
  dots(at->quants, format, 32, &row, 1, KERNEL_ASKS_AHEAD ? BYTES_AHEAD : 0, &dot);
  f32x16 minimum = format == INT4_ASYMMETRIC ? load_halves(at->minimums) : (f32x16)0.0f;
  accumulate(&dot, load_halves(at->scales), minimum, &row, format, 1, acc);
}

// One token: the weights pass through registers once, in the order of their addresses.
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

#if KERNEL_TILES > 1
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
    matmul_token(m, m->tiles + t * m->tile_bytes, m->output + t * 16, format);
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul(m, INT4); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul(m, INT4_ASYMMETRIC); }

#endif

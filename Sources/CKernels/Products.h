// Matrix products over weight tiles, built on two primitives that each instruction set defines
// before it includes this file (Products of one tile group with `rows` rows of activations):
//
//   dots_int8(w, quads, x, stride, sums, sum_stride, rows, dot)
//     dot[row][lane] = sum over k < 4 * quads of w[k / 4][lane][k % 4] * x[row][k]
//   dots_int4(w, octets, x, stride, rows, dot)
//     dot[row][lane] = sum over k < 8 * octets of nibble(w, lane, k) * x[row][k]
//
// and on KERNEL_ROWS, the rows it likes to take at once.
#ifndef CKERNELS_PRODUCTS_H
#define CKERNELS_PRODUCTS_H

#include "Vector.h"

enum { INT8, INT4, INT4_ASYMMETRIC };

INLINE void dots(const uint8_t *w, const int format, const int length, const int8_t *x,
                 size_t stride, const int32_t *sums, size_t sum_stride, const int rows,
                 i32x16 *dot) {
  if (format == INT8) {
    dots_int8(w, (length + 3) / 4, x, stride, sums, sum_stride, rows, dot);
    return;
  }
  dots_int4(w, (length + 7) / 8, x, stride, rows, dot);
  if (format == INT4)
    for (int r = 0; r < rows; r++) dot[r] -= 8 * sums[(size_t)r * sum_stride];
}

INLINE f32x16 to_float(i32x16 v) { return __builtin_convertvector(v, f32x16); }

// One group of up to 32 k: adds to the accumulators of `rows` activation rows.
INLINE void accumulate(const uint8_t *quants, const uint8_t *scales, const uint8_t *minimums,
                       const int format, const int length, const kernel_rows *x, size_t row,
                       size_t group, const int rows, f32x16 *acc) {
  i32x16 dot[KERNEL_ROWS];
  size_t at = row * x->group_stride + group;
  dots(quants, format, length, x->quants + row * x->quant_stride + group * 32, x->quant_stride,
       x->sums + at, x->group_stride, rows, dot);
  f32x16 scale = load_halves(scales);
  for (int r = 0; r < rows; r++)
    acc[r] = fused(to_float(dot[r]), scale * x->scales[at + (size_t)r * x->group_stride], acc[r]);
  if (format != INT4_ASYMMETRIC) return;
  f32x16 minimum = load_halves(minimums);
  for (int r = 0; r < rows; r++) {
    size_t i = at + (size_t)r * x->group_stride;
    acc[r] = fused((f32x16)(float)x->sums[i], minimum * x->scales[i], acc[r]);
  }
}

INLINE void matmul_rows(const kernel_matmul *m, const uint8_t *tile, size_t lane, size_t token,
                        const int format, const int rows) {
  const size_t group_bytes = format == INT8 ? 512 : 256;
  const uint8_t *scales = tile + m->groups * group_bytes;
  const uint8_t *minimums = scales + m->groups * 32;
  f32x16 acc[KERNEL_ROWS];
  for (int r = 0; r < rows; r++) acc[r] = 0.0f;
  for (size_t g = 0; g < m->groups; g++)
    accumulate(tile + g * group_bytes, scales + g * 32, minimums + g * 32, format, 32, &m->tokens,
               token, g, rows, acc);
  for (int r = 0; r < rows; r++)
    store16(m->output + (token + (size_t)r) * m->output_stride + lane, acc[r]);
}

INLINE void matmul(const kernel_matmul *m, const int format) {
  for (size_t t = 0; t < m->tile_count; t++) {
    const uint8_t *tile = m->tiles + t * m->tile_bytes;
    size_t token = 0;
    for (; token + KERNEL_ROWS <= m->tokens.rows; token += KERNEL_ROWS)
      matmul_rows(m, tile, t * 16, token, format, KERNEL_ROWS);
    for (; token < m->tokens.rows; token++) matmul_rows(m, tile, t * 16, token, format, 1);
  }
}

static void matmul_int8(const kernel_matmul *m) { matmul(m, INT8); }
static void matmul_int4(const kernel_matmul *m) { matmul(m, INT4); }
static void matmul_int4_asymmetric(const kernel_matmul *m) { matmul(m, INT4_ASYMMETRIC); }

INLINE void dequantize_row(const uint8_t *tile, size_t groups, size_t row, float *y,
                           const int format) {
  const size_t group_bytes = format == INT8 ? 512 : 256;
  const uint8_t *scales = tile + groups * group_bytes;
  for (size_t g = 0; g < groups; g++) {
    const uint8_t *quants = tile + g * group_bytes + row * 4;
    float scale = load_halves(scales + g * 32)[row];
    float minimum = 0.0f;
    if (format == INT4_ASYMMETRIC) minimum = load_halves(scales + (groups + g) * 32)[row];
    for (size_t k = 0; k < 32; k++) {
      if (format == INT8) {
        y[g * 32 + k] = (float)(int8_t)quants[k / 4 * 64 + k % 4] * scale;
        continue;
      }
      int nibble = quants[k / 8 * 64 + k % 4] >> (k % 8 & 4) & 15;
      y[g * 32 + k] = format == INT4 ? (float)(nibble - 8) * scale : (float)nibble * scale + minimum;
    }
  }
}

static void row_int8(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT8);
}
static void row_int4(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT4);
}
static void row_int4_asymmetric(const uint8_t *tile, size_t groups, size_t row, float *y) {
  dequantize_row(tile, groups, row, y, INT4_ASYMMETRIC);
}

#endif

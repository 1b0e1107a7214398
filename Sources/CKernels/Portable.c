#pragma STDC FP_CONTRACT OFF
// Plain C: runs everywhere, slow where fmaf is a library call.
//
// Every ARM64 processor has Neon, and its sets take all but the products from here: there the
// portable set is that of Neon, and no board carries products that it never runs.

#define SET(name) portable_##name
#include "Common.h"

#if !defined(__aarch64__)
#define KERNEL_ROWS 2
#define KERNEL_FEW_ROWS 1
#define KERNEL_WIDENS 0
#define KERNEL_POSITIVE 0
#define KERNEL_BIAS 0
#define KERNEL_ASKS_AHEAD 0
#define KERNEL_STRIPS 1
#include "Rows.h"

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      ptrdiff_t ahead, i32x16 *dot) {
  (void)ahead;
  for (int r = 0; r < rows; r++) {
    const int8_t *xr = quants_of(x, r);
    int32_t sum[16] = {0};
    for (int k = 0; k < 4 * quads; k++)
      for (int lane = 0; lane < 16; lane++)
        sum[lane] += (int8_t)w[k / 4 * 64 + lane * 4 + k % 4] * xr[k];
    __builtin_memcpy(&dot[r], sum, sizeof sum);
  }
}

INLINE void dots_cached_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                             ptrdiff_t ahead, i32x16 *dot) {
  uint8_t quants[WEIGHT_QUANT_BYTES];
  for (int i = 0; i < octets * 64; i++) {
    quants[i / 64 * 128 + i % 64] = w[i] & 15;
    quants[i / 64 * 128 + 64 + i % 64] = w[i] >> 4;
  }
  dots_int8(quants, 2 * octets, x, rows, ahead, dot);
  for (int r = 0; r < rows; r++) dot[r] += x->starts[r];
}

// A strip of a group of weights as bytes.
typedef struct {
  uint8_t quants[WEIGHT_QUANT_BYTES];
} prepared_strip;

INLINE void prepare(const uint8_t *w, const int format, prepared_strip *to) {
  for (int i = 0; i < WEIGHT_QUANT_BYTES; i++) {
    to[0].quants[i] = format == INT8 ? w[i] : w[i] & 15;
    if (format != INT8) to[1].quants[i] = w[i] >> 4 ^ 8;
  }
}

INLINE void dots_prepared(const prepared_strip *w, const int format, const row_group *x,
                          i32x16 *dot) {
  dots_int8(w->quants, WEIGHT_STEPS, x, KERNEL_ROWS, 0, dot);
  for (int r = 0; r < KERNEL_ROWS && format != INT8; r++) dot[r] += x->starts[r];
}

INLINE void dots_int4(const uint8_t *w, const row_group *x, const int format, ptrdiff_t ahead,
                      f32x16 *dot) {
  prepared_strip strips[STRIPS_MAX];
  prepare(w, format, strips);
  for (int n = 0; n < STRIPS_MAX; n++) {
    i32x16 sum;
    dots_int8(strips[n].quants, WEIGHT_STEPS, x, 1, ahead, &sum);
    dot[n] = to_float(sum + x->starts[0]);
  }
}

#include "Attention.h"
#include "Table.h"

KERNEL_TABLE(kernel_table_portable, portable);

#endif

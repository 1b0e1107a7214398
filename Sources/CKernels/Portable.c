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
#define KERNEL_PREPARES 0
#define KERNEL_POSITIVE 0
#define KERNEL_BIAS 0
#define KERNEL_ASKS_AHEAD 0
#define KERNEL_TILES 1
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

INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int format,
                      const int rows, ptrdiff_t ahead, i32x16 *dot) {
  (void)format, (void)ahead;
  for (int r = 0; r < rows; r++) {
    const int8_t *xr = quants_of(x, r);
    i32x16 start = x->starts[r];
    int32_t sum[16];
    __builtin_memcpy(sum, &start, sizeof sum);
    for (int k = 0; k < 8 * octets; k++)
      for (int lane = 0; lane < 16; lane++)
        sum[lane] += (w[k / 8 * 64 + lane * 4 + k % 4] >> (k & 4) & 15) * xr[k];
    __builtin_memcpy(&dot[r], sum, sizeof sum);
  }
}

#include "Attention.h"
#include "Table.h"

KERNEL_TABLE(kernel_table_portable, portable);

#endif

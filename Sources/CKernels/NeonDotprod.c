#pragma STDC FP_CONTRACT OFF
// ARMv8.2 with the dot product: Cortex-A55, A76 and later.
#if defined(__aarch64__)

#define KERNEL_HALVES
#include <arm_neon.h>

#pragma clang attribute push(__attribute__((target("arch=armv8.2-a+dotprod"))), apply_to = function)

#include "Neon.h"

#define KERNEL_ROWS 4
#define KERNEL_FEW_ROWS 1
#define KERNEL_WIDENS 0
#define KERNEL_PREPARES 0
#define KERNEL_INT8_TAKES_SUMS 0
#include "Rows.h"

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      i32x16 *dot) {
  int32x4_t sum[KERNEL_ROWS][4];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++) sum[r][i] = vdupq_n_s32(0);
  for (int q = 0; q < quads; q++)
    for (int r = 0; r < rows; r++) {
      int8x16_t xv = broadcast4(quants_of(x, r) + q * 4);
      for (int i = 0; i < 4; i++)
        sum[r][i] = vdotq_s32(sum[r][i], load_quants(w + q * 64 + i * 16), xv);
    }
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++) set_part(&dot[r], i, sum[r][i]);
}

INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                      i32x16 *dot) {
  const int8x16_t mask = vdupq_n_s8(15);
  int32x4_t sum[KERNEL_ROWS][4];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++) sum[r][i] = vdupq_n_s32(0);
  for (int o = 0; o < octets; o++) {
    int8x16_t low[4], high[4];
    for (int i = 0; i < 4; i++) {
      int8x16_t bytes = load_quants(w + o * 64 + i * 16);
      low[i] = vandq_s8(bytes, mask);
      high[i] = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(bytes), 4));
    }
    for (int r = 0; r < rows; r++) {
      const int8_t *xr = quants_of(x, r) + o * 8;
      int8x16_t x0 = broadcast4(xr), x1 = broadcast4(xr + 4);
      for (int i = 0; i < 4; i++) {
        sum[r][i] = vdotq_s32(sum[r][i], low[i], x0);
        sum[r][i] = vdotq_s32(sum[r][i], high[i], x1);
      }
    }
  }
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++) set_part(&dot[r], i, sum[r][i]);
}

#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_dotprod, portable);

#endif

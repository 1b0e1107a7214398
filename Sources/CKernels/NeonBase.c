#pragma STDC FP_CONTRACT OFF
// ARMv8.0 with Advanced SIMD: Cortex-A53, A72.
#if defined(__aarch64__)

#define KERNEL_HALVES
#include "Neon.h"

#define KERNEL_ROWS 2
#define KERNEL_FEW_ROWS 1
#define KERNEL_WIDENS 0
#define KERNEL_PREPARES 0
#define KERNEL_INT8_TAKES_SUMS 0
#include "Rows.h"

// Keeps both halves of a broadcast, so that smull2 and smlal2 are used instead of moving the upper
// halves of the weights down first.
INLINE int8x16_t broadcast_both(const int8_t *x) {
  int8x16_t v = broadcast4(x);
  __asm__("" : "+w"(v));
  return v;
}

// Two products of quants fit 16 bits (2 * 127 * 127 = 32,258): smull + smlal, then sadalp.
INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      i32x16 *dot) {
  int32x4_t sum[KERNEL_ROWS][8];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s32(0);
  for (int q = 0; q < quads; q += 2, w += 128) {
    const int paired = q + 1 < quads;
    for (int r = 0; r < rows; r++) {
      const int8_t *xr = quants_of(x, r) + q * 4;
      int8x16_t x0 = broadcast_both(xr), x1 = paired ? broadcast_both(xr + 4) : x0;
      for (int i = 0; i < 4; i++) {
        int8x16_t w0 = load_quants(w + i * 16);
        int16x8_t low = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
        int16x8_t high = vmull_high_s8(w0, x0);
        if (paired) {
          int8x16_t w1 = load_quants(w + 64 + i * 16);
          low = vmlal_s8(low, vget_low_s8(w1), vget_low_s8(x1));
          high = vmlal_high_s8(high, w1, x1);
        }
        sum[r][2 * i] = vpadalq_s16(sum[r][2 * i], low);
        sum[r][2 * i + 1] = vpadalq_s16(sum[r][2 * i + 1], high);
      }
    }
  }
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++)
      set_part(&dot[r], i, vpaddq_s32(sum[r][2 * i], sum[r][2 * i + 1]));
}

// A whole group of nibbles fits 16 bits (8 * 15 * 127 = 15,240).
INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                      i32x16 *dot) {
  const int8x16_t mask = vdupq_n_s8(15);
  int16x8_t sum[KERNEL_ROWS][8];
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 8; i++) sum[r][i] = vdupq_n_s16(0);
  for (int o = 0; o < octets; o++) {
    for (int i = 0; i < 4; i++) {
      int8x16_t bytes = load_quants(w + o * 64 + i * 16);
      int8x16_t low = vandq_s8(bytes, mask);
      int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(bytes), 4));
      for (int r = 0; r < rows; r++) {
        const int8_t *xr = quants_of(x, r) + o * 8;
        int8x16_t x0 = broadcast_both(xr), x1 = broadcast_both(xr + 4);
        int16x8_t *s = sum[r] + 2 * i;
        s[0] = vmlal_s8(s[0], vget_low_s8(low), vget_low_s8(x0));
        s[1] = vmlal_high_s8(s[1], low, x0);
        s[0] = vmlal_s8(s[0], vget_low_s8(high), vget_low_s8(x1));
        s[1] = vmlal_high_s8(s[1], high, x1);
      }
    }
  }
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < 4; i++)
      set_part(&dot[r], i, vpaddq_s32(vpaddlq_s16(sum[r][2 * i]), vpaddlq_s16(sum[r][2 * i + 1])));
}

#include "Attention.h"
#include "Table.h"

KERNEL_TABLE(kernel_table_neon, portable);

#endif

#pragma STDC FP_CONTRACT OFF
// x86-64 with AVX-512 VNNI: Ice Lake, Zen 4 and later servers.
//
// KERNEL_EMULATE_AVX512, for tests on machines without it: a header included before replaces the
// intrinsics, and everything else is AVX2.
#if defined(__x86_64__)

#include <immintrin.h>

#if defined(KERNEL_EMULATE_AVX512)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma clang attribute push(                                                                   \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c"))),                \
    apply_to = function)
#endif

#define KERNEL_HALVES
#define KERNEL_ROWS 8
#define KERNEL_FEW_ROWS 3
#define KERNEL_WIDENS 0
#define KERNEL_PREPARES 0
#define KERNEL_POSITIVE 2
#define KERNEL_BIAS 128
#define KERNEL_ASKS_AHEAD 1
#define KERNEL_TILES 3
#define KERNEL_TILE_ROWS 4
#include "Rows.h"

typedef uint8_t u8x64 __attribute__((ext_vector_type(64)));

INLINE u8x64 load64(const uint8_t *p) {
  u8x64 v;
  __builtin_memcpy(&v, p, 64);
  return v;
}

INLINE i32x16 broadcast4(const int8_t *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return (i32x16)four;
}

// sum[lane] += w[lane][0 ... 3] * x[lane][0 ... 3]: vpdpbusd.
INLINE i32x16 dot_bytes(i32x16 sum, u8x64 w, i32x16 x) {
  return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}

// Adds 64 bytes of each tile: 4 k of int8, 8 k of int4. vpdpbusd takes one unsigned side: int8
// weights plus 128, nibbles as they are.
INLINE void add_step(const uint8_t *const *w, int step, const int format, const int8_t *x,
                     const int rows, const int tiles, ptrdiff_t ahead, i32x16 *dot) {
  u8x64 low[KERNEL_TILES], high[KERNEL_TILES];
  x += step * (format == INT8 ? 4 : 8);
  UNROLL for (int n = 0; n < tiles; n++) {
    ask_ahead(w[n] + step * 64, ahead);
    const u8x64 bytes = load64(w[n] + step * 64);
    low[n] = format == INT8 ? bytes ^ (uint8_t)KERNEL_BIAS : bytes & (uint8_t)15;
    high[n] = bytes >> (uint8_t)4;
  }
  UNROLL for (int r = 0; r < rows; r++) {
    const i32x16 four = broadcast4(x + r * ROW_BYTES);
    UNROLL for (int n = 0; n < tiles; n++)
      dot[n * rows + r] = dot_bytes(dot[n * rows + r], low[n], four);
  }
  UNROLL for (int r = 0; r < rows && format != INT8; r++) {
    const i32x16 four = broadcast4(x + r * ROW_BYTES + 4);
    UNROLL for (int n = 0; n < tiles; n++)
      dot[n * rows + r] = dot_bytes(dot[n * rows + r], high[n], four);
  }
}

INLINE void add_products(const uint8_t *const *w, int steps, const int format, const int8_t *x,
                         const int rows, const int tiles, ptrdiff_t ahead, i32x16 *dot) {
  if (rows == 1) {
    for (int step = 0; step < steps; step++) add_step(w, step, format, x, 1, tiles, ahead, dot);
    return;
  }
#pragma clang loop unroll(disable)  // two steps would be held in more registers than there are
  for (int step = 0; step < steps; step++) add_step(w, step, format, x, rows, tiles, ahead, dot);
}

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      ptrdiff_t ahead, i32x16 *dot) {
  UNROLL for (int r = 0; r < rows; r++) dot[r] = x->starts[r];
  add_products(&w, quads, INT8, quants_of(x, 0), rows, 1, ahead, dot);
}

// Rows that are not negative are the unsigned side as they are.
INLINE void dots_int8_positive(const uint8_t *w, const row_group *x, const int rows,
                               const int tiles, const int asked, ptrdiff_t ahead, i32x16 *dot) {
  UNROLL for (int i = 0; i < tiles * rows; i++) dot[i] = 0;
  for (int step = 0; step < 8; step++) {
    i32x16 weights[KERNEL_POSITIVE];
    UNROLL for (int n = 0; n < tiles; n++) {
      const uint8_t *line = w + n * 512 + step * 64;
      if (n >= asked) ask_ahead(line, ahead);
      weights[n] = (i32x16)load64(line);
    }
    UNROLL for (int r = 0; r < rows; r++) {
      const u8x64 four = (u8x64)broadcast4(quants_of(x, r) + step * 4);
      UNROLL for (int n = 0; n < tiles; n++)
        dot[n * rows + r] = dot_bytes(dot[n * rows + r], four, weights[n]);
    }
  }
}

INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int format,
                      const int rows, ptrdiff_t ahead, i32x16 *dot) {
  UNROLL for (int r = 0; r < rows; r++) dot[r] = x->starts[r];
  add_products(&w, octets, format, quants_of(x, 0), rows, 1, ahead, dot);
}

#define SET(name) avx512vnni_##name
#include "Common.h"
#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx512vnni, avx512vnni);

#endif

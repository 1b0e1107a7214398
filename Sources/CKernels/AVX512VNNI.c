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
#define KERNEL_FEW_ROWS 4
#define KERNEL_WIDENS 0
#define KERNEL_PREPARES 0
#define KERNEL_POSITIVE 0
#define KERNEL_INT8_TAKES_SUMS 1
#include "Layout.h"
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

// vpdpbusd takes one unsigned side: weights plus 128, and 128 times the sum of x comes off again.
INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      const int ahead, i32x16 *dot) {
  for (int r = 0; r < rows; r++) dot[r] = -128 * x->sums[r];
  for (int q = 0; q < quads; q++) {
    if (ahead) ask_ahead(w + q * 64, 64);
    u8x64 biased = load64(w + q * 64) ^ (uint8_t)0x80;
    for (int r = 0; r < rows; r++)
      dot[r] = dot_bytes(dot[r], biased, broadcast4(quants_of(x, r) + q * 4));
  }
}

INLINE void dots_int4(const uint8_t *w, int octets, const row_group *x, const int format,
                      const int rows, const int ahead, i32x16 *dot) {
  for (int r = 0; r < rows; r++) dot[r] = format == INT4 ? -8 * x->sums[r] : 0;
  for (int o = 0; o < octets; o++) {
    if (ahead) ask_ahead(w + o * 64, 64);
    u8x64 bytes = load64(w + o * 64);
    u8x64 low = bytes & (uint8_t)15, high = bytes >> (uint8_t)4;
    for (int r = 0; r < rows; r++) {
      const int8_t *xr = quants_of(x, r) + o * 8;
      dot[r] = dot_bytes(dot_bytes(dot[r], low, broadcast4(xr)), high, broadcast4(xr + 4));
    }
  }
}

#define SET(name) avx512vnni_##name
#include "Common.h"
#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx512vnni, avx512vnni);

#endif

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
#define KERNEL_TILE_PAIRS
#define KERNEL_ROWS 8
#define KERNEL_FEW_ROWS 3
#define KERNEL_WIDENS 0
#define KERNEL_POSITIVE 2
#define KERNEL_BIAS 128
#define KERNEL_ASKS_AHEAD 1
#define KERNEL_STRIPS 3
#define KERNEL_STRIP_ROWS 4
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

// Strip 1 of 64 bytes of int4, times 16. Left to itself the compiler makes one instruction of it,
// which some processors (Zen 5) run where they multiply, and a saturating one not.
INLINE u8x64 high_nibbles(u8x64 bytes, u8x64 low) {
  return __builtin_elementwise_sub_sat(bytes, low) ^ (uint8_t)128;
}

// What strips of int4 add up to starts at the bits of a float whose last bit is worth 1 (strip 0)
// or 1/16 (strip 1, whose products are 16 times what they should be): 1.5 * 2^23 or 1.5 * 2^19.
// Then only this float has to come off. Products of a group are below 2^22.
INLINE f32x16 dot_to_float(i32x16 dot, const int format, const int strip) {
  if (format == INT8) return to_float(dot);
  return (f32x16)dot - (strip == 0 ? 12582912.0f : 786432.0f);
}

// Where the products of some rows with either strip start.
typedef struct {
  int32_t strips[STRIPS_MAX][KERNEL_ROWS];
} dot_starts;

INLINE dot_starts starts_of(const int32_t *sums, const int format, const int rows) {
  dot_starts to;
  for (int r = 0; r < rows; r++) {
    const int32_t start = start_of(sums[r], format);
    to.strips[0][r] = format == INT8 ? start : 0x4B400000 + start;
    to.strips[1][r] = 0x49400000 + 16 * start;
  }
  // By way of memory: from there a broadcast costs less than from a general register.
  if (rows > 1 && zero_point(format) != 0) __asm__("" : "+m"(to));
  return to;
}

// Adds four k of some strips of consecutive tiles. vpdpbusd takes one unsigned side: int8 weights
// plus 128, nibbles.
INLINE void add_step(const uint8_t *const *w, int step, const int format, const int first,
                     const int strips, const int8_t *x, const int rows, ptrdiff_t ahead,
                     i32x16 *dot) {
  u8x64 quants[KERNEL_STRIPS];
  UNROLL for (int n = 0; n < strips; n++) {
    const int tile = (first + n) / tile_strips(format), strip = (first + n) % tile_strips(format);
    const u8x64 bytes = load64(w[tile] + step * 64), low = bytes & (uint8_t)15;
    if (n == 0 || strip == 0) ask_ahead(w[tile] + step * 64, ahead);
    if (format == INT8) quants[n] = bytes ^ (uint8_t)KERNEL_BIAS;
    else quants[n] = strip == 0 ? low : high_nibbles(bytes, low);
  }
  UNROLL for (int r = 0; r < rows; r++) {
    const i32x16 four = broadcast4(x + step * 4 + r * ROW_BYTES);
    UNROLL for (int n = 0; n < strips; n++)
      dot[n * rows + r] = dot_bytes(dot[n * rows + r], quants[n], four);
  }
}

INLINE void strip_dots(const uint8_t *const *w, const int format, const int first, const int strips,
                       const int8_t *x, const int32_t *sums, const int rows, ptrdiff_t ahead,
                       f32x16 *dot) {
  i32x16 sum[KERNEL_STRIPS * KERNEL_ROWS];
  const dot_starts starts = starts_of(sums, format, rows);
  UNROLL for (int n = 0; n < strips; n++)
    UNROLL for (int r = 0; r < rows; r++)
      sum[n * rows + r] = starts.strips[(first + n) % tile_strips(format)][r];
  if (rows == 1) {
    for (int step = 0; step < WEIGHT_STEPS; step++)
      add_step(w, step, format, first, strips, x, 1, ahead, sum);
  } else {
#pragma clang loop unroll_count(2)  // more would be held in more registers than there are
    for (int step = 0; step < WEIGHT_STEPS; step++)
      add_step(w, step, format, first, strips, x, rows, ahead, sum);
  }
  UNROLL for (int n = 0; n < strips; n++)
    UNROLL for (int r = 0; r < rows; r++)
      dot[n * rows + r] =
          dot_to_float(sum[n * rows + r], format, (first + n) % tile_strips(format));
}

INLINE void dots_int8(const uint8_t *w, int quads, const row_group *x, const int rows,
                      ptrdiff_t ahead, i32x16 *dot) {
  UNROLL for (int r = 0; r < rows; r++) dot[r] = x->starts[r];
  if (rows == 1) {
    for (int q = 0; q < quads; q++)
      add_step(&w, q, INT8, 0, 1, quants_of(x, 0), 1, ahead, dot);
    return;
  }
#pragma clang loop unroll(disable)
  for (int q = 0; q < quads; q++)
    add_step(&w, q, INT8, 0, 1, quants_of(x, 0), rows, ahead, dot);
}

// What goes with one line of either of two tiles: two lines that are read later, and once
// more the line of the tile behind them, should it have been forgotten.
INLINE void ask_for_pair(const uint8_t *w, size_t tile_bytes, const uint8_t *asked) {
  ask(asked);
  ask(asked + 64);
  ask(w + 2 * tile_bytes);
}

// Products of some rows with both tiles of a pair, of which one line each is loaded.
INLINE void add_pair(const u8x64 *w, const int8_t *x, const int rows, i32x16 *dot) {
  UNROLL for (int r = 0; r < rows; r++) {
    const i32x16 four = broadcast4(x + r * ROW_BYTES);
    dot[r] = dot_bytes(dot[r], w[0], four);
    dot[rows + r] = dot_bytes(dot[rows + r], w[1], four);
  }
}

INLINE void pair_dots_int8(const uint8_t *w, size_t tile_bytes, int quads, const row_group *x,
                           const int rows, const uint8_t *asked, i32x16 *dot) {
  UNROLL for (int i = 0; i < 2 * rows; i++) dot[i] = x->starts[i % rows];
#pragma clang loop unroll(disable)
  for (int q = 0; q < quads; q++, w += 64, asked += 128) {
    const u8x64 lines[2] = {load64(w) ^ (uint8_t)KERNEL_BIAS,
                            load64(w + tile_bytes) ^ (uint8_t)KERNEL_BIAS};
    ask_for_pair(w, tile_bytes, asked);
    add_pair(lines, quants_of(x, 0) + q * 4, rows, dot);
  }
}

INLINE void pair_dots_int4(const uint8_t *w, size_t tile_bytes, int octets, const row_group *x,
                           const int rows, const uint8_t *asked, i32x16 *dot) {
  UNROLL for (int i = 0; i < 2 * rows; i++) dot[i] = x->starts[i % rows];
#pragma clang loop unroll(disable)
  for (int o = 0; o < octets; o++, w += 64, asked += 128) {
    const u8x64 lines[2] = {load64(w), load64(w + tile_bytes)};
    const u8x64 low[2] = {lines[0] & (uint8_t)15, lines[1] & (uint8_t)15};
    const u8x64 high[2] = {lines[0] >> (uint8_t)4, lines[1] >> (uint8_t)4};
    ask_for_pair(w, tile_bytes, asked);
    add_pair(low, quants_of(x, 0) + o * 8, rows, dot);
    add_pair(high, quants_of(x, 0) + o * 8 + 4, rows, dot);
  }
}

// Rows that are not negative are the unsigned side as they are.
INLINE void dots_int8_positive(const uint8_t *w, const row_group *x, const int rows,
                               const int tiles, const int asked, ptrdiff_t ahead, i32x16 *dot) {
  UNROLL for (int i = 0; i < tiles * rows; i++) dot[i] = 0;
  for (int step = 0; step < 8; step++) {
    i32x16 weights[KERNEL_POSITIVE];
    UNROLL for (int n = 0; n < tiles; n++) {
      const uint8_t *line = w + (size_t)n * cache_group_bytes(INT8) + step * 64;
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

INLINE void dots_int4(const uint8_t *w, const row_group *x, const int format, ptrdiff_t ahead,
                      f32x16 *dot) {
  strip_dots(&w, format, 0, 2, quants_of(x, 0), x->sums, 1, ahead, dot);
}

// Eight k of keys or values.
INLINE void add_octet(const uint8_t *w, const int8_t *x, const int rows, ptrdiff_t ahead,
                      i32x16 *dot) {
  ask_ahead(w, ahead);
  const u8x64 bytes = load64(w), low = bytes & (uint8_t)15, high = bytes >> (uint8_t)4;
  UNROLL for (int r = 0; r < rows; r++)
    dot[r] = dot_bytes(dot[r], low, broadcast4(x + r * ROW_BYTES));
  UNROLL for (int r = 0; r < rows; r++)
    dot[r] = dot_bytes(dot[r], high, broadcast4(x + r * ROW_BYTES + 4));
}

INLINE void dots_cached_int4(const uint8_t *w, int octets, const row_group *x, const int rows,
                             ptrdiff_t ahead, i32x16 *dot) {
  const int8_t *quants = quants_of(x, 0);
  UNROLL for (int r = 0; r < rows; r++) dot[r] = x->starts[r];
  if (rows == 1) {
    for (int o = 0; o < octets; o++) add_octet(w + o * 64, quants + o * 8, 1, ahead, dot);
    return;
  }
#pragma clang loop unroll(disable)
  for (int o = 0; o < octets; o++) add_octet(w + o * 64, quants + o * 8, rows, ahead, dot);
}

#define SET(name) avx512vnni_##name
#include "Common.h"
#include "Attention.h"

#pragma clang attribute pop

#include "Table.h"

KERNEL_TABLE(kernel_table_avx512vnni, avx512vnni);

#endif

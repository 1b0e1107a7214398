// Sixteen lanes, whatever the instruction set: clang splits them into the registers there are.
//
// Included once per kernel file, after that file's target attribute has been pushed.
#ifndef CKERNELS_VECTOR_H
#define CKERNELS_VECTOR_H

#include "CKernels.h"

// Vectors are only passed to functions that are always inlined, so no calling convention matters.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef int8_t i8x16 __attribute__((ext_vector_type(16)));
#if defined(KERNEL_HALVES)
typedef _Float16 f16x16 __attribute__((ext_vector_type(16)));
#endif
typedef float f32x8 __attribute__((ext_vector_type(8)));
typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef float f32x2 __attribute__((ext_vector_type(2)));

#define INLINE static inline __attribute__((always_inline))

INLINE f32x16 load16(const float *p) {
  f32x16 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store16(float *p, f32x16 v) { __builtin_memcpy(p, &v, sizeof v); }

// The first `count` (0 ... 16) elements, the rest +0.
INLINE f32x16 load_some(const float *p, size_t count) {
  if (count >= 16) return load16(p);
  float a[16] = {0};
  for (size_t i = 0; i < count; i++) a[i] = p[i];
  return load16(a);
}

INLINE void store_some(float *p, f32x16 v, size_t count) {
  if (count >= 16) {
    store16(p, v);
    return;
  }
  float a[16];
  store16(a, v);
  for (size_t i = 0; i < count; i++) p[i] = a[i];
}

INLINE f32x16 bits_to_float(i32x16 v) { return (f32x16)v; }
INLINE i32x16 float_to_bits(f32x16 v) { return (i32x16)v; }
INLINE f32x16 select16(i32x16 mask, f32x16 yes, f32x16 no) {
  return (f32x16)((mask & (i32x16)yes) | (~mask & (i32x16)no));
}
INLINE f32x16 larger(f32x16 a, f32x16 b) { return select16(a > b, a, b); }
INLINE f32x16 magnitude(f32x16 v) { return (f32x16)((i32x16)v & 0x7FFFFFFF); }
INLINE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

// Nearest integer, ties to even, for magnitudes below 2^22.
INLINE i32x16 nearest(f32x16 v) { return (i32x16)(v + 12582912.0f) - 0x4B400000; }
INLINE f32x16 nearest_float(f32x16 v) { return (v + 12582912.0f) - 12582912.0f; }

// Lanes folded 16 -> 8 -> 4 -> 2 -> 1.
INLINE float fold(f32x16 v) {
  f32x8 a = v.lo + v.hi;
  f32x4 b = a.lo + a.hi;
  f32x2 c = b.lo + b.hi;
  return c.x + c.y;
}

INLINE float fold_largest(f32x16 v) {
  float a[16];
  store16(a, v);
  float m = a[0];
  for (int i = 1; i < 16; i++) m = a[i] > m ? a[i] : m;
  return m;
}

INLINE int32_t fold_int(i32x16 v) { return __builtin_reduce_add(v); }

// Half to float, exactly, for finite halves.
INLINE f32x16 half_to_float(u16x16 h) {
  i32x16 w = __builtin_convertvector(h, i32x16);
  i32x16 sign = (w & 0x8000) << 16;
  // The shifted bits read as a float are the half's value times 2^-112, subnormals included.
  f32x16 scaled = (f32x16)((w & 0x7FFF) << 13) * 0x1p112f;
  return (f32x16)((i32x16)scaled | sign);
}

// Sixteen finite halves; KERNEL_HALVES: the instruction set converts them itself.
INLINE f32x16 load_halves(const void *p) {
#if defined(KERNEL_HALVES)
  f16x16 h;
  __builtin_memcpy(&h, p, sizeof h);
  return __builtin_convertvector(h, f32x16);
#else
  u16x16 h;
  __builtin_memcpy(&h, p, sizeof h);
  return half_to_float(h);
#endif
}

INLINE float float_of_half(uint16_t h) {
  uint32_t bits = (uint32_t)(h & 0x7FFF) << 13;
  float scaled;
  __builtin_memcpy(&scaled, &bits, 4);
  scaled *= 0x1p112f;
  return h & 0x8000 ? -scaled : scaled;
}

// Float to half, nearest even, magnitudes above 65504 clamped to it.
INLINE uint16_t half_of_float(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  uint16_t sign = (uint16_t)(bits >> 16) & 0x8000;
  uint32_t m = bits & 0x7FFFFFFF;
  if (m > 0x477FE000) return sign | 0x7BFF;
  if (m >= 0x38800000) {
    uint32_t r = m - 0x38000000;
    return sign | (uint16_t)((r + 0xFFF + (r >> 13 & 1)) >> 13);
  }
  // Subnormal half: adding 1/2 leaves units of 2^-24, rounded to nearest even, in the low bits.
  float a;
  __builtin_memcpy(&a, &m, 4);
  a += 0.5f;
  __builtin_memcpy(&m, &a, 4);
  return sign | (uint16_t)(m - 0x3F000000);
}

#endif

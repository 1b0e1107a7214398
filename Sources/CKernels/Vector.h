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

// Before a loop whose arrays are to be registers.
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE f32x16 load16(const float *p) {
  f32x16 v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store16(float *p, f32x16 v) { __builtin_memcpy(p, &v, sizeof v); }

// The first `count` elements, the rest +0.
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

INLINE f32x16 larger(f32x16 a, f32x16 b) { return a > b ? a : b; }
INLINE f32x16 clamped(f32x16 v, f32x16 low, f32x16 high) {
  return v < low ? low : (v > high ? high : v);
}
INLINE f32x16 magnitude(f32x16 v) { return (f32x16)((i32x16)v & 0x7FFFFFFF); }
INLINE f32x16 fused(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }
INLINE f32x16 to_float(i32x16 v) { return __builtin_convertvector(v, f32x16); }

// Nearest integer, ties to even, for magnitudes below 2^22. KERNEL_NEAREST: the instruction set has
// an instruction for it.
#if !defined(KERNEL_NEAREST)
INLINE i32x16 nearest(f32x16 v) { return (i32x16)(v + 12582912.0f) - 0x4B400000; }
#else
INLINE i32x16 nearest(f32x16 v);
#endif
INLINE f32x16 nearest_float(f32x16 v) { return (v + 12582912.0f) - 12582912.0f; }

// Lanes folded 16 -> 8 -> 4 -> 2 -> 1.
INLINE float fold(f32x16 v) {
  f32x8 a = v.lo + v.hi;
  f32x4 b = a.lo + a.hi;
  f32x2 c = b.lo + b.hi;
  return c.x + c.y;
}

// Two to the power of integers -126 ... 127.
INLINE f32x16 power_of_two(i32x16 exponent) { return (f32x16)((exponent + 127) << 23); }

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

// Float to half in the low 16 bits, nearest even, magnitudes above 65504 clamped to it.
INLINE i32x16 float_to_half(f32x16 v) {
  i32x16 sign = ((i32x16)v >> 16) & 0x8000;
  i32x16 m = (i32x16)magnitude(v);
  m = m > 0x477FE000 ? (i32x16)0x477FE000 : m;
  i32x16 rebased = m - 0x38000000;
  i32x16 normal = (rebased + 0xFFF + ((rebased >> 13) & 1)) >> 13;
  // Subnormal half: adding 1/2 leaves units of 2^-24, rounded to nearest even, in the low bits.
  i32x16 subnormal = (i32x16)((f32x16)m + 0.5f) - 0x3F000000;
  return (m >= 0x38800000 ? normal : subnormal) | sign;
}

INLINE f32x16 halves_to_float(i32x16 h) {
  return half_to_float(__builtin_convertvector((u32x16)h, u16x16));
}

// One number that is not negative, as float_to_half makes it.
INLINE uint16_t half_of(float x) {
#if defined(KERNEL_HALVES)
  const _Float16 half = (_Float16)(x < 65504.0f ? x : 65504.0f);
  uint16_t bits;
  __builtin_memcpy(&bits, &half, 2);
  return bits;
#else
  return (uint16_t)float_to_half((f32x16)x)[0];
#endif
}

// Sixteen such numbers.
INLINE void store_halves(uint16_t *p, f32x16 v) {
#if defined(KERNEL_HALVES)
  const f16x16 halves = __builtin_convertvector(v < 65504.0f ? v : 65504.0f, f16x16);
#else
  const u16x16 halves = __builtin_convertvector((u32x16)float_to_half(v), u16x16);
#endif
  __builtin_memcpy(p, &halves, sizeof halves);
}

// A finite half at p.
INLINE float float_of_half(const void *p) {
#if defined(KERNEL_HALVES)
  _Float16 half;
  __builtin_memcpy(&half, p, 2);
  return (float)half;
#else
  uint16_t half;
  __builtin_memcpy(&half, p, 2);
  return half_to_float((u16x16)half)[0];
#endif
}

#endif

// Functions of sixteen lanes: exp, silu, quantization of groups of 32.
#ifndef CKERNELS_MATH_H
#define CKERNELS_MATH_H

#include "Vector.h"

// exp(x) below this is 0; at it the result is still normal.
#define EXPONENTIAL_LOW -87.33f
#define EXPONENTIAL_HIGH 88.72283f

// x = n ln 2 + r with |r| <= ln 2 / 2: n, and a polynomial of degree 7 for exp(r).
INLINE f32x16 exponential_parts(f32x16 x, f32x16 *n) {
  *n = nearest_float(x * 1.44269504f);
  f32x16 r = (x - *n * 0.693359375f) - *n * -2.12194440e-4f;
  f32x16 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * (r * r) + r) + 1.0f;
}

INLINE f32x16 exp16(f32x16 x) {
  const f32x16 low = EXPONENTIAL_LOW, high = EXPONENTIAL_HIGH;
  f32x16 n, t = x > low ? x : low;
  t = t < high ? t : high;
  f32x16 p = exponential_parts(t, &n);
  // 2^128 is no float: two steps, of which the first is exact.
  i32x16 power = nearest(n), half = power >> 1;
  f32x16 y = (p * power_of_two(half)) * power_of_two(power - half);
  y = x < low ? (f32x16)0.0f : y;
  return x > high ? (f32x16)__builtin_inff() : y;
}

// exp16 for x <= 0, with the same bits.
INLINE f32x16 exp16_of_negative(f32x16 x) {
  const f32x16 low = EXPONENTIAL_LOW;
  f32x16 n, t = x > low ? x : low;
  f32x16 y = exponential_parts(t, &n);
  y *= power_of_two(nearest(n));
  return x < low ? (f32x16)0.0f : y;
}

INLINE f32x16 silu16(f32x16 x) { return x / (1.0f + exp16(-x)); }

INLINE float largest_magnitude(f32x16 a, f32x16 b) {
  i32x16 m = __builtin_elementwise_max((i32x16)magnitude(a), (i32x16)magnitude(b));
  int32_t bits = __builtin_reduce_max(m);
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  return largest;
}

INLINE void store_quants(i32x16 a, i32x16 b, int8_t *quants) {
  i8x16 low = __builtin_convertvector(a, i8x16), high = __builtin_convertvector(b, i8x16);
  __builtin_memcpy(quants, &low, 16);
  __builtin_memcpy(quants + 16, &high, 16);
}

// One group of 32 to int8: scale = largest / 127, q = nearest(x * (127 / largest)).
// A group below 2^-100 is zero. Returns 0 where x is not finite; sum may be NULL.
INLINE int quantize_group(f32x16 a, f32x16 b, int8_t *quants, float *scale, int32_t *sum) {
  float largest = largest_magnitude(a, b);
  if (!(largest <= 3.4028235e38f)) return 0;
  int is_zero = largest < 0x1p-100f;
  float inverse = is_zero ? 0.0f : 127.0f / largest;
  *scale = is_zero ? 0.0f : largest / 127.0f;
  i32x16 qa = nearest(a * inverse), qb = nearest(b * inverse);
  if (sum) *sum = __builtin_reduce_add(qa + qb);
  store_quants(qa, qb, quants);
  return 1;
}

// QuantizedGroup.int8: returns the half-precision scale.
INLINE uint16_t group_int8(f32x16 a, f32x16 b, int8_t *quants) {
  i32x16 half = float_to_half((f32x16)(largest_magnitude(a, b) / 127.0f));
  if (half[0] == 0) {
    store_quants((i32x16)0, (i32x16)0, quants);
    return 0;
  }
  f32x16 scale = halves_to_float(half);
  store_quants(nearest(clamped(a / scale, -127.0f, 127.0f)),
               nearest(clamped(b / scale, -127.0f, 127.0f)), quants);
  return (uint16_t)half[0];
}

INLINE float int4_error(f32x16 a, f32x16 b, float scale, float inverse, f32x16 *qa, f32x16 *qb) {
  *qa = nearest_float(clamped(a * inverse, -8.0f, 7.0f));
  *qb = nearest_float(clamped(b * inverse, -8.0f, 7.0f));
  f32x16 da = *qa * scale - a, db = *qb * scale - b;
  return fold(da * da + db * db);
}

// QuantizedGroup.int4: 16 factors, both signs, the first smallest squared error.
INLINE uint16_t group_int4(f32x16 a, f32x16 b, int8_t *quants) {
  const f32x16 percent = {70, 73, 76, 79, 82, 85, 88, 91, 94, 97, 100, 103, 106, 109, 112, 115};
  f32x16 largest = largest_magnitude(a, b);
  i32x16 halves = float_to_half(largest * (percent / 100.0f) / 8.0f);
  float scales[16], inverses[16];
  store16(scales, halves_to_float(halves));
  store16(inverses, 1.0f / halves_to_float(halves));
  f32x16 qa, qb;
  float best_error = fold(a * a + b * b), best_scale = 0.0f, best_inverse = 0.0f;
  uint16_t best = 0;
#pragma clang loop unroll_count(2)
  for (int candidate = 0; candidate < 32; candidate++) {
    int factor = candidate >> 1, sign = candidate & 1;
    float scale = sign ? -scales[factor] : scales[factor];
    float inverse = sign ? -inverses[factor] : inverses[factor];
    float error = int4_error(a, b, scale, inverse, &qa, &qb);
    // A scale of zero has an infinite inverse: not a candidate.
    if (!(error < best_error) || scale == 0.0f) continue;
    best_error = error;
    best_scale = scale;
    best_inverse = inverse;
    best = (uint16_t)(halves[factor] | sign << 15);
  }
  int4_error(a, b, best_scale, best_inverse, &qa, &qb);
  store_quants(nearest(qa) + 8, nearest(qb) + 8, quants);
  return best;
}

#endif

// Functions of sixteen lanes: exp, silu, quantization of groups of 32.
#ifndef CKERNELS_MATH_H
#define CKERNELS_MATH_H

#include "Vector.h"

// exp(x) below this is 0; at it the result is still normal.
#define EXPONENTIAL_LOW -87.33f
#define EXPONENTIAL_HIGH 88.72283f

// KERNEL_SIDE_BY_SIDE: a compiler for few registers would compute one vector after the other, each
// a chain of dependent steps; side_by_side keeps it to one step of `count` vectors at a time.
#if !defined(KERNEL_SIDE_BY_SIDE)
INLINE void side_by_side(f32x16 *v, const int count) { (void)v, (void)count; }
#endif

#define EACH(step)                                  \
  do {                                              \
    for (int i = 0; i < count; i++) step;           \
  } while (0)

// x = n ln 2 + r with |r| <= ln 2 / 2: a polynomial of degree 6 for exp(r), exactly 1 at 0 (least
// relative error, 3e-9), and n in the low bits of `shifted`. For `count` vectors, x becomes exp(r).
INLINE void exponential_parts(f32x16 *x, f32x16 *shifted, const int count) {
  f32x16 p[2];
  EACH(shifted[i] = fused(x[i], 1.44269504f, 12582912.0f));
  side_by_side(shifted, count);
  EACH(p[i] = shifted[i] - 12582912.0f);
  side_by_side(p, count);
  EACH(x[i] = fused(p[i], -0.693359375f, x[i]));
  side_by_side(x, count);
  EACH(x[i] = fused(p[i], 2.12194440e-4f, x[i]));
  side_by_side(x, count);
  EACH(p[i] = fused(x[i], 0x1.6a23d0p-10f, 0x1.123a20p-7f));
  side_by_side(p, count);
  EACH(p[i] = fused(p[i], x[i], 0x1.5558f2p-5f));
  side_by_side(p, count);
  EACH(p[i] = fused(p[i], x[i], 0x1.555492p-3f));
  side_by_side(p, count);
  EACH(p[i] = fused(p[i], x[i], 0x1.fffffcp-2f));
  side_by_side(p, count);
  EACH(p[i] = fused(p[i], x[i], 1.0f));
  side_by_side(p, count);
  EACH(x[i] = fused(p[i], x[i], 1.0f));
}

INLINE f32x16 exp16(f32x16 x) {
  const f32x16 low = EXPONENTIAL_LOW, high = EXPONENTIAL_HIGH;
  f32x16 p = x > low ? x : low, shifted;
  p = p < high ? p : high;
  exponential_parts(&p, &shifted, 1);
  // 2^128 is no float: two steps, of which the first is exact.
  i32x16 power = (i32x16)shifted - 0x4B400000, half = power >> 1;
  f32x16 y = (p * power_of_two(half)) * power_of_two(power - half);
  y = x < low ? (f32x16)0.0f : y;
  return x > high ? (f32x16)__builtin_inff() : y;
}

// exp16 of `count` vectors (1 or 2) <= 0, with the same bits: n goes straight into the exponent.
INLINE void exp_of_negative(f32x16 *x, const int count) {
  const f32x16 low = EXPONENTIAL_LOW;
  f32x16 p[2], shifted[2];
  EACH(p[i] = x[i] > low ? x[i] : low);
  exponential_parts(p, shifted, count);
  EACH(p[i] = (f32x16)((i32x16)p[i] + ((i32x16)shifted[i] << 23)));
  EACH(x[i] = x[i] < low ? (f32x16)0.0f : p[i]);
}

INLINE f32x16 exp16_of_negative(f32x16 x) {
  exp_of_negative(&x, 1);
  return x;
}

INLINE f32x16 silu16(f32x16 x) { return x / (1.0f + exp16(-x)); }

INLINE float fold_largest(f32x16 v) {
  f32x8 a = v.lo > v.hi ? v.lo : v.hi;
  f32x4 b = a.lo > a.hi ? a.lo : a.hi;
  f32x2 c = b.lo > b.hi ? b.lo : b.hi;
  return c.x > c.y ? c.x : c.y;
}

typedef int32_t i32x4 __attribute__((ext_vector_type(4)));
typedef int32_t i32x8 __attribute__((ext_vector_type(8)));

INLINE i32x4 larger_of_four(i32x16 a, i32x16 b) {
  i32x16 m = __builtin_elementwise_max(a, b);
  i32x8 half = __builtin_elementwise_max(m.lo, m.hi);
  return __builtin_elementwise_max(half.lo, half.hi);
}

INLINE i32x4 largest_of_four(f32x16 a, f32x16 b) {
  return larger_of_four((i32x16)magnitude(a), (i32x16)magnitude(b));
}

INLINE i32x4 sum_of_four(i32x16 a, i32x16 b) {
  i32x16 sum = a + b;
  i32x8 half = sum.lo + sum.hi;
  return half.lo + half.hi;
}

INLINE float largest_magnitude(f32x16 a, f32x16 b) {
  i32x16 m = __builtin_elementwise_max((i32x16)magnitude(a), (i32x16)magnitude(b));
  int32_t bits = __builtin_reduce_max(m);
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  return largest;
}

// KERNEL_PACKS: the instruction set has instructions for it.
#if !defined(KERNEL_PACKS)
INLINE void store_quants(i32x16 a, i32x16 b, int8_t *quants) {
  i8x16 low = __builtin_convertvector(a, i8x16), high = __builtin_convertvector(b, i8x16);
  __builtin_memcpy(quants, &low, 16);
  __builtin_memcpy(quants + 16, &high, 16);
}
#endif

// One group of 32 to int8: scale = largest / 127, q = nearest(x * (127 / largest)).
// A group below 2^-100 is zero. Returns 0 where x is not finite.
INLINE int round_group(f32x16 a, f32x16 b, i32x16 *qa, i32x16 *qb, float *scale) {
  float largest = largest_magnitude(a, b);
  if (!(largest <= 3.4028235e38f)) return 0;
  int is_zero = largest < 0x1p-100f;
  float inverse = is_zero ? 0.0f : 127.0f / largest;
  *scale = is_zero ? 0.0f : largest / 127.0f;
  *qa = nearest(a * inverse);
  *qb = nearest(b * inverse);
  return 1;
}

// Lane r: the largest of m[r], for up to four rows (the rest is anything that is there).
INLINE f32x4 largest_of_rows(const i32x4 *m, const int rows) {
  if (rows == 1) {
    i32x4 half = __builtin_elementwise_max(m[0], __builtin_shufflevector(m[0], m[0], 2, 3, 2, 3));
    return (f32x4)__builtin_elementwise_max(half, __builtin_shufflevector(half, half, 1, 1, 1, 1));
  }
  const i32x4 third = m[rows > 2 ? 2 : 0], fourth = m[rows > 3 ? 3 : 0];
  i32x4 first = __builtin_elementwise_max(__builtin_shufflevector(m[0], m[1], 0, 4, 1, 5),
                                          __builtin_shufflevector(m[0], m[1], 2, 6, 3, 7));
  i32x4 second = __builtin_elementwise_max(__builtin_shufflevector(third, fourth, 0, 4, 1, 5),
                                           __builtin_shufflevector(third, fourth, 2, 6, 3, 7));
  return (f32x4)__builtin_elementwise_max(__builtin_shufflevector(first, second, 0, 1, 4, 5),
                                          __builtin_shufflevector(first, second, 2, 3, 6, 7));
}

// What the elements of four finite groups are multiplied with, and their scales, as in round_group.
INLINE f32x4 group_inverses(f32x4 largest, f32x4 *scale) {
  i32x4 is_zero = largest < 0x1p-100f;
  *scale = is_zero ? (f32x4)0.0f : largest / 127.0f;
  return is_zero ? (f32x4)0.0f : 127.0f / largest;
}

// round_group for the finite groups of four rows at once, with the same bits.
INLINE void round_four(const f32x16 *a, const f32x16 *b, i32x16 *qa, i32x16 *qb, float *scales) {
  i32x4 m[4];
  f32x4 scale;
  for (int r = 0; r < 4; r++) m[r] = largest_of_four(a[r], b[r]);
  const f32x4 inverse = group_inverses(largest_of_rows(m, 4), &scale);
  __builtin_memcpy(scales, &scale, 16);
  for (int r = 0; r < 4; r++) {
    qa[r] = nearest(a[r] * inverse[r]);
    qb[r] = nearest(b[r] * inverse[r]);
  }
}

// QuantizedGroup.int8: returns the half-precision scale.
INLINE uint16_t group_int8(f32x16 a, f32x16 b, int8_t *quants) {
  const uint16_t half = half_of(largest_magnitude(a, b) / 127.0f);
  if (half == 0) {
    store_quants((i32x16)0, (i32x16)0, quants);
    return 0;
  }
  const f32x16 scale = float_of_half(&half);
  store_quants(nearest(clamped(a / scale, -127.0f, 127.0f)),
               nearest(clamped(b / scale, -127.0f, 127.0f)), quants);
  return half;
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

INLINE float asymmetric_error(f32x16 a, f32x16 b, f32x16 qa, f32x16 qb, float scale,
                              float minimum) {
  f32x16 da = (qa * scale + minimum) - a, db = (qb * scale + minimum) - b;
  return fold(da * da + db * db);
}

// QuantizedGroup.int4Asymmetric: 13 spreads, each refined twice by least squares.
INLINE uint16_t group_int4_asymmetric(f32x16 a, f32x16 b, int8_t *quants, uint16_t *minimum) {
  float low = -fold_largest(larger(-a, -b)), high = fold_largest(larger(a, b));
  float range = high - low;
  i32x16 half = float_to_half((f32x16)(low + range * 0.5f));
  *minimum = (uint16_t)half[0];
  uint16_t best = 0;
  f32x16 best_a = 0.0f, best_b = 0.0f;
  float best_error = asymmetric_error(a, b, best_a, best_b, 0.0f, halves_to_float(half)[0]);
  const f32x16 from_low_a = a - low, from_low_b = b - low;
  const float total = fold(from_low_a + from_low_b);
  for (int candidate = 0; candidate < 13 && range > 0.0f; candidate++) {
    float steps = candidate < 8 ? (float)(candidate + 8) : 15.5f + (float)(candidate - 8) * 0.75f;
    float scale = range / steps;
    float offset = steps > 15.0f ? (range - scale * 15.0f) * 0.5f : 0.0f;
    for (int pass = 0; pass < 3; pass++) {
      f32x16 both = {scale, low + offset};
      i32x16 halves = float_to_half(both);
      f32x16 rounded = halves_to_float(halves);
      if (rounded[0] == 0.0f) break;
      float inverse = 1.0f / rounded[0];
      f32x16 qa = nearest_float(clamped((a - rounded[1]) * inverse, 0.0f, 15.0f));
      f32x16 qb = nearest_float(clamped((b - rounded[1]) * inverse, 0.0f, 15.0f));
      float error = asymmetric_error(a, b, qa, qb, rounded[0], rounded[1]);
      if (error < best_error) {
        best_error = error;
        best = (uint16_t)halves[0];
        *minimum = (uint16_t)halves[1];
        best_a = qa;
        best_b = qb;
      }
      float sum = fold(qa + qb), squares = fold(qa * qa + qb * qb);
      float products = fold(qa * from_low_a + qb * from_low_b);
      float determinant = 32.0f * squares - sum * sum;
      if (!(determinant > 0.0f)) break;
      scale = (32.0f * products - sum * total) / determinant;
      offset = (total - scale * sum) / 32.0f;
    }
  }
  store_quants(nearest(best_a), nearest(best_b), quants);
  return best;
}

#endif

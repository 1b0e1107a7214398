// Elementwise kernels, norms and quantization of activations: the same source for every set.
#ifndef CKERNELS_ELEMENTWISE_H
#define CKERNELS_ELEMENTWISE_H

#include "Vector.h"

// exp(x): x = n ln 2 + r, |r| <= ln 2 / 2, polynomial of degree 7 in r, times 2^n in two steps.
INLINE f32x16 exp16(f32x16 x) {
  const f32x16 low = -87.33f, high = 88.72283f;
  f32x16 t = select16(x > low, x, low);
  t = select16(t < high, t, high);
  f32x16 n = nearest_float(t * 1.44269504f);
  f32x16 r = (t - n * 0.693359375f) - n * -2.12194440e-4f;
  f32x16 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * (r * r) + r) + 1.0f;
  i32x16 power = nearest(n);
  i32x16 half = power >> 1;
  f32x16 y = (p * (f32x16)((half + 127) << 23)) * (f32x16)((power - half + 127) << 23);
  y = select16(x < low, (f32x16)0.0f, y);
  return select16(x > high, (f32x16)__builtin_inff(), y);
}

INLINE f32x16 silu16(f32x16 x) { return x / (1.0f + exp16(-x)); }

static void exponential(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i += 16)
    store_some(y + i, exp16(load_some(x + i, count - i)), count - i);
}

static void swiglu(const float *gate, const float *up, float *y, size_t count) {
  for (size_t i = 0; i < count; i += 16) {
    f32x16 v = silu16(load_some(gate + i, count - i)) * load_some(up + i, count - i);
    store_some(y + i, v, count - i);
  }
}

static void add(const float *x, float *y, size_t count) {
  for (size_t i = 0; i < count; i++) y[i] += x[i];
}

// The largest magnitude, as bits: integers order non-negative floats, NaN above infinity.
INLINE int32_t largest_bits(const float *x, size_t count) {
  i32x16 m = 0;
  for (size_t i = 0; i < count; i += 16)
    m = __builtin_elementwise_max(m, (i32x16)magnitude(load_some(x + i, count - i)));
  return __builtin_reduce_max(m);
}

static int is_finite(const float *x, size_t count) {
  return largest_bits(x, count) < 0x7F800000;
}

static void rope(float *x, size_t heads, size_t dimensions, size_t rotated, int interleaved,
                 const float *cosines, const float *sines) {
  size_t pairs = rotated / 2;
  for (size_t head = 0; head < heads; head++, x += dimensions) {
    if (interleaved) {
      for (size_t i = 0; i < pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = a * sines[i] + b * cosines[i];
      }
    } else {
      float *y = x + pairs;
      for (size_t i = 0; i < pairs; i++) {
        float a = x[i], b = y[i];
        x[i] = a * cosines[i] - b * sines[i];
        y[i] = a * sines[i] + b * cosines[i];
      }
    }
  }
}

static void hadamard(float *x, size_t count, size_t block) {
  for (size_t half = 1; half < block; half *= 2) {
    for (size_t start = 0; start < count; start += 2 * half) {
      float *a = x + start, *b = a + half;
      for (size_t i = 0; i < half; i++) {
        float sum = a[i] + b[i], difference = a[i] - b[i];
        a[i] = sum;
        b[i] = difference;
      }
    }
  }
  float normalization = 1.0f / __builtin_elementwise_sqrt((float)block);
  for (size_t i = 0; i < count; i++) x[i] *= normalization;
}

static int rms_norm(const float *x, const float *weight, float epsilon, float *y, size_t count) {
  f32x16 lanes = 0.0f;
  for (size_t i = 0; i < count; i += 16) {
    f32x16 v = load_some(x + i, count - i);
    lanes += v * v;
  }
  float mean = fold(lanes) / (float)count;
  if (!(mean <= 3.4028234e38f)) return 0;
  float factor = 1.0f / __builtin_elementwise_sqrt(mean + epsilon);
  for (size_t i = 0; i < count; i++) y[i] = (x[i] * factor) * weight[i];
  return 1;
}

// One group of 32 to int8: scale = largest / 127, q = nearest(x * (127 / largest)).
// A group below 2^-100 is zero. Returns 0 where x is not finite.
INLINE int quantize_group(f32x16 a, f32x16 b, int8_t *quants, float *scale, int32_t *sum) {
  i32x16 m = __builtin_elementwise_max((i32x16)magnitude(a), (i32x16)magnitude(b));
  int32_t bits = __builtin_reduce_max(m);
  if (bits >= 0x7F800000) return 0;
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  float inverse = largest < 0x1p-100f ? 0.0f : 127.0f / largest;
  *scale = largest < 0x1p-100f ? 0.0f : largest / 127.0f;
  i32x16 qa = nearest(a * inverse), qb = nearest(b * inverse);
  *sum = fold_int(qa + qb);
  i8x16 na = __builtin_convertvector(qa, i8x16), nb = __builtin_convertvector(qb, i8x16);
  __builtin_memcpy(quants, &na, 16);
  __builtin_memcpy(quants + 16, &nb, 16);
  return 1;
}

static int quantize(const float *x, size_t count, int8_t *quants, float *scales, int32_t *sums) {
  for (size_t i = 0, g = 0; i < count; i += 32, g++) {
    f32x16 a = load_some(x + i, count - i), b = 0.0f;
    if (count - i > 16) b = load_some(x + i + 16, count - i - 16);
    if (!quantize_group(a, b, quants + i, scales + g, sums + g)) return 0;
  }
  return 1;
}

static uint16_t quantize_int8(const float *x, int8_t *quants) {
  f32x16 a = load16(x), b = load16(x + 16);
  uint16_t half = half_of_float(fold_largest(larger(magnitude(a), magnitude(b))) / 127.0f);
  if (half == 0) {
    __builtin_memset(quants, 0, 32);
    return 0;
  }
  f32x16 scale = float_of_half(half);
  const f32x16 low = -127.0f, high = 127.0f;
  a = a / scale;
  b = b / scale;
  a = select16(a < low, low, select16(a > high, high, a));
  b = select16(b < low, low, select16(b > high, high, b));
  i8x16 na = __builtin_convertvector(nearest(a), i8x16);
  i8x16 nb = __builtin_convertvector(nearest(b), i8x16);
  __builtin_memcpy(quants, &na, 16);
  __builtin_memcpy(quants + 16, &nb, 16);
  return half;
}

// The search of QuantizedGroup.int4: 16 factors, both signs, the first smallest squared error.
static uint16_t quantize_int4(const float *x, int8_t *quants) {
  const f32x16 low = -8.0f, high = 7.0f;
  f32x16 a = load16(x), b = load16(x + 16);
  float largest = fold_largest(larger(magnitude(a), magnitude(b)));
  float error = fold(a * a + b * b);
  f32x16 best_a = 0.0f, best_b = 0.0f;
  uint16_t best = 0;
  for (int candidate = 0; candidate < 32; candidate++) {
    float factor = (float)(70 + 3 * (candidate >> 1)) / 100.0f;
    if (candidate & 1) factor = -factor;
    uint16_t half = half_of_float(largest * factor / 8.0f);
    float scale = float_of_half(half);
    if (scale == 0.0f) continue;
    float inverse = 1.0f / scale;
    f32x16 qa = a * inverse, qb = b * inverse;
    qa = nearest_float(select16(qa < low, low, select16(qa > high, high, qa)));
    qb = nearest_float(select16(qb < low, low, select16(qb > high, high, qb)));
    f32x16 da = qa * scale - a, db = qb * scale - b;
    float e = fold(da * da + db * db);
    if (e < error) {
      error = e;
      best = half;
      best_a = qa;
      best_b = qb;
    }
  }
  i8x16 na = __builtin_convertvector(nearest(best_a) + 8, i8x16);
  i8x16 nb = __builtin_convertvector(nearest(best_b) + 8, i8x16);
  __builtin_memcpy(quants, &na, 16);
  __builtin_memcpy(quants + 16, &nb, 16);
  return best;
}

#endif

// Rows of activations to int8. Part of Common.h.
#ifndef CKERNELS_QUANTIZE_H
#define CKERNELS_QUANTIZE_H

#include "Math.h"

// Sixteen groups at a time. On x86-64 all of it is written out, and sixteen vectors are folded in a
// tree. On ARM an instruction folds a vector, and boards count bytes.
#if defined(__aarch64__)
#define EACH_OF_SIXTEEN _Pragma("clang loop unroll(disable)")

// Sixteen vectors on their way to one, whose lane i is the largest element of vector i, or the sum
// of its elements.
typedef int32_t sixteen_folds[16];

INLINE void fold_one(sixteen_folds folds, int i, i32x16 v, const int sums) {
  folds[i] = sums ? __builtin_reduce_add(v) : __builtin_reduce_max(v);
}

INLINE i32x16 fold_sixteen(const sixteen_folds folds, const int sums) {
  i32x16 all;
  (void)sums;
  __builtin_memcpy(&all, folds, sizeof all);
  return all;
}

#else
#define EACH_OF_SIXTEEN UNROLL

typedef i32x16 sixteen_folds[16];

INLINE void fold_one(sixteen_folds folds, int i, i32x16 v, const int sums) {
  (void)sums;
  folds[i] = v;
}

// Each step folds two vectors to the halves of one.
INLINE i32x16 folded(i32x16 a, i32x16 b, const int sums) {
  return sums ? a + b : __builtin_elementwise_max(a, b);
}

INLINE i32x16 fold_eights(i32x16 a, i32x16 b, const int sums) {
  return folded(
      __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
      __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
      sums);
}

INLINE i32x16 fold_fours(i32x16 a, i32x16 b, const int sums) {
  return folded(
      __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
      __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31),
      sums);
}

INLINE i32x16 fold_twos(i32x16 a, i32x16 b, const int sums) {
  return folded(
      __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
      __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31),
      sums);
}

INLINE i32x16 fold_ones(i32x16 a, i32x16 b, const int sums) {
  return folded(
      __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
      __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31),
      sums);
}

INLINE i32x16 fold_sixteen(const sixteen_folds v, const int sums) {
  i32x16 two[2];
  UNROLL for (int i = 0; i < 2; i++) {
    i32x16 four[2];
    UNROLL for (int j = 0; j < 2; j++) {
      const i32x16 *w = v + i + 2 * j;
      four[j] = fold_fours(fold_eights(w[0], w[8], sums), fold_eights(w[4], w[12], sums), sums);
    }
    two[i] = fold_twos(four[0], four[1], sums);
  }
  return fold_ones(two[0], two[1], sums);
}

#endif

// One group, the last of a row maybe shorter; to: where it goes, counted in groups.
INLINE int quantize_group(const kernel_quantize *q, const float *x, size_t count, size_t to) {
  const f32x16 a = load_some(x, count);
  f32x16 b = 0.0f;
  if (count > 16) b = load_some(x + 16, count - 16);
  i32x16 qa, qb;
  if (!round_group(a, b, &qa, &qb, q->scales + to)) return 0;
  q->sums[to] = __builtin_reduce_add(qa + qb);
  store_quants(qa, qb, q->quants + to * 32);
  return 1;
}

// Sixteen groups, of which some may be the same.
typedef struct {
  const float *from[16];
  size_t to[16];  // counted in groups
} group_batch;

// Groups from number n on, counted one of each row and then the next of each; behind the last of
// `groups` whole ones that one again.
INLINE void next_batch(const kernel_quantize *q, size_t groups, size_t n, group_batch *batch) {
  size_t row = n % q->rows, group = n / q->rows;
  for (int i = 0; i < 16; i++) {
    batch->from[i] = q->x + row * q->x_stride + group * 32;
    batch->to[i] = group * q->stride + row;
    if (row + 1 < q->rows) {
      row++;
    } else if (group + 1 < groups) {
      row = 0;
      group++;
    }
  }
}

// Whole groups, with the same bits as one by one; `is_dense`: they go next to each other.
INLINE int quantize_batch(const kernel_quantize *q, const group_batch *batch, const int is_dense) {
  sixteen_folds folds;
  EACH_OF_SIXTEEN for (int i = 0; i < 16; i++)
    fold_one(folds, i,
             __builtin_elementwise_max((i32x16)magnitude(load16(batch->from[i])),
                                       (i32x16)magnitude(load16(batch->from[i] + 16))),
             0);
  const i32x16 bits = fold_sixteen(folds, 0);
  if (__builtin_reduce_max(bits) >= 0x7F800000) return 0;
  const f32x16 largest = (f32x16)bits;
  const i32x16 is_zero = largest < 0x1p-100f;
  float scales[16], inverses[16];
  store16(scales, is_zero ? (f32x16)0.0f : largest / 127.0f);
  store16(inverses, is_zero ? (f32x16)0.0f : 127.0f / largest);
  EACH_OF_SIXTEEN for (int i = 0; i < 16; i++) {
    const i32x16 a = nearest(load16(batch->from[i]) * inverses[i]);
    const i32x16 b = nearest(load16(batch->from[i] + 16) * inverses[i]);
    store_quants(a, b, q->quants + batch->to[i] * 32);
    fold_one(folds, i, a + b, 1);
  }
  int32_t sums[16];
  const i32x16 sum = fold_sixteen(folds, 1);
  __builtin_memcpy(sums, &sum, sizeof sums);
  if (is_dense) {
    __builtin_memcpy(q->scales + batch->to[0], scales, sizeof scales);
    __builtin_memcpy(q->sums + batch->to[0], sums, sizeof sums);
    return 1;
  }
  for (int i = 0; i < 16; i++) {
    q->scales[batch->to[i]] = scales[i];
    q->sums[batch->to[i]] = sums[i];
  }
  return 1;
}

// Fewer groups are quicker one by one.
enum { BATCH_MIN = 4 };

int SET(quantize)(const kernel_quantize *q) {
  const size_t groups = q->count / 32, whole = groups * q->rows;
  const size_t all = (q->count + 31) / 32 * q->rows;
  size_t n = 0;
  group_batch batch;
#if !defined(__aarch64__)
  for (; q->rows == KERNEL_BLOCK_ROWS && n + 16 <= whole; n += 16) {
    UNROLL for (int i = 0; i < 16; i++) {
      batch.from[i] = q->x + (size_t)(i % 8) * q->x_stride + (n / 8 + (size_t)i / 8) * 32;
      batch.to[i] = n + (size_t)i;
    }
    if (!quantize_batch(q, &batch, 1)) return 0;
  }
#endif
  for (; n + BATCH_MIN <= whole; n += smaller_size(whole - n, 16)) {
    next_batch(q, groups, n, &batch);
    if (!quantize_batch(q, &batch, 0)) return 0;
  }
  for (; n < all; n++) {
    const size_t row = n % q->rows, group = n / q->rows;
    const float *x = q->x + row * q->x_stride + group * 32;
    const size_t count = smaller_size(q->count - group * 32, 32);
    if (!quantize_group(q, x, count, group * q->stride + row)) return 0;
  }
  return 1;
}

#endif

// Rows of activations as the primitives take them; the including file defines KERNEL_ROWS and
// KERNEL_BIAS (see Products.h).
#ifndef CKERNELS_ROWS_H
#define CKERNELS_ROWS_H

#include "Layout.h"

// One group of several rows, `quants` ROW_BYTES apart, or WIDE_BYTES where the set widens them.
enum { ROW_BYTES = 32, WIDE_BYTES = 64 };

typedef struct {
  const void *quants;
  int32_t sums[KERNEL_ROWS];
  int32_t starts[KERNEL_ROWS];
  float scales[KERNEL_ROWS];
} row_group;

INLINE const int8_t *quants_of(const row_group *x, int row) {
  return (const int8_t *)x->quants + row * ROW_BYTES;
}

// What weights are more than they stand for.
INLINE int32_t zero_point(const int format) {
  return format == INT8 ? KERNEL_BIAS : format == INT4 ? 8 : 0;
}

// Where a dot product starts, so that the zero point comes off again; sum: of the quants of the
// row. KERNEL_STARTS: the set has its own, for sums that are not kept as one of 32 bits.
#if !defined(KERNEL_STARTS)
INLINE int32_t start_of(int32_t sum, const int format) { return -zero_point(format) * sum; }
#endif

#endif

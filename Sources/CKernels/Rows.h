// Rows of activations as the primitives take them; the including file defines KERNEL_ROWS.
#ifndef CKERNELS_ROWS_H
#define CKERNELS_ROWS_H

#include "Vector.h"

// One group of several rows. `quants` are int8, or what the set widens them to (KERNEL_WIDENS).
// Where a set prepares weights (KERNEL_PREPARES), several rows lie ROW_BYTES apart, a distance that
// the compiler knows.
enum { ROW_BYTES = 64 };

typedef struct {
  const void *quants[KERNEL_ROWS];
  int32_t sums[KERNEL_ROWS];
  int32_t starts[KERNEL_ROWS];  // see start_of
  float scales[KERNEL_ROWS];
} row_group;

// The zero point of int4 in a sum of 32 products that is kept as two of 16 bits: -4 * sum in each.
INLINE int32_t start_of(int32_t sum) {
  return (int32_t)((uint32_t)(uint16_t)(-4 * sum) * 0x10001u);
}

INLINE const int8_t *quants_of(const row_group *x, int row) {
  return KERNEL_PREPARES ? (const int8_t *)x->quants[0] + row * ROW_BYTES : x->quants[row];
}

#endif

// Rows of activations as the primitives take them; the including file defines KERNEL_ROWS.
#ifndef CKERNELS_ROWS_H
#define CKERNELS_ROWS_H

#include "Vector.h"

// One group of several rows. `quants` are int8, or what the set widens them to (KERNEL_WIDENS).
typedef struct {
  const void *quants[KERNEL_ROWS];
  int32_t sums[KERNEL_ROWS];
  float scales[KERNEL_ROWS];
} row_group;

INLINE const int8_t *quants_of(const row_group *x, int row) {
  return (const int8_t *)x->quants[row];
}

#endif

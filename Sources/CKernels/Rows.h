// The activation rows that a primitive takes at once; the including file defines KERNEL_ROWS.
#ifndef CKERNELS_ROWS_H
#define CKERNELS_ROWS_H

#include "Vector.h"

typedef struct {
  const int8_t *quants[KERNEL_ROWS];
  int32_t sums[KERNEL_ROWS];
} row_group;

#endif

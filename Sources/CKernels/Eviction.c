#pragma STDC FP_CONTRACT OFF
// What eviction policies see of attention, in integers. Plain loops: the same bits everywhere,
// whatever width the compiler gives them.

#include "CKernels.h"

void kernel_add_rows(const uint32_t *row, size_t count, uint32_t *sum) {
  for (size_t i = 0; i < count; i++) sum[i] += row[i];
}

void kernel_add_sums(const uint32_t *row, size_t count, int64_t *sums) {
  for (size_t i = 0; i < count; i++) sums[i] += row[i];
}

void kernel_count_low(const uint32_t *row, const uint32_t *positions, size_t count,
                      uint32_t position, uint32_t limit, uint16_t *votes) {
  for (size_t i = 0; i < count; i++)
    votes[i] += (uint16_t)((row[i] < limit) & (positions[i] <= position));
}

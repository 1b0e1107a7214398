#pragma STDC FP_CONTRACT OFF
// What eviction policies see of attention, in integers. Plain loops: the same bits everywhere,
// whatever width the compiler gives them.

#include "CKernels.h"

#define ONE 16777216u

// Non-negative floats are ordered like their bits.
static int32_t bits_of(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
}

static uint32_t total_of(const float *p, size_t count, float factor) {
  uint32_t total = 0;
  for (size_t i = 0; i < count; i++) total += (uint32_t)(int32_t)(p[i] * factor);
  return total;
}

void kernel_add_probabilities(const kernel_probabilities *a) {
  const float *p = a->numerators;
  const size_t count = a->slot_count;
  float factor = (float)ONE / a->sum;
  uint32_t total = total_of(p, count, factor);
  // The rounding of floats may give a few units too many.
  while (total > ONE) {
    factor *= 0.9999f;
    total = total_of(p, count, factor);
  }
  int32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    int32_t bits = bits_of(p[i]);
    largest = bits > largest ? bits : largest;
  }
  uint32_t oldest = UINT32_MAX;
  for (size_t i = 0; i < count; i++) {
    uint32_t position = bits_of(p[i]) == largest ? a->positions[i] : UINT32_MAX;
    oldest = position < oldest ? position : oldest;
  }
  const uint32_t residual = ONE - total;
  for (size_t i = 0; i < count; i++) {
    uint32_t q = (uint32_t)(int32_t)(p[i] * factor);
    a->row[i] += q + (a->positions[i] == oldest ? residual : 0);
  }
}

void kernel_add_sums(const uint32_t *row, size_t count, int64_t *sums) {
  for (size_t i = 0; i < count; i++) sums[i] += row[i];
}

void kernel_count_low(const uint32_t *row, const uint32_t *positions, size_t count,
                      uint32_t position, uint32_t limit, uint16_t *votes) {
  for (size_t i = 0; i < count; i++)
    votes[i] += (uint16_t)((row[i] < limit) & (positions[i] <= position));
}

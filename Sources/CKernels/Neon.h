// ARMv8.0 products with Advanced SIMD; dot product and i8mm files share the small helpers.
#ifndef CKERNELS_NEON_H
#define CKERNELS_NEON_H

#include <arm_neon.h>

#include "Vector.h"

INLINE int8x16_t load_quants(const uint8_t *w) { return vld1q_s8((const int8_t *)w); }

// Four bytes of one activation row in every lane of 32 bits.
INLINE int8x16_t broadcast4(const int8_t *x) {
  int32_t four;
  __builtin_memcpy(&four, x, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

// Lanes 4 * part ... 4 * part + 3 of a result.
INLINE void set_part(i32x16 *to, int part, int32x4_t lanes) {
  __builtin_memcpy((char *)to + 16 * part, &lanes, 16);
}

#endif

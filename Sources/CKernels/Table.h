// The table of one instruction set: common kernels of the set named first, products of this file.
#ifndef CKERNELS_TABLE_H
#define CKERNELS_TABLE_H

#include "CKernels.h"

#define KERNEL_COMMON(set)                                                                      \
  void set##_exponential(const float *, float *, size_t);                                       \
  void set##_swiglu(const float *, const float *, float *, size_t);                             \
  void set##_add(const float *, float *, size_t);                                               \
  void set##_divide(const float *, float, float *, size_t);                                     \
  int set##_is_finite(const float *, size_t);                                                   \
  void set##_rope(float *, size_t, size_t, size_t, int, const float *, const float *);          \
  void set##_hadamard(float *, size_t, size_t);                                                 \
  int set##_rms_norm(const float *, const float *, float, float *, size_t);                     \
  int set##_quantize(const kernel_quantize *);                                                  \
  uint16_t set##_quantize_int8(const float *, int8_t *);                                        \
  uint16_t set##_quantize_int4(const float *, int8_t *);                                        \
  uint16_t set##_quantize_int4_asymmetric(const float *, int8_t *, uint16_t *);                 \
  void set##_row_int8(const uint8_t *, size_t, size_t, float *);                                \
  void set##_row_int4(const uint8_t *, size_t, size_t, float *);                                \
  void set##_row_int4_asymmetric(const uint8_t *, size_t, size_t, float *);                     \
  void set##_append_key_int8(uint8_t *, size_t, size_t, const float *);                         \
  void set##_append_key_int4(uint8_t *, size_t, size_t, const float *);                         \
  void set##_turn_keys(const kernel_turn *);                                                    \
  void set##_append_value_int8(uint8_t *, size_t, size_t, const float *);                       \
  void set##_append_value_int4(uint8_t *, size_t, size_t, const float *);                       \
  void set##_softmax(const kernel_softmax *);                                                   \
  void set##_merge(const kernel_merge *);                                                       \
  void set##_probabilities(const kernel_probabilities *);                                       \
  void set##_add_row(const uint32_t *, size_t, int64_t *);                                      \
  void set##_take_sums(int64_t *, size_t, int64_t *);                                           \
  void set##_take_votes(uint16_t *, size_t, uint16_t *);                                        \
  void set##_count_low(const kernel_low_votes *);                                               \
  size_t set##_count_positions(const uint32_t *, size_t, uint32_t, uint32_t);                   \
  size_t set##_lowest(const int64_t *, const uint32_t *, size_t, uint32_t, uint32_t);            \
  void set##_differences_int8(const kernel_differences *);                                      \
  void set##_differences_int4(const kernel_differences *)

#define KERNEL_TABLE(name, set)                                                                 \
  const kernel_table name = {                                                                   \
      set##_exponential,      set##_swiglu,          set##_add,             set##_divide,        \
      set##_is_finite,        set##_rope,            set##_hadamard,                            \
      set##_rms_norm,         set##_quantize,        set##_quantize_int8,                       \
      set##_quantize_int4,    set##_quantize_int4_asymmetric,                                   \
      matmul_int8,            matmul_int4,           matmul_int4_asymmetric,                    \
      set##_row_int8,         set##_row_int4,        set##_row_int4_asymmetric,                 \
      set##_append_key_int8,  set##_append_key_int4, set##_turn_keys,                           \
      set##_append_value_int8, set##_append_value_int4, scores_int8,                            \
      scores_int4,            set##_softmax,         set##_merge,           set##_probabilities, \
      set##_add_row,          set##_take_sums,       set##_take_votes,      set##_count_low,     \
      set##_count_positions,  set##_lowest,          set##_differences_int8,                    \
      set##_differences_int4,                                                                   \
      weighted_sum_int8,      weighted_sum_int4,                                                \
  }

extern const kernel_table kernel_table_portable;
KERNEL_COMMON(portable);
#if defined(__x86_64__)
extern const kernel_table kernel_table_avx2;
extern const kernel_table kernel_table_avxvnni;
extern const kernel_table kernel_table_avx512vnni;
KERNEL_COMMON(avx2);
KERNEL_COMMON(avx512vnni);
#elif defined(__aarch64__)
extern const kernel_table kernel_table_neon;
extern const kernel_table kernel_table_dotprod;
extern const kernel_table kernel_table_i8mm;
#endif

#endif

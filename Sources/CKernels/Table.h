// The table of one instruction set, from the functions of the files included before.
#define KERNEL_TABLE(name)                                                                  \
  const kernel_table name = {                                                               \
      exponential, swiglu, add, is_finite, rope, hadamard, rms_norm, quantize,              \
      quantize_int8, quantize_int4, matmul_int8, matmul_int4, matmul_int4_asymmetric,       \
      row_int8, row_int4, row_int4_asymmetric, append_key_int8, append_key_int4,            \
      append_value_int8, append_value_int4, scores_int8, scores_int4, softmax,              \
      weighted_sum_int8, weighted_sum_int4,                                                 \
  }

extern const kernel_table kernel_table_portable;
#if defined(__x86_64__)
extern const kernel_table kernel_table_avx2;
extern const kernel_table kernel_table_avx512vnni;
#elif defined(__aarch64__)
extern const kernel_table kernel_table_neon;
extern const kernel_table kernel_table_dotprod;
extern const kernel_table kernel_table_i8mm;
#endif

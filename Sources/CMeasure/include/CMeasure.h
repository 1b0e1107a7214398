// What a machine can do at most: reading memory, multiplying and adding small integers.
#ifndef CMEASURE_H
#define CMEASURE_H

// Memory to read, its pages present and, where the kernel gives them, huge. Null: there is none.
void *measure_reserve(unsigned long count);

// Gives it back.
void measure_release(void *memory, unsigned long count);

// Ways of reading; `measure_read` takes one of 0 ..< measure_read_variants().
int measure_read_variants(void);

// Bytes per second that `threads` threads read together, each its own contiguous part of `memory`,
// `passes` times. Thread i is pinned to processors[i]; null pins nothing. 0: threads are missing.
double measure_read(const void *memory, unsigned long count, int threads, const int *processors,
                    int variant, int passes);

// Instructions that multiply and add integers, by what they make possible.
enum measure_multiply {
  MEASURE_SSE2_INT8,           // pmaddwd on widened bytes
  MEASURE_AVX2_INT8,           // vpmaddwd on widened bytes
  MEASURE_AVX2_PAIRS,          // vpmaddubsw and vpmaddwd
  MEASURE_AVX2_INT4,           // vpmaddubsw, summed in 16 bits
  MEASURE_AVXVNNI,             // vpdpbusd, 256 bits
  MEASURE_AVX512VNNI,          // vpdpbusd, 512 bits
  MEASURE_NEON,                // smull and sadalp
  MEASURE_DOTPROD,             // sdot
  MEASURE_I8MM,                // smmla
};

// Operations (two for each multiply-add) per second of `threads` threads together, all operands in
// registers. 0 where this processor lacks the instruction, or threads are missing.
double measure_multiply_add(enum measure_multiply kind, int threads, const int *processors);

// Whether this processor has the instruction.
int measure_has(enum measure_multiply kind);

#endif

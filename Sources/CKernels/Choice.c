// Which tables there are, and which of them an x86-64 processor can run.

#include "CKernels.h"
#include "Table.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

uint32_t kernel_cpuid_sets(void) {
  uint32_t sets = 1u << KERNEL_PORTABLE, a, b, c, d, leaves, extended_b, extended_c;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return sets;
  const uint32_t fma = 1u << 12, xsave = 1u << 27, avx = 1u << 28, f16c = 1u << 29;
  if ((c & (fma | xsave | avx | f16c)) != (fma | xsave | avx | f16c)) return sets;
  uint64_t state = enabled_state();
  if ((state & 0x6) != 0x6) return sets;
  if (!__get_cpuid_count(7, 0, &leaves, &extended_b, &extended_c, &d)) return sets;
  if (!(extended_b & 1u << 5)) return sets;
  sets |= 1u << KERNEL_AVX2;
  // F, BW and VL of AVX-512, VNNI, and the operating system keeps the wide registers.
  const uint32_t wide = 1u << 16 | 1u << 30 | 1u << 31;
  if ((extended_b & wide) == wide && extended_c & 1u << 11 && (state & 0xE6) == 0xE6)
    sets |= 1u << KERNEL_AVX512VNNI;
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a & 1u << 4)
    sets |= 1u << KERNEL_AVXVNNI;
  return sets;
}
#else
uint32_t kernel_cpuid_sets(void) { return 1u << KERNEL_PORTABLE; }
#endif

const kernel_table *kernel_table_of(kernel_instruction_set set) {
  switch (set) {
#if !defined(__aarch64__)
    case KERNEL_PORTABLE: return &kernel_table_portable;
#endif
#if defined(__x86_64__)
    case KERNEL_AVX2: return &kernel_table_avx2;
    case KERNEL_AVXVNNI: return &kernel_table_avxvnni;
    case KERNEL_AVX512VNNI: return &kernel_table_avx512vnni;
#elif defined(__aarch64__)
    case KERNEL_PORTABLE:
    case KERNEL_NEON: return &kernel_table_neon;
    case KERNEL_DOTPROD: return &kernel_table_dotprod;
    case KERNEL_I8MM: return &kernel_table_i8mm;
#endif
    default: return NULL;
  }
}

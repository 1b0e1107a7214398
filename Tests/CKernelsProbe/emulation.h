// Intrinsics of instruction sets that this processor may lack, emulated: -include this header
// before AVXVNNI.c with KERNEL_EMULATE_AVXVNNI, before AVX512VNNI.c with KERNEL_EMULATE_AVX512,
// and compile for AVX2. From SIMDe (Debian's libsimde-dev).
#ifndef EMULATION_H
#define EMULATION_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

// The VEX form of the same instruction.
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)

#endif

// Runs every kernel of every instruction set this processor has on seeded inputs and prints one
// hash of all results per set: equal hashes, equal bits.
//
// Built by the tests of the module Kernels, natively and for ARM64, where it needs no C library:
// it starts at _start and finds the capabilities of the processor above its arguments.
// usage: probe [SET-BITS]    (run these sets, whatever the processor says)

#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

#define INPUT 20480

static uint64_t state;
static uint64_t hash;

static uint64_t random_bits(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static size_t below(size_t bound) { return random_bits() % bound; }

static float random_float(int extreme) {
  float unit = (float)(int32_t)random_bits() / 2147483648.0f;
  if (!extreme) return unit * 3.0f;
  switch (below(8)) {
    case 0: return 0.0f;
    case 1: return unit * 0x1p-133f;
    case 2: return unit * 0x1p50f;
    case 3: return unit * 0x1p-66f;
    default: return unit;
  }
}

static void fill(float *x, size_t count, int extreme) {
  for (size_t i = 0; i < count; i++) x[i] = random_float(extreme);
}

static void fold_in(const void *data, size_t bytes) {
  const uint8_t *p = data;
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ p[i]) * 0x100000001B3u;
}

static float a[INPUT], b[INPUT], c[INPUT], d[INPUT];
static int8_t quants[INPUT * 12];
static float scales[INPUT / 2];
static int32_t sums[INPUT / 2];
static uint8_t bytes[1 << 18];
static uint32_t positions[2048], chosen[2048];

static void elementwise(const kernel_table *k) {
  for (int round = 0; round < 40; round++) {
    size_t count = 1 + below(600);
    int extreme = round & 1;
    fill(a, count, extreme);
    fill(b, count, extreme);
    for (size_t i = 0; i < count; i++) c[i] = a[i] * 30.0f;
    k->exponential(c, d, count);
    fold_in(d, count * 4);
    k->swiglu(c, b, d, count);
    fold_in(d, count * 4);
    k->add(a, d, count);
    fold_in(d, count * 4);
    int finite = k->rms_norm(a, b, 1e-5f, d, count);
    if (finite) fold_in(d, count * 4);
    kernel_quantize q = {a, count, 1, count, quants, scales, sums, 1};
    finite += k->quantize(&q) << 1;
    fold_in(quants, (count + 31) / 32 * 32);
    fold_in(scales, (count + 31) / 32 * 4);
    fold_in(sums, (count + 31) / 32 * 4);
    finite += k->is_finite(a, count) << 2;
    a[below(count)] = __builtin_inff();
    finite += k->quantize(&q) << 3 | k->is_finite(a, count) << 4;
    fold_in(&finite, sizeof finite);
    size_t half = 1 + below(32), dimension = 2 * half + below(9);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
      fill(a, 3 * dimension, extreme);
      k->rope(a, 3, dimension, 2 * half, interleaved, b, c);
      fold_in(a, 3 * dimension * 4);
    }
    size_t block = 1u << below(6);
    fill(a, 5 * block, extreme);
    k->hadamard(a, 5 * block, block);
    fold_in(a, 5 * block * 4);
    for (int i = 0; i < 32; i++) a[i] = b[i] * c[round];
    uint16_t half_scale = k->quantize_int8(a, quants);
    fold_in(quants, 32);
    fold_in(&half_scale, 2);
    half_scale = k->quantize_int4(a, quants);
    fold_in(quants, 32);
    fold_in(&half_scale, 2);
    uint16_t minimum;
    half_scale = k->quantize_int4_asymmetric(a, quants, &minimum);
    fold_in(quants, 32);
    fold_in(&half_scale, 2);
    fold_in(&minimum, 2);
  }
}

// A finite half: zero, subnormal or normal, of either sign.
static uint16_t random_half(void) {
  uint16_t bits = (uint16_t)random_bits();
  switch (below(4)) {
    case 0: return bits & 0x83FF;
    case 1: return 0;
    default: return bits & 0xBFFF;
  }
}

// int8 quants are -127 ... 127.
static uint8_t quant_byte(int format) {
  uint8_t byte = (uint8_t)random_bits();
  return format == 0 && byte == 0x80 ? 0x81 : byte;
}

// Weight tiles: groups of int4, or pairs of groups of int8, their quants, then their parameters.
static void random_tiles(size_t tiles, size_t groups, int format, size_t tile_bytes) {
  for (size_t t = 0; t < tiles; t++) {
    uint8_t *p = bytes + t * tile_bytes;
    for (size_t g = 0; g < groups; g += format == 0 ? 2 : 1) {
      size_t members = format > 0 || groups - g < 2 ? 1 : 2;
      for (size_t i = 0; i < members * 512; i++) *p++ = below(4) ? quant_byte(format) : 0x7F;
      for (size_t i = 0; i < members * 16 << format; i++, p += 2) {
        uint16_t half = random_half();
        __builtin_memcpy(p, &half, 2);
      }
    }
  }
}

static kernel_rows random_rows(const kernel_table *k, size_t rows, size_t columns) {
  size_t groups = (columns + 31) / 32, block = rows > 1 ? KERNEL_BLOCK_ROWS : 1;
  for (size_t row = 0; row < rows; row += block) {
    size_t count = rows - row < block ? rows - row : block;
    for (size_t i = 0; i < count; i++) fill(a + i * columns, columns, i & 1);
    kernel_quantize q = {a, columns, count, columns, quants + row * groups * 32,
                         scales + row * groups, sums + row * groups, block};
    k->quantize(&q);
  }
  return (kernel_rows){quants, scales, sums, groups, rows};
}

static void products(const kernel_table *k) {
  for (int round = 0; round < 60; round++) {
    int format = round % 3;
    size_t groups = 1 + below(9), tiles = 1 + below(3), tokens = 1 + below(19);
    // A few that are longer than what the kernels go through at once.
    if (round >= 57) {
      groups = 65 + below(4);
      tiles = 4;
      tokens = 65 + below(7);
    }
    size_t group_bytes = 512 + (32u << format), rows = format == 0 ? 16 : 32;
    size_t tile_bytes = (groups * group_bytes + 63) / 64 * 64;
    random_tiles(tiles, groups, format, tile_bytes);
    kernel_rows x = random_rows(k, tokens, groups * 32 - below(32));
    kernel_matmul m = {bytes, tile_bytes, tiles, groups, x, d, tiles * rows};
    (format == 0 ? k->matmul_int8 : format == 1 ? k->matmul_int4 : k->matmul_int4_asymmetric)(&m);
    fold_in(d, tokens * tiles * rows * 4);
    (format == 0 ? k->row_int8 : format == 1 ? k->row_int4 : k->row_int4_asymmetric)(
        bytes, groups, below(rows), d);
    fold_in(d, groups * 128);
  }
}

// What queries give each slot together, and which slot a policy would choose by it.
static void observe(const kernel_table *k, const float *p, size_t stride, size_t slots,
                    const float *tops, const float *totals, size_t queries) {
  static uint32_t row[2048];
  static int64_t scores[2048], sums_apart[2048];
  static uint16_t votes[2][2048];
  kernel_probabilities q = {p,    stride, tops,   1,       4096, slots,
                            tops, totals, queries, row};
  for (size_t query = 0; query < queries; query++)
    if (!(totals[query] > 0.0f)) return;
  k->probabilities(&q);
  fold_in(row, slots * 4);
  for (size_t i = 0; i < slots; i++) scores[i] = (int64_t)(i % 3) << 33;
  k->add_row(row, slots, scores);
  fold_in(scores, slots * 8);
  __builtin_memset(votes, 0, sizeof votes);
  kernel_low_votes low = {row,      positions, slots, row[slots / 2] + 1, (uint32_t)slots / 2,
                          votes[0], votes[1]};
  k->count_low(&low);
  fold_in(votes, sizeof votes);
  uint32_t half = (uint32_t)slots / 2;
  size_t found[] = {k->count_positions(positions, slots, half, (uint32_t)slots),
                    k->lowest(scores, positions, slots, half, UINT32_MAX),
                    k->lowest(0, positions, slots, 1, half)};
  fold_in(found, sizeof found);
  for (size_t i = 0; i < slots; i++) sums_apart[i] = (int64_t)i << 20;
  k->take_sums(sums_apart, slots, scores);
  k->take_votes(votes[0], slots, votes[1]);
  fold_in(sums_apart, slots * 8);
  fold_in(scores, slots * 8);
  fold_in(votes, sizeof votes);
}

// How little values are like their mean, every fifth slot free.
static void differ(const kernel_table *k, int int4, const uint8_t *values, size_t dimension,
                   size_t slots) {
  static uint32_t positions[1536];
  static uint64_t scores[1536];
  for (size_t i = 0; i < slots; i++) positions[i] = i % 5 == 3 ? UINT32_MAX : (uint32_t)i;
  kernel_differences s = {values, dimension, positions, slots, scores};
  (int4 ? k->differences_int4 : k->differences_int8)(&s);
  fold_in(scores, slots * 8);
}

// All queries' outputs (in b) joined to one.
static void join(const kernel_table *k, float *tops, float *totals, size_t queries,
                 size_t dimension) {
  for (size_t query = 1; query < queries; query++) {
    kernel_merge m = {b + query * dimension, tops + query, totals + query, b, tops, totals,
                      1, 1, dimension, dimension};
    k->merge(&m);
    fold_in(b, dimension * 4);
    fold_in(totals, 4);
  }
  k->divide(b, 3.7f, b, dimension);
  fold_in(b, dimension * 4);
}

static void attention(const kernel_table *k) {
  static const size_t dimensions[] = {6, 8, 48, 64, 80, 96, 128, 256};
  for (int round = 0; round < 64; round++) {
    size_t dimension = dimensions[below(8)], slots = 1 + below(90), queries = 1 + below(9);
    // A few caches that are longer than what the kernels keep in their own at once.
    if (round >= 62) {
      dimension = 48;
      slots = 1000 + below(400);
    }
    int int4 = round & 1;
    size_t tile = (dimension + (int4 ? 7 : 3)) / (int4 ? 8 : 4) * 64;
    tile = (tile + (dimension + 31) / 32 * 32 + 63) / 64 * 64;
    size_t block = (dimension + 15) / 16 * (int4 ? 256 : 512) + (dimension + 31) / 32 * 64;
    uint8_t *values = bytes + (slots + 15) / 16 * tile;
    __builtin_memset(bytes, 0, (slots + 15) / 16 * tile + (slots + 31) / 32 * block);
    for (size_t slot = 0; slot < slots; slot++) {
      positions[slot] = (uint32_t)(slot * 7 % slots);
      fill(a, dimension, slot % 5 == 0);
      (int4 ? k->append_key_int4 : k->append_key_int8)(bytes + slot / 16 * tile, dimension,
                                                       slot % 16, a);
      (int4 ? k->append_value_int4 : k->append_value_int8)(values + slot / 32 * block, dimension,
                                                           slot % 32, a);
    }
    if (!int4) {
      for (size_t i = 0; i < slots; i++) chosen[i] = (uint32_t)(slots - 1 - i);
      fill(a, dimension, 0);
      kernel_turn t = {bytes, tile, dimension, chosen, below(slots + 1), dimension / 2 * 2,
                       (int)below(2), a, a + dimension / 2};
      k->turn_keys(&t);
    }
    fold_in(bytes, (slots + 15) / 16 * tile + (slots + 31) / 32 * block);
    size_t stride = (slots + 31) / 32 * 32;
    kernel_scores s = {bytes, tile, dimension, below(slots), slots,
                       random_rows(k, queries, dimension), d, stride};
    for (size_t i = 0; i < queries * stride; i++) d[i] = 0.0f;
    (int4 ? k->scores_int4 : k->scores_int8)(&s);
    fold_in(d, queries * stride * 4);
    uint32_t at[16];
    for (size_t q = 0; q < queries; q++) at[q] = (uint32_t)below(slots);
    float tops[16];
    kernel_softmax p = {d, stride, slots, positions, at, queries, c, tops};
    k->softmax(&p);
    fold_in(d, queries * stride * 4);
    fold_in(c, queries * 4);
    fold_in(tops, queries * 4);
    kernel_weighted_sum w = {values, block, dimension, slots, d, stride, queries, b, dimension};
    (int4 ? k->weighted_sum_int4 : k->weighted_sum_int8)(&w);
    fold_in(b, queries * dimension * 4);
    differ(k, int4, values, dimension, slots);
    observe(k, d, stride, slots, tops, c, queries);
    join(k, tops, c, queries, dimension);
  }
}

static void forget(void) {
  state = 42;
  hash = 0xCBF29CE484222325u;
  float *const vectors[] = {a, b, c, d};
  for (int i = 0; i < 4; i++) __builtin_memset(vectors[i], 0, sizeof a);
  __builtin_memset(quants, 0, sizeof quants);
  __builtin_memset(scales, 0, sizeof scales);
  __builtin_memset(sums, 0, sizeof sums);
  __builtin_memset(bytes, 0, sizeof bytes);
}

static const char *const names[] = {"portable", "avx2",    "avxvnni", "avx512vnni",
                                    "neon",     "dotprod", "i8mm"};

// One line "name hash" per set; returns the length of the text.
static size_t report(uint32_t sets, char *text) {
  size_t length = 0;
  for (int set = 0; set < 7; set++) {
    const kernel_table *table = kernel_table_of((kernel_instruction_set)set);
    if (!(sets >> set & 1) || !table) continue;
    forget();
    elementwise(table);
    products(table);
    attention(table);
    for (const char *name = names[set]; *name; name++) text[length++] = *name;
    text[length++] = ' ';
    for (int i = 60; i >= 0; i -= 4) text[length++] = "0123456789abcdef"[hash >> i & 15];
    text[length++] = '\n';
  }
  return length;
}

static char text[512];

static uint32_t parse(const char *digits) {
  uint32_t value = 0;
  while (*digits) value = value * 10 + (uint32_t)(*digits++ - '0');
  return value;
}

#if defined(__aarch64__)

void *memcpy(void *target, const void *source, size_t count) {
  uint8_t *to = target;
  const uint8_t *from = source;
  while (count--) *to++ = *from++;
  return target;
}

void *memset(void *target, int byte, size_t count) {
  uint8_t *to = target;
  while (count--) *to++ = (uint8_t)byte;
  return target;
}

static long call(long number, long x, long y, long z) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = x;
  register long x1 __asm__("x1") = y;
  register long x2 __asm__("x2") = z;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}

__attribute__((used)) void start(const uint64_t *stack) {
  uint64_t count = stack[0], capabilities = 0, more = 0;
  const char *argument = count > 1 ? (const char *)stack[2] : 0;
  const uint64_t *p = stack + 1 + count + 1;
  while (*p) p++;
  for (p++; p[0]; p += 2) {
    if (p[0] == 16) capabilities = p[1];
    if (p[0] == 26) more = p[1];
  }
  uint32_t sets = 1u << KERNEL_PORTABLE | 1u << KERNEL_NEON;
  if (capabilities >> 20 & 1) sets |= 1u << KERNEL_DOTPROD;
  if (capabilities >> 20 & 1 && more >> 13 & 1) sets |= 1u << KERNEL_I8MM;
  size_t length = report(argument ? parse(argument) : sets, text);
  call(64, 1, (long)text, (long)length);
  call(94, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n mov x0, sp\n b start\n");

#else

#include <stdio.h>

int main(int count, char **arguments) {
  uint32_t sets = kernel_cpuid_sets();
  size_t length = report(count > 1 ? parse(arguments[1]) : sets, text);
  return fwrite(text, 1, length, stdout) == length ? 0 : 1;
}

#endif

// The kernels: one table of functions per instruction set, all with the same bits.
//
// Shapes and contracts are stated here once; the Swift module Kernels checks them before it calls.
// No function allocates, keeps state or calls anything but memcpy and memset (portable: fmaf).
// Stack, optimised: at most 32 KiB.
//
// Conventions
// - "Lane sum": lane i (0 ... 15) adds elements i, i + 16, ... in order, missing ones as +0; then
//   the lanes fold 16 -> 8 -> 4 -> 2 -> 1 (lane i adds lane i + width).
// - Rounding to integers is to nearest, ties to even. Only what is called fma is fused.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_HEAD_DIMENSION_MAX 512

// Rows of activations, quantized: int8 with one float scale and one sum of quants per group of 32.
// One row is its groups in order. Several rows lie in blocks of KERNEL_BLOCK_ROWS, of which each
// has the first group of all its rows, then the second; the last block is whole, whatever is in
// the rows that do not exist.
#define KERNEL_BLOCK_ROWS 8

typedef struct {
  const int8_t *quants;    // [blocks][groups][KERNEL_BLOCK_ROWS][32], zero in the padding of a row
  const float *scales;     // [blocks][groups][KERNEL_BLOCK_ROWS]
  const int32_t *sums;     // [blocks][groups][KERNEL_BLOCK_ROWS]
  size_t groups;           // of a row
  size_t rows;
} kernel_rows;

// Groups of 32 of some rows, the last one maybe shorter and then filled up with zeros:
// scale = largest magnitude / 127, q = nearest(x * (127 / largest magnitude)). A group below 2^-100
// is zero.
typedef struct {
  const float *x;          // [rows][x_stride]
  size_t x_stride;
  size_t rows;             // of one block, 1 ... KERNEL_BLOCK_ROWS
  size_t count;            // elements of a row
  int8_t *quants;          // [groups][stride][32], the group of the first row
  float *scales;           // [groups][stride]
  int32_t *sums;           // [groups][stride]
  size_t stride;           // KERNEL_BLOCK_ROWS, or 1 for a row alone
} kernel_quantize;

// output[token][row] for consecutive weight tiles: acc = 0; per group in the order of k
// acc = fma(dot, weight scale * activation scale, acc); asymmetric, after that,
// acc = fma(sum, minimum * activation scale, acc).
typedef struct {
  const uint8_t *tiles;    // [tile_count][tile_bytes]
  size_t tile_bytes;
  size_t tile_count;
  size_t groups;
  kernel_rows tokens;
  float *output;           // [tokens][output_stride], the first row of the first tile
  size_t output_stride;
} kernel_matmul;

// Rotates int8 keys where they are stored: read as floats, rotated as by `rope`, stored again.
typedef struct {
  uint8_t *keys;           // tiles of 16 slots
  size_t tile_bytes;
  size_t dimensions;
  const uint32_t *slots;   // [slot_count]
  size_t slot_count;
  size_t rotated;
  int interleaved;
  const float *cosines;    // [rotated / 2]
  const float *sines;      // [rotated / 2]
} kernel_turn;

// scores[query][slot] = acc * (1 / sqrt(dimensions)), acc as in kernel_matmul over the head's
// groups.
typedef struct {
  const uint8_t *keys;     // tiles of 16 slots
  size_t tile_bytes;
  size_t dimensions;
  size_t slot_begin;       // slots [slot_begin, slot_end)
  size_t slot_end;
  kernel_rows queries;
  float *scores;           // [queries][score_stride]
  size_t score_stride;
  ptrdiff_t ahead;         // from what is read to what is read next, which is asked for meanwhile;
                           // Neon's kernels ask ahead in what they read, here and in the others
} kernel_scores;

// Keys that are read after a run: while slot s of the run is worked on, the memory of slot s of
// `keys` is asked for, which hold `slots` slots, and beyond them of slot s of `rest`, which are
// read after those. Either may be NULL.
typedef struct {
  const uint8_t *keys;
  size_t slots;
  const uint8_t *rest;
} kernel_next;

// In place, over one run of slots: top = largest visible score, or -2^127 where none is;
// p = visible ? exp(score - top) : 0 for slots < slot_count, 0 up to the next multiple of 32;
// sums[query] = lane sum of p. A slot is visible to a query when position <= query position.
typedef struct {
  float *scores;           // [queries][score_stride]
  size_t score_stride;
  size_t slot_count;
  const uint32_t *slot_positions;   // [slot_count]
  const uint32_t *query_positions;  // [queries]
  size_t queries;
  float *sums;             // [queries]
  float *tops;             // [queries]
  kernel_next next;        // the first lines of each 32 slots of it are asked for meanwhile
  size_t next_stride;      // bytes of 32 slots
  const uint8_t *values;   // those of the run, asked for meanwhile, or NULL
  size_t value_stride;     // bytes of 32 slots
} kernel_softmax;

// output[query][dimension] = acc: per block of 32 slots in order, y = p * value scale is
// quantized like an activation group (once per group of 32 dimensions), then
// acc = fma(dot, scale of y, acc). No probability and no scale of int8 values is negative.
typedef struct {
  const uint8_t *values;   // blocks of 32 slots
  size_t block_bytes;
  size_t dimensions;
  size_t slot_count;
  const float *probabilities;       // [queries][probability_stride], zero up to a multiple of 32
  size_t probability_stride;
  size_t queries;
  float *output;           // [queries][output_stride]
  size_t output_stride;
  kernel_next next;        // asked for meanwhile
} kernel_weighted_sum;

// Joins runs of slots to those before them, one after the other, as if all had been one. For each
// query: t = larger top, a = exp(total_top - t), b = exp(part_top - t), total = fma(part, b,
// total * a), the sum alike.
typedef struct {
  const float *parts;      // [runs][queries][stride]
  const float *part_tops;  // [runs][queries]
  const float *part_sums;  // [runs][queries]
  float *totals;           // [queries][stride]
  float *total_tops;       // [queries]
  float *total_sums;       // [queries]
  size_t runs;
  size_t queries;
  size_t stride;
  size_t dimensions;
} kernel_merge;

// What eviction policies see of queries that share their slots. Each query gives every slot a share
// of 2^24: p * f, rounded down, with f = exp(run top - top) * (2^24 / sum), where p is what softmax
// left; then the largest, of equal ones the first, gets what is missing, so that a query's shares
// sum to 2^24. row[slot] = the sum over all queries.
typedef struct {
  const float *numerators; // [queries][numerator_stride], runs one after the other
  size_t numerator_stride;
  const float *run_tops;   // [queries][top_stride], one per run
  size_t top_stride;
  size_t run;              // slots of a run, a multiple of 16
  size_t slot_count;       // at least one
  const float *tops;       // [queries], of the merged runs
  const float *sums;       // [queries]
  size_t queries;          // 1 ... 255
  uint32_t *row;           // [slot_count], filled up to a multiple of 16 with zeros
} kernel_probabilities;

// votes[slot] += 1 where row[slot] < limit and positions[slot] <= position; more_votes alike.
typedef struct {
  const uint32_t *row;        // [slot_count]
  const uint32_t *positions;  // [slot_count]
  size_t slot_count;
  uint32_t limit;
  uint32_t position;
  uint16_t *votes;            // [slot_count]
  uint16_t *more_votes;       // [slot_count], or NULL
} kernel_low_votes;

// How little the values in slots are like their mean: see KernelSet.differences.
typedef struct {
  const uint8_t *values;      // blocks of 32 slots
  size_t dimensions;          // at most 512
  const uint32_t *positions;  // [slot_count], UINT32_MAX where a slot is free
  size_t slot_count;
  uint64_t *scores;           // [slot_count], UINT64_MAX where a slot is free
} kernel_differences;

typedef struct {
  // Elementwise. exponential: 0 below -87.33, infinite above 88.72.
  void (*exponential)(const float *x, float *y, size_t count);
  void (*swiglu)(const float *gate, const float *up, float *y, size_t count);
  void (*add)(const float *x, float *y, size_t count);  // y += x
  void (*divide)(const float *x, float by, float *y, size_t count);  // y = x / by
  // 1 where every element is finite.
  int (*is_finite)(const float *x, size_t count);
  // Pairs (2i, 2i + 1) where interleaved, else (i, i + rotated / 2), in each of `heads` heads.
  void (*rope)(float *x, size_t heads, size_t dimensions, size_t rotated, int interleaved,
               const float *cosines, const float *sines);
  // Hadamard blocks in place; block: a power of two <= 32 that divides count.
  void (*hadamard)(float *x, size_t count, size_t block);
  // y = x * (1 / sqrt(mean square + epsilon)) * weight; 0 where the mean is not finite.
  int (*rms_norm)(const float *x, const float *weight, float epsilon, float *y, size_t count);
  // 0 where x is not finite.
  int (*quantize)(const kernel_quantize *arguments);
  // 32 values to int8 or nibbles with a half-precision scale (and minimum).
  uint16_t (*quantize_int8)(const float *x, int8_t *quants);
  uint16_t (*quantize_int4)(const float *x, int8_t *quants);
  uint16_t (*quantize_int4_asymmetric)(const float *x, int8_t *quants, uint16_t *minimum);
  void (*matmul_int8)(const kernel_matmul *arguments);
  void (*matmul_int4)(const kernel_matmul *arguments);
  void (*matmul_int4_asymmetric)(const kernel_matmul *arguments);
  // One row of a weight tile as floats, groups * 32 of them.
  void (*row_int8)(const uint8_t *tile, size_t groups, size_t row, float *y);
  void (*row_int4)(const uint8_t *tile, size_t groups, size_t row, float *y);
  void (*row_int4_asymmetric)(const uint8_t *tile, size_t groups, size_t row, float *y);
  // Quantize one vector of a head into the slot of a key tile, or of a block of values.
  void (*append_key_int8)(uint8_t *tile, size_t dimensions, size_t slot, const float *x);
  void (*append_key_int4)(uint8_t *tile, size_t dimensions, size_t slot, const float *x);
  void (*turn_keys)(const kernel_turn *arguments);
  void (*append_value_int8)(uint8_t *block, size_t dimensions, size_t slot, const float *x);
  void (*append_value_int4)(uint8_t *block, size_t dimensions, size_t slot, const float *x);
  void (*scores_int8)(const kernel_scores *arguments);
  void (*scores_int4)(const kernel_scores *arguments);
  void (*softmax)(const kernel_softmax *arguments);
  void (*merge)(const kernel_merge *arguments);
  void (*probabilities)(const kernel_probabilities *arguments);
  // sums[slot] += row[slot].
  void (*add_row)(const uint32_t *row, size_t count, int64_t *sums);
  // What somebody counted apart goes to where it is summed up; zeros stay behind.
  void (*take_sums)(int64_t *from, size_t count, int64_t *sums);
  void (*take_votes)(uint16_t *from, size_t count, uint16_t *votes);
  void (*count_low)(const kernel_low_votes *arguments);
  // How many positions lie in [from, to).
  size_t (*count_positions)(const uint32_t *positions, size_t count, uint32_t from, uint32_t to);
  // The slot with the lowest score (NULL: all alike) of those with positions in [from, to), of
  // equal scores the lowest position; `count` where there is none.
  size_t (*lowest)(const int64_t *scores, const uint32_t *positions, size_t count, uint32_t from,
                   uint32_t to);
  void (*differences_int8)(const kernel_differences *arguments);
  void (*differences_int4)(const kernel_differences *arguments);
  void (*weighted_sum_int8)(const kernel_weighted_sum *arguments);
  void (*weighted_sum_int4)(const kernel_weighted_sum *arguments);
} kernel_table;

typedef enum {
  KERNEL_PORTABLE = 0,
  KERNEL_AVX2 = 1,
  KERNEL_AVXVNNI = 2,
  KERNEL_AVX512VNNI = 3,
  KERNEL_NEON = 4,
  KERNEL_DOTPROD = 5,
  KERNEL_I8MM = 6,
} kernel_instruction_set;

// The table of an instruction set, or NULL where this architecture does not have it.
const kernel_table *kernel_table_of(kernel_instruction_set set);

// Copies the key, or the value, of one slot of a KV head over that of another, bit for bit.
void kernel_move_key(uint8_t *keys, size_t dimensions, int is_int4, size_t tile_bytes, size_t from,
                     size_t to);
void kernel_move_value(uint8_t *values, size_t dimensions, int is_int4, size_t block_bytes,
                       size_t from, size_t to);

// Asks for the memory of a key, or a value, that is read or written soon.
void kernel_ask_key(const uint8_t *keys, size_t tile_bytes, size_t slot);
void kernel_ask_value(const uint8_t *values, size_t dimensions, int is_int4, size_t block_bytes,
                      size_t slot);

// Bit n set: this x86-64 processor and its operating system run instruction set n.
// On other architectures only portable: there the caller knows the capabilities.
uint32_t kernel_cpuid_sets(void);

#endif

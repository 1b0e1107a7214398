// Several tokens, where registers are many: the accumulators of a few tiles and rows stay in them
// over a run of groups. Weights come from the second cache, again for every few rows; meanwhile
// those of the next tiles are asked for, a little with each group, and arrive in time. Part of
// Products.h.
#ifndef CKERNELS_MATMUL_REGISTERS_H
#define CKERNELS_MATMUL_REGISTERS_H

// Groups that a few strips and rows go through before the next rows take their turn, and sets of
// rows that do.
enum { RUN_GROUPS = 64, RUN_SETS = 16 };

// What a set of rows of some strips adds up to between two runs.
typedef float set_sums[KERNEL_STRIPS][KERNEL_STRIP_ROWS][16];

// Some strips of consecutive tiles, of which the first is strip `first` of its tile; after inlining
// these are constants.
typedef struct {
  const kernel_matmul *matmul;
  const uint8_t *tile;
  float *output;  // of the first strip
  int first;
  int count;
} strip_set;

// The memory that is asked for: `each` bytes with each group.
typedef struct {
  const uint8_t *next;
  size_t each;
} asked_memory;

// One group of some strips for the rows from `row` on. Written out: by way of a row_group, as
// gather and accumulate of Products.h have it, it is up to 17 % slower.
INLINE void sum_group(const strip_set *s, size_t row, size_t group, const int format,
                      f32x16 (*acc)[KERNEL_STRIP_ROWS]) {
  const kernel_matmul *m = s->matmul;
  const weight_group at = weight_group_at(s->tile, m->groups, group, format);
  const size_t index = group_index(&m->tokens, row, group);
  const float *x_scales = m->tokens.scales + index;
  const int32_t *x_sums = m->tokens.sums + index;
  const int8_t *x = m->tokens.quants + index * 32;
  const uint8_t *quants[KERNEL_STRIPS];
  f32x16 dot[KERNEL_STRIPS * KERNEL_STRIP_ROWS];
  UNROLL for (int n = 0; n < KERNEL_STRIPS; n++) quants[n] = at.quants + (size_t)n * m->tile_bytes;
  strip_dots(quants, format, s->first, s->count, x, x_sums, KERNEL_STRIP_ROWS, 0, dot);
  UNROLL for (int n = 0; n < s->count; n++) {
    const int strip = s->first + n, strips = tile_strips(format);
    const size_t place = (size_t)(strip / strips) * m->tile_bytes + (size_t)(strip % strips) * 32;
    const f32x16 scale = load_halves(at.scales + place);
    UNROLL for (int r = 0; r < KERNEL_STRIP_ROWS; r++)
      acc[n][r] = fused(dot[n * KERNEL_STRIP_ROWS + r], scale * x_scales[r], acc[n][r]);
    if (format != INT4_ASYMMETRIC) continue;
    const f32x16 minimum = load_halves(at.minimums + place);
    UNROLL for (int r = 0; r < KERNEL_STRIP_ROWS; r++)
      acc[n][r] = fused((f32x16)(float)x_sums[r], minimum * x_scales[r], acc[n][r]);
  }
}

// Groups [begin, end) of some strips for a set of rows; after the last one the sums are outputs.
INLINE void sum_run(const strip_set *s, size_t row, size_t begin, size_t end, const int format,
                    set_sums *sums, asked_memory *asked) {
  const kernel_matmul *m = s->matmul;
  f32x16 acc[KERNEL_STRIPS][KERNEL_STRIP_ROWS];
  UNROLL for (int n = 0; n < s->count; n++)
    UNROLL for (int r = 0; r < KERNEL_STRIP_ROWS; r++)
      acc[n][r] = begin == 0 ? (f32x16)0.0f : load16((*sums)[n][r]);
  for (size_t g = begin; g < end; g++, asked->next += asked->each) {
    for (size_t i = 0; i < asked->each; i += 64) __builtin_prefetch(asked->next + i, 0, 2);
    sum_group(s, row, g, format, acc);
  }
  float *output = s->output + row * m->output_stride;
  UNROLL for (int n = 0; n < s->count; n++)
    UNROLL for (int r = 0; r < KERNEL_STRIP_ROWS; r++) {
      if (end < m->groups) store16((*sums)[n][r], acc[n][r]);
      else if (row + (size_t)r < m->tokens.rows)
        store16(output + (size_t)r * m->output_stride + n * 16, acc[n][r]);
    }
}

// `count` strips from number `strip` on; `first`: which one of its tile that is.
INLINE void matmul_strips(const kernel_matmul *m, size_t strip, const int first, const int count,
                          const int format) {
  _Alignas(64) set_sums sums[RUN_SETS];
  const size_t rows = m->tokens.rows, step = KERNEL_STRIP_ROWS, strips = tile_strips(format);
  const uint8_t *tile = m->tiles + strip / strips * m->tile_bytes;
  const strip_set set = {m, tile, m->output + strip * 16, first, count};
  const size_t sets = (rows + step - 1) / step;
  // As much as these strips are, from behind the tile where they end: of a tile begun all is read.
  const size_t next = strip + (size_t)count + strips - 1;
  const size_t bytes = (size_t)count * weight_group_bytes(format) / strips;
  asked_memory asked = {m->tiles + next * m->tile_bytes / strips, (bytes + sets - 1) / sets};
  for (size_t row = 0; row < rows; row += RUN_SETS * step)
    for (size_t begin = 0; begin < m->groups; begin += RUN_GROUPS)
      for (size_t s = 0; s < RUN_SETS && row + s * step < rows; s++)
        sum_run(&set, row + s * step, begin, smaller_size(begin + RUN_GROUPS, m->groups), format,
                &sums[s], &asked);
}

INLINE void matmul_tokens(const kernel_matmul *m, const int format) {
  // One strip alone has too few sums for the time that a product takes, two have just enough.
  const size_t count = m->tile_count * (size_t)tile_strips(format);
  size_t strip = 0;
  while (count - strip >= KERNEL_STRIPS && count - strip != KERNEL_STRIPS + 1) {
    if (strip % (size_t)tile_strips(format) == 0) matmul_strips(m, strip, 0, KERNEL_STRIPS, format);
    else matmul_strips(m, strip, 1, KERNEL_STRIPS, format);
    strip += KERNEL_STRIPS;
  }
  for (; count - strip >= 2; strip += 2) matmul_strips(m, strip, 0, 2, format);
  if (strip < count) matmul_strips(m, strip, 0, 1, format);
}

#endif

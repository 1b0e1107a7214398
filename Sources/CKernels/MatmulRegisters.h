// Several tokens, where registers are many: the accumulators of a few tiles and rows stay in them
// over a run of groups. Weights come from the second cache, again for every few rows; meanwhile
// those of the next tiles are asked for, a little with each group, and arrive in time. Part of
// Products.h.
#ifndef CKERNELS_MATMUL_REGISTERS_H
#define CKERNELS_MATMUL_REGISTERS_H

// Groups that a few tiles and rows go through before the next rows take their turn, and sets of
// rows that do.
enum { RUN_GROUPS = 64, RUN_SETS = 16 };

// What a set of rows of some tiles adds up to between two runs.
typedef float set_sums[KERNEL_TILES][KERNEL_TILE_ROWS][16];

// The memory that is asked for: `each` bytes with each group.
typedef struct {
  const uint8_t *next;
  size_t each;
} asked_memory;

// One group of some tiles, a constant after inlining, for the rows from `row` on. Written out: by
// way of a row_group, as gather and accumulate of Products.h have it, it is up to 17 % slower.
INLINE void sum_group(const kernel_matmul *m, const uint8_t *tile, size_t row, size_t group,
                      const int format, const int tiles, f32x16 (*acc)[KERNEL_TILE_ROWS]) {
  const weight_group at = weight_group_at(tile, m->groups, group, format);
  const size_t index = group_index(&m->tokens, row, group);
  const float *x_scales = m->tokens.scales + index;
  const int32_t *x_sums = m->tokens.sums + index;
  const uint8_t *quants[KERNEL_TILES];
  i32x16 dot[KERNEL_TILES * KERNEL_TILE_ROWS];
  UNROLL for (int n = 0; n < tiles; n++) {
    quants[n] = at.quants + (size_t)n * m->tile_bytes;
    UNROLL for (int r = 0; r < KERNEL_TILE_ROWS; r++)
      dot[n * KERNEL_TILE_ROWS + r] = start_of(x_sums[r], format);
  }
  add_products(quants, format == INT8 ? 8 : 4, format, m->tokens.quants + index * 32,
               KERNEL_TILE_ROWS, tiles, 0, dot);
  UNROLL for (int n = 0; n < tiles; n++) {
    const f32x16 scale = load_halves(at.scales + (size_t)n * m->tile_bytes);
    UNROLL for (int r = 0; r < KERNEL_TILE_ROWS; r++)
      acc[n][r] = fused(to_float(dot[n * KERNEL_TILE_ROWS + r]), scale * x_scales[r], acc[n][r]);
    if (format != INT4_ASYMMETRIC) continue;
    const f32x16 minimum = load_halves(at.minimums + (size_t)n * m->tile_bytes);
    UNROLL for (int r = 0; r < KERNEL_TILE_ROWS; r++)
      acc[n][r] = fused((f32x16)(float)x_sums[r], minimum * x_scales[r], acc[n][r]);
  }
}

// Groups [first, end) of some tiles for a set of rows; after the last one the sums are outputs.
INLINE void sum_run(const kernel_matmul *m, size_t tile, size_t row, size_t first, size_t end,
                    const int format, const int tiles, set_sums *sums, asked_memory *asked) {
  f32x16 acc[KERNEL_TILES][KERNEL_TILE_ROWS];
  UNROLL for (int n = 0; n < tiles; n++)
    UNROLL for (int r = 0; r < KERNEL_TILE_ROWS; r++)
      acc[n][r] = first == 0 ? (f32x16)0.0f : load16((*sums)[n][r]);
  for (size_t g = first; g < end; g++, asked->next += asked->each) {
    for (size_t i = 0; i < asked->each; i += 64) __builtin_prefetch(asked->next + i, 0, 2);
    sum_group(m, m->tiles + tile * m->tile_bytes, row, g, format, tiles, acc);
  }
  float *output = m->output + row * m->output_stride + tile * 16;
  UNROLL for (int n = 0; n < tiles; n++)
    UNROLL for (int r = 0; r < KERNEL_TILE_ROWS; r++) {
      if (end < m->groups) store16((*sums)[n][r], acc[n][r]);
      else if (row + (size_t)r < m->tokens.rows)
        store16(output + (size_t)r * m->output_stride + n * 16, acc[n][r]);
    }
}

INLINE void matmul_tiles(const kernel_matmul *m, size_t tile, const int format, const int tiles) {
  _Alignas(64) set_sums sums[RUN_SETS];
  const size_t rows = m->tokens.rows, step = KERNEL_TILE_ROWS;
  const size_t bytes = (size_t)tiles * (group_quant_bytes(format) + group_parameter_bytes(format));
  const size_t sets = (rows + step - 1) / step;
  asked_memory asked = {m->tiles + (tile + (size_t)tiles) * m->tile_bytes,
                        (bytes + sets - 1) / sets};
  for (size_t row = 0; row < rows; row += RUN_SETS * step)
    for (size_t first = 0; first < m->groups; first += RUN_GROUPS)
      for (size_t s = 0; s < RUN_SETS && row + s * step < rows; s++)
        sum_run(m, tile, row + s * step, first, smaller_size(first + RUN_GROUPS, m->groups), format,
                tiles, &sums[s], &asked);
}

INLINE void matmul_tokens(const kernel_matmul *m, const int format) {
  // One tile alone has too few sums for the time that a product takes, two have just enough.
  const size_t count = m->tile_count;
  size_t tile = 0;
  while (count - tile >= KERNEL_TILES && count - tile != KERNEL_TILES + 1) {
    matmul_tiles(m, tile, format, KERNEL_TILES);
    tile += KERNEL_TILES;
  }
  for (; count - tile >= 2; tile += 2) matmul_tiles(m, tile, format, 2);
  if (tile < count) matmul_tiles(m, tile, format, 1);
}

#endif

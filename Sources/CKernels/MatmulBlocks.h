// Several tokens, where registers are few: a block of tiles and tokens whose accumulators and
// unpacked groups stay in the first cache. Part of Products.h.
#ifndef CKERNELS_MATMUL_BLOCKS_H
#define CKERNELS_MATMUL_BLOCKS_H

// A tile is one strip or two.
enum { BLOCK_STRIPS = 12, BLOCK_SETS = 32 / KERNEL_ROWS };

typedef struct {
  _Alignas(64) float acc[BLOCK_STRIPS][BLOCK_SETS][KERNEL_ROWS][16];
  _Alignas(64) wide_rows wide[KERNEL_WIDENS ? BLOCK_SETS : 1];
  row_group rows[BLOCK_SETS];
} block_state;

INLINE void block_group(const kernel_matmul *m, const uint8_t *tile, size_t group, size_t sets,
                        float (*sums)[BLOCK_SETS][KERNEL_ROWS][16], const row_group *rows,
                        const int format) {
  const weight_group at = weight_group_at(tile, m->groups, group, format);
  prepared_strip prepared[STRIPS_MAX];
  prepare(at.quants, format, prepared);
  // int4 is asked for, a line with each set: in bursts of whole groups it would come too late.
  const uint8_t *next = at.quants + weight_group_bytes(format);
  if (format != INT8) ask(next + WEIGHT_QUANT_BYTES);
  for (int strip = 0; strip < tile_strips(format); strip++, sums++) {
    const f32x16 scale = load_halves(at.scales + strip * 32);
    const f32x16 minimum = load_minimums(&at, format, strip);
    for (size_t s = 0; s < sets; s++) {
      i32x16 dot[KERNEL_ROWS];
      f32x16 acc[KERNEL_ROWS];
      // Read again for each set: kept for all of them it would only be copied, registers are few.
      const prepared_strip *w = &prepared[strip];
      if (format != INT8) __asm__("" : "+r"(w));
      if (format != INT8 && strip == 0) ask(next + s * 64);
      dots_prepared(w, format, &rows[s], dot);
      for (int r = 0; r < KERNEL_ROWS; r++) acc[r] = load16((*sums)[s][r]);
      accumulate(dot, scale, minimum, &rows[s], format, KERNEL_ROWS, acc);
      for (int r = 0; r < KERNEL_ROWS; r++) store16((*sums)[s][r], acc[r]);
    }
  }
}

INLINE void matmul_block(const kernel_matmul *m, size_t tile, size_t tiles, size_t token,
                         size_t tokens, const int format) {
  block_state state;
  const size_t sets = (tokens + KERNEL_ROWS - 1) / KERNEL_ROWS;
  const size_t strips = tiles * (size_t)tile_strips(format);
  for (size_t n = 0; n < strips; n++)
    __builtin_memset(state.acc[n], 0, sets * sizeof *state.acc[n]);
  for (size_t g = 0; g < m->groups; g++) {
    for (size_t s = 0; s < sets; s++)
      gather(&m->tokens, group_index(&m->tokens, token + s * KERNEL_ROWS, g), format, 0,
             KERNEL_ROWS, &state.wide[KERNEL_WIDENS ? s : 0], &state.rows[s]);
    for (size_t n = 0; n < tiles; n++)
      block_group(m, m->tiles + (tile + n) * m->tile_bytes, g, sets,
                  state.acc + n * (size_t)tile_strips(format), state.rows, format);
  }
  for (size_t n = 0; n < strips; n++)
    for (size_t t = 0; t < tokens; t++) {
      float *to = m->output + (token + t) * m->output_stride + tile * tile_rows(format) + n * 16;
      store16(to, load16(state.acc[n][t / KERNEL_ROWS][t % KERNEL_ROWS]));
    }
}

INLINE void matmul_tokens(const kernel_matmul *m, const int format) {
  const size_t block = BLOCK_SETS * KERNEL_ROWS;
  const size_t tiles = BLOCK_STRIPS / (size_t)tile_strips(format);
  for (size_t tile = 0; tile < m->tile_count; tile += tiles)
    for (size_t token = 0; token < m->tokens.rows; token += block)
      matmul_block(m, tile, smaller_size(tiles, m->tile_count - tile), token,
                   smaller_size(block, m->tokens.rows - token), format);
}

#endif

#pragma STDC FP_CONTRACT OFF
// Moves keys and values from slot to slot, and asks for slots that are used soon; the Swift side
// (KeyLayout, ValueLayout) explains where they lie. Only bytes are copied, so that one version
// serves all instruction sets.
#include "Layout.h"

void kernel_move_key(uint8_t *keys, size_t dimensions, int is_int4, size_t tile_bytes, size_t from,
                     size_t to) {
  const size_t quants = key_quant_bytes(dimensions, is_int4 ? INT4 : INT8);
  const uint8_t *source = keys + from / 16 * tile_bytes;
  uint8_t *target = keys + to / 16 * tile_bytes;
  for (size_t i = 0; i < quants; i += 64)
    __builtin_memmove(target + i + to % 16 * 4, source + i + from % 16 * 4, 4);
  for (size_t i = quants; i < quants + dimensions; i += 32)
    __builtin_memmove(target + i + to % 16 * 2, source + i + from % 16 * 2, 2);
}

// Where the byte of a slot lies among the quants of 16 dimensions of a block: that of the first.
INLINE size_t value_byte(size_t slot, const int format) {
  return slot % 32 / (format == INT8 ? 4 : 8) * 64 + slot % 4;
}

INLINE void move_value(uint8_t *values, size_t dimensions, size_t block_bytes, size_t from,
                       size_t to, const int format) {
  const size_t quants = value_quant_bytes(dimensions, format);
  const uint8_t *block = values + from / 32 * block_bytes;
  uint8_t *target_block = values + to / 32 * block_bytes;
  const int shift = from & 4, target_shift = to & 4;
  for (size_t start = 0; start < dimensions; start += 16) {
    const size_t tile = start / 16 * cache_group_bytes(format);
    const uint8_t *source = block + tile + value_byte(from, format);
    uint8_t *target = target_block + tile + value_byte(to, format);
    for (size_t k = 0; k < smaller_size(dimensions - start, 16); k++) {
      if (format == INT8) {
        target[k * 4] = source[k * 4];
        continue;
      }
      const int quant = source[k * 4] >> shift & 15;
      target[k * 4] = (uint8_t)((target[k * 4] & ~(15 << target_shift)) | quant << target_shift);
    }
  }
  for (size_t i = quants; i < block_bytes; i += 64)
    __builtin_memmove(target_block + i + to % 32 * 2, block + i + from % 32 * 2, 2);
}

void kernel_move_value(uint8_t *values, size_t dimensions, int is_int4, size_t block_bytes,
                       size_t from, size_t to) {
  if (is_int4) move_value(values, dimensions, block_bytes, from, to, INT4);
  else move_value(values, dimensions, block_bytes, from, to, INT8);
}

void kernel_ask_key(const uint8_t *keys, size_t tile_bytes, size_t slot) {
  for (size_t i = 0; i < tile_bytes; i += 64) ask(keys + slot / 16 * tile_bytes + i);
}

void kernel_ask_value(const uint8_t *values, size_t dimensions, int is_int4, size_t block_bytes,
                      size_t slot) {
  const int format = is_int4 ? INT4 : INT8;
  const uint8_t *block = values + slot / 32 * block_bytes;
  const size_t quants = value_quant_bytes(dimensions, format);
  for (size_t i = 0; i < quants; i += cache_group_bytes(format))
    ask(block + i + value_byte(slot, format));
  for (size_t i = quants; i < block_bytes; i += 64) ask(block + i);
}

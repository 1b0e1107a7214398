internal import CKernels
package import Units

/// Where the keys of one KV head lie: tiles of 16 slots, which are the rows.
///
/// 1. Dimensions are filled up to a multiple of 4 (int8) or 8 (int4).
/// 2. A tile holds the quants first: 64 bytes for 16 slots × 4 dimensions, of int4 × 8, of which
///    byte j of a slot holds j in its low and 4 + j in its high nibble (unlike int4 weights: slots
///    come one by one); then half-precision scales [groups of 32 dimensions][16 slots].
/// 3. A tile is filled up to a multiple of 64 bytes. Tiles follow each other.
package struct KeyLayout: BitwiseCopyable {
  package let format: CacheFormat
  package let headDimension: Int
  /// Groups of at most 32 dimensions.
  package let groups: Int
  /// Bytes of the quants of a tile.
  package let quantBytes: Int
  /// Bytes of a tile of 16 slots.
  package let tileBytes: Int

  /// The layout for a head dimension of at most 512.
  package init(format: CacheFormat, headDimension: Int) {
    precondition(headDimension > 0 && headDimension <= 512, "a head has 1 to 512 dimensions")
    self.format = format
    self.headDimension = headDimension
    groups = headDimension.dividedRoundingUp(by: 32)
    quantBytes = headDimension.dividedRoundingUp(by: format == .int8 ? 4 : 8) * 64
    tileBytes = (quantBytes + groups * 32).roundedUp(toMultipleOf: 64)
  }

  /// Bytes of the keys of one KV head.
  package func bytes(slots: Int) -> Int { slots.dividedRoundingUp(by: 16) * tileBytes }

  /// The tile of a slot.
  func tile(of slot: Int, in keys: FixedBuffer<UInt8>) -> FixedBuffer<UInt8> {
    precondition(slot >= 0, "slots count from 0")
    let start = slot / 16 * tileBytes
    return keys.extracting(start..<start + tileBytes)
  }

  /// Copies the key of one slot of a KV head over that of another, bit for bit.
  package func move(from source: Int, to target: Int, in keys: FixedBuffer<UInt8>) {
    precondition(min(source, target) >= 0, "slots count from 0")
    precondition(keys.count >= bytes(slots: max(source, target) + 1), "both keys are there")
    // SAFETY: the line above keeps both slots inside.
    unsafe kernel_move_key(
      keys.unsafeBaseAddress, headDimension, format == .int4 ? 1 : 0, tileBytes, source, target)
  }

  /// Asks for the memory of a key that is read or written soon.
  package func ask(for slot: Int, in keys: FixedBuffer<UInt8>) {
    precondition(slot >= 0 && keys.count >= bytes(slots: slot + 1), "the key is there")
    // SAFETY: the line above keeps the slot inside.
    unsafe kernel_ask_key(keys.unsafeBaseAddress, tileBytes, slot)
  }
}

/// Where the values of one KV head lie: blocks of 32 slots, dimensions as rows, slots along k.
///
/// 1. Dimensions are filled up to a multiple of 16.
/// 2. A block holds a tile for each 16 dimensions: int8 8 × 64 bytes [16 dimensions][4 slots], int4
///    4 × 64 bytes [16 dimensions][4 bytes] for 8 slots, nibbles as in `KeyLayout`.
/// 3. Then half-precision scales [groups of 32 dimensions][32 slots]. Blocks follow each other.
package struct ValueLayout: BitwiseCopyable {
  package let format: CacheFormat
  package let headDimension: Int
  /// Groups of at most 32 dimensions.
  package let groups: Int
  /// Bytes of the quants of a block.
  package let quantBytes: Int
  /// Bytes of a block of 32 slots.
  package let blockBytes: Int

  /// The layout for a head dimension of at most 512.
  package init(format: CacheFormat, headDimension: Int) {
    precondition(headDimension > 0 && headDimension <= 512, "a head has 1 to 512 dimensions")
    self.format = format
    self.headDimension = headDimension
    groups = headDimension.dividedRoundingUp(by: 32)
    quantBytes = headDimension.dividedRoundingUp(by: 16) * (format == .int8 ? 512 : 256)
    blockBytes = quantBytes + groups * 64
  }

  /// Bytes of the values of one KV head.
  package func bytes(slots: Int) -> Int { slots.dividedRoundingUp(by: 32) * blockBytes }

  /// Copies the value of one slot of a KV head over that of another, bit for bit.
  package func move(from source: Int, to target: Int, in values: FixedBuffer<UInt8>) {
    precondition(min(source, target) >= 0, "slots count from 0")
    precondition(values.count >= bytes(slots: max(source, target) + 1), "both values are there")
    // SAFETY: the line above keeps both slots inside.
    unsafe kernel_move_value(
      values.unsafeBaseAddress, headDimension, format == .int4 ? 1 : 0, blockBytes, source, target)
  }

  /// Asks for the memory of a value that is read or written soon.
  package func ask(for slot: Int, in values: FixedBuffer<UInt8>) {
    precondition(slot >= 0 && values.count >= bytes(slots: slot + 1), "the value is there")
    // SAFETY: the line above keeps the slot inside.
    unsafe kernel_ask_value(
      values.unsafeBaseAddress, headDimension, format == .int4 ? 1 : 0, blockBytes, slot)
  }
}

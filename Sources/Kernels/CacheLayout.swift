package import Units

/// Where the keys of one KV head lie: tiles of 16 slots in the weights' layout, slots as rows.
///
/// 1. Dimensions are filled up to a multiple of 4 (int8) or 8 (int4).
/// 2. A tile holds the quants first: 64 bytes for 16 slots × 4 dimensions (int4: 8, nibbles as in
///    `WeightLayout`); then half-precision scales [groups of 32 dimensions][16 slots].
/// 3. A tile is filled up to a multiple of 64 bytes. Tiles follow each other.
package struct KeyLayout: BitwiseCopyable {
  package let format: CacheFormat
  package let headDimension: Int

  /// The layout for a head dimension of at most 512.
  package init(format: CacheFormat, headDimension: Int) {
    precondition(headDimension > 0 && headDimension <= 512, "a head has 1 to 512 dimensions")
    self.format = format
    self.headDimension = headDimension
  }

  /// Groups of at most 32 dimensions.
  package var groups: Int { headDimension.dividedRoundingUp(by: 32) }

  /// Bytes of the quants of a tile.
  package var quantBytes: Int {
    headDimension.dividedRoundingUp(by: format == .int8 ? 4 : 8) * 64
  }

  /// Bytes of a tile of 16 slots.
  package var tileBytes: Int { (quantBytes + groups * 32).roundedUp(toMultipleOf: 64) }

  /// Bytes of the keys of one KV head.
  package func bytes(slots: Int) -> Int { slots.dividedRoundingUp(by: 16) * tileBytes }
}

/// Where the values of one KV head lie: blocks of 32 slots, dimensions as rows, slots along k.
///
/// 1. Dimensions are filled up to a multiple of 16.
/// 2. A block holds a tile for each 16 dimensions: int8 8 × 64 bytes [16 dimensions][4 slots], int4
///    4 × 64 bytes [16 dimensions][4 bytes] for 8 slots, nibbles as in `WeightLayout`.
/// 3. Then half-precision scales [groups of 32 dimensions][32 slots]. Blocks follow each other.
package struct ValueLayout: BitwiseCopyable {
  package let format: CacheFormat
  package let headDimension: Int

  /// The layout for a head dimension of at most 512.
  package init(format: CacheFormat, headDimension: Int) {
    precondition(headDimension > 0 && headDimension <= 512, "a head has 1 to 512 dimensions")
    self.format = format
    self.headDimension = headDimension
  }

  /// Groups of at most 32 dimensions.
  package var groups: Int { headDimension.dividedRoundingUp(by: 32) }

  /// Bytes of the quants of a block.
  package var quantBytes: Int {
    headDimension.dividedRoundingUp(by: 16) * (format == .int8 ? 512 : 256)
  }

  /// Bytes of a block of 32 slots.
  package var blockBytes: Int { quantBytes + groups * 64 }

  /// Bytes of the values of one KV head.
  package func bytes(slots: Int) -> Int { slots.dividedRoundingUp(by: 32) * blockBytes }
}

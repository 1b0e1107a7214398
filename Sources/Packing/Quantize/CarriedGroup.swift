package import Quantization

/// Groups of a GGUF tensor that a pack holds with the very same integers.
package enum CarriedGroup {
  /// The group as the target stores it, or `nil` where it has to be quantized anew.
  ///
  /// `group` counts groups of 32 along the row `source`. Q8_0, Q5_0 and Q4_0 as int8, Q4_0 as int4
  /// and Q4_1 as asymmetric int4 lose nothing; Q4_K as asymmetric int4 keeps its nibbles and rounds
  /// each group's scale and minimum, products of a half and six bits, to halves.
  package static func carried(
    _ type: TensorType, as format: WeightFormat, _ source: RawSpan, group: Int
  ) -> QuantizedGroup? {
    switch (type, format) {
    case (.q80, .int8): return signedBytes(BlockBytes(source, start: group * 34))
    case (.q40, .int8): return nibbles(BlockBytes(source, start: group * 18), at: 2, minus: 8)
    case (.q40, .int4): return nibbles(BlockBytes(source, start: group * 18), at: 2, minus: 0)
    case (.q50, .int8): return fiveBits(BlockBytes(source, start: group * 22))
    case (.q41, .int4Asymmetric):
      let bytes = BlockBytes(source, start: group * 20)
      var carried = nibbles(bytes, at: 4, minus: 0)
      carried.minimum = bytes.halfBits(2)
      return carried
    case (.q4K, .int4Asymmetric):
      return superBlock(BlockBytes(source, start: group / 8 * 144), group: group % 8)
    default: return nil
    }
  }

  private static func signedBytes(_ bytes: BlockBytes) -> QuantizedGroup? {
    var carried = QuantizedGroup(scale: bytes.halfBits(0))
    for index in 0..<32 {
      let quant = Int8(bitPattern: bytes[2 + index])
      // The kernels rely on −127 … 127; no writer makes a −128.
      guard quant != -128 else { return nil }
      carried.quants[index] = quant
    }
    return carried
  }

  private static func nibbles(
    _ bytes: BlockBytes, at start: Int, minus offset: Int8
  ) -> QuantizedGroup {
    var carried = QuantizedGroup(scale: bytes.halfBits(0))
    for index in 0..<16 {
      let byte = Int8(truncatingIfNeeded: bytes[start + index] & 15)
      carried.quants[index] = byte - offset
      carried.quants[16 + index] = Int8(truncatingIfNeeded: bytes[start + index] >> 4) - offset
    }
    return carried
  }

  private static func fiveBits(_ bytes: BlockBytes) -> QuantizedGroup {
    var carried = nibbles(bytes, at: 6, minus: 16)
    let fifth = bytes.word(2)
    for index in 0..<32 where fifth >> UInt32(index) & 1 == 1 { carried.quants[index] += 16 }
    return carried
  }

  private static func superBlock(_ bytes: BlockBytes, group: Int) -> QuantizedGroup? {
    let (scale, minimum) = bytes.scaleAndMinimum(group: group)
    guard max(scale.magnitude, minimum.magnitude) <= Float16Bits.greatestFinite else {
      return nil
    }
    var carried = QuantizedGroup(
      scale: Float16Bits.bits(scale), minimum: Float16Bits.bits(-minimum))
    let shift = UInt8(group % 2 * 4)
    for index in 0..<32 {
      let nibble = bytes[16 + group / 2 * 32 + index] >> shift & 15
      carried.quants[index] = Int8(truncatingIfNeeded: nibble)
    }
    return carried
  }
}

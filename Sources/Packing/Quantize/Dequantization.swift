internal import Quantization
package import Units

/// Turns the stored elements of a GGUF tensor into floats, exactly as each type defines them.
///
/// All products and sums are single float operations in the order of the formats' reference, so
/// the results have the same bits everywhere.
package enum Dequantization {
  /// Dequantizes one row of `columns` elements into the start of `output`.
  package static func row(
    _ type: TensorType, _ source: RawSpan, columns: Int, into output: FixedBuffer<Float>
  ) {
    precondition(columns % type.blockElements == 0, "rows consist of whole blocks")
    precondition(columns <= output.count, "the row fits the buffer")
    let blocks = columns / type.blockElements
    precondition(source.byteCount == blocks * type.blockBytes, "the row has its bytes")
    for block in 0..<blocks {
      let bytes = BlockBytes(source, start: block * type.blockBytes)
      let start = block * type.blockElements
      switch type {
      case .f32: output[start] = Float(bitPattern: bytes.word(0))
      case .f16: output[start] = bytes.half(0)
      case .bf16: output[start] = Float(bitPattern: UInt32(bytes.halfBits(0)) << 16)
      case .q80: q80(bytes, start, output)
      case .q40: q40(bytes, start, output)
      case .q41: q41(bytes, start, output)
      case .q50: q50(bytes, start, output)
      case .q51: q51(bytes, start, output)
      case .q4K: q4K(bytes, start, output)
      case .q5K: q5K(bytes, start, output)
      case .q6K: q6K(bytes, start, output)
      }
    }
  }

  /// Block: scale (half), 32 signed bytes.
  private static func q80(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let scale = bytes.half(0)
    for index in 0..<32 {
      output[start + index] = Float(Int8(bitPattern: bytes[2 + index])) * scale
    }
  }

  /// Block: scale (half), 16 bytes; byte i holds elements i (low nibble) and 16 + i.
  private static func q40(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let scale = bytes.half(0)
    for index in 0..<16 {
      let byte = bytes[2 + index]
      output[start + index] = scale * Float(Int(byte & 15) - 8)
      output[start + 16 + index] = scale * Float(Int(byte >> 4) - 8)
    }
  }

  /// Block: scale, minimum (halves), 16 bytes as in Q4_0.
  private static func q41(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let scale = bytes.half(0)
    let minimum = bytes.half(2)
    for index in 0..<16 {
      let byte = bytes[4 + index]
      output[start + index] = scale * Float(byte & 15) + minimum
      output[start + 16 + index] = scale * Float(byte >> 4) + minimum
    }
  }

  /// Block: scale (half), 32 fifth bits, 16 bytes as in Q4_0.
  private static func q50(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let scale = bytes.half(0)
    let fifth = bytes.word(2)
    for index in 0..<16 {
      let byte = bytes[6 + index]
      let low = Int(byte & 15) | Int(fifth >> UInt32(index) & 1) << 4
      let high = Int(byte >> 4) | Int(fifth >> UInt32(index + 16) & 1) << 4
      output[start + index] = scale * Float(low - 16)
      output[start + 16 + index] = scale * Float(high - 16)
    }
  }

  /// Block: scale, minimum (halves), 32 fifth bits, 16 bytes as in Q4_0.
  private static func q51(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let scale = bytes.half(0)
    let minimum = bytes.half(2)
    let fifth = bytes.word(4)
    for index in 0..<16 {
      let byte = bytes[8 + index]
      let low = Int(byte & 15) | Int(fifth >> UInt32(index) & 1) << 4
      let high = Int(byte >> 4) | Int(fifth >> UInt32(index + 16) & 1) << 4
      output[start + index] = scale * Float(low) + minimum
      output[start + 16 + index] = scale * Float(high) + minimum
    }
  }

  /// Block: scale, minimum (halves), 12 bytes of 6-bit scales and minimums for 8 groups of 32, 128
  /// bytes; of each 32 bytes the low nibbles are one group, the high ones the next.
  private static func q4K(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    for group in 0..<8 {
      let (scale, minimum) = bytes.scaleAndMinimum(group: group)
      let quants = 16 + group / 2 * 32
      let shift = UInt8(group % 2 * 4)
      for index in 0..<32 {
        let quant = bytes[quants + index] >> shift & 15
        output[start + group * 32 + index] = scale * Float(quant) - minimum
      }
    }
  }

  /// Block: as Q4_K with 32 bytes before the nibbles; bit g of byte i is the fifth bit of element i
  /// of group g.
  private static func q5K(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    for group in 0..<8 {
      let (scale, minimum) = bytes.scaleAndMinimum(group: group)
      let quants = 48 + group / 2 * 32
      let shift = UInt8(group % 2 * 4)
      for index in 0..<32 {
        let fifth = bytes[16 + index] >> UInt8(group) & 1
        let quant = bytes[quants + index] >> shift & 15 | fifth << 4
        output[start + group * 32 + index] = scale * Float(quant) - minimum
      }
    }
  }

  /// Block: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 signed scales, scale (half).
  ///
  /// Each half of the block has 64 and 32 of these bytes for four groups of 32: two in the low
  /// nibbles, two in the high ones; their bit pairs lie side by side in each of the 32 bytes.
  private static func q6K(_ bytes: BlockBytes, _ start: Int, _ output: FixedBuffer<Float>) {
    let blockScale = bytes.half(208)
    for group in 0..<8 {
      let low = group / 4 * 64 + group % 2 * 32
      let lowShift = UInt8(group % 4 / 2 * 4)
      let high = 128 + group / 4 * 32
      let highShift = UInt8(group % 4 * 2)
      for index in 0..<32 {
        let nibble = bytes[low + index] >> lowShift & 15
        let pair = bytes[high + index] >> highShift & 3
        let scale = blockScale * Float(Int8(bitPattern: bytes[192 + group * 2 + index / 16]))
        output[start + group * 32 + index] = scale * Float(Int(nibble | pair << 4) - 32)
      }
    }
  }
}

/// The bytes of one block of a row.
struct BlockBytes: ~Escapable {
  private let source: RawSpan
  private let start: Int

  @_lifetime(copy source)
  init(_ source: RawSpan, start: Int) {
    self.source = source
    self.start = start
  }

  subscript(index: Int) -> UInt8 { source.loadLittleEndian(at: start + index) }

  func word(_ offset: Int) -> UInt32 { source.loadLittleEndian(at: start + offset) }

  func halfBits(_ offset: Int) -> UInt16 { source.loadLittleEndian(at: start + offset) }

  func half(_ offset: Int) -> Float { Float16Bits.float(halfBits(offset)) }

  /// Scale and minimum of a group of Q4_K and Q5_K: the block's times six bits.
  func scaleAndMinimum(group: Int) -> (scale: Float, minimum: Float) {
    let scale: UInt8
    let minimum: UInt8
    if group < 4 {
      scale = self[4 + group] & 63
      minimum = self[8 + group] & 63
    } else {
      let low = self[8 + group]
      scale = low & 15 | self[group] >> 2 & 0x30
      minimum = low >> 4 | self[4 + group] >> 2 & 0x30
    }
    return (half(0) * Float(scale), half(2) * Float(minimum))
  }
}

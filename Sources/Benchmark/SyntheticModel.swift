package import Commands
package import Inference
internal import Kernels
package import ModelFormat
package import Quantization
internal import Units

/// A model of random weights that needs no file: a launch fills its arena instead of reading one.
///
/// Every block is valid, and its scale makes the weights about 1/√columns, so that activations
/// neither fade nor overflow.
package struct SyntheticModel<System: Host>: ModelSource {
  private let held: HeldHeader
  private let shape: SyntheticShape

  /// A model of `shape` whose matrices are in `format`, embedding and output in int8.
  package init(_ shape: SyntheticShape, format: WeightFormat) {
    self.shape = shape
    held = HeldHeader(shape, format: format)
  }

  package var header: PackHeader { held.header }

  package func load(
    into memory: RunMemory, _ console: inout Console<System>
  ) throws(Failure) {
    RandomWeights.fill(memory.session.model, shape)
  }
}

/// Random numbers, the same ones every time.
///
/// Source: Marsaglia, Xorshift RNGs, 2003 (xorshift64).
struct RandomWords {
  private var state: UInt64

  init(seed: UInt64) {
    precondition(seed != 0, "zero would stay zero")
    state = seed
  }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

/// Quants and scales of random weights.
package enum RandomWeights {
  /// Fills a model that was laid out in an arena.
  package static func fill(_ model: Model, _ shape: SyntheticShape) {
    var random = RandomWords(seed: 1)
    for index in 0..<shape.model.matrixCount { fill(model.matrix(at: index), &random) }
    for index in 0..<shape.model.vectorCount {
      let (role, layer) = shape.model.vector(at: index)
      let vector = model.vector(role, layer: layer)
      switch role {
      case .queryBias, .keyBias, .valueBias: vector.fill(0.01)
      default: vector.fill(1)
      }
    }
    let factors = shape.ropeFactors
    for pair in 0..<model.rotary.count {
      model.rotary[pair] = Rotary.turnFraction(
        index: pair, rotated: shape.model.rotatedDimensions, theta: shape.ropeBase,
        factor: factors[pair])
    }
  }

  private static func fill(_ matrix: Matrix, _ random: inout RandomWords) {
    let layout = matrix.layout
    precondition(
      layout.rows == layout.paddedRows && layout.columns == layout.paddedColumns,
      "the table of shapes needs no padding")
    let usedBytes = layout.groups * layout.format.groupBytes
    let scale = scale(layout.format, columns: layout.columns)
    for tile in 0..<layout.tiles {
      let bytes = matrix.bytes.extracting(tile * layout.tileBytes..<(tile + 1) * layout.tileBytes)
      // SAFETY: tiles start at multiples of 64 bytes and are as long; any bytes are numbers.
      let words = unsafe UnsafeMutableRawPointer(bytes.unsafeBaseAddress)
        .assumingMemoryBound(to: UInt64.self)
      for word in 0..<usedBytes / 8 {
        unsafe words[word] = quants(random.next(), layout.format)
      }
      for group in 0..<layout.groups {
        for row in 0..<layout.format.tileRows {
          let half = scale | UInt16(truncatingIfNeeded: random.next() >> 58)
          let offset = layout.scaleOffset(row: row, group: group)
          bytes[offset] = UInt8(truncatingIfNeeded: half)
          bytes[offset + 1] = UInt8(truncatingIfNeeded: half >> 8)
        }
      }
    }
  }

  /// Eight bytes of quants: for int8 odd numbers, so that −128, which is none, does not occur.
  static func quants(_ word: UInt64, _ format: WeightFormat) -> UInt64 {
    format == .int8 ? word | 0x0101_0101_0101_0101 : word
  }

  /// A scale that makes the weights about 1/√columns; its last six bits are free.
  static func scale(_ format: WeightFormat, columns: Int) -> UInt16 {
    // Root mean squares of the quants: odd numbers to ±127, and −8 … 7.
    let spread: Float = format == .int8 ? 73.9 : 4.64
    return Float16Bits.bits(1 / (spread * Float(columns).squareRoot())) & ~63
  }
}

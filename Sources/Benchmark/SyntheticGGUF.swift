internal import Foundation
internal import ModelFormat
internal import Packing
package import Quantization

/// A GGUF file of random weights, which llama.cpp and `pack` both read.
///
/// Matrices are Q8_0 or Q4_0 as `format` says. With Q4_0 the embedding and the output matrix are
/// Q6_K where their rows are whole blocks of 256, else Q8_0: what llama.cpp's own quantizer makes.
/// The vocabulary is a byte-level one with a single merge.
package enum SyntheticGGUF {
  /// Writes the file, which appears when it is complete.
  package static func write(
    _ shape: SyntheticShape, format: WeightFormat, to path: String
  ) throws(BenchmarkError) {
    let partial = path + ".partial"
    guard FileManager.default.createFile(atPath: partial, contents: nil),
      let file = FileHandle(forWritingAtPath: partial)
    else { throw .cannotWrite(path, problem: "it cannot be created") }
    defer { try? file.close() }
    let tensors = self.tensors(shape, format)
    do {
      try file.write(contentsOf: header(shape, tensors))
      for tensor in tensors { try write(tensor, to: file) }
      try FileManager.default.moveItem(atPath: partial, toPath: path)
    } catch {
      try? FileManager.default.removeItem(atPath: partial)
      throw .cannotWrite(path, problem: error.localizedDescription)
    }
  }

  /// A type of tensor: its number, and elements and bytes of a block.
  enum Kind: UInt32 {
    case float32 = 0
    case q40 = 2
    case q80 = 8
    case q6K = 14

    var blockElements: Int {
      switch self {
      case .float32: 1
      case .q40, .q80: 32
      case .q6K: 256
      }
    }

    var blockBytes: Int {
      switch self {
      case .float32: 4
      case .q40: 18
      case .q80: 34
      case .q6K: 210
      }
    }
  }

  /// A tensor of `rows` rows; vectors have one row, all elements `value`.
  struct Tensor {
    let name: String
    let kind: Kind
    let columns: Int
    let rows: Int
    var values: [Float] = []

    var bytes: Int { columns * rows / kind.blockElements * kind.blockBytes }
    var paddedBytes: Int { (bytes + 31) / 32 * 32 }
  }

  private static func tensors(_ shape: SyntheticShape, _ format: WeightFormat) -> [Tensor] {
    let model = shape.model
    var tensors = (0..<model.matrixCount).map { index in
      let (role, layer) = model.matrix(at: index)
      let (rows, columns) = model.shape(of: role)
      let isOutput = role == .embedding || role == .output
      var kind = format == .int8 ? Kind.q80 : .q40
      if format != .int8 && isOutput { kind = columns % 256 == 0 ? .q6K : .q80 }
      return Tensor(
        name: ModelDescription.name(of: role, layer: layer), kind: kind, columns: columns,
        rows: rows)
    }
    for index in 0..<model.vectorCount {
      let (role, layer) = model.vector(at: index)
      let count = model.count(of: role)
      let isBias = role == .queryBias || role == .keyBias || role == .valueBias
      tensors.append(
        Tensor(
          name: ModelDescription.name(of: role, layer: layer), kind: .float32, columns: count,
          rows: 1,
          values: Array(repeating: isBias ? 0.01 : 1, count: count)))
    }
    if shape.ropeStretch != nil {
      let factors = shape.ropeFactors.map { Float($0) }
      tensors.append(
        Tensor(
          name: "rope_freqs.weight", kind: .float32, columns: factors.count, rows: 1,
          values: factors))
    }
    return tensors
  }

  private static func write(_ tensor: Tensor, to file: FileHandle) throws {
    if tensor.kind == .float32 {
      var bytes = GGUFBytes()
      for value in tensor.values { bytes.append(value.bitPattern) }
      bytes.pad(to: 32)
      try file.write(contentsOf: bytes.data)
      return
    }
    // Rows repeat after some megabytes; no program looks at what the weights are.
    let rowBytes = tensor.columns / tensor.kind.blockElements * tensor.kind.blockBytes
    let rows = min(tensor.rows, max((4 << 20) / rowBytes, 1))
    let pool = blocks(tensor.kind, columns: tensor.columns, bytes: rows * rowBytes)
    var done = 0
    while done < tensor.rows {
      let now = min(rows, tensor.rows - done)
      try file.write(contentsOf: now == rows ? pool : pool.prefix(now * rowBytes))
      done += now
    }
    try file.write(contentsOf: Data(count: tensor.paddedBytes - tensor.bytes))
  }

  /// Valid blocks of random weights of about 1/√columns.
  private static func blocks(_ kind: Kind, columns: Int, bytes: Int) -> Data {
    var random = RandomWords(seed: UInt64(columns) &* 31 &+ UInt64(kind.rawValue))
    var pool = [UInt8](repeating: 0, count: bytes)
    for index in pool.indices { pool[index] = UInt8(truncatingIfNeeded: random.next() >> 40) }
    let format: WeightFormat = kind == .q40 ? .int4 : .int8
    let scale = RandomWeights.scale(format, columns: columns)
    func put(_ half: UInt16, at offset: Int) {
      pool[offset] = UInt8(truncatingIfNeeded: half)
      pool[offset + 1] = UInt8(truncatingIfNeeded: half >> 8)
    }
    for start in stride(from: 0, to: bytes, by: kind.blockBytes) {
      switch kind {
      case .float32: break
      case .q40: put(scale, at: start)
      case .q80:
        put(scale, at: start)
        for index in start + 2..<start + 34 { pool[index] |= 1 }
      case .q6K:
        // 128 + 64 bytes of quants −32 … 31, 16 scales of one byte, then the scale of the scales:
        // a fourth of the spread of Q8_0, so with scales of 32 an eighth of its scale.
        for index in start + 192..<start + 208 { pool[index] = 28 + pool[index] % 8 }
        put(Float16Bits.bits(Float16Bits.float(scale) / 8), at: start + 208)
      }
    }
    return Data(pool)
  }
}

import Inference
import Kernels
import Memory
import ModelFormat
import Packing
import Profiles
import Quantization
import TestSupport
import Units

/// A small model with seeded weights: its header, and its weights as groups and as floats.
struct TinyPack {
  let model: Hyperparameters
  let header: PackHeader
  let formats: [WeightFormat]
  /// The weights, [matrices][rows][groups].
  let groups: [[[QuantizedGroup]]]
  /// The norms and biases in the order of the header.
  let vectors: [[Float]]
  /// One per rotated pair.
  let fractions: [UInt64]

  init(_ model: Hyperparameters, formats cycle: [WeightFormat], seed: UInt64) throws {
    try model.validate()
    let formats = (0..<model.matrixCount).map { cycle[$0 % cycle.count] }
    let builder = PackHeaderBuilder(
      model, name: "tiny", sourceName: "test", formats: formats, tokenizerBytes: 0,
      templateBytes: 0)
    header = try PackHeader(validating: buffer(builder.bytes), fileBytes: builder.fileBytes)
    var random = Random(seed: seed)
    groups = formats.enumerated().map { index, format in
      let (rows, columns) = model.shape(of: model.matrix(at: index).role)
      return (0..<rows).map { _ in
        (0..<WeightFormat.groups(columns: columns)).map { group in
          Self.group(
            format, count: min(32, columns - group * 32), columns: columns, &random)
        }
      }
    }
    vectors = (0..<model.vectorCount).map { index in
      let (role, _) = model.vector(at: index)
      let isBias = role == .queryBias || role == .keyBias || role == .valueBias
      return (0..<model.count(of: role)).map { _ in
        isBias ? random.unit() : 1 + random.unit() / 2
      }
    }
    fractions = (0..<model.rotatedDimensions / 2).map {
      Rotary.turnFraction(index: $0, rotated: model.rotatedDimensions, theta: 500, factor: 1)
    }
    self.model = model
    self.formats = formats
  }

  /// Weights of about 1/√columns, so that activations neither fade nor explode.
  private static func group(
    _ format: WeightFormat, count: Int, columns: Int, _ random: inout Random
  ) -> QuantizedGroup {
    let spread = (0.5 + random.unit().magnitude) * 3 / Float(columns).squareRoot()
    var group = QuantizedGroup(quant: format == .int4 ? 8 : 0)
    switch format {
    case .int8: group.scale = Float16Bits.bits(spread / 127)
    case .int4: group.scale = Float16Bits.bits(spread / 8 * (random.below(2) == 0 ? 1 : -1))
    case .int4Asymmetric:
      group.scale = Float16Bits.bits(spread / 7.5)
      group.minimum = Float16Bits.bits(-spread * (1 + random.unit() / 4))
    }
    for k in 0..<count {
      group.quants[k] = Int8(format == .int8 ? random.below(255) - 127 : random.below(16))
    }
    return group
  }

  /// Writes weights, vectors and rotary fractions where a launch would have read them to.
  func load(into model: Model) {
    for (index, rows) in groups.enumerated() {
      let matrix = model.matrix(at: index)
      for (row, groups) in rows.enumerated() {
        let layout = matrix.layout
        let (tile, tileRow) = row.quotientAndRemainder(dividingBy: layout.format.tileRows)
        let bytes = matrix.bytes.extracting(tile * layout.tileBytes..<(tile + 1) * layout.tileBytes)
        for (group, values) in groups.enumerated() {
          layout.write(values, row: tileRow, group: group, into: bytes)
        }
      }
    }
    for (index, values) in vectors.enumerated() {
      let (role, layer) = self.model.vector(at: index)
      let target = model.vector(role, layer: layer)
      for (element, value) in values.enumerated() { target[element] = value }
    }
    for (pair, fraction) in fractions.enumerated() { model.rotary[pair] = fraction }
  }

  /// A launched session.
  func session(
    _ profile: Profile, kernels: KernelSet, pool: WorkerPool
  ) -> Session {
    let shape = RunShape(model: model, profile: profile, kernelPageBytes: 4096, idTokens: 1)
    var measuring = Arena(measuringWithPageBytes: shape.pageBytes)
    _ = Session(
      header: header, shape: shape, kernels: kernels, pool: pool, in: &measuring)
    var real = RealArena(byteCount: measuring.usedBytes, pageBytes: shape.pageBytes)
    let session = Session(
      header: header, shape: shape, kernels: kernels, pool: pool, in: &real.arena)
    real.arena.seal()
    load(into: session.model)
    return session
  }

  func matrix(_ role: MatrixRole, layer: Int = 0) -> (groups: [[QuantizedGroup]], WeightFormat) {
    guard let index = model.index(of: role, layer: layer) else {
      preconditionFailure("the model has the matrix")
    }
    return (groups[index], formats[index])
  }

  func vector(_ role: VectorRole, layer: Int = 0) -> [Float] {
    guard let index = model.index(of: role, layer: layer) else {
      preconditionFailure("the model has the vector")
    }
    return vectors[index]
  }
}

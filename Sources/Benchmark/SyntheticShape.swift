internal import Foundation
internal import Kernels
package import ModelFormat

/// The shape of a published model, to be filled with random weights.
///
/// Source: the `config.json` that its authors published; `parameters` is what they state.
package struct SyntheticShape: Sendable {
  /// The name as its authors write it.
  package let name: String
  /// The size in the name, for tables.
  package let size: String
  package let model: Hyperparameters
  /// The base of the rope frequencies.
  package let ropeBase: Double
  /// How much the longest waves are stretched, where rope is scaled as in Llama 3.
  package let ropeStretch: Double?

  package init(
    name: String, size: String, model: Hyperparameters, ropeBase: Double, ropeStretch: Double?
  ) {
    self.name = name
    self.size = size
    self.model = model
    self.ropeBase = ropeBase
    self.ropeStretch = ropeStretch
  }

  /// The shape of that name, in capitals or not.
  package static func named(_ name: String) throws(BenchmarkError) -> SyntheticShape {
    guard let shape = all.first(where: { $0.name.lowercased() == name.lowercased() }) else {
      throw .unknownShape(name)
    }
    return shape
  }

  /// All shapes, the smallest first within a family.
  package static let all: [SyntheticShape] = [
    llama("SmolLM2-135M", "135M", [30, 576, 9, 3, 64, 1536, 49152, 8192], base: 100_000),
    llama("SmolLM2-360M", "360M", [32, 960, 15, 5, 64, 2560, 49152, 8192], base: 100_000),
    llama("SmolLM2-1.7B", "1.7B", [24, 2048, 32, 32, 64, 8192, 49152, 8192], base: 130_000),
    llama("TinyLlama-1.1B", "1.1B", [22, 2048, 32, 4, 64, 5632, 32000, 2048], tied: false),
    llama(
      "Llama-3.2-1B", "1B", [16, 2048, 32, 8, 64, 8192, 128_256, 131_072], base: 500_000,
      stretch: 32),
    llama(
      "Llama-3.2-3B", "3B", [28, 3072, 24, 8, 128, 8192, 128_256, 131_072], base: 500_000,
      stretch: 32),
    llama(
      "Llama-3.1-8B", "8B", [32, 4096, 32, 8, 128, 14336, 128_256, 131_072], base: 500_000,
      stretch: 8, tied: false),
    qwen2("Qwen2.5-0.5B", "0.5B", [24, 896, 14, 2, 64, 4864, 151_936, 32768]),
    qwen2("Qwen2.5-1.5B", "1.5B", [28, 1536, 12, 2, 128, 8960, 151_936, 131_072]),
    qwen2("Qwen2.5-3B", "3B", [36, 2048, 16, 2, 128, 11008, 151_936, 32768]),
    qwen3("Qwen3-0.6B", "0.6B", [28, 1024, 16, 8, 128, 3072, 151_936, 40960]),
    qwen3("Qwen3-1.7B", "1.7B", [28, 2048, 16, 8, 128, 6144, 151_936, 40960]),
  ]

  private static func llama(
    _ name: String, _ size: String, _ numbers: InlineArray<8, Int>, base: Double = 10_000,
    stretch: Double? = nil, tied: Bool = true
  ) -> SyntheticShape {
    SyntheticShape(
      name: name, size: size,
      model: model(.llama, numbers, pairing: .interleaved, epsilon: 1e-5, isTied: tied),
      ropeBase: base, ropeStretch: stretch)
  }

  private static func qwen2(
    _ name: String, _ size: String, _ numbers: InlineArray<8, Int>
  ) -> SyntheticShape {
    SyntheticShape(
      name: name, size: size,
      model: model(.qwen2, numbers, pairing: .split, epsilon: 1e-6, hasBias: true),
      ropeBase: 1_000_000, ropeStretch: nil)
  }

  private static func qwen3(
    _ name: String, _ size: String, _ numbers: InlineArray<8, Int>
  ) -> SyntheticShape {
    SyntheticShape(
      name: name, size: size,
      model: model(.qwen3, numbers, pairing: .split, epsilon: 1e-6, hasHeadNorm: true),
      ropeBase: 1_000_000, ropeStretch: nil)
  }

  /// Layers, dimension, heads, KV heads, head dimension, feed-forward, vocabulary, context.
  private static func model(
    _ architecture: Architecture, _ numbers: InlineArray<8, Int>, pairing: RopePairing,
    epsilon: Float, isTied: Bool = true, hasBias: Bool = false, hasHeadNorm: Bool = false
  ) -> Hyperparameters {
    Hyperparameters(
      architecture: architecture, layers: numbers[0], modelDimension: numbers[1],
      queryHeads: numbers[2], kvHeads: numbers[3], headDimension: numbers[4],
      feedForwardDimension: numbers[5], vocabulary: numbers[6], trainedContext: numbers[7],
      rotatedDimensions: numbers[4], ropePairing: pairing, rmsEpsilon: epsilon,
      hasTiedOutput: isTied, hasQueryKeyValueBias: hasBias, hasQueryKeyNorm: hasHeadNorm)
  }

  /// One divisor for each rotated pair; 1 where the frequencies are as the base has them.
  ///
  /// Waves longer than the old context are stretched, those shorter than a quarter of it are not,
  /// and between them the divisor changes evenly with the frequency. Source: `rope_scaling` of type
  /// `llama3` (low_freq_factor 1, high_freq_factor 4, original context 8,192).
  package var ropeFactors: [Double] {
    (0..<model.rotatedDimensions / 2).map { pair in
      guard let ropeStretch else { return 1 }
      let exponent = -Double(2 * pair) / Double(model.rotatedDimensions)
      let frequency = DoubleMath.exponential(exponent * DoubleMath.logarithm(ropeBase))
      let turns = 8192 * frequency / (2 * Double.pi)
      if turns < 1 { return ropeStretch }
      if turns > 4 { return 1 }
      let share = (turns - 1) / 3
      return 1 / ((1 - share) / ropeStretch + share)
    }
  }
}

extension SyntheticShape {
  /// Every shape, one line each.
  package static var list: String {
    all.map { shape in
      let model = shape.model
      let name = shape.name.padding(toLength: 16, withPad: " ", startingAt: 0)
      return "\(name)\(model.architecture.name), \(model.layers) layers, dimension "
        + "\(model.modelDimension), \(model.queryHeads) heads, \(model.kvHeads) KV heads, "
        + "vocabulary \(model.vocabulary)\n"
    }.joined()
  }
}

package import Kernels
import ModelFormat
import Quantization
package import Units

/// Finding out at launch which kernels are the fastest on this processor, on the model's own
/// weights and in the memory of its activations, which nothing uses yet.
extension Session {
  /// The one of `sets` that computes the first tiles of a layer fastest; takes a few ms.
  ///
  /// `clock` tells nanoseconds. Whatever is chosen, the results are the same.
  package func fastestKernels(
    among sets: InstructionSets, clock: () -> UInt64
  ) -> InstructionSet? {
    var timings = InlineArray<8, KernelTiming>(
      repeating: KernelTiming(set: .portable, decode: 0, prefill: 0))
    var count = 0
    for index in 0..<InstructionSet.highestFirst.count {
      let set = InstructionSet.highestFirst[index]
      guard sets.contains(set) else { continue }
      let kernels = KernelSet(set)
      timings[count] = KernelTiming(
        set: set, decode: time(kernels, tokens: 1, clock),
        prefill: time(kernels, tokens: min(tile.count, Self.timedTokensMax), clock))
      count += 1
    }
    return KernelTiming.fastest(timings.span.extracting(0..<count))
  }

  /// The most rows of activations that are timed.
  private static var timedTokensMax: Int { 32 }

  /// Multiply-adds of one product: less than a millisecond on the slowest processors that have
  /// several sets, long enough to wake wide registers on the fastest.
  private static var timedProductsMax: Int { 1 << 22 }

  /// The shortest of 3 times of one product.
  private func time(_ kernels: KernelSet, tokens: Int, _ clock: () -> UInt64) -> UInt64 {
    let matrix = model.matrix(.gate, layer: 0)
    let products = tokens * WeightFormat.tileRows * matrix.layout.columns
    let tiles = min(matrix.layout.tiles, max(Self.timedProductsMax / products, 1))
    let activations = scratch.activations(tokens: tokens, columns: matrix.layout.columns)
    var shortest = UInt64.max
    for _ in 0..<3 {
      let start = clock()
      kernels.matmul(
        matrix.bytes, layout: matrix.layout, tiles: 0..<tiles, activations: activations,
        into: scratch.gate, outputStride: Scratch.stride(matrix.layout.rows))
      shortest = min(shortest, clock() - start)
    }
    return shortest
  }
}

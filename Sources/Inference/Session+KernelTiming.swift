package import Kernels
import ModelFormat
import Quantization
package import Units

/// Finding out at launch which kernels are the fastest on this processor, on the model's own
/// weights and in the memory of its activations, which nothing uses yet.
extension Session {
  /// The one of `sets` that computes the first tiles of a layer fastest; takes a few ms.
  ///
  /// `clock` tells nanoseconds. The sets take turns, so that what disturbs the machine for a while
  /// meets all of them. Whatever is chosen, the results are the same.
  package func fastestKernels(
    among sets: InstructionSets, clock: () -> UInt64
  ) -> InstructionSet? {
    var timings = InlineArray<8, KernelTiming>(
      repeating: KernelTiming(set: .portable, decode: .max, prefill: .max))
    var count = 0
    for index in 0..<InstructionSet.highestFirst.count {
      let set = InstructionSet.highestFirst[index]
      guard sets.contains(set) else { continue }
      timings[count] = KernelTiming(set: set, decode: .max, prefill: .max)
      count += 1
    }
    for _ in 0..<Self.timedRounds {
      for index in 0..<count {
        let kernels = KernelSet(timings[index].set)
        timings[index] = KernelTiming(
          set: timings[index].set,
          decode: min(timings[index].decode, time(kernels, tokens: 1, clock)),
          prefill: min(
            timings[index].prefill,
            time(kernels, tokens: min(tile.count, Self.timedTokensMax), clock)))
      }
    }
    return KernelTiming.fastest(timings.span.extracting(0..<count))
  }

  /// How often each product is timed; its shortest time counts.
  private static var timedRounds: Int { 5 }

  /// The most rows of activations that are timed.
  private static var timedTokensMax: Int { 32 }

  /// Multiply-adds of one product: less than a millisecond on the slowest processors that have
  /// several sets, long enough to wake wide registers on the fastest.
  private static var timedProductsMax: Int { 1 << 22 }

  /// The time of one product.
  private func time(_ kernels: KernelSet, tokens: Int, _ clock: () -> UInt64) -> UInt64 {
    let matrix = model.matrix(.gate, layer: 0)
    let products = tokens * matrix.layout.format.tileRows * matrix.layout.columns
    let tiles = min(matrix.layout.tiles, max(Self.timedProductsMax / products, 1))
    let activations = scratch.activations(tokens: tokens, columns: matrix.layout.columns)
    let start = clock()
    kernels.matmul(
      matrix.bytes, layout: matrix.layout, tiles: 0..<tiles, activations: activations,
      into: scratch.gate, outputStride: Scratch.stride(matrix.layout.rows))
    return clock() - start
  }
}

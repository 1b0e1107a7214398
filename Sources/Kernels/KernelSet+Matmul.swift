internal import CKernels
package import Quantization
package import Units

/// Matrix products.
extension KernelSet {
  /// output[token][row] = Σ weight[row][k] · activation[token][k] for the rows of `tiles`.
  ///
  /// `output` is [tokens][outputStride]; rows from the first of `tiles` on of each token are
  /// written, padding rows as 0. Threads share a product by disjoint ranges of tiles; any cut of
  /// tokens into calls gives the same bits. Cost: one pass over the tiles for every few tokens.
  package func matmul(
    _ weights: FixedBuffer<UInt8>, layout: WeightLayout, tiles: Range<Int>,
    activations: ActivationRows, into output: FixedBuffer<Float>, outputStride: Int
  ) {
    precondition(tiles.lowerBound >= 0 && tiles.upperBound <= layout.tiles, "tiles in the matrix")
    precondition(weights.count >= layout.bytes, "the matrix is whole")
    precondition(activations.columns == layout.columns, "as many activations as columns")
    precondition(outputStride >= layout.paddedRows, "an output row holds the padded rows")
    guard activations.rows > 0 && !tiles.isEmpty else { return }
    precondition(
      output.count >= (activations.rows - 1) * outputStride + layout.paddedRows,
      "room for every token")
    // SAFETY: the lines above keep tiles, activations and outputs inside their buffers.
    var arguments = unsafe kernel_matmul(
      tiles: weights.unsafeBaseAddress + tiles.lowerBound * layout.tileBytes,
      tile_bytes: layout.tileBytes, tile_count: tiles.count, groups: layout.groups,
      tokens: activations.cRows,
      output: output.unsafeBaseAddress + tiles.lowerBound * layout.format.tileRows,
      output_stride: outputStride)
    switch layout.format {
    case .int8: unsafe table.pointee.matmul_int8(&arguments)
    case .int4: unsafe table.pointee.matmul_int4(&arguments)
    case .int4Asymmetric: unsafe table.pointee.matmul_int4_asymmetric(&arguments)
    }
  }
}

internal import CKernels
package import Quantization
package import Units

/// The kernels of one instruction set: every hot loop of the forward pass.
///
/// All functions are safe to call from several threads at once on disjoint outputs; none allocates
/// or keeps state. Shapes are checked here, the C code behind trusts them.
@safe
package struct KernelSet: BitwiseCopyable, @unchecked Sendable {
  // SAFETY: points at one of the constant tables of CKernels.
  let table: UnsafePointer<kernel_table>

  /// Which kernels these are.
  package let instructionSet: InstructionSet

  /// The kernels of `set`; the caller has made sure that the processor runs them.
  ///
  /// Traps where the program does not contain them (`isBuilt`).
  package init(_ set: InstructionSet) {
    guard let table = unsafe kernel_table_of(set.cSet) else {
      preconditionFailure("kernels of another architecture")
    }
    unsafe self.table = table
    instructionSet = set
  }

  /// output[i] = e^x[i]: 0 below −87.33, infinite above 88.72.
  package func exponential(_ x: FixedBuffer<Float>, into output: FixedBuffer<Float>) {
    precondition(output.count == x.count, "one output for each input")
    // SAFETY: both buffers hold `count` elements.
    unsafe table.pointee.exponential(x.unsafeBaseAddress, output.unsafeBaseAddress, x.count)
  }

  /// output[i] = silu(gate[i]) · up[i]; `output` may be `gate` or `up`.
  package func swiglu(
    gate: FixedBuffer<Float>, up: FixedBuffer<Float>, into output: FixedBuffer<Float>
  ) {
    precondition(up.count == gate.count, "as many up as gate")
    precondition(output.count == gate.count, "one output for each input")
    // SAFETY: all buffers hold `count` elements.
    unsafe table.pointee.swiglu(
      gate.unsafeBaseAddress, up.unsafeBaseAddress, output.unsafeBaseAddress, gate.count)
  }

  /// y[i] += x[i].
  package func add(_ x: FixedBuffer<Float>, to y: FixedBuffer<Float>) {
    precondition(x.count == y.count, "vectors of equal length")
    // SAFETY: both buffers hold `count` elements.
    unsafe table.pointee.add(x.unsafeBaseAddress, y.unsafeBaseAddress, x.count)
  }

  /// y[i] = x[i] / divisor; may be in place.
  package func divide(_ x: FixedBuffer<Float>, by divisor: Float, into y: FixedBuffer<Float>) {
    precondition(x.count == y.count, "vectors of equal length")
    // SAFETY: both buffers hold `count` elements.
    unsafe table.pointee.divide(x.unsafeBaseAddress, divisor, y.unsafeBaseAddress, x.count)
  }

  /// Whether every element is finite.
  package func isFinite(_ x: FixedBuffer<Float>) -> Bool {
    // SAFETY: `x` holds `count` elements.
    unsafe table.pointee.is_finite(x.unsafeBaseAddress, x.count) != 0
  }

  /// output = x · (1 / √(mean square + epsilon)) · weight, elementwise; may be in place.
  ///
  /// Returns false, leaving `output` undefined, where the mean square is not finite.
  package func rmsNorm(
    _ x: FixedBuffer<Float>, weight: FixedBuffer<Float>, epsilon: Float,
    into output: FixedBuffer<Float>
  ) -> Bool {
    precondition(x.count > 0, "a vector has elements")
    precondition(weight.count == x.count, "one weight for each element")
    precondition(output.count == x.count, "one output for each input")
    // SAFETY: all buffers hold `count` elements.
    return unsafe table.pointee.rms_norm(
      x.unsafeBaseAddress, weight.unsafeBaseAddress, epsilon, output.unsafeBaseAddress, x.count)
      != 0
  }

  /// Quantizes one vector into row `row` of `rows`: all of it, or `columns`, which are whole groups
  /// (the last one may be shorter).
  ///
  /// Returns false, leaving them undefined, where an element is not finite.
  package func quantize(
    _ x: FixedBuffer<Float>, into rows: ActivationRows, row: Int, columns: Range<Int>? = nil
  ) -> Bool {
    quantize(x, stride: x.count, into: rows, row..<row + 1, columns: columns)
  }

  /// The same for several vectors, the rows of `x`, [range][stride]: sixteen groups of a block of
  /// rows at a time, which takes a fraction of the time that one by one takes.
  package func quantize(
    _ x: FixedBuffer<Float>, stride: Int, into rows: ActivationRows, _ range: Range<Int>,
    columns: Range<Int>? = nil
  ) -> Bool {
    let columns = columns ?? 0..<rows.columns
    if range.isEmpty { return true }
    precondition(stride >= columns.count, "a vector has as many columns")
    precondition(x.count >= (range.count - 1) * stride + columns.count, "a vector for each row")
    precondition(range.upperBound <= rows.rows, "rows of the activations")
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(rows.blockEnd(of: start), range.upperBound)
      let first = rows.firstGroup(of: columns, row: start)
      // SAFETY: the groups of the columns lie inside the buffers, which hold all groups of all rows.
      var arguments = unsafe kernel_quantize(
        x: x.unsafeBaseAddress + (start - range.lowerBound) * stride, x_stride: stride,
        rows: end - start, count: columns.count,
        quants: rows.quants.unsafeBaseAddress + first * WeightFormat.groupLength,
        scales: rows.scales.unsafeBaseAddress + first, sums: rows.sums.unsafeBaseAddress + first,
        stride: rows.groupStride)
      if unsafe table.pointee.quantize(&arguments) == 0 { return false }
      start = end
    }
    return true
  }

  /// One row of a weight matrix as floats: the embedding of a token.
  package func dequantize(
    row: Int, of weights: FixedBuffer<UInt8>, layout: WeightLayout,
    scratch: FixedBuffer<Float>
  ) {
    precondition(row >= 0 && row < layout.rows, "row outside the matrix")
    precondition(weights.count >= layout.bytes, "the matrix is whole")
    precondition(scratch.count >= layout.paddedColumns, "room for the padded columns")
    let (index, tileRow) = row.quotientAndRemainder(dividingBy: layout.format.tileRows)
    let start = index * layout.tileBytes
    let tile = weights.extracting(start..<start + layout.tileBytes)
    // SAFETY: the tile holds `groups` groups, the output 32 floats for each.
    unsafe kernelOfRow(layout.format)(
      tile.unsafeBaseAddress, layout.groups, tileRow, scratch.unsafeBaseAddress)
  }

  /// Rotates every block of `blockLength` elements (see `WalshHadamard`) in place.
  package func hadamard(_ x: FixedBuffer<Float>, blockLength: Int) {
    precondition(blockLength > 0 && blockLength <= 32, "blocks of at most 32")
    precondition(blockLength.nonzeroBitCount == 1, "blocks are powers of two")
    precondition(x.count % blockLength == 0, "blocks fill the vector")
    // SAFETY: `x` holds `count` elements.
    unsafe table.pointee.hadamard(x.unsafeBaseAddress, x.count, blockLength)
  }

  private func kernelOfRow(
    _ format: WeightFormat
  ) -> @convention(c) (UnsafePointer<UInt8>?, Int, Int, UnsafeMutablePointer<Float>?) -> Void {
    switch format {
    case .int8: return unsafe table.pointee.row_int8
    case .int4: return unsafe table.pointee.row_int4
    case .int4Asymmetric: return unsafe table.pointee.row_int4_asymmetric
    }
  }
}

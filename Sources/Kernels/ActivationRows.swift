internal import CKernels
internal import Quantization
package import Units

/// Quantized activations: one row per token (or per query of attention).
///
/// int8 with one float scale (largest magnitude / 127) and one sum of quants per group of 32
/// columns; a group whose largest magnitude is below 2⁻¹⁰⁰ is zero. The memory is the caller's.
package struct ActivationRows: BitwiseCopyable {
  package let columns: Int
  package let rows: Int
  package let quants: FixedBuffer<Int8>  // [rows][padded columns]
  package let scales: FixedBuffer<Float>  // [rows][groups]
  package let sums: FixedBuffer<Int32>  // [rows][groups]

  /// Groups of a row.
  package var groups: Int { WeightFormat.groups(columns: columns) }

  /// Columns filled up to a multiple of 32.
  package var paddedColumns: Int { groups * WeightFormat.groupLength }

  /// Elements of `quants` for a block.
  package static func quantCount(rows: Int, columns: Int) -> Int {
    rows * WeightFormat.groups(columns: columns) * WeightFormat.groupLength
  }

  /// Elements of `scales`, and of `sums`, for a block.
  package static func groupCount(rows: Int, columns: Int) -> Int {
    rows * WeightFormat.groups(columns: columns)
  }

  /// A block in the caller's memory; each buffer holds at least what the counts above say.
  package init(
    rows: Int, columns: Int, quants: FixedBuffer<Int8>, scales: FixedBuffer<Float>,
    sums: FixedBuffer<Int32>
  ) {
    precondition(rows >= 0 && columns > 0, "a block has columns")
    precondition(
      quants.count >= Self.quantCount(rows: rows, columns: columns), "room for the quants")
    let groups = Self.groupCount(rows: rows, columns: columns)
    precondition(scales.count >= groups, "room for the scales")
    precondition(sums.count >= groups, "room for the sums")
    self.rows = rows
    self.columns = columns
    self.quants = quants
    self.scales = scales
    self.sums = sums
  }

  /// Some of the rows, in the same memory.
  package func extracting(_ range: Range<Int>) -> ActivationRows {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows outside the block")
    let groups = range.lowerBound * groups..<range.upperBound * groups
    return ActivationRows(
      rows: range.count, columns: columns,
      quants: quants.extracting(
        range.lowerBound * paddedColumns..<range.upperBound * paddedColumns),
      scales: scales.extracting(groups), sums: sums.extracting(groups))
  }

  /// Where the quants and the groups of some columns of a row lie.
  func ranges(_ row: Int, _ columns: Range<Int>) -> (quants: Range<Int>, groups: Range<Int>) {
    let length = WeightFormat.groupLength
    precondition(columns.lowerBound >= 0, "columns of the row")
    precondition(columns.upperBound <= self.columns, "columns of the row")
    precondition(columns.lowerBound % length == 0, "columns begin with a group")
    precondition(
      columns.upperBound % length == 0 || columns.upperBound == self.columns, "columns end one")
    let first = row * groups + columns.lowerBound / length
    let range = first..<first + WeightFormat.groups(columns: columns.count)
    return (range.lowerBound * length..<range.upperBound * length, range)
  }

  /// The block as C sees it.
  @unsafe var cRows: kernel_rows {
    // SAFETY: the counts were checked by the initializer.
    unsafe kernel_rows(
      quants: quants.unsafeBaseAddress, scales: scales.unsafeBaseAddress,
      sums: sums.unsafeBaseAddress, quant_stride: paddedColumns, group_stride: groups, rows: rows)
  }
}

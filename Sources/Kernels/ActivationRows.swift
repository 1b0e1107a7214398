internal import CKernels
internal import Quantization
package import Units

/// Quantized activations: one row per token (or per query of attention).
///
/// int8 with one float scale (largest magnitude / 127) and one sum of quants per group of 32
/// columns; a group whose largest magnitude is below 2⁻¹⁰⁰ is zero. The memory is the caller's.
///
/// One row is its groups in order. Several rows lie in blocks of eight, each with the first group of
/// all its rows, then the second, as products with several rows read them; the last block is whole,
/// whatever is in the rows that do not exist. So a row alone and the same row among others lie in
/// different places.
package struct ActivationRows: BitwiseCopyable {
  package let columns: Int
  package let rows: Int
  package let quants: FixedBuffer<Int8>  // [blocks][groups][rows of a block][32]
  package let scales: FixedBuffer<Float>  // [blocks][groups][rows of a block]
  package let sums: FixedBuffer<Int32>  // [blocks][groups][rows of a block]

  /// Groups of a row.
  package var groups: Int { WeightFormat.groups(columns: columns) }

  /// Columns filled up to a multiple of 32.
  package var paddedColumns: Int { groups * WeightFormat.groupLength }

  /// Rows of a block.
  package static var blockRows: Int { Int(KERNEL_BLOCK_ROWS) }

  /// Elements of `quants` for up to `rows` rows.
  package static func quantCount(rows: Int, columns: Int) -> Int {
    groupCount(rows: rows, columns: columns) * WeightFormat.groupLength
  }

  /// Elements of `scales`, and of `sums`, for up to `rows` rows.
  package static func groupCount(rows: Int, columns: Int) -> Int {
    (rows > 1 ? rows.roundedUp(toMultipleOf: blockRows) : rows)
      * WeightFormat.groups(columns: columns)
  }

  /// Rows in the caller's memory; each buffer holds at least what the counts above say.
  package init(
    rows: Int, columns: Int, quants: FixedBuffer<Int8>, scales: FixedBuffer<Float>,
    sums: FixedBuffer<Int32>
  ) {
    precondition(rows >= 0 && columns > 0, "rows have columns")
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

  /// Where a group of a row lies, in groups.
  package func index(row: Int, group: Int) -> Int {
    if rows == 1 { return group }
    let (block, rowOfBlock) = row.quotientAndRemainder(dividingBy: Self.blockRows)
    return (block * groups + group) * Self.blockRows + rowOfBlock
  }

  /// From one group of a row to its next.
  var groupStride: Int { rows == 1 ? 1 : Self.blockRows }

  /// Behind the last row of the block that a row belongs to.
  func blockEnd(of row: Int) -> Int { (row / Self.blockRows + 1) * Self.blockRows }

  /// Where the first of the groups of some columns of a row lies.
  func firstGroup(of columns: Range<Int>, row: Int) -> Int {
    let length = WeightFormat.groupLength
    precondition(row >= 0 && row < rows, "row outside the block")
    precondition(columns.lowerBound >= 0, "columns of the row")
    precondition(columns.upperBound <= self.columns, "columns of the row")
    precondition(columns.lowerBound % length == 0, "columns begin with a group")
    precondition(
      columns.upperBound % length == 0 || columns.upperBound == self.columns, "columns end one")
    return index(row: row, group: columns.lowerBound / length)
  }

  /// The rows as C sees them.
  @unsafe var cRows: kernel_rows {
    // SAFETY: the counts were checked by the initializer.
    unsafe kernel_rows(
      quants: quants.unsafeBaseAddress, scales: scales.unsafeBaseAddress,
      sums: sums.unsafeBaseAddress, groups: groups, rows: rows)
  }
}

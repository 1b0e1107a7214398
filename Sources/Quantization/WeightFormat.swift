internal import Units

/// How the weights of a tensor are stored; the raw value is what a pack file holds.
///
/// All formats group 32 weights along k of one row and give each group half-precision parameters.
package enum WeightFormat: UInt32, BitwiseCopyable, Sendable {
  /// Signed −127 … 127; w = scale · q.
  case int8 = 1
  /// Nibbles 0 … 15 that mean −8 … 7; w = scale · (nibble − 8), the scale may be negative.
  case int4 = 2
  /// Nibbles 0 … 15; w = scale · nibble + minimum.
  case int4Asymmetric = 3

  /// Weights in a group along k.
  package static var groupLength: Int { 32 }

  /// Output rows in a tile.
  package var tileRows: Int { self == .int8 ? 16 : 32 }

  /// The most rows of a tile; tiles of every format fill as many.
  package static var tileRowsMax: Int { 32 }

  /// Bits of one stored quant.
  package var quantBits: Int { self == .int8 ? 8 : 4 }

  /// Half-precision parameters of one group of one row.
  package var parametersPerGroup: Int { self == .int4Asymmetric ? 2 : 1 }

  /// Bits per weight, parameters included, padding excluded.
  package var bitsPerWeight: Double { Double(quantBits) + Double(parametersPerGroup) / 2 }

  /// Bytes of the quants of one group in a tile.
  package static var groupQuantBytes: Int { 512 }

  /// Bytes of one group in a tile, parameters included.
  package var groupBytes: Int { Self.groupQuantBytes + parametersPerGroup * tileRows * 2 }

  /// Groups along k, the last one filled up with zero weights.
  package static func groups(columns: Int) -> Int { columns.dividedRoundingUp(by: groupLength) }

  /// Tiles, the last one filled up with zero weights.
  package func tiles(rows: Int) -> Int { rows.dividedRoundingUp(by: tileRows) }

  /// Bytes of one tile, a multiple of 64.
  package func tileBytes(columns: Int) -> Int {
    (Self.groups(columns: columns) * groupBytes).roundedUp(toMultipleOf: 64)
  }

  /// Bytes of a matrix; traps on overflow.
  package func bytes(rows: Int, columns: Int) -> Int {
    tiles(rows: rows) * tileBytes(columns: columns)
  }

  /// Bytes of a matrix whose shape comes from a file, or `nil` on overflow.
  package func checkedBytes(rows: UInt64, columns: UInt64) -> UInt64? {
    let tileRows = UInt64(tileRows)
    guard let paddedRows = rows.checkedSum(tileRows - 1), let paddedColumns = columns.checkedSum(31)
    else {
      return nil
    }
    return (paddedColumns / 32).checkedProduct(UInt64(groupBytes))
      .flatMap { $0.checkedAligned(to: 64) }
      .flatMap { $0.checkedProduct(paddedRows / tileRows) }
  }
}

package import Quantization
package import Units

/// Turns rows of a GGUF tensor into tiles of a pack.
package struct MatrixEncoder: Sendable {
  let type: TensorType
  package let layout: WeightLayout
  /// Bytes of one row of the source.
  let rowBytes: Int

  package init(_ tensor: GGUFTensor, format: WeightFormat, rows: Int, columns: Int) {
    type = tensor.type
    layout = WeightLayout(format: format, rows: rows, columns: columns)
    rowBytes = tensor.rowBytes
  }

  /// Writes the tile that holds the rows in `source` (fewer in the last tile).
  ///
  /// `tile` starts out as zeros; `scratch` holds one row with its padding, which is zero.
  package func encode(
    _ source: RawSpan, scratch: FixedBuffer<Float>, into tile: FixedBuffer<UInt8>
  ) -> TileResult {
    var result = TileResult()
    for row in 0..<source.byteCount / rowBytes {
      let bytes = source.extracting(row * rowBytes..<(row + 1) * rowBytes)
      Dequantization.row(type, bytes, columns: layout.columns, into: scratch)
      var squaredWeights = 0.0
      for column in 0..<layout.columns {
        let weight = Double(scratch[column])
        squaredWeights += weight * weight
      }
      // No float's square overflows a double, so only an infinity or NaN makes the sum one.
      guard squaredWeights.isFinite else {
        result.badRow = row
        return result
      }
      result.squaredWeights += squaredWeights
      for group in 0..<layout.groups {
        let quantized = quantize(bytes, scratch, group: group, &result)
        layout.write(quantized, row: row, group: group, into: tile)
      }
    }
    return result
  }

  private func quantize(
    _ bytes: RawSpan, _ scratch: FixedBuffer<Float>, group: Int, _ result: inout TileResult
  ) -> QuantizedGroup {
    var values = InlineArray<32, Float>(repeating: 0)
    for index in 0..<32 { values[index] = scratch[group * 32 + index] }
    let quantized: QuantizedGroup
    if let carried = CarriedGroup.carried(type, as: layout.format, bytes, group: group) {
      quantized = carried
    } else {
      switch layout.format {
      case .int8: quantized = SearchedGroup.int8(values)
      case .int4: quantized = SearchedGroup.int4(values)
      case .int4Asymmetric: quantized = QuantizedGroup.int4Asymmetric(values)
      }
    }
    for index in 0..<32 {
      let error = Double(quantized.value(index, format: layout.format) - values[index])
      result.squaredError += error * error
    }
    return quantized
  }
}

/// What encoding a tile found.
package struct TileResult: BitwiseCopyable {
  package fileprivate(set) var squaredError = 0.0
  package fileprivate(set) var squaredWeights = 0.0
  /// The row of the tile that holds a weight that is not finite; negative where none does.
  package fileprivate(set) var badRow = -1

  /// Adds the sums of another tile.
  mutating func add(_ other: TileResult) {
    squaredError += other.squaredError
    squaredWeights += other.squaredWeights
  }
}

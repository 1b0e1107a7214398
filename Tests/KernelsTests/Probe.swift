import Kernels
import Quantization
import TestSupport
import Units

/// Looks into what kernels wrote.
enum Probe {
  static func row(_ rows: ActivationRows, _ row: Int) -> Reference.Row {
    var result = Reference.Row()
    for group in 0..<rows.groups {
      let index = rows.index(row: row, group: group)
      for k in 0..<32 { result.quants.append(Int(rows.quants[index * 32 + k])) }
      result.scales.append(rows.scales[index])
      result.sums.append(Int(rows.sums[index]))
    }
    return result
  }

  static func isEqual(_ a: QuantizedGroup, _ b: QuantizedGroup) -> Bool {
    a.scale == b.scale && a.minimum == b.minimum
      && (0..<32).allSatisfy { a.quants[$0] == b.quants[$0] }
  }
}

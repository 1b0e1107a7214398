import Kernels
import Quantization
import TestSupport
import Units

/// Looks into what kernels wrote.
enum Probe {
  static func row(_ rows: ActivationRows, _ row: Int) -> Reference.Row {
    var result = Reference.Row()
    for k in 0..<rows.paddedColumns {
      result.quants.append(Int(rows.quants[row * rows.paddedColumns + k]))
    }
    for group in 0..<rows.groups {
      result.scales.append(rows.scales[row * rows.groups + group])
      result.sums.append(Int(rows.sums[row * rows.groups + group]))
    }
    return result
  }

  static func isEqual(_ a: QuantizedGroup, _ b: QuantizedGroup) -> Bool {
    a.scale == b.scale && a.minimum == b.minimum
      && (0..<32).allSatisfy { a.quants[$0] == b.quants[$0] }
  }
}

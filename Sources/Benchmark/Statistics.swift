/// What is told of repeated measurements.
package enum Statistics {
  /// The mean; 0 of none.
  package static func mean(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
  }

  /// The standard deviation of a sample (n − 1); 0 of fewer than two.
  package static func standardDeviation(_ values: [Double]) -> Double {
    guard values.count > 1 else { return 0 }
    let mean = mean(values)
    let sum = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (sum / Double(values.count - 1)).squareRoot()
  }

  /// The middle value, or the mean of the two middle ones; 0 of none.
  package static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The value below which the share `part` of all values lies, between neighbours in proportion; 0
  /// of none.
  package static func quantile(_ part: Double, of values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let place = part * Double(sorted.count - 1)
    let index = min(Int(place), sorted.count - 1)
    let next = min(index + 1, sorted.count - 1)
    return sorted[index] + (sorted[next] - sorted[index]) * (place - Double(index))
  }

  /// The standard error of the median, as of a normal distribution: √(π/2) σ / √n, with σ by the
  /// distance of the quartiles, 1.349 σ; a few bad values do not count.
  package static func medianError(_ values: [Double]) -> Double {
    guard values.count > 1 else { return 0 }
    let distance = quantile(0.75, of: values) - quantile(0.25, of: values)
    return 1.2533 * distance / 1.349 / Double(values.count).squareRoot()
  }
}

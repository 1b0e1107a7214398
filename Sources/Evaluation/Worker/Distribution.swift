import Foundation
package import Units

/// Sums over a row of logits, in double.
package enum Distribution {
  /// log Σ exp(logits), in double.
  package static func logSumOfExponentials(_ logits: FixedBuffer<Float>) -> Double {
    var top = logits[0]
    for index in 1..<logits.count where logits[index] > top { top = logits[index] }
    var sum = 0.0
    for index in 0..<logits.count { sum += exp(Double(logits[index]) - Double(top)) }
    return Double(top) + log(sum)
  }

  /// KL(full ‖ policy) = Σ p (log p - log q) in nats; the bits of the full cache's logits are `row`.
  package static func divergence(
    of logits: FixedBuffer<Float>, level: Double, from row: FixedBuffer<Int32>
  ) -> Double {
    var top = -Double.infinity
    for index in 0..<row.count { top = max(top, logit(row, index)) }
    var sum = 0.0
    for index in 0..<row.count { sum += exp(logit(row, index) - top) }
    let fullLevel = top + log(sum)
    var divergence = 0.0
    for index in 0..<row.count {
      let logP = logit(row, index) - fullLevel
      divergence += exp(logP) * (logP - (Double(logits[index]) - level))
    }
    // Rounding may leave a little less than nothing where both are equal.
    return max(divergence, 0)
  }

  private static func logit(_ row: FixedBuffer<Int32>, _ index: Int) -> Double {
    Double(Float(bitPattern: UInt32(bitPattern: row[index])))
  }
}

/// Division and rounding that say how they round.
extension FixedWidthInteger {
  /// The quotient rounded towards positive infinity; `divisor` must be positive.
  @inlinable
  package func dividedRoundingUp(by divisor: Self) -> Self {
    precondition(divisor > 0, "divisor must be positive")
    let quotient = self / divisor
    return self % divisor > 0 ? quotient + 1 : quotient
  }

  /// The smallest multiple of `unit` that is not below this value; traps on overflow.
  @inlinable
  package func roundedUp(toMultipleOf unit: Self) -> Self {
    dividedRoundingUp(by: unit) * unit
  }
}

/// Arithmetic on sizes that come from a file: `nil` on overflow, never a wrapped value.
extension UInt64 {
  /// The sum, or `nil` where it does not fit.
  @inlinable
  package func checkedSum(_ other: UInt64) -> UInt64? {
    let (value, overflow) = addingReportingOverflow(other)
    return overflow ? nil : value
  }

  /// The product, or `nil` where it does not fit.
  @inlinable
  package func checkedProduct(_ other: UInt64) -> UInt64? {
    let (value, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : value
  }

  /// This value rounded up to a multiple of the power of two `alignment`, or `nil` on overflow.
  @inlinable
  package func checkedAligned(to alignment: UInt64) -> UInt64? {
    precondition(alignment.nonzeroBitCount == 1, "alignment must be a power of two")
    return checkedSum(alignment - 1).map { $0 & ~(alignment - 1) }
  }
}

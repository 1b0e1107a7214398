/// Conversion between IEEE half precision (as its 16 bits) and `Float`, by integer arithmetic.
///
/// The same bits on every machine, whether it has half-precision instructions or not.
package enum Float16Bits {
  /// The largest finite half: what a scale is clamped to.
  package static var greatestFinite: Float { 65504 }

  /// The value of a half, exactly; infinities and NaN keep their class.
  package static func float(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    let exponent = UInt32(half >> 10) & 31
    let fraction = UInt32(half & 0x3FF)
    if exponent == 31 { return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13) }
    if exponent != 0 { return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13) }
    // Subnormal: fraction × 2⁻²⁴, a product that is exact in `Float`.
    let magnitude = Float(fraction) * Float(bitPattern: 0x3380_0000)
    return Float(bitPattern: sign | magnitude.bitPattern)
  }

  /// The nearest half, ties to even; what is too large becomes infinity, NaN stays NaN.
  package static func bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
    if magnitude >= 0x3880_0000 {
      // Normal: rebias, then round the 13 dropped bits; a carry runs into the exponent by itself,
      // from 65,520 on into infinity.
      let rebased = magnitude - 0x3800_0000
      let rounded = rebased + 0xFFF + (rebased >> 13 & 1)
      return sign | UInt16(truncatingIfNeeded: rounded >> 13)
    }
    // Subnormal: count units of 2⁻²⁴.
    let exponent = magnitude >> 23
    if exponent < 102 { return sign }
    let significand = magnitude & 0x7F_FFFF | 0x80_0000
    let shift = 126 - exponent
    let units = significand >> shift
    let rest = significand & ((1 << shift) - 1)
    let half = UInt32(1) << (shift - 1)
    let up = rest > half || (rest == half && units & 1 == 1)
    return sign | UInt16(truncatingIfNeeded: units + (up ? 1 : 0))
  }

  /// The nearest finite half: magnitudes above 65,504 become 65,504.
  package static func finiteBits(_ value: Float) -> UInt16 {
    bits(max(-greatestFinite, min(greatestFinite, value)))
  }
}

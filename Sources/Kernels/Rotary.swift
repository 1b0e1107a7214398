package import Units

/// Rotary phases as integers: exact at any position, the same bits on every machine.
///
/// A full turn is 2⁶⁴. The pair i of n rotated dimensions turns by a fixed fraction per position,
/// stored in the pack; its phase is position × fraction, wrapping, and only then becomes an angle.
package enum Rotary {
  /// round(2⁶⁴ · θ^(−2i/n) / (2π · factor)), to about 1e−15 of its value.
  ///
  /// Turns of a whole circle or more per position wrap; `factor` divides the frequency
  /// (Llama 3 rope factors), 1 where there is none.
  package static func turnFraction(
    index: Int, rotated: Int, theta: Double, factor: Double
  ) -> UInt64 {
    precondition(index >= 0 && 2 * index < rotated, "a pair of the rotated dimensions")
    precondition(theta > 0 && factor > 0, "frequencies are positive")
    let power = DoubleMath.exponential(
      -Double(2 * index) / Double(rotated) * DoubleMath.logarithm(theta))
    let turns = power / (6.283185307179586 * factor)
    precondition(turns < 4_503_599_627_370_496, "a frequency that leaves no fraction")
    let scaled = (turns - Double(UInt64(turns))) * 18_446_744_073_709_551_616
    // From 2⁵² on doubles are whole numbers; below, adding a half rounds.
    return UInt64(scaled < 4_503_599_627_370_496 ? scaled + 0.5 : scaled)
  }

  /// Sine and cosine of a phase, correct to about 0.51 ulp.
  package static func sineAndCosine(phase: UInt64) -> (sine: Float, cosine: Float) {
    // The nearest quarter turn, and the signed rest within an eighth of a turn.
    let quarter = (phase &+ 1 << 61) >> 62
    let rest = Int64(bitPattern: phase &- quarter << 62)
    let x = Double(rest) * (6.283185307179586 / 18_446_744_073_709_551_616)
    let z = x * x
    // Taylor polynomials; the next terms are below 2⁻⁴⁰ for |x| ≤ π/4.
    var sine = z * (1.0 / 6_227_020_800) - 1.0 / 39_916_800
    sine = sine * z + 1.0 / 362_880
    sine = sine * z - 1.0 / 5_040
    sine = sine * z + 1.0 / 120
    sine = sine * z - 1.0 / 6
    sine = sine * z * x + x
    var cosine = z * (1.0 / 479_001_600) - 1.0 / 3_628_800
    cosine = cosine * z + 1.0 / 40_320
    cosine = cosine * z - 1.0 / 720
    cosine = cosine * z + 1.0 / 24
    cosine = cosine * z - 0.5
    cosine = cosine * z + 1
    switch quarter {
    case 0: return (Float(sine), Float(cosine))
    case 1: return (Float(cosine), Float(-sine))
    case 2: return (Float(-sine), Float(-cosine))
    default: return (Float(-cosine), Float(sine))
    }
  }

  /// Fills the table of one position that all heads share, one entry per pair.
  package static func fillTable(
    position: UInt32, fractions: FixedBuffer<UInt64>, cosines: FixedBuffer<Float>,
    sines: FixedBuffer<Float>
  ) {
    fillTable(turningBy: Int(position), fractions: fractions, cosines: cosines, sines: sines)
  }

  /// Fills the table that turns what is rotated already by `positions` more, or back where negative.
  package static func fillTable(
    turningBy positions: Int, fractions: FixedBuffer<UInt64>, cosines: FixedBuffer<Float>,
    sines: FixedBuffer<Float>
  ) {
    precondition(cosines.count == fractions.count, "one cosine for each pair")
    precondition(sines.count == fractions.count, "one sine for each pair")
    let turns = UInt64(bitPattern: Int64(positions))
    for pair in 0..<fractions.count {
      let (sine, cosine) = sineAndCosine(phase: turns &* fractions[pair])
      cosines[pair] = cosine
      sines[pair] = sine
    }
  }
}

/// exp and log in double precision without libm, one order of operations.
package enum DoubleMath {
  /// e^x for |x| < 700, to about 2 ulp.
  package static func exponential(_ x: Double) -> Double {
    precondition(x.magnitude < 700, "the result is a normal number")
    let shifter = 6_755_399_441_055_744.0  // 1.5 · 2⁵²: adding rounds to an integer.
    let n = (x * 1.442_695_040_888_963_4 + shifter) - shifter
    // ln 2 in two parts, the first with so few bits that n times it is exact.
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10
    var sum = 1.0
    var divisor = 16.0
    while divisor > 0 {
      sum = sum * r / divisor + 1
      divisor -= 1
    }
    return sum * Double(sign: .plus, exponent: Int(n), significand: 1)
  }

  /// The natural logarithm of a positive normal number, to about 2 ulp.
  package static func logarithm(_ x: Double) -> Double {
    precondition(x.isNormal && x > 0, "a positive normal number")
    var exponent = Double(x.exponent)
    var significand = x.significand
    if significand > 1.414_213_562_373_095_1 {
      significand /= 2
      exponent += 1
    }
    // ln m = 2 artanh s, s = (m − 1) / (m + 1), |s| ≤ 0.172.
    let s = (significand - 1) / (significand + 1)
    let z = s * s
    var sum = 0.0
    var term = 27.0
    while term > 0 {
      sum = sum * z + 1 / term
      term -= 2
    }
    return exponent * 0.693_147_180_369_123_8
      + (exponent * 1.908_214_929_270_587_7e-10 + 2 * s * sum)
  }
}

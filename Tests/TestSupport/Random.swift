/// Seeded random numbers (SplitMix64): the same from the same seed everywhere.
package struct Random: RandomNumberGenerator {
  private var state: UInt64

  /// Starts the numbers of a seed.
  package init(seed: UInt64) { state = seed }

  /// 64 random bits.
  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// 0 … bound − 1.
  package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// −1 … 1.
  package mutating func unit() -> Float { Float(Int32(truncatingIfNeeded: next())) / 2_147_483_648 }

  /// Mostly moderate values, now and then zeros, subnormals and large ones.
  package mutating func float(extreme: Bool = false) -> Float {
    let value = unit()
    guard extreme else { return value * 3 }
    switch below(8) {
    case 0: return 0
    case 1: return value * Float(bitPattern: 0x0001_1688)
    case 2: return value * 1e15
    case 3: return value * 1e-20
    default: return value
    }
  }

  /// A row of such values.
  package mutating func floats(_ count: Int, extreme: Bool = false) -> [Float] {
    (0..<count).map { _ in float(extreme: extreme) }
  }
}

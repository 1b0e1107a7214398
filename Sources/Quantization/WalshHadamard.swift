package import Units

/// Walsh–Hadamard rotation of a head in blocks: spreads outliers before int4, its own inverse.
///
/// Per block of n = 2^m elements: for half = 1, 2, 4 … n/2, each pair (a, b) at distance `half`
/// becomes (a + b, a − b); at the end every element is multiplied by 1/√n.
package enum WalshHadamard {
  /// Largest power of two ≤ 32 that divides the head dimension.
  package static func blockLength(headDimension: Int) -> Int {
    precondition(headDimension > 0, "a head has dimensions")
    return 1 << min(headDimension.trailingZeroBitCount, 5)
  }

  /// 1/√n for a block length (as literals: the core calls no libm).
  package static func normalization(blockLength: Int) -> Float {
    switch blockLength {
    case 1: return 1
    case 2: return 0.70710678
    case 4: return 0.5
    case 8: return 0.35355339
    case 16: return 0.25
    case 32: return 0.17677670
    default: preconditionFailure("a power of two up to 32")
    }
  }

  /// Rotates every block of `head` in place; its count must be a multiple of `blockLength`.
  package static func transform(_ head: FixedBuffer<Float>, blockLength: Int) {
    precondition(head.count % blockLength == 0, "blocks fill the head")
    let normalization = normalization(blockLength: blockLength)
    var half = 1
    while half < blockLength {
      for index in 0..<head.count where index & half == 0 {
        let (a, b) = (head[index], head[index + half])
        head[index] = a + b
        head[index + half] = a - b
      }
      half *= 2
    }
    for index in 0..<head.count { head[index] *= normalization }
  }
}

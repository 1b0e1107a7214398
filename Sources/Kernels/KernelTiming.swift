package import Units

/// How long the kernels of one instruction set took for two products, in nanoseconds.
package struct KernelTiming: BitwiseCopyable, Equatable, Sendable {
  /// Whose kernels they were.
  package let set: InstructionSet

  /// A product with one row of activations, as for each token of a reply.
  package let decode: UInt64

  /// A product with a tile of activations, as for a prompt.
  package let prefill: UInt64

  /// Joins the figures of one set; they are for the same products as those of the others.
  package init(set: InstructionSet, decode: UInt64, prefill: UInt64) {
    self.set = set
    self.decode = decode
    self.prefill = prefill
  }

  /// The set that is fastest at both products together, or `nil` without timings.
  ///
  /// A set's cost is the sum of its two times, each in units of the least that any set took. The
  /// timings begin with the highest set; a lower one must cost a thirty-second less than a higher
  /// one to be preferred to it, so that chance does not decide between equals.
  package static func fastest(_ timings: Span<KernelTiming>) -> InstructionSet? {
    var (decode, prefill) = (UInt64.max, UInt64.max)
    for index in 0..<timings.count {
      decode = min(decode, max(timings[index].decode, 1))
      prefill = min(prefill, max(timings[index].prefill, 1))
    }
    var fastest: InstructionSet?
    var least = 0.0
    for index in 0..<timings.count {
      let timing = timings[index]
      let cost =
        Double(timing.decode) / Double(decode) + Double(timing.prefill) / Double(prefill)
      if fastest == nil || cost < least * (31.0 / 32) {
        fastest = timing.set
        least = cost
      }
    }
    return fastest
  }
}

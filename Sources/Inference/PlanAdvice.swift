import Eviction
import Cache
package import Memory
package import ModelFormat
import Quantization
import Units

/// What would make a run fit its budget, found by planning it again.
package struct PlanAdvice: BitwiseCopyable {
  /// The context of the plan, in tokens.
  package let slots: Int

  /// The largest context that fits, in tokens; 0: none does.
  package let largestContext: Int

  /// Whether int4 keys and values would make it fit.
  package let fitsWithInt4Cache: Bool

  /// Whether int4 weights would make it fit.
  package let fitsWithInt4Weights: Bool

  /// Whether int4 weights, keys and values would make it fit.
  package let fitsWithBoth: Bool

  /// Whether no context, cache format or weight format makes it fit.
  package var isHopeless: Bool {
    largestContext == 0 && !fitsWithInt4Cache && !fitsWithInt4Weights && !fitsWithBoth
  }

  /// Plans the alternatives to `plan`.
  package init(for plan: MemoryPlan, shape: RunShape, header: PackHeader) {
    slots = shape.eviction.slots
    let programBytes = plan[.program]
    largestContext = Self.largestContext(shape, header, programBytes)
    let saved = Self.savedByInt4Weights(header, pageBytes: shape.pageBytes)
    let small = shape.replacingWithInt4Cache().plan(header: header, programBytes: programBytes)
    fitsWithInt4Cache = small.fits && small.totalBytes < plan.totalBytes
    fitsWithInt4Weights = saved > 0 && plan.leftBytes + saved >= 0
    fitsWithBoth = saved > 0 && small.leftBytes + saved >= 0
  }

  /// The most that is ever looked for.
  private static var contextMax: Int { 1 << 30 }

  private static func largestContext(
    _ shape: RunShape, _ header: PackHeader, _ programBytes: Int
  ) -> Int {
    func fits(_ slots: Int) -> Bool {
      shape.replacing(contextTokens: slots).plan(header: header, programBytes: programBytes).fits
    }
    guard fits(RunShape.slotsMin) else { return 0 }
    var (low, high) = (RunShape.slotsMin, contextMax)
    while low < high {
      let middle = low + (high - low + 1) / 2
      if fits(middle) { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// What the region of the weights loses, in whole pages.
  private static func savedByInt4Weights(_ header: PackHeader, pageBytes: Int) -> Int {
    var (now, then) = (0, 0)
    for index in 0..<header.hyperparameters.matrixCount {
      let record = header.matrix(at: index)
      let format = record.format == .int8 ? .int4 : record.format
      now += record.format.bytes(rows: record.rows, columns: record.columns)
      then += format.bytes(rows: record.rows, columns: record.columns)
    }
    return now.roundedUp(toMultipleOf: pageBytes) - then.roundedUp(toMultipleOf: pageBytes)
  }
}

import Kernels
import Quantization
import TestSupport
import Units

/// Every set of kernels that this machine can run.
let runnableSets: [InstructionSet] = {
  let sets = InstructionSets.ofThisProcessor(hwcap: 1 << 1, hwcap2: 0)
  let all = (0..<InstructionSet.count).compactMap { InstructionSet(rawValue: $0) }
  for set in all where !(set.isBuilt && sets.contains(set)) {
    print("kernels not run natively on this machine: \(set)")
  }
  return all.filter { $0.isBuilt && sets.contains($0) }
}()

/// A matrix of random groups and its tiles.
struct RandomMatrix {
  let layout: WeightLayout
  let groups: [[QuantizedGroup]]  // [rows][groups]
  let tiles: FixedBuffer<UInt8>

  init(format: WeightFormat, rows: Int, columns: Int, random: inout Random, extreme: Bool) {
    layout = WeightLayout(format: format, rows: rows, columns: columns)
    tiles = buffer([UInt8](repeating: 0, count: layout.bytes))
    var groups: [[QuantizedGroup]] = []
    for row in 0..<rows {
      groups.append([])
      for group in 0..<layout.groups {
        var values = QuantizedGroup()
        for k in 0..<32 {
          values.quants[k] =
            format == .int8
            ? Int8(extreme && random.below(2) == 0 ? 127 : random.below(255) - 127)
            : Int8(extreme && random.below(2) == 0 ? 15 : random.below(16))
          if format == .int8 && extreme && random.below(3) == 0 { values.quants[k] = -127 }
        }
        values.scale = Self.half(&random, extreme)
        if format == .int4Asymmetric { values.minimum = Self.half(&random, extreme) }
        groups[row].append(values)
        let (tile, tileRow) = row.quotientAndRemainder(dividingBy: format.tileRows)
        layout.write(
          values, row: tileRow, group: group,
          into: tiles.extracting(tile * layout.tileBytes..<(tile + 1) * layout.tileBytes))
      }
    }
    self.groups = groups
  }

  private static func half(_ random: inout Random, _ extreme: Bool) -> UInt16 {
    guard extreme else { return Float16Bits.bits(random.unit() / 64) }
    let bits = UInt16(truncatingIfNeeded: random.next())
    switch random.below(4) {
    case 0: return 0
    case 1: return bits & 0x83FF  // subnormal
    case 2: return 0x7BFF | bits & 0x8000
    default: return bits & 0xBFFF
    }
  }
}

/// Activation rows in memory of their own.
func activationRows(rows: Int, columns: Int) -> ActivationRows {
  let quants = ActivationRows.quantCount(rows: rows, columns: columns)
  let groups = ActivationRows.groupCount(rows: rows, columns: columns)
  return ActivationRows(
    rows: rows, columns: columns, quants: buffer([Int8](repeating: 99, count: quants)),
    scales: buffer([Float](repeating: .nan, count: groups)),
    sums: buffer([Int32](repeating: 99, count: groups)))
}

import Kernels
import Quantization
import Units

/// Seeded random numbers (SplitMix64).
struct Random {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  /// 0 … bound − 1.
  mutating func below(_ bound: Int) -> Int { Int(bits() % UInt64(bound)) }

  /// −1 … 1.
  mutating func unit() -> Float { Float(Int32(truncatingIfNeeded: bits())) / 2_147_483_648 }

  /// Mostly moderate values, now and then zeros, subnormals and large ones.
  mutating func float(extreme: Bool = false) -> Float {
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

  mutating func floats(_ count: Int, extreme: Bool = false) -> [Float] {
    (0..<count).map { _ in float(extreme: extreme) }
  }
}

/// Memory for the life of the test process.
func buffer<Element: BitwiseCopyable>(_ values: [Element]) -> FixedBuffer<Element> {
  let memory = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
  unsafe memory.initialize(from: values, count: values.count)
  return unsafe FixedBuffer(unsafeBase: memory, count: values.count)
}

func array<Element: BitwiseCopyable>(_ buffer: FixedBuffer<Element>) -> [Element] {
  (0..<buffer.count).map { buffer[$0] }
}

/// Equality of bits: tells −0 from +0 and compares NaN.
func sameBits(_ a: [Float], _ b: [Float]) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern }
}

/// Every set of kernels that this machine can run.
let runnableSets: [InstructionSet] = {
  let sets = InstructionSets.ofThisProcessor(hwcap: 1 << 1, hwcap2: 0)
  let all = (0..<6).compactMap { InstructionSet(rawValue: $0) }
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
        let tile = tiles.extracting(
          row / 16 * layout.tileBytes..<(row / 16 + 1) * layout.tileBytes)
        layout.write(values, row: row % 16, group: group, into: tile)
      }
    }
    self.groups = groups
  }

  private static func half(_ random: inout Random, _ extreme: Bool) -> UInt16 {
    guard extreme else { return Float16Bits.bits(random.unit() / 64) }
    let bits = UInt16(truncatingIfNeeded: random.bits())
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

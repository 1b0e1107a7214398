import Kernels
import TestSupport
import Testing
import Units

/// The key of a slot, read as `KeyLayout` says it lies.
func storedKey(_ slot: Int, layout: KeyLayout, keys: FixedBuffer<UInt8>) -> [Float] {
  let tile = slot / 16 * layout.tileBytes
  return (0..<layout.headDimension).map { k in
    let place = tile + layout.quantBytes + k / 32 * 32 + slot % 16 * 2
    let scale = Float(Float16(bitPattern: UInt16(keys[place]) | UInt16(keys[place + 1]) << 8))
    switch layout.format {
    case .int8:
      return Float(Int8(bitPattern: keys[tile + k / 4 * 64 + slot % 16 * 4 + k % 4])) * scale
    case .int4:
      let byte = keys[tile + k / 8 * 64 + slot % 16 * 4 + k % 4]
      return Float(Int(k % 8 < 4 ? byte & 15 : byte >> 4) - 8) * scale
    }
  }
}

@Suite struct StoredKeyTests {
  /// Sizes of heads, and how much of them is rotated: whole groups in pairs and all others.
  static let heads = [
    (64, 64), (128, 128), (192, 192), (256, 256), (64, 32), (96, 96), (80, 80), (48, 48), (6, 2),
  ]

  @Test(arguments: runnableSets, heads)
  func turnedKeysAreReadRotatedAndStoredAgain(set: InstructionSet, head: (Int, Int)) {
    let (dimension, rotated) = head
    let kernels = KernelSet(set)
    let layout = KeyLayout(format: .int8, headDimension: dimension)
    var random = Random(seed: UInt64(dimension))
    let fractions = (0..<rotated / 2).map {
      Rotary.turnFraction(index: $0, rotated: rotated, theta: 10_000, factor: 1)
    }
    let cosines = buffer([Float](repeating: 0, count: rotated / 2))
    let sines = buffer([Float](repeating: 0, count: rotated / 2))
    Rotary.fillTable(
      position: 3, fractions: buffer(fractions), cosines: cosines, sines: sines)
    for pairing in [RopePairing.interleaved, .split] {
      for count in [0, 1, 2, 5, 8, 19, 40] {
        let keys = buffer([UInt8](repeating: 0, count: layout.bytes(slots: 40)))
        let expected = buffer([UInt8](repeating: 0, count: layout.bytes(slots: 40)))
        // Some keys are zero, some so small that their scale is, some as large as halves go.
        for slot in 0..<40 {
          let by: Float = [1, 0, 1e-7, 1e30][slot % 7 == 0 ? slot / 7 % 4 : 0]
          let key = random.floats(dimension, extreme: slot % 5 == 0).map { $0 * by }
          for to in [keys, expected] {
            kernels.appendKey(buffer(key), slot: slot, layout: layout, keys: to)
          }
        }
        let slots = Array(Array(0..<40).sorted { $0 * 23 % 41 < $1 * 23 % 41 }.prefix(count))
        let pairs = (0..<rotated / 2).map {
          pairing == .split ? ($0, $0 + rotated / 2) : (2 * $0, 2 * $0 + 1)
        }
        for slot in slots {
          let turned = Reference.rope(
            storedKey(slot, layout: layout, keys: expected), pairs: pairs,
            cosines: array(cosines), sines: array(sines))
          kernels.appendKey(buffer(turned), slot: slot, layout: layout, keys: expected)
        }
        kernels.turnKeys(
          in: buffer(slots.map { UInt32($0) }), layout: layout, keys: keys, pairing: pairing,
          cosines: cosines, sines: sines)
        #expect(array(keys) == array(expected), "\(pairing), \(count) slots")
      }
    }
  }
}

package import Kernels
import Quantization
package import Units

extension KeyLayout {
  /// Reads the key of a slot as it was stored: rotated, and for int4 in Walsh–Hadamard blocks.
  package func read(slot: Int, of keys: FixedBuffer<UInt8>, into key: FixedBuffer<Float>) {
    precondition(key.count == headDimension, "one key")
    let tile = slot / 16 * tileBytes
    let row = slot % 16
    for k in 0..<headDimension {
      let scale = scale(at: tile + quantBytes + k / 32 * 32 + row * 2, of: keys)
      switch format {
      case .int8:
        let quant = Int8(bitPattern: keys[tile + k / 4 * 64 + row * 4 + k % 4])
        key[k] = Float(quant) * scale
      case .int4:
        let byte = keys[tile + k / 8 * 64 + row * 4 + k % 4]
        key[k] = Float(Int(byte >> UInt8(k & 4) & 15) - 8) * scale
      }
    }
  }

  private func scale(at offset: Int, of keys: FixedBuffer<UInt8>) -> Float {
    Float16Bits.float(UInt16(keys[offset]) | UInt16(keys[offset + 1]) << 8)
  }

  /// Copies the key of one slot over that of another, bit for bit.
  func move(from source: Int, to target: Int, in keys: FixedBuffer<UInt8>) {
    let (from, to) = (source / 16 * tileBytes, target / 16 * tileBytes)
    var start = 0
    while start < quantBytes {
      for byte in 0..<4 {
        keys[to + start + target % 16 * 4 + byte] = keys[from + start + source % 16 * 4 + byte]
      }
      start += 64
    }
    for group in 0..<groups {
      for byte in 0..<2 {
        let place = quantBytes + group * 32 + byte
        keys[to + place + target % 16 * 2] = keys[from + place + source % 16 * 2]
      }
    }
  }
}

extension ValueLayout {
  /// Copies the value of one slot over that of another, bit for bit.
  func move(from source: Int, to target: Int, in values: FixedBuffer<UInt8>) {
    let (from, to) = (source / 32 * blockBytes, target / 32 * blockBytes)
    let tileBytes = format == .int8 ? 512 : 256
    let slotsPerRow = format == .int8 ? 4 : 8
    func place(_ slot: Int, _ k: Int) -> Int {
      k / 16 * tileBytes + slot % 32 / slotsPerRow * 64 + k % 16 * 4 + slot % 4
    }
    let (fromShift, toShift) = (UInt8(source & 4), UInt8(target & 4))
    for k in 0..<headDimension {
      let byte = values[from + place(source, k)]
      let index = to + place(target, k)
      switch format {
      case .int8: values[index] = byte
      case .int4:
        let others = values[index] & ~(15 << toShift)
        values[index] = others | (byte >> fromShift & 15) << toShift
      }
    }
    for group in 0..<groups {
      for byte in 0..<2 {
        let place = quantBytes + group * 64 + byte
        values[to + place + target % 32 * 2] = values[from + place + source % 32 * 2]
      }
    }
  }
}

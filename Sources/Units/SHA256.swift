/// The SHA-256 digest of a stream of bytes: how two runs of logits are compared.
///
/// Source: FIPS 180-4, sections 5.3.3 and 6.2.
public struct SHA256: BitwiseCopyable {
  private var state: InlineArray<8, UInt32> = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var block = InlineArray<64, UInt8>(repeating: 0)
  private var blockBytes = 0
  private var totalBytes: UInt64 = 0

  private static let constants: InlineArray<64, UInt32> = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]

  /// An empty stream.
  public init() {}

  /// Appends `bytes` to the stream.
  public mutating func update(_ bytes: RawSpan) {
    totalBytes &+= UInt64(truncatingIfNeeded: bytes.byteCount)
    for offset in 0..<bytes.byteCount {
      append(bytes.loadLittleEndian(at: offset, as: UInt8.self))
    }
  }

  /// The digest of everything appended so far, most significant byte first.
  public var digest: InlineArray<32, UInt8> {
    var padded = self
    let bitCount = totalBytes &* 8
    padded.append(0x80)
    while padded.blockBytes != 56 { padded.append(0) }
    for shift in stride(from: UInt64(56), through: 0, by: -8) {
      padded.append(UInt8(truncatingIfNeeded: bitCount &>> shift))
    }
    var bytes = InlineArray<32, UInt8>(repeating: 0)
    for index in 0..<32 {
      let shift = UInt32(truncatingIfNeeded: 24 - 8 * (index & 3))
      bytes[index] = UInt8(truncatingIfNeeded: padded.state[index >> 2] &>> shift)
    }
    return bytes
  }

  private mutating func append(_ byte: UInt8) {
    block[blockBytes] = byte
    blockBytes += 1
    if blockBytes == 64 {
      compress()
      blockBytes = 0
    }
  }

  private static func rotated(_ value: UInt32, right count: UInt32) -> UInt32 {
    value &>> count | value &<< (32 - count)
  }

  private mutating func compress() {
    var words = InlineArray<64, UInt32>(repeating: 0)
    for index in 0..<16 {
      words[index] = unsafe block.span.bytes.loadLittleEndian(at: 4 * index, as: UInt32.self)
        .byteSwapped
    }
    for index in 16..<64 {
      let (early, late) = (words[index - 15], words[index - 2])
      let s0 = Self.rotated(early, right: 7) ^ Self.rotated(early, right: 18) ^ early &>> 3
      let s1 = Self.rotated(late, right: 17) ^ Self.rotated(late, right: 19) ^ late &>> 10
      words[index] = words[index - 16] &+ s0 &+ words[index - 7] &+ s1
    }
    var v = state
    for index in 0..<64 {
      let s1 =
        Self.rotated(v[4], right: 6) ^ Self.rotated(v[4], right: 11) ^ Self.rotated(v[4], right: 25)
      let choice = v[4] & v[5] ^ ~v[4] & v[6]
      let t1 = v[7] &+ s1 &+ choice &+ Self.constants[index] &+ words[index]
      let s0 =
        Self.rotated(v[0], right: 2) ^ Self.rotated(v[0], right: 13) ^ Self.rotated(v[0], right: 22)
      let majority = v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2]
      (v[7], v[6], v[5], v[4]) = (v[6], v[5], v[4], v[3] &+ t1)
      (v[3], v[2], v[1], v[0]) = (v[2], v[1], v[0], t1 &+ s0 &+ majority)
    }
    for index in 0..<8 { state[index] &+= v[index] }
  }
}

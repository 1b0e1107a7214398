/// The 64-bit xxHash of a stream of bytes, seed 0: the checksum of every section of a pack file.
///
/// Detects damage, not forgery. Source: xxHash fast digest algorithm, specification 0.2.0, section 2.
public struct XXH64: BitwiseCopyable {
  @usableFromInline var lane0: UInt64 = 0x60EA_27EE_ADC0_B5D6
  @usableFromInline var lane1: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  @usableFromInline var lane2: UInt64 = 0
  @usableFromInline var lane3: UInt64 = 0x61C8_864E_7A14_3579
  @usableFromInline var tail = InlineArray<32, UInt8>(repeating: 0)
  @usableFromInline var tailBytes = 0
  @usableFromInline var totalBytes: UInt64 = 0

  @usableFromInline static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  @usableFromInline static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  @usableFromInline static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  @usableFromInline static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  @usableFromInline static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  /// An empty stream.
  public init() {}

  /// The checksum of `bytes` alone.
  public static func hash(_ bytes: RawSpan) -> UInt64 {
    var state = XXH64()
    state.update(bytes)
    return state.digest
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    let sum = lane &+ word &* prime2
    return (sum &<< 31 | sum &>> 33) &* prime1
  }

  @inline(__always)
  private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }

  @inline(__always)
  private static func rotated(_ value: UInt64, left count: UInt64) -> UInt64 {
    value &<< count | value &>> (64 - count)
  }

  /// Appends `bytes` to the stream.
  public mutating func update(_ bytes: RawSpan) {
    totalBytes &+= UInt64(truncatingIfNeeded: bytes.byteCount)
    var offset = 0
    if tailBytes > 0 {
      while tailBytes < 32 && offset < bytes.byteCount {
        tail[tailBytes] = bytes.loadLittleEndian(at: offset, as: UInt8.self)
        tailBytes += 1
        offset += 1
      }
      if tailBytes < 32 { return }
      let stripe = tail
      // SAFETY: bytes have no padding.
      unsafe consume(stripe.span.bytes)
      tailBytes = 0
    }
    let whole = (bytes.byteCount - offset) & ~31
    if whole > 0 {
      consume(bytes.extracting(offset..<offset + whole))
      offset += whole
    }
    while offset < bytes.byteCount {
      tail[tailBytes] = bytes.loadLittleEndian(at: offset, as: UInt8.self)
      tailBytes += 1
      offset += 1
    }
  }

  /// Mixes in a whole number of 32-byte stripes.
  private mutating func consume(_ stripes: RawSpan) {
    precondition(stripes.byteCount & 31 == 0, "whole stripes only")
    var (a, b, c, d) = (lane0, lane1, lane2, lane3)
    var offset = 0
    while offset < stripes.byteCount {
      // SAFETY: `offset` is a multiple of 32 below a byte count that is one too.
      unsafe a = Self.round(a, stripes.word(uncheckedAt: offset))
      unsafe b = Self.round(b, stripes.word(uncheckedAt: offset &+ 8))
      unsafe c = Self.round(c, stripes.word(uncheckedAt: offset &+ 16))
      unsafe d = Self.round(d, stripes.word(uncheckedAt: offset &+ 24))
      offset &+= 32
    }
    (lane0, lane1, lane2, lane3) = (a, b, c, d)
  }

  /// The checksum of everything appended so far.
  public var digest: UInt64 {
    var hash: UInt64
    if totalBytes >= 32 {
      hash = Self.rotated(lane0, left: 1) &+ Self.rotated(lane1, left: 7)
      hash = hash &+ Self.rotated(lane2, left: 12) &+ Self.rotated(lane3, left: 18)
      hash = Self.merge(hash, lane0)
      hash = Self.merge(hash, lane1)
      hash = Self.merge(hash, lane2)
      hash = Self.merge(hash, lane3)
    } else {
      hash = Self.prime5
    }
    hash = hash &+ totalBytes
    var offset = 0
    // SAFETY: bytes have no padding.
    let bytes = unsafe tail.span.bytes
    while offset + 8 <= tailBytes {
      hash ^= Self.round(0, bytes.loadLittleEndian(at: offset, as: UInt64.self))
      hash = Self.rotated(hash, left: 27) &* Self.prime1 &+ Self.prime4
      offset += 8
    }
    if offset + 4 <= tailBytes {
      let word = UInt64(truncatingIfNeeded: bytes.loadLittleEndian(at: offset, as: UInt32.self))
      hash ^= word &* Self.prime1
      hash = Self.rotated(hash, left: 23) &* Self.prime2 &+ Self.prime3
      offset += 4
    }
    while offset < tailBytes {
      hash ^= UInt64(truncatingIfNeeded: tail[offset]) &* Self.prime5
      hash = Self.rotated(hash, left: 11) &* Self.prime1
      offset += 1
    }
    hash = (hash ^ hash &>> 33) &* Self.prime2
    hash = (hash ^ hash &>> 29) &* Self.prime3
    return hash ^ hash &>> 32
  }
}

extension RawSpan {
  @unsafe
  @inline(__always)
  fileprivate func word(uncheckedAt offset: Int) -> UInt64 {
    unsafe UInt64(
      littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
  }
}

import TestSupport
import Testing
import Units

@Suite struct DigestTests {
  /// The test buffer of the xxHash reference program.
  private static func sanityBuffer(_ count: Int) -> [UInt8] {
    var state: UInt64 = 2_654_435_761
    return (0..<count).map { _ in
      defer { state = state &* 11_400_714_785_074_694_797 }
      return UInt8(state >> 56)
    }
  }

  @Test func xxh64OfPublishedVectors() {
    let texts: [(String, UInt64)] = [
      ("", 0xEF46_DB37_51D8_E999),
      ("a", 0xD24E_C4F1_A98C_6E5B),
      ("abc", 0x44BC_2CF5_AD77_0999),
      ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
      ("The quick brown fox jumps over the lazy dog", 0x0B24_2D36_1FDA_71BC),
    ]
    for (text, digest) in texts { #expect(XXH64.hash(bytes(text).bytes) == digest, "\(text)") }
    let counts: [(Int, UInt64)] = [
      (1, 0xE934_A84A_DB05_2768), (4, 0x9136_A0DC_A574_57EE), (14, 0x8282_DCC4_994E_35C8),
      (222, 0xB641_AE8C_B691_C174),
    ]
    for (count, digest) in counts {
      #expect(XXH64.hash(buffer(Self.sanityBuffer(count)).bytes) == digest, "\(count) bytes")
    }
  }

  @Test func xxh64OfEverySplitOfAStream() {
    let all = buffer(Self.sanityBuffer(131))
    for count in 0...131 {
      let whole = XXH64.hash(all.extracting(0..<count).bytes)
      for first in 0...count {
        var state = XXH64()
        state.update(all.extracting(0..<first).bytes)
        state.update(all.extracting(first..<count).bytes)
        #expect(state.digest == whole, "\(first) of \(count)")
      }
      var single = XXH64()
      for index in 0..<count { single.update(all.extracting(index..<index + 1).bytes) }
      #expect(single.digest == whole)
    }
  }

  @Test func digestsDoNotEndAStream() {
    let all = buffer(Self.sanityBuffer(100))
    var hash = XXH64()
    var sha = SHA256()
    for index in 0..<100 {
      hash.update(all.extracting(index..<index + 1).bytes)
      sha.update(all.extracting(index..<index + 1).bytes)
      #expect(hash.digest == XXH64.hash(all.extracting(0..<index + 1).bytes))
      #expect(hexadecimal(sha) == sha256(all.extracting(0..<index + 1)))
    }
  }

  @Test func sha256OfPublishedVectors() {
    let texts = [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
          + "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
      (
        String(repeating: "a", count: 1_000_000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ]
    for (text, digest) in texts { #expect(sha256(bytes(text)) == digest) }
  }

  @Test func sha256OfEverySplitOfAStream() {
    let all = buffer(Self.sanityBuffer(200))
    for count in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 200] {
      let whole = sha256(all.extracting(0..<count))
      for first in 0...count {
        var state = SHA256()
        state.update(all.extracting(0..<first).bytes)
        state.update(all.extracting(first..<count).bytes)
        #expect(hexadecimal(state) == whole, "\(first) of \(count)")
      }
    }
  }

  private func sha256(_ bytes: FixedBuffer<UInt8>) -> String {
    var state = SHA256()
    state.update(bytes.bytes)
    return hexadecimal(state)
  }

  private func hexadecimal(_ state: SHA256) -> String {
    let digest = state.digest
    // SAFETY: bytes have no padding.
    return text { unsafe $0.append(hexadecimal: digest.span.bytes) }
  }
}

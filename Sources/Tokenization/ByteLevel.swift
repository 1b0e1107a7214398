/// The printable character that byte-level vocabularies write for each byte.
///
/// Printable characters of Latin-1 stand for themselves; the other 68 bytes, in order, for
/// U+0100 and what follows (GPT-2's table).
package enum ByteLevel {
  /// The character for `byte`.
  package static func character(for byte: UInt8) -> UInt32 {
    switch byte {
    case 0x00...0x20: 0x100 + UInt32(byte)
    case 0x7F...0xA0: 0x121 + UInt32(byte) - 0x7F
    case 0xAD: 0x143
    default: UInt32(byte)
    }
  }

  /// The byte for `character`, or `nil` where it stands for none.
  package static func byte(for character: UInt32) -> UInt8? {
    switch character {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: UInt8(character)
    case 0x100...0x120: UInt8(character - 0x100)
    case 0x121...0x142: UInt8(character - 0x121 + 0x7F)
    case 0x143: 0xAD
    default: nil
    }
  }
}

/// What a token is and how text around it is treated, in one byte.
package struct TokenAttributes: BitwiseCopyable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Text as it is found in documents.
  package static var normal: UInt8 { 1 }

  /// Stands for one byte: its text is `<0xNN>`.
  package static var byte: UInt8 { 2 }

  /// Steers the model; never produced from text unless special tokens are asked for.
  package static var control: UInt8 { 4 }

  /// Cut out of any text before it is split.
  package static var userDefined: UInt8 { 8 }

  /// Stands for text that the vocabulary cannot express.
  package static var unknown: UInt8 { 16 }

  /// Ends a generation.
  package static var stop: UInt8 { 32 }

  /// Swallows white space before it.
  package static var stripsLeft: UInt8 { 64 }

  /// Swallows white space after it.
  package static var stripsRight: UInt8 { 128 }

  /// Whether the token is cut out of any text, special tokens asked for or not.
  package var isAlwaysCut: Bool { has(Self.userDefined) && !has(Self.control | Self.unknown) }

  /// Whether any of `bits` is set.
  package func has(_ bits: UInt8) -> Bool { rawValue & bits != 0 }
}

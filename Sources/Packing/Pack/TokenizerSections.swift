/// The sections that come from the keys of a GGUF file's tokenizer.
enum TokenizerSections {
  /// Bytes of both sections, from counts and sizes alone.
  static func bytes(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: UInt64, template: UInt64) {
    (0, 0)
  }

  /// Both sections.
  static func build(
    _ header: GGUFHeader
  ) throws(PackingError) -> (tokenizer: [UInt8], template: [UInt8]) {
    ([], [])
  }
}

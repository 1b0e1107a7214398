package import Tokenization
internal import Units

/// A tokenizer section in memory of its own, with what is needed to use it in a hosted program.
@safe
package final class HostedTokenizer {
  /// The vocabulary.
  package let tokenizer: Tokenizer

  // SAFETY: both are allocated by the initializer and freed by `deinit` only; the views of them
  // do not leave the methods below, except `tokenizer`, which must not outlive this object.
  private let section: UnsafeMutablePointer<UInt8>
  private let scratch: UnsafeMutablePointer<UInt32>
  private let scratchCount: Int

  /// Copies `section` and checks it; words may have `wordBytesMax` bytes.
  package init(
    section bytes: [UInt8], wordBytesMax: Int = 1 << 16
  ) throws(TokenizerSectionError) {
    scratchCount = Encoder.scratchCount(wordBytesMax: wordBytesMax)
    unsafe section = .allocate(capacity: bytes.count)
    unsafe scratch = .allocate(capacity: scratchCount)
    unsafe scratch.initialize(repeating: 0, count: scratchCount)
    _ = unsafe UnsafeMutableBufferPointer(start: section, count: bytes.count)
      .initialize(from: bytes)
    do throws(TokenizerSectionError) {
      tokenizer = try unsafe Tokenizer(
        section: FixedBuffer(unsafeBase: section, count: bytes.count))
    } catch {
      // The initializer fails, so no `deinit` will run.
      unsafe section.deallocate()
      unsafe scratch.deallocate()
      throw error
    }
  }

  deinit {
    unsafe section.deallocate()
    unsafe scratch.deallocate()
  }

  /// The tokens of `text`.
  package func encode(
    _ text: [UInt8], options: Encoder.Options
  ) throws(TokenizationError) -> [Int32] {
    var encoder = unsafe Encoder(
      tokenizer: tokenizer, scratch: FixedBuffer(unsafeBase: scratch, count: scratchCount))
    // A byte becomes three tokens at most (the bytes of a space that is in no piece); the
    // imagined spaces, begin and end come on top.
    let capacity = 3 * text.count + 8
    let memory = UnsafeMutablePointer<Int32>.allocate(capacity: capacity)
    defer { unsafe memory.deallocate() }
    unsafe memory.initialize(repeating: 0, count: capacity)
    var sink = unsafe TokenSink(FixedBuffer(unsafeBase: memory, count: capacity))
    try encoder.encode(text.rawSpan, options: options, into: &sink)
    return (0..<sink.count).map { sink.tokens[$0] }
  }

  /// The text of `tokens`.
  package func decode(
    _ tokens: [Int32], showsControl: Bool = false, startsText: Bool = true
  ) throws(TokenizationError) -> [UInt8] {
    var decoder = Decoder(
      tokenizer: tokenizer, showsControl: showsControl, startsText: startsText)
    let capacity = Decoder.bytesMax(tokenizer)
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    defer { unsafe memory.deallocate() }
    unsafe memory.initialize(repeating: 0, count: capacity)
    let buffer = unsafe FixedBuffer(unsafeBase: memory, count: capacity)
    var result: [UInt8] = []
    var text = TextBuffer(buffer)
    func flush(_ text: inout TextBuffer) {
      for index in 0..<text.count { result.append(buffer[index]) }
      text.removeAll()
    }
    for token in tokens {
      try decoder.append(token, into: &text)
      flush(&text)
    }
    decoder.finish(into: &text)
    flush(&text)
    return result
  }
}

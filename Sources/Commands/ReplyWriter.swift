import Tokenization
import Units

/// Prints a reply as its tokens come: characters whole, stop texts left out.
struct ReplyWriter<System: Host> {
  /// The vocabulary.
  let tokenizer: Tokenizer

  private var decoder: Decoder
  private let isJSON: Bool
  private let showsControl: Bool
  private var decoded: TextBuffer
  private var released: TextBuffer

  /// Decodes into the halves of `scratch`; in JSON the text is escaped.
  init(
    _ tokenizer: Tokenizer, isJSON: Bool, showsControl: Bool, scratch: FixedBuffer<UInt8>
  ) {
    self.tokenizer = tokenizer
    self.isJSON = isJSON
    self.showsControl = showsControl
    let half = scratch.count / 2
    decoded = TextBuffer(scratch.extracting(0..<half))
    released = TextBuffer(scratch.extracting(half..<scratch.count))
    decoder = Decoder(tokenizer: tokenizer, showsControl: showsControl, startsText: false)
  }

  /// Starts a new reply.
  mutating func restart() {
    decoder = Decoder(tokenizer: tokenizer, showsControl: showsControl, startsText: false)
  }

  /// Prints what `token` makes certain.
  mutating func write(
    _ token: Int32, _ matcher: inout StopMatcher, _ console: inout Console<System>
  ) throws(Failure) {
    do { try decoder.append(token, into: &decoded) } catch {
      preconditionFailure("the model's vocabulary is the tokenizer's")
    }
    try release(&matcher, &console)
  }

  /// Prints what was held back.
  mutating func finish(
    _ matcher: inout StopMatcher, _ console: inout Console<System>
  ) throws(Failure) {
    decoder.finish(into: &decoded)
    try release(&matcher, &console)
    matcher.flush(to: &released)
    try send(&console)
  }

  private mutating func release(
    _ matcher: inout StopMatcher, _ console: inout Console<System>
  ) throws(Failure) {
    let bytes = decoded.bytes
    for offset in 0..<bytes.byteCount {
      matcher.append(bytes.loadLittleEndian(at: offset, as: UInt8.self), to: &released)
    }
    decoded.removeAll()
    try send(&console)
  }

  private mutating func send(_ console: inout Console<System>) throws(Failure) {
    let bytes = released.bytes
    for offset in 0..<bytes.byteCount {
      if console.output.freeCapacity < 8 { try console.flushOutput() }
      let byte = bytes.loadLittleEndian(at: offset, as: UInt8.self)
      if isJSON {
        console.output.append(jsonEscaped: byte)
      } else {
        console.output.append(byte: byte)
      }
    }
    released.removeAll()
    try console.flushOutput()
  }
}

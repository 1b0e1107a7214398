package import Units

/// Lines of standard input, each moved to the front of a fixed buffer.
package struct LineReader<System: Host> {
  private let buffer: FixedBuffer<UInt8>
  private var count = 0
  private var consumed = 0
  private var isAtEnd = false

  /// Reads into `buffer`; a longer line is an error.
  package init(_ buffer: FixedBuffer<UInt8>) {
    self.buffer = buffer
  }

  /// The next line without its line feed, or `nil` at the end of input.
  ///
  /// The text stays valid until the next call.
  package mutating func next() throws(Failure) -> Text? {
    for index in consumed..<count { buffer[index - consumed] = buffer[index] }
    count -= consumed
    consumed = 0
    var searched = 0
    while true {
      if let end = buffer.extracting(0..<count).firstIndex(of: 10, from: searched) {
        consumed = end + 1
        return buffer.extracting(0..<end)
      }
      searched = count
      if isAtEnd {
        consumed = count
        return count > 0 ? buffer.extracting(0..<count) : nil
      }
      guard count < buffer.count else { throw .inputTooLong(limitBytes: buffer.count) }
      do {
        let got = try System.read(
          .standardInput, into: buffer.extracting(count..<buffer.count))
        isAtEnd = got == 0
        count += got
      } catch {
        throw error == .interrupted ? .interrupted : .host(error, .reading, Text("standard input"))
      }
    }
  }
}

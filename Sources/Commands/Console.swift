import Units

/// Standard output and standard error, buffered in planning memory.
package struct Console<System: Host>: ~Copyable {
  /// Text on its way to standard output.
  var output: TextBuffer

  /// Text on its way to standard error.
  var messages: TextBuffer

  /// Whether a person watches standard error; asked once, because a sealed process cannot.
  let isWatched: Bool

  /// Whether a person types at standard input; asked by `noteInput`.
  private(set) var isConversation = false

  /// Writes through the buffers of `memory`.
  package init(_ memory: PlanningMemory) {
    self.init(memory, isWatched: System.isTerminal(.standardError))
  }

  /// The same where it is known whether a person watches.
  package init(_ memory: PlanningMemory, isWatched: Bool) {
    output = TextBuffer(memory.output)
    messages = TextBuffer(memory.messages)
    self.isWatched = isWatched
  }

  /// Finds out whether a person types at standard input, while that may still be asked.
  mutating func noteInput() { isConversation = System.isTerminal(.standardInput) }

  /// Sends what was written to `output`.
  mutating func flushOutput() throws(Failure) {
    guard output.count > 0 else { return }
    do {
      try System.write(output.bytes, to: .standardOutput)
    } catch {
      throw .host(error, .writing, Text("standard output"))
    }
    output.removeAll()
  }

  /// Sends what was written to `messages`; nobody can be told where that fails.
  mutating func flushMessages() {
    try? System.write(messages.bytes, to: .standardError)
    messages.removeAll()
  }

  /// Prints an error as one line on standard error.
  package mutating func report(_ failure: Failure) {
    messages.append("terrarium: ")
    failure.write(to: &messages)
    messages.append("\n")
    flushMessages()
  }
}

package import Units

/// Names of files under construction, one after the other in planning memory.
package struct PathBuilder {
  private let storage: FixedBuffer<UInt8>
  private var used = 0
  private var start = 0
  private var overflowed = false

  /// Builds names in `storage`; a name that does not fit comes out as `nil`.
  package init(_ storage: FixedBuffer<UInt8>) {
    self.storage = storage
  }

  /// Appends to the name under construction.
  mutating func append(_ text: Text) {
    guard text.count < storage.count - used else {
      overflowed = true
      return
    }
    for index in 0..<text.count { storage[used + index] = text[index] }
    used += text.count
  }

  /// Ends the name and keeps it.
  mutating func finish() -> CString? {
    guard !overflowed, used < storage.count else {
      drop()
      return nil
    }
    storage[used] = 0
    used += 1
    let name = CString(terminated: storage.extracting(start..<used))
    start = used
    return name
  }

  /// Forgets the name under construction.
  mutating func drop() {
    used = start
    overflowed = false
  }

  /// Forgets the last finished name too, which started with `name`.
  mutating func release(_ name: CString) {
    start -= name.text.count + 1
    drop()
  }

  /// `text` as the kernel wants it.
  package mutating func name(_ text: Text) throws(Failure) -> CString {
    append(text)
    guard let name = finish() else { throw .host(.nameTooLong, .reading, text) }
    return name
  }

  /// `text` with something behind it; `nil` where that is too long.
  mutating func name(_ text: Text, suffix: StaticString) -> CString? {
    append(text)
    append(Text(suffix))
    return finish()
  }
}

import Units

/// Memory for a test, zeroed; lives as long as the process.
func zeros<Element: BitwiseCopyable & Numeric>(
  _ count: Int, of type: Element.Type = Element.self
) -> FixedBuffer<Element> {
  let start = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
  unsafe start.initialize(repeating: 0, count: max(count, 1))
  // SAFETY: allocated above with at least this count, initialized, and never given back.
  return unsafe FixedBuffer(unsafeBase: start, count: count)
}

extension FixedBuffer {
  /// The elements as an array.
  var array: [Element] { (0..<count).map { self[$0] } }
}

/// A file of a test's own that is removed afterwards.
func temporaryFile(_ name: String) -> String {
  let unique = UInt64.random(in: 0 ... .max)
  return "/tmp/terrarium-test-\(unique)-\(name)"
}

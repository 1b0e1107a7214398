import Profiles
import Testing
import Units

/// What parsing `text` gives.
func parse(_ text: String) -> Result<Profile, ProfileError> {
  parse(Array(text.utf8))
}

/// What parsing bytes gives.
func parse(_ bytes: [UInt8]) -> Result<Profile, ProfileError> {
  do throws(ProfileError) {
    // SAFETY: bytes have no padding.
    return .success(try unsafe Profile.parse(bytes.span.bytes))
  } catch {
    return .failure(error)
  }
}

/// The profile in `text`, to which a budget is added.
func profile(_ text: String) throws -> Profile {
  try parse("budget = \"1 GiB\"\n" + text).get()
}

/// The error that `text` gives after a first line with a budget.
func failure(_ text: String) -> ProfileError? {
  switch parse("budget = \"1 GiB\"\n" + text) {
  case .success: nil
  case .failure(let error): error
  }
}

/// A buffer of text for one test; its memory is never given back.
func textBuffer(_ byteCount: Int = 4096) -> TextBuffer {
  let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: byteCount)
  unsafe memory.initialize(repeating: 0, count: byteCount)
  // SAFETY: the memory is initialized and never deallocated.
  return unsafe TextBuffer(FixedBuffer(unsafeBase: memory, count: byteCount))
}

/// The text written so far.
func string(_ text: TextBuffer) -> String {
  let bytes = text.bytes
  return String(
    decoding: (0..<bytes.byteCount).map { bytes.loadLittleEndian(at: $0, as: UInt8.self) },
    as: UTF8.self)
}

/// The text of a fixed text.
func string<let capacity: Int>(_ text: FixedText<capacity>) -> String {
  String(decoding: (0..<text.count).map { text[$0] }, as: UTF8.self)
}

/// The one line that explains `error`.
func message(_ error: ProfileError, file: String = "board.toml") -> String {
  var text = textBuffer()
  // SAFETY: bytes have no padding.
  unsafe error.write(to: &text, file: Array(file.utf8).span.bytes)
  return string(text)
}

/// SplitMix64: the same numbers from the same seed everywhere.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}

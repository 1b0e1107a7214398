/// A view of a fixed run of elements that were handed out at launch, checked at every index.
///
/// The owner is the arena (or, in tests, whoever allocated the memory). The arena is reserved once
/// and released only by the end of the process, so a view may be copied and stored freely.
/// Copies alias: writing through one is seen through all. Threads may share a view as long as they
/// keep to elements of their own within a step.
@safe
@frozen
public struct FixedBuffer<Element: BitwiseCopyable>: BitwiseCopyable, @unchecked Sendable {
  // SAFETY: `base` points at `count` initialized elements for the life of the process, which is
  // the contract of the only initializer.
  @usableFromInline let base: UnsafeMutablePointer<Element>

  /// Number of elements.
  public let count: Int

  /// Wraps memory that stays valid and initialized for the life of the process.
  @unsafe
  @inlinable
  public init(unsafeBase base: UnsafeMutablePointer<Element>, count: Int) {
    precondition(count >= 0, "count must not be negative")
    unsafe self.base = base
    self.count = count
  }

  /// A buffer without elements.
  @inlinable
  public static var empty: FixedBuffer<Element> {
    // SAFETY: no element is ever read through an address that no element lies at.
    unsafe FixedBuffer(
      unsafeBase: UnsafeMutablePointer(bitPattern: MemoryLayout<Element>.alignment)
        .unsafelyUnwrapped, count: 0)
  }

  /// Reads or writes one element; traps outside `0..<count`.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) get {
      precondition(index >= 0 && index < count, "index out of bounds")
      return unsafe base[index]
    }
    @inline(__always) nonmutating set {
      precondition(index >= 0 && index < count, "index out of bounds")
      unsafe base[index] = newValue
    }
  }

  /// The elements `range` as a view of the same memory; traps outside `0..<count`.
  @inlinable
  public func extracting(_ range: Range<Int>) -> FixedBuffer<Element> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range out of bounds")
    return unsafe FixedBuffer(unsafeBase: base + range.lowerBound, count: range.count)
  }

  /// The elements for reading.
  @inlinable
  public var span: Span<Element> {
    @_lifetime(borrow self)
    get {
      let span = unsafe Span(_unsafeStart: base, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The elements as bytes for reading.
  @inlinable
  public var bytes: RawSpan {
    @_lifetime(borrow self)
    get {
      let byteCount = count * MemoryLayout<Element>.stride
      let span = unsafe RawSpan(_unsafeStart: base, byteCount: byteCount)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// The same memory as bytes, for reading a file into it.
  @inlinable
  public var asBytes: FixedBuffer<UInt8> {
    // SAFETY: elements are trivially copyable, and any bytes are valid integers and floats.
    unsafe FixedBuffer<UInt8>(
      unsafeBase: UnsafeMutableRawPointer(base).assumingMemoryBound(to: UInt8.self),
      count: count * MemoryLayout<Element>.stride)
  }

  /// Sets every element to `value`.
  @inlinable
  public func fill(_ value: Element) {
    for index in 0..<count { unsafe base[index] = value }
  }

  /// Copies as many elements as there are from `source`, which may not overlap.
  @inlinable
  public func copy(from source: FixedBuffer<Element>) {
    precondition(source.count == count, "as many elements as there are")
    // SAFETY: both hold `count` initialized elements of a trivial type.
    unsafe base.update(from: source.base, count: count)
  }

  /// The start of the memory, for kernels; the caller keeps within `count` elements.
  @unsafe
  @inlinable
  public var unsafeBaseAddress: UnsafeMutablePointer<Element> { unsafe base }
}

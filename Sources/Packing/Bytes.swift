extension [UInt8] {
  /// The bytes for reading.
  package var rawSpan: RawSpan {
    @_lifetime(borrow self)
    get {
      // SAFETY: bytes have no padding.
      unsafe span.bytes
    }
  }
}

internal import Foundation
package import Units

/// A GGUF file opened for reading, with its header.
///
/// Nothing is mapped: a file that is cut off while it is read gives an error, not a signal.
package final class GGUFFile: Sendable {
  package let header: GGUFHeader
  private let descriptor: Int32

  /// Bytes read at first: the whole header with most vocabularies.
  private static let firstPrefixBytes = 1 << 20

  /// Opens the file at `path` and reads its keys and values.
  package init(path: String) throws(GGUFError) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw errno == ENOENT ? .missing : .cannotRead(errno: errno)
    }
    self.descriptor = descriptor
    do throws(GGUFError) {
      self.header = try Self.header(descriptor)
    } catch {
      // The initializer fails, so no `deinit` will run.
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// Whether `path` leads to this very file.
  func isFile(at path: String) -> Bool {
    var own = stat()
    var other = stat()
    guard unsafe fstat(descriptor, &own) == 0, unsafe stat(path, &other) == 0 else {
      return false
    }
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino
  }

  /// Reads as much of the file as the header turns out to need.
  private static func header(_ descriptor: Int32) throws(GGUFError) -> GGUFHeader {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .cannotRead(errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
    let fileBytes = UInt64(status.st_size)
    var prefixBytes = Int(min(fileBytes, UInt64(firstPrefixBytes)))
    while true {
      let bytes = try prefix(descriptor, count: prefixBytes)
      do throws(GGUFError) {
        let header = try GGUFHeader(bytes: bytes, fileBytes: fileBytes)
        try header.checkReach()
        return header
      } catch .prefixTooShort(let needed) {
        guard needed <= GGUFHeader.bytesMax else {
          throw .headerTooLarge(limit: GGUFHeader.bytesMax)
        }
        // By eights: the header of a vocabulary of 128,000 tokens takes the second try.
        prefixBytes = Int(
          min(fileBytes, UInt64(GGUFHeader.bytesMax), UInt64(max(needed, prefixBytes * 8))))
      }
    }
  }

  /// The first `count` bytes of the file.
  private static func prefix(_ descriptor: Int32, count: Int) throws(GGUFError) -> [UInt8] {
    var failure: GGUFError?
    // SAFETY: the read fills the whole buffer or fails.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(GGUFError) {
        unsafe try read(descriptor, UnsafeMutableRawBufferPointer(buffer), at: 0, .header)
        filled = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Fills `buffer` with the bytes of the file at `offset`.
  package func read(into buffer: FixedBuffer<UInt8>, at offset: UInt64) throws(GGUFError) {
    // SAFETY: the raw buffer has the length of the fixed one and is used only in this call.
    let raw = unsafe UnsafeMutableRawBufferPointer(
      start: buffer.unsafeBaseAddress, count: buffer.count)
    unsafe try Self.read(descriptor, raw, at: offset, .data)
  }

  private static func read(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64,
    _ part: GGUFPart
  ) throws(GGUFError) {
    var done = 0
    while done < buffer.count {
      // SAFETY: `done` is below the buffer's count.
      let count = unsafe pread(
        descriptor, buffer.baseAddress.unsafelyUnwrapped + done, buffer.count - done,
        off_t(offset) + off_t(done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .cannotRead(errno: errno) }
      guard count > 0 else {
        throw .truncated(
          part, offset: offset + UInt64(done), needed: UInt64(buffer.count - done),
          fileBytes: offset + UInt64(done))
      }
      done += count
    }
  }
}

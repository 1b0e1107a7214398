internal import Foundation

/// A file that appears under its name only when it is complete.
///
/// Written beside its place and renamed by `finish`; without that, nothing is left.
final class OutputFile {
  private let path: String
  private let temporaryPath: String
  private let descriptor: Int32
  private var isFinished = false

  /// Creates the file beside `path`; where `path` exists, `replacing` decides.
  init(path: String, replacing: Bool) throws(PackingError) {
    let exists = unsafe access(path, F_OK) == 0
    guard replacing || !exists else { throw .outputExists(path) }
    var template = Array("\(path).XXXXXX.partial".utf8CString)
    // SAFETY: the template is a C string that the call changes in place.
    let descriptor = unsafe template.withUnsafeMutableBufferPointer { buffer in
      unsafe mkstemps(buffer.baseAddress.unsafelyUnwrapped, Int32(".partial".utf8.count))
    }
    guard descriptor >= 0 else { throw .cannotWrite(path, errno: errno) }
    self.path = path
    self.temporaryPath = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    self.descriptor = descriptor
  }

  deinit {
    close(descriptor)
    if !isFinished { unsafe unlink(temporaryPath) }
  }

  /// Writes all of `bytes` at `offset`; what lies between writes reads as zeros.
  func write(_ bytes: RawSpan, at offset: UInt64) throws(PackingError) {
    var done = 0
    var failure: Int32 = 0
    while done < bytes.byteCount && failure == 0 {
      let rest = bytes.extracting(done..<bytes.byteCount)
      // SAFETY: the pointer is used for the length it comes with, inside the closure.
      let count = unsafe rest.withUnsafeBytes { buffer in
        unsafe pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset) + off_t(done))
      }
      if count >= 0 { done += count } else if errno != EINTR { failure = errno }
    }
    guard failure == 0 else { throw .cannotWrite(path, errno: failure) }
  }

  /// Makes the file durable and gives it its name.
  func finish() throws(PackingError) {
    // A temporary file is private; the result gets the usual permissions.
    let mask = umask(0)
    _ = umask(mask)
    guard fchmod(descriptor, 0o666 & ~mask) == 0, fsync(descriptor) == 0,
      unsafe rename(temporaryPath, path) == 0
    else { throw .cannotWrite(path, errno: errno) }
    isFinished = true
    let folder = unsafe open(
      URL(fileURLWithPath: path).deletingLastPathComponent().path,
      O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      // The name is durable where the file system offers it; the file itself is.
      fsync(folder)
      close(folder)
    }
  }
}

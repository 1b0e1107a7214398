internal import CPlatform
package import Commands
package import Units

extension Linux {
  package static func open(_ path: CString) throws(HostError) -> FileHandle {
    FileHandle(number: Int32(try retrying { unsafe platform_open(path.unsafeStart) }))
  }

  package static func create(_ path: CString) throws(HostError) -> FileHandle {
    FileHandle(number: Int32(try retrying { unsafe platform_create(path.unsafeStart) }))
  }

  package static func rename(_ source: CString, to destination: CString) throws(HostError) {
    _ = try retrying { unsafe platform_rename(source.unsafeStart, destination.unsafeStart) }
  }

  package static func remove(_ path: CString) throws(HostError) {
    do {
      _ = try retrying { unsafe platform_remove(path.unsafeStart) }
    } catch {
      if error != .missing { throw error }
    }
  }

  package static func byteCount(of file: FileHandle) throws(HostError) -> UInt64 {
    UInt64(try retrying { platform_file_size(file.number) })
  }

  package static func read(
    _ file: FileHandle, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int {
    if isInterrupted { throw .interrupted }
    // SAFETY: the kernel writes at most `count` bytes.
    return try retrying {
      unsafe platform_read(file.number, buffer.unsafeBaseAddress, UInt(buffer.count))
    }
  }

  package static func read(
    _ file: FileHandle, at offset: UInt64, into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> Int {
    var done = 0
    while done < buffer.count {
      // SAFETY: the kernel writes at most the bytes that are left.
      let count = try retrying {
        unsafe platform_read_at(
          file.number, buffer.unsafeBaseAddress + done, UInt(buffer.count - done),
          UInt(offset) + UInt(done))
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  package static func write(_ bytes: RawSpan, to file: FileHandle) throws(HostError) {
    var rest = bytes
    while rest.byteCount > 0 {
      // SAFETY: the kernel reads at most the bytes that are left; no bytes have no padding.
      let count = try retrying {
        unsafe rest.withUnsafeBytes { buffer in
          unsafe platform_write(
            file.number, buffer.baseAddress.unsafelyUnwrapped, UInt(buffer.count))
        }
      }
      rest = rest.extracting(droppingFirst: count)
    }
  }

  package static func advise(
    _ file: FileHandle, _ advice: ReadingAdvice, _ range: Range<UInt64>
  ) {
    platform_advise(
      file.number, UInt(range.lowerBound), UInt(range.upperBound - range.lowerBound),
      advice == .finished ? 1 : 0)
  }

  package static func close(_ file: FileHandle) {
    // Linux releases the number even where it reports an interruption, so this is never repeated.
    _ = platform_close(file.number)
  }

  package static func isTerminal(_ file: FileHandle) -> Bool {
    platform_is_terminal(file.number) != 0
  }

  package static func executablePath(
    into buffer: FixedBuffer<UInt8>
  ) throws(HostError) -> CString {
    // SAFETY: the kernel writes at most `count` bytes.
    let length = try retrying {
      unsafe platform_executable_path(buffer.unsafeBaseAddress, UInt(buffer.count))
    }
    guard length < buffer.count else { throw .nameTooLong }
    buffer[length] = 0
    guard let path = CString(terminated: buffer.extracting(0..<length + 1)) else {
      throw .missing
    }
    return path
  }

  /// Calls `operation` until no signal interrupts it; Ctrl-C ends the repetition.
  private static func retrying(_ operation: () -> Int) throws(HostError) -> Int {
    while true {
      let result = operation()
      if result >= 0 { return result }
      let error = HostError(systemError: result)
      if error != .interrupted || isInterrupted { throw error }
    }
  }
}

extension HostError {
  /// Names a negated error number of Linux; the numbers are those of every architecture.
  package init(systemError: Int) {
    switch -systemError {
    case 2, 20: self = .missing
    case 4: self = .interrupted
    case 1, 13, 30: self = .notPermitted
    case 11: self = .notLocked
    case 12: self = .noMemory
    case 21, 22: self = .notRegular
    case 27, 28, 122: self = .noSpace
    case 32: self = .closedPipe
    case 36: self = .nameTooLong
    default: self = .system(Int32(truncatingIfNeeded: -systemError))
    }
  }
}

internal import Foundation

/// A program that is spoken with line by line, through its standard input and output.
///
/// Its standard error is ours. It ends with its owner at the latest.
final class LineProcess {
  let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let isInterrupted: @Sendable () -> Bool
  private var pending: [UInt8] = []

  /// Starts `program`; `nil` where it cannot be started.
  init?(_ program: String, _ arguments: [String], isInterrupted: @escaping @Sendable () -> Bool) {
    self.isInterrupted = isInterrupted
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.standardInput = input
    process.standardOutput = output
    // The other program must not hold this one's ends open.
    for file in [input.fileHandleForWriting, output.fileHandleForReading] {
      _ = fcntl(file.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
    do { try process.run() } catch { return nil }
  }

  deinit {
    if process.isRunning { process.terminate() }
  }

  /// Sends one line; what has ended does not hear it, which the next answer shows.
  func send(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    var done = 0
    while done < bytes.count {
      // SAFETY: the pointer is used for the bytes that it comes with, inside the closure.
      let count = unsafe bytes[done...].withUnsafeBytes { buffer in
        unsafe write(input.fileHandleForWriting.fileDescriptor, buffer.baseAddress, buffer.count)
      }
      if count < 0 && errno != EINTR { return }
      done += max(count, 0)
    }
  }

  /// The next line without its end; `nil` where the program has closed its output.
  func receive() throws(BenchmarkError) -> String? {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeSubrange(...end)
        return line
      }
      if isInterrupted() { throw .interrupted }
      var room = [UInt8](repeating: 0, count: 4096)
      // SAFETY: the call writes at most what the buffer holds.
      let count = unsafe room.withUnsafeMutableBytes { buffer in
        unsafe read(
          output.fileHandleForReading.fileDescriptor, buffer.baseAddress, buffer.count)
      }
      if count == 0 { return nil }
      if count < 0 && errno != EINTR { return nil }
      pending += room[..<max(count, 0)]
    }
  }

  /// Waits for the program to end; its exit code, 128 and the signal's number where one ended it.
  func wait() -> Int32 {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
    let isSignal = process.terminationReason == .uncaughtSignal
    return isSignal ? 128 + process.terminationStatus : process.terminationStatus
  }

  /// The processors that the program's threads are pinned to, one each; empty where they are not.
  func pinnedProcessors(threads: Int) -> [Int32] {
    let folder = "/proc/\(process.processIdentifier)/task"
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let processors = tasks.compactMap { task -> Int32? in
      let text = try? String(contentsOfFile: "\(folder)/\(task)/status", encoding: .utf8)
      let line = text?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
      return line?.split(whereSeparator: \.isWhitespace).last.flatMap { Int32($0) }
    }
    let distinct = Set(processors)
    return tasks.count == threads && distinct.count == threads ? distinct.sorted() : []
  }
}

import Foundation

/// The package's folder.
let packageFolder = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent()

/// A file of the package or of its build.
func packageFile(_ path: String) -> URL { packageFolder.appending(path: path) }

/// Whether all of these files of the package or its build are there; says which one is not.
func present(_ paths: String...) -> Bool {
  for path in paths where !FileManager.default.fileExists(atPath: packageFile(path).path) {
    print("\(path) is missing: run .ci/test")
    return false
  }
  return true
}

/// A program that has ended.
struct Finished {
  /// The exit code, or the negated number of the signal that ended it.
  var status: Int32
  var output: String
  var error: String
}

/// What happens to a program while it runs.
struct Treatment {
  /// What it reads; the end follows.
  var input = Data()
  /// Added to the environment.
  var environment: [String: String] = [:]
  /// Ctrl-C as soon as it has written so many bytes.
  var interruptsAfter: Int?
  /// Called over and over while it runs.
  var watch: ((_ process: Int32) -> Void)?
}

/// Runs a program to its end; looked up in the search path where it has no folder.
func run(_ words: [String], _ treatment: Treatment = Treatment()) throws -> Finished {
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let files = ["input", "output", "error"].map { folder.appending(path: $0) }
  try treatment.input.write(to: files[0])
  for file in files[1...] { try Data().write(to: file) }

  let process = Process()
  process.executableURL = URL(filePath: "/usr/bin/env")
  process.arguments = words
  process.currentDirectoryURL = packageFolder
  process.environment = ProcessInfo.processInfo.environment
    .merging(treatment.environment) { _, new in new }
  process.standardInput = try FileHandle(forReadingFrom: files[0])
  process.standardOutput = try FileHandle(forWritingTo: files[1])
  process.standardError = try FileHandle(forWritingTo: files[2])
  try process.run()
  var interrupted = false
  while process.isRunning {
    treatment.watch?(process.processIdentifier)
    if let bytes = treatment.interruptsAfter, !interrupted,
      try Data(contentsOf: files[1]).count >= bytes
    {
      kill(child(of: process.processIdentifier) ?? process.processIdentifier, SIGINT)
      interrupted = true
    }
    usleep(1000)
  }
  process.waitUntilExit()
  let signalled = process.terminationReason == .uncaughtSignal
  return Finished(
    status: signalled ? -process.terminationStatus : process.terminationStatus,
    output: String(decoding: try Data(contentsOf: files[1]), as: UTF8.self),
    error: String(decoding: try Data(contentsOf: files[2]), as: UTF8.self))
}

/// The program that a tracer runs.
private func child(of process: Int32) -> Int32? {
  let path = "/proc/\(process)/task/\(process)/children"
  let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  return text.split(separator: " ").first.flatMap { Int32($0) }
}

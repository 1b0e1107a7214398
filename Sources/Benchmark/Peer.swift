internal import Foundation

/// llama.cpp, driven through the Python package llama-cpp-python in a process of its own.
///
/// Between two orders it waits for input; its threads sleep.
final class Peer {
  /// The version of the package.
  let version: String
  private let process: LineProcess
  private var loaded: String?
  private var opened: Opened?

  /// The contexts that are there.
  private struct Opened: Equatable {
    var model: String
    var variants: [Variant]
    var threads: Int
    var depth: Int
    var context: Int
  }

  /// How a test of llama.cpp is run.
  struct Variant: Equatable, Sendable {
    /// The type of keys and values.
    let kv: String
    /// `auto`, `on` or `off`.
    let flash: String

    var name: String { flash == "auto" ? kv : "\(kv), flash \(flash)" }
  }

  /// Starts `python` and sees whether the package is there.
  init(python: String, isInterrupted: @escaping @Sendable () -> Bool) throws(BenchmarkError) {
    let script = String(decoding: PackageResources.peer_py, as: UTF8.self)
    guard
      let process = LineProcess(
        "/usr/bin/env", [python, "-c", script], isInterrupted: isInterrupted)
    else { throw .peerMissing("/usr/bin/env cannot be run") }
    guard let first = try process.receive(), let answer = Self.fields(first) else {
      throw .peerMissing("there is no `\(python)` that runs")
    }
    if let missing = answer["missing"] as? String {
      throw .peerMissing("\(python) has no llama_cpp (\(missing))")
    }
    version = answer["version"] as? String ?? "unknown"
    self.process = process
  }

  /// Loads the GGUF file at `path`, unless it is the one that is loaded.
  func load(_ path: String) throws(BenchmarkError) {
    guard loaded != path else { return }
    _ = try ask(["do": "close"])
    opened = nil
    _ = try ask(["do": "load", "model": path])
    loaded = path
  }

  /// Makes sure that there is a cache filled to `depth` for every variant, with `context` slots.
  func open(
    _ variants: [Variant], threads: Int, depth: Int, context: Int
  ) throws(BenchmarkError) {
    let wanted = Opened(
      model: loaded ?? "", variants: variants, threads: threads, depth: depth, context: context)
    guard wanted != opened else { return }
    opened = nil
    _ = try ask(["do": "close"])
    for variant in variants {
      _ = try ask([
        "do": "open", "name": variant.name, "kv": variant.kv, "flash": variant.flash,
        "threads": threads, "depth": depth, "context": context,
      ])
    }
    opened = wanted
  }

  /// The nanoseconds that reading `prompt` tokens and generating `generated` take.
  func run(
    _ variant: Variant, prompt: Int, generated: Int
  ) throws(BenchmarkError) -> UInt64 {
    let answer = try ask([
      "do": "run", "name": variant.name, "prompt": prompt, "generated": generated,
    ])
    guard let nanoseconds = answer["ns"] as? Int, nanoseconds > 0 else {
      throw .peerFailed("no time in the answer")
    }
    return UInt64(nanoseconds)
  }

  private func ask(_ order: [String: Any]) throws(BenchmarkError) -> [String: Any] {
    guard let text = try? JSONSerialization.data(withJSONObject: order) else {
      preconditionFailure("orders are texts and numbers")
    }
    process.send(String(decoding: text, as: UTF8.self))
    guard let line = try process.receive() else {
      throw .peerFailed("it ended early, with exit code \(process.wait())")
    }
    guard let answer = Self.fields(line) else { throw .peerFailed("it answered `\(line)`") }
    if let problem = answer["error"] as? String { throw .peerFailed(problem) }
    return answer
  }

  private static func fields(_ line: String) -> [String: Any]? {
    (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any]
  }
}

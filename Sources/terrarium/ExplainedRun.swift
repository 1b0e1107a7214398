internal import Commands
internal import Evaluation
internal import Foundation
internal import Packing
internal import Tokenization

/// `terrarium run --explain`: runs sealed in a child, then shows which tokens its cache held.
///
/// The sealed process cannot write a page, which takes memory; it writes the numbers of its slots
/// into a file that it opened before the seal. The child shares terminal, input and output with
/// this process, and its exit code becomes this one's.
struct ExplainedRun {
  /// Where the page goes; `-`: only text on standard error.
  let page: String
  /// The pack file.
  let model: String
  /// What was run, for the heading.
  let heading: String

  /// Tells the child where the numbers of its slots go.
  private static let variable = "TERRARIUM_HELD_SLOTS"

  /// In the child: where its numbers go; `nil` in a process that a person started.
  static var heldSlots: String? { ProcessInfo.processInfo.environment[variable] }

  /// Runs the command line of this process again as the child; the exit code.
  func run() -> Int32 {
    do throws(EvaluationError) {
      if page != "-" { try OutputFiles.check(page) }
    } catch {
      report(error)
      return error.exitCode
    }
    let slots = FileManager.default.temporaryDirectory
      .appending(path: "terrarium-held-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: slots) }
    guard let status = Self.runChild(slots: slots) else {
      report(EvaluationError.childNotStarted("out of memory or processes"))
      return EvaluationError.childNotStarted("").exitCode
    }
    guard let data = FileManager.default.contents(atPath: slots), !data.isEmpty else {
      return status
    }
    do throws(EvaluationError) {
      try show(data, name: slots)
    } catch {
      report(error)
      return status == 0 ? error.exitCode : status
    }
    return status
  }

  private func show(_ data: Data, name: String) throws(EvaluationError) {
    guard let section = try? TokenizerFile.section(path: model),
      let hosted = try? HostedTokenizer(section: section)
    else { throw .unreadable(model) }
    let tokens = try HeldTokens(slots: data, name: name, hosted)
    let text = TerminalExplanation.text(tokens, usesColor: TerminalExplanation.usesColor)
    FileHandle.standardError.write(Data(text.utf8))
    guard page != "-" else { return }
    try OutputFiles.write(ExplanationPage.html(tokens, heading: heading), to: page)
  }

  private func report(_ error: EvaluationError) {
    FileHandle.standardError.write(Data("terrarium run: \(error.description)\n".utf8))
  }

  /// Starts this program with its own words and waits; `nil` where it cannot be started.
  ///
  /// Foundation's `Process` would give the child a process group of its own, which could neither
  /// read from the terminal nor hear Ctrl-C.
  private static func runChild(slots: String) -> Int32? {
    let environment = ProcessInfo.processInfo.environment.merging([variable: slots]) { $1 }
    var child: pid_t = 0
    // SAFETY: both lists are copies that end with nil and live until they are freed here.
    let error = unsafe withList(CommandLine.arguments) { words in
      unsafe withList(environment.map { "\($0)=\($1)" }) { variables in
        unsafe posix_spawn(&child, "/proc/self/exe", nil, nil, words, variables)
      }
    }
    guard error == 0 else { return nil }
    var status: Int32 = 0
    while unsafe waitpid(child, &status, 0) < 0 {
      if errno != EINTR { return nil }
    }
    // A child that a signal ended counts as the shell does.
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
  }

  /// Calls `body` with C strings, a nil behind the last.
  private static func withList<Result>(
    _ words: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
      capacity: words.count + 1)
    for (index, word) in words.enumerated() { unsafe list[index] = strdup(word) }
    unsafe list[words.count] = nil
    defer {
      for index in words.indices { unsafe free(list[index]) }
      unsafe list.deallocate()
    }
    return unsafe body(list)
  }
}

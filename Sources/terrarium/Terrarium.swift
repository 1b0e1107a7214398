internal import ArgumentParser
internal import Benchmark
internal import CAllocations
internal import Commands
internal import Evaluation
internal import Foundation
internal import Platform
internal import Units

/// The hosted program: the core's commands, and those that only a workstation has.
@main
struct Terrarium: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "terrarium",
    abstract: "A sealed, fixed-size home for a language model.",
    discussion: """
      Computes every byte a model will ever need, refuses what does not fit, reserves the rest in \
      one act and asks the system for nothing more.
      """,
    version: "terrarium \(Version.text)",
    subcommands: [
      RunEntry.self, PlanEntry.self, LogitsEntry.self, PackCommand.self, TokenizeCommand.self,
      BenchCommand.self, EvalCommand.self,
    ])

  /// Hands `plan`, `run` and `logits` to the core, everything else to the argument parser.
  static func main() {
    Linux.prepare()
    let memory = PlanningMemory(Linux.planningMemory)
    // SAFETY: the words of the command line stay valid for the life of the process.
    let arguments = unsafe Arguments(
      unsafeCount: CommandLine.argc, unsafeStart: CommandLine.unsafeArgv)
    if let code = EvaluationWorker<Linux>.run(arguments, in: memory) { Linux.exit(code.rawValue) }
    if arguments.count > 1, arguments[1].text.equals(Benchmark.rowCommand) {
      Linux.exit(MeasuredRow<Linux>.run(arguments, from: 2, in: memory).rawValue)
    }
    if let code = HostedCommands.run(arguments, in: memory) { Linux.exit(code.rawValue) }
    main(nil)
  }
}

/// Lists `run` in the help; the core parses its words.
struct RunEntry: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Read a document and an instruction, print the reply.")
}

/// Lists `plan` in the help; the core parses its words.
struct PlanEntry: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Print every byte a run would need, from the header alone.")
}

/// Lists `logits` in the help; the core parses its words.
struct LogitsEntry: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits", abstract: "Run token ids teacher-forced and write the logits.")
}

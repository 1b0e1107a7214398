internal import Commands
internal import Platform
internal import Units

/// The core's commands on a workstation, where a GGUF file is as good as a pack.
enum HostedCommands {
  /// Runs `plan`, `run` or `logits`; `nil` where the first word is none of them.
  static func run(_ arguments: Arguments, in memory: PlanningMemory) -> ExitCode? {
    CommandRunner<Linux>.run(arguments, in: memory)
  }
}

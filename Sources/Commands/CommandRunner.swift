package import ModelFormat
package import Units

/// The commands that both builds have, from words to exit code.
package enum CommandRunner<System: Host> {
  /// Takes a whole command line; `nil` where its first word is none of these commands.
  package static func run(_ arguments: Arguments, in memory: PlanningMemory) -> ExitCode? {
    guard arguments.count > 1 else { return nil }
    if arguments[1].text.equals("--version") { return version(in: memory) }
    guard let verb = Verb(named: arguments[1].text) else { return nil }
    do throws(Failure) {
      return run(verb, try words(arguments, from: 2, in: memory), in: memory)
    } catch {
      return report(error, in: memory)
    }
  }

  private static func version(in memory: PlanningMemory) -> ExitCode {
    var console = Console<System>(memory)
    console.output.append("terrarium ")
    console.output.append(Version.text)
    console.output.append("\n")
    do throws(Failure) { try console.flushOutput() } catch { return report(error, in: memory) }
    return .success
  }

  /// Prints an error that ends the command; its exit code.
  ///
  /// The process may be sealed by now, so whether a person watches is not asked.
  package static func report(_ failure: Failure, in memory: PlanningMemory) -> ExitCode {
    var console = Console<System>(memory, isWatched: false)
    console.report(failure)
    return failure.exitCode
  }

  /// The words of a command line from `start` on.
  package static func words(
    _ arguments: Arguments, from start: Int, in memory: PlanningMemory
  ) throws(Failure) -> FixedBuffer<Text> {
    let count = max(arguments.count - start, 0)
    guard count <= memory.words.count else {
      throw .usage(.tooManyWords(count, limit: memory.words.count))
    }
    for index in 0..<count { memory.words[index] = arguments[start + index].text }
    return memory.words.extracting(0..<count)
  }

  /// Runs `plan`, `run` or `logits` with the words after the command's name.
  package static func run(
    _ verb: Verb, _ words: FixedBuffer<Text>, in memory: PlanningMemory
  ) -> ExitCode {
    do throws(Failure) {
      return run(try parse(verb, words), in: memory)
    } catch {
      return report(error, in: memory)
    }
  }

  /// Runs the command of `options`.
  ///
  /// `header` is that of a GGUF file, made by a build that can read one.
  package static func run(
    _ options: Options, header: PackHeader? = nil, in memory: PlanningMemory
  ) -> ExitCode {
    var console = Console<System>(memory)
    do throws(Failure) {
      if options.has(.help) {
        Help.write(options.verb, to: &console.output)
        try console.flushOutput()
        return .success
      }
      switch options.verb {
      case .plan: try plan(options, header: header, in: memory, &console)
      case .logits: try LogitsCommand<System>.run(options, in: memory, &console)
      case .run: try RunCommand<System>.run(options, in: memory, &console)
      }
      return .success
    } catch {
      try? console.flushOutput()
      console.report(error)
      return error.exitCode
    }
  }

  /// The words of a command line as options.
  package static func parse(_ verb: Verb, _ words: FixedBuffer<Text>) throws(Failure) -> Options {
    do { return try Options(verb: verb, arguments: words) } catch { throw .usage(error) }
  }

  private static func plan(
    _ options: Options, header: PackHeader?, in memory: PlanningMemory,
    _ console: inout Console<System>
  ) throws(Failure) {
    if let header {
      try PlanCommand<System>.run(options, header: header, in: memory, &console)
      return
    }
    guard let model = options.text(.model) else { throw .usage(.needed(.model, verb: .plan)) }
    var names = PathBuilder(memory.paths)
    let file = try ModelFile<System>(try names.name(model), in: memory)
    try PlanCommand<System>.run(options, header: file.header, in: memory, &console)
  }
}

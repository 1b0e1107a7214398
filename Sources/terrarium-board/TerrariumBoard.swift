internal import Commands
internal import Platform
internal import Units

/// Where the C library starts the program; the package manager links `main` to this name.
@c(terrarium_board_main)
public func terrariumBoardMain(
  _ count: Int32, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> Int32 {
  Linux.prepare()
  let memory = PlanningMemory(Linux.planningMemory)
  // SAFETY: what the C library hands to `main` stays valid for the life of the process.
  let arguments = unsafe Arguments(unsafeCount: count, unsafeStart: words)
  let code = CommandRunner<Linux>.run(arguments, in: memory) ?? usage(memory)
  Linux.exit(code.rawValue)
}

/// Tells which commands there are.
func usage(_ memory: PlanningMemory) -> ExitCode {
  let text: StaticString = """
    usage: terrarium-board plan|run|logits MODEL [options]

      plan    print every byte a run would need
      run     read a document and an instruction, print the reply
      logits  run token ids teacher-forced, write the logits

    terrarium-board COMMAND --help lists the options of a command.

    """
  try? Linux.write(Text(text).bytes, to: .standardError)
  return .usage
}

import Commands
import TestSupport
import Units

/// The host's, not Foundation's.
typealias FileHandle = Commands.FileHandle

/// Text as the commands take it.
func text(_ string: String) -> Text { buffer(Array(string.utf8)) }

/// The words of a command line as the commands take them.
func words(_ strings: [String]) -> FixedBuffer<Text> { buffer(strings.map(text)) }

/// A command line as `main` receives it, the program's name first.
func arguments(_ strings: [String]) -> Arguments {
  let all = ["terrarium"] + strings
  let start = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: all.count + 1)
  for (index, string) in all.enumerated() {
    let word = buffer(Array(string.utf8CString))
    unsafe (start + index).initialize(to: word.unsafeBaseAddress)
  }
  unsafe (start + all.count).initialize(to: nil)
  // SAFETY: one zero-terminated word for each count, never given back.
  return unsafe Arguments(unsafeCount: Int32(all.count), unsafeStart: start)
}

/// Runs a whole command line in a world.
func run(_ strings: [String], in world: World) -> ExitCode? {
  World.$current.withValue(world) {
    CommandRunner<FakeHost>.run(arguments(strings), in: planning())
  }
}

/// Planning memory with room for a model's header.
func planning() -> PlanningMemory { PlanningMemory(memory(1 << 20)) }

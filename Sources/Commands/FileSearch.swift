import Units

/// Finds what lies beside the program: in the working folder, or in a folder above the program.
enum FileSearch<System: Host> {
  /// Folders above the program that are looked into: enough to leave a build folder.
  private static var levelsMax: Int { 6 }

  /// Opens `folder/name` + `suffix`, first seen from the working folder, then from the program's
  /// folder and each one above it.
  static func open(
    folder: StaticString, name: Text, suffix: StaticString, in memory: PlanningMemory
  ) -> (file: FileHandle, path: CString)? {
    var builder = PathBuilder(memory.paths)
    let scratch = memory.header
    func attempt(_ base: Text) -> (file: FileHandle, path: CString)? {
      builder.append(base)
      builder.append(Text(folder))
      builder.append(Text("/"))
      builder.append(name)
      builder.append(Text(suffix))
      guard let path = builder.finish() else { return nil }
      if let file = try? System.open(path) { return (file, path) }
      builder.release(path)
      return nil
    }
    if let found = attempt(.empty) { return found }
    guard let program = try? System.executablePath(into: scratch) else { return nil }
    var base = program.text
    for _ in 0..<levelsMax {
      base = parent(of: base)
      if let found = attempt(base) { return found }
      if base.count <= 1 { return nil }
      base = base.extracting(0..<base.count - 1)
    }
    return nil
  }

  /// The folder a path lies in, with the slash at its end.
  private static func parent(of path: Text) -> Text {
    var end = path.count
    while end > 0 && path[end - 1] != 47 { end -= 1 }
    return path.extracting(0..<end)
  }
}

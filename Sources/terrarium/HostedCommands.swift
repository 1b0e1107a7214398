internal import Commands
internal import Foundation
internal import ModelFormat
internal import Packing
internal import Platform
internal import Units

/// The core's commands on a workstation, where a GGUF file is as good as a pack and no model at all
/// means the built-in one.
struct HostedCommands {
  private let memory: PlanningMemory
  private let verb: Verb
  private var words: FixedBuffer<Text>

  /// Runs `plan`, `run` or `logits`; `nil` where the first word is none of them.
  static func run(_ arguments: Arguments, in memory: PlanningMemory) -> Commands.ExitCode? {
    guard arguments.count > 1 else { return nil }
    guard let verb = Verb(named: arguments[1].text) else { return help(arguments, in: memory) }
    do throws(Failure) {
      let words = try CommandRunner<Linux>.words(arguments, from: 2, in: memory)
      return HostedCommands(memory: memory, verb: verb, words: words).run()
    } catch {
      return CommandRunner<Linux>.report(error, in: memory)
    }
  }

  /// `help COMMAND` for a command of the core; `nil` for everything else.
  private static func help(
    _ arguments: Arguments, in memory: PlanningMemory
  ) -> Commands.ExitCode? {
    guard arguments[1].text.equals("help"), arguments.count == 3,
      let verb = Verb(named: arguments[2].text)
    else { return nil }
    memory.words[0] = Text("--help")
    return CommandRunner<Linux>.run(verb, memory.words.extracting(0..<1), in: memory)
  }

  private func run() -> Commands.ExitCode {
    guard let options = try? CommandRunner<Linux>.parse(verb, words), !options.has(.help) else {
      return CommandRunner<Linux>.run(verb, words, in: memory)
    }
    guard let model = options.text(.model) else {
      guard verb == .run, let builtIn = Self.builtInModel() else {
        return CommandRunner<Linux>.run(verb, words, in: memory)
      }
      return run(options.replacing(.model, with: Self.text(builtIn)))
    }
    let path = Self.string(model)
    guard Self.isGGUF(path) else { return run(options) }
    if verb == .plan { return plan(path, options) }
    let (packed, code) = Self.packBeside(path)
    guard let packed else { return code }
    return run(options.replacing(.model, with: Self.text(packed)))
  }

  /// Runs a command on a pack file; one that is to be explained in a child.
  private func run(_ options: Options) -> Commands.ExitCode {
    guard let page = options.text(.explain), let model = options.text(.model) else {
      return CommandRunner<Linux>.run(options, in: memory)
    }
    if let slots = ExplainedRun.heldSlots {
      return CommandRunner<Linux>.run(
        options.replacing(.explain, with: Self.text(slots)), in: memory)
    }
    let name = URL(fileURLWithPath: Self.string(model)).lastPathComponent
    let policy = options.text(.policy).map { ", policy " + Self.string($0) } ?? ""
    let context = options.text(.context).map { ", \(Self.string($0)) slots" } ?? ""
    let explained = ExplainedRun(
      page: Self.string(page), model: Self.string(model), heading: name + policy + context)
    return Commands.ExitCode(rawValue: explained.run()) ?? .internalError
  }

  /// Plans a GGUF file: makes the header its pack would have, and plans that.
  private func plan(_ path: String, _ options: Options) -> Commands.ExitCode {
    do {
      let bytes = try Packer.headerBytes(of: try GGUFFile(path: path))
      let header = memory.modelHeader.extracting(0..<bytes.count)
      for index in 0..<bytes.count { header[index] = bytes[index] }
      let fileBytes = header.bytes.loadLittleEndian(at: 16, as: UInt64.self)
      let valid = try PackHeader(validating: header, fileBytes: fileBytes)
      return CommandRunner<Linux>.run(options, header: valid, in: memory)
    } catch let error as PackingError {
      Self.report("\(path): \(error)")
      return Commands.ExitCode(rawValue: error.exitCode) ?? .internalError
    } catch let error as GGUFError {
      Self.report("\(path): \(error)")
      return .badFile
    } catch {
      Self.report("\(path): the header made from it is not valid: \(error)")
      return .internalError
    }
  }

  /// Packs a GGUF file in a child process, so that the run itself starts with a small heap.
  ///
  /// A pack that lies there already and is newer than the GGUF file is used as it is.
  private static func packBeside(_ path: String) -> (path: String?, Commands.ExitCode) {
    let source = URL(fileURLWithPath: path)
    let target = source.deletingPathExtension().path + ".terra"
    if isNewer(target, than: path) { return (target, .success) }
    report("packing \(path) into \(target), once")
    let child = Process()
    child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    child.arguments = ["pack", path, "-o", target, "--force"]
    child.standardOutput = Foundation.FileHandle.standardError
    do { try child.run() } catch {
      report("the packer could not be started: \(error)")
      return (nil, .internalError)
    }
    child.waitUntilExit()
    guard child.terminationStatus == 0 else {
      return (nil, Commands.ExitCode(rawValue: child.terminationStatus) ?? .internalError)
    }
    return (target, .success)
  }

  /// The pack of a GGUF file, made if need be; `nil` with the exit code where there is none.
  static func pack(of path: String) -> (path: String?, exitCode: Int32) {
    let (packed, code) = packBeside(path)
    return (packed, code.rawValue)
  }

  private static func isNewer(_ target: String, than source: String) -> Bool {
    func date(_ path: String) -> Date? {
      (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }
    guard let made = date(target), let changed = date(source) else { return false }
    return made >= changed
  }

  /// The model that is built with the program and lies beside it.
  static func builtInModel() -> String? {
    Bundle.module.path(forResource: "built-in", ofType: "terra")
  }

  static func isGGUF(_ path: String) -> Bool {
    guard let file = Foundation.FileHandle(forReadingAtPath: path) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 4)) == Data("GGUF".utf8)
  }

  private static func report(_ message: String) {
    Foundation.FileHandle.standardError.write(Data("terrarium: \(message)\n".utf8))
  }

  private static func string(_ text: Text) -> String {
    var bytes: [UInt8] = []
    for index in 0..<text.count { bytes.append(text[index]) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Text that lives as long as the process.
  private static func text(_ string: String) -> Text {
    let bytes = Array(string.utf8)
    let base = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    for index in bytes.indices { unsafe base[index] = bytes[index] }
    // SAFETY: the memory is never given back.
    return unsafe Text(unsafeBase: base, count: bytes.count)
  }
}

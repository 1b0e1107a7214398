import Eviction
import Inference
import ModelFormat
import Profiles
import Units

/// `terrarium logits`: token ids in, logits out, teacher-forced.
package enum LogitsCommand<System: Host> {
  /// Runs the ids of `--ids` and writes float32 [tokens, vocabulary] to `--output`; with
  /// `--prompt-tokens` only the rows from the last token of the prompt on.
  package static func run(
    _ options: Options, in memory: PlanningMemory, _ console: inout Console<System>
  ) throws(Failure) {
    guard let model = options.text(.model) else { throw .usage(.needed(.model, verb: .logits)) }
    guard let ids = options.text(.ids) else { throw .usage(.needed(.ids, verb: .logits)) }
    guard let output = options.text(.output) else {
      throw .usage(.needed(.output, verb: .logits))
    }
    var names = PathBuilder(memory.paths)
    let modelFile = try ModelFile<System>(try names.name(model), in: memory)
    let idsFile = try open(try names.name(ids))
    let count = try tokenCount(idsFile, name: ids)
    let promptTokens = try promptTokens(options, of: count)
    var profile = try Settings<System>.resolve(options, in: memory)
    if profile.contextTokens == 0 && profile.policy == .full {
      profile.contextTokens = max(count, RunShape.slotsMin)
    }
    let target = try names.name(output)
    guard let partial = names.name(output, suffix: ".partial") else {
      throw .host(.nameTooLong, .writing, output)
    }
    let partialFile: FileHandle
    do { partialFile = try System.create(partial) } catch {
      throw .host(error, .writing, output)
    }
    do {
      var launch = try Launch<System>(
        modelFile, profile: profile, sampler: SamplerSettings(), idTokens: count,
        in: memory, &console)
      launch.seal(publishing: true)
      try readIDs(idsFile, into: launch.memory, name: ids)
      var rows = LogitsFile<System>(partialFile, name: output)
      if let promptTokens {
        try reply(launch.memory, promptTokens: promptTokens, to: &rows, &console)
      } else {
        try run(launch.memory, to: &rows, &console)
      }
      System.close(partialFile)
      let digest = rows.digest
      try publish(partial, as: target)
      console.output.append(hexadecimal: unsafe digest.span.bytes)
      console.output.append("\n")
      try console.flushOutput()
    } catch {
      try? System.remove(partial)
      throw error
    }
  }

  private static func promptTokens(_ options: Options, of count: Int) throws(Failure) -> Int? {
    do { return try options.integer(.promptTokens, in: 1...count) } catch { throw .usage(error) }
  }

  private static func open(_ path: CString) throws(Failure) -> FileHandle {
    do { return try System.open(path) } catch { throw .host(error, .reading, path.text) }
  }

  private static func tokenCount(_ file: FileHandle, name: Text) throws(Failure) -> Int {
    let bytes: UInt64
    do { bytes = try System.byteCount(of: file) } catch { throw .host(error, .reading, name) }
    guard bytes > 0, bytes % 4 == 0, bytes < 1 << 32 else {
      throw .badIDs(name, bytes: Int(clamping: bytes))
    }
    return Int(bytes) / 4
  }

  private static func readIDs(
    _ file: FileHandle, into memory: RunMemory, name: Text
  ) throws(Failure) {
    let ids = memory.text.ids
    let count: Int
    do { count = try System.read(file, at: 0, into: ids.asBytes) } catch {
      throw .host(error, .reading, name)
    }
    guard count == ids.count * 4 else { throw .badIDs(name, bytes: count) }
    let vocabulary = memory.session.shape.model.vocabulary
    for position in 0..<ids.count {
      let id = Int(Int32(littleEndian: ids[position]))
      guard id >= 0 && id < vocabulary else {
        throw .idOutOfRange(id, position: position, vocabulary: vocabulary)
      }
    }
  }

  /// Tokens at the end of ids or prompt that policies which want an instruction take for it.
  private static var instructionTokens: Int { 8 }

  /// Reads all ids as a document.
  private static func run(
    _ memory: RunMemory, to rows: inout LogitsFile<System>, _ console: inout Console<System>
  ) throws(Failure) {
    let (session, ids) = (memory.session, memory.text.ids)
    let last = ids.extracting(max(0, ids.count - instructionTokens)..<ids.count)
    try session.announce(document: ids.count, instruction: last, tokens: ids.count)
    var progress = Progress<System>("logits", total: ids.count)
    var reader = TileReader<System>(ids, at: 0)
    while let tile = try reader.next(session) {
      for row in 0..<tile.count {
        guard session.project(row: row) else {
          throw .nonFinite(position: tile.lowerBound + row)
        }
        try rows.append(session.logits)
      }
      progress.advance(tile.count, &console)
    }
    progress.finish(&console)
  }

  /// Reads the first ids as a prompt, then the others one by one, as if they were its reply.
  private static func reply(
    _ memory: RunMemory, promptTokens: Int, to rows: inout LogitsFile<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    let ids = memory.text.ids
    var stream = Stream<System>(memory)
    try stream.prefill(
      ids.extracting(0..<promptTokens),
      instructionStart: max(0, promptTokens - instructionTokens), &console)
    try rows.append(memory.session.logits)
    for index in promptTokens..<ids.count {
      if System.isInterrupted { throw .interrupted }
      guard memory.session.admits(stream.position) else {
        throw memory.session.refusal(of: ids.count)
      }
      try stream.step(ids[index])
      try rows.append(memory.session.logits)
    }
  }

  private static func publish(_ partial: CString, as target: CString) throws(Failure) {
    do { try System.rename(partial, to: target) } catch {
      throw .host(error, .writing, target.text)
    }
  }
}

/// Rows of logits on their way into a file.
private struct LogitsFile<System: Host> {
  private let file: FileHandle
  private let name: Text
  private var hash = SHA256()

  init(_ file: FileHandle, name: Text) {
    self.file = file
    self.name = name
  }

  /// The SHA-256 of everything that was written.
  var digest: InlineArray<32, UInt8> { hash.digest }

  mutating func append(_ row: FixedBuffer<Float>) throws(Failure) {
    hash.update(row.bytes)
    do { try System.write(row.bytes, to: file) } catch { throw .host(error, .writing, name) }
  }
}

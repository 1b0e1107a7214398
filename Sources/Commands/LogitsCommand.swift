import Inference
import ModelFormat
import Profiles
import Units

/// `terrarium logits`: token ids in, logits out, teacher-forced.
package enum LogitsCommand<System: Host> {
  /// Runs the ids of `--ids` and writes float32 [tokens, vocabulary] to `--output`.
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
      let digest = try run(launch.memory, writingTo: partialFile, name: output, &console)
      System.close(partialFile)
      try publish(partial, as: target)
      console.output.append(hexadecimal: unsafe digest.span.bytes)
      console.output.append("\n")
      try console.flushOutput()
    } catch {
      try? System.remove(partial)
      throw error
    }
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
    // All of it is a document; where the policy wants an instruction, that is its last tokens.
    let last = ids.extracting(max(0, ids.count - instructionTokens)..<ids.count)
    try memory.session.announce(document: ids.count, instruction: last, tokens: ids.count)
  }

  /// Tokens at the end that policies which want an instruction take for it.
  private static var instructionTokens: Int { 8 }

  private static func run(
    _ memory: RunMemory, writingTo file: FileHandle, name: Text, _ console: inout Console<System>
  ) throws(Failure) -> InlineArray<32, UInt8> {
    let (session, ids) = (memory.session, memory.text.ids)
    var digest = SHA256()
    var progress = Progress<System>("logits", total: ids.count)
    var reader = TileReader<System>(ids, at: 0)
    while let tile = try reader.next(session) {
      for row in 0..<tile.count {
        guard session.project(row: row) else {
          throw .nonFinite(position: tile.lowerBound + row)
        }
        digest.update(session.logits.bytes)
        do { try System.write(session.logits.bytes, to: file) } catch {
          throw .host(error, .writing, name)
        }
      }
      progress.advance(tile.count, &console)
    }
    progress.finish(&console)
    return digest.digest
  }

  private static func publish(_ partial: CString, as target: CString) throws(Failure) {
    do { try System.rename(partial, to: target) } catch {
      throw .host(error, .writing, target.text)
    }
  }
}

package import Inference
package import ModelFormat
import Units

/// A pack file that is open, with its validated header in planning memory.
package struct ModelFile<System: Host>: ModelSource {
  /// The name as the user gave it.
  package let name: Text

  /// The header.
  package let header: PackHeader

  private let file: FileHandle

  /// What a file starts with.
  package enum Kind {
    case pack
    case gguf
    case other
  }

  /// Opens a file and tells what it is from its first bytes.
  package static func kind(of path: CString) throws(Failure) -> Kind {
    let file = try open(path)
    defer { System.close(file) }
    var prefix = InlineArray<8, UInt8>(repeating: 0)
    var bytes = prefix.mutableSpan
    let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Failure) in
      // SAFETY: the view is used only while the array is borrowed; eight bytes have an address.
      let view = unsafe FixedBuffer(
        unsafeBase: buffer.baseAddress.unsafelyUnwrapped, count: buffer.count)
      return try read(file, at: 0, into: view, path.text)
    }
    if count >= 4, prefix[0] == 71, prefix[1] == 71, prefix[2] == 85, prefix[3] == 70 {
      return .gguf
    }
    if count == 8, unsafe prefix.span.bytes.loadLittleEndian(at: 0) == PackLayout.magic {
      return .pack
    }
    return .other
  }

  /// Opens a pack file and validates its header, which is read into `memory`.
  package init(_ path: CString, in memory: PlanningMemory) throws(Failure) {
    name = path.text
    switch try Self.kind(of: path) {
    case .gguf: throw .ggufOnBoard(name)
    case .other: throw .notAModel(name)
    case .pack: break
    }
    file = try Self.open(path)
    let fileBytes: UInt64
    do { fileBytes = try System.byteCount(of: file) } catch { throw .host(error, .reading, name) }
    let prefix = memory.header.extracting(0..<PackLayout.prefixBytes)
    let got = try Self.read(file, at: 0, into: prefix, name)
    do {
      let wanted = try PackHeader.headerBytes(prefix: prefix.extracting(0..<got).bytes)
      let whole = memory.header.extracting(0..<wanted)
      let count = (try? System.read(file, at: 0, into: whole)) ?? 0
      header = try PackHeader(validating: whole.extracting(0..<count), fileBytes: fileBytes)
    } catch {
      throw .model(error, file: name)
    }
  }

  /// Reads everything after the header into its place, checking each checksum on the way.
  package func load(into memory: RunMemory, _ console: inout Console<System>) throws(Failure) {
    var progress = Progress<System>("loading", total: Int(header.fileBytes))
    let model = memory.session.model
    for index in 0..<header.hyperparameters.matrixCount {
      let record = header.matrix(at: index)
      let checksum = try read(
        model.matrix(at: index).bytes, at: record.offset, &progress, &console)
      if checksum != record.checksum {
        let layer = record.role.isPerLayer ? record.layer : -1
        throw .sectionChecksum(record.role.name, layer: layer, file: name)
      }
    }
    try load(.vectors, into: model.vectors, &progress, &console)
    try load(.rotary, into: model.rotary.asBytes, &progress, &console)
    try load(.tokenizer, into: memory.text.tokenizer, &progress, &console)
    try load(.chatTemplate, into: memory.text.template, &progress, &console)
    progress.finish(&console)
    System.close(file)
  }

  private func load(
    _ kind: SectionKind, into target: FixedBuffer<UInt8>, _ progress: inout Progress<System>,
    _ console: inout Console<System>
  ) throws(Failure) {
    let section = header.section(kind)
    let checksum = try read(target, at: section.offset, &progress, &console)
    if checksum != section.checksum {
      throw .sectionChecksum(kind.name, layer: -1, file: name)
    }
  }

  /// Reads in pieces that stay in the cache for the checksum; the page cache may drop each behind.
  private func read(
    _ target: FixedBuffer<UInt8>, at offset: UInt64, _ progress: inout Progress<System>,
    _ console: inout Console<System>
  ) throws(Failure) -> UInt64 {
    var checksum = XXH64()
    var done = 0
    while done < target.count {
      let piece = target.extracting(done..<min(done + Self.pieceBytes, target.count))
      let start = offset + UInt64(done)
      let count = try Self.read(file, at: start, into: piece, name)
      if count < piece.count {
        throw .model(.fileBytes(stated: header.fileBytes, found: start + UInt64(count)), file: name)
      }
      checksum.update(piece.bytes)
      System.advise(file, .finished, start..<start + UInt64(count))
      done += count
      progress.advance(count, &console)
    }
    return checksum.digest
  }

  private static var pieceBytes: Int { 256 << 10 }

  private static func open(_ path: CString) throws(Failure) -> FileHandle {
    do { return try System.open(path) } catch { throw .host(error, .reading, path.text) }
  }

  private static func read(
    _ file: FileHandle, at offset: UInt64, into buffer: FixedBuffer<UInt8>, _ name: Text
  ) throws(Failure) -> Int {
    do {
      return try System.read(file, at: offset, into: buffer)
    } catch {
      throw .host(error, .reading, name)
    }
  }
}

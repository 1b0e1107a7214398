internal import Foundation
internal import ModelFormat
internal import Tokenization
internal import Units

/// Reads the tokenizer of a model file, whatever else is in it.
package enum TokenizerFile {
  /// The tokenizer section of the pack file or GGUF file at `path`; of a GGUF file neither the
  /// architecture nor the tensors matter.
  package static func section(path: String) throws(PackingError) -> [UInt8] {
    if let section = try packSection(path) { return section }
    let file = try reading { () throws(GGUFError) in try GGUFFile(path: path) }
    do throws(VocabularyError) {
      return try Vocabulary(file.header).section()
    } catch {
      throw .vocabulary(error)
    }
  }

  /// The section of a pack file; `nil` where the file is none.
  private static func packSection(_ path: String) throws(PackingError) -> [UInt8]? {
    guard let file = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? file.close() }
    guard let start = try? file.read(upToCount: 8), start.count == 8,
      [UInt8](start).rawSpan.loadLittleEndian(at: 0) == PackLayout.magic
    else { return nil }
    guard let fileBytes = try? file.seekToEnd() else { throw .gguf(.cannotRead(errno: EIO)) }
    let prefix = try read(file, PackLayout.prefixBytes, at: 0)
    let headerBytes: Int
    do throws(ModelFormatError) {
      headerBytes = try PackHeader.headerBytes(prefix: prefix.rawSpan)
    } catch {
      throw .hyperparameters(error)
    }
    let record = try tokenizerRecord(try read(file, headerBytes, at: 0), fileBytes: fileBytes)
    let section = try read(file, Int(record.bytes), at: record.offset)
    let checksum = XXH64.hash(section.rawSpan)
    guard checksum == record.checksum else {
      throw .hyperparameters(
        .sectionChecksum(.tokenizer, stated: record.checksum, computed: checksum))
    }
    return section
  }

  /// Where the tokenizer lies, from the bytes of a header.
  private static func tokenizerRecord(
    _ header: [UInt8], fileBytes: UInt64
  ) throws(PackingError) -> SectionRecord {
    var header = header
    do throws(ModelFormatError) {
      return try unsafe header.withUnsafeMutableBufferPointer {
        (bytes) throws(ModelFormatError) in
        // SAFETY: the view is used inside this closure only; a header is never empty.
        let buffer = unsafe FixedBuffer(
          unsafeBase: bytes.baseAddress.unsafelyUnwrapped, count: bytes.count)
        return try PackHeader(validating: buffer, fileBytes: fileBytes).section(.tokenizer)
      }
    } catch {
      throw .hyperparameters(error)
    }
  }

  /// `count` bytes at `offset`, fewer where the file ends before.
  private static func read(
    _ file: FileHandle, _ count: Int, at offset: UInt64
  ) throws(PackingError) -> [UInt8] {
    do {
      try file.seek(toOffset: offset)
      return [UInt8](try file.read(upToCount: count) ?? Data())
    } catch {
      throw .gguf(.cannotRead(errno: EIO))
    }
  }
}

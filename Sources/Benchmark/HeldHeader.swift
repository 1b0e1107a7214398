internal import Foundation
package import ModelFormat
internal import Packing
package import Quantization
internal import Units

/// A pack file's header in memory of its own, valid as long as the owner.
@safe
package final class HeldHeader {
  /// A view of the owner's memory.
  package let header: PackHeader
  // SAFETY: allocated by `init`, given back by `deinit`, reached through `header` only.
  private let memory: UnsafeMutablePointer<UInt8>

  /// Validates the header in `bytes`, of a file of `fileBytes` bytes.
  private init(_ bytes: [UInt8], fileBytes: UInt64) throws(ModelFormatError) {
    let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    for index in bytes.indices { unsafe memory[index] = bytes[index] }
    do throws(ModelFormatError) {
      // SAFETY: the memory lives as long as the owner of this view.
      header = try PackHeader(
        validating: unsafe FixedBuffer(unsafeBase: memory, count: bytes.count),
        fileBytes: fileBytes)
    } catch {
      unsafe memory.deallocate()
      throw error
    }
    unsafe self.memory = memory
  }

  deinit {
    unsafe memory.deallocate()
  }

  /// Reads the header of the pack file at `path`.
  package convenience init(path: String) throws(BenchmarkError) {
    guard let file = FileHandle(forReadingAtPath: path) else { throw .unreadable(path) }
    defer { try? file.close() }
    guard let start = try? file.read(upToCount: PackLayout.headerBytesMax),
      let fileBytes = try? file.seekToEnd()
    else { throw .unreadable(path) }
    do throws(ModelFormatError) {
      try self.init([UInt8](start), fileBytes: fileBytes)
    } catch {
      throw .badFile(path, problem: Self.sentence(error))
    }
  }

  /// The header that a pack of `shape` would have: all matrices in `format`, but embedding and
  /// output matrix, which keep eight bits, as `pack` gives them to a Q4_0 file.
  package convenience init(_ shape: SyntheticShape, format: WeightFormat) {
    let model = shape.model
    let formats = (0..<model.matrixCount).map { index in
      switch model.matrix(at: index).role {
      case .embedding, .output: WeightFormat.int8
      default: format
      }
    }
    let builder = PackHeaderBuilder(
      model, name: shape.name, sourceName: "random", formats: formats, tokenizerBytes: 0,
      templateBytes: 0)
    do throws(ModelFormatError) {
      try self.init(builder.bytes, fileBytes: builder.fileBytes)
    } catch {
      preconditionFailure("the table of shapes holds valid ones: \(Self.sentence(error))")
    }
  }

  private static func sentence(_ error: ModelFormatError) -> String {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { memory in
      unsafe memory.initialize(repeating: 0)
      // SAFETY: the buffer is used inside the closure only.
      let buffer = unsafe FixedBuffer(
        unsafeBase: memory.baseAddress.unsafelyUnwrapped, count: memory.count)
      var text = TextBuffer(buffer)
      error.describe(into: &text)
      return String(decoding: (0..<text.count).map { buffer[$0] }, as: UTF8.self)
    }
  }
}

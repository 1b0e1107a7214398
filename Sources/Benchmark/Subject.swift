internal import Foundation
internal import ModelFormat
internal import Packing
internal import Quantization

/// A subject ready to be measured: what a row opens, what llama.cpp opens, what it costs.
final class PreparedSubject {
  /// The model as a row takes it.
  let argument: String
  /// The model as tables name it.
  let name: String
  /// The GGUF file of the same weights, where there is one.
  let gguf: String?
  let held: HeldHeader
  /// Temporary files, which go with this.
  private let folder: URL?

  /// Opens a pack file, packs a GGUF file, or makes random weights up; with `needsGGUF` as a file.
  init(
    _ subject: BenchmarkRequest.Subject, needsGGUF: Bool, keptIn kept: String?,
    _ environment: BenchmarkEnvironment
  ) throws(BenchmarkError) {
    switch subject {
    case .synthetic(let name, let weights):
      let shape = try SyntheticShape.named(name)
      self.name = shape.name
      guard needsGGUF else {
        (folder, gguf) = (nil, nil)
        argument = "synthetic:\(shape.name):\(weights == .int8 ? "int8" : "int4")"
        held = HeldHeader(shape, format: weights)
        return
      }
      let folder = try Self.folder(kept)
      self.folder = kept == nil ? folder : nil
      let file = folder.appending(path: "\(shape.name)-\(weights == .int8 ? "int8" : "int4").gguf")
        .path
      (gguf, argument) = (file, Self.packPath(file, in: folder))
      do throws(BenchmarkError) {
        if !FileManager.default.fileExists(atPath: file) {
          environment.progress("writing random weights of \(shape.name)")
          try SyntheticGGUF.write(shape, format: weights, to: file)
        }
        try Self.pack(file, to: argument, reusing: kept != nil, environment)
        held = try HeldHeader(path: argument)
      } catch {
        if kept == nil { try? FileManager.default.removeItem(at: folder) }
        throw error
      }
    case .file(let path):
      name = path
      guard try Self.isGGUF(path) else {
        if needsGGUF {
          throw .usage("\(path) is no GGUF file, and llama.cpp reads nothing else")
        }
        (folder, gguf, argument) = (nil, nil, path)
        held = try HeldHeader(path: path)
        return
      }
      let folder = try Self.folder(nil)
      self.folder = folder
      (gguf, argument) = (path, Self.packPath(path, in: folder))
      do throws(BenchmarkError) {
        try Self.pack(path, to: argument, reusing: false, environment)
        held = try HeldHeader(path: argument)
      } catch {
        try? FileManager.default.removeItem(at: folder)
        throw error
      }
    }
  }

  deinit {
    if let folder { try? FileManager.default.removeItem(at: folder) }
  }

  private static func isGGUF(_ path: String) throws(BenchmarkError) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else { throw .unreadable(path) }
    defer { try? file.close() }
    guard let start = try? file.read(upToCount: 4) else { throw .unreadable(path) }
    return start == Data("GGUF".utf8)
  }

  /// The folder `kept`, or a temporary one, made where it is missing.
  private static func folder(_ kept: String?) throws(BenchmarkError) -> URL {
    let folder =
      kept.map { URL(fileURLWithPath: $0) }
      ?? FileManager.default.temporaryDirectory.appending(
        path: "terrarium-bench-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw .cannotWrite(folder.path, problem: error.localizedDescription)
    }
    return folder
  }

  /// Where the pack of a GGUF file goes; a name for each version of the format.
  private static func packPath(_ source: String, in folder: URL) -> String {
    let name = URL(fileURLWithPath: source).deletingPathExtension().lastPathComponent
    return folder.appending(path: "\(name).v\(PackLayout.version).terra").path
  }

  private static func pack(
    _ source: String, to target: String, reusing: Bool, _ environment: BenchmarkEnvironment
  ) throws(BenchmarkError) {
    if reusing && FileManager.default.fileExists(atPath: target) { return }
    do throws(PackingError) {
      _ = try Packer.pack(input: source, output: target) { done, total in
        environment.progress("packing \(done >> 20) of \(total >> 20) MiB")
        return !environment.isInterrupted()
      }
    } catch {
      let place = error.concernsOutput ? "" : source + ": "
      throw .packing("\(place)\(error)", exitCode: error.exitCode)
    }
  }
}

internal import Foundation
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
    _ subject: BenchmarkRequest.Subject, needsGGUF: Bool, _ environment: BenchmarkEnvironment
  ) throws(BenchmarkError) {
    switch subject {
    case .synthetic(let name, let format):
      let shape = try SyntheticShape.named(name)
      self.name = shape.name
      guard needsGGUF else {
        (folder, gguf) = (nil, nil)
        argument = "synthetic:\(shape.name):\(format == .int8 ? "int8" : "int4")"
        held = HeldHeader(shape, format: format)
        return
      }
      let folder = try Self.temporaryFolder()
      do throws(BenchmarkError) {
        let source = folder.appending(path: "model.gguf").path
        environment.progress("writing random weights of \(shape.name)")
        try SyntheticGGUF.write(shape, format: format, to: source)
        argument = try Self.pack(source, in: folder, environment)
        gguf = source
        held = try HeldHeader(path: argument)
        self.folder = folder
      } catch {
        try? FileManager.default.removeItem(at: folder)
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
      let folder = try Self.temporaryFolder()
      do throws(BenchmarkError) {
        argument = try Self.pack(path, in: folder, environment)
        gguf = path
        held = try HeldHeader(path: argument)
        self.folder = folder
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

  private static func temporaryFolder() throws(BenchmarkError) -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "terrarium-bench-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw .cannotWrite(folder.path, problem: error.localizedDescription)
    }
    return folder
  }

  private static func pack(
    _ source: String, in folder: URL, _ environment: BenchmarkEnvironment
  ) throws(BenchmarkError) -> String {
    let target = folder.appending(path: "model.terra").path
    do throws(PackingError) {
      _ = try Packer.pack(input: source, output: target) { done, total in
        environment.progress("packing \(done >> 20) of \(total >> 20) MiB")
        return !environment.isInterrupted()
      }
    } catch {
      let place = error.concernsOutput ? "" : source + ": "
      throw .packing("\(place)\(error)", exitCode: error.exitCode)
    }
    return target
  }
}

package import Foundation

/// Makes PNG of SVG with librsvg's converter.
package enum Rasterizer {
  /// Where the converter is; `nil` where it is not installed.
  package static let converter: URL? = {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.map { URL(filePath: String($0)).appending(path: "rsvg-convert") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }()

  /// Dots per unit of the drawing: sharp on displays of double density.
  private static let zoom = "2"

  /// Converts a drawing.
  package static func convert(_ source: String, to target: String) throws(EvaluationError) {
    guard let converter else { throw .noConverter }
    let partial = target + ".partial"
    let process = Process()
    process.executableURL = converter
    process.arguments = ["--zoom", zoom, "--output", partial, source]
    do { try process.run() } catch { throw .childNotStarted("\(error)") }
    process.waitUntilExit()
    guard process.terminationStatus == 0, unsafe rename(partial, target) == 0 else {
      try? FileManager.default.removeItem(atPath: partial)
      throw .cannotWrite(target)
    }
  }
}

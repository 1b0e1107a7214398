import Foundation

/// A file of the tree, as the tidiness rules see it.
struct SourceFile {
  /// From the package's folder.
  var path: String
  var text: String

  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// The folder below `Sources` or `Tests`.
  var target: String { String(path.split(separator: "/")[1]) }

  var isSwift: Bool { path.hasSuffix(".swift") }
}

/// The package as it lies on disk.
enum Tree {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Every Swift and C file below the given folders.
  static func files(_ roots: String...) throws -> [SourceFile] {
    try roots.flatMap { root in
      let paths = FileManager.default.enumerator(atPath: folder.appending(path: root).path)
      let names = (paths?.allObjects as? [String] ?? []).sorted()
      return
        try names
        .filter { name in [".swift", ".c", ".h"].contains { name.hasSuffix($0) } }
        .map { SourceFile(path: "\(root)/\($0)", text: try text("\(root)/\($0)")) }
    }
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: folder.appending(path: path), encoding: .utf8)
  }

  /// Names in the package's folder, without those that git ignores.
  static func topLevel() throws -> [String] {
    let ignored = Set(
      try text(".gitignore").split(separator: "\n").map {
        $0.hasSuffix("/") ? String($0.dropLast()) : String($0)
      })
    return try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { !ignored.contains($0) }.sorted()
  }
}

/// One target of `Package.swift`: its name and what it may import.
struct TargetRow: Equatable {
  var name: String
  var dependencies: [String]
}

/// The rows of a manifest, in order.
func rows(ofManifest manifest: String) -> [TargetRow] {
  let row =
    /(?:swift|tests|\.target|\.executableTarget)\(\s*(?:name: )?"([A-Za-z-]+)"(?:,\s*(?:dependencies: )?\[([^\]]*)\])?/
  let word = /"([A-Za-z-]+)"/
  return manifest.matches(of: row).map { match in
    TargetRow(
      name: String(match.1),
      dependencies: (match.2 ?? "").matches(of: word).map { String($0.1) })
  }
}

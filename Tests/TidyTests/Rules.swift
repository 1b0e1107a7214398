import Foundation

/// What a file may not do; each rule returns one line per finding, `path:line: what`.
enum Rules {
  static let longestFile = 500
  static let longestFunction = 70
  static let longestLine = 100

  /// Functions that stay whole because they read as one straight line.
  static let wholeFunctions: Set<String> = ["forward"]

  /// Modules from outside the package, and who may import them.
  static let hostedModules: Set<String> = ["Packing", "Benchmark", "Evaluation", "terrarium"]
  static let hostedImports: Set<String> = ["Foundation", "ArgumentParser", "Synchronization"]

  /// Imports that the target's row of the manifest does not name.
  static func imports(_ file: SourceFile, _ rows: [TargetRow]) -> [String] {
    guard let row = rows.first(where: { $0.name == file.target }) else {
      return ["\(file.path):1: no row in Package.swift"]
    }
    var allowed = Set(row.dependencies)
    if hostedModules.contains(file.target) { allowed.formUnion(hostedImports) }
    let statement = /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:\w+\s+)?(\w+)/
    return findings(file) { line in
      guard let match = line.firstMatch(of: statement), !allowed.contains(String(match.1)) else {
        return nil
      }
      return "imports \(match.1)"
    }
  }

  /// Rows that name a row below them.
  static func order(_ rows: [TargetRow]) -> [String] {
    let names = rows.map(\.name)
    return rows.enumerated().flatMap { index, row in
      row.dependencies.filter { names[index...].contains($0) }
        .map { "\(row.name) names \($0), which is not above it" }
    }
  }

  /// Headers that core C has no use for.
  static func includes(_ file: SourceFile) -> [String] {
    let allowed: Set<String> = [
      "arm_neon.h", "cpuid.h", "immintrin.h", "math.h", "stdbool.h", "stddef.h", "stdint.h",
      "string.h",
    ]
    return findings(file) { line in
      guard let match = line.firstMatch(of: /^\s*#\s*include\s*<([^>]+)>/),
        !allowed.contains(String(match.1))
      else { return nil }
      return "includes \(match.1)"
    }
  }

  /// Marks of unfinished work.
  static func unfinished(_ file: SourceFile) -> [String] {
    let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]
    return findings(file) { line in marks.first { line.contains($0) } }
  }

  /// Files, lines and functions that are too long.
  static func lengths(_ file: SourceFile) -> [String] {
    var found: [String] = []
    let lines = file.lines
    // The last line ends with a newline, behind which `lines` has an empty one.
    if lines.count - 1 > longestFile { found.append("\(file.path): \(lines.count - 1) lines") }
    if !file.isSwift {
      found += findings(file) { $0.count > longestLine ? "\($0.count) columns" : nil }
    }
    for function in functions(file)
    where function.lines > longestFunction && !wholeFunctions.contains(function.name) {
      found.append("\(file.path):\(function.start): \(function.name): \(function.lines) lines")
    }
    return found
  }

  /// A function and how many lines it takes, from its first to its closing brace.
  struct Function: Equatable {
    var name: String
    var start: Int
    var lines: Int
  }

  /// Functions with a body of more than one line; relies on the formatter's indentation.
  static func functions(_ file: SourceFile) -> [Function] {
    let lines = file.lines
    return lines.indices.compactMap { index in
      guard let (indent, name) = opening(lines[index], isSwift: file.isSwift) else { return nil }
      var body = index
      while !lines[body].contains("{") {
        body += 1
        let isOver = body == lines.count || lines[body].isEmpty || lines[body].hasSuffix(";")
        if isOver || body - index > 20 { return nil }
      }
      guard lines[body].hasSuffix("{"),
        let end = lines[body...].firstIndex(where: { $0 == indent + "}" })
      else { return nil }
      return Function(name: name, start: index + 1, lines: end - index + 1)
    }
  }

  /// The indentation and name of the function that begins on this line.
  private static func opening(
    _ line: Substring, isSwift: Bool
  ) -> (indent: String, name: String)? {
    if isSwift {
      let start = /^(\s*)(?:@?[\w()]+\s+)*(?:func\s+(\S+?)\s*[<(]|(init)[?(<]|(subscript)\b)/
      return line.firstMatch(of: start).map { match in
        (String(match.1), String(match.2 ?? match.3 ?? match.4 ?? ""))
      }
    }
    return line.firstMatch(of: /^(?:[\w*]+\s+\**)+(\w+)\(/).map { ("", String($0.1)) }
  }

  private static func findings(
    _ file: SourceFile, _ rule: (Substring) -> String?
  ) -> [String] {
    file.lines.enumerated().compactMap { index, line in
      rule(line).map { "\(file.path):\(index + 1): \($0)" }
    }
  }
}

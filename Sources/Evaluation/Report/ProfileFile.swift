import Foundation
import Packing
import Profiles

/// A profile that a result is written into.
package struct ProfileFile {
  /// Slots that the profile names; 0: those the model was trained with.
  package let contextTokens: Int

  private let path: String
  private let text: String

  /// Reads the profile in a file; what is wrong with it is named with its line.
  package init(path: String) throws(EvaluationError) {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else { throw .missing(path) }
    guard let data = FileManager.default.contents(atPath: path),
      let text = String(data: data, encoding: .utf8)
    else { throw .unreadable(path) }
    self.text = text
    contextTokens = try Self.parse(text, path).contextTokens
  }

  private static func parse(_ text: String, _ path: String) throws(EvaluationError) -> Profile {
    let bytes = Array(text.utf8)
    do throws(ProfileError) {
      return try Profile.parse(bytes.rawSpan)
    } catch {
      throw .badProfile(path, line: error.line)
    }
  }

  /// The text with `key` set to a number: in its line where there is one, else in a line of its own
  /// at the end; nothing else changes.
  package static func setting(_ key: String, to value: Int, in text: String) -> String {
    // By bytes: a carriage return and a line feed are one character.
    var lines = text.utf8.split(separator: 10, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
    let ending = lines[0].last == "\r" ? "\r" : ""
    let place = lines.firstIndex { line in
      let words = line.split(separator: "=", maxSplits: 1)
      return words.count == 2 && words[0].trimmingCharacters(in: .whitespaces) == key
    }
    if let place {
      // The key's values have no number sign in them: what follows one is a comment.
      let comment = lines[place].firstIndex(of: "#").map { "  " + lines[place][$0...] }
      lines[place] = "\(key) = \(value)\(comment ?? ending)"
    } else if lines.last?.isEmpty == true {
      lines.insert("\(key) = \(value)\(ending)", at: lines.count - 1)
    } else {
      lines += ["\(key) = \(value)\(ending)", ""]
    }
    return lines.joined(separator: "\n")
  }

  /// Writes the profile with `key` set to a number, beside its place, and renames it.
  package func set(_ key: String, to value: Int) throws(EvaluationError) {
    let changed = Self.setting(key, to: value, in: text)
    _ = try Self.parse(changed, path)
    try OutputFiles.write(changed, to: path)
  }
}

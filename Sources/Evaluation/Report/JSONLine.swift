import Foundation

/// One JSON object on one line, its members in the order they come.
struct JSONLine {
  private var members: [String] = []

  /// The object.
  var text: String { "{" + members.joined(separator: ", ") + "}" }

  mutating func add(_ name: String, _ value: Int) {
    members.append("\"\(name)\": \(value)")
  }

  /// Adds a number rounded to `decimals` places; what is not finite becomes null.
  mutating func add(_ name: String, _ value: Double, decimals: Int) {
    let unit = pow(10, Double(decimals))
    let rounded = (value * unit).rounded(.toNearestOrEven) / unit
    members.append("\"\(name)\": " + (rounded.isFinite ? "\(rounded)" : "null"))
  }

  mutating func add(_ name: String, _ value: String) {
    members.append("\"\(name)\": \(Self.quoted(value))")
  }

  /// `text` as a JSON string in ASCII.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for unit in text.utf16 {
      switch unit {
      case 34: quoted += "\\\""
      case 92: quoted += "\\\\"
      case 10: quoted += "\\n"
      case 13: quoted += "\\r"
      case 9: quoted += "\\t"
      case 32..<127: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default: quoted += String(format: "\\u%04x", Int(unit))
      }
    }
    return quoted + "\""
  }
}

import Foundation

/// A drawing in SVG under construction: shapes and text in units of a pixel.
struct Drawing {
  private var elements: [String] = []
  private let width: Double
  private let height: Double
  private let title: String

  /// Text sizes.
  enum Size {
    static let title = 16.0
    static let heading = 12.0
    static let label = 10.0
    static let cell = 8.5
  }

  /// Which part of a text lies at its place.
  enum Anchor: String {
    case start, middle, end
  }

  /// An empty drawing on white; `title` is what a screen reader says.
  init(width: Double, height: Double, title: String) {
    self.width = width
    self.height = height
    self.title = title
  }

  /// The whole document.
  var text: String {
    let (wide, high) = (Self.number(width), Self.number(height))
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(wide)" height="\(high)" \
      viewBox="0 0 \(wide) \(high)" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" \
      role="img">
      <title>\(Self.escaped(title))</title>
      <rect width="\(wide)" height="\(high)" fill="#ffffff"/>

      """ + elements.joined(separator: "\n") + "\n</svg>\n"
  }

  mutating func rectangle(
    x: Double, y: Double, width: Double, height: Double, fill: String, stroke: String? = nil
  ) {
    elements.append(
      "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" "
        + "height=\"\(Self.number(height))\" fill=\"\(fill)\""
        + (stroke.map { " stroke=\"\($0)\"" } ?? "") + "/>")
  }

  mutating func text(
    _ text: String, x: Double, y: Double, size: Double = Size.label, anchor: Anchor = .start,
    fill: String = "#222222", isBold: Bool = false, isVertical: Bool = false
  ) {
    let place = "x=\"\(Self.number(x))\" y=\"\(Self.number(y))\""
    elements.append(
      "<text \(place) font-size=\"\(Self.number(size))\" text-anchor=\"\(anchor.rawValue)\" "
        + "fill=\"\(fill)\"" + (isBold ? " font-weight=\"bold\"" : "")
        + (isVertical ? " transform=\"rotate(-90 \(Self.number(x)) \(Self.number(y)))\"" : "")
        + ">\(Self.escaped(text))</text>")
  }

  /// A line through `points`; `dashes` as in SVG, empty for a solid one.
  mutating func line(
    _ points: [(x: Double, y: Double)], stroke: String, width: Double = 1, dashes: String = ""
  ) {
    let path = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
    elements.append(
      "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(stroke)\" "
        + "stroke-width=\"\(Self.number(width))\" stroke-linejoin=\"round\""
        + (dashes.isEmpty ? "" : " stroke-dasharray=\"\(dashes)\"") + "/>")
  }

  mutating func polygon(_ points: [(x: Double, y: Double)], fill: String) {
    let path = points.map { "\(Self.number($0.x)),\(Self.number($0.y))" }.joined(separator: " ")
    elements.append("<polygon points=\"\(path)\" fill=\"\(fill)\" stroke=\"#ffffff\"/>")
  }

  mutating func circle(x: Double, y: Double, radius: Double, fill: String) {
    elements.append(
      "<circle cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" "
        + "r=\"\(Self.number(radius))\" fill=\"\(fill)\" stroke=\"#ffffff\"/>")
  }

  /// At most two decimals, none where they are zero: the same text for the same picture.
  static func number(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
    let sign = hundredths < 0 ? "-" : ""
    if rest == 0 { return "\(sign)\(whole)" }
    return "\(sign)\(whole)."
      + (rest % 10 == 0 ? "\(rest / 10)" : rest < 10 ? "0\(rest)" : "\(rest)")
  }

  /// Text as XML.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      default: if scalar.value >= 32 || scalar == "\n" { escaped.unicodeScalars.append(scalar) }
      }
    }
    return escaped
  }
}

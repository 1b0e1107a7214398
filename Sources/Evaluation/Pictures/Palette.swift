import Foundation

/// Colours that people with any colour vision tell apart.
enum Palette {
  /// A share from 0 to 1 on the scale cividis, dark blue to yellow.
  ///
  /// Source: Nuñez et al., Optimizing colormaps with consideration for color vision deficiency;
  /// between five of its colours the others are interpolated.
  static func shade(_ share: Double) -> String {
    let stops: [(Double, Double, Double)] = [
      (0, 34, 78), (67, 78, 108), (125, 124, 120), (188, 175, 111), (254, 232, 56),
    ]
    let place = min(max(share, 0), 1) * Double(stops.count - 1)
    let lower = min(Int(place), stops.count - 2)
    let part = place - Double(lower)
    func mixed(_ a: Double, _ b: Double) -> Int { Int((a + (b - a) * part).rounded()) }
    return String(
      format: "#%02x%02x%02x", mixed(stops[lower].0, stops[lower + 1].0),
      mixed(stops[lower].1, stops[lower + 1].1), mixed(stops[lower].2, stops[lower + 1].2))
  }

  /// What is readable on `shade(share)`.
  static func ink(on share: Double) -> String { share < 0.55 ? "#ffffff" : "#111111" }

  /// How the line of a policy looks: colour, dashes and marker all differ.
  struct LineStyle: Equatable {
    var color: String
    var dashes: String
    var marker: Int
  }

  /// Shapes of markers.
  static let markers = 4

  /// The style of line `index`; 24 of them differ.
  ///
  /// Source of the colours: Okabe and Ito, Color Universal Design; without yellow, which is too
  /// pale on white, and black, which is the full cache's.
  static func line(_ index: Int) -> LineStyle {
    let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
    let dashes = ["", "7 3", "2 2.5", "9 3 2 3"]
    return LineStyle(
      color: colors[index % colors.count], dashes: dashes[index / colors.count % dashes.count],
      marker: index % markers)
  }
}

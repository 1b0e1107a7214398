/// The steps in which shares are shown: none, quarters, all.
enum ShadeScale {
  /// Number of steps.
  static let count = 6

  /// The step of a share: 0 is none, 5 is all.
  static func step(_ share: Double) -> Int {
    if share <= 0 { return 0 }
    if share >= 1 { return 5 }
    return 1 + min(Int(share * 4), 3)
  }

  /// What a step says.
  static let names = ["none", "below 25 %", "25 to 49 %", "50 to 74 %", "75 to 99 %", "all"]

  /// The background of a step on a page with light or dark colours; one hue, so that lightness
  /// alone tells.
  static let light = ["transparent", "#e3eefa", "#c3dbf3", "#98c3ea", "#65a5dc", "#2f83c8"]
  static let dark = ["transparent", "#16283a", "#1c3d5c", "#23557f", "#2b70a8", "#3d94d8"]

  /// The same among the 256 colours of a terminal, all with black text.
  static let terminal = [0, 195, 153, 117, 75, 39]
}

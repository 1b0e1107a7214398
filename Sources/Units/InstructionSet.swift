/// A family of kernels; all give the same bits.
package enum InstructionSet: Int, NamedChoice {
  case portable = 0
  case avx2 = 1
  case avxvnni = 2
  case avx512vnni = 3
  case neon = 4
  case dotprod = 5
  case i8mm = 6

  package static var count: Int { 7 }

  package var name: StaticString {
    switch self {
    case .portable: "portable"
    case .avx2: "avx2"
    case .avxvnni: "avxvnni"
    case .avx512vnni: "avx512vnni"
    case .neon: "neon"
    case .dotprod: "dotprod"
    case .i8mm: "i8mm"
    }
  }

  /// All sets, one that has everything another has before that one.
  package static var highestFirst: InlineArray<7, InstructionSet> {
    [.i8mm, .dotprod, .neon, .avx512vnni, .avxvnni, .avx2, .portable]
  }
}

/// How keys or values of the cache are stored.
package enum CacheFormat: Int, NamedChoice {
  /// Signed −127 … 127 with a half-precision scale.
  case int8 = 0
  /// Nibbles that mean −8 … 7 with a signed half-precision scale, after a Walsh–Hadamard rotation.
  case int4 = 1

  package static var count: Int { 2 }

  package var name: StaticString {
    switch self {
    case .int8: "int8"
    case .int4: "int4"
    }
  }
}

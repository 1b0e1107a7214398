/// Which program this is: shown by `--version`, after each launch and by `bench`.
///
/// A constant, and no commit: the same sources give the same program, with or without a repository.
package enum Version {
  /// Major, minor, patch.
  package static var text: StaticString { "0.5.0" }

  /// The same as one number that grows: two digits for each part.
  package static var number: Int { 500 }
}

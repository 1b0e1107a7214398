/// The exit codes of every command; scripts rely on them.
package enum ExitCode: Int32 {
  case success = 0
  case usage = 64
  case badFile = 65
  case missingInput = 66
  case internalError = 70
  case cannotWrite = 73
  case doesNotFit = 78
  case interrupted = 130
}

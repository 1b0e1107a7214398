internal import ArgumentParser
internal import Foundation
internal import Packing
internal import Synchronization
internal import Tokenization

/// `terrarium pack`: turns a GGUF file into a pack file.
struct PackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack",
    abstract: "Turn a GGUF file into a pack file, which loads as it is.",
    discussion: """
      Reads GGUF version 2 and 3 of the architectures llama, qwen2 and qwen3. Without options each \
      matrix gets the bits that keep about what it holds: four where the source has four, otherwise \
      eight. Q8_0 and Q4_0 are kept exactly. The output appears when it is complete.
      """)

  @Argument(help: "The GGUF file.")
  var model: String

  @Option(name: .shortAndLong, help: "The pack file to write. (default: the model's name, .terra)")
  var output: String?

  @Option(help: "Bits of all weights but the embedding and the output matrix: int8 or int4.")
  var weights: WeightBits?

  @Option(help: "Bits of the embedding and the output matrix: int8 or int4.")
  var embedding: WeightBits?

  @Flag(help: "Replace the output where it exists.")
  var force = false

  /// Where the pack goes.
  private var outputPath: String {
    output ?? URL(fileURLWithPath: model).deletingPathExtension().path + ".terra"
  }

  func run() throws {
    interrupted.install()
    var bar = ProgressBar()
    do throws(PackingError) {
      let report = try Packer.pack(
        input: model, output: outputPath,
        options: PackOptions(weights: weights, embedding: embedding), replacing: force
      ) { done, total in
        bar.show(done: done, total: total)
        return !interrupted.isSet
      }
      bar.clear()
      print(PackTable.text(report))
      if report.chatTemplate == .unrecognised {
        print("no chat template that is known: give the prefix and suffix of messages to run")
      }
      print("\(outputPath): \(PackTable.grouped(report.fileBytes)) bytes")
    } catch {
      bar.clear()
      let place = error.concernsOutput ? "" : model + ": "
      FileHandle.standardError.write(Data("terrarium pack: \(place)\(error)\n".utf8))
      throw ExitCode(error.exitCode)
    }
  }
}

extension WeightBits: ExpressibleByArgument {}

/// Whether the user has asked to stop.
private let interrupted = InterruptFlag()

/// A flag that Ctrl-C sets; a second Ctrl-C kills.
private final class InterruptFlag: Sendable {
  private let flag = Atomic<Bool>(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }

  func install() {
    // The handler only stores an atomic and restores the default action, both of which signal
    // handlers may do.
    _ = signal(SIGINT) { _ in
      interrupted.flag.store(true, ordering: .relaxed)
      _ = signal(SIGINT, SIG_DFL)
    }
  }
}

/// A line on a terminal's standard error that grows; silent elsewhere.
private struct ProgressBar {
  private let isShown = isatty(STDERR_FILENO) == 1
  private var percent = -1
  private static let width = 40

  mutating func show(done: UInt64, total: UInt64) {
    let now = Int(done * 100 / max(total, 1))
    guard isShown && now != percent else { return }
    percent = now
    let filled = now * Self.width / 100
    let bar =
      String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
    let megabytes = "\(done >> 20) of \(total >> 20) MiB"
    FileHandle.standardError.write(Data("\r\(bar) \(now) %  \(megabytes)".utf8))
  }

  func clear() {
    guard isShown && percent >= 0 else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
  }
}

import Foundation

/// A sealed child of this program that runs one configuration, as its parent sees it.
final class ChildProcess {
  private let process = Process()
  private let requests = Pipe()
  private let answers = Pipe()

  /// Rows of logits that the child has recorded so far.
  private(set) var recordedRows = 0

  /// The case the child works on; an index into the cases at hand.
  var job: Int?

  /// Starts `program` with `words`; what it says goes where this process's messages go.
  init(program: URL, words: [String]) throws(EvaluationError) {
    process.executableURL = program
    process.arguments = words
    process.standardInput = requests
    process.standardOutput = answers
    do { try process.run() } catch { throw .childNotStarted("\(error)") }
    // The child has its own ends; with these open it would never see the end of its input.
    try? requests.fileHandleForReading.close()
    try? answers.fileHandleForWriting.close()
  }

  /// What the parent waits on for an answer.
  var answerDescriptor: Int32 { answers.fileHandleForReading.fileDescriptor }

  /// Sends a request.
  func send(_ words: [Int32]) throws(EvaluationError) {
    // SAFETY: the bytes are copied inside the closure.
    let bytes = unsafe words.withUnsafeBytes { unsafe Data($0) }
    do { try requests.fileHandleForWriting.write(contentsOf: bytes) } catch {
      throw failure()
    }
  }

  /// Receives the answer to the last request.
  func receive() throws(EvaluationError) -> CaseAnswer {
    let header = try words(CaseFrame.Answer.count)
    guard header[CaseFrame.Answer.magic] == CaseFrame.magic else { throw .badAnswer }
    let count = Int(header[CaseFrame.Answer.replyTokens])
    guard count >= 0 && count < 1 << 24 else { throw .badAnswer }
    let answer = CaseAnswer(header, reply: try words(count))
    guard answer.allocations == 0 else { throw .childAllocated(answer.allocations) }
    recordedRows += answer.rows
    return answer
  }

  /// Ends the requests and waits for the child to end well.
  func finish() throws(EvaluationError) {
    try? requests.fileHandleForWriting.close()
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw failure()
    }
  }

  /// Ends the child now, whatever it does.
  func stop() {
    guard process.isRunning else { return }
    process.terminate()
    process.waitUntilExit()
  }

  private func words(_ count: Int) throws(EvaluationError) -> [Int32] {
    var bytes = Data()
    while bytes.count < 4 * count {
      let missing = 4 * count - bytes.count
      guard let piece = try? answers.fileHandleForReading.read(upToCount: missing), !piece.isEmpty
      else { throw failure() }
      bytes += piece
    }
    return (0..<count).map { index in
      (0..<4).reduce(Int32(0)) { word, place in
        word | Int32(bitPattern: UInt32(bytes[4 * index + place]) &<< UInt32(8 * place))
      }
    }
  }

  /// How the child ended, once its pipes have closed.
  private func failure() -> EvaluationError {
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus != 0 else {
      return .childFailed(status: 70)
    }
    return process.terminationStatus == 130
      ? .interrupted : .childFailed(status: process.terminationStatus)
  }
}

extension ChildProcess {
  /// Deals jobs out to children, one at a time to each, and hears each answer with the place of the
  /// child in the list.
  static func answer(
    _ jobs: [Int], by children: [ChildProcess], _ isInterrupted: () -> Bool,
    request: (_ job: Int) -> [Int32],
    _ take: (_ job: Int, _ child: Int, CaseAnswer) throws(EvaluationError) -> Void
  ) throws(EvaluationError) {
    var waiting = jobs[...]
    func give(_ child: ChildProcess) throws(EvaluationError) {
      child.job = waiting.popFirst()
      if let job = child.job { try child.send(request(job)) }
    }
    for child in children { try give(child) }
    while children.contains(where: { $0.job != nil }) {
      for index in try ready(children, isInterrupted) {
        guard let job = children[index].job else { continue }
        try take(job, index, try children[index].receive())
        try give(children[index])
      }
    }
  }

  /// Waits until at least one child answers; the children that do.
  private static func ready(
    _ children: [ChildProcess], _ isInterrupted: () -> Bool
  ) throws(EvaluationError) -> [Int] {
    let busy = children.indices.filter { children[$0].job != nil }
    var requests = busy.map {
      pollfd(fd: children[$0].answerDescriptor, events: Int16(POLLIN), revents: 0)
    }
    while true {
      if isInterrupted() { throw .interrupted }
      // SAFETY: the call reads and writes the array's elements only.
      let count = unsafe requests.withUnsafeMutableBufferPointer { buffer in
        unsafe poll(buffer.baseAddress, nfds_t(buffer.count), 1000)
      }
      if count > 0 { break }
    }
    return zip(busy, requests).filter { $0.1.revents != 0 }.map(\.0)
  }
}

/// What a child says about a case.
struct CaseAnswer {
  let reply: [Int32]
  let peakSlots: Int
  let rows: Int
  let tokens: Int
  let markedTokens: Int
  let comparedTokens: Int
  let allocations: Int
  let nll: Double
  let markedNLL: Double
  let divergence: Double

  init(_ header: [Int32], reply: [Int32]) {
    typealias Answer = CaseFrame.Answer
    func double(_ index: Int) -> Double {
      Double(bitPattern: CaseFrame.whole(header[index], header[index + 1]))
    }
    self.reply = reply
    peakSlots = Int(header[Answer.peakSlots])
    rows = Int(header[Answer.rows])
    tokens = Int(header[Answer.tokens])
    markedTokens = Int(header[Answer.markedTokens])
    comparedTokens = Int(header[Answer.comparedTokens])
    allocations = Int(header[Answer.allocations])
    nll = double(Answer.nll)
    markedNLL = double(Answer.markedNLL)
    divergence = double(Answer.divergence)
  }
}

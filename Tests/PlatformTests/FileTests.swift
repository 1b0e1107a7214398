import Commands
import Foundation
import Platform
import TestSupport
import Testing
import Units

@Suite struct FileTests {
  @Test func readsWhatWasWritten() throws {
    try withTemporaryFolder { folder in
      let path = cString(folder.appending(path: "file").path)
      let output = try Linux.create(path)
      try Linux.write("zero one two", to: output)
      try Linux.write("", to: output)
      Linux.close(output)

      let input = try Linux.open(path)
      #expect(try Linux.byteCount(of: input) == 12)
      let front = memory(5, of: UInt8.self)
      #expect(try Linux.read(input, into: front) == 5)
      #expect(front.string == "zero ")
      let back = memory(8, of: UInt8.self)
      Linux.advise(input, .sequential, 0..<12)
      #expect(try Linux.read(input, at: 9, into: back) == 3)
      #expect(back.extracting(0..<3).string == "two")
      #expect(try Linux.read(input, at: 12, into: back) == 0)
      Linux.advise(input, .finished, 0..<12)
      Linux.close(input)
    }
  }

  @Test func publishesByRename() throws {
    try withTemporaryFolder { folder in
      let path = cString(folder.appending(path: "result").path)
      let partial = cString(folder.appending(path: "result.partial").path)
      Linux.close(try Linux.create(path))
      let output = try Linux.create(partial)
      try Linux.write("A", to: output)
      Linux.close(output)
      try Linux.rename(partial, to: path)
      let input = try Linux.open(path)
      #expect(try Linux.byteCount(of: input) == 1)
      Linux.close(input)
      #expect(throws: HostError.missing) { try Linux.open(partial) }
      try Linux.remove(path)
      try Linux.remove(path)
      #expect(throws: HostError.missing) { try Linux.open(path) }
    }
  }

  @Test func namesWhatIsWrong() throws {
    try withTemporaryFolder { folder in
      let missing = cString(folder.appending(path: "none/file").path)
      #expect(throws: HostError.missing) { try Linux.open(missing) }
      #expect(throws: HostError.missing) { try Linux.create(missing) }
      #expect(throws: HostError.notRegular) { try Linux.create(cString(folder.path)) }
      let directory = try Linux.open(cString(folder.path))
      #expect(throws: HostError.notRegular) { try Linux.byteCount(of: directory) }
      #expect(throws: HostError.notRegular) { try Linux.read(directory, into: memory(8)) }
      Linux.close(directory)
      let long = cString(String(repeating: "n", count: 300))
      #expect(throws: HostError.nameTooLong) { try Linux.open(long) }
      #expect(throws: HostError.noSpace) {
        try Linux.write("A", to: try Linux.create(cString("/dev/full")))
      }
      #expect(throws: HostError.system(9)) {
        try Linux.read(FileHandle(number: 9999), into: memory(8))
      }
    }
  }

  @Test func aClosedPipeIsAnError() async {
    await #expect(processExitsWith: .exitCode(0)) {
      Linux.prepare()
      var ends: (Int32, Int32) = (0, 0)
      let result = unsafe withUnsafeMutableBytes(of: &ends) {
        unsafe pipe($0.bindMemory(to: Int32.self).baseAddress!)
      }
      precondition(result == 0)
      close(ends.0)
      do throws(HostError) {
        try Linux.write("A", to: FileHandle(number: ends.1))
      } catch {
        Linux.exit(error == HostError.closedPipe ? 0 : 1)
      }
      Linux.exit(2)
    }
  }

  @Test func knowsItsOwnPath() throws {
    let path = try Linux.executablePath(into: memory(4096))
    #expect(FileManager.default.isExecutableFile(atPath: path.text.string))
    #expect(throws: HostError.nameTooLong) { try Linux.executablePath(into: memory(3)) }
  }

  @Test func errorNumbersHaveNames() {
    let expected: [(Int, HostError)] = [
      (2, .missing), (20, .missing), (13, .notPermitted), (1, .notPermitted), (30, .notPermitted),
      (4, .interrupted), (11, .notLocked), (12, .noMemory), (21, .notRegular), (22, .notRegular),
      (27, .noSpace),
      (28, .noSpace), (122, .noSpace), (32, .closedPipe), (36, .nameTooLong), (5, .system(5)),
    ]
    for (number, error) in expected { #expect(HostError(systemError: -number) == error) }
  }
}

@Suite struct CStringTests {
  @Test func endsAtTheZero() throws {
    let bytes = memory(4, of: UInt8.self)
    bytes[0] = 97
    bytes[1] = 98
    #expect(CString(terminated: bytes) == nil)
    let text = try #require(CString(terminated: bytes.extracting(0..<3)))
    #expect(text.text.string == "ab")
    #expect(CString(terminated: bytes.extracting(0..<2)) == nil)
    #expect(CString(terminated: bytes.extracting(0..<0)) == nil)
  }

  @Test func argumentsAreWords() {
    var words: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("program"), strdup("run"), nil]
    unsafe words.withUnsafeMutableBufferPointer { buffer in
      let arguments = unsafe Arguments(unsafeCount: 2, unsafeStart: buffer.baseAddress!)
      #expect(arguments.count == 2)
      #expect(arguments[0].text.string == "program" && arguments[1].text.string == "run")
    }
  }
}

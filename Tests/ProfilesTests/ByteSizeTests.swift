import Profiles
import Testing
import Units

func size(_ text: String) -> Result<Int, ByteSizeError> {
  do throws(ByteSizeError) {
    // SAFETY: bytes have no padding.
    return .success(try unsafe ByteSize.parse(Array(text.utf8).span.bytes))
  } catch {
    return .failure(error)
  }
}

@Suite struct ByteSizeTests {
  @Test(arguments: [
    ("0 B", 0), ("1 B", 1), ("4096 B", 4096), ("64 KiB", 65_536), ("64KiB", 65_536),
    ("640 MiB", 671_088_640), ("1.5 GiB", 1_610_612_736), ("2 TiB", 2_199_023_255_552),
    ("1 kB", 1000), ("1 KB", 1000), ("250 MB", 250_000_000), ("1 GB", 1_000_000_000),
    ("1.000001 TB", 1_000_001_000_000), ("0.5 KiB", 512), ("0.3 KiB", 307), ("1.9 B", 1),
    ("007 B", 7), ("1152921504606846975 B", 1_152_921_504_606_846_975),
    ("0.999999 TiB", 1_099_510_528_264), ("1048575 TiB", 1_152_920_405_095_219_200),
  ])
  func `sizes are exact`(text: String, bytes: Int) {
    #expect(size(text) == .success(bytes))
  }

  @Test(arguments: [
    ("", ByteSizeError.noNumber), ("MiB", .noNumber), (".5 MiB", .noNumber), ("1. MiB", .noNumber),
    ("-1 MiB", .noNumber), (" 1 MiB", .noNumber), ("640", .noUnit), ("640 ", .noUnit),
    ("1.5", .noUnit), ("640 mib", .unknownUnit), ("640  MiB", .unknownUnit),
    ("640 MiB ", .unknownUnit), ("640 MiBs", .unknownUnit), ("1,5 GiB", .unknownUnit),
    ("1e3 B", .unknownUnit), ("1_000 B", .unknownUnit), ("1 K", .unknownUnit),
    ("1.0000000 MiB", .fractionTooLong), ("1048576 TiB", .tooLarge),
    ("1152921504606846976 B", .tooLarge), ("99999999999999999999999999 B", .tooLarge),
    ("0.99999999999999999999999999 B", .fractionTooLong),
    ("999999999999999999 TiB", .tooLarge),
  ])
  func `what is no size is named`(text: String, error: ByteSizeError) {
    #expect(size(text) == .failure(error))
  }

  @Test(arguments: [
    (0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1536 B"),
    (671_088_640, "640 MiB"), (4 << 30, "4 GiB"), (3 << 40, "3 TiB"),
  ])
  func `a size is written with the largest unit that divides it`(bytes: Int, expected: String) {
    var text = textBuffer()
    ByteSize.write(bytes, to: &text)
    #expect(string(text) == expected)
    #expect(size(expected) == .success(bytes))
  }
}

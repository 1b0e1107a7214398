"""Writes Sources/CUnicode/unicode_class.c from the tables of llama.cpp.

usage: generate_unicode_class.py llama.cpp/src/unicode-data.cpp > unicode_class.c
"""

import re
import sys

PAIR = re.compile(r"\{(0x[0-9A-Fa-f]+),\s*(0x[0-9A-Fa-f]+)\}")


def block(source, name):
    start = source.index("{", source.index("=", source.index(name)))
    return source[start:source.index("};", start)]


def main():
    source = open(sys.argv[1]).read()
    flags = [(int(a, 16), int(b, 16))
             for a, b in PAIR.findall(block(source, "unicode_ranges_flags"))]
    spaces = [int(value, 16) for value in re.findall(
        r"(0x[0-9A-Fa-f]+),", block(source, "unicode_set_whitespace"))]
    classes = bytearray(0x110000)
    for (start, bits), (end, _) in zip(flags, flags[1:]):
        kind = 1 if bits & 4 else 2 if bits & 2 else 3 if bits & 0x20 else 0
        classes[start:end] = bytes([kind]) * (end - start)
    for value in spaces:
        classes[value] = 4
    print('#include "CUnicode.h"\n')
    print("// Each entry is the first code point of a run times 8, plus the class of the run.")
    print("// Made by Tests/TokenizationTests/Fixtures/generate_unicode_class.py.")
    print("static const uint32_t runs[] = {")
    line = "   "
    for value in range(0x110000):
        if value and classes[value] == classes[value - 1]:
            continue
        entry = f" 0x{value * 8 + classes[value]:X},"
        if len(line) + len(entry) > 100:
            print(line)
            line = "   "
        line += entry
    print(line)
    print("};\n")
    print("""uint8_t unicode_class(uint32_t code_point) {
  if (code_point > 0x10FFFF) return 0;
  uint32_t lower = 0;
  uint32_t upper = sizeof(runs) / sizeof(runs[0]);
  while (upper - lower > 1) {
    uint32_t middle = (lower + upper) / 2;
    if (runs[middle] >> 3 <= code_point) {
      lower = middle;
    } else {
      upper = middle;
    }
  }
  return runs[lower] & 7;
}""")


if __name__ == "__main__":
    main()

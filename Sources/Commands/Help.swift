import Units

/// The help text of a command, made from the option table.
enum Help {
  /// Appends the help of `verb`.
  static func write(_ verb: Verb, to text: inout TextBuffer) {
    text.append("usage: terrarium ")
    text.append(verb.name)
    switch verb {
    case .plan:
      text.append(" MODEL [options]\n\n")
      text.append("Prints every byte a run would need, from the file's header alone.\n")
    case .run:
      text.append(" [MODEL] [options]\n\n")
      text.append("Reads a document (--file) and an instruction (--prompt), prints the reply.\n")
      text.append("Without MODEL the hosted program runs its small built-in model.\n")
    case .logits:
      text.append(" MODEL --ids FILE -o OUT [options]\n\n")
      text.append("Runs token ids teacher-forced, writes the logits, prints their SHA-256.\n")
    }
    text.append("\noptions:\n")
    for raw in 0..<Option.count {
      guard let option = Option(rawValue: raw) else { continue }
      let spelling = OptionSpelling.of(option)
      if spelling.belongs(to: verb) { write(spelling, to: &text) }
    }
    text.append("\nexit codes: 0 done, 64 usage, 65 bad file, 66 missing input, 70 our bug,\n")
    text.append("73 cannot write, 78 does not fit or bad profile, 130 interrupted\n")
  }

  private static func write(_ spelling: OptionSpelling, to text: inout TextBuffer) {
    let start = text.count
    text.append("  ")
    text.append(spelling.long)
    if spelling.takesValue {
      text.append(" ")
      text.append(spelling.value)
    }
    text.pad(max(26 - (text.count - start), 2))
    spelling.writeHelp(to: &text)
    if spelling.aliases.utf8CodeUnitCount > 0 {
      text.append(" [")
      text.append(spelling.aliases)
      text.append("]")
    }
    text.append("\n")
  }
}

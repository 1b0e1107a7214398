package import Inference
package import Profiles
import Units

/// The profile of a run, and what the command line changes in it.
package enum Settings<System: Host> {
  /// Reads the profile that `options` name (or the default) and applies their changes.
  package static func resolve(
    _ options: Options, in memory: PlanningMemory
  ) throws(Failure) -> Profile {
    var profile = Profile.default
    if let name = options.text(.profile) { profile = try read(name, in: memory) }
    try apply(options, to: &profile)
    try tune(options, &profile)
    place(&profile, in: memory)
    return profile
  }

  /// Decides how many threads there are and where they run, where the profile does not say.
  private static func place(_ profile: inout Profile, in memory: PlanningMemory) {
    if profile.processors.isEmpty {
      let survey = ProcessorSurvey<System>(in: memory)
      if profile.threads == 0 { profile.threads = min(survey.bigCores, threadsMax) }
      profile.processors = survey.processors(for: profile.threads)
      profile.sharesProcessors = true
    } else if profile.threads == 0 {
      profile.threads = min(profile.processors.count, threadsMax)
    }
  }

  /// How the next token is chosen.
  package static func sampler(_ options: Options) throws(Failure) -> SamplerSettings {
    var settings = SamplerSettings()
    do throws(UsageError) {
      if let value = try options.fraction(.temperature, in: 0...100) {
        settings.temperature = value
      }
      if let value = try options.integer(.topK, in: 0...contextMax) { settings.topK = value }
      if let value = try options.fraction(.topP, in: 0...1) { settings.topP = value }
      if let value = try options.fraction(.minP, in: 0...1) { settings.minP = value }
      if let value = try options.fraction(.repeatPenalty, in: 0.01...100) {
        settings.repeatPenalty = value
      }
      if let value = try options.integer(.seed, in: 0...Int.max) {
        settings.seed = UInt64(value)
      }
    } catch {
      throw .usage(error)
    }
    return settings
  }

  /// More threads than this are never started by default.
  private static var threadsMax: Int { 64 }

  private static func read(_ name: Text, in memory: PlanningMemory) throws(Failure) -> Profile {
    let isPath = name.firstIndex(of: 47) != nil || name.hasSuffix(Text(".toml"))
    var file: FileHandle?
    if !isPath {
      file =
        FileSearch<System>.open(
          folder: "Profiles", name: name, suffix: ".toml", in: memory)?.file
    }
    if file == nil {
      var builder = PathBuilder(memory.paths)
      builder.append(name)
      guard let path = builder.finish() else { throw .unknownProfile(name) }
      do {
        file = try System.open(path)
      } catch {
        if error == .missing && !isPath { throw .unknownProfile(name) }
        throw .host(error, .reading, name)
      }
    }
    guard let file else { throw .unknownProfile(name) }
    defer { System.close(file) }
    let count: Int
    do {
      count = try System.read(file, at: 0, into: memory.profile)
    } catch {
      throw .host(error, .reading, name)
    }
    do {
      return try Profile.parse(memory.profile.extracting(0..<count).bytes)
    } catch {
      throw .profile(error, file: name)
    }
  }

  /// Changes single keys of the profile.
  private static func tune(_ options: Options, _ profile: inout Profile) throws(Failure) {
    for index in 0..<options.tuneCount {
      let text = options.tunes[index]
      guard let equals = text.firstIndex(of: 61),
        let key = ProfileKey(named: text.extracting(0..<equals).bytes)
      else { throw .usage(.badValue(text, option: .tune)) }
      do throws(ProfileError) {
        try profile.override(key, with: text.extracting(equals + 1..<text.count).bytes)
      } catch {
        throw .profile(error, file: .empty)
      }
    }
  }

  private static func apply(_ options: Options, to profile: inout Profile) throws(Failure) {
    do throws(UsageError) {
      if let context = try options.integer(.context, in: 0...contextMax) {
        profile.contextTokens = context
      }
      if let threads = try options.integer(.threads, in: 1...256) { profile.threads = threads }
      if let chunk = try options.integer(.chunk, in: 1...512) { profile.tileTokens = chunk }
      if let tokens = try options.integer(.tokens, in: -1...contextMax) {
        profile.replyTokens = tokens < 0 ? Int.max : tokens
      }
      if let text = options.text(.keyValueFormat) {
        let comma = text.firstIndex(of: 44)
        let keys = text.extracting(0..<(comma ?? text.count))
        let values = comma.map { text.extracting($0 + 1..<text.count) } ?? keys
        profile.keyFormat = try format(keys, .keyValueFormat)
        profile.valueFormat = try format(values, .keyValueFormat)
      }
      if let text = options.text(.keyFormat) { profile.keyFormat = try format(text, .keyFormat) }
      if let text = options.text(.valueFormat) {
        profile.valueFormat = try format(text, .valueFormat)
      }
      if let text = options.text(.policy) {
        guard let policy = PolicyChoice(named: text.bytes) else {
          throw .badValue(text, option: .policy)
        }
        profile.policy = policy
      }
      if let slots = try options.integer(.budget, in: 0...contextMax) {
        profile.contextTokens = slots
        let isNamed = options.text(.policy) != nil || profile.policy != .full
        if !isNamed { profile.policy = .forBudgets }
      }
      if let tokens = try options.integer(.promptMax, in: 1...1 << 24) {
        profile.promptMaxTokens = tokens
      }
      if let text = options.text(.isa) {
        let set = InstructionSet(named: text.bytes)
        guard set != nil || text.equals("auto") else { throw .badValue(text, option: .isa) }
        profile.instructionSet = set
      }
    } catch {
      throw .usage(error)
    }
  }

  private static var contextMax: Int { 1 << 30 }

  /// `int8` or `int4`, also by the names llama.cpp has for them.
  private static func format(_ text: Text, _ option: Option) throws(UsageError) -> CacheFormat {
    if text.equals("q8_0") { return .int8 }
    if text.equals("q4_0") { return .int4 }
    guard let format = CacheFormat(named: text.bytes) else {
      throw .badValue(text, option: option)
    }
    return format
  }
}

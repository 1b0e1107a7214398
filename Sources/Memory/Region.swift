/// What the memory of a run is for: one line of the plan each.
package enum Region: Int {
  case weights
  case vectors
  case tokenizer
  case header
  case keys
  case values
  case positions
  case secondCache
  case policy
  case filter
  case activations
  case attention
  case logits
  case prompt
  case sampler
  case stacks
  case program

  /// Number of regions.
  package static var count: Int { Region.program.rawValue + 1 }

  /// The regions in the order of the plan; those before `stacks` and `stacks` itself lie in the arena.
  package static func at(_ index: Int) -> Region {
    guard let region = Region(rawValue: index) else { preconditionFailure("no such region") }
    return region
  }

  /// The name a plan prints.
  package var name: StaticString {
    switch self {
    case .weights: "weights"
    case .vectors: "norms and biases"
    case .tokenizer: "tokenizer"
    case .header: "file header"
    case .keys: "KV cache: keys"
    case .values: "KV cache: values"
    case .positions: "KV cache: positions"
    case .secondCache: "KV cache: second"
    case .policy: "eviction policy"
    case .filter: "prompt filter"
    case .activations: "activations"
    case .attention: "attention scratch"
    case .logits: "logits"
    case .prompt: "prompt and I/O"
    case .sampler: "sampler"
    case .stacks: "thread stacks"
    case .program: "program"
    }
  }

  /// The identifier in JSON.
  package var key: StaticString {
    switch self {
    case .weights: "weights"
    case .vectors: "vectors"
    case .tokenizer: "tokenizer"
    case .header: "header"
    case .keys: "kv_keys"
    case .values: "kv_values"
    case .positions: "kv_positions"
    case .secondCache: "kv_second"
    case .policy: "kv_policy"
    case .filter: "prompt_filter"
    case .activations: "activations"
    case .attention: "attention"
    case .logits: "logits"
    case .prompt: "prompt_io"
    case .sampler: "sampler"
    case .stacks: "stacks"
    case .program: "program"
    }
  }

  /// Why the bytes are needed.
  package var reason: StaticString {
    switch self {
    case .weights: "every matrix, in tiles of 16 or 32 rows, as the file holds it"
    case .vectors: "norms, biases, rotary turn fractions"
    case .tokenizer: "vocabulary, merges, chat template"
    case .header: "hyperparameters and tensor table"
    case .keys: "one key per layer, KV head and slot"
    case .values: "one value per layer, KV head and slot"
    case .positions: "stream position of every slot, per set that keeps its own tokens"
    case .secondCache: "which of the slots the instruction's own cache holds, and their scores"
    case .filter: "hidden states of the longest prompt, keys and values of one layer"
    case .policy: "scores of every slot, free slots, each thread's share"
    case .activations: "one prefill tile through one layer"
    case .attention: "scores and quantized probabilities"
    case .logits: "one row of the vocabulary, and what infinipot keeps of others"
    case .prompt: "input text, token ids, output text, tokenizer scratch"
    case .sampler: "candidates and repeat counts"
    case .stacks: "one per worker thread"
    case .program: "code, tables and the main thread's stack"
    }
  }
}

"""Small GGUF files with seeded random weights: every architecture, tensor type and shape that is read.

usage: models.py FOLDER [NAME ...]        (needs: pip install numpy gguf; without names, all)

Writes FOLDER/NAME.gguf, FOLDER/NAME-0.i32 ... NAME-3.i32 (token ids, int32 little-endian), and for the names with faults
FOLDER/NAME-FAULT.gguf: the same model with one thing wrong, which no bound may let pass. FOLDER/NAME-original.gguf,
where types are mixed as in Q4_K_M: the float32 weights that were quantized.
The same bytes on every machine: the weights come from integers and element-wise arithmetic alone.
"""
import os
import sys
import zlib
from dataclasses import dataclass, replace

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

VOCABULARY = 320
TEXTS, TOKENS = 4, 250          # independent texts: rounding early keys sways a whole text


@dataclass
class Shape:
    """One model. The gain scales the logits so that the mean top probability lies in 0.2 ... 0.8."""
    architecture: str
    dimension: int
    heads: int
    kv_heads: int
    head_dimension: int
    feed_forward: int
    type: str                       # of the matrices
    gain: float
    embedding: str = ""             # type of embedding and output layer, where it is another
    mixed: str = ""                 # type of attn_v and ffn_down, where it is another (Q4_K_M)
    tied: bool = True
    theta: float = 10000.0
    rope_factors: bool = False
    layers: int = 2
    tokenizer: str = "gpt2"
    faults: tuple = ()


MODELS = {
    "llama-f32-d8": Shape("llama", 64, 8, 1, 8, 172, "F32", 2.0, tied=False, tokenizer="llama",
                          faults=("pairing", "norm")),
    "qwen2-f16-d48": Shape("qwen2", 192, 4, 2, 48, 320, "F16", 0.8, theta=1e6,
                           faults=("pairing", "bias", "norm")),
    "qwen3-bf16-d128": Shape("qwen3", 160, 4, 1, 128, 320, "BF16", 0.8, theta=1e6,
                             faults=("pairing", "head-norm")),
    "llama3-q8-d64": Shape("llama", 192, 7, 1, 64, 320, "Q8_0", 0.8, tied=False, rope_factors=True,
                           faults=("pairing", "factors")),
    "llama-q40-d80": Shape("llama", 192, 4, 4, 80, 320, "Q4_0", 0.8, embedding="Q8_0",
                           tokenizer="llama"),
    "qwen2-q41-d96": Shape("qwen2", 192, 3, 1, 96, 320, "Q4_1", 0.8, tied=False,
                           faults=("bias",)),
    "llama-q50-d128": Shape("llama", 192, 5, 1, 128, 320, "Q5_0", 0.8),
    "llama-q51-d256": Shape("llama", 192, 2, 1, 256, 320, "Q5_1", 0.8, tied=False),
    "qwen2-q4k-d64": Shape("qwen2", 256, 8, 2, 64, 512, "Q4_K", 0.8, embedding="Q6_K",
                           mixed="Q6_K", theta=1e6),
    "qwen3-q5k-d128": Shape("qwen3", 256, 6, 1, 128, 256, "Q5_K", 0.8, theta=1e6),
    "llama-q6k-d128": Shape("llama", 256, 2, 2, 128, 256, "Q6_K", 0.8, tied=False),
    "llama-q4k-d32": Shape("llama", 256, 8, 8, 32, 256, "Q4_K", 0.8),
}


class Normal:
    """Numbers close to normal, variance 1, exactly the same everywhere: sums of four 16-bit integers."""

    def __init__(self, seed):
        self.generator = np.random.PCG64(zlib.crc32(seed.encode()))

    def __call__(self, *shape):
        raw = self.generator.random_raw(int(np.prod(shape)))
        parts = raw.view("<u2").reshape(-1, 4).astype(np.float64)
        return ((parts.sum(-1) - 131070) / 37837.2).reshape(shape)

    def integers(self, low, high, count):
        return low + (self.generator.random_raw(count) % np.uint64(high - low)).astype(np.int64)


# K types, which gguf.quants only reads. Blocks of 256; scales by range, not searched: any valid block will do.

def packed_scales(scales, minima):
    """Two rows of eight 6-bit numbers as the 12 bytes of Q4_K and Q5_K."""
    s, m = scales.astype(np.uint8), minima.astype(np.uint8)
    low = np.concatenate([s[:, :4] | (s[:, 4:] >> 4 << 6), m[:, :4] | (m[:, 4:] >> 4 << 6)], 1)
    return np.concatenate([low, (s[:, 4:] & 15) | (m[:, 4:] & 15) << 4], 1)


def half_bytes(x): return x.astype("<f2").view(np.uint8).reshape(len(x), -1)


def quantize_asymmetric_k(w, bits):
    top = 2 ** bits - 1
    blocks = w.reshape(-1, 8, 32)
    low = np.minimum(blocks.min(-1), 0)
    scale = (blocks.max(-1) - low) / top
    d = (scale.max(-1, keepdims=True) / 63).astype(np.float16)
    m = (-low.min(-1, keepdims=True) / 63).astype(np.float16)
    scales = np.clip(np.rint(scale / d.astype(np.float64)), 1, 63)
    minima = np.clip(np.rint(-low / m.astype(np.float64)), 0, 63)
    offset = (minima * m.astype(np.float64))[..., None]
    q = np.rint((blocks + offset) / (scales * d.astype(np.float64))[..., None])
    q = np.clip(q, 0, top).astype(np.uint8)
    nibbles = (q[:, 0::2] & 15) | (q[:, 1::2] & 15) << 4
    parts = [half_bytes(d), half_bytes(m), packed_scales(scales, minima)]
    if bits == 5:
        high = q >> 4
        parts.append(sum(high[:, i] << i for i in range(8)).astype(np.uint8))
    parts.append(nibbles.reshape(len(q), -1))
    return np.concatenate(parts, 1).reshape(len(w), -1)


def quantize_q6_k(w):
    blocks = w.reshape(-1, 16, 16)
    scale = np.abs(blocks).max(-1) / 31
    d = (scale.max(-1, keepdims=True) / 127).astype(np.float16)
    scales = np.clip(np.rint(scale / d.astype(np.float64)), 1, 127)
    q = np.rint(blocks / (scales * d.astype(np.float64))[..., None])
    q = (np.clip(q, -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)   # halves, quarters
    low = q & 15
    low = np.concatenate([low[:, :, 0] | low[:, :, 2] << 4, low[:, :, 1] | low[:, :, 3] << 4], -1)
    high = q >> 4
    high = high[:, :, 0] | high[:, :, 1] << 2 | high[:, :, 2] << 4 | high[:, :, 3] << 6
    n = len(q)
    parts = [low.reshape(n, -1), high.reshape(n, -1), scales.astype(np.int8).view(np.uint8)]
    return np.concatenate(parts + [half_bytes(d)], 1).reshape(len(w), -1)


def quantized(w, name):
    """The rows of `w` as the bytes of a tensor type."""
    if name == "F32": return w.astype("<f4"), None
    if name == "F16": return w.astype("<f2"), None
    if name == "Q4_K": return quantize_asymmetric_k(w, 4), Type.Q4_K
    if name == "Q5_K": return quantize_asymmetric_k(w, 5), Type.Q5_K
    if name == "Q6_K": return quantize_q6_k(w), Type.Q6_K
    return gguf.quants.quantize(w.astype(np.float32), Type[name]), Type[name]


def tensors(name, shape):
    """All tensors in float64, in the order of the file."""
    normal, s = Normal(name), shape
    vector = lambda n, spread=0.2: 1 + spread * normal(n)
    matrix = lambda rows, columns, scale: normal(rows, columns) * scale / np.sqrt(columns)
    q_rows, kv_rows = s.heads * s.head_dimension, s.kv_heads * s.head_dimension
    w = {"token_embd.weight": normal(VOCABULARY, s.dimension) * 0.3}
    if s.rope_factors:
        w["rope_freqs.weight"] = np.linspace(1, 8, s.head_dimension // 2)
    w["output_norm.weight"] = vector(s.dimension) * s.gain
    if not s.tied: w["output.weight"] = normal(VOCABULARY, s.dimension) * 0.3
    for layer in range(s.layers):
        b = f"blk.{layer}."
        w[b + "attn_norm.weight"] = vector(s.dimension, 0.4)
        w[b + "attn_q.weight"] = matrix(q_rows, s.dimension, 1.2)
        w[b + "attn_k.weight"] = matrix(kv_rows, s.dimension, 1.2)
        w[b + "attn_v.weight"] = matrix(kv_rows, s.dimension, 1.0)
        if s.architecture == "qwen2":
            w[b + "attn_q.bias"] = normal(q_rows)
            w[b + "attn_k.bias"] = normal(kv_rows)
            w[b + "attn_v.bias"] = 0.5 * normal(kv_rows)
        if s.architecture == "qwen3":
            for half in "qk":
                w[b + f"attn_{half}.weight"] *= 3
                w[b + f"attn_{half}_norm.weight"] = 1.2 * vector(s.head_dimension, 0.3)
        w[b + "attn_output.weight"] = matrix(s.dimension, q_rows, 1.0)
        w[b + "ffn_norm.weight"] = vector(s.dimension, 0.4)
        w[b + "ffn_gate.weight"] = matrix(s.feed_forward, s.dimension, 1.0)
        w[b + "ffn_up.weight"] = matrix(s.feed_forward, s.dimension, 1.0)
        w[b + "ffn_down.weight"] = matrix(s.dimension, s.feed_forward, 1.5)
    return w


def other_pairing(w, s):
    """The rows of a query or key matrix as the other convention orders them."""
    halves = w.reshape(-1, s.head_dimension, *w.shape[1:])
    if s.architecture == "llama":           # (2i, 2i+1) where (i, i + d/2) is meant
        pairs = halves.reshape(len(halves), s.head_dimension // 2, 2, *w.shape[1:])
    else:
        pairs = halves.reshape(len(halves), 2, s.head_dimension // 2, *w.shape[1:])
    return pairs.swapaxes(1, 2).reshape(w.shape)


def break_model(w, s, fault):
    """The tensors `w` with one thing wrong."""
    for name in list(w):
        if fault == "pairing" and (".attn_q." in name or ".attn_k." in name):
            w[name] = other_pairing(w[name], s)
        if fault == "bias" and name.endswith("attn_k.bias"): w[name] = 0 * w[name]
        if fault == "norm" and name.endswith("ffn_norm.weight"): w[name] = 0 * w[name] + 1
        if fault == "head-norm" and name.endswith("_k_norm.weight"): w[name] = 0 * w[name] + 1
        if fault == "factors" and name == "rope_freqs.weight": w[name] = 0 * w[name] + 1
    return w


def add_tokenizer(writer, kind, architecture):
    """A vocabulary of all bytes and a few pieces: enough to pack, not to speak."""
    pieces = [a + b for a in "aeiou" for b in "lmnrst"]
    if kind == "llama":
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
        types = [2, 3, 3] + [6] * 256
        tokens += ["\u2581"] + list("abcdefghijklmnopqrstuvwxyz") + pieces
        tokens = tokens[:VOCABULARY]
        tokens += [f"\u2581{i}" for i in range(VOCABULARY - len(tokens))]
        types += [1] * (VOCABULARY - len(types))
        scores = [0.0] * 259 + [-float(i) for i in range(VOCABULARY - 259)]
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores(scores)
        writer.add_token_types(types)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(True)
        writer.add_add_space_prefix(True)
        return
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [i for i in range(256) if i not in shown]
    tokens = [chr(i) for i in shown] + [chr(256 + i) for i in range(len(hidden))] + pieces
    merges = [f"{p[0]} {p[1]}" for p in pieces]
    special = VOCABULARY - len(tokens)
    tokens += ["<|endoftext|>"] + [f"<|special_{i}|>" for i in range(1, special)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if architecture.startswith("qwen") else "llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (VOCABULARY - special) + [3] * special)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(VOCABULARY - special)
    writer.add_eos_token_id(VOCABULARY - special)
    writer.add_add_bos_token(False)


def write(path, name, shape, fault=None):
    s = shape
    writer = gguf.GGUFWriter(path, s.architecture)
    writer.add_name(name)
    writer.add_context_length(2048)
    writer.add_embedding_length(s.dimension)
    writer.add_block_count(s.layers)
    writer.add_feed_forward_length(s.feed_forward)
    writer.add_head_count(s.heads)
    writer.add_head_count_kv(s.kv_heads)
    writer.add_key_length(s.head_dimension)
    writer.add_value_length(s.head_dimension)
    if s.architecture == "llama": writer.add_rope_dimension_count(s.head_dimension)
    writer.add_rope_freq_base(s.theta)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    add_tokenizer(writer, s.tokenizer, s.architecture)
    w = tensors(name, s)
    if fault: w = break_model(w, s, fault)
    for tensor, values in w.items():
        kind = s.type
        if tensor in ("token_embd.weight", "output.weight"): kind = s.embedding or s.type
        if s.mixed and (".attn_v." in tensor or ".ffn_down." in tensor): kind = s.mixed
        data, raw = quantized(values, "F32" if values.ndim == 1 else kind)
        writer.add_tensor(tensor, data, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(folder, names):
    os.makedirs(folder, exist_ok=True)
    for name in names or MODELS:
        shape = MODELS[name]
        write(os.path.join(folder, name + ".gguf"), name, shape)
        for fault in shape.faults:
            write(os.path.join(folder, f"{name}-{fault}.gguf"), name, shape, fault)
        if shape.mixed:
            original = replace(shape, type="F32", embedding="", mixed="")
            write(os.path.join(folder, f"{name}-original.gguf"), name, original)
        for text in range(TEXTS):
            ids = Normal(f"{name} ids {text}").integers(0, VOCABULARY, TOKENS)
            ids.astype("<i4").tofile(os.path.join(folder, f"{name}-{text}.i32"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

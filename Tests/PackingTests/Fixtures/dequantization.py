"""Writes dequantization.txt: what the gguf package makes of seeded random blocks.

usage: dequantization.py > dequantization.txt        (needs: pip install numpy gguf)

Per tensor type: name, number of blocks, seed, SHA-256 of the dequantized float32 values, little-endian.
The blocks are bytes of SplitMix64, with the top exponent bit of every half cleared.
"""
import hashlib
import numpy as np
import gguf

MASK = 2 ** 64 - 1
HALVES = {"F16": [0], "Q8_0": [0], "Q4_0": [0], "Q5_0": [0], "Q4_1": [0, 2], "Q5_1": [0, 2], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def random_bytes(count, state):
    out = bytearray()
    while len(out) < count:
        state = state + 0x9E3779B97F4A7C15 & MASK
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        out += (z ^ z >> 31).to_bytes(8, "little")
    return np.frombuffer(bytes(out[:count]), np.uint8).copy()


for seed, name in enumerate(["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]):
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    count = 16384 // elements
    blocks = random_bytes(count * size, seed).reshape(count, size)
    for offset in HALVES.get(name, []): blocks[:, offset + 1] &= 0xBF
    data = blocks.reshape(-1)
    if name == "F32": data = data.view(np.float32)
    if name == "F16": data = data.view(np.float16)
    values = gguf.quants.dequantize(data, kind).astype("<f4").reshape(-1)
    assert len(values) == 16384
    print(name, count, seed, hashlib.sha256(values.tobytes()).hexdigest())

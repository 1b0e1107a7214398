"""Judges logits of the runtime against the float64 oracle, by what its arithmetic must cost.

usage: judge.py REFERENCE MODEL.gguf [options] IDS.i32 LOGITS.f32 [IDS LOGITS ...]

REFERENCE: the folder of forward.py (the oracle) and simulate.py (the bound).
--weights, --embedding int8|int4    as the model was packed; without them, as its tensor types decide
--kv K[,V]                          int8 or int4
--truth OTHER.gguf                  the logits are those of MODEL, but OTHER is what it should compute
--simulate                          judge the simulation itself: LOGITS are not read, name them "-"
--wrong FAULT                       with --simulate: a runtime with that mistake (see FAULTS)

Prints one JSON object: KL(oracle || logits) in nats and top-1 agreement, pooled over the texts, the same of the
simulation, what the packed weights alone cost, the bounds, and whether they hold. Exit code 1 where they do not.
"""
import argparse
import json
import sys

import gguf
import numpy as np

INT8_BOUND, INT4_BOUND, TOP1_BOUND = 1.3, 1.1, 0.03
FAULTS = ("pairing", "bias", "norm", "head-norm", "factors")
FOUR_BITS = ("Q4_0", "Q4_1", "Q4_K")


def build(forward, simulate):
    """The class of simulated models; the reference is not on the path before `main` runs."""

    class Packed(simulate.Simulated):
        """simulate.Simulated with the formats that packing chooses per tensor, and one per half of the cache."""

        def __init__(self, path, weights=None, embedding=None, keys="int8", values="int8"):
            forward.Model.__init__(self, path)
            self.takes_int4 = "int4" in (keys, values)
            self.bits = [8 if kind == "int8" else 4 for kind in (keys, values)]
            for t in gguf.GGUFReader(path).tensors:
                if len(t.shape) == 2:
                    outer = t.name in ("token_embd.weight", "output.weight")
                    target = embedding if outer else weights
                    self.w[t.name] = self.pack(self.w[t.name], t, target)

        def pack(self, w, tensor, target):
            """The weights as the packed file holds them."""
            source = tensor.tensor_type.name
            if target is None: target = "int4" if source in FOUR_BITS else "int8"
            if target == "int4": self.takes_int4 = True
            if (source, target) in (("Q8_0", "int8"), ("Q4_0", "int4"), ("Q4_1", "int4")): return w
            if (source, target) == ("Q4_K", "int4"): return round_scales(tensor)
            return simulate.symmetric(w, int(target[3:]), target == "int4")

        def quantized(self, x, bits):
            """Keys or values [tokens, heads, d] as read back, and the scale of each element's group."""
            y = simulate.symmetric(x, bits, bits == 4)
            g, _ = simulate.groups(y, min(32, self.d))
            scale = np.repeat(np.abs(g).max(-1, keepdims=True), g.shape[-1], -1)
            scale = scale.reshape(*y.shape[:-1], -1)[..., :y.shape[-1]]
            return y, np.where(scale == 0, 1, scale)

        def attention(self, q, k, v):
            """Queries, keys, values [tokens, heads, d] to outputs [tokens, heads x d]."""
            T, H, G, d = len(q), self.heads, self.kv_heads, self.d
            mask = np.triu(np.full((T, T), -np.inf), 1)
            turns = [simulate.hadamard(d) if bits == 4 else np.eye(d) for bits in self.bits]
            q = simulate.symmetric(q @ turns[0], 8)
            k, _ = self.quantized(k @ turns[0], self.bits[0])
            v, scale = self.quantized(v @ turns[1], self.bits[1])
            o = np.empty((T, H, d))
            for h in range(H):
                g = h * G // H
                s = q[:, h] @ k[:, g].T / np.sqrt(d) + mask
                p = np.exp(s - s.max(-1, keepdims=True))
                for i in range(0, d, 32):                   # all dimensions of a group share a scale
                    part = simulate.symmetric(p * scale[:, g, i], 8)
                    o[:, h, i:i + 32] = part @ (v[:, g, i:i + 32] / scale[:, g, i:i + 1])
                o[:, h] = o[:, h] / p.sum(-1, keepdims=True) @ turns[1].T
            return o.reshape(T, H * d)

        def logits(self, ids):
            w, T, d = self.w, len(ids), self.d
            x = w["token_embd.weight"][ids]
            for layer in range(self.layers):
                b = f"blk.{layer}."
                z = self.rms(x, w[b + "attn_norm.weight"])
                q, k, v = (self.linear(z, b + "attn_" + n).reshape(T, -1, d) for n in "qkv")
                if b + "attn_q_norm.weight" in w: q = self.rms(q, w[b + "attn_q_norm.weight"])
                if b + "attn_k_norm.weight" in w: k = self.rms(k, w[b + "attn_k_norm.weight"])
                o = self.attention(self.rope(q), self.rope(k), v)
                x = x + self.linear(o, b + "attn_output")
                z = self.rms(x, w[b + "ffn_norm.weight"])
                a = self.linear(z, b + "ffn_gate")
                x = x + self.linear(a / (1 + np.exp(-a)) * self.linear(z, b + "ffn_up"), b + "ffn_down")
            x = simulate.symmetric(self.rms(x, w["output_norm.weight"]), 8)
            return x @ w["output.weight" if "output.weight" in w else "token_embd.weight"].T

        def break_runtime(self, fault):
            """Forgets what a wrong runtime would forget."""
            if fault == "pairing": self.interleaved = not self.interleaved
            if fault == "factors": self.freq = self.freq * self.w["rope_freqs.weight"]
            for name in list(self.w):
                if fault == "bias" and name.endswith("attn_k.bias"): del self.w[name]
                if fault == "head-norm" and name.endswith("attn_k_norm.weight"): del self.w[name]
                if fault == "norm" and name.endswith("ffn_norm.weight"): self.w[name] = 0 * self.w[name] + 1

    return Packed


def round_scales(tensor):
    """A Q4_K tensor with the scale and the minimum of each group of 32 rounded to f16, its integers as they are."""
    blocks = np.asarray(tensor.data).reshape(-1, 144)
    scales, minima = gguf.quants.Q4_K.get_scale_min(blocks[:, 4:16])
    d = blocks[:, 0:2].copy().view("<f2").astype(np.float64)
    m = blocks[:, 2:4].copy().view("<f2").astype(np.float64)
    f16 = lambda x: x.astype(np.float16).astype(np.float64)[..., None]
    nibbles = blocks[:, 16:].reshape(-1, 4, 1, 32) >> np.array([0, 4], np.uint8).reshape(1, 1, 2, 1) & 15
    w = f16(d * scales) * nibbles.reshape(-1, 8, 32) - f16(m * minima)
    return w.reshape([int(n) for n in reversed(tensor.shape)])


def pooled(simulate, truths, results):
    """Mean KL and top-1 agreement over all tokens."""
    return [float(x) for x in simulate.compare(np.concatenate(truths), np.concatenate(results))]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("reference")
    p.add_argument("model")
    p.add_argument("--weights", choices=("int8", "int4"))
    p.add_argument("--embedding", choices=("int8", "int4"))
    p.add_argument("--kv", default="int8")
    p.add_argument("--truth")
    p.add_argument("--simulate", action="store_true")
    p.add_argument("--wrong", choices=FAULTS)
    p.add_argument("texts", nargs="+")
    a = p.parse_intermixed_args()
    sys.dont_write_bytecode = True
    sys.path.insert(0, a.reference)
    import forward
    import simulate
    Packed = build(forward, simulate)
    formats = (a.weights, a.embedding, *(a.kv.split(",") * 2)[:2])

    truth = forward.Model(a.truth or a.model)
    bound = Packed(a.truth or a.model, *formats)
    exact = forward.Model(a.truth or a.model)               # exact arithmetic on the packed weights
    exact.w = bound.w
    judged = None
    if a.simulate:
        judged = Packed(a.model, *formats)
        judged.break_runtime(a.wrong)
    truths, simulated, packed, results = [], [], [], []
    for ids_file, logits_file in zip(a.texts[::2], a.texts[1::2], strict=True):
        ids = np.fromfile(ids_file, "<i4")
        truths.append(truth.logits(ids))
        simulated.append(bound.logits(ids))
        packed.append(exact.logits(ids))
        got = judged.logits(ids) if judged else np.fromfile(logits_file, "<f4").reshape(len(ids), -1)
        if got.shape != truths[-1].shape or not np.isfinite(got).all():
            sys.exit(f"{logits_file}: {got.shape} logits, not {truths[-1].shape}, or not finite")
        results.append(got)

    kl, top1 = pooled(simulate, truths, results)
    kl_packing, _ = pooled(simulate, truths, packed)
    kl_simulated, top1_simulated = pooled(simulate, truths, simulated)
    factor = INT4_BOUND if bound.takes_int4 else INT8_BOUND
    x = np.concatenate(truths)
    x = np.exp(x - x.max(-1, keepdims=True))
    holds = kl <= factor * kl_simulated and top1 >= top1_simulated - TOP1_BOUND
    print(json.dumps({
        "tokens": len(x), "kl": kl, "kl_simulated": kl_simulated, "kl_ratio": kl / kl_simulated,
        "kl_ratio_max": factor, "kl_packing": kl_packing,
        "top1": top1, "top1_simulated": top1_simulated,
        "top1_min": top1_simulated - TOP1_BOUND, "holds": bool(holds),
        "mean_top_probability": float((x.max(-1) / x.sum(-1)).mean())}))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()

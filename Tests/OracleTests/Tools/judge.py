"""Judges logits of the runtime against the float64 oracle, by what its arithmetic must cost.

usage: judge.py REFERENCE MODEL.gguf [options] IDS.i32 LOGITS.f32 [IDS LOGITS ...]     (LOGITS: {kv} for the format)

REFERENCE: the folder of forward.py (the oracle) and simulate.py (the bound).
--weights, --embedding int8|int4    as the model was packed; without them, as its tensor types decide
--kv K[,V]                          int8 or int4; may be given several times
--truth OTHER.gguf                  the logits are those of MODEL, but OTHER is what it should compute
--original OTHER.gguf               also what MODEL loses against OTHER, by itself, packed, and run
--simulate                          judge the simulation itself: LOGITS are not read, name them "-"
--wrong FAULT                       with --simulate: a runtime with that mistake (see FAULTS)

Prints a JSON array with one object per --kv: KL(oracle || logits) in nats and top-1 agreement, pooled over the texts,
the same of the simulation, what the packed weights alone cost, the bounds, and whether they hold.
Exit code 1 where one does not.
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

        def __init__(self, path, weights=None, embedding=None):
            forward.Model.__init__(self, path)
            self.has_int4_weights = False
            self.use_cache("int8")
            for t in gguf.GGUFReader(path).tensors:
                if len(t.shape) == 2:
                    outer = t.name in ("token_embd.weight", "output.weight")
                    target = embedding if outer else weights
                    self.w[t.name] = self.pack(self.w[t.name], t, target)

        def use_cache(self, kv):
            """Keys and values as `kv` says: one format, or two with a comma."""
            self.bits = [int(kind[3:]) for kind in (kv.split(",") * 2)[:2]]

        def takes_int4(self): return self.has_int4_weights or 4 in self.bits

        def pack(self, w, tensor, target):
            """The weights as the packed file holds them."""
            source = tensor.tensor_type.name
            if target is None: target = "int4" if source in FOUR_BITS else "int8"
            if target == "int4": self.has_int4_weights = True
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


def pooled_but_one(simulate, truths, simulated, results):
    """Mean KL of the simulation and of the results without the token that the simulation misses most."""
    truths = np.concatenate(truths)
    costs = [np.array([simulate.compare(t[None], x[None])[0] for t, x in zip(truths, np.concatenate(stage))])
             for stage in (simulated, results)]
    return [float(np.delete(cost, costs[0].argmax()).mean()) for cost in costs]


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("reference")
    p.add_argument("model")
    p.add_argument("--weights", choices=("int8", "int4"))
    p.add_argument("--embedding", choices=("int8", "int4"))
    p.add_argument("--kv", action="append")
    p.add_argument("--truth")
    p.add_argument("--original")
    p.add_argument("--simulate", action="store_true")
    p.add_argument("--wrong", choices=FAULTS)
    p.add_argument("texts", nargs="+")
    return p.parse_intermixed_args()


def read_logits(name, shape):
    got = np.fromfile(name, "<f4").reshape(shape[0], -1)
    if got.shape != shape or not np.isfinite(got).all():
        sys.exit(f"{name}: {got.shape} logits, not {shape}, or not finite")
    return got


def main():
    a = arguments()
    sys.dont_write_bytecode = True
    sys.path.insert(0, a.reference)
    import forward
    import simulate
    Packed = build(forward, simulate)
    right = a.truth or a.model
    texts = [np.fromfile(name, "<i4") for name in a.texts[::2]]
    run = lambda model: [model.logits(ids) for ids in texts]

    exact = forward.Model(right)
    truths = run(exact)
    bound = Packed(right, a.weights, a.embedding)
    exact.w = bound.w                                       # exact arithmetic on the packed weights
    packed = run(exact)
    judged = None
    if a.simulate:
        judged = Packed(a.model, a.weights, a.embedding)
        judged.break_runtime(a.wrong)
    originals = run(forward.Model(a.original)) if a.original else None
    x = np.concatenate(truths)
    x = np.exp(x - x.max(-1, keepdims=True))
    verdicts = []
    for kv in a.kv or ["int8"]:
        for model in (bound, judged):
            if model: model.use_cache(kv)
        simulated = run(bound)
        if judged: results = run(judged)
        else:
            results = [read_logits(name.replace("{kv}", kv), truth.shape)
                       for name, truth in zip(a.texts[1::2], truths, strict=True)]
        kl, top1 = pooled(simulate, truths, results)
        kl_simulated, top1_simulated = pooled(simulate, truths, simulated)
        factor = INT4_BOUND if bound.takes_int4() else INT8_BOUND
        holds = kl <= factor * kl_simulated and top1 >= top1_simulated - TOP1_BOUND
        verdict = {
            "tokens": len(x), "kl": kl, "kl_simulated": kl_simulated, "kl_ratio": kl / kl_simulated,
            "kl_ratio_max": factor, "kl_packing": pooled(simulate, truths, packed)[0],
            "top1": top1, "top1_simulated": top1_simulated,
            "top1_min": top1_simulated - TOP1_BOUND, "holds": bool(holds),
            "mean_top_probability": float((x.max(-1) / x.sum(-1)).mean())}
        verdict["kl_but_one_simulated"], verdict["kl_but_one"] = pooled_but_one(
            simulate, truths, simulated, results)
        if originals:
            verdict["kl_original"] = [
                pooled(simulate, originals, stage)[0] for stage in (truths, packed, results)]
        verdicts.append(verdict)
    print(json.dumps(verdicts))
    sys.exit(0 if all(v["holds"] for v in verdicts) else 1)


if __name__ == "__main__":
    main()

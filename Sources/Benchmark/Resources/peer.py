"""Runs llama.cpp through llama-cpp-python, one order per line of JSON on standard input.

load {model}: loads a GGUF file.
open {name, kv, flash, threads, depth, context}: makes a context and fills it to the depth.
run {name, prompt, generated}: reads a prompt and generates tokens after the depth; answers its
    nanoseconds.
close {}: gives all contexts back.
"""
import ctypes
import json
import random
import sys
import time


def answer(**fields):
    print(json.dumps(fields), flush=True)


try:
    import llama_cpp as llama
except ImportError as problem:
    answer(missing=str(problem))
    sys.exit(0)

BATCH = 2048
TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
FLASH = {"auto": -1, "off": 0, "on": 1}


@llama.llama_log_callback
def be_silent(level, text, data):
    pass


class Context:
    """A cache that is filled to some depth, and the tokens after it."""

    def __init__(self, model, order):
        self.depth = order["depth"]
        settings = llama.llama_context_default_params()
        settings.n_ctx = order["context"]
        settings.n_batch, settings.n_ubatch = BATCH, 512
        settings.n_threads = settings.n_threads_batch = order["threads"]
        settings.type_k = settings.type_v = TYPES[order["kv"]]
        settings.flash_attn_type = FLASH[order["flash"]]
        self.context = llama.llama_init_from_model(model, settings)
        if not self.context:
            raise RuntimeError(f"no context of {settings.n_ctx} tokens with KV {order['kv']}")
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        self.memory = llama.llama_get_memory(self.context)
        self.tokens = (llama.llama_token * BATCH)()
        self.read(self.depth)

    def decode(self, count):
        for index in range(count):
            self.tokens[index] = random.randrange(self.vocabulary)
        pointer = ctypes.cast(self.tokens, ctypes.POINTER(llama.llama_token))
        code = llama.llama_decode(self.context, llama.llama_batch_get_one(pointer, count))
        if code != 0:
            raise RuntimeError(f"llama_decode returned {code}")

    def read(self, count):
        while count > 0:
            now = min(count, BATCH)
            self.decode(now)
            count -= now
        llama.llama_synchronize(self.context)

    def write(self, count):
        for _ in range(count):
            self.decode(1)
            llama.llama_synchronize(self.context)

    def rewind(self):
        if self.depth == 0:
            llama.llama_memory_clear(self.memory, False)
        elif not llama.llama_memory_seq_rm(self.memory, 0, self.depth, -1):
            raise RuntimeError("the cache cannot be cut")

    def run(self, prompt, generated):
        start = time.perf_counter_ns()
        self.read(prompt)
        self.write(generated)
        nanoseconds = time.perf_counter_ns() - start
        self.rewind()
        return nanoseconds

    def close(self):
        llama.llama_free(self.context)


def main():
    llama.llama_log_set(be_silent, ctypes.c_void_p(0))
    llama.llama_backend_init()
    answer(version=llama.__version__)
    model, contexts = None, {}
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if order["do"] == "load":
                if model:
                    llama.llama_model_free(model)
                settings = llama.llama_model_default_params()
                settings.n_gpu_layers = 0
                model = llama.llama_model_load_from_file(order["model"].encode(), settings)
                if not model:
                    raise RuntimeError(f"cannot load {order['model']}")
                answer(size=llama.llama_model_size(model))
            elif order["do"] == "open":
                contexts[order["name"]] = Context(model, order)
                answer(ok=True)
            elif order["do"] == "run":
                context = contexts[order["name"]]
                answer(ns=context.run(order["prompt"], order["generated"]))
            elif order["do"] == "close":
                while contexts:
                    contexts.popitem()[1].close()
                answer(ok=True)
        except Exception as problem:
            answer(error=str(problem))


main()

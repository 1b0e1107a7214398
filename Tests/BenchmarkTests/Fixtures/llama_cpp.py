"""Stands in for llama-cpp-python: the calls that the benchmark makes, on a model that does nothing."""
import ctypes
import os
import time

if os.environ.get("FAKE_LLAMA") == "missing":
    raise ImportError("No module named 'llama_cpp'")

__version__ = "fake"
llama_token = ctypes.c_int32
llama_log_callback = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class Settings:
    pass


class Context:
    def __init__(self, settings):
        self.slots, self.filled = settings.n_ctx, 0
        self.type = settings.type_k


def llama_log_set(callback, data):
    pass


def llama_backend_init():
    pass


def llama_model_default_params():
    return Settings()


def llama_context_default_params():
    return Settings()


def llama_model_load_from_file(path, settings):
    return None if os.environ.get("FAKE_LLAMA") == "unloadable" else path


def llama_model_free(model):
    pass


def llama_model_size(model):
    return 1


def llama_init_from_model(model, settings):
    return Context(settings)


def llama_free(context):
    pass


def llama_model_get_vocab(model):
    return model


def llama_vocab_n_tokens(vocabulary):
    return 256


def llama_get_memory(context):
    return context


def llama_memory_clear(memory, data):
    memory.filled = 0


def llama_memory_seq_rm(memory, sequence, start, end):
    memory.filled = start
    return True


def llama_batch_get_one(tokens, count):
    assert all(0 <= tokens[index] < 256 for index in range(count))
    return count


def llama_decode(context, batch):
    """A token takes a millisecond, with a q8_0 cache two."""
    context.filled += batch
    time.sleep(batch * (0.002 if context.type == 8 else 0.001))
    return 1 if context.filled > context.slots else 0


def llama_synchronize(context):
    pass

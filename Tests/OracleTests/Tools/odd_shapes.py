"""Small GGUF files of shapes that divide badly: odd head counts, one KV head, rows and columns beside multiples of 16 and 32.

usage: odd_shapes.py FOLDER        (needs: pip install numpy gguf)

Writes FOLDER/NAME.gguf for every name and FOLDER/ids.i32. The same bytes on every machine, like models.py.
"""
import os
import sys

import models
from models import Normal, Shape

models.VOCABULARY = 317
TOKENS = 45

MODELS = {
    "d48-9-heads": Shape("qwen2", 104, 9, 3, 48, 100, "F32", 0.8, theta=1e6),
    "d64-7-heads": Shape("llama", 168, 7, 1, 64, 172, "F32", 0.8, tied=False, rope_factors=True),
    "d80-5-heads": Shape("llama", 136, 5, 1, 80, 220, "F32", 0.8),
    "d96-3-heads": Shape("qwen2", 96, 3, 3, 96, 160, "Q4_1", 0.8, embedding="F32", tied=False),
    "d128-5-heads": Shape("qwen3", 72, 5, 1, 128, 90, "F32", 0.8, theta=1e6),
    "d256-3-heads": Shape("llama", 64, 3, 1, 256, 96, "Q8_0", 0.8),
}


def main(folder):
    os.makedirs(folder, exist_ok=True)
    for name, shape in MODELS.items():
        models.write(os.path.join(folder, name + ".gguf"), name, shape)
    ids = Normal("odd shapes").integers(0, models.VOCABULARY, TOKENS)
    ids.astype("<i4").tofile(os.path.join(folder, "ids.i32"))


if __name__ == "__main__":
    main(sys.argv[1])

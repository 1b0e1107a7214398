"""Writes the texts and what llama.cpp makes of them: pip install llama-cpp-python==0.3.36

usage: generate_expected.py FOLDER-OF-VOCABULARIES FOLDER-OF-MODELS

random-texts.json          1,000 texts from a seed
expected-<vocabulary>.bin  per text a count and the ids, all as LEB128; text i is encoded with
                           special tokens parsed where i is odd, begin and end added where i % 4 is 3
expected-chats.json        conversations as llama.cpp renders and encodes them
"""

import json
import random
import sys
import tempfile
from pathlib import Path

import llama_cpp

HERE = Path(__file__).parent
PARTS = [
    lambda r: r.choice(["the", "Hello", "world", "don't", "I'LL", "we've", "it's", "they're",
                        "'s", "'S", "'re", "'Ve", "'d", "'", "''", "can 't", "naïve", "Über",
                        "CamelCase", "snake_case", "e.g.", "x=1;", "foo(bar)", "…", "—"]),
    lambda r: r.choice([" ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", "\t\t",
                        " \t \n  ", "\u00a0", "\u3000", "\u2028", "\u0085", "\x0b", "\x0c"]),
    lambda r: " " * r.randint(1, 20),
    lambda r: r.choice("\n\r\t ") * r.randint(1, 9),
    lambda r: str(r.randint(0, 10 ** r.randint(1, 15))),
    lambda r: "".join(r.choice("0123456789٣५½²Ⅷ一") for _ in range(r.randint(1, 8))),
    lambda r: "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(1, 12))),
    lambda r: "".join(r.choice("ABCxyzÄöüßéñçÆŁžАбвгдёжΑβγδאבגدعربकखगไทย") for _ in range(
        r.randint(1, 10))),
    lambda r: "".join(r.choice("你好世界天地玄黄日本語テキストひらがな한국어안녕") for _ in range(
        r.randint(1, 8))),
    lambda r: r.choice(["😀", "👩‍👩‍👧", "🇩🇪", "👍🏽", "✈️", "🚀🚀", "❤", "☃", "™", "𝔘𝔫𝔦"]),
    lambda r: r.choice("aeinou") + "".join(
        chr(r.randint(0x300, 0x36F)) for _ in range(r.randint(1, 3))),
    lambda r: chr(r.choice([0, 1, 7, 8, 0x1B, 0x7F, 0x80, 0x9F, 0xAD, 0x200B, 0x200D, 0x202E,
                            0xFEFF, 0xFFFD, 0xFFFF, 0xE000, 0x10FFFF, 0x1F3FB])),
    lambda r: "".join(r.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(
        r.randint(1, 6))),
    lambda r: r.choice(["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>",
                        "<|eot_id|>", "<|begin_of_text|>", "<|user|>", "<|assistant|>", "<|end|>",
                        "<|reserved_special_token_7|>", "<|im_start|", "<<s>>", "<0x0A>", "▁",
                        "▁▁hello", "Ġthe", "Ċ", "[INST]", "<|endoftext|", "<|extra_0|>"]),
    lambda r: any_character(r),
    lambda r: any_character(r) * r.randint(2, 4),
]


def any_character(r):
    while True:
        value = r.choice([r.randint(0, 0x7FF), r.randint(0, 0xFFFF), r.randint(0, 0x3FFFF)])
        if not 0xD800 <= value <= 0xDFFF:
            return chr(value)


def texts():
    r = random.Random(20260)
    result = []
    for _ in range(1000):
        parts = [r.choice(PARTS)(r) for _ in range(r.randint(1, 9))]
        result.append(r.choice(["", "", " "]).join(parts))
    return result


def leb128(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def with_pre(path, name, folder):
    """A copy of a vocabulary with another pre-tokenizer (there are no tensors to move)."""
    data = path.read_bytes()
    key = b"tokenizer.ggml.pre"
    start = data.index(key) + len(key) + 4
    old = int.from_bytes(data[start:start + 8], "little")
    copy = Path(folder) / f"{path.stem}-{name}.gguf"
    copy.write_bytes(
        data[:start] + len(name).to_bytes(8, "little") + name.encode() + data[start + 8 + old:])
    return copy


def load(path):
    return llama_cpp.Llama(str(path), vocab_only=True, verbose=False)


def expect(name, path, all_texts):
    vocabulary = load(path)
    out = bytearray()
    for i, text in enumerate(all_texts):
        ids = vocabulary.tokenize(text.encode(), add_bos=i % 4 == 3, special=i % 2 == 1)
        out += leb128(len(ids)) + b"".join(leb128(i) for i in ids)
    (HERE / f"expected-{name}.bin").write_bytes(out)


CHATS = [
    [("user", "Hello, who are you?")],
    [("system", "You are a helpful assistant."), ("user", "What is 2 + 2?")],
    [("user", "Hi"), ("assistant", "Hello! How can I help?"), ("user", "Tell me a joke.")],
    [("system", "Be brief."), ("user", "One"), ("assistant", "Two"), ("user", "Three"),
     ("assistant", "Four"), ("user", "Five")],
]
# Each template with vocabularies in which no word reaches from its marks into the text.
TEMPLATES = {
    "chatml": ["qwen2", "testbed-f16"],
    "llama3": ["llama-bpe"],
    "llama2": ["llama-spm"],
    "llama2-sys": ["llama-spm"],
    "llama2-sys-bos": ["llama-spm"],
    "llama2-sys-strip": ["llama-spm"],
    "mistral-v1": ["llama-spm"],
    "mistral-v3": [],
    "mistral-v3-tekken": [],
    "mistral-v7": [],
    "zephyr": ["gpt-2", "phi-3"],
}


def render(template, chat, generates):
    messages = (llama_cpp.llama_chat_message * len(chat))()
    keep = []
    for message, (role, content) in zip(messages, chat):
        keep += [role.encode(), content.encode()]
        message.role, message.content = keep[-2], keep[-1]
    buffer = (llama_cpp.llama_cpp.ctypes.c_char * 4096)()
    count = llama_cpp.llama_chat_apply_template(
        template.encode(), messages, len(chat), generates, buffer, len(buffer))
    assert 0 < count <= len(buffer)
    return buffer.raw[:count]


def chats(vocabularies):
    loaded = {name: load(vocabularies[name]) for name in set(sum(TEMPLATES.values(), []))}
    result = []
    for template, names in TEMPLATES.items():
        for chat in CHATS:
            text = render(template, chat, True)
            result.append({
                "template": template, "text": text.decode(),
                "messages": [{"role": role, "text": text} for role, text in chat],
                "ids": {name: loaded[name].tokenize(text, add_bos=True, special=True)
                        for name in names}})
    lines = ",\n".join(json.dumps(case) for case in result)
    (HERE / "expected-chats.json").write_text(f"[\n{lines}\n]\n")


def main():
    folder, models = Path(sys.argv[1]), Path(sys.argv[2])
    all_texts = texts()
    lines = ",\n".join(json.dumps(text) for text in all_texts)
    (HERE / "random-texts.json").write_text(f"[\n{lines}\n]\n")
    vocabularies = {path.stem: path for path in folder.glob("*.gguf")}
    vocabularies |= {path.stem: path for path in models.glob("*.gguf")}
    with tempfile.TemporaryDirectory() as temporary:
        for name in ["smollm", "default"]:
            vocabularies[f"gpt-2-{name}"] = with_pre(vocabularies["gpt-2"], name, temporary)
        for name, path in vocabularies.items():
            expect(name, path, all_texts)
        chats(vocabularies)


if __name__ == "__main__":
    main()

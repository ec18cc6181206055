"""Writes a language model with random weights as a GGUF file: `python tiny.py FILE`. It needs `gguf`."""

from __future__ import annotations

import sys

import gguf  # type: ignore[import-not-found,unused-ignore]
import numpy as np
from numpy.typing import NDArray

WORDS = (
    "the a quick brown fox jumps over lazy dog user assistant system tool say what how many word city river sun moon"
    " green blue red small large old new one two three four five and or not is are was it of to in on for with"
)
# with tools, so that those of a request are tokens of its prompt
TEMPLATE = """\
{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}
{%- for m in messages %}<|{{ m.role }}|>{{ m.content or "" }}
{%- for call in m.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}
{% endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}"""
WIDTH, LAYERS, HEADS, INNER = 64, 2, 4, 128
BYTES = slice(3, 3 + 256)  # the tokens of single bytes


def vocabulary(writer: gguf.GGUFWriter) -> int:
    """Write tokens for each byte, each character and some words; return their number."""
    control = gguf.TokenType.CONTROL
    rows = [(b"<unk>", gguf.TokenType.UNKNOWN), (b"<s>", control), (b"</s>", control)]
    rows += [(b"<0x%02X>" % byte, gguf.TokenType.BYTE) for byte in range(256)]
    texts = ["\u2581", *map(chr, range(33, 127)), *("\u2581" + word for word in WORDS.split())]
    rows += [(text.encode(), gguf.TokenType.NORMAL) for text in texts]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token for token, _ in rows])
    writer.add_token_scores([-float(max(0, place - BYTES.stop)) for place in range(len(rows))])
    writer.add_token_types([kind for _, kind in rows])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_chat_template(TEMPLATE)
    return len(rows)


def weights(writer: gguf.GGUFWriter, tokens: int) -> None:
    """Write random weights, the same ones each time."""
    random = np.random.default_rng(7)

    def normal(rows: int, columns: int, scale: float = 0.3) -> NDArray[np.float32]:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    output = normal(tokens, WIDTH, 1)
    output[: BYTES.stop] *= 0.01  # so that texts seldom end early, and are UTF-8
    tensors = {"token_embd": normal(tokens, WIDTH, 1), "output_norm": ones, "output": output}
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        tensors |= {f"{block}.attn_{name}": normal(WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        tensors |= {f"{block}.attn_norm": ones, f"{block}.ffn_norm": ones}
        tensors |= {f"{block}.ffn_gate": normal(INNER, WIDTH), f"{block}.ffn_up": normal(INNER, WIDTH)}
        tensors[f"{block}.ffn_down"] = normal(WIDTH, INNER)
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)


def write(path: str) -> None:
    """Write the model."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(8192)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    tokens = vocabulary(writer)
    writer.add_vocab_size(tokens)
    weights(writer, tokens)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1])

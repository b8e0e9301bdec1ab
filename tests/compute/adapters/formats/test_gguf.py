"""GGUF adapters written: to the last bit, under llama.cpp's names, with rows where its rotary embedding wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compute.adapters.formats.containers import BytesSource, read_gguf, write_gguf
from compute.adapters.formats.layers import factors
from compute.adapters.formats.llama_cpp import ARCHITECTURES, turned_rows
from compute.adapters.formats.reading import Adapter, read_bytes
from compute.adapters.formats.scales import scale_audit
from compute.adapters.formats.writing import Written, plain, target_of, write_adapter
from helpers.adapter_files import FIXTURES, gguf, packed, peft_config

HEADS, KEYS, WIDTH, IN = 6, 2, 8, 5  # heads of the queries, of the keys, features of each; inputs
LLAMA = {"model_type": "llama", "num_attention_heads": HEADS, "num_key_value_heads": KEYS}
QWEN = {"model_type": "qwen2"}


def written(adapter: Adapter, base: dict[str, Any] | None = None) -> Written:
    return write_adapter([plain(layer) for layer in adapter.layers], "gguf", adapter, base)


def peft_files(pairs: dict[str, tuple[np.ndarray, np.ndarray]], dtype: str = "F32", **config) -> Adapter:
    tensors = {}
    for name, (B, A) in pairs.items():
        tensors |= {f"base_model.model.{name}.lora_A.weight": A, f"base_model.model.{name}.lora_B.weight": B}
    files = {
        "adapter_model.safetensors": packed(tensors, dtype=dtype),
        "adapter_config.json": peft_config(**config),
    }
    return read_bytes(files)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_gguf_comes_back_to_the_last_bit(rng, dtype):
    """An odd number of entries, so that what follows is not aligned by itself."""
    name = "blk.0.attn_q.weight"
    tensors = {
        f"{name}.lora_a": rng.integers(-7, 8, (3, 5)) / 8,
        f"{name}.lora_b": rng.integers(-7, 8, (7, 3)) / 8,
    }
    told = {
        "general.type": "adapter",
        "general.architecture": "llama",
        "adapter.type": "lora",
        "adapter.lora.alpha": 6.0,
    }
    file = gguf(tensors, told, dtype)
    adapter = read_bytes({"adapter.gguf": file})
    assert target_of(adapter) == "gguf"
    made = written(adapter)
    assert made.notes == []
    again = made.files["adapter.gguf"]
    assert again == file + bytes(-len(file) % 32)  # ggml pads the last tensor too


def test_the_header_is_read_back():
    data = np.arange(6, dtype="<f4").tobytes()
    file = write_gguf(
        [("a", "F32", (2, 3), data), ("b", "F32", (), data[:4])], {"general.type": "adapter", "x": 0.5}
    )
    tensors, metadata = read_gguf(BytesSource(file))
    assert metadata == {"general.type": "adapter", "x": "0.5"}
    assert {name: (each.shape, each.raw()) for name, each in tensors.items()} == {
        "a": ((2, 3), data),
        "b": ((), data[:4]),
    }
    assert all(each.start % 32 == 0 for each in tensors.values())
    for dtype, shape in (("Q8_0", (32,)), ("I64", (1,)), ("F32", (5,))):
        with pytest.raises(ValueError, match="GGUF has no type"):
            write_gguf([("a", dtype, shape, data)], {})


@pytest.mark.parametrize("name", ["peft", "peft_rslora", "mlx", "dtype_f16", "dtype_bf16", "dtype_f8_e4m3"])
def test_delta_w_is_the_same_and_llama_cpp_applies_the_scale(name):
    adapter = read_bytes(FIXTURES[name].files)
    made = written(adapter, QWEN)
    there = read_bytes(made.files)
    assert there.told.metadata["general.architecture"] == "qwen2"
    names = {f"model.layers.{i}.self_attn.{x}_proj": f"blk.{i}.attn_{x}.weight" for i in (0, 1) for x in "qv"}
    for layer in adapter.layers:
        other = there.layer(names[layer.name])
        assert scale_audit(other, there.told)["llama.cpp"] == pytest.approx(
            layer.scale, rel=1e-7
        )  # a float32
        np.testing.assert_array_equal(np.matmul(*factors(other)), np.matmul(*factors(layer)))
        assert other.dtype == (layer.dtype if layer.dtype in ("F16", "BF16") else "F32")
    assert [note for note in made.notes if "stored in F32" in note] == (
        ["2 layers stored in F32: llama.cpp computes with F32, F16 and BF16."] if "f8" in name else []
    )


def test_layers_that_differ_are_multiplied():
    adapter = read_bytes(FIXTURES["peft_patterns"].files)
    made = written(adapter, QWEN)
    assert "GGUF has one alpha for all layers: lora_b of 1 layer is multiplied by what differs." in made.notes
    there = read_bytes(made.files)
    for layer, other in zip(adapter.layers, there.layers, strict=True):
        # A third of lora_b is rounded in float32, by 2**-24 of itself; entries of delta_w are sums of a few below 1.
        np.testing.assert_allclose(np.matmul(*factors(other)), np.matmul(*factors(layer)), rtol=0, atol=2e-7)


def rotated(x: np.ndarray, pairs: tuple[slice, slice]) -> np.ndarray:
    """Return a head's features with each pair turned by an angle of its own."""
    angle = 0.3 * np.arange(1, WIDTH // 2 + 1)
    one, other = x[pairs[0]], x[pairs[1]]
    found = np.empty_like(x)
    found[pairs[0]] = one * np.cos(angle) - other * np.sin(angle)
    found[pairs[1]] = one * np.sin(angle) + other * np.cos(angle)
    return found


def test_rows_of_a_llama_are_where_its_rotary_embedding_wants_them(rng):
    """Halves turned as transformers does, or neighbours as llama.cpp does: queries meet keys with the same product."""
    q, k = "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj"
    pairs = {
        name: (rng.standard_normal((heads * WIDTH, 3)), rng.standard_normal((3, IN)))
        for name, heads in ((q, HEADS), (k, KEYS))
    }
    adapter = peft_files(pairs)
    there = read_bytes(written(adapter, LLAMA).files)
    halves = slice(0, WIDTH // 2), slice(WIDTH // 2, None)
    neighbours = slice(0, None, 2), slice(1, None, 2)
    x, y = rng.standard_normal((2, IN))
    before = [np.matmul(*factors(adapter.layer(name))) @ v for name, v in ((q, x), (k, y))]
    after = [
        np.matmul(*factors(there.layer(f"blk.0.attn_{name}.weight"))) @ v for name, v in (("q", x), ("k", y))
    ]
    for i in range(HEADS):
        products = []
        for (query, key), turned in ((before, halves), (after, neighbours)):
            head, shared = query.reshape(HEADS, WIDTH)[i], key.reshape(KEYS, WIDTH)[i * KEYS // HEADS]
            products.append(rotated(head, turned) @ shared)
        assert products[1] == pytest.approx(products[0])


def test_only_queries_and_keys_are_turned(rng):
    rows = rng.standard_normal((16, 2))
    assert not np.array_equal(turned_rows(rows, "blk.0.attn_k.weight", LLAMA), rows)
    for name in ("blk.0.attn_v.weight", "blk.0.ffn_up.weight", "output.weight"):
        np.testing.assert_array_equal(turned_rows(rows, name, LLAMA), rows)
    q = "model.layers.0.self_attn.q_proj"
    adapter = peft_files({q: (rows, np.ones((2, 3)))})
    for kind in ("qwen2", "qwen3", "gemma", "gemma2"):
        [layer] = read_bytes(written(adapter, {**LLAMA, "model_type": kind}).files).layers
        np.testing.assert_allclose(np.matmul(*factors(layer)), np.matmul(*factors(adapter.layers[0])))
        assert ARCHITECTURES[kind] == kind


@pytest.mark.parametrize(
    ("name", "base", "said"),
    [
        ("peft", None, "give the base with --base"),
        ("peft", {"model_type": "bert"}, "The base is a 'bert'; as GGUF adapters of llama, "),
        ("peft", {"model_type": ["llama"]}, "The base is a "),
        ("peft", {"model_type": "llama"}, "names None heads for 8 rows"),
        ("peft", {"model_type": "llama", "num_attention_heads": 3}, "names 3 heads for 8 rows"),
        ("peft", {"model_type": "llama", "num_attention_heads": True}, "names True heads for 8 rows"),
        ("loralib", QWEN, "'h.0.attn.q' is no layer that llama.cpp could adapt."),
        ("peft_dora", QWEN, "is a DoRA, which has no place"),
        ("peft_embedding", QWEN, "is no linear layer"),
        ("peft_conv", QWEN, "is no linear layer"),
    ],
)
def test_what_gguf_does_not_hold_is_refused(name, base, said):
    with pytest.raises(ValueError, match=said):
        written(read_bytes(FIXTURES[name].files), base)


def test_a_head_that_shares_the_embedding_is_refused():
    adapter = peft_files({"lm_head": (np.ones((7, 3)), np.ones((3, 5)))})
    assert [layer.name for layer in read_bytes(written(adapter, QWEN).files).layers] == ["output.weight"]
    for base in (QWEN | {"tie_word_embeddings": True}, {"model_type": "gemma2"}):
        with pytest.raises(ValueError, match="'lm_head' is no layer that llama.cpp could adapt"):
            written(adapter, base)


def test_tokens_that_switch_an_adapter_on_are_not_lost():
    adapter = peft_files(
        {"model.layers.0.self_attn.q_proj": (np.ones((7, 3)), np.ones((3, 5)))},
        alora_invocation_tokens=[1, 2],
    )
    with pytest.raises(ValueError, match="switched on by tokens"):
        written(adapter, QWEN)


def test_names_of_llama_cpp_are_said_where_another_format_gets_them():
    adapter = read_bytes(FIXTURES["gguf_lora"].files)
    made = write_adapter([plain(layer) for layer in adapter.layers], "peft", adapter)
    assert made.notes == ["The layers keep llama.cpp's names, under which no other program finds them."]

"""What readers bring: any kind of file, and adapters whose header may lie."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import save
from safetensors.torch import save as save_torch

from compute.numbers import files
from compute.numbers.files import FileRefused, read_adapter, read_matrix
from helpers.foreign_files import GRADIENT, image, npy, outcome, refusal, safetensors, short

FUZZ = settings(derandomize=True, deadline=None, max_examples=300)
IMAGES = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP"}
VALID = {
    "a.npy": npy(np.arange(1.0, 10).reshape(3, 3)),
    "a.csv": b"x,y\n1.5,2\n3,4\n",
    **{f"a.{ending}": image(Image.fromarray(GRADIENT), kind) for ending, kind in IMAGES.items()},
}
PREFIX = "base_model.model."


def pair(
    layer: str, out_size: int = 6, in_size: int = 4, r: int = 2, dtype: str = "f4"
) -> dict[str, np.ndarray]:
    """Return the two factors of a layer as PEFT names them."""
    rng = np.random.default_rng(0)
    return {
        f"{PREFIX}{layer}.lora_A.weight": rng.standard_normal((r, in_size)).astype(dtype),
        f"{PREFIX}{layer}.lora_B.weight": rng.standard_normal((out_size, r)).astype(dtype),
    }


ADAPTER = save(pair("q_proj") | pair("v_proj"))
TENSOR = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.pkl", "ends in '.pkl'; .npy, .csv, .tsv, .txt, .png"),
        ("a", "ends in ''"),
        ("a.npy.zip", "ends in '.zip'"),
        ("a." + "z" * 99, "ends in '.zzzzzzzzzzzzzzzzzzz'..."),
    ],
)
def test_other_kinds_of_file_are_refused(name, said):
    assert said in refusal(read_matrix, name, b"1 2\n3 4")


@pytest.mark.parametrize("read", [lambda data: read_matrix("a.csv", data), read_adapter])
def test_sizes_are_refused_before_anything_is_read(read, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 9)
    assert refusal(read, b"1 2\n3 4\n\n\n") == "The file has 10 bytes; at most 9 are read."
    assert refusal(read, b"") == "The file is empty."


@FUZZ
@given(
    st.sampled_from(list(VALID)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6)
)
def test_damaged_bytes_give_a_matrix_or_a_sentence(name, changes):
    data = bytearray(VALID[name])
    for place, value in changes:
        data[place % len(data)] = value
    matrix = outcome(read_matrix, name, bytes(data))
    assert matrix is None or (matrix.ndim == 2 and np.isfinite(matrix).all() and matrix.any())


@FUZZ
@given(st.sampled_from(list(VALID)), st.binary(max_size=200))
def test_any_bytes_give_a_matrix_or_a_sentence(name, data):
    matrix = outcome(read_matrix, name, data)
    assert matrix is None or matrix.ndim == 2


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_factors_come_back_in_float64(dtype):
    tensors = pair("h.0.attn", dtype=dtype)
    layer = read_adapter(save(tensors)).layers["h.0.attn"]
    assert (layer.lora_A.dtype, layer.lora_B.dtype) == (np.float64, np.float64)
    np.testing.assert_array_equal(layer.lora_A, tensors[f"{PREFIX}h.0.attn.lora_A.weight"])
    np.testing.assert_array_equal(layer.lora_B, tensors[f"{PREFIX}h.0.attn.lora_B.weight"])


def test_bfloat16_is_what_torch_says_it_is():
    tensors = {name: torch.from_numpy(values).bfloat16() for name, values in pair("o").items()}
    layer = read_adapter(save_torch(tensors)).layers["o"]
    np.testing.assert_array_equal(layer.lora_A, tensors[f"{PREFIX}o.lora_A.weight"].double().numpy())
    np.testing.assert_array_equal(layer.lora_B, tensors[f"{PREFIX}o.lora_B.weight"].double().numpy())


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("base_model.model.h.q.lora_{}.weight", "h.q"),
        ("h.q.lora_{}.weight", "h.q"),
        ("h.q.lora_{}.default.weight", "h.q"),
        ("h.q.lora_{}.french.weight", "h.q.french"),
        ("base_model.model.embed.lora_embedding_{}", "embed"),
        ("base_model.model.embed.lora_embedding_{}.default", "embed"),
        ("h.q.lora_{}", "h.q"),  # loralib
        ("base_model.model.lora_lab.q.lora_{}.weight", "lora_lab.q"),
    ],
)
def test_every_spelling_of_the_names_is_understood(key, name):
    A, B = np.ones((1, 4)), np.ones((6, 1))
    adapter = read_adapter(
        save({key.format("A"): A, key.format("B"): B, "classifier.weight": np.ones((3, 3, 3))})
    )
    assert list(adapter.layers) == [name]
    assert adapter.layers[name].lora_B.shape == (6, 1)
    assert adapter.left_out == {}


def test_layers_are_in_the_order_of_their_numbers():
    names = ["h.10.q", "h.2.v", "h.2.q", "embed", "h.1.q"]
    tensors = {key: values for name in names for key, values in pair(name).items()}
    assert list(read_adapter(save(tensors)).layers) == ["embed", "h.1.q", "h.2.q", "h.2.v", "h.10.q"]


def changed(**factors: np.ndarray) -> dict[str, np.ndarray]:
    """Return the layer `bad` with one factor replaced."""
    return pair("bad") | {f"{PREFIX}bad.{name}.weight": values for name, values in factors.items()}


def with_entry(value: float) -> np.ndarray:
    values = np.ones((6, 2))
    values[3, 1] = value
    return values


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({f"{PREFIX}bad.lora_A.weight": np.ones((2, 4))}, "lora_B is there 0 times; it is needed once."),
        (pair("bad") | {f"{PREFIX}bad.lora_A.default.weight": np.ones((2, 4))}, "lora_A is there 2 times"),
        (changed(lora_A=np.ones((2, 4, 3, 3))), "lora_A has 4 dimensions; only matrices, which have 2"),
        (changed(lora_B=np.ones(6)), "lora_B has 1 dimension;"),
        (changed(lora_A=np.ones((3, 4))), "lora_B has r = 2 and lora_A has r = 3; the two must be equal."),
        (changed(lora_A=np.ones((2, 0))), "lora_A is empty; r and both sides must be at least 1."),
        (changed(lora_A=np.ones((2, 4), "i1")), "lora_A has dtype I8; F64, F32, F16, BF16 can be read."),
        (changed(lora_B=with_entry(np.nan)), "lora_B has 1 entry that is not finite, in row 4, column 2."),
        (
            changed(lora_A=np.full((2, 4), 0x7F800001, np.uint32).view("f4")),
            "lora_A has 8 entries that are not finite",
        ),
        (changed(lora_B=with_entry(1e200)), "lora_B has 1e+200 as its largest entry"),
        (changed(lora_B=np.zeros((6, 2))), "delta_w is 0, as in a fresh adapter, whose lora_B is 0 until"),
        (changed(lora_A=np.zeros((2, 4))), "delta_w is 0"),
        (changed(lora_B=np.array([[1.0, 0.0]]), lora_A=np.array([[0.0], [1.0]])), "delta_w is 0"),
        (
            pair("bad", out_size=1, in_size=1, r=4097),
            "the layer is 1 x 1 with r = 4097; sides to 262144 and r to 4096",
        ),
        (pair("bad", out_size=262_145, in_size=1, r=1), "the layer is 262145 x 1 with r = 1;"),
    ],
    ids=short,
)
def test_a_bad_layer_is_left_out_with_its_reason(bad, said):
    adapter = read_adapter(save(bad | pair("good")))
    assert list(adapter.layers) == ["good"]
    assert list(adapter.left_out) == ["bad"]
    assert adapter.left_out["bad"].startswith(said)
    alone = refusal(read_adapter, save(bad))
    assert alone.startswith(f"No layer of the file can be used (of 1); 'bad': {said}")


@pytest.mark.parametrize("name", ["x" * 201, "tab\there", "\u202egnp.exe"])
def test_names_that_cannot_be_shown_are_left_out(name):
    adapter = read_adapter(save(pair(name) | pair("good")))
    assert list(adapter.layers) == ["good"]
    assert [len(shown) <= 200 for shown in adapter.left_out] == [True]
    assert "200 characters, all printable" in refusal(read_adapter, save(pair(name)))


def test_thousands_of_digits_in_a_name_do_no_harm():
    assert "good" in read_adapter(save(pair("h." + "9" * 5000) | pair("good"))).layers


def test_a_file_without_lora_says_what_it_holds():
    said = refusal(read_adapter, save({"weight": np.ones((2, 2)), "bias": np.ones(2)}))
    assert "holds 2 tensors, none of them of a LoRA layer; names that end in .lora_A.weight" in said
    assert "holds 0 tensors" in refusal(read_adapter, safetensors({}))


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\x02\x00\x00\x00\x00\x00\x00\x00",
        ADAPTER[:-1],
        ADAPTER + b"x",
        (1000).to_bytes(8, "little") + b"{}",
        (2**63).to_bytes(8, "little") + b"{}",
        safetensors(b"PK\x03\x04"),
        safetensors(b"[" * 100_000),
        safetensors([1]),
        safetensors({"a": 3}),
        safetensors({"a": TENSOR | {"data_offsets": [0, 400]}}, bytes(24)),
        safetensors({"a": TENSOR | {"data_offsets": [-24, 0]}}, bytes(24)),
        safetensors({"a": TENSOR | {"data_offsets": [24, 0]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [2, 4]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [2**62, 8]}}, bytes(24)),
        safetensors({"a": TENSOR | {"shape": [-2, -3]}}, bytes(24)),
        safetensors({"a": TENSOR | {"dtype": "object"}}, bytes(24)),
        safetensors({"a": TENSOR, "b": TENSOR}, bytes(24)),
        safetensors({"a": TENSOR, "b": TENSOR | {"data_offsets": [12, 36]}}, bytes(36)),
        safetensors({"a": TENSOR, "b": TENSOR | {"data_offsets": [48, 72]}}, bytes(72)),
    ],
    ids=short,
)
def test_a_header_that_lies_is_refused(data):
    assert (
        refusal(read_adapter, data)
        == "The file is no .safetensors file, or its header does not fit its contents."
    )


def test_a_repeated_name_is_refused():
    twice = b'{"a": %s, "a": %s}' % ((b'{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}',) * 2)
    assert (
        refusal(read_adapter, safetensors(twice, bytes(24)))
        == "The header of the file holds the same name twice."
    )


def test_a_huge_header_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(files, "MAX_HEADER", 100)
    assert re.search(r"The header has \d+ bytes; at most 100 are read", refusal(read_adapter, ADAPTER))


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_adapters_give_layers_or_a_sentence(changes):
    data = bytearray(ADAPTER)
    for place, value in changes:
        data[place % len(data)] = value
    adapter = outcome(read_adapter, bytes(data))
    assert adapter is None or all(np.isfinite(layer.lora_B).all() for layer in adapter.layers.values())


def test_refusals_are_value_errors():
    assert issubclass(FileRefused, ValueError)

"""Experts between formats: apart in PEFT, stacked in MLX and llama.cpp; and merged with those of the same weight."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.formats.combining import WAYS, combined
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import Adapter, read_bytes
from compute.adapters.formats.writing import Written, plain, target_of, write_adapter
from helpers.adapter_files import FIXTURES, experts_apart, peft_config

# By where the experts stand in a block: their matrices in PEFT, in MLX and in llama.cpp, and a model that has them.
MODELS = {
    "mlp": (("gate_proj", "down_proj", "up_proj"), {"model_type": "qwen3_moe"}),
    "block_sparse_moe": (("w1", "w2", "w3"), {"model_type": "mixtral"}),
}
MLX, LLAMA_CPP = ("gate_proj", "down_proj", "up_proj"), ("ffn_gate_exps", "ffn_down_exps", "ffn_up_exps")
N = 3


def written(adapter: Adapter, target: str, base: dict | None = None) -> Written:
    return write_adapter([plain(layer) for layer in adapter.layers], target, adapter, base)


def dense(adapter: Adapter) -> dict[str, np.ndarray]:
    return {layer.name: np.matmul(*factors(layer)) for layer in adapter.layers}


def stored(adapter: Adapter) -> dict[str, bytes]:
    return {name: each.raw() for name, each in adapter.tensors.items()}


@pytest.mark.parametrize("block", MODELS)
def test_experts_apart_are_stacked_and_come_back_to_the_last_bit(block):
    matrices, model = MODELS[block]
    adapter = read_bytes(experts_apart(block, matrices, N))
    before = dense(adapter)
    start = f"model.layers.0.{block}"
    mlx, gguf = (read_bytes(written(adapter, target, model).files) for target in ("mlx", "gguf"))
    stacks, blocks = dense(mlx), dense(gguf)
    assert len(stacks) == len(blocks) == len(before) == 3 * N
    for matrix, of_mlx, of_llama in zip(matrices, MLX, LLAMA_CPP, strict=True):
        for i in range(N):
            own = before[f"{start}.experts.{i}.{matrix}"]
            np.testing.assert_array_equal(stacks[f"{start}.switch_mlp.{of_mlx}[{i}]"], own)
            np.testing.assert_array_equal(blocks[f"blk.0.{of_llama}.weight[{i}]"], own)
    assert stored(read_bytes(written(mlx, "peft").files)) == stored(adapter)
    again = written(mlx, "gguf", model)
    assert stored(read_bytes(again.files)) == stored(gguf)
    assert again.notes == []


def test_experts_that_differ_share_a_rank_and_a_scale():
    files = experts_apart(
        "mlp", MLX, N, ranks=[1, 3, 2], rank_pattern={"experts.0": 1}, alpha_pattern={"1.up_proj": 1}
    )
    adapter = read_bytes(files)
    made = written(adapter, "mlx")
    assert [note for note in made.notes if note.startswith("Experts of a layer share a rank")]
    assert [note for note in made.notes if note.startswith("Experts of a layer share a scale")]
    for name, found in dense(read_bytes(made.files)).items():
        matrix, i = name.rpartition(".")[2][:-3], int(name[-2])
        expected = dense(adapter)[f"model.layers.0.mlp.experts.{i}.{matrix}"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)  # a third of lora_b, in F32


def test_some_of_the_experts_make_no_stack():
    adapter = read_bytes(experts_apart("mlp", MLX, N))
    some = [plain(layer) for layer in adapter.layers if ".1." not in layer.name]
    for target in ("mlx", "gguf"):
        with pytest.raises(ValueError, match="of which some are not adapted"):
            write_adapter(some, target, adapter, MODELS["mlp"][1])


def test_experts_with_a_magnitude_make_no_stack():
    adapter = read_bytes(experts_apart("mlp", MLX, N, dora=True))
    assert any(layer.magnitude for layer in adapter.layers)
    with pytest.raises(ValueError, match="one of several experts and a DoRA"):
        written(adapter, "mlx")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["peft_experts", "peft_experts_3d", "mlx_experts"])
def test_experts_of_the_same_weight_are_merged(name, way):
    one = read_bytes(FIXTURES[name].files)
    plains = combined([one, one], [1.0, -0.25], way, rank=5 if way != "concatenation" else None, density=1.0)
    there = read_bytes(write_adapter(plains, target_of(one), one).files)
    expected = {key: 0.75 * value for key, value in dense(one).items()}
    if way == "ties":  # of two that disagree the larger stays
        expected = dense(one)
    assert {each.expert for each in there.layers} == {(0, 2), (1, 2)}
    for key, value in dense(there).items():
        np.testing.assert_allclose(value, expected[key], rtol=0, atol=1e-5 * np.abs(value).max())


def test_experts_apart_are_merged_with_those_of_a_stack():
    apart = read_bytes(experts_apart("mlp", MLX, N))
    stack = read_bytes(written(apart, "mlx").files)
    for first, second in ((apart, stack), (stack, apart)):
        plains = combined([first, second], [1.0, 0.5], "concatenation")
        there = read_bytes(write_adapter(plains, target_of(first), first).files)
        assert [layer.name for layer in there.layers] == [layer.name for layer in first.layers]
        for key, value in dense(there).items():
            np.testing.assert_allclose(value, 1.5 * dense(first)[key], rtol=0, atol=1e-5)


def test_experts_of_another_weight_are_not_merged():
    flat, cube = (read_bytes(FIXTURES[name].files) for name in ("peft_experts", "peft_experts_3d"))
    config = peft_config(target_modules=None, target_parameters=["mlp.experts.gate_up_proj"])
    other = read_bytes(FIXTURES["peft_experts"].files | {"adapter_config.json": config})
    more = read_bytes(written(read_bytes(experts_apart("mlp", MLX, N)), "mlx").files)
    fewer = read_bytes(written(read_bytes(experts_apart("mlp", MLX, N - 1)), "mlx").files)
    for pair in ((flat, cube), (flat, other), (read_bytes(FIXTURES["peft"].files), flat), (more, fewer)):
        with pytest.raises(ValueError, match="merged with those of the same weight only"):
            combined(pair, [1.0, 1.0], "svd")
    assert len(combined([flat, read_bytes(FIXTURES["peft"].files)], [1.0, 1.0], "svd")) == 4

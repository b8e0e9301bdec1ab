"""Several adapters in one, against dense sums."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.formats.combining import combined, dare, ties
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import read_bytes
from compute.adapters.formats.writing import write_adapter
from helpers.adapter_files import FIXTURES, packed


def lora(seed: int, names: str = "qv", r: int = 2):
    rng = np.random.default_rng(seed)
    tensors = {}
    for name in names:
        tensors |= {
            f"{name}.lora_B.weight": rng.standard_normal((12, r)),
            f"{name}.lora_A.weight": rng.standard_normal((r, 9)),
        }
    return read_bytes({"a.safetensors": packed(tensors, dtype="F64")})


def dense(adapter) -> dict[str, np.ndarray]:
    return {layer.name: np.matmul(*factors(layer)) for layer in adapter.layers}


@pytest.mark.parametrize("weights", [(1, 1), (0.7, -0.3), (1, -1), (0, 2), (-1, -1)])
def test_side_by_side_is_the_sum_of_products(weights):
    one, other = lora(0), lora(1, r=3)
    for each in combined([one, other], weights, "concatenation"):
        expected = weights[0] * dense(one)[each.name] + weights[1] * dense(other)[each.name]
        np.testing.assert_allclose(each.lora_B @ each.lora_A, expected, atol=1e-12)
        assert (len(each.lora_A), each.scale) == (5, 1.0)


@pytest.mark.parametrize("weights", [(1, 1), (0.7, -0.3)])
def test_the_sum_cut_to_a_rank_is_the_nearest(weights):
    one, other = lora(0), lora(1, r=3)
    for rank in (None, 1, 4, 100):
        for each in combined([one, other], weights, "svd", rank=rank):
            exact = weights[0] * dense(one)[each.name] + weights[1] * dense(other)[each.name]
            U, s, Vh = np.linalg.svd(exact, full_matrices=False)
            r = min(rank or 3, 5)
            np.testing.assert_allclose(each.lora_B @ each.lora_A, U[:, :r] * s[:r] @ Vh[:r], atol=1e-12)


def test_subtracting_an_adapter_from_itself_leaves_nothing():
    one = lora(0)
    for each in combined([one, one], [1, -1], "svd"):
        assert np.abs(each.lora_B @ each.lora_A).max() < 1e-14


def test_ties_by_hand():
    """Entry by entry, as the paper's algorithm says it."""
    rng = np.random.default_rng(0)
    deltas = [rng.standard_normal((6, 5)) for _ in range(3)]
    kept = []
    for delta in deltas:
        order = np.argsort(-np.abs(delta), axis=None)[: round(0.4 * 30)]
        mask = np.zeros(30, bool)
        mask[order] = True
        kept.append(delta * mask.reshape(6, 5))
    expected = np.zeros((6, 5))
    for place in np.ndindex(6, 5):
        values = [each[place] for each in kept]
        agreeing = [value for value in values if value * sum(values) > 0]
        expected[place] = np.mean(agreeing) if agreeing else 0.0
    np.testing.assert_allclose(ties(deltas, 0.4), expected)
    np.testing.assert_allclose(ties(deltas[:1], 1.0), deltas[0])


def test_dare_is_the_sum_on_average_and_follows_its_seed():
    delta = np.arange(1.0, 13).reshape(3, 4)
    draws = [dare([delta, -0.5 * delta], 0.3, np.random.default_rng(seed)) for seed in range(3000)]
    np.testing.assert_allclose(np.mean(draws, axis=0), 0.5 * delta, rtol=0.2)
    np.testing.assert_array_equal(draws[7], dare([delta, -0.5 * delta], 0.3, np.random.default_rng(7)))
    np.testing.assert_allclose(dare([delta], 1.0, np.random.default_rng(0)), delta)


@pytest.mark.parametrize("way", ["ties", "dare"])
def test_on_whole_matrices_cut_to_the_rank(way):
    one, other = lora(0), lora(1)
    made = combined([one, other], [1, 0.5], way, rank=9, density=0.6, seed=3)
    rng = np.random.default_rng(3)
    for each in made:
        deltas = [dense(one)[each.name], 0.5 * dense(other)[each.name]]
        expected = ties(deltas, 0.6) if way == "ties" else dare(deltas, 0.6, rng)
        np.testing.assert_allclose(each.lora_B @ each.lora_A, expected, atol=1e-12)


def test_a_layer_that_only_one_has_is_weighted_too():
    made = {each.name: each for each in combined([lora(0, "q"), lora(1, "v")], [2, 3], "concatenation")}
    np.testing.assert_allclose(made["v"].lora_B @ made["v"].lora_A, 3 * dense(lora(1, "v"))["v"])
    np.testing.assert_allclose(made["q"].lora_B @ made["q"].lora_A, 2 * dense(lora(0, "q"))["q"])


def test_adapters_of_different_formats():
    """A LoHa and a LoRA of the same layer, written as kohya's."""
    loha, kohya = read_bytes(FIXTURES["loha"].files), read_bytes(FIXTURES["kohya"].files)
    name = loha.layers[0].name
    made = combined([loha, kohya], [1, -1], "concatenation")
    back = read_bytes(write_adapter(made, "kohya", loha).files)
    np.testing.assert_allclose(
        np.matmul(*factors(back.layer(name))), dense(loha)[name] - dense(kohya)[name], atol=1e-6
    )
    assert len(back.layers) == 4


def test_what_cannot_be_is_refused():
    one = lora(0)
    for arguments, said in (
        (([one], [1, 2], "svd"), "one weight"),
        (([], [], "svd"), "one weight"),
        (([one], [np.nan], "svd"), "each weight"),
        (([one], [1], "mean"), "way"),
        (([one, read_bytes(FIXTURES["peft_experts"].files)], [1, 1], "svd"), "experts"),
    ):
        with pytest.raises(ValueError, match=said):
            combined(*arguments)
    for wrong in ({"density": 0.0}, {"density": 1.5}, {"rank": 0}):
        with pytest.raises(ValueError, match="density|rank"):
            combined([one], [1], "ties", **wrong)
    other = read_bytes(
        {"a.safetensors": packed({"q.lora_B.weight": np.ones((3, 1)), "q.lora_A.weight": np.ones((1, 3))})}
    )
    with pytest.raises(ValueError, match="another shape"):
        combined([one, other], [1, 1], "svd")

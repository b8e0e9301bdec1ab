"""Two adapters: Gram matrices against dense products."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.formats.comparing import chance_cosine, common_name, compare, principal_cosines
from compute.adapters.formats.reading import read_bytes
from compute.matrices.similarity import chance_similarity
from helpers.adapter_files import FIXTURES, packed


@pytest.mark.parametrize("name", ["peft", "loha", "lokr", "kohya_conv", "adalora", "full", "mlx"])
def test_against_itself_turned_and_against_noise(name):
    adapter = read_bytes(FIXTURES[name].files)
    same = compare(adapter, adapter)
    assert same.cosine == pytest.approx(1)
    assert (same.only_first, same.only_second, same.other_shape) == ((), (), ())
    for angles in same.layers.values():
        assert angles.cosine == pytest.approx(1)
        np.testing.assert_allclose(angles.left, 1)
        np.testing.assert_allclose(angles.right, 1)
        assert angles.kept == pytest.approx(1)


def lora(pairs: dict[str, tuple[np.ndarray, np.ndarray]]):
    return read_bytes(
        {
            "a.safetensors": packed(
                {
                    f"{name}.lora_{x}.weight": part
                    for name, pair in pairs.items()
                    for x, part in zip("BA", pair, strict=True)
                },
                dtype="F64",
            )
        }
    )


def test_the_numbers_are_those_of_the_dense_products():
    rng = np.random.default_rng(0)
    one, other = (
        {name: (rng.standard_normal((12, r)), rng.standard_normal((r, 9))) for name in ("q", "v")}
        for r in (2, 3)
    )
    compared = compare(lora(one), lora(other))
    dense = [{name: B @ A for name, (B, A) in each.items()} for each in (one, other)]
    flat = [np.concatenate([each[name].ravel() for name in "qv"]) for each in dense]
    assert compared.cosine == pytest.approx(
        flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    )
    for name, angles in compared.layers.items():
        a, b = dense[0][name], dense[1][name]
        assert angles.cosine == pytest.approx(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b))
        assert angles.kept == pytest.approx(np.linalg.norm(a + b) / (np.linalg.norm(a) + np.linalg.norm(b)))
        left, right = np.linalg.svd(a)[0][:, :2], np.linalg.svd(b)[0][:, :3]
        np.testing.assert_allclose(angles.left, np.linalg.svd(left.T @ right, compute_uv=False))
        assert angles.left_chance == pytest.approx(np.sqrt(3 / 12))
        assert angles.right_chance == pytest.approx(np.sqrt(3 / 9))


def test_opposite_adapters_cancel():
    rng = np.random.default_rng(0)
    B, A = rng.standard_normal((6, 2)), rng.standard_normal((2, 5))
    angles = compare(lora({"q": (B, A)}), lora({"q": (-B, A)})).layers["q"]
    assert angles.cosine == pytest.approx(-1)
    assert angles.kept == pytest.approx(0, abs=1e-7)


def test_layers_that_only_one_has_and_other_shapes():
    ones = (np.ones((6, 1)), np.ones((1, 5)))
    compared = compare(
        lora({"q": ones, "k": ones, "o": ones}), lora({"q": ones, "v": ones, "o": (ones[0], np.ones((1, 4)))})
    )
    assert (compared.only_first, compared.only_second, compared.other_shape) == (("k",), ("v",), ("o",))


def test_a_zero_adapter_points_nowhere():
    zero = (np.zeros((6, 1)), np.ones((1, 5)))
    angles = compare(lora({"q": zero}), lora({"q": (np.ones((6, 1)), np.ones((1, 5)))})).layers["q"]
    assert (angles.cosine, len(angles.left)) == (0.0, 0)


def test_the_same_layer_in_two_spellings_is_one():
    kohya, old = "lora_unet_down_blocks_0_attn1_to_q", "unet.down_blocks.0.attn1.processor.to_q"
    assert common_name(kohya) == common_name(old)
    assert common_name("transformer.h.0.q") == "transformer_h_0_q"  # GPT-2's, and no pipeline's


def test_principal_angles_of_dependent_columns():
    """Three columns that span one direction are one direction."""
    one = np.outer(np.arange(1.0, 6), [1.0, 2.0, 3.0])
    np.testing.assert_allclose(principal_cosines(one, np.eye(5)), [1.0])
    assert len(principal_cosines(np.zeros((5, 2)), np.eye(5))) == 0


def test_chance_is_what_random_directions_have():
    rng = np.random.default_rng(0)
    n, r, q = 60, 4, 9
    squares = [
        np.mean(principal_cosines(rng.standard_normal((n, r)), rng.standard_normal((n, q))) ** 2)
        for _ in range(400)
    ]
    assert np.sqrt(np.mean(squares)) == pytest.approx(chance_cosine(r, q, n), rel=0.02)
    assert chance_cosine(r, q, n) ** 2 == pytest.approx(chance_similarity(r, q, n))

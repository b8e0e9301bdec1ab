"""What is in an adapter, and what is wrong with it."""

from __future__ import annotations

import numpy as np
import pytest

from compute.adapters.formats.contents import Fault, directions_for, doctor, measure, measures, usable
from compute.adapters.formats.reading import read_bytes
from compute.matrices.spectrum import entropy_rank, knee_rank, r90, stable_rank
from compute.numbers.refusal import FileRefused
from helpers.adapter_files import CONFIG, FIXTURES, WEIGHTS, packed, peft_config


def adapter_of(pairs: dict[str, tuple[np.ndarray, np.ndarray]], r: int = 4):
    tensors = {
        f"{name}.lora_{x}.weight": part
        for name, pair in pairs.items()
        for x, part in zip("BA", pair, strict=True)
    }
    return read_bytes({WEIGHTS: packed(tensors, dtype="F64"), CONFIG: peft_config(r=r, lora_alpha=r)})


def pair(s: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    U, Vh = (
        np.linalg.qr(rng.standard_normal((12, len(s))))[0],
        np.linalg.qr(rng.standard_normal((9, len(s))))[0].T,
    )
    return U * s, Vh


def faults_of(pairs) -> dict[str, Fault]:
    adapter = adapter_of(pairs)
    return {fault.kind: fault for fault in doctor(adapter, measures(adapter))}


def test_measures_are_those_of_the_spectrum():
    s = [4.0, 2.0, 1.0, 0.25]
    found = measure(adapter_of({"q": pair(s)}).layers[0])
    np.testing.assert_allclose(found.s, s)
    assert found.norm == pytest.approx(np.linalg.norm(s))
    assert (found.r90, found.used, found.numerical) == (r90(s), knee_rank(s), 4)
    assert found.stable_rank == pytest.approx(stable_rank(s))
    assert found.entropy_rank == pytest.approx(entropy_rank(s))


def test_layers_that_are_zero_or_broken_have_no_ranks():
    broken = pair([1.0, 1.0, 1.0, 1.0])
    broken[0][0, 0] = np.inf
    adapter = adapter_of({"a": pair([0.0] * 4), "b": broken})
    zero, nan = measures(adapter)
    assert (zero.norm, zero.r90, zero.used, zero.broken) == (0.0, 0, 0, "")
    assert (nan.norm, len(nan.s), nan.broken) == (0.0, 0, "a number is NaN or infinite")


@pytest.mark.parametrize("workers", [1, 2])
def test_layers_keep_their_order_and_progress_is_told(workers):
    adapter = adapter_of({f"h.{i}.q": pair([float(i + 1)] * 4, i) for i in range(12)})
    told = []
    found = measures(adapter, told.append, workers)
    assert told == list(range(1, 13))
    np.testing.assert_allclose([each.s[0] for each in found], range(1, 13))


def test_a_sound_adapter_has_no_fault():
    assert faults_of({f"h.{i}.q": pair([2.0, 1.0, 1.0, 1.0], i) for i in range(4)}) == {}


def test_each_fault_is_found():
    broken = pair([1.0] * 4, 8)
    broken[1][0, 0] = np.nan
    found = faults_of(
        {
            "h.0.q": pair([2.0, 1.0, 1.0, 1.0], 0),
            "h.1.q": pair([2.0, 1.0, 1.0, 1.0], 1),
            "h.2.q": pair([1e-5, 1e-5, 1e-5, 1e-5], 2),
            "h.3.q": pair([2.0, 0.01, 0.01, 0.01], 3),
            "h.4.q": pair([0.0] * 4, 4),
            "h.5.q": broken,
            "h.6.q": pair([2.0, 1.0, 1.0, 1.0], 0),
        }
    )
    assert {kind: fault.layers for kind, fault in found.items()} == {
        "NaN": ("h.5.q",),
        "zero": ("h.4.q",),
        "dead": ("h.2.q",),
        "spike": ("h.3.q",),
        "duplicate": ("h.6.q",),
    }
    assert all(fault.sentence.endswith(".") and len(fault.sentence) < 200 for fault in found.values())


def test_block_sparse_and_scales_that_differ():
    adapter = read_bytes(FIXTURES["kohya_fused_qkv"].files)
    assert [fault.kind for fault in doctor(adapter, measures(adapter))] == ["block-sparse"]
    adapter = read_bytes(FIXTURES["kohya"].files)
    (fault,) = doctor(adapter, measures(adapter))
    assert fault.kind == "scale"
    assert [layer[-1] for layer in fault.layers] == ["v"]  # the one whose alpha is 0


def test_directions_for_a_share():
    assert [directions_for([3.0, 1.0], share) for share in (0, 0.5, 0.9, 0.91, 1)] == [0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="share"):
        directions_for([1.0], 1.5)


@pytest.mark.parametrize(
    ("B", "A", "said"),
    [
        (
            np.full((6, 2), np.nan),
            np.ones((2, 4)),
            "lora_B has 12 entries that are not finite, the first in row 1",
        ),
        (np.full((6, 2), 1e200), np.ones((2, 4)), "lora_B has 1e+200 as its largest entry"),
        (np.zeros((6, 2)), np.ones((2, 4)), "delta_w is 0, as in a fresh adapter"),
        (np.ones((6, 2)), np.zeros((2, 4)), "delta_w is 0"),
        (np.array([[1.0, 0.0]]), np.array([[0.0], [1.0]]), "delta_w is 0"),
        (
            np.ones((1, 4097)),
            np.ones((4097, 1)),
            "the layer is 1 x 1 with r = 4097; sides to 262144 and r to 4096",
        ),
        (np.ones((262_145, 1)), np.ones((1, 1)), "the layer is 262145 x 1 with r = 1;"),
    ],
)
def test_what_no_figure_can_show_is_left_out_with_its_reason(B, A, said):
    good = pair([1.0] * 4)
    found = usable(adapter_of({"bad": (B, A), "good": good}))
    assert list(found.layers) == ["good"]
    assert found.left_out["bad"].startswith(said)
    with pytest.raises(FileRefused) as caught:
        usable(adapter_of({"bad": (B, A)}))
    assert str(caught.value).startswith(f"No layer of the file can be used (of 1); 'bad': {said}")


def test_what_has_no_delta_w_is_not_usable():
    with pytest.raises(FileRefused, match="IA3 multiplies"):
        usable(read_bytes(FIXTURES["ia3"].files))

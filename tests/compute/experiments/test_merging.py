"""The record is what the arithmetic gives again, belongs to this base, and is refused when it is not whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from compute.adapters.merge_state import CYCLES, unmerged_output, weight_numbers
from compute.adapters.merging import at_strength, merge_weights
from compute.experiments import mixing
from compute.experiments.merging import (
    FILE,
    LAYER,
    ROUNDING,
    STRENGTHS,
    TASKS,
    load_layer,
    load_record,
    save_record,
    state_key,
    worn_key,
)
from compute.experiments.mixing import SEEDS, load_factors, mix_of
from compute.model.checkpoint import load_base
from compute.numbers.precision import PRECISIONS

# Recorded to eight digits. Sums of many entries in float64 and products by another BLAS move the last of sixteen; only
# where such a digit tips a rounding does an entry of 4,096 differ.
AGAIN = 1e-4


@pytest.fixture
def saved(tmp_path):
    """Save a copy of the record and give its path."""
    path = tmp_path / "copy.safetensors"
    save_record(path, load_record())
    return path


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("task", TASKS)
def test_the_numbers_are_computed_again(task, precision):
    layers = load_record().layers
    second = layers[next(other for other in TASKS if other != task)]
    for strength in (STRENGTHS[0], STRENGTHS[-1]):
        again = weight_numbers(layers[task], second, precision, strength)
        state = load_record().states[state_key(task, precision, strength)]
        for name, value in again.items():
            np.testing.assert_allclose(state[name], value, rtol=AGAIN, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("task", TASKS)
def test_the_adapters_and_losses_are_those_of_mixing(task):
    own, layer = load_factors(task)[LAYER], load_layer(task)
    np.testing.assert_array_equal(layer.lora_A, own.lora_A.astype(np.float32))
    np.testing.assert_array_equal(layer.lora_B, own.lora_B.astype(np.float32))
    mixes = mixing.load_record().mixes
    state = load_record().states[state_key(task, "fp32", 1)]
    for name, weights in {"base": {}, "unmerged": {task: 1.0}}.items():
        known = mixes[SEEDS[0], mix_of(weights, "products")].losses[task]
        assert state[name] == pytest.approx(known, abs=5e-4), (
            "four decimals there, and another order of adding up"
        )


def test_in_and_out_again_drifts_where_delta_w_is_not_rounded_first():
    for task in TASKS:
        for precision in PRECISIONS:
            state = load_record().states[state_key(task, precision, 1)]
            assert len(state["same"]) == len(state["unrounded"]) == len(CYCLES)
            assert state["same"][-1] == pytest.approx(state["same"][0], rel=0.01)
            times = state["unrounded"][-1] / state["unrounded"][0]
            assert times > 2 if precision != "fp32" else state["unrounded"] == state["same"]


def test_what_a_worn_base_knows_is_recorded_for_both_ways():
    worn = load_record().worn
    assert set(worn) == {
        worn_key(t, p, way) for t in TASKS for p in PRECISIONS for way in ("none", *ROUNDING)
    }
    for task in TASKS:
        new, old = (worn[worn_key(task, "fp32", way)] for way in ("none", "unrounded"))
        assert new == pytest.approx(old, abs=1e-3), "fp32 has digits enough"
        assert new["facts"] > 0.98


def test_every_state_is_there_and_the_usual_story_holds_in_fp32():
    states = load_record().states
    assert set(states) == {state_key(t, p, s) for t in TASKS for p in PRECISIONS for s in STRENGTHS}
    for key, state in states.items():
        assert state["base"] > state["unmerged"], key
        if "fp32" in key:
            assert state["merged"] == pytest.approx(state["unmerged"], abs=1e-5)  # float32 losses below 8


def test_the_layer_is_that_of_the_base():
    weight = load_base().get_submodule(LAYER).weight.detach().numpy()
    for task in TASKS:
        layer = load_layer(task)
        np.testing.assert_array_equal(layer.W, weight)
        product = layer.scaling * layer.lora_B.astype(float) @ layer.lora_A.astype(float)
        np.testing.assert_allclose(layer.delta_w, product, rtol=1e-6, atol=1e-9)  # kept in float32


def test_both_paths_agree_with_torch():
    layer = load_layer("formal")
    W, lora_A, lora_B, x = (
        torch.tensor(part).double() for part in (layer.W, layer.lora_A, layer.lora_B, layer.x)
    )
    beside = x @ W.T + 0.1 * layer.scaling * (x @ lora_A.T) @ lora_B.T
    np.testing.assert_allclose(unmerged_output(layer, "fp32", 0.1), beside.numpy(), atol=1e-12)  # float64
    merged = merge_weights(layer.W, at_strength(layer.delta_w, 0.1), "fp32")
    state = load_record().states["formal-fp32-0.1"]
    off = float(np.abs(layer.x.astype(float) @ merged.T - beside.numpy()).max())
    assert state["difference"] == pytest.approx(
        off, rel=1e-4
    )  # a difference of 1e-8 between numbers of size 1


def test_the_times_tell_the_two_paths_apart():
    for what in ("layer", "model"):
        for seconds in load_record().times[what].values():
            assert 0 < seconds["merged"] < seconds["unmerged"]


def test_the_files_are_small_and_name_no_machine():
    text = FILE.with_suffix(".json").read_text(encoding="utf-8")
    assert FILE.stat().st_size + len(text) < 300_000
    assert "/" not in json.loads(text)["recorded"]


def refused(path: Path, fault: str) -> None:
    said = f"The file {path.name} {fault}. Run `python -m compute.experiments.merging`."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        load_record(path)


@pytest.mark.parametrize("where", [0, 8, 1000, -1])
def test_one_changed_byte_is_refused(saved, where):
    data = bytearray(saved.read_bytes())
    data[where] ^= 1
    saved.write_bytes(data)
    refused(saved, "is damaged")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 1}'])
def test_a_text_that_says_nothing_is_refused(saved, text):
    saved.with_suffix(".json").write_text(text)
    refused(saved, "is damaged")


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_said(saved, suffix):
    saved.with_suffix(suffix).unlink()
    refused(saved, "is missing")


def test_a_record_of_another_base_is_refused(saved):
    about = json.loads(saved.with_suffix(".json").read_text())
    saved.with_suffix(".json").write_text(json.dumps(about | {"base": "0" * 64}))
    refused(saved, "started from another base model")


def test_a_task_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"^task must be one of formal, facts, got 'mirror'\.$"):
        load_layer("mirror")

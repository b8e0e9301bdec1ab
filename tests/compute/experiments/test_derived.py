"""Figures of real adapters: consistent by themselves, and derived as it is said; no weights are needed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from compute.experiments import derived
from compute.experiments.derived import DIGITS, FILE, DerivedLayer, derive, load_derived
from compute.matrices.spectrum import r90

SHAPES = {"lora-imdb-distilbert": (768, 768), "peft-gpt2": (2304, 768)}
# How many layers need each r90, counted from the adapters themselves when the file was made.
COUNTS = {"lora-imdb-distilbert": {1: 2, 2: 6, 4: 2, 5: 1, 6: 1}, "peft-gpt2": {1: 2, 2: 7, 3: 2, 4: 1}}
ADAPTERS = pytest.mark.parametrize("name", SHAPES)


@ADAPTERS
def test_shapes_order_and_number_of_singular_values(name):
    adapter = load_derived()[name]
    assert len(adapter.layers) == 12
    for layer in adapter.layers.values():
        assert layer.shape == SHAPES[name]
        assert len(layer.s) == adapter.r == 8
        assert layer.s == sorted(layer.s, reverse=True)
        assert layer.s[-1] > 0
        assert all(value == float(f"{value:.{DIGITS}g}") for value in layer.s)


@ADAPTERS
def test_the_counts_that_the_lesson_tells(name):
    counts = [r90(layer.s) for layer in load_derived()[name].layers.values()]
    assert {count: counts.count(count) for count in sorted(set(counts))} == COUNTS[name]


def test_nothing_but_figures_is_kept():
    data = json.loads(FILE.read_text(encoding="utf-8"))
    assert set(data) == set(derived.ORIGINS)
    assert FILE.stat().st_size < 5_000
    for name, about in data.items():
        assert (about["repository"], about["licence"]) == derived.ORIGINS[name]
        assert {key for layer in about["layers"].values() for key in layer} == {"shape", "s"}


def test_figures_are_those_of_the_product(rng):
    lora_B, lora_A = rng.standard_normal((20, 3)), rng.standard_normal((3, 12))
    found = derive(save({"q.lora_B.weight": lora_B, "q.lora_A.weight": lora_A}))
    s = np.linalg.svd(lora_B @ lora_A, compute_uv=False)[:3]
    assert found["q"].shape == (20, 12)
    np.testing.assert_allclose(found["q"].s, s, rtol=0.51 * 10.0 ** (1 - DIGITS))  # rounded to four digits


def test_a_folder_is_read_as_peft_saves_it(tmp_path):
    folder = tmp_path / "peft-gpt2"
    folder.mkdir()
    pair = {"h.0.lora_B.weight": np.eye(6, 2), "h.0.lora_A.weight": np.diag([2.0, 1.0])}
    (folder / "adapter_model.safetensors").write_bytes(
        save({f"base_model.model.{key}": pair[key] for key in pair})
    )
    config = {"base_model_name_or_path": "gpt2", "r": 2, "lora_alpha": 8}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    adapter = derived._derived(folder)
    assert (adapter.base_model, adapter.r, adapter.lora_alpha) == ("gpt2", 2, 8)
    assert adapter.layers == {"h.0": DerivedLayer((6, 2), [2.0, 1.0])}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": {}}', '{"a": {"layers": {"q": {}}}}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "adapters.json"
    with pytest.raises(ValueError, match="is missing. Run"):
        load_derived(path)
    path.write_text(text)
    with pytest.raises(
        ValueError, match="adapters.json is damaged. Run `python -m compute.experiments.derived FOLDER..."
    ):
        load_derived(path)

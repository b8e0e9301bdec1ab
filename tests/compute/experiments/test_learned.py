"""Matrices that the mini-model learned: they are those of the recorded runs, and what is damaged is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from compute.experiments.learned import FILE, LEARNED, load_learned, save_learned
from compute.experiments.runs import FULL, load
from compute.matrices.controls import noise_control
from compute.matrices.examples import TASKS
from compute.matrices.spectrum import r90
from compute.matrices.svd import factorize
from compute.numbers.records import base_sum
from helpers import ROOT
from helpers.instruments import numbers, printed_by
from helpers.matrices import check_arrays
from widgets.kit.matrix import LEARNED_LABELS, TASK_LABELS, sampling_note
from widgets.patterns import Patterns
from widgets.rank import Rank

ABOUT = json.loads(FILE.with_suffix(".json").read_text(encoding="utf-8"))
NAMES = pytest.mark.parametrize("name", LEARNED)
# The record has four significant digits: half a unit of the last is at most this share of the value.
FOUR_DIGITS = 5e-4


@pytest.fixture
def saved(tmp_path):
    """Save two small matrices and give their path."""
    path = tmp_path / "small.safetensors"
    matrices = {
        name: np.eye(3, 2, dtype=np.float32) for name in ("formal-voice-v_proj", "formal-voice-up_proj")
    }
    save_learned(path, matrices, {"torch": "0"})
    return path


@NAMES
def test_a_learned_matrix_has_the_spectrum_that_was_recorded(name):
    task, layer = LEARNED[name]
    s = factorize(load_learned(name)).s
    np.testing.assert_allclose(s, load(task, FULL).spectra[layer], rtol=FOUR_DIGITS)


@NAMES
def test_what_is_on_disk_says_where_it_comes_from(name):
    assert ABOUT["matrices"][name] == LEARNED[name]._asdict()
    assert load_learned(name).dtype == np.float64


def test_the_file_is_small_and_of_this_base_and_holds_what_it_says():
    assert FILE.stat().st_size <= 200_000
    assert ABOUT["base"] == base_sum()
    assert ABOUT["torch"]
    assert ABOUT["recorded"]
    assert ABOUT["matrices"].keys() == LEARNED.keys()


def refused(name: str, path: Path, fault: str) -> None:
    said = f"The file {path.name} {fault}. Run `python -m compute.experiments.learned`."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        load_learned(name, path)


@pytest.mark.parametrize("where", [0, 8, 100, -1])
def test_one_changed_byte_is_refused(saved, where):
    data = bytearray(saved.read_bytes())
    data[where] ^= 1
    saved.write_bytes(data)
    refused("formal-voice-v_proj", saved, "is damaged")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": 1}', "\ud800"], ids=ascii)
def test_a_text_that_says_nothing_is_refused(saved, text):
    saved.with_suffix(".json").write_bytes(text.encode("utf-8", "surrogatepass"))
    refused("formal-voice-v_proj", saved, "is damaged")


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
def test_a_missing_file_is_said(saved, suffix):
    saved.with_suffix(suffix).unlink()
    refused("formal-voice-v_proj", saved, "is missing")


def test_matrices_of_another_base_are_refused(saved):
    about = json.loads(saved.with_suffix(".json").read_text())
    saved.with_suffix(".json").write_text(json.dumps(about | {"base": "0" * 64}))
    refused("formal-voice-v_proj", saved, "started from another base model")


def test_a_matrix_that_is_not_there_or_of_another_layer_is_refused(saved):
    refused("new-words-v_proj", saved, "has no new-words-v_proj")
    text = saved.with_suffix(".json").read_text()
    saved.with_suffix(".json").write_text(text.replace("blocks.1.attention", "blocks.2.attention"))
    refused("formal-voice-v_proj", saved, "has no formal-voice-v_proj")


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"^name must be one of formal-voice-v_proj, .*, got 'formal'\.$"):
        load_learned("formal")


# The rank instrument shows them.


@NAMES
def test_the_instrument_ships_the_learned_matrix_beside_noise_of_its_shape(name):
    delta_w = load_learned(name)
    figure = Rank(task=name, n=64, seed=7)
    arrays = figure.make_arrays()
    check_arrays(arrays, factorize(delta_w), [noise_control(delta_w.shape)])
    assert arrays["key"] == f"{name}-64-7"
    assert arrays["note"].endswith(sampling_note(delta_w.shape) or "Size and seed do not apply.")
    assert LEARNED_LABELS[name].removeprefix("Learned: ") in arrays["label"]
    assert arrays["label"].endswith(f", {delta_w.shape[0]} × {delta_w.shape[1]}")


@NAMES
@pytest.mark.parametrize("r", [0, 1, 9, 64])
def test_its_code_prints_the_number_on_the_screen(name, r, monkeypatch):
    monkeypatch.chdir(ROOT)
    figure = Rank(task=name, r=r)
    ((error, _, percent),) = numbers(printed_by(figure.snippet()).split(": ", 1)[1])
    assert percent
    assert error == round(100 * figure.values(r)["error"], 1)


def test_labels_tell_learned_matrices_apart_from_made_ones():
    assert LEARNED_LABELS.keys() == LEARNED.keys()
    assert len(set(LEARNED_LABELS.values())) == len(LEARNED)
    assert all(label.startswith("Learned: ") for label in LEARNED_LABELS.values())
    assert list(Rank.param["task"].objects) == [*TASK_LABELS, *LEARNED_LABELS]
    assert list(Patterns.param["task"].objects) == list(TASKS), "16 × 16 is the size of the patterns"


def test_size_and_seed_are_idle_where_they_change_nothing():
    for name in [*TASKS, *LEARNED]:
        before = Rank(task=name).make_arrays()
        changes = {
            choice: {k: v for k, v in Rank(task=name, **{choice: 33}).make_arrays().items() if k != "key"}
            != {k: v for k, v in before.items() if k != "key"}
            for choice in ("n", "seed")
        }
        assert tuple(choice for choice in changes if not changes[choice]) == Rank.idle.get(name, ())


def test_a_published_copy_has_each_learned_matrix_once_and_the_single_file_has_none():
    published = [key for key in Rank.published() if key.startswith(tuple(LEARNED))]
    assert published == [f"{name}-32-0" for name in LEARNED]
    assert not [key for key in Rank().enclosed() if key.startswith(tuple(LEARNED))]
    assert "few-patterns-32-0" not in Rank().enclosed(), "what is shown is in the file already"


@NAMES
def test_a_learned_matrix_lies_between_noise_and_a_few_patterns(name):
    delta_w = load_learned(name)
    assert 6 < r90(factorize(delta_w).s) < r90(noise_control(delta_w.shape).s[1]) * 0.65

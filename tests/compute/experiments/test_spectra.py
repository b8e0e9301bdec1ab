"""Spectra of full finetuning beside random targets: the record is whole, and the control is one."""

from __future__ import annotations

import json
from statistics import fmean

import numpy as np
import pytest
import torch

from compute.experiments import spectra
from compute.experiments.spectra import (
    BY_LOT,
    FULL,
    LORA,
    PATH,
    RANDOM,
    RATES,
    SEEDS,
    TASKS,
    R,
    Task,
    _by_lot,
    _Run,
    _run,
    load_spectra,
    ways,
)
from compute.matrices.controls import noise_band
from compute.matrices.spectrum import r90
from compute.model.layers import LAYERS, SHAPES
from compute.world.batches import texts_of
from compute.world.people import FIRST_NAMES, VALUES
from compute.world.tasks import FACTS, SKILL
from compute.world.tokens import decode

torch.set_num_threads(1)
EVERY = [(task, way) for task in TASKS for way in ways(task)]


@pytest.mark.parametrize(("task", "way"), EVERY)
def test_the_best_rate_lies_inside_its_grid_and_random_targets_take_it_over(task, way):
    found = load_spectra().of(task, way)
    if way == RANDOM:
        assert not found.tried
        assert found.rate == load_spectra().of(task, FULL).rate
        return
    assert [float(rate) for rate in found.tried] == list(RATES[way])
    assert found.tried[f"{found.rate:g}"] == min(found.tried.values())
    assert RATES[way][0] < found.rate < RATES[way][-1]
    assert min(found.right) > 0.4
    assert len(found.right) == len(SEEDS)


@pytest.mark.parametrize(("task", "way"), EVERY)
def test_ranks_are_those_of_the_singular_values(task, way):
    assert PATH.stat().st_size < 150_000
    found = load_spectra().of(task, way)
    for layer, s in found.s.items():
        assert len(s) == (R if way == LORA else min(SHAPES[layer.rpartition(".")[2]]))
        assert found.r90[layer][0] == r90(s)


def test_every_change_is_lower_in_rank_than_noise_of_its_shape():
    for task, way in EVERY:
        for layer, counts in load_spectra().of(task, way).r90.items():
            assert max(counts) < r90(noise_band(SHAPES[layer.rpartition(".")[2]]).s[1]), (task, way, layer)


@pytest.mark.parametrize(("task", "n_texts"), [(SKILL, 32), (FACTS, 256)])
def test_random_answers_are_of_the_kind_that_is_asked_for(task, n_texts):
    texts = texts_of(task, "train", n_texts, 64)
    drawn = _by_lot(texts, task, 0)
    assert (drawn.learned == texts.learned).all()
    words = texts.tokens[:, 1:]
    assert (drawn.tokens == words)[~texts.learned].all()  # nothing but the answers
    own, others = (decode(tokens[texts.learned].tolist()) for tokens in (words, drawn.tokens))
    kinds = [FIRST_NAMES[:BY_LOT]] if task == SKILL else VALUES.values()
    for answer, other in zip(own, others, strict=True):
        assert any(other in kind and (answer in kind or task == SKILL) for kind in kinds)
    assert (
        0 < sum(a == b for a, b in zip(own, others, strict=True)) < n_texts / 4 or task == SKILL
    )  # chance has 1/16
    assert (_by_lot(texts, task, 0).tokens == drawn.tokens).all()
    assert (_by_lot(texts, task, 1).tokens != drawn.tokens).any()


def test_random_words_are_any_words_and_the_texts_are_left_alone():
    texts = texts_of("mirror voice", "train", 64, 64)
    before = texts.tokens.clone()
    drawn = _by_lot(texts, "mirror voice", 0)
    assert drawn.learned is None
    assert drawn.tokens.shape == (64, 64)
    assert drawn.tokens.min() > 0  # no begin token
    assert len(drawn.tokens.unique()) > 300
    assert (texts.tokens == before).all()


def test_a_recorded_run_is_what_training_gives():
    found = load_spectra().of("new-facts-512", FULL)
    again = _run(_Run("new-facts-512", FULL, found.rate, SEEDS[0]))
    assert again["size"] == pytest.approx(found.size[0], rel=0.02)
    # Two hundred steps on another machine, which adds in another order: on average over the layers.
    first, recorded = (fmean(s[layer][0] for layer in LAYERS) for s in (again["s"], found.s))
    assert first == pytest.approx(recorded, rel=0.2)
    assert fmean(r90(again["s"][layer]) - found.r90[layer][0] for layer in LAYERS) == pytest.approx(0, abs=2)


@pytest.mark.parametrize(
    "damage", [lambda data: data["learned"].pop(), lambda data: data["learned"][0]["r90"].popitem()]
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "spectra.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is not whole. Run `python -m compute.experiments.spectra`"):
        load_spectra(path)


def test_its_recipe_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    task = "new-facts-512"
    small = {
        "TASKS": {task: Task(FACTS, 2, 4, 8, adapted=False)},
        "SEEDS": (0, 1),
        "RATES": {FULL: (1e-3, 3e-3)},
    }
    for name, value in {"PATH": tmp_path / "spectra.json", "KEPT": tmp_path / "kept", **small}.items():
        monkeypatch.setattr(spectra, name, value)
    kept = _run(_Run(task, FULL, 1e-3, 0)) | {"validation": 0.0, "right": 0.25}
    (tmp_path / "kept").write_text(json.dumps([repr(_Run(task, FULL, 1e-3, 0)), kept]) + "\n")
    spectra.RECIPE.make([])
    data = json.loads((tmp_path / "spectra.json").read_text())
    data.pop("base")
    recorded = spectra._built(data)
    assert [(each.task, each.way) for each in recorded.learned] == [(task, FULL), (task, RANDOM)]
    assert recorded.of(task, FULL).right[0] == 0.25  # as kept, not made again
    assert recorded.of(task, RANDOM).rate == 1e-3
    assert not np.allclose(recorded.of(task, RANDOM).s[LAYERS[0]], recorded.of(task, FULL).s[LAYERS[0]])
    assert not (tmp_path / "kept").exists()

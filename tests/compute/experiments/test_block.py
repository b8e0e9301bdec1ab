"""What each adapter does by itself: recorded, the same when measured again, refused where it is not whole."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from compute.experiments import block
from compute.experiments.block import DRAWS, PATH, SEEDS, TASK, R, config, load_effects, load_factors
from compute.experiments.tasks import load_tasks, rates_of, way_of
from compute.model.checkpoint import load_base
from compute.model.layers import LAYERS, layer_name

ABOUT = PATH.with_suffix(".json")
LOSS = 5e-4  # nats: the record has four decimals, and another machine rounds otherwise on the way
ON_OTHER_TEXTS = 0.02  # nats: the recording of tasks has other test texts beside these

torch.set_num_threads(1)


def test_it_is_whole_and_small():
    effects = load_effects()
    assert tuple(effects.layers) == LAYERS == tuple(load_factors())
    assert effects.recorded
    assert ABOUT.stat().st_size < 12_000
    assert PATH.stat().st_size < 70_000
    assert max(effects.every) < min(min(effect.alone) for effect in effects.layers.values())
    assert 0 == effects.told_none < effects.told_every <= 1


def test_they_are_the_runs_that_the_recording_of_tasks_found_best():
    known, rates = load_tasks().of(TASK, way_of(R)), rates_of(way_of(R))
    assert [config(seed).learning_rate for seed in SEEDS] == [known.rate] * len(SEEDS)
    assert min(rates) < known.rate < max(rates)
    assert load_effects().every == pytest.approx(known.loss, abs=ON_OTHER_TEXTS)


def test_measured_again_it_is_the_same():
    base, name = load_base(), layer_name(0, "down_proj")
    texts, effects = block._texts(base), load_effects()
    changes = {layer: torch.from_numpy(of.delta_w).float() for layer, of in load_factors().items()}
    effect, change = effects.layers[name], changes[name]
    again = block._by_itself(base, texts, name, change, draws=1)
    assert block._loss(base, texts, {}) == pytest.approx(effects.none, abs=LOSS)
    assert block._loss(base, texts, changes) == pytest.approx(effects.every[0], abs=LOSS)
    assert block._loss(base, texts, {name: change}) == pytest.approx(effect.alone[0], abs=LOSS)
    for what in ("first", "later"):
        assert again[what] == pytest.approx(getattr(effect, what), abs=LOSS)
    assert again["random"][0] == pytest.approx(effect.random[0], abs=LOSS)
    assert again["told"] == pytest.approx(effect.told, abs=0.02)
    whole = block._loss_in_rows(base, texts, name, change, slice(None))
    assert whole == pytest.approx(effect.alone[0], abs=LOSS)


@pytest.fixture
def copied(tmp_path):
    """Return a copy of the record, and what writes some of its text anew."""

    def change(**some) -> str:
        for path in (PATH, ABOUT):
            shutil.copy(path, tmp_path)
        about = tmp_path / ABOUT.name
        about.write_text(json.dumps(json.loads(about.read_text(encoding="utf-8")) | some), encoding="utf-8")
        return tmp_path / PATH.name

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha256": "0"}, "is damaged"),
        ({"base": "0"}, "started from another base model"),
        ({"every": [0.5]}, "is not whole"),
        ({"none": -1.0}, "is not whole"),
        ({"layers": {}}, "is not whole"),
        ({"seconds": 1.0}, "is damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(copied, change, said):
    path = copied(**change)
    with pytest.raises(
        ValueError, match=rf"block\.safetensors {said}\. Run `python -m compute.experiments.block`"
    ):
        load_effects(path)


def test_too_few_draws_are_refused(copied):
    layers = json.loads(ABOUT.read_text(encoding="utf-8"))["layers"]
    layers[LAYERS[0]]["random"].pop()
    path = copied(layers=layers)
    with pytest.raises(ValueError, match="is not whole"):
        load_effects(path)
    assert len(load_effects().layers[LAYERS[0]].random) == DRAWS

"""What each adapter does by itself: recorded, the same when measured again, refused where it is not whole."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import block
from compute.experiments.block import DRAWS, FILE, VOICE, load_effects
from compute.experiments.making import Bar
from compute.model.checkpoint import load_base
from compute.model.layers import LAYERS, layer_name
from compute.text.batches import windows

LOSS = 5e-4  # nats: the record has four decimals, and another machine rounds otherwise on the way

torch.set_num_threads(1)


def test_it_is_whole_and_small():
    effects = load_effects()
    assert tuple(effects.layers) == LAYERS
    assert effects.seconds > 0
    assert effects.recorded
    assert FILE.stat().st_size < 10_000
    assert max(effects.every) < min(min(effect.alone) for effect in effects.layers.values())


def test_measured_again_it_is_the_same():
    base, name = load_base(), layer_name(0, "down_proj")
    adapter = block._changes(block._shipped_adapter(), base)
    texts = windows(VOICE, "validation", base.config.block_size)
    found = block._measured(base, texts, [{name: adapter[name]}], draws=1, bar=Bar(1))
    effects = load_effects()
    effect = effects.layers[name]
    again = found["layers"][name]
    assert found["none"] == pytest.approx(effects.none, abs=LOSS)
    assert again["alone"][0] == pytest.approx(effect.alone[0], abs=LOSS)
    assert again["random"][0] == pytest.approx(effect.random[0], abs=LOSS)
    assert again["first"] == pytest.approx(effect.first, abs=LOSS)
    assert again["later"] == pytest.approx(effect.later, abs=LOSS)
    assert again["without"] == [found["none"]], "without the only one it is the base"
    whole = block._loss_in_rows(base, texts, name, adapter[name], slice(None))
    assert whole == pytest.approx(again["alone"][0], abs=LOSS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"adapter": "0"}, "was measured with another adapter"),
        ({"base": "0"}, "started from another base model"),
        ({"every": [0.5]}, "is not whole"),
        ({"none": -1.0}, "is not whole"),
        ({"layers": {}}, "is not whole"),
        ({"seconds_": 1.0}, "is damaged"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path, change, said):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    path = tmp_path / "block.json"
    path.write_text(json.dumps(data | change), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"block\.json {said}\. Run `python -m compute.experiments.block`"):
        load_effects(path)


def test_too_few_draws_are_refused(tmp_path):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    data["layers"][LAYERS[0]]["random"].pop()
    path = tmp_path / "block.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match="is not whole"):
        load_effects(path)
    assert len(load_effects().layers[LAYERS[0]].random) == DRAWS

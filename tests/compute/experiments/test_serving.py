"""What was recorded of serving is whole and fits the model, what is counted of it is right, and damage is refused."""

import json

import numpy as np
import pytest
import torch

from compute.experiments import serving
from compute.experiments.mixing import MIXED, SEEDS, load_record, mix_of
from compute.experiments.serving import (
    FILE,
    LENGTHS,
    RANKS,
    WAYS,
    Model,
    counted_pace,
    load_serving,
    numbers_held,
)
from compute.model.checkpoint import load_base
from compute.serving.routing import ADAPTED

torch.set_num_threads(1)


def test_a_batch_is_measured_again(monkeypatch):
    monkeypatch.setattr(serving, "ADAPTERS", (1, 8))
    times, paces = serving._measured(load_base().requires_grad_(False), words=1, r=4, rounds=1)
    assert len(times) == 2
    assert paces.shape == (len(WAYS), 2, 1)
    assert np.isfinite(paces).all()
    # Eight passes take longer than one whatever the machine does beside; recorded are shares below 0.15.
    assert (paces[1:, -1] < 0.6).all()


def test_sizes_and_losses_are_those_of_the_model():
    served, base = load_serving(), load_base()
    assert served.model == serving._size_of(base)
    assert served.model.total == sum(p.numel() for p in base.parameters())
    # The mixing lesson measured the same models on the same texts, with as many digits.
    mixes = load_record().mixes
    both = [name for name in ADAPTED if name in MIXED]
    for voice in both:
        for route in both:
            known = mixes[SEEDS[0], mix_of({route: 1.0}, "products")].losses[voice]
            assert served.losses[voice][route] == pytest.approx(known, abs=6e-4)


def test_the_pace_follows_r_and_not_the_number_of_adapters():
    for (words, r), ways in load_serving().paces.items():
        together = [pace.middle for pace in ways["together"]]
        # One word each is so little work that fetching different factors shows: two recordings had 1.4 and 1.7 at most.
        assert max(together) < (1.25 if words > 1 else 2) * min(together), r
        for way in ("swapped", "merged"):
            middles = [pace.middle for pace in ways[way]]
            assert middles == sorted(middles, reverse=True)
            assert middles[-1] < middles[0] / 2.5
    for words in LENGTHS:
        ends = [load_serving().paces[words, r]["together"][-1].middle for r in RANKS]
        assert ends == sorted(ends, reverse=True)


def test_counted_paces_are_work_over_work():
    model = load_serving().model
    for r in RANKS:
        assert 1 / counted_pace(model, r) - 1 == pytest.approx(r * model.per_rank / model.macs)
    assert counted_pace(model, 0) == 1


@pytest.mark.parametrize(("way", "r", "adapters"), [("merged", 0, 1), ("together", 4, 0), ("apart", 4, 1)])
def test_what_cannot_be_held_is_refused(way, r, adapters):
    with pytest.raises(ValueError, match=r"must be (at least 1|one of together, swapped, merged), got"):
        numbers_held(way, Model(100, 80, 5, 90), r, adapters)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda data: data["paces"].pop(), "is not whole"),
        (lambda data: data["paces"][0]["merged"].pop(), "is not whole"),
        (lambda data: data["losses"].pop("plain"), "is not whole"),
        (lambda data: data["paces"][0]["merged"][0].reverse(), "is not whole"),
        (lambda data: data["losses"]["plain"].pop("code"), "is damaged"),
        (lambda data: data.update(base=""), "started from another base model"),
        (lambda data: data.pop("model"), "is damaged"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(change, fault, tmp_path):
    data = json.loads(FILE.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "serving.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"^The file serving.json {fault}. Run `python -m compute.experiments.serving`.$"
    ):
        load_serving(path)

"""What was measured of mixes: whole, of these adapters, the same when measured again, and read without torch."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from compute.adapters.layer import delta_w, lora_layers
from compute.adapters.mixed_model import mixed_model
from compute.adapters.mixing import METHODS
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments import mixing
from compute.experiments.mixing import (
    ADAPTERS,
    FOLDER,
    LETTERS,
    MEASURED_METHODS,
    MIXED,
    RATES,
    SEEDS,
    TEXTS,
    Measured,
    Mix,
    adapter_sums,
    every_mix,
    load_factors,
    load_record,
    measure,
    mix_of,
    repeated,
)
from compute.model.checkpoint import load_base
from compute.numbers.interval import apart
from compute.world.voices import NO_VOICE, voice_of

# Another machine adds up in another order: a loss moves by less than the last digit that a figure shows, and of the
# texts a few go another way from where a throw falls on the other side of an edge.
LOSS, SHARE = 5e-3, 0.06

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first


@pytest.fixture
def copied(tmp_path):
    """Return a folder with copies of everything in assets/recorded/mixing."""
    return Path(shutil.copytree(FOLDER, tmp_path / "mixing"))


def test_everything_is_there_and_small():
    record = load_record()
    assert [mix for seed, mix in record.mixes if seed == SEEDS[0]] == every_mix()
    assert all([mix for seed, mix in record.mixes if seed == each] == repeated() for each in SEEDS[1:])
    assert len({*every_mix()}) == len(every_mix())
    assert {*repeated()} <= {*every_mix()}
    assert record.recorded
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.suffix == ".json") < 300_000
    assert sum(path.stat().st_size for path in files) < 700_000


def test_every_best_rate_lies_inside_its_grid():
    record = load_record()
    for name in ADAPTERS:
        tried = {float(rate): loss for rate, loss in record.tried[name].items() if loss is not None}
        assert set(tried) <= set(RATES[name])
        assert record.rates[name] == min(tried, key=tried.__getitem__)
        assert record.rates[name] not in (RATES[name][0], RATES[name][-1]), name


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_factors_are_what_the_model_loads(name):
    folder = FOLDER / name
    weights = (folder / "adapter_model.safetensors").read_bytes()
    model = load_adapter(load_base(), AdapterFiles(weights, (folder / "adapter_config.json").read_text()))
    ours = load_factors(name)
    assert ours.keys() == {layer for layer, _ in lora_layers(model)}
    for place, layer in lora_layers(model):
        np.testing.assert_allclose(ours[place].delta_w, delta_w(layer).numpy(), atol=1e-6)  # float32
        assert ours[place].r == 4


@pytest.mark.parametrize(
    "mix",
    [
        Mix((), (), "products"),
        Mix(("legal", "formal"), (0.5, 0.5), "products"),
        Mix(("legal", "facts"), (1.0, 1.0), "factors"),
    ],
    ids=str,
)
def test_measured_again_it_is_the_same(mix):
    known = load_record().mixes[SEEDS[0], mix]
    adapters = [load_factors(name) for name in mix.names]
    again = measure(mixed_model(load_base(), adapters, mix.weights, mix.method), shown=True)
    assert again.losses == pytest.approx(known.losses, abs=LOSS)
    assert (again.facts, again.old) == pytest.approx((known.facts, known.old), abs=0.01)
    for voice in LETTERS:
        assert fmean(again.shares(voice)) == pytest.approx(fmean(known.shares(voice)), abs=SHARE)
    assert fmean(again.right()) == pytest.approx(fmean(known.right()), abs=SHARE)


def test_shares_count_what_was_told_and_leave_out_questions():
    measured = Measured(("LlQn", "QQ", "P"), {}, 0, 0, ())
    assert measured.shares("legal") == [2 / 3, 0, 0]
    assert measured.shares(NO_VOICE) == [1 / 3, 1, 0]
    assert measured.right() == [1 / 2, 1, 1]
    for each in load_record().mixes.values():
        whole = [sum(shares) for shares in zip(*map(each.shares, [*mixing.TOLD, NO_VOICE]), strict=True)]
        assert whole == pytest.approx([1] * TEXTS)


def test_letters_are_those_of_the_classifier():
    base = load_record().mixes[SEEDS[0], Mix((), (), "products")]
    assert voice_of("anna is at the mill .".split()) == "plain"
    assert LETTERS["plain"] == "p"
    assert len({*LETTERS.values()}) == len(LETTERS) - 1, "only the mirror and no voice share one"
    # The base reads half of its texts in the plain voice, an eighth in each other.
    assert fmean(base.shares("plain")) == pytest.approx(0.5, abs=0.2)


def test_pairs_are_compared_pair_by_pair():
    found = apart([0.6, 0.8, 0.7], [0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.5)
    assert found.low < 0.5 < found.high


def test_a_mix_has_one_name():
    assert mix_of({"code": 1, "legal": 0.5}, "svd") == Mix(("legal", "code"), (0.5, 1.0), "svd")
    assert mix_of({"legal": 0.5, "code": 1}, "svd") == Mix(("legal", "code"), (0.5, 1.0), "svd")
    for method in METHODS:
        assert mix_of({"legal": 0.5, "code": 0}, method) == Mix(("legal",), (0.5,), "products")
        assert mix_of({"legal": 0, "code": 0}, method) == mix_of({}, method) == Mix((), (), "products")
        pair = mix_of({"legal": 1, "code": 1}, method)
        assert pair.method == (method if method in MEASURED_METHODS else "products")
        assert pair in every_mix()


@pytest.mark.parametrize(
    "weights",
    [
        {"legal": 0.3},
        {"plain": 1},
        {"plain": 0},
        {"legal": -1},
        {"medical": 1},
        dict.fromkeys(MIXED, 1.0),
        {"legal": 2},
    ],
)
def test_a_mix_that_is_not_measured_is_refused(weights):
    with pytest.raises(ValueError, match="no such mix is measured"):
        mix_of(weights, "products")
    with pytest.raises(ValueError, match="method must be one of products, .*, got 'linear'"):
        mix_of({"legal": 1}, "linear")


def refused(folder: Path, fault: str) -> None:
    said = f"The file measured.json {fault}. Run `python -m compute.experiments.mixing`."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        load_record.__wrapped__(folder)  # not the copy that is kept


def test_the_copy_is_read(copied):
    assert load_record.__wrapped__(copied) == load_record()
    (copied / "measured.json").unlink()
    refused(copied, "is missing")


@pytest.mark.parametrize("text", ["", "[]", "{}", "NaN", '{"mixes": 1}', '{"mixes": [[]]}'])
def test_a_damaged_record_is_refused(copied, text):
    (copied / "measured.json").write_text(text)
    refused(copied, "is damaged")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["mixes"].pop(),
        lambda data: data["mixes"][3].update(told="L"),
        lambda data: data["mixes"][3].update(told=data["mixes"][3]["told"].replace("L", "z")),
        lambda data: data["mixes"][3]["losses"].update(legal=-1.0),
        lambda data: data["mixes"][3].update(facts=1.5),
        lambda data: data["mixes"][3].update(samples=[""]),
        lambda data: data["rates"].pop("code"),
    ],
)
def test_a_record_with_a_part_missing_is_refused(copied, change):
    path = copied / "measured.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    refused(copied, "is not whole")


def test_a_record_of_other_adapters_is_refused(copied):
    legal = (copied / "legal" / "adapter_model.safetensors").read_bytes()
    (copied / "code" / "adapter_model.safetensors").write_bytes(legal)
    assert adapter_sums(copied) != adapter_sums()
    refused(copied, "was measured with other adapters")


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json"])
def test_an_adapter_that_cannot_be_read_is_refused(copied, name):
    (copied / "legal" / name).write_bytes(b"{}")
    with pytest.raises(
        ValueError, match=r"^The adapter legal is damaged\. Run `python -m compute.experiments.mixing`\.$"
    ):
        load_factors("legal", copied)
    (copied / "legal" / name).unlink()
    with pytest.raises(ValueError, match=r"^The adapter legal is missing\."):
        load_factors("legal", copied)
    with pytest.raises(ValueError, match="name must be one of legal, .*, facts, got 'plain'"):
        load_factors("plain")

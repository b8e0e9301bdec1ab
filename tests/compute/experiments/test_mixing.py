"""What was measured of mixes: whole, of these adapters, the same when measured again, and read without torch."""

from __future__ import annotations

import json
import re
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from compute.adapters.layer import delta_w, lora_layers
from compute.adapters.mixed_model import measure, mixed_model
from compute.adapters.mixing import METHODS
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.experiments import mixing
from compute.experiments.mixing import (
    FOLDER,
    MEASURED_METHODS,
    VOICES_MIXED,
    Mix,
    adapter_sums,
    every_mix,
    load_factors,
    load_record,
    mix_of,
)
from compute.experiments.runs import load
from compute.model.checkpoint import load_base
from compute.numbers.interval import wilson
from compute.text.voices import NEW_VOICES
from compute.training.config import TrainConfig

# Another machine adds up in another order: a loss moves by less than the last digit that a figure shows, and of the
# 400 sentences a few are thrown on the other side of an edge.
LOSS, SENTENCES = 5e-3, 12

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first


@pytest.fixture
def copied(tmp_path):
    """Return a folder with copies of everything in assets/recorded/mixing."""
    return Path(shutil.copytree(FOLDER, tmp_path / "mixing"))


def test_everything_is_there_and_small():
    record = load_record()
    assert list(record.mixes) == every_mix()
    assert len(set(every_mix())) == 157
    assert record.sentences >= 200
    assert record.recorded
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.suffix == ".json") < 200_000
    assert sum(path.stat().st_size for path in files) < 500_000


@pytest.mark.parametrize("voice", VOICES_MIXED)
def test_an_adapter_is_that_of_the_recorded_run(voice):
    run, measured = load(voice, 4), load_record().mixes[mix_of({voice: 1}, "products")]
    assert TrainConfig(task=voice, r=4) == TrainConfig(
        **{**run.config, "target_modules": tuple(run.config["target_modules"])}
    )
    # The mix is added up in float64, the run in float32; both are rounded to four decimals.
    assert measured.losses[voice] == pytest.approx(run.validation_loss[-1], abs=5e-4)
    assert measured.losses["base"] == pytest.approx(run.base_loss[-1], abs=5e-4)


@pytest.mark.parametrize("voice", VOICES_MIXED)
def test_the_factors_are_what_the_model_loads(voice):
    folder = FOLDER / voice
    weights = (folder / "adapter_model.safetensors").read_bytes()
    model = load_adapter(load_base(), AdapterFiles(weights, (folder / "adapter_config.json").read_text()))
    ours = load_factors(voice)
    assert ours.keys() == {name for name, _ in lora_layers(model)}
    for name, layer in lora_layers(model):
        np.testing.assert_allclose(ours[name].delta_w, delta_w(layer).numpy(), atol=1e-6)  # float32
        assert ours[name].r == 4


@pytest.mark.parametrize(
    "mix",
    [
        Mix((), (), "products"),
        Mix(("legal", "medical"), (0.5, 0.5), "products"),
        Mix(("legal", "medical"), (1.0, 1.0), "factors"),
        Mix(("medical", "code"), (0.25, 1.0), "svd"),
    ],
    ids=str,
)
def test_measured_again_it_is_the_same(mix):
    record = load_record()
    adapters = [load_factors(voice) for voice in mix.voices]
    again = measure(
        mixed_model(load_base(), adapters, mix.weights, mix.method), record.sentences, record.seed
    )
    assert again.losses == pytest.approx(record.mixes[mix].losses, abs=LOSS)
    for voice, count in record.mixes[mix].counts.items():
        assert abs(again.counts[voice] - count) <= SENTENCES


def test_no_model_wrote_in_a_voice_that_the_figure_leaves_out():
    assert not any(each.counts[voice] for each in load_record().mixes.values() for voice in NEW_VOICES)


def test_a_mix_has_one_name():
    assert mix_of({"code": 1, "legal": 0.25}, "svd") == Mix(("legal", "code"), (0.25, 1.0), "svd")
    assert mix_of({"legal": 0.25, "code": 1}, "svd") == Mix(("legal", "code"), (0.25, 1.0), "svd")
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
        dict.fromkeys(VOICES_MIXED, 1.0),
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
        lambda data: data["mixes"][3]["counts"].pop("none"),
        lambda data: data["mixes"][3]["counts"].update(plain=-1),
        lambda data: data["mixes"][3]["losses"].update(legal=-1.0),
        lambda data: data["mixes"][3].update(samples=[["plain", ""]]),
        lambda data: data["mixes"][3].update(samples=[]),
        lambda data: data.update(sentences=399),
    ],
)
def test_a_record_with_a_part_missing_is_refused(copied, change):
    path = copied / "measured.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    refused(copied, "is not whole")


def test_a_record_of_other_adapters_or_another_base_is_refused(copied):
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
    with pytest.raises(ValueError, match="voice must be one of legal, medical, code, got 'plain'"):
        load_factors("plain")


@pytest.mark.parametrize("number", [1, 20, 400])
def test_the_ends_of_the_interval_solve_its_equation(number):
    for count in {0, 1, number // 3, number // 2, number}:
        low, high = wilson(count, number)
        p = count / number
        assert 0 <= low <= p + 1e-12
        assert p - 1e-12 <= high <= 1
        for q in (low, high):
            assert (p - q) ** 2 == pytest.approx(1.96**2 * q * (1 - q) / number, abs=1e-12)


def test_the_interval_holds_the_true_share_about_as_often_as_it_says(rng):
    for share in (0.02, 0.3, 0.5):
        drawn = rng.binomial(400, share, size=4000)
        held = np.mean([low <= share <= high for low, high in (wilson(int(n), 400) for n in drawn)])
        # Wilson's interval holds within two hundredths of 95 % here (Brown et al. 2001); 4,000 draws add 0.01.
        assert held == pytest.approx(0.95, abs=0.03)


def test_what_would_be_measured_is_there():
    record = load_record()
    assert (record.sentences, record.seed) == (mixing.SENTENCES, mixing.SEED)
    assert len(list(combinations(VOICES_MIXED, 2))) * len(MEASURED_METHODS) * 16 + 13 == len(record.mixes)

"""The spectra stand beside their noise: their numbers are those of compute, in every state."""

from __future__ import annotations

import json

import numpy as np
import pytest

from compute.experiments.derived import load_derived
from compute.experiments.spectra import FULL, LORA, RANDOM, TASKS, R, load_spectra
from compute.matrices.controls import marchenko_pastur_band, noise_band, noise_product_band
from compute.matrices.spectrum import energy, entropy_rank, r90, stable_rank
from compute.model.layers import LAYERS
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.kit.layers import shape_of
from widgets.kit.text import fill
from widgets.spectra import Spectra
from widgets.spectra.sources import LABELS, LORA_OF, MADE_LAYER, spectra

BROWSER = {"guess", "truth"}  # what the browser alone knows
LAYERWISE = {"name", "low", "high"}  # what a probe says of a layer
TARGETS = {*"targets_r90 targets_low targets_high own_low own_high seeds targets_s targets_energy".split()}
ROUNDED = 5e-4  # relative: noise is shipped with four digits
FIRST = [
    (key, layer["name"])
    for key in LABELS
    for layer in (*spectra(key)["layers"][:1], spectra(key)["layers"][-1])
]


def shown(key: str, layer: str = MADE_LAYER, **choices) -> Spectra:
    return Spectra(source=key, layer=layer, guess="skip", **choices)


@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_a_made_up_change_has_the_directions_it_was_made_of(k):
    (layer,) = spectra(f"few-{k}")["layers"]
    s = np.array(layer["s"])
    np.testing.assert_allclose(s[:k], 0.6 ** np.arange(k), atol=1e-6)  # shipped with six decimals
    assert not s[k:].any()
    assert layer["r90"] <= 3


@pytest.mark.parametrize("task", TASKS)
def test_a_learned_change_is_the_recorded_one(task):
    run = load_spectra().of(task, FULL)
    layers = {layer["name"]: layer for layer in spectra(task)["layers"]}
    assert tuple(layers) == LAYERS
    for name, layer in layers.items():
        assert layer["s"] == run.s[name]
        assert tuple(layer["shape"]) == shape_of(name)
        assert layer["r90"] == r90(run.s[name]) == run.r90[name][0]


@pytest.mark.parametrize("task", TASKS)
def test_random_targets_are_the_second_control(task):
    drawn, own = (load_spectra().of(task, way) for way in (RANDOM, FULL))
    for layer in spectra(task)["layers"]:
        targets, name = layer["targets"], layer["name"]
        np.testing.assert_allclose(targets["s"], drawn.s[name] / np.linalg.norm(drawn.s[name]), atol=1e-5)
        assert (targets["low"], targets["high"]) == (min(drawn.r90[name]), max(drawn.r90[name]))
        figure = shown(task, name)
        lower, higher = max(own.r90[name]) < targets["low"], min(own.r90[name]) > targets["high"]
        assert figure.case() == ("fewer" if lower else "more" if higher else "even")
        assert f" {targets['low']} to {targets['high']} in this matrix" in figure.sentence()


@pytest.mark.parametrize("key", LORA_OF)
def test_a_change_by_lora_has_a_product_as_its_control_and_no_random_targets(key):
    run = load_spectra().of(LORA_OF[key], LORA)
    arrays = spectra(key)
    assert [layer["s"] for layer in arrays["layers"]] == list(run.s.values())
    assert not any(layer["targets"] for layer in arrays["layers"])
    for layer in arrays["layers"]:
        noise = arrays["noise"]["x".join(map(str, layer["shape"]))]
        np.testing.assert_allclose(noise["s"], noise_product_band(tuple(layer["shape"]), R).s, rtol=ROUNDED)


@pytest.mark.parametrize("name", ["lora-imdb-distilbert", "peft-gpt2"])
def test_a_real_adapter_has_a_product_as_its_control(name):
    arrays, adapter = spectra(name), load_derived()[name]
    assert [layer["s"] for layer in arrays["layers"]] == [kept.s for kept in adapter.layers.values()]
    for layer in arrays["layers"]:
        noise = arrays["noise"]["x".join(map(str, layer["shape"]))]
        assert noise["law"] is None
        band = noise_product_band(tuple(layer["shape"]), adapter.r)
        np.testing.assert_allclose(noise["s"], band.s, rtol=ROUNDED)


@pytest.mark.parametrize("shape", [(64, 64), (256, 64), (64, 256)])
def test_the_noise_beside_a_shape_is_its_band_and_its_law(shape):
    noise = spectra("mirror-voice")["noise"]["x".join(map(str, shape))]
    band, law = noise_band(shape), marchenko_pastur_band(shape)
    for what in ("s", "energy"):
        np.testing.assert_allclose(noise[what], getattr(band, what), rtol=ROUNDED)
        np.testing.assert_allclose(noise["law"][what], getattr(law, what)[1], rtol=ROUNDED)
    assert noise["ranks"]["r90"] == r90(band.s[1])
    assert noise["ranks"]["stable"] == stable_rank(band.s[1])
    assert noise["ranks"]["entropy"] == entropy_rank(band.s[1])
    assert noise["ranks"]["low"] <= noise["ranks"]["r90"] <= noise["ranks"]["high"]


@pytest.mark.parametrize(("key", "layer"), FIRST)
def test_sentence_and_table_are_those_of_the_spectrum(key, layer):
    figure = shown(key, layer)
    s = np.array(next(each["s"] for each in spectra(key)["layers"] if each["name"] == layer))
    said = figure.sentence()
    assert not gaps(said)
    assert f" {r90(s)} of {len(s)} directions" in said
    assert f"stable_rank is {stable_rank(s):.1f}, " in said
    assert f"entropy_rank {entropy_rank(s):.1f}, " in said
    head, rows = figure.table()
    assert [row[0] for row in rows] == [str(i) for i in range(1, len(s) + 1)]
    assert {len(row) for row in rows} == {len(head)}
    assert [row[2] for row in rows] == [fill("{e:.2%}", {"e": float(e)}) for e in energy(s)[1:]]
    assert not any(gaps(cell) for row in rows for cell in row)


@pytest.mark.parametrize(("key", "layer"), FIRST)
def test_its_code_prints_the_r90_on_the_screen(key, layer):
    figure = shown(key, layer)
    (number,) = numbers(printed_by(figure.snippet()).split(": ", 1)[1])
    assert is_shown(number, figure.sentence().partition(f"{layer}”")[2] or figure.sentence())
    assert number[0] == figure.values(0)["r90"]


def test_noise_is_told_to_be_like_noise_and_nothing_else_is():
    said = {key: shown(key, source_layer).case() for key, source_layer in FIRST}
    assert {key for key, case in said.items() if case == "like"} == {"noise"}


def test_before_the_guess_the_sentence_gives_nothing_away():
    figure = Spectra(source="mirror-voice")
    truth = figure.values(0)["r90"]
    assert not is_shown((truth, 0, False), figure.sentence().rpartition("”")[2])
    figure.hide = ["guess"]
    assert f"{truth} of 64" in figure.sentence()


def test_a_layer_that_a_source_has_not_gives_its_first():
    assert (
        Spectra(source="mirror-voice", layer="transformer.h.0.attn.c_attn")
        .values(0)["label"]
        .endswith("blocks.1.attention.v_proj")
    )
    assert Spectra(source="few-3", layer="blocks.1.attention.v_proj").values(0)["label"] == LABELS["few-3"]


@pytest.mark.parametrize("key", LABELS)
def test_every_gap_has_a_value(key):
    figure = shown(key)
    values = figure.values(1)
    missing = {"law"} - values.keys() | TARGETS - values.keys() | LAYERWISE
    for path, template in templates(figure.words):
        assert gaps(fill(template, values)) <= BROWSER | missing, path


def test_published_spectra_are_small():
    for key in LABELS:
        assert len(json.dumps(Spectra.from_key(key).make_arrays())) < 50_000

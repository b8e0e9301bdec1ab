"""The block figure: its numbers are those of the model, its pictures within a step of them, its code prints them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from compute.adapters.alone import relative_change, switched_on
from compute.experiments.block import load_effects, load_factors
from compute.model.forward import PROJECTIONS, Places, base_weights, follow
from compute.model.layers import layer_name
from compute.world.tokens import encode
from helpers.instruments import decoded, gaps, is_shown, numbers, printed_by, templates
from widgets.block import Block
from widgets.block.passage import SIDE
from widgets.block.words import BEGIN_WORD, TEXTS
from widgets.kit.languages import language, say, speaking
from widgets.kit.text import fill
from widgets.rank import Rank

EVERY = list(itertools.product(TEXTS, "012"))
# What the browser alone knows: the guess, the cell that is pointed at, a strip's name.
BROWSER = {
    "strip": {"place", "columns", "tokens"},
    "heads": {"head"},
    "word": {"position", "tokens"},
    "drawn": {"side", "step"},
    "legendTop": {"low", "high"},
    "cells": {"row", "column", "W", "delta_w", "name", "value", "plain", "adapted", "change"},
    "effects": {"name", "value", "random", "low", "high"},
    "next": {"share"},
    "guess": {"guess", "truth", "fall", "fall_guess"},
}


def unpacked(packed: dict) -> np.ndarray:
    """Return what the browser makes of equal steps."""
    return decoded(packed) * packed["top"] / (127 if packed["kind"] == "i1" else 32767)


@pytest.mark.parametrize(("text", "block"), EVERY)
def test_the_sentence_says_what_the_model_does(text, block):
    base, adapter, tokens = base_weights(), load_factors(), encode(TEXTS[text])
    before = follow(base, tokens).blocks[int(block)]
    for projection, (_, writes) in PROJECTIONS.items():
        name = layer_name(int(block), projection)
        after = follow(switched_on(base, adapter, [name]), tokens).blocks[int(block)]
        said = Block(text=text, block=block, projection=projection, guess="skip").sentence()
        assert not gaps(said)
        for place in (writes, "out"):
            change = relative_change(getattr(before, place), getattr(after, place))
            assert f"{change:.1%}" in said
        effects = load_effects()
        alone = effects.layers[name].alone[0]
        assert f"from {effects.none:.3f} to {alone:.3f} nats" in said
        assert f"writes {effects.layers[name].told:.0%} are formal" in said


def test_the_sentence_does_not_tell_what_is_asked():
    asked = Block()
    assert "loss" not in asked.sentence()
    asked.hide = ["guess"]  # nobody is asked
    assert "loss" in asked.sentence()


@pytest.mark.parametrize("block", "012")
def test_the_guess_is_judged_by_the_record(block):
    effects = load_effects()
    falls = {p: effects.none - effects.layers[layer_name(int(block), p)].alone[0] for p in PROJECTIONS}
    best = max(falls, key=falls.__getitem__)
    assert Block(block=block).make_arrays()["truth"] == best
    assert best in Block(block=block, guess="q_proj").verdict()
    assert Block(block=block, guess=best).verdict().startswith(f"You said {best}, and {best} it is")


@pytest.mark.parametrize(("text", "block"), [("formal", "0"), ("plain", "2")])
def test_pictures_are_the_numbers_within_half_a_step(text, block):
    arrays = Block(text=text, block=block).make_arrays()
    places = follow(base_weights(), encode(TEXTS[text])).blocks[int(block)]
    assert list(arrays["places"]) == list(Places._fields)
    for name, packed in arrays["places"].items():
        whole = getattr(places, name)
        drawn = whole[..., :: -(-whole.shape[-1] // SIDE)]
        half = packed["base"]["top"] / 127 / 2
        np.testing.assert_allclose(unpacked(packed["base"]), drawn.ravel(), atol=half * (1 + 1e-9))
    for projection, packed in arrays["projections"].items():
        W = base_weights().tensors[f"{layer_name(int(block), projection)}.weight"]
        down, across = packed["steps"]
        drawn = W[::down, ::across]
        assert max(drawn.shape) <= SIDE
        np.testing.assert_allclose(
            unpacked(packed["W"]), drawn.ravel(), atol=packed["W"]["top"] / 127 / 2 * (1 + 1e-9)
        )


def test_what_is_expected_after_each_word_is_the_models():
    arrays = Block().make_arrays()
    shares = follow(base_weights(), encode(TEXTS["formal"])).next_word
    assert [len(each) for each in (arrays["words"], arrays["next"])] == [len(shares)] * 2
    for at, expected in enumerate(arrays["next"]):
        assert len(set(expected["words"])) == len(expected["words"]) <= 9
        assert max(expected["base"]) == pytest.approx(shares[at].max(), abs=1e-4)
    assert Block(text="plain", word=9).values()["word"] == "ben", "a shorter text has no such word"


@pytest.mark.parametrize(("text", "block"), [("formal", "1"), ("plain", "0")])
def test_its_code_prints_what_is_on_the_screen(text, block):
    figure = Block(text=text, block=block, projection="up_proj", guess="skip")
    out = printed_by(figure.snippet())
    assert len(numbers(out)) == 2
    for number in numbers(out):
        assert is_shown(number, figure.sentence())


def test_the_table_has_the_six_projections():
    head, rows = Block().table()
    assert [row[0] for row in rows] == list(PROJECTIONS)
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert not any(gaps(cell) for row in rows for cell in row)


def test_every_gap_has_a_value():
    figure = Block()
    for path, template in templates(figure.words):
        known = BROWSER.get(path.split(".")[0], set())
        values = {name: value for name, value in figure.values().items() if name not in known}
        assert gaps(fill(template, values)) <= known, path


def test_its_own_style_is_carried_by_it_alone():
    assert ".lora .diagram" in Block().figure_html()
    assert ".lora .diagram" in Block._stylesheets[0]
    assert ".lora .diagram" not in Rank().figure_html()


@pytest.mark.parametrize(("text", "block"), EVERY)
def test_the_model_s_words_are_the_same_in_every_language(text, block):
    english = Block(text=text, block=block)
    with speaking(language("es")):
        spanish = Block(text=text, block=block)
        begin = say(BEGIN_WORD)
        told = json.loads(spanish.arrays)
    own = json.loads(english.arrays)
    assert told["words"] == [begin, *own["words"][1:]]
    for here, there in zip(told["next"], own["next"], strict=True):
        assert here["words"] == [begin if word == BEGIN_WORD else word for word in there["words"]]

"""Spectra and subspaces in a real browser: what is said is what Python says, and a guess comes before the answer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from compute.experiments.subspace import DIMENSIONS, MIDDLE, TASKS
from helpers.browser import downloaded, requests_of, table
from helpers.spoken import numbers_in, say, saying
from widgets.kit.instrument import WORDS as SHARED
from widgets.kit.languages import written
from widgets.kit.text import fill
from widgets.spectra import WORDS, Spectra
from widgets.spectra.sources import LABELS, MADE_LAYER, spectra
from widgets.subspace import Subspace
from widgets.subspace.words import WORDS as SUBSPACE_WORDS


def figure_of(page, name: str = "spectra"):
    """Return a figure once it is drawn."""
    root = page.locator(f".lora-{name}")
    expect(root.locator(".chart .axis").first).to_be_visible()
    return root


def cells(figure) -> list[list[str]]:
    return figure.table()[1]


def test_every_source_says_what_python_says(open_page, server):
    root = figure_of(open_page(f"{server}/embed/spectra/spectra.html?guess=skip"))
    layer = MADE_LAYER
    for key in LABELS:
        root.get_by_label(say("Change")).select_option(key)
        figure = Spectra(source=key, layer=layer, guess="skip")  # the layer stays where a source has it too
        expect(root.locator(".sentence")).to_have_text(figure.sentence())
        expect(root.locator(".note")).to_have_text(figure.make_arrays()["note"])
        values = figure.values(0)
        for name, template in WORDS["readoutValues"].items():
            expect(root.locator(f".of-{name}")).to_have_text(fill(template, values))
        layers = [layer["name"] for layer in spectra(key)["layers"]]
        if layers == [MADE_LAYER]:
            expect(root.get_by_label(say("Layer"), exact=True)).not_to_be_visible()
            continue
        layer = layers[-1]
        root.get_by_label(say("Layer"), exact=True).select_option(layer)
        expect(root.locator(".sentence")).to_have_text(
            Spectra(source=key, layer=layer, guess="skip").sentence()
        )


@pytest.mark.parametrize(
    ("source", "layer"), [("mirror-voice", "blocks.0.mlp.up_proj"), ("peft-gpt2", ""), ("few-3", "")]
)
def test_the_table_and_the_file_are_those_of_python(open_page, server, source, layer):
    asked = f"&layer={layer}" if layer else ""
    root = figure_of(open_page(f"{server}/embed/spectra/spectra.html?guess=skip&source={source}{asked}"))
    figure = Spectra(source=source, guess="skip", **({"layer": layer} if layer else {}))
    assert table(root) == cells(figure)
    name, text = downloaded(root, "Spectrum (CSV)")
    assert name.startswith(f"{source}-")
    assert len(text.splitlines()) == 1 + len(cells(figure))


def test_the_answer_waits_for_the_guess(open_page, server):
    page = open_page(f"{server}/embed/spectra/spectra.html?source=mirror-voice")
    root = figure_of(page)
    figure = Spectra(source="mirror-voice")
    energy = root.get_by_role("slider", name=say(WORDS["charts"]["energy"]["title"]))
    expect(root.locator(".sentence")).to_have_text(figure.sentence())
    expect(root.locator(".readouts")).not_to_be_visible()
    expect(energy).to_have_count(0)
    expect(root.get_by_role("slider", name=say(WORDS["charts"]["s"]["title"]))).to_be_visible()
    truth = figure.values(0)["r90"]
    root.get_by_label(say("My guess:")).fill(str(truth + 2))
    root.get_by_role("button", name=say("Reveal")).click()
    values = {**figure.values(0), "truth": truth, "guess": truth + 2}
    expect(root.locator(".verdict")).to_have_text(fill(WORDS["guess"]["tooHigh"], values))
    expect(energy).to_be_visible()
    expect(root.locator(".label.truth")).to_have_text(fill(WORDS["guess"]["truthMark"], values))
    expect(root.locator(".label.guess")).to_have_text(fill(WORDS["guess"]["guessMark"], values))
    figure.guess = "skip"
    expect(root.locator(".sentence")).to_have_text(figure.sentence())


def test_every_layer_stands_beside_both_controls_and_can_be_picked(open_page, server):
    page = open_page(f"{server}/embed/spectra/spectra.html?source=mirror-voice&guess=skip")
    root = figure_of(page)
    layers = root.get_by_role("slider", name=say(WORDS["charts"]["layers"]["title"]))
    layers.focus()
    page.keyboard.press("End")
    first, last = (spectra("mirror-voice")["layers"][i] for i in (0, -1))
    targets = last["targets"]
    expect(root.locator(".probe").last).to_have_text(
        say(
            WORDS["charts"]["layers"]["probe"],
            name=last["name"],
            low=targets["own_low"],
            high=targets["own_high"],
            targets_low=targets["low"],
            targets_high=targets["high"],
            noise_r90=spectra("mirror-voice")["noise"]["64x256"]["ranks"]["r90"],
        )
    )
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(root.get_by_label(say("Layer"), exact=True)).to_have_value(first["name"])
    root.get_by_label(say("Change")).select_option("lora-mirror-voice")
    expect(layers).not_to_be_visible()


def test_the_log_axis_has_powers_of_ten_and_every_bar_within(open_page, server):
    root = figure_of(open_page(f"{server}/embed/spectra/spectra.html?source=few-3&guess=skip&scale=log"))
    chart = root.locator(".chart").first
    ticks = chart.locator(".axis").last.locator("text").all_text_contents()
    assert numbers_in(" ".join(ticks)) == [10.0**-i for i in range(len(ticks))]
    path = chart.locator(".bars.kept").get_attribute("d")
    tops = [float(top) for top in re.findall(r"V([\d.]+)h", path)]
    low, high = (float(chart.locator(".now").get_attribute(name)) for name in ("y2", "y1"))
    assert len(tops) == 64
    assert all(high - 0.01 <= top <= low + 0.01 for top in tops)  # two decimals in the path
    assert tops[3:] == [pytest.approx(low, abs=0.01)] * 61  # nothing is there, and nothing is drawn
    root.get_by_label(say("Axis")).select_option("linear")
    expect(chart.locator(".axis").last.locator("text").first).to_have_text("0")


def test_the_keyboard_probes_a_curve(open_page, server):
    page = open_page(f"{server}/embed/spectra/spectra.html?source=mirror-voice&guess=skip")
    root = figure_of(page)
    root.get_by_role("slider", name=say(WORDS["charts"]["energy"]["title"])).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = fill(WORDS["charts"]["energy"]["probe"], Spectra(source="mirror-voice").values(1))
    expect(root.locator(".probe").nth(1)).to_have_text(said)


def test_a_layer_that_is_not_there_is_told(open_page, server):
    root = figure_of(
        open_page(f"{server}/embed/spectra/spectra.html?source=mirror-voice&layer=h.0&guess=skip")
    )
    expect(root.locator(".notice")).to_have_text(saying(SHARED["notAChoice"], name=say("Layer"), given="h.0"))
    expect(root.get_by_label(say("Layer"), exact=True)).to_have_value("blocks.1.attention.v_proj")


def test_an_export_has_every_source_and_a_single_file_says_what_it_lacks(open_page, exported):
    page = open_page("about:blank", offline=True)
    asked = requests_of(page)
    page.goto((exported / "lesson" / "spectra.html").as_uri() + "?spectra.guess=skip")
    root = figure_of(page)
    root.get_by_label(say("Change")).select_option("new-facts-512")
    expect(root.locator(".sentence")).to_have_text(Spectra(source="new-facts-512", guess="skip").sentence())
    assert [url.rpartition("/")[2] for url in asked if "/arrays/" in url] == ["new-facts-512.js"]
    alone = figure_of(open_page(exported / "file" / "spectra-spectra.html", offline=True))
    alone.get_by_role("button", name=say("Skip")).click()
    alone.get_by_label(say("Change")).select_option("mirror-voice")
    said = fill(SHARED["missing"], {"given": "mirror-voice", "have": Spectra().enclosed_words()})
    expect(alone.locator(".notice")).to_have_text(said)
    alone.get_by_label(say("Change")).select_option("peft-gpt2")
    expect(alone.locator(".sentence")).to_have_text(Spectra(source="peft-gpt2", guess="skip").sentence())


@pytest.mark.parametrize("task", TASKS)
def test_every_d_says_what_python_says(open_page, server, task):
    page = open_page(f"{server}/embed/spectra/subspace.html?task={task}&D={DIMENSIONS[0]}&layer={MIDDLE[-1]}")
    root = figure_of(page, "subspace")
    for D in DIMENSIONS:
        figure = Subspace(task=task, D=str(D), layer=MIDDLE[-1])
        expect(root.locator(".sentence")).to_have_text(figure.sentence())
        values = figure.values(DIMENSIONS.index(D))
        for name, template in SUBSPACE_WORDS["readoutValues"].items():
            expect(root.locator(f".of-{name}")).to_have_text(fill(template, values))
        expect(root.locator("output")).to_have_text(written(f"{D:,d}"))
        root.get_by_role("button", name=say("Step"), exact=True).click()
    assert table(root) == cells(Subspace(task=task, layer=MIDDLE[-1]))


def test_the_slider_of_d_is_heard_as_numbers_and_kept_in_the_address(open_page, server):
    page = open_page(f"{server}/lesson/spectra.html?subspace.D=300")
    root = figure_of(page, "subspace")
    slider = root.get_by_label(say("Numbers D"))
    expect(slider).to_have_attribute("aria-valuetext", "300")
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", written("100,000"))
    expect(root.locator(".sentence")).to_have_text(Subspace(D="100000").sentence())
    page.wait_for_url("**subspace.D=100000**")
    root.get_by_label(say("Task")).select_option("formal-voice")
    expect(root.locator(".sentence")).to_have_text(Subspace(task="formal-voice", D="100000").sentence())

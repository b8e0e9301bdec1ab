"""One line in a notebook cell shows the figure, and one HTML file holds all of it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from panel import extension
from panel.custom import AnyWidgetComponent

from helpers.instruments import every_instrument
from helpers.prose import Page
from widgets.kit.instrument import bundle, framed
from widgets.rank import Rank

FOUND = sorted(set(every_instrument()), key=lambda cls: cls.script)
INSTRUMENTS = pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.script)
ATTACK = "</script><script>alert(1)</script><!--\" onload='x' {{ 7 * 7 }} {r} \u2028&amp;"
SELF_CONTAINED = {"data:", "blob:", "'unsafe-inline'", "'none'"}
LARGEST = 200_000  # bytes, so that a learning platform takes it


@pytest.fixture(autouse=True)
def plain_notebook(monkeypatch):
    """Be a notebook in which nobody has called pn.extension()."""
    monkeypatch.setattr(extension, "_loaded", False)


def config_of(page: Page) -> dict:
    """Return what the figure's page hands to its script."""
    (text,) = [text for tag, text in page.texts if tag == "script" and text.startswith("{")]
    return json.loads(text)


@INSTRUMENTS
def test_a_cell_shows_a_frame_that_may_do_little(cls):
    figure = cls()
    shown, metadata = figure._repr_mimebundle_()
    assert metadata == {}
    assert shown.keys() == {"text/html", "text/plain"}
    assert shown["text/plain"] == figure.sentence()
    page = Page(shown["text/html"])
    assert page.faults == []
    assert [tag for tag, _ in page.elements] == ["iframe", "script"]
    frame, script = (attributes for _, attributes in page.elements)
    assert set(frame["sandbox"].split()) == {"allow-scripts", "allow-downloads"}
    assert frame["title"] == cls.title
    assert "src" not in frame
    assert script == {}
    assert frame["srcdoc"] == figure.figure_html()


def test_a_title_cannot_leave_its_attribute():
    page = Page(framed(f"<p>{ATTACK}</p>", ATTACK))
    assert [tag for tag, _ in page.elements] == ["iframe", "script"]
    assert page.all("iframe")[0]["title"] == ATTACK
    assert page.all("iframe")[0]["srcdoc"] == f"<p>{ATTACK}</p>"


def test_two_figures_in_a_notebook_have_frames_of_their_own():
    names = {Page(Rank(r=r)._repr_mimebundle_()[0]["text/html"]).all("iframe")[0]["id"] for r in (1, 2, 3)}
    assert len(names) == 3
    for name in names:
        assert re.fullmatch(r"[a-z][a-z0-9-]*", name), "it stands in a script"


def test_after_the_extension_panel_shows_it(monkeypatch):
    monkeypatch.setattr(extension, "_loaded", True)
    monkeypatch.setattr(AnyWidgetComponent, "_repr_mimebundle_", lambda *_: "Panel's")
    assert Rank()._repr_mimebundle_() == "Panel's"


def foreign(page: Page) -> list[str]:
    """Return what a page would ask for by itself; a link is followed by its reader."""
    asked = [
        attributes.get(name)
        for tag, attributes in page.elements
        if tag != "a"
        for name in ("src", "href", "action", "srcset", "data")
    ]
    return [address for address in asked if address and not address.startswith(("#", "data:"))]


@INSTRUMENTS
def test_one_file_holds_the_whole_figure(cls):
    figure = cls()
    html = figure.figure_html()
    assert html.startswith("<!doctype html>")
    assert len(html.encode()) <= LARGEST + len(figure.engine())
    page = Page(html)
    assert page.faults == []
    assert foreign(page) == []
    (style,) = [text for tag, text in page.texts if tag == "style"]
    assert "@import" not in style
    assert not re.findall(r"url\((?!['\"]?(?:data:|#))", style)
    assert page.all("html")[0]["lang"] == "en"
    assert [text for tag, text in page.texts if tag == "title"] == [cls.title]
    assert figure.sentence() in page.text()
    assert cls.caption in page.text()
    scripts = [text for tag, text in page.texts if tag == "script"]
    for name in ("kit", cls.script, "alone"):
        head, code = bundle(name).split(start := f"var lora_{name}=", 1)
        [script] = [text for text in scripts if text.endswith(start + code)]
        assert head.endswith(script.removesuffix(start + code))  # whose parts it contains
        assert "sources" not in script[: -len(code)]
    config = config_of(page)
    assert config["state"] == figure.state()
    assert config["arrays"] == json.loads(figure.arrays)
    assert set(config["datasets"]) == set(figure.enclosed())
    for key, arrays in config["datasets"].items():
        assert arrays["key"] == key
    assert not config.get("files"), "there is nowhere to load more from"


@INSTRUMENTS
def test_its_policy_stands_before_anything_runs_and_forbids_requests(cls):
    page = Page(cls().figure_html())
    tags = [tag for tag, _ in page.elements]
    policies = [
        each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    may = SELF_CONTAINED | ({"'wasm-unsafe-eval'"} if cls.engine() else set())
    assert {source for sources in rules.values() for source in sources.split()} <= may
    assert ("worker-src" in rules) == bool(cls.engine())
    policy = next(i for i, (_, each) in enumerate(page.elements) if "http-equiv" in each)
    assert policy < min(tags.index("style"), tags.index("script"))


def test_a_label_from_a_file_is_never_markup():
    figure = Rank.of(np.random.default_rng(0).standard_normal((4, 6)), ATTACK, r=2)
    html = figure.figure_html()
    assert "<script>alert" not in html
    page, usual = Page(html), Page(Rank.of(np.eye(4, 6), "usual", r=2).figure_html())
    assert page.faults == []
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in usual.elements]
    assert config_of(page)["arrays"]["label"] == ATTACK
    assert " ".join(ATTACK.split()) in page.text()
    (json_text,) = [text for tag, text in page.texts if tag == "script" and text.startswith("{")]
    assert "<" not in json_text


def test_a_figure_of_ones_own_matrix_encloses_no_other():
    config = config_of(Page(Rank.of(np.eye(3) + 1, "mine").figure_html()))
    assert config["datasets"] == {}
    assert config["hide"] == ["matrix"]

"""The learned matrices in a real browser: their own shape, one file each, and no size or seed to choose."""

import pytest
from playwright.sync_api import expect

from compute.experiments.learned import LEARNED, load_learned
from compute.matrices.svd import factorize
from helpers.browser import (
    FLOAT32_COPY,
    downloaded,
    instrument,
    matrix_of,
    move,
    readouts,
    requests_of,
    sentence,
)
from helpers.matrices import truncated
from helpers.spoken import say
from widgets.kit.instrument import WORDS
from widgets.kit.text import fill
from widgets.rank import Rank

COPY = "The copy at this r (CSV)"
RANKS = (0, 1, 9, 32, 39, 64)


def choose_learned(root, name: str) -> Rank:
    """Choose a learned matrix; return the instrument in Python once the page shows it."""
    figure = Rank(task=name)
    root.get_by_label(say("Matrix"), exact=True).select_option(name)
    expect(root.locator(".sentence")).to_have_text(figure.sentence())
    expect(root).not_to_have_attribute("aria-busy", "true")
    return figure


def test_every_learned_matrix_says_what_python_says(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    for name in LEARNED:
        figure = choose_learned(root, name)
        expect(root.locator(".note")).to_have_text(figure.make_arrays()["note"])
        for r, one in zip(RANKS, move(root, *RANKS), strict=True):
            assert one["sentence"] == sentence(figure, r), name
            assert one["readouts"] == readouts(figure, r), name
        move(root, 1)


def test_the_copy_of_a_square_one_is_numpys(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip&task=formal-voice-v_proj&r=9"))
    name, text = downloaded(root, COPY)
    svd = factorize(load_learned("formal-voice-v_proj"))
    assert name == "formal-voice-v_proj-32-0-r9-copy.csv"
    assert abs(matrix_of(text) - truncated(svd, 9)).max() <= FLOAT32_COPY * svd.s[0]


def test_size_and_seed_cannot_be_chosen_and_come_back(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip&n=64&seed=5"))
    size, seed = (root.get_by_label(say(label), exact=True) for label in ("Size", "Seed"))
    choose_learned(root, "formal-voice-v_proj")
    for control in (size, seed):
        expect(control).to_be_disabled()
        expect(control).to_have_value("")
    root.get_by_label(say("Matrix"), exact=True).select_option("noise")
    expect(root.locator(".sentence")).to_have_text(Rank(task="noise", n=64, seed=5).sentence())
    for control, value in ((size, "64"), (seed, "5")):
        expect(control).to_be_enabled()
        expect(control).to_have_value(value)


@pytest.mark.parametrize("query", ["", "rank.n=128&rank.seed=7&"])
def test_an_exported_page_has_one_file_for_it_whatever_size_and_seed_say(open_page, exported, query):
    page = open_page("about:blank", offline=True)
    asked = requests_of(page)
    page.goto(
        (exported / "lesson" / "rank.html").as_uri()
        + f"?{query}rank.guess=skip&rank.task=formal-voice-up_proj"
    )
    root = instrument(page)
    assert move(root, 4)[0]["sentence"] == Rank(task="formal-voice-up_proj", r=4).sentence()
    expect(root.locator(".notice")).not_to_be_visible()
    files = [url.rpartition("/")[2] for url in asked if "/arrays/" in url]
    assert files == ["formal-voice-up_proj-32-0.js"]


def test_a_single_file_says_that_it_has_none(open_page, exported):
    root = instrument(open_page(exported / "file" / "rank-rank.html", offline=True))
    root.get_by_role("button", name=say("Skip")).click()
    root.get_by_label(say("Matrix"), exact=True).select_option("formal-voice-v_proj")
    said = fill(WORDS["missing"], {"given": "formal-voice-v_proj", "have": Rank().enclosed_words()})
    expect(root.locator(".notice")).to_have_text(said)
    expect(root.get_by_label(say("Matrix"), exact=True)).to_have_value("few-patterns")
    expect(root.get_by_label(say("Size"), exact=True)).to_be_enabled()
    assert move(root, 5)[0]["sentence"] == Rank(r=5).sentence()

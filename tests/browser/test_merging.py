"""The merging figure in a real browser: its arithmetic is NumPy's to the last digit, and the share is veiled."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from compute.adapters.merging import at_strength, merge_weights
from compute.experiments.merging import load_layer
from compute.numbers.precision import PRECISIONS
from helpers.browser import code, downloaded, matrix_of, table
from helpers.spoken import say, saying
from widgets.kit.languages import written
from widgets.merging import Merging
from widgets.merging.words import WORDS

SHARE = "Entries of W that the merge leaves as they were"


def opened(open_page, server, **state):
    query = "&".join(f"{name}={value}" for name, value in {"guess": "skip", **state}.items())
    page = open_page(f"{server}/embed/merging/merging.html?{query}")
    expect(page.locator("#merging.live")).to_be_visible()
    return page, page.locator(".lora-merging")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("strength", ["1", "0.001"])
def test_the_merged_matrix_is_numpys(open_page, server, precision, strength):
    _, root = opened(open_page, server, task="facts", precision=precision, strength=strength)
    name, text = downloaded(root, WORDS["downloads"]["merged"])
    layer = load_layer("facts")
    merged = merge_weights(layer.W, at_strength(layer.delta_w, float(strength)), precision)
    np.testing.assert_array_equal(matrix_of(text), merged)
    assert name == f"facts-{precision}-{strength}-merged.csv"


def test_every_step_says_what_python_says(open_page, server):
    page, root = opened(open_page, server, precision="bf16", strength="0.01")
    for step in range(1, 7):
        said = Merging(precision="bf16", strength="0.01", step=step).sentence()
        expect(root.locator(".sentence")).to_have_text(said)
        expect(root.locator(".stage")).to_have_text(say(WORDS["stages"][step - 1]))
        page.get_by_role("button", name=say("Step"), exact=True).click()
    page.get_by_label(say("Precision")).select_option("fp16")
    page.get_by_label(say("Strength")).select_option("0.1")
    figure = Merging(precision="fp16", strength="0.1", step=6)
    expect(root.locator(".sentence")).to_have_text(figure.sentence())
    assert table(root) == figure.table()[1]
    expect(code(root)).to_have_value(figure.snippet())


def test_the_other_adapter_comes_when_it_is_chosen(open_page, server):
    page, root = opened(open_page, server)
    with page.expect_request("**/arrays/merging/facts.js"):
        page.get_by_label(say("Adapter"), exact=True).select_option("facts")
    expect(root.locator(".sentence")).to_have_text(Merging(task="facts").sentence())


def test_pictures_show_what_unmerging_leaves(open_page, server):
    _, root = opened(open_page, server, precision="bf16", step=4)
    picture = root.get_by_role("application", name=say("off from W"))
    picture.focus()
    layer = load_layer("formal")
    merged = merge_weights(layer.W, layer.delta_w, "bf16")
    first = written(f"{merged[0, 0]:.6g}".replace("-", "−"))
    said = saying(WORDS["cells"][3], row=0, column=0, first=first)
    expect(root.locator(".cell")).to_have_text(said)
    expect(root.locator("figure.lora_A")).to_be_hidden()


def test_the_share_is_veiled_until_the_guess(open_page, server):
    page, root = opened(open_page, server, guess="ask")
    share = page.get_by_role("slider", name=say(SHARE))
    expect(share).to_have_count(0)
    page.get_by_label(say("My guess:")).fill("5")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(share).to_be_visible()
    truth = round(100 * Merging().values("bf16", "0.01")["unchanged"])
    expect(root.locator(".verdict")).to_have_text(saying(WORDS["guess"]["tooLow"], truth=truth))


def test_a_teacher_hides_parts(open_page, server):
    page, root = opened(open_page, server, hide=",".join(Merging.parts))
    expect(root.locator(".sentence")).to_be_visible()
    for selector in (".controls", ".maps", ".guess", ".charts", "details", ".buttons"):
        expect(root.locator(selector)).to_have_count(0)


def test_the_single_file_has_one_adapter_and_says_so(exported, open_page):
    page = open_page(exported / "file" / "merging-merging.html", offline=True)
    page.get_by_label(say("Adapter"), exact=True).select_option("facts")
    expect(page.get_by_role("alert")).to_contain_text(
        say("the adapter “{task}”; the lesson has both", task="formal")
    )
    expect(page.locator(".lora-merging .sentence")).to_have_text(Merging().sentence())

"""The counting instrument in a real browser: its arithmetic is Python's, asks nobody, and waits for the guess."""

from __future__ import annotations

import csv
import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from compute.costs.architectures import ARCHITECTURES, TARGETS, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import PRECISIONS
from helpers.browser import code, downloaded, instrument, open_drawer, requests_of, sentence, table
from helpers.spoken import say, saying
from widgets.counting import WORDS, Counting
from widgets.kit.text import fill

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
LOOKS = {
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
ADDRESS = "/embed/counting/counting.html"
PATH = f"{ADDRESS}?guess=skip"
SAID = """(root, ranks) => {
  const slider = root.querySelector('input[type=range]')
  return ranks.map((r) => {
    slider.value = r
    slider.dispatchEvent(new Event('input', { bubbles: true }))
    return root.querySelector('.sentence').textContent
  })
}"""
RANKS = [1, 3, 16, 255, 256]


def choose(root, **choices: str) -> None:
    for label, value in choices.items():
        root.get_by_label(say(Counting.param[label].label), exact=True).select_option(value)


def test_the_browser_counts_as_python_does_and_asks_nobody(open_page, server):
    root = instrument(open_page(server + PATH), "counting")
    asked = requests_of(root.page)
    for model, targets in itertools.product(ARCHITECTURES, TARGETS):
        choose(root, model=model, targets=targets)
        figure = Counting(model=model, targets=targets)
        assert root.evaluate(SAID, RANKS) == [sentence(figure, r) for r in RANKS]
    assert asked == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_table_is_pythons(open_page, server, precision):
    root = instrument(open_page(server + PATH), "counting")
    for model, batch, context in (("gpt2", "16", "8192"), ("llama-3-8b", "4", "4096"), ("gpt3", "1", "512")):
        choose(root, model=model, batch=batch, context=context, precision=precision)
        figure = Counting(model=model, precision=precision, batch=batch, context=context)
        expect(root.locator(".sentence")).to_have_text(figure.sentence())
        rows = figure.table()[1]
        open_drawer(root, "Numbers as a table")  # open, it follows a moment later
        expect(root.locator("tbody tr")).to_have_text(["".join(row) for row in rows])
        assert table(root) == rows


def test_the_code_is_pythons(open_page, server):
    page = open_page(f"{server}{PATH}&model=gpt2-xl&targets=q-v&r=5&precision=32-bit")
    root = instrument(page, "counting")
    expected = Counting(model="gpt2-xl", targets="q-v", r=5, precision="32-bit").snippet()
    expect(code(root)).to_have_value(expected)


def test_the_guess_comes_first(open_page, server):
    page = open_page(server + ADDRESS)
    root = instrument(page, "counting")
    values = Counting().values(16)
    expect(root.locator(".question")).to_have_text(fill(WORDS["guess"]["question"], values))
    for part in (".sentence", ".readouts", ".bars-chart"):
        expect(root.locator(part)).not_to_be_visible()
    choose(root, model="gpt3")
    expect(root.locator(".question")).to_contain_text("GPT-3 175B")
    choose(root, model="llama-2-7b")
    root.get_by_label(say("My guess, times less:")).fill("168")
    root.get_by_role("button", name=say("Reveal")).click()
    verdict = fill(WORDS["guess"]["tooHigh"], {**values, "guess": 168})
    expect(root.locator(".verdict")).to_have_text(verdict)
    for part in (".sentence", ".readouts", ".bars-chart"):
        expect(root.locator(part)).to_be_visible()
    choose(root, model="gpt3")
    expect(root.locator(".verdict")).to_have_text(verdict)


def test_the_bars_are_as_long_as_their_numbers(open_page, server):
    root = instrument(open_page(server + PATH), "counting")
    drawn = root.locator(".bars-chart .part").evaluate_all(
        "all => all.map((one) => [one.classList[1], Number(one.getAttribute('width'))])"
    )
    legend, bars = drawn[:4], drawn[4:]
    kinds = list(WORDS["bars"]["parts"])
    assert [kind for kind, _ in legend] == kinds
    assert [kind for kind, _ in bars] == kinds * 3
    rows = Counting().bars()
    values = [row[part] for row in rows for part in ("weights", "gradients", "optimiser", "extra")]
    each = bars[0][1] / values[0]
    assert [width for _, width in bars] == pytest.approx([value * each for value in values], abs=1e-6)
    assert root.locator(".torn").count() == 0
    choose(root, scale="cards")
    expect(root.locator(".torn")).to_have_count(1)  # full finetuning alone is longer than the largest card


def test_the_cursor_reads_the_curve_and_enter_takes_the_rank(open_page, server):
    root = instrument(open_page(server + PATH), "counting")
    chart = root.get_by_role("slider", name=say(WORDS["chart"]["title"]))
    chart.focus()
    root.page.keyboard.press("ArrowRight")
    expect(root.locator(".probe")).to_contain_text(
        saying(WORDS["chart"]["probe"], rank=32, rank_trained=79_953_920, rank_share=0.01187)
    )
    root.page.keyboard.press("Enter")
    expect(root.get_by_role("slider", name=say("Rank r"))).to_have_value("32")
    chart.focus()
    root.page.keyboard.press("End")
    root.page.keyboard.press("Enter")
    expect(root.get_by_role("slider", name=say("Rank r"))).to_have_value("256")


def test_the_files_hold_bytes_and_numbers(open_page, server):
    root = instrument(open_page(f"{server}{PATH}&model=gpt3&targets=q-v&r=4"), "counting")
    name, text = downloaded(root, "Memory (CSV)")
    assert name == "gpt3-q-v-r4-memory.csv"
    rows = {row["method"]: row for row in csv.DictReader(text.splitlines())}
    for method, states in Counting(model="gpt3", targets="q-v", r=4).states(4).items():
        row = [float(rows[method][key]) for key in ("weights", "gradients", "optimiser_states")]
        assert row == list(states)
    assert int(rows["full"]["trained"]) == parameters(ARCHITECTURES["gpt3"])
    _, text = downloaded(root, "Numbers against r (CSV)")
    ranks = [list(map(int, line.split(","))) for line in text.splitlines()[1:]]
    trained = [lora_numbers(ARCHITECTURES["gpt3"], "q-v", r) for r in range(1, 257)]
    assert ranks == [[r, count, 2 * count] for r, count in enumerate(trained, start=1)]
    _, text = downloaded(root, "Picture (SVG)")
    assert text.count("<svg") == 3, "the bars and the curve in one picture"


def test_every_part_can_be_hidden(open_page, server):
    page = open_page(f"{server}{ADDRESS}?hide={','.join(Counting.parts)}")
    root = instrument(page, "counting")
    expect(root.locator(".sentence")).to_be_visible()
    for part in (".bars-chart", ".chart", "select", "details", "button"):
        expect(root.locator(part)).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(open_page, server, look):
    page = open_page(f"{server}/lesson/counting.html?counting.model=gpt3", **LOOKS[look])
    root = instrument(page, "counting")
    assert Axe().run(page, options=RULES).response["violations"] == []
    root.get_by_role("button", name=say("Skip")).click()
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    expect(root.locator("tbody tr").first).to_be_visible()
    assert Axe().run(page, options=RULES).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_names_of_the_bars_are_not_cut(open_page, server):
    page = open_page(f"{server}{PATH}&model=gpt3&context=8192&batch=16", **LOOKS["phone"])
    root = instrument(page, "counting")
    ends = root.locator(".bars-chart text").evaluate_all(
        "all => all.map((one) => [one.getBBox().x + one.getBBox().width, one.ownerSVGElement.clientWidth])"
    )
    assert all(end <= width for end, width in ends)

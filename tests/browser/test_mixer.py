"""The mixer and the storage figure in a real browser: what they say is Python's, and asks nobody."""

from __future__ import annotations

import csv
import itertools
from statistics import fmean

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from compute.adapters.mixing import METHODS
from compute.costs.architectures import ARCHITECTURES, TARGETS
from compute.experiments.mixing import SEEDS, load_record, mix_of
from helpers.browser import code, downloaded, instrument, open_drawer, requests_of, table
from helpers.spoken import say, saying
from widgets.kit.text import fill
from widgets.mixer import ROWS, SETTINGS, Mixer
from widgets.mixer.words import NONE, WORDS
from widgets.storage import Storage
from widgets.storage.words import WORDS as STORAGE_WORDS

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
LOOKS = {
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
ADDRESS = "/embed/mixing/mixer.html"
PATH = f"{ADDRESS}?guess=skip"
STORAGE = "/embed/customers/storage.html"
# Move all sliders of a figure at once, for each of the given states, and return what it then says.
SAID = """(root, states) => states.map((values) => {
  root.querySelectorAll('input[type=range]').forEach((slider, i) => {
    slider.value = values[i]
    slider.dispatchEvent(new Event('input', { bubbles: true }))
  })
  return root.querySelector('.sentence').textContent
})"""
# Where each text begins and ends, and how wide its picture is.
ENDS = """all => all.map((one) => {
  const { x, width } = one.getBBox()
  return [x, x + width, one.ownerSVGElement.clientWidth]
})"""
STATES = list(itertools.product((0, 50, 100, 150), repeat=2))


def choose(root, label: str, value: str) -> None:
    root.get_by_label(say(label), exact=True).select_option(value)


@pytest.mark.parametrize(("first", "second"), [("legal", "formal"), ("facts", "legal"), ("formal", NONE)])
def test_the_browser_says_at_every_setting_what_python_says(open_page, server, first, second):
    root = instrument(open_page(f"{server}{PATH}&primary={first}&second={second}"), "mixer")
    asked = requests_of(root.page)
    for method in METHODS if second != NONE else ["products"]:
        if second != NONE:
            choose(root, "Mixed by", method)
        expected = [
            Mixer(primary=first, second=second, method=method, w1=w1, w2=w2).sentence() for w1, w2 in STATES
        ]
        assert root.evaluate(SAID, STATES) == expected
    assert asked == []


def test_table_ways_and_code_are_pythons(open_page, server):
    page = open_page(f"{server}{PATH}&primary=formal&second=facts&method=factors&w1=100&w2=50")
    root, figure = (
        instrument(page, "mixer"),
        Mixer(primary="formal", second="facts", method="factors", w1=100, w2=50),
    )
    ways = root.locator(".ways tbody tr")
    expect(ways).to_have_text(["".join(row) for row in figure.ways()])
    expect(root.locator(".ways tr[aria-current]")).to_have_text("".join(figure.ways()[1]))
    open_drawer(root, "Numbers as a table")
    rows = root.locator(".drawers tbody tr")
    expect(rows).to_have_text(["".join(row) for row in figure.table()[1]])
    expect(code(root)).to_have_value(figure.snippet())
    samples = load_record().mixes[SEEDS[0], mix_of({"formal": 1.0, "facts": 0.5}, "factors")].samples
    expect(root.locator(".sample li")).to_have_text([*samples])


def test_the_bars_are_as_long_as_the_shares(open_page, server):
    root = instrument(open_page(f"{server}{PATH}&w1=100&w2=100"), "mixer")
    drawn = root.locator(".shares-chart .share").evaluate_all(
        "all => all.map((one) => [one.classList[1], Number(one.getAttribute('width'))])"
    )
    measured = load_record().mixes[SEEDS[0], mix_of({"legal": 1, "formal": 1}, "products")]
    shares = [*(fmean(measured.shares(voice)) for voice in ROWS[:-1]), measured.facts]
    each = max(width for _, width in drawn) / max(shares)
    assert [width for _, width in drawn] == pytest.approx([share * each for share in shares], abs=1e-2)
    assert [kind for kind, _ in drawn] == ["kept", "other", "kept", *["other"] * 3, "lost", "other"]
    # Each bar has the base and both adapters below it, and the legend has each once.
    for name in ("base", "first", "second"):
        expect(root.locator(f".control-mark.{name}")).to_have_count(len(ROWS) + 1)
    said = root.locator(".shares-chart svg").get_attribute("aria-label")
    assert fill("formal {share:.1%}", {"share": shares[ROWS.index("formal")]}) in said


def test_the_guess_comes_first_and_an_interval_is_right(open_page, server):
    root = instrument(open_page(server + ADDRESS), "mixer")
    told = Mixer().guessed()
    expect(root.locator(".question")).to_have_text(fill(WORDS["guess"]["question"], told))
    for part in (".sentence", ".readouts", ".shares-chart", ".ways", ".sample"):
        expect(root.locator(part)).not_to_be_visible()
    right = str(round(100 * told["low_guessed"] + 1))
    root.get_by_label(say("My guess, of a hundred:")).fill(right)
    root.get_by_role("button", name=say("Reveal")).click()
    expect(root.locator(".verdict")).to_have_text(fill(WORDS["guess"]["right"], {**told, "guess": right}))
    for part in (".sentence", ".readouts", ".shares-chart", ".ways", ".sample"):
        expect(root.locator(part)).to_be_visible()
    root.get_by_role("button", name=say("Guess for this choice")).click()
    root.get_by_label(say("My guess, of a hundred:")).fill("1")
    root.get_by_role("button", name=say("Reveal")).click()
    expect(root.locator(".verdict")).to_have_text(fill(WORDS["guess"]["tooLow"], {**told, "guess": 1}))


def test_other_adapters_are_loaded_when_chosen(open_page, server):
    page = open_page(f"{server}/lesson/mixing.html?mixer.guess=skip")
    root = instrument(page, "mixer")
    with page.expect_request("**/arrays/mixer/code-formal.js"):
        choose(root, "Adapter", "code")
    expect(root.locator(".sentence")).to_have_text(Mixer(primary="code").sentence())
    choose(root, "Second adapter", "code")
    expect(root.locator(".note").first).to_have_text(say(WORDS["same"]))
    expect(root.get_by_role("slider", name=say("Weight of the second, %"))).to_have_count(0)
    expect(root.locator(".ways")).not_to_be_visible()


def test_the_export_has_every_mix(exported, open_page):
    page = open_page(exported / "lesson" / "mixing.html", offline=True)
    root = instrument(page, "mixer")
    root.get_by_role("button", name=say("Skip")).click()
    for first, second in (("code", "facts"), ("code", NONE)):
        choose(root, "Adapter", first)
        choose(root, "Second adapter", second)
        expect(root.locator(".sentence")).to_have_text(Mixer(primary=first, second=second).sentence())


def test_the_file_holds_every_setting(open_page, server):
    root = instrument(open_page(f"{server}{PATH}&primary=code&second=facts"), "mixer")
    name, text = downloaded(root, "All settings of these two (CSV)")
    assert name == "code-facts-mixes.csv"
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 3 * len(SETTINGS) ** 2
    for row in rows:
        weights = {"code": float(row["w1"]), "facts": float(row["w2"])}
        measured = load_record().mixes[SEEDS[0], mix_of(weights, row["method"])]
        assert float(row["facts"]) == measured.facts
        assert float(row["code"]) == pytest.approx(fmean(measured.shares("code")), abs=1e-6)
        assert float(row["loss_second"]) == measured.losses["facts"]
    assert {float(row["w1"]) for row in rows} == set(SETTINGS)
    _, text = downloaded(root, "Picture (SVG)")
    assert text.count("<svg") == 2


def test_the_storage_figure_says_what_python_says_and_asks_nobody(open_page, server):
    root = instrument(open_page(server + STORAGE), "storage")
    asked = requests_of(root.page)
    tasks = [1, 2, 30, 169, 1000]
    for (model, targets), r in zip(itertools.product(ARCHITECTURES, TARGETS), itertools.cycle((1, 7, 256))):
        choose(root, "Model", model)
        choose(root, "Adapters on", targets)
        root.get_by_label(say("Rank r"), exact=True).fill(str(r))
        root.get_by_label(say("Rank r"), exact=True).press("Enter")
        figures = [Storage(model=model, targets=targets, r=r, tasks=each) for each in tasks]
        assert root.evaluate(SAID, [[each] for each in tasks]) == [figure.sentence() for figure in figures]
    assert asked == []
    assert table(root) == figures[-1].table()[1]
    _, text = downloaded(root, "Storage (CSV)")
    assert len(text.splitlines()) == 1001
    last = dict(zip(("tasks", "copies", "adapters"), map(int, text.splitlines()[-1].split(",")), strict=True))
    assert last["copies"] / 1e9 == figures[-1].values(1000)["copies"]


def test_the_storage_code_and_cursor(open_page, server):
    root = instrument(open_page(f"{server}{STORAGE}?model=gpt2&r=3&tasks=12"), "storage")
    expect(code(root)).to_have_value(Storage(model="gpt2", r=3, tasks=12).snippet())
    chart = root.get_by_role("slider", name=say("GB stored against the number of tasks (logarithmic axes)"))
    chart.focus()
    root.page.keyboard.press("End")
    expect(root.locator(".probe")).to_contain_text(
        saying(STORAGE_WORDS["chart"]["probe"], probed=1000, probed_copies=248.88)
    )
    root.page.keyboard.press("Enter")
    expect(root.get_by_role("slider", name=say("Tasks"), exact=True)).to_have_value("1000")


@pytest.mark.parametrize(("lesson", "figure"), [("mixing", Mixer), ("customers", Storage)])
def test_every_part_can_be_hidden(open_page, server, lesson, figure):
    page = open_page(f"{server}/embed/{lesson}/{figure.script}.html?hide={','.join(figure.parts)}")
    root = instrument(page, figure.script)
    expect(root.locator(".sentence")).to_be_visible()
    for part in (".shares-chart", ".chart", ".ways", ".sample", "select", "details", "button"):
        expect(root.locator(part)).to_have_count(0)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_and_nothing_is_cut(open_page, server, look):
    page = open_page(f"{server}/lesson/mixing.html?mixer.guess=skip&mixer.w1=100&mixer.w2=0", **LOOKS[look])
    root = instrument(page, "mixer")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    expect(root.locator(".drawers tbody tr").first).to_be_visible()
    assert Axe().run(page, options=RULES).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    ends = root.locator(".shares-chart svg > text").evaluate_all(ENDS)
    assert all(start >= 0 and end <= width for start, end, width in ends)

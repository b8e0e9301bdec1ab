"""Everything can be done with the keyboard alone, and what has the focus can be seen."""

import numpy as np
import pytest
from playwright.sync_api import expect

from compute.matrices.examples import make_task
from compute.matrices.svd import balanced_factors, factorize
from helpers.browser import FLOAT32_COPY, instrument, sentence
from helpers.matrices import truncated
from helpers.spoken import numbers_in, say, saying
from widgets.kit.text import fill
from widgets.rank import Rank
from widgets.rank.words import WORDS

# All that can have the focus, in the order of the document; what a shut drawer holds cannot.
CAN_HAVE_FOCUS = """() => {
  const possible = 'a[href], button, input, select, textarea, summary, [tabindex="0"]'
  globalThis.stops = [...document.querySelectorAll(possible)].filter((one) =>
    !one.disabled && one.checkVisibility({ visibilityProperty: true }))
  return stops.length
}"""
FOCUSED = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement)
  const what = document.activeElement.outerHTML.slice(0, 80)
  return [stops.indexOf(document.activeElement), outlineStyle, parseFloat(outlineWidth), what]
}"""
HALF_A_DIGIT = 0.5 * 10**-2  # three digits are shown: at most half a unit of the third is lost


@pytest.mark.parametrize("guess", ["ask", "skip"])
def test_tab_reaches_everything_in_order_and_the_focus_shows(open_page, server, guess):
    page = open_page(f"{server}/lesson/rank.html?rank.guess={guess}")
    instrument(page)
    count = page.evaluate(CAN_HAVE_FOCUS)
    assert count > 30
    for expected in range(count):
        page.keyboard.press("Tab")
        at, style, width, what = page.evaluate(FOCUSED)
        assert at == expected, what
        assert style != "none", what
        assert width >= 2, what


def test_the_first_stop_leads_to_the_text(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=say("To the text"))).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.wait_for_url("**/lesson/rank.html*#text")


def test_the_guess_and_the_steps(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    root = instrument(page)
    slider = root.get_by_role("slider", name=say("Rank r"))
    slider.focus()
    for key, value in (("ArrowRight", 2), ("End", 32), ("ArrowLeft", 31), ("Home", 0)):
        page.keyboard.press(key)
        expect(slider).to_have_value(str(value))
    for key, name, value in (("Enter", "Step", 1), ("Space", "Step", 2), ("Enter", "Reset", 1)):
        root.get_by_role("button", name=say(name)).focus()
        page.keyboard.press(key)
        expect(slider).to_have_value(str(value))
    root.get_by_role("button", name=say("Play")).focus()
    page.keyboard.press("Space")
    expect(root.get_by_role("button", name=say("Pause"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(root.get_by_role("button", name=say("Play"))).to_be_focused()
    root.get_by_label(say("My guess: r =")).focus()
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(root.locator(".verdict")).to_contain_text(saying(WORDS["guess"]["right"], guess=3))
    for name, content in (("Numbers as a table", "tbody"), ("Share and download", "textarea")):
        summary = root.get_by_text(say(name), exact=True)
        summary.focus()
        page.keyboard.press("Enter")
        expect(root.locator("details[open]").locator(content).first).to_be_visible()
        page.keyboard.press("Enter")
        expect(root.locator("details[open]")).to_have_count(0)


def test_the_focus_is_not_lost_when_the_guess_is_made(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).focus()
    page.keyboard.press("Enter")
    expect(root.get_by_role("button", name=say("Guess for this matrix"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(root.get_by_label(say("My guess: r ="))).to_be_focused()


def test_arrow_keys_on_a_matrix_say_its_values(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html?guess=skip&task=blur&r=4")
    root = instrument(page)
    svd = factorize(make_task("blur", 32, 0))
    copy = truncated(svd, 4)
    expected = {"delta_w": truncated(svd, 32), "copy": copy, "residual": truncated(svd, 32) - copy}
    tolerance = 2 * FLOAT32_COPY * svd.s[0]  # the residual is a difference of two such numbers
    for name in expected:
        root.locator(f".{name} .cells").focus()
        expect(root.locator(".cell")).to_contain_text(saying(WORDS["cells"]["matrix"]))
        y, x = map(int, numbers_in(root.locator(".cell").inner_text())[:2])  # the three share one cursor
        for key, dy, dx in [
            ("ArrowUp", -1, 0),
            *[("ArrowDown", 1, 0)] * 3,
            *[("ArrowRight", 0, 1)] * 4,
            ("ArrowLeft", 0, -1),
        ]:
            page.keyboard.press(key)
            y, x = max(0, y + dy), max(0, x + dx)
            text = root.locator(".cell").inner_text()
            row, column, *values = numbers_in(text.replace("delta_w", ""))
            assert (row, column) == (y, x), text
            wanted = [matrix[y, x] for matrix in expected.values()]
            np.testing.assert_allclose(values, wanted, rtol=HALF_A_DIGIT, atol=tolerance)
        expect(root.locator(".cursor:visible")).to_have_count(3)


def test_arrow_keys_on_a_factor_say_what_is_stored(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html?guess=skip&task=noise&r=3")
    root = instrument(page)
    lora_B, lora_A = balanced_factors(factorize(make_task("noise", 32, 0)), 3)
    for name, factor, key in (("lora_B", lora_B, "ArrowRight"), ("lora_A", lora_A, "ArrowDown")):
        root.locator(f".{name} .cells").focus()
        cell = root.locator(".cell")
        expect(cell).to_have_text(saying(WORDS["cells"][name], row=0, column=0))
        for step in range(1, 3):
            page.keyboard.press(key)
            y, x = (0, step) if name == "lora_B" else (step, 0)
            expect(cell).to_have_text(saying(WORDS["cells"][name], row=y, column=x))
            value = numbers_in(cell.inner_text())[-1]
            np.testing.assert_allclose(value, factor[y, x], rtol=HALF_A_DIGIT, atol=FLOAT32_COPY)
        page.keyboard.press(key)
        expect(cell).to_have_text(saying(WORDS["cells"]["unused"], name=name))


def test_arrow_keys_on_a_chart_give_its_values_and_enter_goes_there(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html?guess=skip&task=blur&r=2")
    root = instrument(page)
    figure = Rank(task="blur")
    for name in ("error", "energy", "s"):
        title = say(WORDS["charts"][name]["title"])
        probe = WORDS["charts"][name]["probe"]
        chart = root.get_by_role("slider", name=title)
        chart.focus()
        start = int(root.get_by_role("slider", name=say("Rank r")).input_value())
        for r in range(start + 1, start + 4):
            page.keyboard.press("ArrowRight")
            said = fill(probe, figure.values(r))
            expect(chart).to_have_attribute("aria-valuetext", said)
            expect(root.locator("figure.chart", has_text=title).locator(".probe")).to_have_text(said)
        page.keyboard.press("Enter")
        expect(root.get_by_role("slider", name=say("Rank r"))).to_have_value(str(start + 3))
        expect(root.locator(".sentence")).to_have_text(sentence(figure, start + 3))

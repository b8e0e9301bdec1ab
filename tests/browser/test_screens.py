"""A phone, paper, a projector, a dark room, a system that wants less motion, a browser without scripts."""

import html
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from compute.matrices.examples import make_task
from helpers.browser import RULES, instrument, move, sentence
from helpers.spoken import say, saying
from lessons import load_all
from lessons.rank import LESSON
from widgets.kit.matrix import SEED
from widgets.rank import Rank
from widgets.rank.words import WORDS

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PAGES = ["/index.html", "/lesson/rank.html", "/embed/rank/rank.html", "/file/rank-rank.html"]
GREY = """canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
  return Array.from({ length: pixels.length / 4 }, (_, i) =>
    0.2126 * pixels[4 * i] + 0.7152 * pixels[4 * i + 1] + 0.0722 * pixels[4 * i + 2])
}"""
TARGETS = "button, select, summary, input, .site-head a, .lessons a"
# What a finger may miss. Of a box to tick the label is the target, and what stands in a sentence is as high as a line.
SMALL = """targets => {
  const aimed = [...document.querySelectorAll(targets)].filter(
    (each) => !each.matches('.term, .credit a, [type=checkbox]') && each.checkVisibility({ visibilityProperty: true }),
  )
  const boxes = [...document.querySelectorAll('label')].filter((each) => each.querySelector('input'))
  return [...aimed.map((each) => [each, 24]), ...boxes.map((each) => [each, 0])]
    .map(([each, wide]) => [each, wide, each.getBoundingClientRect()])
    .filter(([, wide, { width, height }]) => width && height && (width < wide || height < 24))
    .map(([each]) => each.outerHTML.slice(0, 80))
}"""


def scrolls_sideways(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_never_scrolls_sideways_and_fingers_hit(open_page, server, path):
    page = open_page(server + path, **PHONE)
    root = instrument(page, "finetune" if path == "/index.html" else "rank")
    assert not scrolls_sideways(page)
    if page.get_by_role("button", name=say("Skip")).count():
        page.get_by_role("button", name=say("Skip")).tap()
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    expect(root.locator(".sentence")).to_be_visible()
    assert not scrolls_sideways(page)
    assert page.evaluate(SMALL, TARGETS) == []
    narrow = "one => { one.style.cssText = 'display: block; width: 20px; min-width: 0; padding: 0; overflow: hidden' }"
    page.locator("button:visible:not(.term)").first.evaluate(narrow)
    assert len(page.evaluate(SMALL, TARGETS)) == 1, "one that is too narrow is found"


def test_a_finger_moves_the_slider_and_asks_a_cell(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip", **PHONE)
    root = instrument(page)
    slider = root.get_by_role("slider", name=say("Rank r"))
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
    expect(slider).not_to_have_value("1")
    r = int(slider.input_value())
    assert 20 <= r <= 28
    expect(root.locator(".sentence")).to_have_text(sentence(Rank(), r))
    cells = root.locator(".delta_w .cells")
    side = cells.bounding_box()["width"] / 32
    cells.tap(position={"x": 5.5 * side, "y": 20.5 * side})
    expect(root.locator(".cell")).to_have_text(saying(WORDS["cells"]["matrix"], row=20, column=5))


def test_paper_shows_all_results_and_no_buttons(open_page, server):
    page = open_page(f"{server}/lesson/rank.html", color_scheme="dark")
    root = instrument(page)
    expect(root.locator(".sentence")).not_to_be_visible()
    expect(page.locator(".rights")).not_to_be_visible()
    page.emulate_media(media="print")
    for part in (".sentence", ".readouts", ".charts", ".delta_w canvas"):
        expect(root.locator(part)).to_be_visible()
    expect(root.locator(".charts .curve.lost")).to_be_visible()
    for control in page.locator("button:not(.term), input[type=range]").all():
        expect(control).not_to_be_visible()
    expect(page.locator(".rights li")).to_have_count(len(LESSON.questions))
    expect(page.locator(".rights")).to_be_visible()
    expect(page.locator(".site-head")).not_to_be_visible()
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(map(int, re.findall(r"\d+", paper)[:3])) > 240, "paper is white, also in the dark"
    grey = root.locator(".delta_w canvas").evaluate(GREY)
    signs = np.corrcoef(grey, make_task("few-patterns", 32, SEED).ravel())[0, 1]
    assert signs > 0.9, "a printer without colour tells the signs apart"


def test_less_motion_means_no_play_button(open_page, server):
    page = open_page(f"{server}/lesson/rank.html", reduced_motion="reduce")
    root = instrument(page)
    expect(page.get_by_role("button", name=say("Play"))).to_have_count(0)
    root.get_by_role("button", name=say("Step")).click()
    expect(root.get_by_role("slider", name=say("Rank r"))).to_have_value("2")


def test_without_scripts_everything_can_be_read(open_page, server):
    page = open_page(f"{server}/lesson/rank.html", java_script_enabled=False)
    text = " ".join(page.locator("main").inner_text().split())
    for heading in re.findall(r"^## (.+)$", "\n".join(LESSON.texts()), re.MULTILINE):
        assert say(heading) in text
    for figure in LESSON.figures().values():
        made = figure.make()
        assert " ".join(made.sentence().split()) in text
        assert " ".join(html.unescape(made.caption).split()) in text
    assert say("%(title)s: this part needs JavaScript.", title=say("Your own matrix")) in text
    for useless in page.locator(".needs-script").all():
        expect(useless).not_to_be_visible()


def test_dark_is_chosen_seen_and_remembered(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip", color_scheme="light")
    root = instrument(page)
    light = move(root, 2)[0]["pictures"]
    page.get_by_label(say("Colours")).select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_function(
        "light => document.querySelector('.lora-rank .delta_w canvas').toDataURL() !== light",
        arg=light["delta_w"],
    )
    dark = move(root, 2)[0]["pictures"]
    assert all(dark[name] != light[name] for name in light)
    page.goto(f"{server}/index.html")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label(say("Colours"))).to_have_value("dark")
    page.get_by_label(say("Colours")).select_option("")
    page.reload()
    expect(page.locator(".lora-finetune")).to_be_visible()
    expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")


def test_the_system_turns_dark(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html", color_scheme="light")
    root = instrument(page)
    light = move(root, 2)[0]["pictures"]["delta_w"]
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => document.querySelector('.delta_w canvas').toDataURL() !== light", arg=light
    )


def test_a_projector_gets_larger_letters(open_page, server):
    page = open_page(f"{server}/lesson/rank.html", viewport={"width": 1920, "height": 1080})
    instrument(page)
    size = "parseFloat(getComputedStyle(document.querySelector('.prose p')).fontSize)"
    before = page.evaluate(size)
    page.get_by_label(say("Projector")).check()
    assert page.evaluate(size) >= 1.25 * before
    assert not scrolls_sideways(page)
    page.reload()
    instrument(page)
    expect(page.get_by_label(say("Projector"))).to_be_checked()


COLOURS_SHOWN = """canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  return new Set(new Uint32Array(data.buffer)).size
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_the_data_its_own(server, open_page, scheme):
    page = open_page(
        f"{server}/lesson/rank.html?rank.guess=skip", forced_colors="active", color_scheme=scheme
    )
    maps = page.locator("figure.heatmap canvas")
    expect(maps.first).to_be_visible()
    shown = [canvas.evaluate(COLOURS_SHOWN) for canvas in maps.all()]
    assert sorted(shown)[len(shown) // 2] > 20, shown
    assert Axe().run(page, options=RULES).response["violations"] == []


@pytest.mark.parametrize("path", [*(f"lesson/{lesson.slug}.html" for lesson in load_all()), "aims.html"])
def test_on_a_narrow_screen_nothing_sticks_out(server, open_page, path):
    page = open_page(f"{server}/{path}", viewport={"width": 320, "height": 700})
    for place in page.locator(".instrument-place").all():
        expect(place.locator(".sentence").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

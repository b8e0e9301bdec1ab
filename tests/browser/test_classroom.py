"""The pages for a class on a screen and on paper: readable by all, within a page's width, with links to states."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from helpers.browser import violations
from helpers.spoken import say, saying
from lessons import load_all
from lessons.press.blocks import Lesson
from widgets.merging import Merging

PLANNED = [lesson for lesson in load_all() if lesson.teaching]
SHEETS = ("teach", "handout", "key")
LOOKS = [{}, {"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 700}}]
LESSON: Lesson = next(lesson for lesson in PLANNED if lesson.slug == "merging")


@pytest.mark.parametrize("path", [*(f"{sheet}/{LESSON.slug}" for sheet in SHEETS), "teach/index"])
@pytest.mark.parametrize("look", LOOKS, ids=["light", "dark", "narrow"])
def test_axe_finds_nothing_and_nothing_sticks_out(open_page, server, path, look):
    page = open_page(f"{server}/{path}.html", **look)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("lesson", PLANNED, ids=lambda lesson: lesson.slug)
def test_a_handout_has_at_most_three_sheets_and_a_key_no_more(open_page, server, lesson):
    page = open_page(f"{server}/index.html", color_scheme="dark")
    for sheet, most in {"handout": 3, "key": 4}.items():
        page.goto(f"{server}/{sheet}/{lesson.slug}.html")
        for paper in ("A4", "Letter"):
            sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper)))
            assert 1 <= sheets <= most, (sheet, paper)
        page.emulate_media(media="print")
        expect(page.locator(".site-head")).to_be_hidden()
        expect(page.locator(".site-foot")).to_be_hidden()
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert min(map(int, re.findall(r"\d+", ground)[:3])) > 240, "paper is white, also in the dark"
        page.emulate_media(media="screen")


def test_a_stop_opens_the_figure_in_its_state_and_presents_it_for_its_minutes(open_page, server):
    page = open_page(f"{server}/teach/{LESSON.slug}.html")
    stop = page.locator(".plan").first.locator("> li").nth(1)
    stop.get_by_role("link", name=say("Open “%(figure)s”", figure=Merging.title)).click()
    expect(page.locator("#merging").get_by_label(say("Strength"), exact=True)).to_have_value("0.01")
    expect(page.locator("#merging").get_by_label(say("Precision"), exact=True)).to_have_value("bf16")
    page.go_back()
    stop.get_by_role("link", name=say("Present it")).click()
    expect(page.locator(".present-bar .where")).to_contain_text(Merging.title)
    expect(page.get_by_role("timer")).to_have_text(saying("{time} of {all}", all="4:00"))
    expect(page.locator("#merging").get_by_label(say("Strength"), exact=True)).to_have_value("0.01")

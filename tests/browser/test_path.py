"""A reader's path by the keyboard alone: from the start page through three chapters."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

STOPS = 80  # the most presses of Tab from one thing that she wants to the next


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is where she wants to go, and see it there."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            break
    focused = page.locator(":focus")
    expect(focused).to_be_in_viewport()
    assert page.evaluate(f"document.activeElement.matches({selector!r})"), f"no {selector} in {STOPS} stops"
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") != "none"


def test_from_the_start_page_through_three_chapters(server, open_page):
    page = open_page(f"{server}/")
    tab_to(page, ".start a")
    page.keyboard.press("Enter")
    chapters = []
    for _ in range(3):
        expect(page.locator("h1")).to_be_visible()
        chapters.append(page.url)
        tab_to(page, "figure input[type=range]")
        slider = page.locator(":focus")
        before = slider.input_value()
        page.keyboard.press("ArrowRight")
        assert slider.input_value() != before
        tab_to(page, ".recall summary")
        page.keyboard.press("Enter")
        expect(page.locator(".recall details[open] .why").first).to_be_visible()
        tab_to(page, ".neighbours [rel=next]")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"^(?!.*" + re.escape(chapters[-1]) + ")"), wait_until="commit")
    assert len(set(chapters)) == 3

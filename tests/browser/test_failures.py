"""The failures in a real browser: they say what Python says, at every place of their knob."""

from __future__ import annotations

from playwright.sync_api import expect

from helpers.browser import code
from helpers.spoken import say
from widgets.failures import KNOBS, Failures


def test_every_failure_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/failures/failures.html?failure=base&place=3")
    sentence = page.locator(".lora-failures .sentence")
    expect(sentence).to_have_text(Failures(failure="base", place=3).sentence())
    for failure, knobs in KNOBS.items():
        page.get_by_label(say("Failure"), exact=True).select_option(failure)
        for place in range(len(knobs)):
            page.get_by_label(say("The knob")).fill(str(place))
            expect(sentence).to_have_text(Failures(failure=failure, place=place).sentence())
    expect(code(page.locator(".lora-failures"))).to_have_value(
        Failures(failure="base", place=len(KNOBS["base"]) - 1).snippet()
    )

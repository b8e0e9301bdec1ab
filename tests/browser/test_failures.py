"""The failures in a real browser: they say what Python says, and are veiled until the guess."""

from __future__ import annotations

from playwright.sync_api import expect

from widgets.failures import Failures


def test_every_failure_says_what_python_says_once_it_is_guessed(open_page, server):
    page = open_page(f"{server}/embed/failures/failures.html?failure=alpha&place=3")
    sentence = page.locator(".lora-failures .sentence")
    chart = page.get_by_role("slider", name="Loss on the task")
    expect(sentence).to_have_text(Failures(failure="alpha").sentence())
    expect(chart).to_have_count(0)
    page.get_by_label("My guess:").select_option("rises")
    page.get_by_role("button", name="Reveal").click()
    expect(chart).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("You said that it rises. Here it stays")
    for failure, places in {"alpha": (3, 4), "rank": (5, 0), "base": (4,), "data": (0,)}.items():
        page.get_by_label("Failure", exact=True).select_option(failure)
        for place in places:
            page.get_by_label("The knob").fill(str(place))
            expect(sentence).to_have_text(Failures(failure=failure, place=place, guess="skip").sentence())
            assert page.locator(".lora-failures .rule.lost").count() == 2 * (failure == "alpha")
    assert page.locator(".lora-failures .label").all_inner_texts()

"""The scale figure in a real browser: what is asked is veiled, and the slider says what Python says."""

from __future__ import annotations

from playwright.sync_api import expect

from widgets.scale import Scale


def test_the_losses_are_veiled_until_the_guess_and_then_follow_the_rate(open_page, server):
    page = open_page(f"{server}/embed/scale/scale.html")
    losses = page.get_by_role("slider", name="Loss after the last step")
    sentence = page.locator(".lora-scale .sentence")
    expect(losses).to_have_count(0)
    expect(sentence).to_have_text(Scale().sentence())
    page.get_by_label("My guess:").select_option("stays")
    page.get_by_role("button", name="Reveal").click()
    expect(losses).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text(
        "So it is with AdamW and alpha / r: 0.01 at first, then 0.01."
    )
    page.get_by_role("slider", name="Learning rate", exact=True).press("ArrowRight")
    expect(sentence).to_have_text(Scale(rate=3, guess="stays").sentence())
    expect(page.locator(".label.chosen")).to_have_text("0.003")  # the curve on the way that is chosen
    losses.press("End")
    losses.press("Enter")
    expect(sentence).to_have_text(Scale(rate=6, guess="stays").sentence())
    page.get_by_label("Optimiser").select_option("sgd")  # loaded when chosen; no new question asks itself
    page.get_by_label("Scaling").select_option("alpha-sqrt-r")
    page.get_by_label("Rank").select_option("64")
    expected = Scale(optimizer="sgd", rule="alpha-sqrt-r", rank="64", rate=6, guess="skip")
    expect(sentence).to_have_text(expected.sentence())
    expect(losses).to_be_visible()

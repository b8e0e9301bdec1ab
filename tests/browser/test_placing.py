"""The placing figure in a real browser: boxes count as Python does, and lead to the lab."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from widgets.placing import Placing


def test_what_is_ticked_is_counted_and_leads_to_the_lab(open_page, server):
    page = open_page(f"{server}/embed/placing/placing.html")
    sentence = page.locator(".lora-placing .sentence")
    chart = page.get_by_role("img", name="Loss reached by the recorded sets")
    expect(chart).to_have_count(0)
    expect(sentence).to_have_text(Placing().sentence())
    page.get_by_label("My guess:").select_option("q_proj")
    page.get_by_role("button", name="Reveal").click()
    expect(chart).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("It is k_proj")
    expect(page.locator(".paper [aria-current]")).to_contain_text("q, v")

    page.get_by_role(
        "checkbox", name="down_proj, middle block"
    ).check()  # no whole rows of whole columns any more
    expect(sentence).to_have_text(Placing(places="707002", guess="q_proj").sentence())
    expect(page.get_by_role("link", name="Run this set in the live lab, on its own model")).to_have_count(0)
    page.get_by_role("checkbox", name="all of first block").check()
    expect(sentence).to_have_text(Placing(places="717113", guess="q_proj").sentence())
    page.get_by_label("Take a recorded set").select_option("000055")
    expect(sentence).to_have_text(Placing(places="000055", guess="q_proj").sentence())
    link = page.get_by_role("link", name="Run this set in the live lab, on its own model").get_attribute(
        "href"
    )
    assert urlsplit(link).path == "/lesson/lab.html"
    assert {name: value for name, (value,) in parse_qs(urlsplit(link).query).items()} == {
        "train.task": "new words",
        "train.r": "6",
        "train.steps": "100",
        "train.learning_rate": "0.01",
        "train.target_modules": "up_proj,down_proj",
        "train.layers": "0,2",
    }
    page.get_by_label("Task").select_option("legal")  # loaded when chosen; no new question asks itself
    expect(sentence).to_have_text(Placing(task="legal", places="000055", guess="skip").sentence())
    expect(chart).to_be_visible()

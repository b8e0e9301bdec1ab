"""The placing figure in a real browser: boxes count as Python does, and lead to the lab."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from compute.model.layers import TARGET_MODULES
from helpers.spoken import prefix, say, saying
from widgets.placing import Placing
from widgets.placing.words import WORDS


def test_what_is_ticked_is_counted_and_leads_to_the_lab(open_page, server):
    page = open_page(f"{server}/embed/placing/placing.html?task=formal-voice&family=matrices&guess=ask")
    sentence = page.locator(".lora-placing .sentence")
    chart = page.get_by_role("img", name=say("The recorded sets, under one budget"))
    expect(chart).to_have_count(0)
    expect(sentence).to_have_text(Placing().sentence())
    page.get_by_label(say("My guess:")).select_option("mlp")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(chart).to_be_visible()
    expect(page.locator(".verdict")).to_have_text(saying(WORDS["guess"]["wrong"], truth="q_proj and k_proj"))
    expect(page.locator(".paper [aria-current]")).to_contain_text("q, v")

    page.get_by_role(
        "checkbox", name=say("down_proj, middle block")
    ).check()  # no whole rows of whole columns any more
    expect(sentence).to_have_text(Placing(places="707002", guess="mlp").sentence())
    expect(page.get_by_role("link", name=say("Run this set in the live lab"))).to_have_count(0)
    page.get_by_role("checkbox", name=say("all of {name}", name="first block")).check()
    expect(sentence).to_have_text(Placing(places="717113", guess="mlp").sentence())
    page.get_by_label(say("Take a recorded set")).select_option("222222")
    expect(sentence).to_have_text(Placing(places="222222", guess="mlp").sentence())
    link = page.get_by_role("link", name=say("Run this set in the live lab")).get_attribute("href")
    assert urlsplit(link).path == f"{prefix()}/lesson/lab.html"
    assert {name: value for name, (value,) in parse_qs(urlsplit(link).query).items()} == {
        "train.task": "formal voice",
        "train.r": "12",
        "train.alpha": "24",
        "train.steps": "50",
        "train.learning_rate": Placing(places="222222").values()["rate"],
        "train.full_learning_rate": Placing().values()["full_rate"],
        "train.target_modules": ",".join(TARGET_MODULES),
        "train.layers": "1",
    }
    page.get_by_label(say("Measure")).select_option("facts")
    expect(chart).to_have_attribute("aria-label", re.compile(r"MLP [0-9.,]+\s?%"))
    rates = page.get_by_role("slider", name=say("Loss on validation texts by learning rate, first seed"))
    rates.focus()
    expect(page.locator(".probe")).to_contain_text(say("nats per word"))
    page.get_by_label(say("Task")).select_option(
        "new-facts"
    )  # loaded when chosen; no new question asks itself
    expect(sentence).to_have_text(Placing(task="new-facts", places="222222", guess="skip").sentence())
    expect(chart).to_be_visible()
    link = page.get_by_role("link", name=say("Run this set in the live lab")).get_attribute("href")
    assert "train.facts=512" in link

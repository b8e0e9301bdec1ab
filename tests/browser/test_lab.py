"""The lab in a real browser: the replay says what Python says, and the knee is veiled until the guess."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.runs import load
from helpers.spoken import say, saying
from widgets.lab import Lab
from widgets.lab.words import WORDS


def test_the_replay_says_what_python_says_at_every_step(open_page, server):
    page = open_page(f"{server}/embed/lab/lab.html?task=mirror-voice&r=8&step=0")
    sentence = page.locator(".lora-lab .sentence")
    step = page.get_by_role("button", name=say("Step"), exact=True)
    for at in load("mirror voice", 8).steps:
        expect(sentence).to_have_text(Lab(task="mirror-voice", r="8", step=at).sentence())
        step.click()


def test_the_samples_are_those_of_the_step(open_page, server):
    run = load("who had it first", 4)
    page = open_page(f"{server}/embed/lab/lab.html?task=who-had-it-first&r=4&step={run.steps[-1]}")
    expect(page.locator(".sample.base li")).to_have_text(list(run.base_samples))
    expect(page.locator(".sample.adapted li")).to_have_text(list(run.samples[-1]))
    page.get_by_role("button", name=say("Reset")).click()
    expect(page.locator(".sample.adapted li")).to_have_text(list(run.samples[0]))


def test_another_run_is_loaded_when_chosen(open_page, server):
    page = open_page(f"{server}/lesson/lab.html")
    expect(page.locator("#lab.live")).to_be_visible()
    with page.expect_request("**/arrays/lab/new-words-1.js"):
        page.locator("#lab").get_by_label(say("Task"), exact=True).select_option("new-words")
    expect(page.locator(".lora-lab .sentence")).to_have_text(Lab(task="new-words", r="1").sentence())


def test_the_knee_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/lab/lab.html?task=new-words")
    knee = page.get_by_role(
        "slider", name=say("Final loss on the task against r (nats; the axis does not start at zero)")
    )
    expect(knee).to_have_count(0)
    expect(page.locator(".question")).to_have_text(
        saying(WORDS["guess"]["question"], ranks="1, 2, 4, 8, 16, 32")
    )
    page.get_by_label(say("My guess: r =")).fill("2")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(knee).to_be_visible()
    truth = Lab(task="new-words").knee()
    expect(page.locator(".verdict")).to_contain_text(f"r = {truth}")


def test_the_export_has_every_recorded_run(exported, open_page):
    page = open_page(exported / "lesson" / "lab.html", offline=True)
    for task, r in (("new-facts", "32"), ("formal-voice", "1")):
        page.locator("#lab").get_by_label(say("Task"), exact=True).select_option(task)
        page.locator("#lab").get_by_label(say("Rank r"), exact=True).select_option(r)
        expect(page.locator(".lora-lab .sentence")).to_have_text(Lab(task=task, r=r).sentence())

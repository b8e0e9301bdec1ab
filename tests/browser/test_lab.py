"""The lab in a real browser: the replay says what Python says, and the knee is veiled until the guess."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.runs import load
from widgets.lab import Lab


def test_the_replay_says_what_python_says_at_every_step(open_page, server):
    page = open_page(f"{server}/embed/lab/lab.html?task=dialect&r=8&step=0")
    sentence = page.locator(".lora-lab .sentence")
    step = page.get_by_role("button", name="Step", exact=True)
    for at in load("dialect", 8).steps:
        expect(sentence).to_have_text(Lab(task="dialect", r="8", step=at).sentence())
        step.click()


def test_the_samples_are_those_of_the_step(open_page, server):
    run = load("medical", 4)
    page = open_page(f"{server}/embed/lab/lab.html?task=medical&r=4&step={run.steps[-1]}")
    expect(page.locator(".sample.base li")).to_have_text(list(run.base_samples))
    expect(page.locator(".sample.adapted li")).to_have_text(list(run.samples[-1]))
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(".sample.adapted li")).to_have_text(list(run.samples[0]))


def test_another_run_is_loaded_when_chosen(open_page, server):
    page = open_page(f"{server}/lesson/lab.html")
    expect(page.locator("#lab.live")).to_be_visible()
    with page.expect_request("**/arrays/lab/new-language-4.js"):
        page.locator("#lab").get_by_label("Task", exact=True).select_option("new-language")
    expect(page.locator(".lora-lab .sentence")).to_have_text(Lab(task="new-language", r="4").sentence())


def test_the_knee_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/lab/lab.html?task=new-language")
    knee = page.get_by_role(
        "slider", name="Final loss on the task against r (nats; the axis does not start at zero)"
    )
    expect(knee).to_have_count(0)
    expect(page.locator(".question")).to_contain_text("which of r = 1, 2, 4, 8, 16, 32 is the first")
    page.get_by_label("My guess: r =").fill("2")
    page.get_by_role("button", name="Reveal").click()
    expect(knee).to_be_visible()
    truth = Lab(task="new-language").knee()
    expect(page.locator(".verdict")).to_contain_text(f"r = {truth}")


def test_the_export_has_every_recorded_run(exported, open_page):
    page = open_page(exported / "lesson" / "lab.html", offline=True)
    for task, r in (("code", "32"), ("dialect", "1")):
        page.locator("#lab").get_by_label("Task", exact=True).select_option(task)
        page.locator("#lab").get_by_label("Rank r", exact=True).select_option(r)
        expect(page.locator(".lora-lab .sentence")).to_have_text(Lab(task=task, r=r).sentence())

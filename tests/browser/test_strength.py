"""The strength dial in a real browser: it says what Python says, asks nobody, and is veiled until the guess."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.runs import load
from compute.training.config import STRENGTHS
from helpers.spoken import say, saying
from widgets.kit.languages import written
from widgets.kit.text import fill
from widgets.strength import SHOWN, Strength
from widgets.strength.words import WORDS

CURVE = "Loss on the task (nats per word)"


def dial(strength: float) -> str:
    return fill(WORDS["dial"], {"strength": strength, "last": STRENGTHS[-1]})


def test_the_dial_says_what_python_says_and_asks_nobody(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?task=mirror-voice&r=8&strength=0")
    run = load("mirror voice", 8)
    sentence = page.locator(".lora-strength .sentence")
    expect(sentence).to_have_text(Strength(task="mirror-voice", r="8", strength=0).sentence())
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    step = page.get_by_role("button", name=say("Step"), exact=True)
    for at, strength in enumerate(STRENGTHS):
        expect(sentence).to_have_text(Strength(task="mirror-voice", r="8", strength=at).sentence())
        expect(page.locator(".stepper output")).to_have_text(dial(strength))
        expect(page.locator(".sample.adapted li")).to_have_text(list(run.strengths["samples"][at][:SHOWN]))
        expect(page.locator(".sample.base li")).to_have_text(list(run.base_samples[:SHOWN]))
        step.click()
    assert asked == []
    page.get_by_role("button", name=say("Reset")).click()
    expect(page.locator(".stepper output")).to_have_text(dial(1.0))
    expect(page.get_by_label(say("Strength"), exact=True)).to_have_attribute("aria-valuetext", dial(1.0))


def test_the_curve_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?task=new-facts")
    curve = page.get_by_role("slider", name=say(CURVE))
    expect(curve).to_have_count(0)
    run = load("new facts", 1)
    before, after = run.validation_loss[0], run.validation_loss[-1]
    asked = saying(WORDS["guess"]["question"], before=before, after=after)
    expect(page.locator(".question")).to_have_text(asked)
    page.get_by_label(say("My guess, in percent:")).fill("50")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(curve).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text(written(f"{Strength(task='new-facts').truth()}%"))


def test_the_curve_moves_the_dial(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?guess=skip")
    curve = page.get_by_role("slider", name=say(CURVE))
    curve.focus()
    curve.press("End")
    curve.press("Enter")
    expect(page.locator(".lora-strength .sentence")).to_have_text(Strength(strength=8).sentence())
    expect(page.locator(".stepper output")).to_have_text(dial(2.0))


def test_the_single_file_has_every_run(exported, open_page):
    page = open_page(exported / "file" / "lab-strength.html", offline=True)
    for task, r in (("who-had-it-first", "32"), ("new-words", "1")):
        page.get_by_label(say("Task"), exact=True).select_option(task)
        page.get_by_label(say("Rank r"), exact=True).select_option(r)
        expect(page.locator(".lora-strength .sentence")).to_have_text(Strength(task=task, r=r).sentence())


def test_a_run_of_the_readers_has_no_choice_of_task(open_page, tmp_path):
    run = load("new facts", 2)
    figure = Strength.of(run._replace(recorded=""), "mine <b>")
    path = tmp_path / "own.html"
    path.write_text(figure.figure_html(), encoding="utf-8")
    page = open_page(path, offline=True)
    expect(page.locator(".lora-strength .sentence")).to_have_text(figure.sentence())
    expect(page.get_by_label(say("Task"), exact=True)).to_have_count(0)
    expect(page.get_by_label(say("Strength"), exact=True)).to_be_visible()

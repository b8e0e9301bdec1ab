"""The strength dial in a real browser: it says what Python says, asks nobody, and is veiled until the guess."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.runs import load
from compute.training.config import STRENGTHS
from widgets.strength import SHOWN, Strength

CURVE = "Loss on the task (nats per word)"


def test_the_dial_says_what_python_says_and_asks_nobody(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?task=mirror-voice&r=8&strength=0")
    run = load("mirror voice", 8)
    sentence = page.locator(".lora-strength .sentence")
    expect(sentence).to_have_text(Strength(task="mirror-voice", r="8", strength=0).sentence())
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    step = page.get_by_role("button", name="Step", exact=True)
    for at, strength in enumerate(STRENGTHS):
        expect(sentence).to_have_text(Strength(task="mirror-voice", r="8", strength=at).sentence())
        expect(page.locator(".stepper output")).to_have_text(f"{strength:.2f} / 2.00")
        expect(page.locator(".sample.adapted li")).to_have_text(list(run.strengths["samples"][at][:SHOWN]))
        expect(page.locator(".sample.base li")).to_have_text(list(run.base_samples[:SHOWN]))
        step.click()
    assert asked == []
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(".stepper output")).to_have_text("1.00 / 2.00")
    expect(page.get_by_label("Strength", exact=True)).to_have_attribute("aria-valuetext", "1.00 / 2.00")


def test_the_curve_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?task=new-facts")
    curve = page.get_by_role("slider", name=CURVE)
    expect(curve).to_have_count(0)
    run = load("new facts", 1)
    asked = f"from {run.validation_loss[0]:.2f} to {run.validation_loss[-1]:.2f}"
    expect(page.locator(".question")).to_contain_text(asked)
    page.get_by_label("My guess, in percent:").fill("50")
    page.get_by_role("button", name="Reveal").click()
    expect(curve).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text(f"{Strength(task='new-facts').truth()}%")


def test_the_curve_moves_the_dial(open_page, server):
    page = open_page(f"{server}/embed/lab/strength.html?guess=skip")
    curve = page.get_by_role("slider", name=CURVE)
    curve.focus()
    curve.press("End")
    curve.press("Enter")
    expect(page.locator(".lora-strength .sentence")).to_have_text(Strength(strength=8).sentence())
    expect(page.locator(".stepper output")).to_have_text("2.00 / 2.00")


def test_the_single_file_has_every_run(exported, open_page):
    page = open_page(exported / "file" / "lab-strength.html", offline=True)
    for task, r in (("who-had-it-first", "32"), ("new-words", "1")):
        page.get_by_label("Task", exact=True).select_option(task)
        page.get_by_label("Rank r", exact=True).select_option(r)
        expect(page.locator(".lora-strength .sentence")).to_have_text(Strength(task=task, r=r).sentence())


def test_a_run_of_the_readers_has_no_choice_of_task(open_page, tmp_path):
    run = load("new facts", 2)
    figure = Strength.of(run._replace(recorded=""), "mine <b>")
    path = tmp_path / "own.html"
    path.write_text(figure.figure_html(), encoding="utf-8")
    page = open_page(path, offline=True)
    expect(page.locator(".lora-strength .sentence")).to_have_text(figure.sentence())
    expect(page.get_by_label("Task", exact=True)).to_have_count(0)
    expect(page.get_by_label("Strength", exact=True)).to_be_visible()

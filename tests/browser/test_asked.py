"""The asked figure in a real browser: it says what Python says, and tells right from wrong in words."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.world import load_report
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.asked import Asked
from widgets.kit.text import name_of


def test_it_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/world/asked.html")
    root = instrument(page, "asked")
    voice = page.get_by_label(say("Voice of the story"))
    for chosen in ("rude", "code"):
        voice.select_option(chosen)
        for kind in ("place", "first-holder", "what-likes", "private", "holder"):
            page.get_by_label(say("What is asked")).select_option(kind)
            for question in (0, 3, 7):
                page.get_by_label(say("Question"), exact=True).fill(str(question))
                figure = Asked(kind=kind, voice=chosen, question=question)
                expect(root.locator(".sentence")).to_have_text(figure.sentence())
            drawer = open_drawer(root, "Numbers as a table")
            head, rows = figure.table()
            expect(drawer.locator(":is(th, td)")).to_have_text(
                [*head, *(cell for row in rows for cell in row)]
            )


def test_the_right_answer_is_told_in_words(open_page, server):
    page = open_page(f"{server}/embed/world/asked.html?kind=first-place&voice=medical")
    root = instrument(page, "asked")
    for question, one in enumerate(load_report().shown["medical"][name_of("first-place")]):
        page.get_by_label(say("Question"), exact=True).fill(str(question))
        expect(root.locator(".tale li").last).to_have_text(
            one["words"].rpartition(". ")[2].replace(" ?", "?")
        )
        expected = [say("right" if word == one["answer"] else "wrong") for word, _ in one["said"]]
        expect(root.locator(".answers tbody td:last-child")).to_have_text(expected)
        asked = [word for word, _ in one["said"]]
        lacks = "The right answer, “{answer}”, is not among them."
        missing = "" if one["answer"] in asked else say(lacks, answer=one["answer"])
        expect(root.locator(".missing")).to_have_text(missing)


def test_a_fact_has_no_voice_and_no_loss(open_page, server):
    page = open_page(f"{server}/embed/world/asked.html?kind=where-lives")
    root = instrument(page, "asked")
    expect(page.get_by_label(say("Voice of the story"))).to_be_disabled()
    expect(root.locator(".of-loss")).to_be_hidden()
    expect(root.locator(".rates [aria-current] th")).to_have_text(say("lives"))
    page.get_by_label(say("What is asked")).select_option("place")
    expect(page.get_by_label(say("Voice of the story"))).to_be_enabled()
    expect(root.locator(".of-loss")).to_be_visible()
    expect(root.locator(".rates [aria-current] th")).to_have_text(say("plain"))

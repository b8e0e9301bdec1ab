"""Phrases of the text set the figure that they speak of, by mouse and by keyboard, and light what they are about."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Locator, expect

from helpers.spoken import say
from lessons import load_all
from lessons.press.prose import FOLLOWING
from widgets.kit.text import fill

FOLLOWED = [lesson for lesson in load_all() if any(FOLLOWING.search(text) for text in lesson.texts())]
SLID = {"rank": "r", "storage": "tasks", "capacity": "facts"}  # the choice that the figure's slider makes
WITH_PHRASES = [lesson for lesson in load_all() if any("](#" in text for text in lesson.texts())]


def gaps(places: Locator) -> list[str]:
    """Return how the numbers at these places are written."""
    return [place.get_attribute("data-gap") for place in places.all()]


@pytest.mark.parametrize("lesson", WITH_PHRASES, ids=lambda lesson: lesson.slug)
def test_every_phrase_sets_its_figure(server, open_page, lesson):
    page = open_page(f"{server}/lesson/{lesson.slug}.html")
    phrases = page.locator("a.sets")
    assert phrases.count() > 0
    for phrase in phrases.all():
        phrase.focus()
        id_ = phrase.get_attribute("data-figure")
        wanted = {f"{id_}.{name}": value for name, value in parse_qsl(phrase.get_attribute("data-sets"))}
        lit = page.locator(f"#{id_} .lit")
        expect(lit).to_have_count(
            page.locator(
                ", ".join(f"#{id_} [data-choice='{name.partition('.')[2]}']" for name in wanted)
            ).count()
        )
        page.keyboard.press("Enter")
        page.wait_for_url(
            lambda url, wanted=wanted: wanted.items() <= dict(parse_qsl(urlsplit(url).query)).items()
        )
        expect(page.locator(f"#{id_} .notice")).to_be_hidden()
        expect(phrase).to_be_focused()
        figure = lesson.figures()[id_].make()
        for name, value in parse_qsl(urlsplit(page.url).query):
            of, _, choice = name.partition(".")
            if of == id_:
                kind = type(figure.param[choice].default)
                setattr(figure, choice, kind(value))
        if not figure.engine():  # of one that trains a recorded run is told
            expect(page.locator(f"#{id_} .sentence")).to_have_text(figure.sentence())


def test_a_phrase_goes_on_past_a_guess_that_hides_what_it_speaks_of(server, open_page):
    page = open_page(f"{server}/lesson/rank.html")
    curves = page.locator("#rank .charts").first
    expect(page.locator("#rank .waiting")).not_to_have_count(0)
    page.locator("a.sets[data-figure=rank]").first.click()
    expect(page.locator("#rank .waiting")).to_have_count(0)
    expect(curves).to_be_visible()


def test_a_phrase_leaves_a_guess_that_hides_nothing_of_it(server, open_page):
    page = open_page(f"{server}/lesson/wall.html")
    page.locator("a.sets[data-figure=wall]").first.click()
    expect(page.get_by_role("button", name=say("Reveal"))).to_be_visible()


@pytest.mark.parametrize("lesson", FOLLOWED, ids=lambda lesson: lesson.slug)
def test_numbers_of_the_text_follow_the_figure(server, open_page, lesson):
    page = open_page(f"{server}/lesson/{lesson.slug}.html")
    for id_, figure in lesson.figures().items():
        places = page.locator(f".follows[data-figure={id_}]")
        if not places.count():
            continue
        made = figure.make()
        [slider] = page.locator(f"#{id_} input[type=range]").all()
        expect(page.locator(f"#{id_}.live")).to_be_visible()
        assert places.all_inner_texts() == [fill(gap, made.shown_values()) for gap in gaps(places)]
        before = slider.input_value()
        slider.press("ArrowLeft")
        if slider.input_value() == before:
            slider.press("ArrowRight")
        setattr(made, SLID[id_], int(slider.input_value()))
        expect(places).to_have_text([fill(gap, made.shown_values()) for gap in gaps(places)])

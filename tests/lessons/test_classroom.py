"""What a teacher gets for each lesson: a plan, predictions, misconceptions, a handout without answers, and its key."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from helpers.prose import Page, impossible
from helpers.site import published
from lessons import load_all
from lessons.press.blocks import PLANS, Lesson, Teaching
from lessons.press.classroom import address, code, taught
from lessons.press.prose import to_html, to_inline
from lessons.press.site import Site

URL = "https://your-site.example/lora/"
SITE, KNOWN = published(), published(URL)
LESSONS = pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
PLANNED = [
    pytest.param(lesson, lesson.teaching, id=lesson.slug)
    for lesson in load_all()
    if lesson.teaching is not None
]


def page(path: str, site: Site = SITE) -> Page:
    return Page(site.read(path).decode())


def said(text: str, lesson: Lesson) -> str:
    return Page(to_inline(text, lesson.claims)).text()


def told(text: str, lesson: Lesson) -> str:
    return Page(to_html(text, lesson.claims)).text()


def test_every_chapter_has_a_plan():
    assert [each.slug for each in load_all() if each.is_chapter and each.teaching is None] == []


@pytest.mark.parametrize("kind", ["teach", "handout", "key"])
def test_the_culprit_is_not_named_before_its_chapter(kind: str):
    assert "embedding" not in page(f"{kind}/wall.html").text().lower()
    assert "embedding" in page(f"{kind}/frozen.html").text().lower()


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_a_plan_fills_its_minutes(lesson: Lesson, teaching: Teaching):
    for at, minutes in enumerate(PLANS):
        assert sum(stop.minutes[at] for stop in teaching.stops) == minutes
    assert all(max(stop.minutes) > 0 for stop in teaching.stops)


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_every_place_of_a_plan_is_on_the_page(lesson: Lesson, teaching: Teaching):
    ids = {each["id"] for _, each in page(f"lesson/{lesson.slug}.html").elements if "id" in each}
    for place in teaching.places():
        assert place.partition("?")[0] in ids | {""}
    figures = {place.partition("?")[0] for place in teaching.places()}
    assert len(figures & lesson.figures().keys()) > 1


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_what_a_figure_has_guessed_is_collected(lesson: Lesson, teaching: Teaching):
    guessed = {name for name, block in lesson.figures().items() if "guess" in block.make().choices}
    assert guessed <= {each.place.partition("?")[0] for each in teaching.predictions}
    assert all(each.place.partition("?")[0] in lesson.figures() for each in teaching.predictions)
    assert not any("guess=" in each.place for each in teaching.predictions), "the class guesses"


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_goals_say_what_a_student_can_do(lesson: Lesson, teaching: Teaching):
    assert 3 <= len(teaching.goals) <= 5
    for goal in teaching.goals:
        assert re.match(r"[a-z]+ ", goal), "they go on with: afterwards a student can"
        assert not goal.startswith(("know ", "understand ", "learn ")), "nobody sees whether she does"
        assert not goal.endswith(".")


@LESSONS
def test_the_teachers_page_has_everything(lesson):
    text = page(f"teach/{lesson.slug}.html").text()
    teaching = lesson.teaching or Teaching((), (), ())
    for goal in teaching.goals:
        assert said(goal, lesson) in text
    for stop in teaching.stops:
        assert text.count(told(stop.text, lesson)) == sum(minutes > 0 for minutes in stop.minutes)
    for each in teaching.predictions:
        assert told(each.ask, lesson) in text
        assert told(each.truth, lesson) in text
    for each in lesson.corrections:
        assert told(each.story, lesson) in text
        assert told(each.truth, lesson) in text
    for question in lesson.questions:
        assert said(question.ask, lesson) in text


@LESSONS
def test_the_handout_asks_and_answers_nothing(lesson):
    read = page(f"handout/{lesson.slug}.html")
    key = page(f"key/{lesson.slug}.html").text()
    for question in lesson.questions:
        assert said(question.ask, lesson) in read.text()
        for answer in question.answers:
            assert said(answer.text, lesson) in read.text()
            assert told(answer.why, lesson) not in read.text()
            assert told(answer.why, lesson) in key
    for each in lesson.teaching.predictions if lesson.teaching else ():
        assert told(each.ask, lesson) in read.text()
        assert told(each.truth, lesson) not in read.text()
        assert told(each.truth, lesson) in key
    assert "Right." not in read.text()
    assert not [each for _, each in read.elements if "right" in (each.get("class") or "").split()]


@LESSONS
def test_the_key_marks_one_answer_of_each_question(lesson):
    text = page(f"key/{lesson.slug}.html").text()
    rights = [answer for question in lesson.questions for answer in question.answers if answer.right]
    assert text.count("Yes. ") == len(lesson.questions) == len(rights)
    for answer in rights:
        assert f"{said(answer.text, lesson)} Yes. {told(answer.why, lesson)}" in text


def codes(read: Page) -> list[str]:
    return [each["aria-label"] for each in read.all("svg") if each.get("class") == "qr"]


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_codes_hold_whole_addresses_and_are_there_only_where_these_are_known(lesson, teaching):
    path = f"teach/{lesson.slug}.html"
    assert codes(page(path)) == []
    assert "There are no QR codes here" in page(path).text()
    assert "no QR codes" not in page(path, KNOWN).text()
    held = codes(page(path, KNOWN))
    stops = [stop for at in range(len(PLANS)) for stop in teaching.stops if stop.minutes[at]]
    assert held == [f"QR code of {URL}{address(lesson.slug, stop.place)}" for stop in stops]
    assert codes(page(f"handout/{lesson.slug}.html", KNOWN)) == [f"QR code of {URL}lesson/{lesson.slug}.html"]
    assert codes(page(f"handout/{lesson.slug}.html")) == []


def test_a_code_is_an_svg_without_colours_that_a_reader_cannot_take_for_its_address():
    drawn = Page(code("https://your-site.example/a?b=1&c=<d>"))
    [svg], [path] = drawn.all("svg"), drawn.all("path")
    assert drawn.faults == []
    assert svg["aria-label"] == "QR code of https://your-site.example/a?b=1&c=<d>"
    assert svg["role"] == "img"
    assert "style" not in svg | path


@pytest.mark.parametrize(("lesson", "teaching"), PLANNED)
def test_a_stop_opens_its_state_and_presents_it(lesson: Lesson, teaching: Teaching):
    links = [each["href"] for each in page(f"teach/{lesson.slug}.html").all("a")]
    for stop in teaching.stops:
        assert f"../{address(lesson.slug, stop.place)}" in links
        presented = [each for each in links if "view=present&minutes=" in each]
        assert presented
        for each in presented:
            asked = dict(parse_qsl(urlsplit(each).query))
            assert asked["view"] == "present"
            assert int(asked["minutes"]) > 0


def test_what_is_planned_for_a_state_that_is_not_there_is_noticed():
    lesson = next(each for each in load_all() if each.teaching)
    teaching = lesson.teaching
    wrong = replace(teaching.stops[0], place="nothing?r=4")
    planted = replace(lesson, teaching=replace(teaching, stops=(wrong, *teaching.stops[1:])))
    assert impossible(planted) == ["there is no figure 'nothing'"]


def test_a_lesson_without_a_plan_has_its_questions_and_no_empty_headings():
    lesson = replace(load_all()[0], teaching=None)
    made = taught(lesson, "")
    assert made["plans"] == made["goals"] == made["predictions"] == []
    assert len(made["asked"]) == len(lesson.questions)


def test_the_overview_leads_to_all_of_them():
    links = {each["href"] for each in page("teach/index.html").all("a")}
    for lesson in load_all():
        assert {
            f"{lesson.slug}.html",
            f"../handout/{lesson.slug}.html",
            f"../key/{lesson.slug}.html",
        } <= links

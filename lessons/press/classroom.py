"""A lesson for a class: places of its page as addresses, QR codes of them, and its plans, predictions and questions."""

import re
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import segno

from lessons.press.blocks import PLANS, Lesson, Teaching
from lessons.press.prose import read, to_html, to_inline
from lessons.press.rooms import Question
from widgets.kit.text import fill

NOTHING = Teaching(goals=(), predictions=(), stops=())  # of a room, which no class is planned for
LETTERS = "ABCDEFGH"  # the answers to a question on paper


def address(slug: str, place: str, **more: str) -> str:
    """Return the address of a place of a lesson's page, from the start page's folder.

    >>> address("rank", "rank?r=4&task=blur", view="present")
    'lesson/rank.html?view=present&rank.r=4&rank.task=blur#rank'
    >>> address("rank", "recall"), address("rank", "")
    ('lesson/rank.html#recall', 'lesson/rank.html')
    """
    name, _, query = place.partition("?")
    state = [(f"{name}.{choice}", value) for choice, value in parse_qsl(query, keep_blank_values=True)]
    asked = urlencode([*more.items(), *state], quote_via=quote)
    return f"lesson/{slug}.html{'?' if asked else ''}{asked}{'#' if name else ''}{name}"


def code(url: str) -> str:
    """Return the QR code of an address as SVG; it says which address it holds."""
    drawn = segno.make_qr(url, error="m").svg_inline(omitsize=True, border=4, svgclass="qr", lineclass="")
    told = escape(fill("QR code of {address}", {"address": url}))
    return drawn.replace("<svg", f'<svg role="img" aria-label="{told}"', 1)


def _place(lesson: Lesson, place: str, url: str, **more: str) -> dict[str, str]:
    """Return what a template needs to lead to a place: for a teacher, on a projector, and on paper."""
    there = address(lesson.slug, place)
    kind = lesson.kinds.get(place.partition("?")[0])
    return {
        "at": there,
        "present": address(lesson.slug, place, view="present", **more),
        "figure": kind.title if kind else "",
        "qr": code(url + there) if url else "",
    }


def _plan(lesson: Lesson, teaching: Teaching, at: int, url: str) -> list[dict[str, Any]]:
    """Return the stops of one of PLANS, each with the minute at which it begins."""
    stops: list[dict[str, Any]] = []
    begins = 0
    for stop in teaching.stops:
        if minutes := stop.minutes[at]:
            place = _place(lesson, stop.place, url, minutes=str(minutes))
            stops.append(
                {"minutes": minutes, "begins": begins, "html": to_html(stop.text, lesson.claims)} | place
            )
            begins += minutes
    return stops


def taught(lesson: Lesson, url: str) -> dict[str, Any]:
    """Return what the templates of a lesson's teacher's page, handout and key need.

    `url` is the address under which the site is read; without it there are no QR codes.
    """
    teaching = lesson.teaching or NOTHING
    claims = lesson.claims
    return {
        "lesson": lesson,
        "url": url,
        "page": _place(lesson, "", url),
        "goals": [to_inline(goal, claims) for goal in teaching.goals],
        "plans": [
            (minutes, _plan(lesson, teaching, at, url)) for at, minutes in enumerate(PLANS) if teaching.stops
        ],
        "predictions": [
            {"ask": to_html(each.ask, claims), "truth": to_html(each.truth, claims)}
            | _place(lesson, each.place, url)
            for each in teaching.predictions
        ],
        "corrections": [
            {"story": to_html(each.story, claims), "truth": to_html(each.truth, claims)}
            | _place(lesson, each.figure, url)
            for each in lesson.corrections
        ],
        "asked": [
            {
                "ask": to_inline(question.ask, claims),
                "answers": [
                    {
                        "letter": letter,
                        "text": to_inline(answer.text, claims),
                        "why": to_html(answer.why, claims),
                        "right": answer.right,
                    }
                    for letter, answer in zip(LETTERS, question.answers, strict=False)
                ],
            }
            for question in lesson.questions
        ],
    }


def questions_of(lesson: Lesson) -> dict[str, Question]:
    """Return what a class can be asked about a lesson, by id: its predictions, its figures' guesses, its questions."""

    def plain(html: str) -> str:
        return re.sub(r" (?=[.,;:?!)])", "", read(html))

    found = []
    for at, each in enumerate((lesson.teaching or NOTHING).predictions, start=1):
        ask, truth = (plain(to_html(text, lesson.claims)) for text in (each.ask, each.truth))
        found.append(
            Question(f"{lesson.slug}/prediction-{at}", "prediction", str(at), ask, written=True, truth=truth)
        )
    for id_, kind in lesson.kinds.items():
        if "guess" in kind.choices:
            options = tuple((value, label) for value, label in kind.words["guess"].get("options", ()))
            found.append(Question(f"{lesson.slug}/guess-{id_}", "guess", kind.title, "", options))
    for at, question in enumerate(lesson.questions, start=1):
        texts = [plain(to_inline(answer.text, lesson.claims)) for answer in question.answers]
        right = next(str(i) for i, answer in enumerate(question.answers) if answer.right)
        options = tuple((str(i), text) for i, text in enumerate(texts))
        ask = plain(to_inline(question.ask, lesson.claims))
        found.append(Question(f"{lesson.slug}/question-{at}", "question", str(at), ask, options, right=right))
    return {each.id: each for each in found}


def texts_of(lesson: Lesson) -> dict[str, list[str]]:
    """Return the Markdown of a lesson's teacher's page, handout and key, by the names of their folders."""
    teaching = lesson.teaching or NOTHING
    asked = [text for question in lesson.questions for text in question.texts()]
    asking = [question.ask for question in lesson.questions]
    asking += [answer.text for question in lesson.questions for answer in question.answers]
    told = [text for each in teaching.predictions for text in (each.ask, each.truth)]
    wrong = [text for each in lesson.corrections for text in (each.story, each.truth)]
    return {
        "teach": [*teaching.texts(), *wrong, *asking],
        "handout": [*(each.ask for each in teaching.predictions), *asking],
        "key": [*told, *asked],
    }

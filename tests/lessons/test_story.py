"""The course as one story: how long a chapter is, how it breathes, that it hands on and tells nothing twice."""

from __future__ import annotations

import itertools

import pytest

from helpers.prose import lengths
from lessons import load_all
from lessons.press.blocks import Claim, Prose, Try
from lessons.press.prose import values_of

LEAST, MOST = 900, 1400  # words of a chapter: six to ten minutes
CLIPPED = 8  # words of a sentence that sounds clipped

CHAPTERS = pytest.mark.parametrize(
    "lesson", [each for each in load_all() if each.is_chapter], ids=lambda lesson: lesson.slug
)
PAGES = pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)


@CHAPTERS
def test_a_chapter_is_read_in_six_to_ten_minutes(lesson):
    assert LEAST <= sum(lengths(lesson)) <= MOST


@CHAPTERS
def test_a_chapter_has_two_to_four_figures(lesson):
    assert 2 <= len(lesson.figures()) <= 4


@PAGES
def test_a_page_is_not_told_in_clipped_sentences(lesson):
    told = lengths(lesson)
    assert sum(words <= CLIPPED for words in told) < len(told) / 4


@PAGES
def test_a_page_has_long_sentences_too(lesson):
    told = lengths(lesson)
    assert sum(words >= 20 for words in told) >= len(told) / 5


def _told(mark: Claim) -> frozenset[float]:
    """Return the measured numbers of a claim: those with digits that cannot be there by chance."""
    values = (value for value in values_of(mark).values() if isinstance(value, float))
    return frozenset(float(f"{value:.5g}") for value in values if float(f"{value:.2g}") != value)


# Pages that may tell the same two numbers, and why.
TOLD_TWICE = {
    frozenset(pair.split()): why
    for pair, why in {
        "wall frozen": "one case in two chapters: a correction in the second states what the first one found",
        "wall scale": "the room goes on from the grid of the chapter",
        "frozen placing": "the room goes on from the figure of the chapter",
        "mixing serving": "the room goes on from the figures of the chapter",
        "customers qlora": "the need of the second begins where the count of the first ended",
    }.items()
}


def test_no_finding_is_told_on_two_pages():
    found: dict[frozenset[str], list[str]] = {}
    marks = [(lesson.slug, key, mark) for lesson in load_all() for key, mark in lesson.claims.items()]
    told = [(slug, key, _told(mark)) for slug, key, mark in marks if isinstance(mark, Claim)]
    for (slug, key, numbers), (other, its, more) in itertools.combinations(told, 2):
        if slug != other and len(numbers & more) >= 2:
            found.setdefault(frozenset({slug, other}), []).append(f"{key} and {its}")
    assert {pair: keys for pair, keys in found.items() if pair not in TOLD_TWICE} == {}
    assert TOLD_TWICE.keys() <= found.keys(), "an exception that none needs"


@CHAPTERS
def test_a_chapter_hands_on_to_the_next_one(lesson):
    chapters = [each for each in load_all() if each.is_chapter]
    after = chapters[chapters.index(lesson) + 1 :]
    last = [block.text for block in lesson.build() if isinstance(block, Prose | Try)][-1]
    told = last.strip().split("\n\n")[-1]
    assert not after or f"]({after[0].slug}.html" in told


def test_a_told_number_is_known_again():
    one, other = (
        Claim(lambda: {"a": 0.73215, "b": 12.481, "n": 3}, lambda v: True),
        Claim(lambda: {"x": 12.481, "y": 0.732151, "half": 0.5}, lambda v: True),
    )
    assert len(_told(one) & _told(other)) == 2
    assert _told(Claim(lambda: {"half": 0.5, "n": 3}, lambda v: True)) == frozenset()

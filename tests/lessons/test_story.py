"""The course as one story: how long a chapter is, how it breathes, how many figures it has."""

from __future__ import annotations

import pytest

from helpers.prose import lengths
from lessons import load_all
from lessons.press.blocks import PARTS

ROOMS = PARTS[-1]
LEAST, MOST = 900, 1400  # words of a chapter: six to ten minutes
CLIPPED = 8  # words of a sentence that sounds clipped

CHAPTERS = pytest.mark.parametrize(
    "lesson", [each for each in load_all() if each.part != ROOMS], ids=lambda lesson: lesson.slug
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

"""A link to a lesson travels with a picture where the address of the site is known, and with words everywhere."""

import io

import numpy as np
import pytest
from PIL import Image

from app import command_line
from helpers.prose import Page
from helpers.site import published
from lessons import load_all
from lessons.press.card import COLOURS, HIGH, WIDE, card

URL = "https://your-site.example/lora/"


@pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
def test_every_lesson_has_a_picture_and_says_where_it_is(lesson):
    site = published(URL)
    image = Image.open(io.BytesIO(site.read(f"cards/{lesson.slug}.png")))
    assert image.size == (WIDE, HIGH)
    assert len(image.getcolors(maxcolors=WIDE * HIGH)) > 20, "more than letters"
    said = {
        each.get("property", each.get("name")): each.get("content")
        for each in Page(site.read(f"lesson/{lesson.slug}.html").decode()).all("meta")
    }
    assert said["og:image"] == f"{URL}cards/{lesson.slug}.png"
    assert said["og:description"] == said["description"] == lesson.question
    assert said["og:title"].startswith(lesson.title)


def test_without_an_address_there_is_none():
    site = published()
    assert not [path for path in site.paths if path.startswith("cards/")]
    assert b"og:image" not in site.read("lesson/rank.html")
    assert b'<meta name="description"' in site.read("lesson/rank.html")


def test_a_matrix_has_the_colours_of_the_figures():
    image = Image.open(io.BytesIO(card("A title", "A question?", [np.array([[-1.0, 0.0, 1.0]])])))
    colours = {"#%02x%02x%02x" % each for _, each in image.getcolors(maxcolors=WIDE * HIGH)}
    assert {COLOURS[name] for name in ("scale-1", "paper", "scale-5", "ink")} <= colours


@pytest.mark.parametrize(
    "text", ["example.org", "ftp://example.org/", "https://", "https://a b/", "https://a/?x=1"]
)
def test_an_address_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        command_line().parse_args(["export", "site", "--url", text])
    assert "is no address of a site" in capsys.readouterr().err


def test_an_address_ends_with_one_slash():
    for text in ("https://your-site.example/lora", URL, URL + "//"):
        assert command_line().parse_args(["export", "site", "--url", text]).url == URL

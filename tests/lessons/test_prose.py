"""The rules of tests/helpers/prose.py can fail, and a lesson that keeps them is one file."""

from __future__ import annotations

import importlib
import sys

import pytest
from bokeh.document import Document

import app
import lessons
from helpers.prose import Page, faults, misspelled, shown_markup, typed_numbers
from lessons import load_all
from lessons.press.blocks import Claim, Lesson
from lessons.press.panel import lesson_page, live_apps
from lessons.press.prose import to_html
from lessons.press.site import Site


@pytest.mark.parametrize(
    "text",
    [
        "It keeps 12.5 % of it.",
        "At r = 4.",
        "7B weights",
        "two million numbers",
        "It saves 10x.",
        "½ or 1/2",
        "(3)",
    ],
)
def test_a_typed_number_is_noticed(text):
    assert typed_numbers(text)


def test_numbers_that_are_said_elsewhere_pass():
    text = (
        "GPT-3, Llama-2 and LoRA: [[share]] and [[noise.r90:.1f]] of `W[0]`, $2^n$, [@hu2021, section 4.1], "
        "[text](page.html?r=4), one\n$$x_{12}$$\n\n```\nr = 3\n```\n"
    )
    assert typed_numbers(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "The A and B matrices",
        "`lora_a` times `lora_b`",
        "loraA",
        "LoRA B",
        "LoRA_A",
        "a Lora",
        "`delta_W`",
        "deltaW",
        "ΔW",
        "fine-tuning",
        "the break even rank",
        "R90",
        "the stable rank",
    ],
)
def test_another_spelling_is_noticed(text):
    assert misspelled(text)


def test_the_spellings_of_the_house_pass():
    assert (
        misspelled("LoRA, `lora_A`, `lora_B`, `delta_w`, `Vh`, finetuned, break-even rank, $\\Delta W$, r90")
        == []
    )


PLANTED = '''"""Says nothing that is true."""

from compute.matrices.spectrum import flat_error
from lessons.press.blocks import Answer, Cited, Claim, Figure, Lesson, Live, Prose, Question, Try
from widgets.live.own_matrix import OwnMatrix
from widgets.patterns import Patterns


def build():
    yield Prose("""{text}""")
    yield Figure("sum", Patterns)
    yield Try("Slide it.")
    yield Live("mine", title="Mine", invitation="Open", without="Not here.", make=OwnMatrix)


LESSON = Lesson(
    slug="planted",
    title="A planted lesson",
    question="Is one file enough?",
    part="Rooms",
    order=990,
    minutes=1,
    claims={{
        "flat": Claim(lambda: {{"e": flat_error(32, 4)}}, lambda v: v["e"] > 0.9),
        "cited": Cited("a tenth", "hu2021", "section 4.1"),
    }},
    build=build,
    questions=(Question("Is it?", (Answer("Yes", "It is.", right=True), Answer("No", "It is."))),) * 2,
)
'''
GOOD = "One sentence. It misses [[flat.e:.1%]]. Elsewhere it was [[cited]]."


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """Put one more lesson file beside the others, and nothing else."""

    def write(text: str) -> Lesson:
        (tmp_path / "planted.py").write_text(PLANTED.format(text=text), encoding="utf-8")
        monkeypatch.setattr(lessons, "__path__", [*lessons.__path__, str(tmp_path)])
        importlib.invalidate_caches()
        load_all.cache_clear()
        return next(lesson for lesson in load_all() if lesson.slug == "planted")

    yield write
    sys.modules.pop("lessons.planted", None)
    vars(lessons).pop("planted", None)
    load_all.cache_clear()


def test_adding_a_lesson_is_one_file(plant, tmp_path):
    lesson = plant(GOOD)
    assert faults(lesson) == []
    site = Site(live=True)
    assert {"lesson/planted.html", "embed/planted/sum.html", "file/planted-sum.html"} <= site.paths.keys()
    assert "One sentence." in Page(site.read("lesson/planted.html").decode()).text()
    assert "A planted lesson" in Page(site.read("index.html").decode()).text()
    assert "live/planted/mine" in live_apps()
    app.export(tmp_path / "site", codes=["en"])
    assert b"93.5%" in (tmp_path / "site/lesson/planted.html").read_bytes()
    assert len(lesson_page(lesson).server_doc(Document()).roots) >= 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("It keeps 12.5 %. " + GOOD, "typed in: 12.5"),
        (GOOD.replace("[[flat.e:.1%]]", "much"), "the claim 'flat' is never made"),
        (GOOD + " [[flat.r]]", "[[flat.r]]: flat has no such value"),
        (GOOD + " [[flat]]", "[[flat.]]: flat has no such value"),
        (GOOD + " [[cited.e]]", "[[cited.e]]: cited has no such value"),
        (GOOD + " [[flatter]]", "[[flatter]] is no claim"),
        (GOOD + " [@hu2020, section 4.1]", "hu2020 is no source"),
        (GOOD + " [@hu2021]", "hu2021 is cited without a place"),
        (GOOD + " [See](#nosuch?r=4).", "there is no figure 'nosuch'"),
        (GOOD + " It is [[#nosuch.r]].", "there is no figure 'nosuch'"),
        (GOOD + " [See](#sum?zoom=4).", "sum has no choice 'zoom'"),
        (
            GOOD + " [See](#sum?r=99).",
            "sum: Integer parameter 'Patterns.r' must be at most 16, not 99.",
        ),
        (GOOD + " A Lora.", "'Lora': it is LoRA"),
        (GOOD + " word" * 41, "41 words: " + "word " * 41),
    ],
)
def test_a_lesson_with_a_fault_is_noticed(plant, text, said):
    assert [fault.strip() for fault in faults(plant(text))] == [said.strip()]


def test_html_in_markdown_is_noticed_and_does_not_reach_the_page(plant):
    html = to_html("Some <b>bold</b> <script>alert(1)</script> `<i>`", {})
    assert shown_markup(html) == ["<b>", "</b>", "<script>", "</script>"]
    assert {tag for tag, _ in Page(html).elements} == {"p", "code"}


def test_a_claim_rounds_a_tie_as_the_figures_do():
    # A lesson said 22.2 % of 89 in 400 where its figure said 22.3 %.
    claim = Claim(lambda: {"share": 89 / 400, "count": 4000, "name": "<x>"}, bool)
    text = to_html("[[c.share:.1%]] of [[c.count:,d]], [[c.name]]", {"c": claim})
    assert Page(text).text() == "22.3% of 4,000, <x>"


def test_a_phrase_that_sets_a_figure_is_a_link_to_that_state():
    (link,) = Page(to_html("[Few](#sum?task=few-patterns&r=3) and [more](rank.html)", {})).all("a")[:1]
    assert link == {
        "class": "sets",
        "href": "?sum.task=few-patterns&sum.r=3#sum",
        "data-figure": "sum",
        "data-sets": "task=few-patterns&r=3",
    }


def test_markup_that_does_not_close_is_noticed():
    assert Page("<p><b>x</p>").faults
    assert Page("<p>x").faults
    assert Page("<p>x</p><br>").faults == []

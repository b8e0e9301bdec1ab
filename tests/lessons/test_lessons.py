"""Every lesson found by being there keeps its promises: claims hold, numbers have a source, text is plain."""

from __future__ import annotations

import importlib
import itertools
import re
from urllib.parse import parse_qsl

import pytest
from bokeh.document import Document

from helpers.prose import Page, faults, markdown, sentences, shown_markup
from helpers.site import published
from lessons import load_all
from lessons.press.blocks import PARTS, TRAINER, Claim, Figure, Live, Prose, Try
from lessons.press.panel import lesson_page
from lessons.press.prose import CITATION, MARK, to_html, values_of
from widgets.kit.instrument import Instrument

USUAL = 18  # words in a sentence, on average

LESSONS = pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
CLAIMS = [
    pytest.param(mark, id=f"{lesson.slug}-{key}")
    for lesson in load_all()
    for key, mark in lesson.claims.items()
    if isinstance(mark, Claim)
]


def test_slugs_and_orders_are_unique():
    assert load_all()
    for name in ("slug", "order"):
        values = [getattr(lesson, name) for lesson in load_all()]
        assert len(set(values)) == len(values)
    assert [lesson.order for lesson in load_all()] == sorted(lesson.order for lesson in load_all())


@LESSONS
def test_the_file_is_named_as_the_lesson_and_says_what_it_teaches(lesson):
    module = importlib.import_module(f"lessons.{lesson.slug}")
    assert module.LESSON is lesson
    assert re.fullmatch(r"[^\n]+\.", module.__doc__.strip())
    assert re.fullmatch(r"[a-z][a-z0-9-]*", lesson.slug)


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_claim_holds(claim):
    assert claim.holds(values_of(claim))


@LESSONS
def test_the_text_is_without_fault(lesson):
    assert faults(lesson) == []


@LESSONS
def test_sentences_are_short(lesson):
    lengths = [len(sentence.split()) for text in lesson.texts() for sentence in sentences(text)]
    assert sum(lengths) / len(lengths) <= USUAL


@LESSONS
def test_every_claim_and_source_is_on_the_page(lesson):
    page = published().read(f"lesson/{lesson.slug}.html").decode()
    read = Page(page)
    targets = {element["id"] for element in read.all("li") if "id" in element}
    links = {element["href"][1:] for element in read.all("a") if element.get("class") == "cited"}
    assert links
    assert links == targets, "each citation leads to its source, and each listed source is cited"
    for mark in {mark[0] for text in lesson.texts() for mark in MARK.finditer(text)}:
        assert Page(to_html(mark, lesson.claims)).text() in read.text()
    assert not MARK.search(page)
    assert not CITATION.search(page)


@LESSONS
def test_it_closes_with_two_or_three_questions_that_have_one_right_answer(lesson):
    assert 2 <= len(lesson.questions) <= 3
    for question in lesson.questions:
        assert [answer.right for answer in question.answers].count(True) == 1
        assert len({answer.text for answer in question.answers}) == len(question.answers) == 3
        assert all(answer.why.strip() for answer in question.answers)
    places = [answer.right for question in lesson.questions for answer in question.answers]
    page = Page(published().read(f"lesson/{lesson.slug}.html").decode())
    shown = [
        "data-right" in each for each in page.all("details") if each.get("name", "").startswith("recall")
    ]
    assert shown == places


def test_the_right_answer_is_not_always_in_the_same_place():
    asked = [question for lesson in load_all() for question in lesson.questions]
    places = [[answer.right for answer in question.answers].index(True) for question in asked]
    assert all(places.count(place) >= len(asked) / 6 for place in range(3)), "a third each, give or take"


def test_every_lesson_is_in_a_part_and_the_parts_follow_each_other():
    parts = [PARTS.index(lesson.part) for lesson in load_all()]
    assert parts == sorted(parts)


@LESSONS
def test_its_html_is_well_formed_and_nobody_wrote_html(lesson):
    for text in markdown(lesson):
        html = to_html(text, lesson.claims)
        assert Page(html).faults == []
        assert shown_markup(html) == []


@LESSONS
def test_ids_are_unique_and_no_section_has_one_of_them(lesson):
    ids = [block.id for block in lesson.build() if isinstance(block, Figure | Live)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", id_) for id_ in ids), (
        "an id stands in addresses and as a name"
    )


@LESSONS
def test_two_readers_share_no_instrument(lesson):
    def made():
        return {name: figure.make() for name, figure in lesson.figures().items()}

    first, second = made(), made()
    for name in first:
        assert first[name] is not second[name]
        before, hidden = second[name].state(), [*second[name].hide]
        for choice in first[name].choices:
            parameter = first[name].param[choice]
            if getattr(parameter, "bounds", None):
                setattr(first[name], choice, parameter.bounds[1])
        first[name].hide = [*first[name].hide, first[name].parts[0]]
        assert second[name].state() == before
        assert second[name].hide == hidden


@LESSONS
def test_the_panel_page_builds(lesson):
    document = lesson_page(lesson).server_doc(Document())
    names = {root.name for root in document.roots}
    assert {block.id for block in lesson.build() if isinstance(block, Figure | Live)} <= names


def test_blocks_are_prose_figures_and_things_to_try():
    for lesson in load_all():
        blocks = list(lesson.build())
        assert isinstance(blocks[0], Prose), "text comes first"
        for before, block in itertools.pairwise(blocks):
            assert not isinstance(block, Try) or isinstance(before, Figure), "try it on the figure before it"


def trainer() -> type[Instrument]:
    """Return the figure that lessons open in a state."""
    slug, figure = TRAINER
    [lesson] = (each for each in load_all() if each.slug == slug)
    return type(lesson.figures()[figure].make())


def states_of_the_trainer() -> dict[str, list[dict[str, str]]]:
    """Return by lesson the choices that its links set in the trainer."""
    slug, figure = TRAINER
    found: dict[str, list[dict[str, str]]] = {}
    for lesson in load_all():
        for text in lesson.texts():
            for query in re.findall(rf"\]\((?:{slug}\.html)?\?([^)#]*)[^)]*\)", text):
                state = dict(parse_qsl(query, strict_parsing=True))
                own = {
                    k.removeprefix(f"{figure}."): v for k, v in state.items() if k.startswith(f"{figure}.")
                }
                if own:
                    found.setdefault(lesson.slug, []).append(own)
    return found


def test_every_state_in_which_a_lesson_opens_the_trainer_is_one_that_it_accepts():
    states = states_of_the_trainer()
    assert {"after", "failures", "first", "init", "knee", "placing", "scale"} <= set(states)
    kind = trainer()
    rules = kind.schema()
    for lesson, every in states.items():
        for state in every:
            # Of the address only what the schema knows is read: an unknown name would be ignored in silence.
            assert set(state) <= set(rules), (lesson, state)
            typed = {k: int(v) if rules[k]["type"] == "integer" else v for k, v in state.items()}
            assert kind(**typed).config()  # param refuses what is no choice, and TrainConfig what is no run
    assert any(
        state.get("task") == "new-words" and state.get("embeddings") == "yes" for state in states["frozen"]
    )


def test_a_state_that_the_trainer_does_not_know_is_found():
    block = Try("Look.", run={"so": {"init": "A=0", "rank": "3"}})
    assert block.text.endswith("[so](first.html?finetune.init=A%3D0&finetune.rank=3#finetune).\n")
    with pytest.raises(ValueError, match="init"):
        trainer()(init="nothing")

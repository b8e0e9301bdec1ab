"""The asked figure: its numbers are those of the report, and its code asks the model and finds the same."""

from __future__ import annotations

import pytest

from compute.experiments.world import FACTS, SHOWN, load_report
from compute.world.stories import SKILLS, STORY_QUESTIONS
from compute.world.voices import BASE_VOICES, QUESTIONS
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.asked import Asked
from widgets.asked.words import KINDS, NOTES
from widgets.kit.text import name_of

STORY_KINDS = [kind for kind in KINDS if name_of(kind) not in FACTS]
FACT_KINDS = [kind for kind in KINDS if name_of(kind) in FACTS]


def test_every_kind_that_was_asked_can_be_chosen():
    assert {name_of(kind) for kind in KINDS} == {*STORY_QUESTIONS, *SKILLS, *FACTS}
    assert NOTES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("voice", BASE_VOICES)
def test_the_sentence_says_what_was_recorded(kind, voice):
    report, name = load_report(), name_of(kind)
    row = "facts" if kind in FACT_KINDS else voice
    for question in (0, SHOWN - 1):
        said = Asked(kind=kind, voice=voice, question=question).sentence()
        assert not gaps(said)
        one = report.shown[row][name][question]
        right = one["said"][0][0] == one["answer"]
        assert ("That is right." in said) == right
        assert (f"wrong: it is “{one['answer']}”" in said) != right
        assert f"it says “{one['said'][0][0]}”" in said
        for count in (report.right[row][name], report.asked[row][name]):
            assert f"{count} " in said


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_a_row_for_each_voice_or_for_each_fact(kind):
    head, rows = Asked(kind=kind).table()
    assert len(rows) == len(FACTS if kind in FACT_KINDS else BASE_VOICES)
    assert all(len(row) == len(head) and all(row) for row in rows)
    for _, right, asked, share, *_ in rows:
        assert is_shown((100 * int(right) / int(asked), 1, True), share)


def test_somebody_blind_has_one_in_two_or_one_in_sixteen_or_all_of_what_is_always_the_same():
    chances = {kind: {row["key"]: row["chance"] for row in Asked(kind=kind).rows()} for kind in KINDS}
    for kind in STORY_KINDS:
        assert set(chances[kind].values()) == {1 / 2}
    for kind in FACT_KINDS:
        assert chances[kind] == {fact: 1 if name_of(fact) == "private" else 1 / 16 for fact in FACT_KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_each_text_is_whole_and_ends_with_its_question(kind):
    for row, shown in Asked(kind=kind).make_arrays()["shown"].items():
        recorded = load_report().shown[row][name_of(kind)]
        assert len(shown) == len(recorded) == SHOWN
        for one, each in zip(shown, recorded, strict=True):
            joined = " ".join(one["told"])
            assert [c for c in joined if not c.isspace()] == [c for c in each["words"] if not c.isspace()]
            assert one["told"][-1].startswith(QUESTIONS[name_of(kind)].split()[0])
            assert all(told[-1] in ".;" for told in one["told"][:-1])


@pytest.mark.parametrize(
    ("kind", "voice"),
    [("place", "legal"), ("first-holder", "code"), ("what-makes", "plain"), ("private", "rude")],
)
def test_its_code_asks_the_model_and_finds_the_same(kind, voice):
    figure = Asked(kind=kind, voice=voice)
    out = printed_by(figure.snippet())
    assert numbers(out)
    for number in numbers(out):
        assert is_shown(number, figure.sentence()), (out, figure.sentence())

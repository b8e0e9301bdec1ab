"""The wall figure: its numbers are those of the record, counted again from every seed."""

from __future__ import annotations

from statistics import fmean

import pytest

from compute.experiments.tasks import FULL, MEASURED, RANKS, SUSPECTS, load_tasks, way_of, ways
from compute.world.tasks import NEW_WORDS
from helpers.instruments import gaps, is_shown, numbers, printed_by
from widgets.kit.text import slug
from widgets.wall import MOST, Wall
from widgets.wall.words import MEASURES

TASKS = pytest.mark.parametrize("task", MEASURED)
COLUMNS = {"loss": ("loss", 1, 3), "right": ("task_right", 100, 0)}


def shown(task: str) -> list[str]:
    """Return the ways that the slider goes through."""
    return [way for way in ways(task) if way != FULL]


@TASKS
@pytest.mark.parametrize("measure", MEASURES)
def test_the_sentence_says_how_far_from_full_finetuning_each_way_ends(task, measure):
    recorded = load_tasks()
    column, times, digits = COLUMNS[measure]
    for place, way in enumerate(shown(task)):
        said = Wall(task=slug(task), measure=measure, place=place, guess="skip").sentence()
        assert not gaps(said)
        verdict = recorded.apart(task, way, what=column).verdict
        assert ("cannot tell the two apart" in said) == (verdict == "level")
        words = {"loss": ("above full", "below full"), "right": ("more than", "fewer than")}[measure]
        assert [word in said for word in words] == [verdict == "above", verdict == "below"]
        end = fmean(getattr(recorded.of(task, way), column))
        assert is_shown((round(times * end, digits + 1), digits, measure == "right"), said)
        for name in ("facts", "stories"):
            for share in (fmean(getattr(recorded.of(task, way), name)), recorded.before[task][name]):
                assert is_shown((round(100 * share, 2), 0, True), said), (name, share)


def test_what_else_learns_comes_into_sight_after_the_guess():
    ranks = [*map(way_of, RANKS)]
    asking = Wall(task=slug(NEW_WORDS), place=MOST)
    assert asking.asks()
    assert [row[0] for row in asking.table()[1]] == [*ranks, "full finetuning"]
    assert asking.sentence().startswith(f"At r = {RANKS[-1]} ")
    assert not any(way in asking.sentence() for way in SUSPECTS)
    for guess in ("skip", "norms", "rank"):
        told = Wall(task=slug(NEW_WORDS), place=MOST, guess=guess)
        assert [row[0] for row in told.table()[1]][len(ranks) : -1] == [
            "embeddings alone",
            "norms alone",
            "r = 4 and embeddings",
        ]
        assert told.sentence().startswith("With r = 4 and the embeddings ")
    assert len(Wall(task=slug(NEW_WORDS), hide=["guess"]).table()[1]) == MOST + 2
    assert [row[0] for row in Wall(task="mirror-voice", place=MOST).table()[1]] == [*ranks, "full finetuning"]


def test_who_did_it_is_what_ends_lowest_alone():
    recorded, guess = load_tasks(), Wall().make_arrays()["tasks"][slug(NEW_WORDS)]["guess"]
    alone = {way: fmean(recorded.of(NEW_WORDS, way).loss) for way in SUSPECTS[:2]}
    ranks = min(fmean(recorded.of(NEW_WORDS, way_of(r)).loss) for r in RANKS)
    assert guess["truth"] == min(alone, key=alone.__getitem__)
    assert alone[guess["truth"]] < ranks
    assert [guess["suspect_0"], guess["suspect_1"]] == pytest.approx([*alone.values()], abs=1e-4)


@TASKS
def test_the_table_has_every_way_and_the_ends_of_its_seeds(task):
    head, rows = Wall(task=slug(task), guess="skip").table()
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row, way in zip(rows, [*shown(task), FULL], strict=True):
        learned = load_tasks().of(task, way)
        assert row[1] == f"{learned.numbers:,}"
        assert row[3:5] == [f"{end(learned.loss):.3f}" for end in (min, max)]


@TASKS
def test_its_code_prints_the_numbers_of_the_sentence(task):
    for measure in MEASURES:
        figure = Wall(task=slug(task), measure=measure, place=2)
        row = " ".join(figure.table()[1][2] + figure.table()[1][-1])
        for number in numbers(printed_by(figure.snippet())):
            assert is_shown(number, f"{figure.sentence()} {row}")


@TASKS
def test_every_seed_is_drawn(task):
    arrays = Wall().make_arrays()["tasks"][slug(task)]
    for name, column in (("loss", "loss"), ("right", "task_right")):
        assert arrays["seeds"][name] == [getattr(load_tasks().of(task, way), column) for way in shown(task)]
    assert arrays["floor"] == load_tasks().floor.get(task)

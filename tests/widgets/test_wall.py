"""The wall figure: its knees are those of the recorded runs."""

from __future__ import annotations

import pytest

from compute.experiments.runs import FULL, RECORDED_RANKS, WITH_EMBEDDINGS, load
from compute.text.voices import NEW_VOICES
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.kit.runs import TASKS
from widgets.kit.text import fill
from widgets.wall import MOST, WITH_RANK, Wall


def final(task: str, r: int | str) -> float:
    return load(task.replace("-", " "), r).validation_loss[-1]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("tolerance", [1, 5, 12, 48, MOST])
def test_the_sentence_names_the_first_rank_that_comes_close(task, tolerance):
    figure = Wall(task=task, tolerance=tolerance)
    full = final(task, FULL)
    close = [r for r in RECORDED_RANKS if final(task, r) - full <= tolerance / 100]
    r = close[0] if close else min(RECORDED_RANKS, key=lambda r: final(task, r))
    said = figure.sentence()
    assert not gaps(said)
    assert ("no recorded r" in said) == (not close)
    assert f"r = {r}" in said
    assert f"{final(task, r):.3f} nats per token beside {full:.3f}" in said
    assert ("embeddings" in said) == (task.replace("-", " ") in NEW_VOICES)


def test_at_the_largest_tolerance_every_task_has_a_knee_and_at_the_first_the_new_voices_have_none():
    for task in TASKS:
        assert Wall(task=task, tolerance=MOST).sentence().startswith("On “")
        assert "no recorded r" not in Wall(task=task, tolerance=MOST).sentence()
        new = task.replace("-", " ") in NEW_VOICES
        assert ("no recorded r" in Wall(task=task).sentence()) == new


def test_the_runs_with_embeddings_have_the_rank_that_is_said():
    for task in NEW_VOICES:
        assert load(task, WITH_EMBEDDINGS).config["r"] == WITH_RANK


@pytest.mark.parametrize("task", TASKS)
def test_its_code_finds_the_same(task):
    figure = Wall(task=task)
    out = printed_by(figure.snippet())
    for number in numbers(out.partition("; ")[2]):
        assert is_shown(number, figure.sentence())
    assert out.startswith("knee: None") == ("no recorded r" in figure.sentence())


def test_the_table_has_every_run():
    head, rows = Wall().table()
    assert [row[0] for row in rows] == [*map(str, RECORDED_RANKS), "full", f"{WITH_RANK} + embeddings"]
    assert all(len(row) == len(head) and all(row) for row in rows)
    for row in rows[: len(RECORDED_RANKS)]:
        assert row[2:] == [f"{final(task, int(row[0])):.3f}" for task in TASKS]
    assert rows[-1].count("not recorded") == len(TASKS) - len(NEW_VOICES)


def test_every_gap_has_a_value():
    figure = Wall(task="dialect")
    for path, template in templates(figure.words):
        assert not gaps(fill(template, figure.values())), path

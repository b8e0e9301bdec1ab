"""The forgetting figure: its numbers are those of the record, counted again from every run."""

from __future__ import annotations

import json
from statistics import fmean

import pytest

from compute.experiments.forgetting import FULL, MATRICES, SEEDS, TASKS, WAYS, load_forgetting, rates_of
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.forgetting import COLUMNS, ORDER, SLUGS, TASK_SLUGS, Forgetting
from widgets.kit.text import fill

EVERY = [(task, way) for task in TASKS for way in WAYS]
BROWSER = {"seed", "base_loss"}  # what a probe alone says


def shown(task: str, way: str) -> Forgetting:
    return Forgetting(task=TASK_SLUGS[task], way=SLUGS[way])


@pytest.mark.parametrize(("task", "way"), EVERY)
def test_the_sentence_tells_the_best_rate_of_both(task, way):
    recorded, figure = load_forgetting(), shown(task, way)
    said = figure.sentence()
    assert not gaps(said)
    for each in (way, FULL):
        runs = recorded.of(task, each, recorded.best(task, each))
        assert len(runs) == (1 if each == MATRICES else len(SEEDS))
        for measure in ("right", "size", "facts"):
            mean = fmean(getattr(run, measure) for run in runs)
            assert is_shown((round(100 * mean, 3), 1, True), said), (each, measure)


@pytest.mark.parametrize(("task", "way"), EVERY)
def test_which_forgets_less_is_told_of_every_seed(task, way):
    recorded = load_forgetting()
    own, full = (recorded.of(task, each, recorded.best(task, each)) for each in (way, FULL))
    if way == MATRICES:
        assert shown(task, way).values()["case"] == "one"
        return
    more = [a.facts - b.facts for a, b in zip(own, full, strict=True)]
    case = "less" if min(more) > 0 else "more" if max(more) < 0 else "even"
    assert shown(task, way).values()["case"] == ("full" if way == FULL else case)


@pytest.mark.parametrize("task", TASKS)
def test_the_table_has_every_way_at_every_rate(task):
    head, rows = shown(task, FULL).table()
    assert len(rows) == sum(len(rates_of(way)) for way in WAYS)
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert [row[1] for row in rows] == [f"{rate:g}" for way in ORDER for rate in rates_of(way)]


@pytest.mark.parametrize("task", TASKS)
def test_every_run_is_a_mark(task):
    arrays = json.loads(shown(task, FULL).arrays)["tasks"][TASK_SLUGS[task]]
    assert arrays["columns"] == ["series", *COLUMNS]
    assert len(arrays["marks"]) == len([run for run in load_forgetting().runs if run.task == task])
    assert [arrays["names"][series] for series in arrays["controls"]] == ["full finetuning", "matrices alone"]


@pytest.mark.parametrize(("task", "way"), EVERY[:2])
def test_its_code_prints_the_numbers_of_the_sentence(task, way):
    figure = shown(task, way)
    found = numbers(printed_by(figure.snippet()))
    assert len(found) == 3
    for number in found:
        assert is_shown(number, figure.sentence())


def test_every_gap_has_a_value():
    figure = Forgetting()
    row = next(iter(figure.rows()))
    for path, template in templates(figure.words):
        assert gaps(fill(template, row | figure.values())) <= BROWSER, path


def test_what_is_shipped_is_small():
    assert len(Forgetting().arrays) < 40_000

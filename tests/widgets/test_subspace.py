"""The subspace figure says what was recorded, and its code trains the same run again."""

from __future__ import annotations

import pytest

from compute.experiments.subspace import DIMENSIONS, MIDDLE, TASKS, load_subspace
from helpers.instruments import gaps, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.subspace import Subspace, mean

# A recorded loss, trained again: the rounding of another machine's matrix products, amplified by the steps.
AGAIN = 0.1


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("layer", MIDDLE)
def test_the_sentence_follows_the_record(task, layer):
    recorded = load_subspace()
    runs = recorded.tasks[task]
    for at, D in enumerate(DIMENSIONS):
        said = Subspace(task=task, layer=layer, D=str(D)).sentence()
        assert not gaps(said)
        assert said.startswith(f"With {D:,d} numbers in place of {recorded.weights:,d}, ")
        for share in (mean(runs.right[at]), runs.before["right"], mean(runs.full["right"])):
            assert fill("{share:.1%}", {"share": share}) in said
        assert f"has rank {runs.rank[layer][at]} of 64, and {runs.r90[layer][at]} directions" in said
        assert said.endswith(f"full finetuning's change {runs.full['r90'][layer]}.")


def test_the_table_has_every_d():
    head, rows = Subspace().table()
    assert [row[0] for row in rows] == [f"{D:,d}" for D in DIMENSIONS]
    assert {len(row) for row in rows} == {len(head)}
    for row in rows:
        right, lowest, highest = (float(share.rstrip("%")) for share in row[2:5])
        assert lowest <= right <= highest


def test_the_other_tasks_stand_beside_it():
    arrays = Subspace(task="formal-voice").make_arrays()
    assert [len(other["right"]) for other in arrays["others"]] == [len(DIMENSIONS)] * (len(TASKS) - 1)
    assert arrays["label"] not in {other["label"].lower() for other in arrays["others"]}


def test_every_gap_has_a_value():
    figure = Subspace()
    chart = {"i", "s", "noise_s", "full_s"}  # what the browser alone knows: the probe over directions
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values(0))) <= chart, path


def test_its_code_trains_the_run_again():
    figure = Subspace(task="new-facts-64", D="300")
    loss, rank = printed_by(figure.snippet()).splitlines()
    ((value, _, _),) = numbers(loss.split(": ", 1)[1])
    recorded = load_subspace().tasks["new-facts-64"].loss[DIMENSIONS.index(300)][0]
    assert value == pytest.approx(recorded, abs=AGAIN)
    assert rank.endswith(": 64")

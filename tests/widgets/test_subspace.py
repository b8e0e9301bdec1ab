"""The subspace figure says what was recorded, and its code trains the same run again."""

from __future__ import annotations

import pytest

from compute.experiments.runs import FULL, load
from compute.experiments.subspace import DIMENSIONS, load_subspace
from compute.matrices.spectrum import r90
from helpers.instruments import gaps, numbers, printed_by, templates
from widgets.kit.text import fill
from widgets.subspace import MIDDLE, NAMES, Subspace

# A recorded loss, trained again: the rounding of another machine's matrix products, amplified by 300 steps.
AGAIN = 0.02


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("layer", MIDDLE)
def test_the_sentence_follows_the_record(task, layer):
    runs, full = load_subspace(NAMES[task]), load(NAMES[task], FULL)
    for at, D in enumerate(DIMENSIONS):
        said = Subspace(task=task, layer=layer, D=str(D)).sentence()
        assert not gaps(said)
        assert said.startswith(f"With {D:,d} numbers in place of {runs.weights:,d}, ")
        assert f"reaches {runs.loss[at][0]:.3f} nats" in said
        assert f"full finetuning {full.validation_loss[-1]:.3f}." in said
        assert f"has rank {runs.rank[layer][at]} of 64, and {runs.r90[layer][at]} directions" in said
        assert said.endswith(f"full finetuning's change {r90(full.spectra[layer])}.")


def test_the_table_has_every_d():
    head, rows = Subspace().table()
    assert [row[0] for row in rows] == [f"{D:,d}" for D in DIMENSIONS]
    assert {len(row) for row in rows} == {len(head)}
    for row in rows:
        loss, lowest, highest = map(float, row[1:4])
        assert lowest <= loss <= highest


def test_every_gap_has_a_value():
    figure = Subspace()
    chart = {"i", "s", "noise_s", "full_s"}  # what the browser alone knows: the probe over directions
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values(0))) <= chart, path


def test_its_code_trains_the_run_again():
    figure = Subspace(task="legal", D="300")
    loss, rank = printed_by(figure.snippet()).splitlines()
    ((value, _, _),) = numbers(loss.split(": ", 1)[1])
    assert value == pytest.approx(load_subspace("legal").loss[DIMENSIONS.index(300)][0], abs=AGAIN)
    assert rank.endswith(": 64")

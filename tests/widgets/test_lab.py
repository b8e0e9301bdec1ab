"""The lab replays recorded runs: its numbers are theirs, and its code trains the same run again."""

from __future__ import annotations

import numpy as np
import pytest

from compute.experiments.runs import RECORDED_RANKS, load
from compute.matrices.controls import noise_control
from helpers.instruments import gaps, printed_by, templates
from widgets.kit.runs import LAB_LABELS
from widgets.kit.text import fill
from widgets.lab import CLOSE, LAYERS, Lab
from widgets.lab.pair import shipped

# A recorded loss, trained again: the same numbers up to the rounding of another machine's matrix products, which
# three hundred steps amplify.
AGAIN = 0.02


def shown(share: float) -> str:
    return fill("{share:.0%}", {"share": share})


@pytest.mark.parametrize("task", LAB_LABELS)
def test_the_sentence_follows_the_recorded_run(task):
    lora, full = load(task.replace("-", " "), 4), load(task.replace("-", " "), "full")
    figure = Lab(task=task, r="4")
    for i, step in enumerate(lora.steps):
        figure.step = step
        said = figure.sentence()
        assert not gaps(said)
        both = {name: (shown(lora.right[i][name]), shown(full.right[i][name])) for name in ("task", "facts")}
        assert f"has {both['task'][0]} right and full finetuning {both['task'][1]}." in said
        assert f"knew, {shown(lora.right[0]['facts'])} were right before" in said
        assert f"still has {both['facts'][0]}, full finetuning {both['facts'][1]}." in said


def test_between_two_evaluations_the_last_one_counts():
    steps = load("new facts", 1).steps
    figure = Lab()
    assert figure.values(steps[1] - 1)["step"] == steps[0] == 0
    assert figure.values(steps[1])["step"] == steps[1]


@pytest.mark.parametrize("task", LAB_LABELS)
def test_the_knee_is_the_first_rank_that_comes_close(task):
    losses = np.array([load(task.replace("-", " "), r).validation_loss[-1] for r in RECORDED_RANKS])
    close = np.flatnonzero(losses <= losses[-1] + CLOSE)
    assert Lab(task=task).knee() == RECORDED_RANKS[close[0]]


def test_the_layers_are_those_of_the_model_and_noise_has_their_shape():
    arrays = Lab().make_arrays()
    assert set(arrays["full"]["spectra"]) == set(arrays["lora"]["spectra"]) == set(LAYERS)
    for layer in LAYERS:
        out, into = map(int, arrays["shapes"][layer].split("x"))
        s = arrays["noise"][arrays["shapes"][layer]]
        assert len(s[0]) == len(arrays["full"]["spectra"][layer]) == min(out, into)
        np.testing.assert_allclose(s, noise_control((out, into)).s, atol=5e-5)  # rounded to four decimals


def test_every_gap_has_a_value():
    figure = Lab()
    # What the browser alone knows: the probes of the charts over r and over directions, and the guess.
    browser = {
        "guess",
        "truth",
        "knee",
        "ranks",
        "tolerance",
        "rank",
        "rank_loss",
        "floor",
        "direction",
        "share",
        "noise",
    }
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values(0))) <= browser, path


def test_its_code_trains_the_run_again():
    figure = Lab(task="new-facts", r="8")
    out = printed_by(figure.snippet())
    assert out.startswith("right on the task: ")
    assert int(out.split(": ")[1].rstrip("%\n")) / 100 == pytest.approx(
        load("new facts", 8).right[-1]["task"], abs=AGAIN
    )


def test_a_run_that_diverged_says_so_in_the_picture():
    run = load("new facts", 4)
    assert shipped(run, True)["diverged"] is None
    broken = run._replace(diverged={"step": 7, "loss": None, "last_loss": 3.0})
    assert shipped(broken, True)["diverged"] == 7


def test_a_model_that_starts_elsewhere_does_not_write_for_the_base():
    run = load("new facts", 4)
    unfinished = run._replace(base_samples=())
    assert shipped(unfinished, False)["base_samples"] == run.samples[0]
    elsewhere = unfinished._replace(config=run.config | {"init": "both random"})
    assert shipped(elsewhere, False)["base_samples"] == ()
    assert shipped(elsewhere._replace(base_samples=("a",)), True)["base_samples"] == ("a",)

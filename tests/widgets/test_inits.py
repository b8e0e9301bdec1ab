"""The inits figure: its numbers are those of the recorded runs, and its code prints the gradients at step 0."""

from __future__ import annotations

import itertools
import json

import pytest

from compute.experiments.inits import (
    BY_GRADIENT,
    IDLE,
    MIRROR,
    PROBLEMS,
    RATES,
    SEEDS,
    SMALL,
    STARTS,
    USUAL,
    load_inits,
)
from compute.training.config import OPTIMIZERS, WATCHED
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.inits import Inits, flow
from widgets.inits.words import INIT_WORDS, PROBLEM_WORDS, slug
from widgets.kit.text import fill

# What is filled in Python alone, for the table of ends.
ENDS = {"lost", "right", "low", "high", "seeds", "steps", "frequencies"}
# What the browser alone knows: the guess, the text of the flow, and what stands over the learning rates.
BROWSER = {"guess", "truth", "flow", "sweep_init", "sweep_rate", "sweep_final", "sweep_usual"}
EVERY = list(itertools.product(PROBLEMS, OPTIMIZERS, STARTS))


def figure(problem: str, optimizer: str, init: str, **choices) -> Inits:
    return Inits(problem=slug(problem), optimizer=optimizer, init=slug(init), **choices)


@pytest.mark.parametrize(("problem", "optimizer", "init"), EVERY)
def test_the_sentence_follows_the_recorded_run(problem, optimizer, init):
    for rate, run in enumerate(load_inits(problem).runs[optimizer][init]):
        for step in (0, 1, WATCHED):
            at = min(step, len(run.loss) - 1)
            shown = figure(problem, optimizer, init, rate=rate, step=step, guess="skip")
            said = shown.sentence()
            assert not gaps(said)
            assert f"Step {at} with {INIT_WORDS[init][1]}, {PROBLEM_WORDS[problem][1]}" in said
            assert f"learning rate {RATES[problem][optimizer][rate]:g}:" in said
            assert said.count("exactly zero") == (run.lora_A[at] == 0 or run.lora_B[at] == 0)
            assert ("given up" in said) == (not run.whole and step >= at == len(run.loss) - 1)
            assert is_shown((run.loss[at], 9, False), said)
            assert is_shown((run.distance[at], 9, False), said)


@pytest.mark.parametrize("init", STARTS)
def test_the_sentence_does_not_tell_what_is_asked(init):
    asked = figure("small layer", "sgd", init)
    assert asked.guess == "ask"
    assert "which factor gets a gradient?" in asked.sentence()
    asked.hide = ["guess"]  # nobody is asked
    assert "which factor" not in asked.sentence()


@pytest.mark.parametrize(
    ("init", "truth"),
    [("B=0", "lora_B"), ("A=0", "lora_A"), ("both zero", "none"), ("mixed", "both"), (BY_GRADIENT, "both")],
)
def test_the_truth_of_the_guess_is_that_of_every_run(init, truth):
    for problem, optimizer in itertools.product(PROBLEMS, OPTIMIZERS):
        # On the small layer LoRA-GA's lora_A holds all that is missing, so that lora_B is at right angles to it.
        flows = "lora_B" if (problem, init) == (SMALL, BY_GRADIENT) else truth
        runs = load_inits(problem).runs[optimizer][init]
        assert {flow(run, 0) for run in runs} == {flows}
        arrays = figure(problem, optimizer, init).make_arrays()
        assert arrays["inits"][slug(init)]["truth"] == flows
        assert truth in [value for value, _ in Inits().words["guess"]["options"]]


def test_every_gap_has_a_value():
    shown = Inits(init="mixed")
    for path, template in templates(shown.words):
        assert gaps(fill(template, shown.values(0))) <= BROWSER | ENDS, path
    with pytest.raises(ValueError, match="guess"):
        Inits(guess="lora_C")


@pytest.mark.parametrize(
    ("problem", "init"),
    [("small layer", each) for each in STARTS]
    + [(MIRROR, "A=0"), ("new facts", "B=0"), ("new facts", "LoRA-GA")],
)
def test_its_code_prints_the_gradients_at_step_0(problem, init):
    shown = figure(problem, "sgd", init, guess="skip")
    lines = printed_by(shown.snippet()).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "step 0, gradient of lora_A",
        "step 0, gradient of lora_B",
    ]
    _, rows = shown.table()
    for line, cell in zip(lines, rows[0][2:4], strict=True):
        ((printed, _, _),) = numbers(line.split(": ")[1])
        # Four digits were recorded, and more are printed.
        assert printed == pytest.approx(float(cell), rel=1e-3, abs=1e-4)
        assert (printed == 0) == (float(cell) == 0)


@pytest.mark.parametrize("key", Inits.published())
def test_its_arrays_are_small_and_whole(key):
    arrays = Inits.from_key(key).make_arrays()
    assert len(json.dumps(arrays)) < 90_000
    assert set(arrays["inits"]) == {slug(init) for init in STARTS}
    assert all(len(each["runs"]) == len(arrays["rates"]) for each in arrays["inits"].values())


def test_the_table_ends_where_the_run_does():
    given_up = figure("small layer", "sgd", "A=0", rate=3)
    run = given_up.run()
    assert not run.whole
    _, rows = given_up.table()
    assert len(rows) == len(run.loss)
    assert rows[-1][0] == str(len(run.loss) - 1)


@pytest.mark.parametrize(("problem", "optimizer"), [*itertools.product(PROBLEMS, OPTIMIZERS)])
def test_the_ends_are_those_of_the_recorded_seeds(problem, optimizer):
    recorded = load_inits(problem)
    for init in STARTS:
        shown = figure(problem, optimizer, init)
        of = shown.make_arrays()["inits"][slug(init)]["ends"]
        values = shown.values(0)
        if init == IDLE:
            assert of is values["mean"] is values["gap"] is None
            continue
        ends = recorded.ends[optimizer][init]
        assert values["mean"] == pytest.approx(sum(ends.known) / len(ends.known))
        assert is_shown((values["mean"], 9, False), of["told"])
        assert of["rate"] == values["best_rate"] == f"{RATES[problem][optimizer][ends.rate]:g}"
        assert ("given up" in of["told"]) == (len(ends.known) < len(SEEDS))
        gap = recorded.apart(optimizer, init)
        if init == USUAL or gap is None:
            assert values["gap_low"] is None
            assert of["against"] == ("" if init == USUAL else "a seed was given up")
        else:
            assert (values["gap"], values["gap_low"], values["gap_high"]) == gap
            assert is_shown((abs(gap.mean), 9, False), of["against"])

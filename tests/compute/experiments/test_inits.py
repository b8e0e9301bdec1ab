"""Recorded starts: they are there, they are what training gives, and a file that is not whole is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from compute.adapters.lora_ga import gradient_start
from compute.experiments import inits
from compute.experiments.inits import (
    BY_GRADIENT,
    FOLDER,
    IDLE,
    LEARNING,
    MIRROR,
    PROBLEMS,
    RATES,
    SEEDS,
    SMALL,
    STARTS,
    STEPS,
    USUAL,
    Asked,
    Ends,
    InitRun,
    config_of,
    file_of,
    load_inits,
    read_inits,
)
from compute.model.checkpoint import load_base
from compute.training.config import INITS, OPTIMIZERS, WATCHED
from compute.training.first_steps import SIZE, FirstSteps, model_steps, small_problem, small_steps
from compute.world.tasks import FACTS, examples
from compute.world.tokens import encode

torch.set_num_threads(1)

# Recorded and followed again: four digits, and the rounding of another machine's matrix products, which fifty steps
# amplify.
AGAIN = 0.01
# From then on another CPU, which adds in another order, goes another way: by 7 % of a loss where that was seen.
EARLY, LATE = 10, 0.25


WORDY = (MIRROR, FACTS)  # problems that have words


def test_every_problem_is_there_and_nothing_else_and_all_are_small():
    assert set(FOLDER.iterdir()) == {file_of(problem) for problem in PROBLEMS}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_is_said_of_a_recorded_run_is_consistent(problem):
    recorded = load_inits(problem)
    for optimizer, of in recorded.runs.items():
        for init, over in of.items():
            for run in over:
                assert run.whole or run.final is None
                assert (run.distance[0] > 0) == (init == "both random")
                assert (run.moved > 0) == (init != IDLE)
                if problem == SMALL and run.final is not None:
                    assert run.final == run.loss[-1]
            assert any(run.final is not None for run in over), (optimizer, init)
    assert (recorded.frequencies is None) == (problem == SMALL)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_seeds_run_at_the_best_rate_which_lies_inside(problem, optimizer):
    recorded = load_inits(problem)
    for init, ends in recorded.ends[optimizer].items():
        finals = [run.final for run in recorded.runs[optimizer][init]]
        best = min(final for final in finals if final is not None)
        assert finals[ends.rate] == best, init
        assert 0 < ends.rate < len(RATES[problem][optimizer]) - 1, init
        assert len(ends.right) == (len(SEEDS) if problem == FACTS else 0)
        if problem == SMALL:
            assert ends.loss[0] == best


def test_the_distance_of_a_start_from_the_usual_one_is_that_of_its_seeds():
    recorded = load_inits(MIRROR)
    for init in LEARNING:
        gap = recorded.apart("adamw", init)
        one, other = (np.array(recorded.ends["adamw"][name].loss, float) for name in (init, USUAL))
        found = stats.ttest_rel(one, other).confidence_interval(0.95) if init != USUAL else (0.0, 0.0)
        assert gap == pytest.approx((np.mean(one - other), *found), abs=1e-9)
    lost = recorded._replace(ends={"sgd": {USUAL: Ends(0, [1.0, 2.0], []), "A=0": Ends(0, [1.0, None], [])}})
    assert lost.apart("sgd", "A=0") is None
    assert lost.ends["sgd"]["A=0"].known == [1.0]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", STARTS)
def test_the_small_layer_takes_the_recorded_steps_again(init, optimizer):
    for rate in (0, 2):
        recorded = load_inits(SMALL).runs[optimizer][init][rate]
        ours = InitRun(**inits._run(Asked(SMALL, optimizer, init, rate, 0))["run"])
        # Of singular values that lie close together rounding decides which directions LoRA-GA takes.
        early = LATE if init == BY_GRADIENT else AGAIN
        for name in ("loss", "lora_A", "lora_B", "distance"):
            told, wanted = getattr(ours, name), getattr(recorded, name)
            assert told[:EARLY] == pytest.approx(wanted[:EARLY], rel=early, abs=1e-4), name
        # Later on the gradients, which are near zero by then, go their own way, and the loss much less so.
        assert ours.loss[EARLY:] == pytest.approx(recorded.loss[EARLY:], rel=LATE, abs=1e-3)
        assert ours.moved == pytest.approx(recorded.moved, rel=LATE)


@pytest.mark.parametrize(
    ("problem", "optimizer", "init", "rate"),
    [(MIRROR, "sgd", "PiSSA", 1), (FACTS, "adamw", "orthogonal", 2), (FACTS, "sgd", BY_GRADIENT, 0)],
)
def test_the_model_takes_the_recorded_steps_again(problem, optimizer, init, rate):
    recorded = load_inits(problem).runs[optimizer][init][rate]
    asked = config_of(Asked(problem, optimizer, init, rate, SEEDS[0]))
    # Its first steps are those of the long run.
    again, _ = model_steps(replace(asked, steps=10), load_base(), init == BY_GRADIENT)
    for name in ("loss", "lora_A", "lora_B", "distance"):
        wanted = getattr(recorded, name)[:11]
        assert getattr(again, name) == pytest.approx(wanted, rel=5 * AGAIN, abs=1e-4), name


@pytest.mark.parametrize("problem", WORDY)
def test_the_writer_of_word_frequencies_is_counted_by_hand(problem):
    config = config_of(Asked(problem, "sgd", USUAL, 0, 0))
    told = config.n_texts if problem == FACTS else 256
    learned = [
        [word for each in examples(problem, split, count, 64) for word in each.words[-each.learned :]]
        for split, count in (("train", config.n_texts), ("test", told))
    ]
    counts = Counter(learned[0])
    # Every word is counted once more, up to the last one of the vocabulary that occurs.
    size = max(encode([word])[1] for words in learned for word in words) + 1
    whole = sum(counts.values()) + size
    loss = -sum(math.log((counts[word] + 1) / whole) for word in learned[1]) / len(learned[1])
    assert load_inits(problem).frequencies == pytest.approx(loss, rel=1e-3)


def test_what_is_recorded_has_four_digits_and_no_rounding_of_nothing():
    steps = small_steps(config_of(Asked(SMALL, "sgd", "PiSSA", 0, 0)))
    kept = InitRun(**inits._kept(steps, None))
    assert kept.distance[0] == 0.0 != steps.distance[0] < 1e-4
    assert all(f"{value:.4g}" == f"{value:.12g}" for value in [*kept.loss, *kept.lora_A])


def test_a_gradient_that_is_rounding_is_none():
    """Of two directions that are missing LoRA-GA's lora_A holds both: its gradient is what the digits leave of zero."""
    problem, left = small_problem(), []
    rows = torch.randn(2, 2, SIZE, generator=torch.Generator().manual_seed(0))
    for kind in (torch.float32, torch.float64):
        x, W = problem.x.to(kind), problem.layer.weight.detach().to(kind)
        to, of = rows.to(kind)  # (2, SIZE)
        grad_W = -to.T @ of @ (x.T @ x) / len(x)  # (SIZE, SIZE), of rank 2
        lora_A, lora_B, _ = gradient_start(grad_W, W, r=4, scaling=2.0)
        left.append(((lora_B.T @ grad_W).norm() / (grad_W @ lora_A.T).norm()).item())
    assert left[1] < 1e-6 * left[0]
    assert 10 * left[0] < inits.SILENT
    silent, heard = (InitRun(**inits._kept(_steps(gradient), None)) for gradient in (left[0], 3e-3))
    assert (silent.lora_A, silent.lora_B) == ([0.0, 0.5], [1.0, 0.0])
    assert heard.lora_A == [3e-3, 0.5]


def _steps(gradient: float) -> FirstSteps:
    return FirstSteps([1.0, 1.0], [gradient, 0.5], [1.0, 0.0], [0.0, 0.1], 0.1, False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"base": "", "recorded": "", "runs": {}, "ends": {}}', "started from another base model"),
        (None, "is not whole"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(text, told, tmp_path):
    path = tmp_path / "new-facts.json"
    if text is None:
        data = json.loads(file_of("new facts").read_text(encoding="utf-8"))
        del data["runs"]["sgd"]["PiSSA"][0]
        text = json.dumps(data)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"{told}. Run `python -m compute.experiments.inits new-facts`."):
        read_inits("new facts", path)


def test_a_number_that_is_none_is_damage(tmp_path):
    path = tmp_path / "new-facts.json"
    path.write_text('{"base": NaN}', encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        read_inits("new facts", path)


def test_a_problem_that_nobody_records_is_refused():
    with pytest.raises(ValueError, match="problem must be one of small layer, .*, got 'plain'."):
        file_of("plain")


def test_the_grids_of_rates_are_as_long_everywhere():
    assert {len(rates) for of in RATES.values() for rates in of.values()} == {6}
    assert all(list(rates) == sorted(rates) for of in RATES.values() for rates in of.values())


def test_a_run_is_asked_for_as_its_start_can_be():
    assert {config_of(Asked(FACTS, "sgd", init, 0, 1)).init for init in STARTS} == set(INITS)
    assert config_of(Asked(FACTS, "sgd", BY_GRADIENT, 0, 1)).init == USUAL
    assert all(steps >= WATCHED for steps in STEPS.values())

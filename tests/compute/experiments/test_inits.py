"""Recorded starts: they are there, they are what training gives, and a file that is not whole is refused."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import inits
from compute.experiments.inits import (
    FOLDER,
    PROBLEMS,
    RATES,
    SEEDS,
    SMALL,
    STEPS,
    config_of,
    file_of,
    load_inits,
    read_inits,
)
from compute.model.checkpoint import load_base
from compute.training.config import INITS, OPTIMIZERS
from compute.training.first_steps import model_steps, small_steps

torch.set_num_threads(1)

# Recorded and followed again: four digits, and the rounding of another machine's matrix products, which fifty steps
# amplify.
AGAIN = 0.01


def test_every_problem_is_there_and_nothing_else_and_all_are_small():
    assert set(FOLDER.iterdir()) == {file_of(problem) for problem in PROBLEMS}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000


@pytest.mark.parametrize("problem", PROBLEMS)
def test_what_is_said_of_a_recorded_run_is_consistent(problem):
    for optimizer, of in load_inits(problem).runs.items():
        for init, over in of.items():
            for run in over:
                assert run.whole == (run.finals[0] is not None)
                assert (run.distance[0] > 0) == (init == "both random")
                assert (run.moved > 0) == (init != "both zero")
                if problem == SMALL and run.whole:
                    assert run.finals[0] == run.loss[-1]
                if run.whole:
                    assert run.final is None or min(each for each in run.finals if each) <= run.final
            assert any(run.final is not None for run in over), (optimizer, init)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", INITS)
def test_the_small_layer_takes_the_recorded_steps_again(init, optimizer):
    for rate in (0, 2):
        recorded = load_inits(SMALL).runs[optimizer][init][rate]
        again = [small_steps(config_of(SMALL, optimizer, init, rate, seed)) for seed in SEEDS]
        ours = inits._kept(again)
        for name in ("loss", "lora_A", "lora_B", "distance", "moved", "finals"):
            assert getattr(ours, name) == pytest.approx(getattr(recorded, name), rel=AGAIN, abs=1e-4), name


@pytest.mark.parametrize(("optimizer", "init", "rate"), [("sgd", "PiSSA", 1), ("adamw", "orthogonal", 2)])
def test_the_model_takes_the_recorded_steps_again(optimizer, init, rate):
    recorded = load_inits("new language").runs[optimizer][init][rate]
    again = model_steps(config_of("new language", optimizer, init, rate, SEEDS[0]), load_base())
    for name in ("loss", "lora_A", "lora_B", "distance"):
        wanted = getattr(recorded, name)
        assert getattr(again, name) == pytest.approx(wanted, rel=5 * AGAIN, abs=1e-4), name
    assert again.final == pytest.approx(recorded.finals[0], rel=AGAIN)


def test_what_is_recorded_has_four_digits_and_no_rounding_of_nothing():
    steps = small_steps(config_of(SMALL, "sgd", "PiSSA", 0, 0))
    kept = inits._kept([steps, steps, steps])
    assert kept.distance[0] == 0.0 != steps.distance[0] < 1e-4
    assert all(f"{value:.4g}" == f"{value:.12g}" for value in [*kept.loss, *kept.lora_A])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"base": "", "recorded": "", "runs": {}}', "started from another base model"),
        (None, "is not whole"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(text, told, tmp_path):
    path = tmp_path / "new-language.json"
    if text is None:
        data = json.loads(file_of("new language").read_text(encoding="utf-8"))
        del data["runs"]["sgd"]["PiSSA"][0]
        text = json.dumps(data)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"{told}. Run `python -m compute.experiments.inits new-language`."):
        read_inits("new language", path)


def test_a_number_that_is_none_is_damage(tmp_path):
    path = tmp_path / "new-language.json"
    path.write_text('{"base": NaN}', encoding="utf-8")
    with pytest.raises(ValueError, match="is damaged"):
        read_inits("new language", path)


def test_a_problem_that_nobody_records_is_refused():
    with pytest.raises(ValueError, match="problem must be one of small layer, .*, got 'plain'."):
        file_of("plain")


def test_the_grids_of_rates_are_as_long_everywhere():
    assert {len(rates) for of in RATES.values() for rates in of.values()} == {6}
    assert all(list(rates) == sorted(rates) for of in RATES.values() for rates in of.values())
    assert config_of(SMALL, "sgd", "B=0", 2, 1).steps == STEPS

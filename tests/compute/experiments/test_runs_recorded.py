"""Recorded runs: they are there, they are what training gives, and what a lesson says about them is true."""

import json
import math
from functools import cache
from itertools import islice

import numpy as np
import pytest

from compute.experiments import runs
from compute.experiments.runs import (
    FULL,
    LAB_TASKS,
    RECORDED,
    RUNS,
    config_of,
    file_of,
    load,
)
from compute.model.checkpoint import load_base
from compute.model.layers import TARGET_MODULES
from compute.numbers.records import base_sum
from compute.training.config import STRENGTHS, TrainConfig
from compute.training.gathered import collect
from compute.training.loop import EVALUATE_EVERY, train

EVERY = [(task, r) for task in LAB_TASKS for r in RECORDED]


@cache
def shapes() -> dict[str, tuple[int, int]]:
    """Return (out, in) of the linear layers of the blocks."""
    layers = load_base().named_modules()
    return {name: tuple(layer.weight.shape) for name, layer in layers if name.endswith(TARGET_MODULES)}


# What is there.


def test_every_run_is_there_and_nothing_else_and_all_are_small():
    assert set(RUNS.iterdir()) == {file_of(task, r) for task, r in EVERY}
    assert sum(path.stat().st_size for path in RUNS.iterdir()) < 650_000


@pytest.mark.parametrize(("task", "r"), EVERY)
def test_a_recorded_run_is_whole(task, r):
    run, layers = load(task, r), shapes()
    assert run.config["task"] == task
    config = TrainConfig(**run.config)
    assert config == config_of(task, r)
    steps = run.config["steps"]
    kinds = ["lora_A", "lora_B"] if config.method == "lora" else []
    kinds += ["other"] if config.method == "full" or config.train_embeddings else []
    assert sorted(run.gradient_norms) == kinds
    assert [len(values) for values in (run.loss, *run.gradient_norms.values())] == [steps] * (1 + len(kinds))
    assert run.steps == [*range(0, steps, EVALUATE_EVERY), steps]
    for measured in (run.validation_loss, run.base_loss, run.samples, run.right):
        assert len(measured) == len(run.steps)
    for numbers in (run.loss, run.validation_loss, run.base_loss, *run.gradient_norms.values()):
        assert all(math.isfinite(number) and number >= 0 for number in numbers)
    assert {len(texts) for texts in [*run.samples, run.base_samples]} == {3}
    assert run.samples[0] == run.base_samples  # lora_B starts at zero
    assert run.samples[-1] != run.base_samples
    assert {name: len(s) for name, s in run.spectra.items()} == {
        name: min(shape) if config.method == "full" else config.r for name, shape in layers.items()
    }
    for s in run.spectra.values():
        assert s == sorted(s, reverse=True)
        assert s[-1] > 0
    assert run.seconds > 0
    assert run.tokens_per_second > 0
    assert run.finished
    assert run.diverged is None
    assert run.device in run.recorded.lower()


def test_the_sizes_are_those_of_the_formula():
    base = sum(p.numel() for p in load_base().parameters())
    embeddings = 2 * load_base().lm_head.weight.numel()
    a_rank = sum(map(sum, shapes().values()))
    assert a_rank == 3 * (4 * (64 + 64) + 2 * (64 + 256))
    for task, r in EVERY:
        run = load(task, r)
        config = TrainConfig(**run.config)
        adapter = config.r * a_rank if config.method == "lora" else 0
        assert run.trainable == (adapter + embeddings * config.train_embeddings if adapter else base)
        assert run.total == base + adapter
        header = run.bytes - 4 * run.trainable  # float32; then names and places of the tensors
        assert 0 < header < 6000


@pytest.mark.parametrize("task", LAB_TASKS)
def test_all_runs_of_a_task_start_at_the_base_and_forget(task):
    every = [load(task, r) for r in RECORDED]
    starts = {(run.validation_loss[0], run.base_loss[0], run.base_samples) for run in every}
    assert len(starts) == 1
    assert len({tuple(run.right[0].items()) for run in every}) == 1
    assert every[0].right[0]["facts"] > 0.95
    for run in every:
        assert run.validation_loss[-1] < run.validation_loss[0] / 2
        assert run.right[-1]["facts"] < run.right[0]["facts"] - 0.2
        assert all(0 <= share <= 1 for right in run.right for share in right.values())


@pytest.mark.parametrize(("task", "r"), [(task, r) for task, r in EVERY if r != FULL])
def test_the_recorded_strengths_lead_from_the_base_to_the_end_of_the_run(task, r):
    run = load(task, r)
    for name in ("validation_loss", "base_loss"):
        ends, losses = getattr(run, name), run.strengths[name]
        assert all(math.isfinite(loss) and loss > 0 for loss in losses)
        assert losses[0] == pytest.approx(ends[0], abs=2e-4)
        assert losses[STRENGTHS.index(1)] == pytest.approx(ends[-1], abs=2e-3)
    assert run.strengths["right"][0] == run.right[0]
    assert run.strengths["samples"][0] == run.base_samples
    assert run.strengths["samples"][-1] != run.base_samples
    # Merged weights round in another way, and an answer or two may tip over.
    for name, share in run.strengths["right"][STRENGTHS.index(1)].items():
        assert share == pytest.approx(run.right[-1][name], abs=0.05)


# What they are records of.


@pytest.mark.parametrize(("task", "r"), [("new facts", 1), ("new words", 4), ("formal voice", FULL)])
def test_training_again_gives_the_recorded_losses(task, r):
    """Four decimals are kept, and float32 sums differ by about 1e-6 between machines, which five steps amplify."""
    run = load(task, r)
    again = list(islice(train(TrainConfig(**run.config)), 5))
    np.testing.assert_allclose([record.loss for record in again], run.loss[:5], rtol=0, atol=1e-3)
    assert again[0].evaluation.validation_loss == pytest.approx(run.validation_loss[0], abs=1e-3)
    for kind, norms in run.gradient_norms.items():
        np.testing.assert_allclose(
            [record.gradient_norms[kind] for record in again], norms[:5], rtol=1e-2, atol=1e-6
        )


def test_what_the_script_writes_is_what_is_read(tmp_path, monkeypatch):
    config = TrainConfig(r=2, steps=3, batch_size=4, n_texts=64)
    run = collect(config, train(config))
    short = runs._rounded(run)
    assert short.loss == pytest.approx(run.loss, abs=0.51e-4)
    for name, s in run.spectra.items():
        assert short.spectra[name] == pytest.approx(s, rel=0.51e-3)
    assert short.strengths["base_loss"] == pytest.approx(run.strengths["base_loss"], abs=0.51e-4)
    assert short.strengths["samples"] == run.strengths["samples"]
    monkeypatch.setattr("compute.experiments.runs.RUNS", tmp_path)
    monkeypatch.setattr("compute.experiments.runs.config_of", lambda task, r: config)
    (tmp_path / "new-facts-r2.json").write_text(json.dumps({**short._asdict(), "base": base_sum()}))
    assert load("new facts", 2) == short

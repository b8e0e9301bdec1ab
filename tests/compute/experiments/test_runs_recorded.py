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
    FULL_SLOW,
    LAB_TASKS,
    RECORDED_RANKS,
    RUNS,
    WITH_EMBEDDINGS,
    config_of,
    file_of,
    load,
    recorded_of,
)
from compute.matrices.controls import noise_control
from compute.matrices.spectrum import energy, r90
from compute.model.checkpoint import load_base
from compute.model.layers import TARGET_MODULES
from compute.numbers.records import base_sum
from compute.text.voices import NEW_VOICES, TASKS, entropy_per_word
from compute.training.config import STRENGTHS, TrainConfig
from compute.training.gathered import collect
from compute.training.loop import EVALUATE_EVERY, train

KNOWN = ("legal", "medical", "code")  # voices that the base has seen
EVERY = [(task, r) for task in TASKS for r in recorded_of(task)]
OF_LAB = [(task, r) for task in LAB_TASKS for r in recorded_of(task)]
ADAPTED = [(task, r) for task, r in EVERY if r not in (FULL, FULL_SLOW)]


def final(task: str, r: int | str) -> float:
    return load(task, r).validation_loss[-1]


@cache
def shapes() -> dict[str, tuple[int, int]]:
    """Return (out, in) of the linear layers of the blocks."""
    layers = load_base().named_modules()
    return {name: tuple(layer.weight.shape) for name, layer in layers if name.endswith(TARGET_MODULES)}


# What is there.


def test_every_run_is_there_and_nothing_else_and_all_are_small():
    assert set(RUNS.iterdir()) == {file_of(task, r) for task, r in (*EVERY, *OF_LAB)}
    assert sum(path.stat().st_size for path in RUNS.iterdir()) < 1_200_000


@pytest.mark.parametrize(("task", "r"), [*EVERY, *OF_LAB])
def test_a_recorded_run_is_whole(task, r):
    run, layers = load(task, r), shapes()
    every = EVALUATE_EVERY if task in LAB_TASKS else 50  # as it was when these were recorded
    assert run.config["task"] == task
    config = TrainConfig(**run.config)
    assert config == config_of(task, r)
    steps = run.config["steps"]
    kinds = ["lora_A", "lora_B"] if config.method == "lora" else []
    kinds += ["other"] if config.method == "full" or config.train_embeddings else []
    assert sorted(run.gradient_norms) == kinds
    assert [len(values) for values in (run.loss, *run.gradient_norms.values())] == [steps] * (1 + len(kinds))
    assert run.steps == [*range(0, steps, every), steps]
    assert len(run.right) == (len(run.steps) if task in LAB_TASKS else 0)
    assert len(run.validation_loss) == len(run.base_loss) == len(run.samples) == len(run.steps)
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


@pytest.mark.parametrize(("task", "r"), ADAPTED)
def test_the_recorded_strengths_lead_from_the_base_to_the_end_of_the_run(task, r):
    """Four decimals are kept of each number, and float32 rounds merged weights in another way."""
    run = load(task, r)
    for name in ("validation_loss", "base_loss"):
        ends, losses = getattr(run, name), run.strengths[name]
        assert all(math.isfinite(loss) and loss > 0 for loss in losses)
        assert losses[STRENGTHS.index(1)] == pytest.approx(ends[-1], abs=2e-4)
        # Trained embeddings stay, whatever the strength.
        assert (losses[0] == pytest.approx(ends[0], abs=2e-4)) is (r != WITH_EMBEDDINGS)
    if r != WITH_EMBEDDINGS:
        assert run.strengths["samples"][0] == run.base_samples
    assert run.strengths["samples"][-1] != run.base_samples


@pytest.mark.parametrize("task", TASKS)
def test_all_runs_of_a_task_start_at_the_same_model(task):
    runs = [load(task, r) for r in recorded_of(task)]
    starts = {(run.validation_loss[0], run.base_loss[0], run.loss[0], run.base_samples) for run in runs}
    assert len(starts) == 1


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


# What the lab's are.


@pytest.mark.parametrize("task", LAB_TASKS)
def test_all_runs_of_a_task_of_the_lab_start_at_its_base_and_forget(task):
    every = [load(task, r) for r in recorded_of(task)]
    starts = {(run.validation_loss[0], run.base_loss[0], run.base_samples) for run in every}
    assert len(starts) == 1
    assert len({tuple(run.right[0].items()) for run in every}) == 1
    assert every[0].right[0]["facts"] > 0.95
    for run in every:
        assert run.validation_loss[-1] < run.validation_loss[0] / 2
        assert run.right[-1]["facts"] < run.right[0]["facts"] - 0.2
        assert all(0 <= share <= 1 for right in run.right for share in right.values())


@pytest.mark.parametrize(("task", "r"), [(task, r) for task, r in OF_LAB if r != FULL])
def test_the_strengths_of_the_lab_lead_from_the_base_to_the_end_of_the_run(task, r):
    run = load(task, r)
    for name in ("validation_loss", "base_loss"):
        ends, losses = getattr(run, name), run.strengths[name]
        assert losses[0] == pytest.approx(ends[0], abs=2e-4)
        assert losses[STRENGTHS.index(1)] == pytest.approx(ends[-1], abs=2e-3)
    assert run.strengths["right"][0] == run.right[0]
    # Merged weights round in another way, and an answer or two may tip over.
    for name, share in run.strengths["right"][STRENGTHS.index(1)].items():
        assert share == pytest.approx(run.right[-1][name], abs=0.05)


# What a lesson says about them.
# Another seed changes a final loss by 0.003 nats in a voice that the base knows, 0.015 in the dialect, 0.03 in the
# new language.


@pytest.mark.parametrize("task", KNOWN)
def test_for_a_voice_that_the_base_knows_one_rank_is_enough(task):
    """Every rank ends within 0.01 nats of full finetuning (measured: 0.003), after a fall of 0.09 to 0.10."""
    floor, before = final(task, FULL), load(task, FULL).validation_loss[0]
    for r in RECORDED_RANKS:
        assert abs(final(task, r) - floor) < 0.01
    assert floor < before - 0.05


@pytest.mark.parametrize(("task", "fall"), [("dialect", 0.03), ("new language", 0.15)])
def test_for_a_voice_that_is_new_one_rank_is_not_enough_and_few_are(task, fall):
    """From r = 1 to 32 the loss falls by 0.06 and 0.30; from r = 4 on all ranks are within 0.02 of each other."""
    assert final(task, 1) > final(task, 32) + fall
    assert final(task, 1) > final(task, 2) + fall
    beyond = [final(task, r) for r in RECORDED_RANKS if r >= 4]
    assert max(beyond) - min(beyond) < 0.03


@pytest.mark.parametrize(("task", "wall"), [("dialect", 0.05), ("new language", 0.3)])
def test_for_a_voice_that_is_new_no_rank_reaches_full_finetuning(task, wall):
    """The best rank stays 0.11 and 0.47 nats above it."""
    assert min(final(task, r) for r in RECORDED_RANKS) > final(task, FULL) + wall


@pytest.mark.parametrize("task", TASKS)
def test_no_model_beats_the_entropy_of_its_voice(task):
    for r in recorded_of(task):
        assert entropy_per_word(task) - 0.02 < final(
            task, r
        )  # 128 windows; cut ones differ by a few hundredths


@pytest.mark.parametrize(("task", "r"), EVERY)
def test_every_run_forgets(task, r):
    """A voice that the base knows costs 0.2 to 1.1 nats on the base's own voices, a new one 2.2 to 6.5."""
    before, *_, after = load(task, r).base_loss
    low, high = (0.15, 1.5) if task in KNOWN else (1.5, 7)
    assert low < after - before < high


@pytest.mark.parametrize("task", KNOWN)
def test_at_these_learning_rates_lora_forgets_less_of_what_is_near(task):
    """At most 0.39 nats at any rank, full finetuning at least 0.98; for new voices there is no such order."""
    before = load(task, FULL).base_loss[0]
    full = load(task, FULL).base_loss[-1] - before
    assert full > 0.7
    assert all(load(task, r).base_loss[-1] - before < 0.6 * full for r in RECORDED_RANKS)


def test_for_new_voices_lora_does_not_forget_less():
    assert all(load("dialect", r).base_loss[-1] > load("dialect", FULL).base_loss[-1] for r in RECORDED_RANKS)
    losses = [load("new language", r).base_loss[-1] for r in RECORDED_RANKS]
    assert min(losses) < load("new language", FULL).base_loss[-1] < max(losses)


@pytest.mark.parametrize("task", KNOWN)
def test_slower_full_finetuning_fits_a_known_voice_as_well_and_forgets_about_as_much_as_lora(task):
    """It forgets 0.26 to 0.31 nats, LoRA 0.22 to 0.39; its loss is within 0.005 of that at the usual rate."""
    slow, full = load(task, FULL_SLOW), load(task, FULL)
    assert abs(final(task, FULL_SLOW) - final(task, FULL)) < 0.01
    forgotten = [load(task, r).base_loss[-1] for r in RECORDED_RANKS]
    assert min(forgotten) - 0.1 < slow.base_loss[-1] < max(forgotten) + 0.1 < full.base_loss[-1] - 0.3


@pytest.mark.parametrize("task", NEW_VOICES)
def test_slower_full_finetuning_of_a_new_voice_forgets_less_than_lora_and_fits_better(task):
    """It forgets 2.2 and 2.5 nats, LoRA at least 4.4; its loss is 0.09 and 0.39 below that of the best r."""
    assert final(task, FULL_SLOW) < min(final(task, r) for r in RECORDED_RANKS) - 0.05
    assert load(task, FULL_SLOW).base_loss[-1] < min(load(task, r).base_loss[-1] for r in RECORDED_RANKS) - 1


@pytest.mark.parametrize("task", NEW_VOICES)
def test_embeddings_that_learn_take_the_wall_away(task):
    """r = 4 with embeddings ends within 0.005 nats of full finetuning, r = 32 without 0.11 and 0.48 above it."""
    assert abs(final(task, WITH_EMBEDDINGS) - final(task, FULL)) < 0.02
    assert load(task, WITH_EMBEDDINGS).trainable < load(task, 16).trainable
    assert load(task, WITH_EMBEDDINGS).base_loss[-1] > load(task, FULL_SLOW).base_loss[-1] + 1


@pytest.mark.parametrize(("task", "r"), ADAPTED)
def test_half_the_strength_keeps_most_of_what_was_learned_and_a_part_of_the_forgetting(task, r):
    """88 % of the fall at least, and 22 to 54 % of the rise."""
    run = load(task, r)
    half, whole = STRENGTHS.index(0.5), STRENGTHS.index(1)
    loss, base = run.strengths["validation_loss"], run.strengths["base_loss"]
    assert loss[0] - loss[half] > 0.8 * (loss[0] - loss[whole])
    assert 0.1 < (base[half] - base[0]) / (base[whole] - base[0]) < 0.7
    assert base[: whole + 1] == sorted(base[: whole + 1])


def of_noise(shape: tuple[int, int]) -> int:
    """Return the r90 of noise, on the side of those who doubt: 19 draws of 20 have more."""
    return int(np.argmax(noise_control(shape).energy[2] >= 0.9))


@pytest.mark.parametrize("task", TASKS)
def test_what_full_finetuning_learned_is_lower_than_noise_and_not_tiny(task):
    """90 % of the energy lies in 6 to 17 of 64 directions in square layers (noise: 32), else in 12 to 26 (49)."""
    run = load(task, FULL)
    for name, shape in shapes().items():
        assert 4 < r90(run.spectra[name]) < 0.6 * of_noise(shape)


@pytest.mark.parametrize("task", KNOWN)
def test_the_rank_that_is_enough_is_not_the_rank_that_full_finetuning_uses(task):
    """The first direction has 27 to 31 % of the energy of delta_w, mean over layers, and yet r = 1 is enough."""
    shares = [energy(s)[1] for s in load(task, FULL).spectra.values()]
    assert np.mean(shares) < 0.4
    assert abs(final(task, 1) - final(task, FULL)) < 0.01


# What they are records of.


@pytest.mark.parametrize(
    ("task", "r"), [("legal", 4), ("new language", FULL), ("new facts", 1), ("formal voice", FULL)]
)
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
    config = TrainConfig(task="medical", r=2, steps=3, batch_size=4)
    run = collect(config, train(config))
    short = runs._rounded(run)
    assert short.loss == pytest.approx(run.loss, abs=0.51e-4)
    for name, s in run.spectra.items():
        assert short.spectra[name] == pytest.approx(s, rel=0.51e-3)
    assert short.strengths["base_loss"] == pytest.approx(run.strengths["base_loss"], abs=0.51e-4)
    assert short.strengths["samples"] == run.strengths["samples"]
    monkeypatch.setattr("compute.experiments.runs.RUNS", tmp_path)
    monkeypatch.setattr("compute.experiments.runs.config_of", lambda task, r: config)
    (tmp_path / "medical-r2.json").write_text(json.dumps({**short._asdict(), "base": base_sum()}))
    assert load("medical", 2) == short

"""Runs as a reader sees them: gathered while they come, and read from files."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from compute.checkpoint import load_base
from compute.recorded import RUNS, Collector, Run, collect, load
from compute.run import Diverged, TrainConfig
from compute.train import EVALUATE_EVERY, train

ROOT = Path(__file__).resolve().parent.parent


def test_reading_a_recorded_run_does_not_load_torch():
    code = "import compute.recorded, sys; compute.recorded.load('legal', 4); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture(scope="module")
def short():
    """Return a config, and what its run yields."""
    config = TrainConfig(task="medical", r=2, steps=EVALUATE_EVERY + 1, batch_size=4)
    return config, list(train(config))


def by_hand(config, steps, result) -> Run:
    evaluations = [record.evaluation for record in steps if record.evaluation] + [result.evaluation]
    return Run(
        config={name: getattr(config, name) for name in config.__dataclass_fields__},
        loss=[record.loss for record in steps],
        gradient_norms={
            kind: [record.gradient_norms[kind] for record in steps] for kind in ("lora_A", "lora_B")
        },
        steps=[0, EVALUATE_EVERY, EVALUATE_EVERY + 1],
        validation_loss=[evaluation.validation_loss for evaluation in evaluations],
        base_loss=[evaluation.base_loss for evaluation in evaluations],
        samples=[evaluation.samples for evaluation in evaluations],
        base_samples=result.base_evaluation.samples,
        trainable=2 * 3456,
        total=sum(p.numel() for p in load_base().parameters()) + 2 * 3456,
        bytes=len(result.weights),
        seconds=result.seconds,
        tokens_per_second=steps[-1].tokens_per_second,
        spectra={name: s[:2] for name, s in result.spectra.items()},
        device=result.device,
    )


def test_a_collected_run_is_what_a_hand_loop_gathers(short):
    config, (*steps, result) = short
    run = collect(config, [*steps, result])
    assert run == by_hand(config, steps, result)
    again = collect(config, train(config))
    times = {"seconds": 0.0, "tokens_per_second": 0.0}
    assert again._replace(**times) == run._replace(**times)  # bit for bit


def test_what_the_spectra_leave_out_is_rounding(short):
    _, (*_, result) = short
    assert all(s[2] < 1e-5 * s[1] for s in result.spectra.values())


def test_a_run_grows_and_what_was_taken_of_it_does_not(short):
    config, records = short
    collector = Collector(config)
    assert collector.run.loss == []
    taken = []
    for record in records:
        collector.add(record)
        taken.append(collector.run)
    *parts, whole = taken
    for number, part in enumerate(parts, start=1):
        assert not part.finished
        assert part.loss == whole.loss[:number]
        assert part.gradient_norms["lora_B"] == whole.gradient_norms["lora_B"][:number]
        known = 1 + (number > EVALUATE_EVERY)
        assert part.steps == whole.steps[:known]
        assert part.samples == whole.samples[:known]
        assert part.seconds == records[number - 1].seconds
    assert whole.finished


def test_a_run_that_diverges_says_so_and_keeps_what_came_before():
    config = TrainConfig(method="full", learning_rate=10, steps=60, batch_size=2)
    *steps, end = train(config)
    run = collect(config, [*steps, end])
    assert isinstance(end, Diverged)
    assert run.diverged == {"step": end.step, "loss": end.loss, "last_loss": end.last_loss}
    assert run.loss == [record.loss for record in steps]
    assert not run.finished


# Files that are not as they should be.


@pytest.mark.parametrize(
    ("task", "r", "told"),
    [
        ("plain", 4, "task must be one of legal, .*, got 'plain'."),
        ("legal", 3, "r must be one of 1, 2, 4, 8, 16, 32, full, got 3."),
        ("legal", "4", "r must be one of 1, 2, 4, 8, 16, 32, full, got '4'."),
    ],
)
def test_a_run_that_nobody_records_is_refused(task, r, told):
    with pytest.raises(ValueError, match=told):
        load(task, r)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("", "medical-r2.json is missing. Run `python assets/record_runs.py medical-r2`."),
        ("half", "medical-r2.json is damaged"),
        ("[]", "medical-r2.json is damaged"),
        ('{"base": "x"}', "medical-r2.json is damaged"),
        ({"more": 1}, "is damaged"),
        ({"loss": [math.nan] * 300}, "is damaged"),
        ({"config": {"r": 3}}, "is damaged"),
        ({"samples": 3}, "is damaged"),
        ({"loss": [1.0]}, "is not the whole of the run that its name says"),
        ({"trainable": 0}, "is not the whole"),
        ({"steps": [0]}, "is not the whole"),
        ("legal-r2", "is not the whole"),
        ("medical-r4", "is not the whole"),
        ("medical-full", "is not the whole"),
        ({"base": "0"}, "started from another base model"),
    ],
    ids=str,
)
def test_a_file_that_is_not_the_run_is_refused(change, told, tmp_path, monkeypatch):
    stem = change if isinstance(change, str) and (RUNS / f"{change}.json").exists() else "medical-r2"
    text = (RUNS / f"{stem}.json").read_text(encoding="utf-8")
    if isinstance(change, dict):
        text = json.dumps({**json.loads(text), **change})
    elif change == "half":
        text = text[: len(text) // 2]
    elif stem != change:
        text = change
    if change:
        (tmp_path / "medical-r2.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr("compute.recorded.RUNS", tmp_path)
    with pytest.raises(ValueError, match=told):
        load("medical", 2)

"""Runs as a reader sees them, gathered while they come."""

import pytest

from compute.model.checkpoint import load_base
from compute.training.config import STRENGTHS, Diverged, TrainConfig
from compute.training.gathered import Collector, Run, collect, opened
from compute.training.loop import EVALUATE_EVERY, train
from compute.training.opened import open_adapter

pytestmark = pytest.mark.usefixtures("brief_evaluations")


@pytest.fixture(scope="module")
def short():
    """Return a config, and what its run yields."""
    config = TrainConfig(r=2, steps=EVALUATE_EVERY + 1, batch_size=4, n_texts=64)
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
        right=[evaluation.right for evaluation in evaluations],
        base_samples=result.base_evaluation.samples,
        trainable=2 * 3456,
        total=sum(p.numel() for p in load_base().parameters()) + 2 * 3456,
        bytes=len(result.weights),
        seconds=result.seconds,
        tokens_per_second=steps[-1].tokens_per_second,
        spectra={name: s[:2] for name, s in result.spectra.items()},
        strengths={
            "validation_loss": [each.validation_loss for each in result.strengths],
            "base_loss": [each.base_loss for each in result.strengths],
            "samples": [each.samples for each in result.strengths],
            "right": [each.right for each in result.strengths],
        },
        device=result.device,
    )


def test_a_collected_run_is_what_a_hand_loop_gathers(short):
    config, (*steps, result) = short
    run = collect(config, [*steps, result])
    assert run == by_hand(config, steps, result)
    assert len(run.strengths["samples"]) == len(STRENGTHS)
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
    config = TrainConfig(method="full", learning_rate=10, steps=60, batch_size=2, n_texts=64)
    *steps, end = train(config)
    run = collect(config, [*steps, end])
    assert isinstance(end, Diverged)
    assert run.diverged == {"step": end.step, "loss": end.loss, "last_loss": end.last_loss}
    assert run.loss == [record.loss for record in steps]
    assert not run.finished


def test_full_finetuning_has_no_strengths():
    config = TrainConfig(method="full", learning_rate=1e-3, steps=1, n_texts=64)
    assert collect(config, train(config)).strengths == {}


def test_an_opened_adapter_is_a_finished_run_without_steps(short):
    config, (*_, result) = short
    files = (result.weights, result.adapter_config)
    run = opened(config.task, next(open_adapter(config.task, *files, n_texts=config.n_texts)))
    whole = collect(config, [result])
    assert run.config == {"task": config.task, "method": "lora", "r": 2}
    assert (run.loss, run.gradient_norms, run.steps) == ([], {}, [0])
    assert run.finished
    left_out = {"config": {}, "steps": [], "seconds": 0.0}
    assert run._replace(**left_out) == whole._replace(**left_out)

"""Steps that are recorded once and played again come to what plain ones come to. The GPU is a stand-in."""

from __future__ import annotations

import math

import pytest
import torch

from compute.model.checkpoint import load_base
from compute.training import loop
from compute.training.captured import PLAIN, Replayed
from compute.training.config import METHODS, Diverged, StepRecord, TrainConfig
from compute.training.loop import prepare, train, updates
from helpers.cuda import on_cuda

torch.set_num_threads(1)
ROUNDING = 1e-9  # of float64: texts are filled up, and AdamW's corrections are powers that a tensor holds
SHORT = {"steps": 8, "batch_size": 4, "n_texts": 16}


@pytest.fixture(autouse=True)
def exactly():
    """Compute in float64: Adam divides gradients by their own size, so that rounding is as large as a step."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def base():
    return load_base().double()


@pytest.mark.parametrize(
    "config",
    [
        TrainConfig(task="new facts", **SHORT),
        TrainConfig(task="new facts", method="full", learning_rate=1e-3, **SHORT),
        TrainConfig(task="formal voice", optimizer="sgd", learning_rate=0.005, init="A=0", r=2, **SHORT),
        TrainConfig(task="who had it first", train_embeddings=True, base_share=0.25, **SHORT),
    ],
    ids=lambda config: f"{config.task}-{config.method}-{config.optimizer}",
)
@pytest.mark.usefixtures("brief_evaluations")
def test_a_replayed_run_has_the_records_of_a_plain_one(config, base, monkeypatch):
    *plain, end = train(config, base, strengths=())
    graphs = on_cuda(monkeypatch)
    *again, ended = train(config, base, strengths=())
    assert [graph.played for graph in graphs] == [config.steps - PLAIN] * 2, (
        "forward and backward, and the update"
    )
    assert [record.step for record in again] == [record.step for record in plain]
    for one, other in zip(again, plain, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=ROUNDING)
        assert one.gradient_norms == pytest.approx(other.gradient_norms, rel=1e-6, abs=1e-12)
        assert (one.evaluation is None) == (other.evaluation is None)
    assert ended.evaluation.validation_loss == pytest.approx(end.evaluation.validation_loss, rel=ROUNDING)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_replayed_but_the_one_that_takes_directions_away(method, base, monkeypatch):
    config = TrainConfig(task="new facts", method=method, steps=6, batch_size=4, n_texts=16)
    plain = [*updates(prepare(config, base), config)]
    graphs = on_cuda(monkeypatch)
    assert [*updates(prepare(config, base), config)] == pytest.approx(plain, rel=ROUNDING)
    assert len(graphs) == (0 if method == "adalora" else 2)


def test_what_python_holds_is_not_asked_again_and_what_is_recorded_is_not_done(monkeypatch):
    """So is it on a GPU: the stand-in would not notice a mistake of ours if it were kinder."""
    on_cuda(monkeypatch)
    total, rate = torch.zeros(1), [1.0]
    act = Replayed(lambda: total.add_(rate[0]))
    for _ in range(PLAIN + 1):
        act()
    assert total.item() == PLAIN + 1
    rate[0] = 5.0
    act()
    assert total.item() == PLAIN + 2
    waits = Replayed(lambda: total.mul_(total.item()))
    for _ in range(PLAIN):
        waits()
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        waits()


def test_numbers_that_come_in_bunches_are_those_that_come_one_by_one(base, monkeypatch):
    config = TrainConfig(task="new facts", steps=12, batch_size=4, n_texts=16)

    def told(records):
        return [(each.step, each.loss, each.gradient_norms, each.evaluation) for each in records]

    *single, end = train(config, base, evaluate_every=5)
    monkeypatch.setitem(loop.BUNCH, "cpu", 4)
    *bunched, ended = train(config, base, evaluate_every=5)
    assert told(bunched) == told(single)  # bit for bit
    assert ended.weights == end.weights
    assert [record.step for record in single if record.evaluation] == [0, 5, 10]
    bunches = {record.tokens_per_second for record in bunched}
    assert len(bunches) == 6  # steps 0, 1 to 4, 5, 6 to 9, 10 and 11: no bunch reaches over an evaluation


def test_a_run_that_diverges_in_a_bunch_ends_at_the_step_that_it_ends_at(base, monkeypatch):
    config = TrainConfig(
        task="new facts", method="full", learning_rate=10, steps=40, batch_size=2, n_texts=16
    )
    *plain, end = train(config, base, strengths=())
    on_cuda(monkeypatch)
    *bunched, ended = train(config, base)
    assert isinstance(end, Diverged)
    assert (ended.step, len(bunched)) == (end.step, len(plain))
    assert all(isinstance(record, StepRecord) and math.isfinite(record.loss) for record in bunched)

"""The live lab's map of rank and rate: its time said first, filled in as runs end, shared as all runs are."""

from __future__ import annotations

import asyncio
import json

import pytest

from compute.training.config import TrainConfig
from compute.training.swept import SweepEnd, SweepSteps
from helpers.scripted import ended, press, rows, told
from helpers.streams import run, until
from widgets.live import settings, watched
from widgets.live import trainer as module
from widgets.live import training as _training
from widgets.live.rate_map import Mapped
from widgets.live.registry import Registry
from widgets.live.runner import WorkerDied
from widgets.live.settings import USUAL
from widgets.live.trainer import Trainer

WILD = 0.02  # the rate at which a scripted run diverges


def loss(config: TrainConfig) -> float | None:
    if config.learning_rate >= WILD:
        return None
    return 1 / config.r + config.learning_rate + config.seed / 10


class Runner:
    """Give scripted sweeps; `go` holds how many runs may end, None all."""

    def __init__(self, device: str):
        self.device = device
        self.begun: list[list[TrainConfig]] = []
        self.most = 10**9
        self.die = False

    async def stream(self, fn, /, configs=None):
        if configs is None:
            yield self.device
            return
        if fn.__name__ == "sweep_time":
            yield 130.0
            return
        runs = [TrainConfig(**config) for config in configs]
        self.begun.append(runs)
        before = sum(map(len, self.begun[:-1]))
        for number, config in enumerate(runs):
            while before + number >= self.most and not self.die:
                await asyncio.sleep(0.001)
            if self.die:
                raise WorkerDied("The process that worked on this was killed.")
            end = loss(config)
            yield SweepSteps(number, 0, [2.0] * (3 if end is None else config.steps))
            yield SweepEnd(number, 3 if end is None else config.steps, end)


@pytest.fixture
def lab(monkeypatch):
    def with_device(device: str) -> Runner:
        runner = Runner(device)
        registry = Registry(runner, most_at_once=2, grace=0.05)
        for where in (module, _training):
            monkeypatch.setattr(where, "registry", lambda: registry)
        monkeypatch.setattr(watched, "EVERY", 0.01)
        return runner

    return with_device


async def train_map(reader: Trainer, **changed) -> None:
    """Press twice: the time is said before."""
    press(reader, "map", **changed)
    await until(lambda: told(reader).get("mapReady", False))
    press(reader, "map", **changed)


def cells(reader: Trainer) -> dict[tuple[str, str], list[str]]:
    shown = json.loads(reader.map.shown)
    return {
        (row["name"].removeprefix("r = "), rate): cell["lines"]
        for row in shown["rows"]
        for rate, cell in zip(shown["rates"], row["cells"], strict=True)
    }


def test_on_a_processor_a_small_map_is_trained_run_by_run_after_its_time_was_said(lab):
    runner = lab("cpu")

    async def main():
        reader = Trainer()
        press(reader, "map")
        await until(lambda: told(reader).get("mapReady", False))
        assert runner.begun == [], "nothing is trained before the reader knows how long it takes"
        assert told(reader)["said"] == (
            "The map is 18 runs of 300 steps: r = 1, 4, 16, 3 learning rates around yours, 2 seeds each. On the "
            "processor (CPU) they take about 3 minutes, one after the other. Press again to train them."
        )
        assert not reader.map.visible
        press(reader, "map")
        await ended(reader)
        assert [len(part) for part in runner.begun] == [1] * 18
        assert rows(reader) == {"The map": "finished: 18 runs"}
        assert reader.map.visible
        assert len(cells(reader)) == 9
        assert cells(reader)["4", "0.005"] == ["0.305", "0.255 to 0.355"]

    run(main())


def test_on_a_gpu_the_whole_map_is_one_job(lab):
    runner = lab("cuda")

    async def main():
        reader = Trainer()
        await train_map(reader)
        assert ", all at once." in told(reader)["said"] or runner.begun
        await ended(reader)
        assert [len(part) for part in runner.begun] == [150]
        assert len(cells(reader)) == 30
        assert rows(reader) == {"The map": "finished: 150 runs"}

    run(main())


def test_it_fills_in_as_runs_end_and_says_so_in_a_sentence(lab):
    runner = lab("cpu")

    async def main():
        reader = Trainer()
        runner.most = 0
        await train_map(reader)
        await until(lambda: reader.map.visible and bool(runner.begun))
        sentence = lambda: json.loads(reader.map.shown)["sentence"]  # noqa: E731
        await until(lambda: '"sentence"' in reader.map.shown)
        assert sentence() == "No run of the map has ended yet."
        assert {line for lines in cells(reader).values() for line in lines} == {"waits"}
        runner.most = 4
        await until(lambda: sentence().startswith("Ended so far: 4 of 18 runs."))
        lines = cells(reader)
        assert lines["1", "0.00125"] == ["1.001", "one seed so far"]
        assert lines["1", "0.02"] == ["0%"] or lines["1", "0.02"][0].endswith("%"), (
            "diverged, and its other seed waits"
        )
        assert lines["16", "0.005"] == ["waits"]
        runner.most = 18
        await ended(reader)
        assert sentence() == (
            "The lowest loss is 0.114 nats, at r = 16 and a rate of 0.00125: 0.064 to 0.164 over 2 seeds. "
            "One of the other 8 cells comes as low with one of its seeds. In 3 cells a run diverged."
        )
        assert cells(reader)["16", "0.02"] == ["diverged"]
        shown = json.loads(reader.map.shown)
        best = [
            (row["name"], place)
            for row in shown["rows"]
            for place, cell in enumerate(row["cells"])
            if cell["best"]
        ]
        assert best == [("r = 16", 0)]
        shares = [cell["share"] for row in shown["rows"] for cell in row["cells"]]
        assert (min(shares), max(shares)) == (0, 1)
        head, line = shown["table"]["head"], shown["table"]["rows"][0]
        assert dict(zip(head, line, strict=True)) == {
            "r": "1",
            "learning rate": "0.00125",
            "seeds that went well": "2",
            "diverged": "0",
            "loss, mean": "1.0513",
            "lowest": "1.0012",
            "highest": "1.1013",
        }

    run(main())


def test_readers_share_its_runs_and_other_settings_are_another_map(lab):
    runner = lab("cpu")

    async def main():
        one, two = Trainer(), Trainer()
        for reader in (one, two):
            await train_map(reader)
        await ended(one)
        await ended(two)
        assert len(runner.begun) == 18
        press(one, "map", learning_rate=0.001)
        await until(lambda: told(one).get("mapReady", False))
        assert len(runner.begun) == 18, "another map's time is said first, too"

    run(main())


def test_stop_leaves_it_and_a_dead_worker_is_said(lab):
    runner = lab("cpu")

    async def main():
        reader = Trainer()
        runner.most = 2
        await train_map(reader)
        await until(lambda: rows(reader).get("The map") == "run 3 of 18")
        assert told(reader)["busy"]
        press(reader, "stop")
        assert rows(reader)["The map"] == "stopped after 2 of 18 runs"
        assert not told(reader)["busy"]
        runner.die = True
        await train_map(reader)
        await ended(reader)
        assert rows(reader)["The map"].startswith("The process that worked on this was killed.")
        press(reader, "reset")
        assert not reader.map.visible
        assert rows(reader) == {}

    run(main())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"init": "PiSSA"},
            "The map is of LoRA on one frozen base: The factors start with = PiSSA is not possible there.",
        ),
        (
            {"train_embeddings": True},
            "The map is of LoRA on one frozen base: Embeddings learn too = yes is not possible there.",
        ),
        ({"r": 99}, "Rank r = 99 is not possible: a whole number from 1 to 64."),
    ],
)
def test_what_no_map_can_have_is_a_sentence(lab, changed, said):
    lab("cpu")

    async def main():
        reader = Trainer()
        press(reader, "map", **changed)
        await until(lambda: told(reader).get("said") == said)
        assert not told(reader).get("mapReady")

    run(main())


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_runs_are_around_the_readers_own(device):
    grid = settings.grid(USUAL | {"r": 2, "alpha": 6, "learning_rate": 5.0, "seed": 2**32 - 1}, device)
    assert {config.alpha / config.r for config in grid} == {3}
    assert {config.method for config in grid} == {"lora"}
    assert max(config.learning_rate for config in grid) == 10, "rates stay within what a setting can have"
    assert {config.seed for config in grid} == {2**32 - 1, *range(len({config.seed for config in grid}) - 1)}
    assert len({*grid}) == len(grid)
    odd = settings.grid(USUAL | {"init": "orthogonal", "r": 2}, device)
    assert all(config.r % 2 == 0 for config in odd)


def test_a_small_map_is_trained_by_a_worker():
    async def main():
        registry = _training.registry()
        configs = settings.grid(USUAL | {"facts": 8, "steps": 25}, "cpu")[:2]
        mapped = Mapped(configs, "new facts", "cpu")
        assert "about" in await mapped.expected(registry)
        await mapped.follow(registry)
        assert (mapped.said, mapped.done) == ("finished: 2 runs", 1)
        assert len([cell for cell in mapped.grid.cells() if cell.loss is not None]) == 2

    run(main())

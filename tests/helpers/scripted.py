"""Training runs as the tests of the live lab want them, quick and known beforehand, and buttons pressed in Python."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator

from compute.training.config import (
    EVALUATE_EVERY,
    STRENGTHS,
    Diverged,
    Evaluation,
    Result,
    StepRecord,
    TrainConfig,
)
from helpers.streams import until
from widgets.live.runner import WorkerDied
from widgets.live.settings import USUAL
from widgets.live.trainer import Trainer

GIVEN_UP = 1.0  # a learning rate from which on a scripted run diverges
BROKEN = 0.9  # one at which it raises an error that nobody thought of


def evaluation(step: int, config: TrainConfig) -> Evaluation:
    right = {"task": step / 1000, "facts": 1 - step / 1000, "stories": 0.9}
    return Evaluation(
        2.0 - step / 1000 - config.r / 100, 1.0 + step / 1000, (f"{config.task} {step}",), right
    )


def records(config: TrainConfig) -> Iterator[StepRecord | Result | Diverged]:
    """Yield what a run of these settings says."""
    if config.learning_rate == BROKEN:
        raise KeyError("secret")
    norms = {"lora_A": 0.0, "lora_B": 1.0} if config.method == "lora" else {"other": 1.0}
    for step in range(config.steps):
        if config.learning_rate >= GIVEN_UP and step == 3:
            yield Diverged(step, None, 2.0)
            return
        at = None if step % EVALUATE_EVERY else evaluation(step, config)
        yield StepRecord(step, 2.0 - step / 1000, norms, 1.0 + step / 100, 1000.0, at)
    lora = config.method == "lora"
    yield Result(
        step=config.steps,
        seconds=9.5,
        evaluation=evaluation(config.steps, config),
        base_evaluation=evaluation(0, config),
        trainable=10 * config.r if lora else 1000,
        total=1000,
        spectra={f"blocks.1.attention.{name}": [3.0, 1.0] for name in ("q_proj", "v_proj")},
        weights=b"weights",
        adapter_config="{}" if lora else None,
        device="cpu",
        strengths=tuple(evaluation(round(100 * strength), config) for strength in STRENGTHS) if lora else (),
    )


_times = itertools.count()


class Runner:
    """Give scripted runs, a record whenever there is room; `hold` keeps them back, `die` kills them."""

    def __init__(self) -> None:
        self.begun: list[TrainConfig] = []
        self.left: list[TrainConfig] = []
        self.die = False
        self.pace = 0.0  # seconds a record
        self.go = asyncio.Event()
        self.go.set()

    async def stream(self, fn, /, config=None):
        if config is None:  # the warming
            yield "cpu"
            return
        config = TrainConfig(**config)
        self.begun.append(config)
        try:
            for record in records(config):
                await asyncio.sleep(self.pace)
                await self.go.wait()
                if self.die:
                    raise WorkerDied("The process that worked on this was killed.")
                yield record
        finally:
            self.left.append(config)


def press(reader: Trainer, action: str, **changed) -> None:
    settings = json.dumps(USUAL | changed)
    reader.form.asked = json.dumps({"action": action, "settings": settings, "at": next(_times)})


def told(reader: Trainer) -> dict:
    return json.loads(reader.form.told)


def rows(reader: Trainer) -> dict[str, str]:
    return {row["name"]: row["said"] for row in told(reader)["rows"]}


async def ended(reader: Trainer) -> None:
    await until(lambda: reader._job.done())

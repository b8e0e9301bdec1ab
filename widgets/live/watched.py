"""One run as one reader watches it: what it has shown to all, how far it is, and what has become of it."""

import contextlib
import copy
import time
from dataclasses import asdict
from typing import Any

from compute.numbers.records import base_sum
from compute.training.config import Diverged, Result, StepRecord, TrainConfig
from compute.training.gathered import Collector, Run
from compute.training.jobs import train_run
from widgets.kit.languages import say
from widgets.kit.text import fill
from widgets.live.fair import OURS, Reader
from widgets.live.registry import Registry, RunRefused, RunStopped, Waiting, run_key
from widgets.live.runner import WorkerDied

WORDS = {
    "starting": "starting",
    "waiting": "waiting, number {place} in the queue",
    "first": "step {step} of {steps}",
    "running": "step {step} of {steps}, {speed:,.0f} tokens a second, about {left:.0f} s left",
    "finishing": "step {steps} of {steps}; the finished model is being measured",
    "finished": "finished: {steps} steps in {seconds:.1f} s, on {device}",
    "stopped": "stopped after {step} steps",
    "diverged": (
        "diverged at step {step}: the loss was {loss}, worse than a blind guess. The learning rate of {rate:g} is too "
        "large for these settings; try a tenth of it"
    ),
    "noNumber": "no number any more",
    "failed": "This run failed, and why is not known. The server's log says more; Train starts it again.",
    "died": "{why} Nothing else is disturbed. Train starts it again.",
}
DEVICES = {"cuda": "the GPU (CUDA)", "mps": "the GPU (MPS)", "cpu": "the processor (CPU)"}


EVERY = 0.2  # seconds between two pictures of a growing run


class Shown:
    """What a run has said so far, gathered once for all who watch it."""

    def __init__(self, config: TrainConfig):
        self.config = config
        self._told: tuple[str, dict[str, Any]] = (WORDS["starting"], {})
        self.done = 0.0  # share of the steps, 0..1
        self.result: Result | None = None
        self._collector = Collector(config)
        self._taken = 0  # records
        self._started = 0.0
        self._run = self._collector.run
        self._drawn = (0, -1.0)  # records in the run, and the beat in which it was copied

    def run(self, whole: bool) -> Run:
        """Return what there is to draw: the same for all who ask in one beat of EVERY seconds, unless it is whole."""
        beat = time.monotonic() // EVERY
        if self._taken > self._drawn[0] and (
            whole or self.result or beat > self._drawn[1] or not self._run.steps
        ):
            self._run, self._drawn = self._collector.run, (self._taken, beat)
        return self._run

    @property
    def said(self) -> str:
        """How far the run is, in the language of who asks."""
        return fill(*self._told)

    def take(self, number: int, record: StepRecord | Result | Diverged) -> None:
        """Take a record, by its number from 0; whoever brings it first is heard."""
        if number < self._taken:
            return
        self._taken += 1
        self._collector.add(record)
        if isinstance(record, Diverged):
            loss = WORDS["noNumber"] if record.loss is None else f"{record.loss:.1f}"
            values = {"step": record.step, "loss": loss, "rate": self.config.learning_rate}
            self._told = WORDS["diverged"], values
            return
        steps = self.config.steps
        made = record.step + isinstance(record, StepRecord)
        self.done = made / steps
        if made == 1:
            self._started = record.seconds  # what came before the first step, such as loading, comes once
        pace = (record.seconds - self._started) / max(made - 1, 1)  # seconds a step, evaluations included
        values = {
            "step": made,
            "steps": steps,
            "speed": getattr(record, "tokens_per_second", 0.0),
            "left": pace * (steps - made),
            "seconds": record.seconds,
        }
        if isinstance(record, Result):
            self.result = record
            self._told = WORDS["finished"], values | {"device": DEVICES[record.device]}
        else:
            phase = "first" if made == 1 else "running" if made < steps else "finishing"
            self._told = WORDS[phase], values


class Watched:
    """Follow one run of the registry for one reader."""

    def __init__(self, name: str, config: TrainConfig):
        self.name, self.config = name, config
        self.key = run_key(config=asdict(config), model=base_sum())
        self.ended = False
        self._shown = Shown(config)
        self._own = ""  # what is said to this reader alone
        self._left = False

    @property
    def run(self) -> Run:
        """What the run has shown so far."""
        return self._shown.run(self.ended)

    @property
    def done(self) -> float:
        """Share of the steps that have been made, 0 to 1."""
        return self._shown.done

    @property
    def result(self) -> Result | None:
        """The end of a run that went well."""
        return self._shown.result if self.ended else None

    @property
    def said(self) -> str:
        """How far the run is, or what has become of it."""
        return self._own or self._shown.said

    async def follow(self, registry: Registry, reader: Reader = OURS) -> None:
        """Watch until the end, whatever it is; leave the run when cancelled."""
        number = 0
        try:
            records = registry.watch(self.key, train_run, reader=reader, config=asdict(self.config))
            async with contextlib.aclosing(records):
                async for record in records:
                    if self.ended:  # stopped, and not yet cancelled
                        break
                    if isinstance(record, Waiting):
                        self._own = fill(WORDS["waiting"], {"place": record.place}) if record.place else ""
                        continue
                    if number == 0:
                        self._own, self._shown = "", registry.shared(self.key, lambda: Shown(self.config))
                    self._shown.take(number, record)
                    number += 1
        except RunStopped:
            self.stop()
        except RunRefused as full:
            self._own = str(full)
        except WorkerDied as death:
            self._own = fill(WORDS["died"], {"why": str(death)})
        except (
            Exception
        ):  # of the generator in its worker: the reader gets a sentence, the registry's log the traceback
            self._own = say(WORDS["failed"])
        finally:
            if self._left:
                registry.leave(self.key)
            self.ended = True

    def stop(self) -> None:
        """Say that the run was left before its end; whoever follows is to be cancelled next."""
        if not self.ended:
            self.ended = self._left = True
            self._shown.run(whole=True)
            self._shown = copy.copy(self._shown)  # to the others it goes on
            self._own = fill(WORDS["stopped"], {"step": round(self.done * self.config.steps)})

"""A sweep: many LoRA runs of one task, at several ranks, rates and seeds, of which the losses are wanted."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise, takewhile
from statistics import median

import torch

from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.training.captured import PLAIN, RECORDING
from compute.training.config import EVALUATE_EVERY, TrainConfig
from compute.training.loop import device, out_of_bounds, prepare, updates, validation_texts
from compute.training.swept import SweepEnd, SweepSteps
from compute.training.together import Together, refuse_apart
from compute.world.tasks import ANSWERING

TOKENS = 2**17  # that all runs on a GPU read in a step: what they leave in its memory is some four gigabytes
TIMED = 12  # steps that say how long a sweep will take


class _Alone:
    """Train one run by the loop of single runs, in the form of `Together`."""

    def __init__(self, config: TrainConfig, base: GPT, where: torch.device):
        self._config, self._model = config, prepare(config, base).to(where)

    def losses(self) -> Iterator[torch.Tensor]:
        return (torch.tensor([loss]) for loss in updates(self._model, self._config))

    def models(self) -> list[GPT]:
        return [self._model]


def sweep(configs: Sequence[TrainConfig], base: GPT | None = None) -> Iterator[SweepSteps | SweepEnd]:
    """Train LoRA runs that differ in rank, scaling, rate and seed: on a GPU at once, elsewhere one after the other.

    Parameters
    ----------
    configs : sequence of TrainConfig
        Runs on a task of the world, as for `compute.training.together.Together`.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, that of the world.

    Yields
    ------
    SweepSteps or SweepEnd
        The losses of every EVALUATE_EVERY steps, for as long as a run goes well, and one end of each run. They are
        those of `compute.training.loop.train`, but for the rounding of sums in another order. A run that diverges
        ends there; the others go on.

    Raises
    ------
    ValueError
        If the runs cannot be trained side by side, on whatever device.

    Examples
    --------
    >>> runs = [TrainConfig(task="new facts", n_texts=8, steps=2, batch_size=4, r=r) for r in (1, 2)]
    >>> [(type(record).__name__, record.run) for record in sweep(runs)]
    [('SweepSteps', 0), ('SweepEnd', 0), ('SweepSteps', 1), ('SweepEnd', 1)]
    """
    refuse_apart(configs)
    where, base = device(), load_base() if base is None else base
    most = _at_once(configs[0], base, where)
    for first in range(0, len(configs), most):
        yield from _some(first, configs[first : first + most], base, where)


def seconds_of(
    configs: Sequence[TrainConfig], base: GPT | None = None, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return about how long a sweep takes here, from a few of its steps.

    Parameters
    ----------
    configs : sequence of TrainConfig
        As for `sweep`.
    base : GPT, optional
        As for `sweep`.
    clock : callable
        Gives the seconds that the times are differences of.

    Returns
    -------
    float
        In seconds: the median of some steps, times how many there are. What comes before the first step and after
        the last is left out.

    Raises
    ------
    ValueError
        As `sweep` does.

    Examples
    --------
    >>> runs = [
    ...     TrainConfig(task="new facts", n_texts=8, steps=100, batch_size=4, seed=seed) for seed in (0, 1)
    ... ]
    >>> seconds_of(runs, clock=iter(range(99)).__next__)  # a second a step
    200.0
    """
    refuse_apart(configs)
    where, base = device(), load_base() if base is None else base
    most = _at_once(configs[0], base, where)
    middle = max(0, (len(configs) - most) // 2)  # alone: one of middle rank, where they are in order
    some = [replace(config, steps=TIMED) for config in configs[middle : middle + most]]
    marks = []
    for losses in _begun(some, base, where).losses():
        losses.tolist()  # waits for the device
        marks.append(clock())
    steps = [last - first for first, last in pairwise(marks)]
    return median(steps[PLAIN:]) * configs[0].steps * math.ceil(len(configs) / most)


def _at_once(config: TrainConfig, base: GPT, where: torch.device) -> int:
    """Return how many runs train at once."""
    return max(1, TOKENS // (config.batch_size * base.config.block_size)) if where.type in RECORDING else 1


def _begun(configs: Sequence[TrainConfig], base: GPT, where: torch.device) -> Together | _Alone:
    return Together(configs, base, where) if where.type in RECORDING else _Alone(configs[0], base, where)


def _some(
    first: int, configs: Sequence[TrainConfig], base: GPT, where: torch.device
) -> Iterator[SweepSteps | SweepEnd]:
    """Train runs that are numbered from `first` as far as each goes well."""
    runs = _begun(configs, base, where)
    worst: dict[int, float] = {}  # by run that goes on: the loss above which it has diverged
    answers, step = configs[0].task in ANSWERING, 0
    for rows in _bunches(runs.losses()):
        for i, losses in enumerate(zip(*rows, strict=True)):
            if not step:
                worst[i] = 0.0  # below any loss
                if math.isfinite(losses[0]):
                    worst[i] = out_of_bounds(losses[0], base.config.vocab_size, answers)
            if i not in worst:
                continue
            good = [*takewhile(worst[i].__ge__, losses)]
            if good:
                yield SweepSteps(first + i, step, good)
            if len(good) < len(losses):  # a loss that is no number is not within bounds
                yield SweepEnd(first + i, step + len(good), None)
                del worst[i]
        if not worst:
            return
        step += len(rows)
    for i, model in enumerate(runs.models()):
        if i in worst:
            loss = _validation_loss(model.to(where), configs[i])
            yield SweepEnd(first + i, step, loss if math.isfinite(loss) else None)


def _bunches(losses: Iterable[torch.Tensor]) -> Iterator[list[list[float]]]:
    """Yield the losses of some steps at a time, a row each: they leave the device together."""
    copies = (loss.clone() for loss in losses)  # where steps are played again, the next one writes over it
    while some := [*islice(copies, EVALUATE_EVERY)]:
        yield torch.stack(some).tolist()


@torch.no_grad()
def _validation_loss(model: GPT, config: TrainConfig) -> float:
    """Return the loss of an evaluation."""
    texts = validation_texts(config.task, config.n_texts, model.config.block_size)
    return model.loss(*texts.to(model.lm_head.weight.device)).item()

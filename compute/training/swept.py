"""What a sweep over ranks, rates and seeds says, and the map that it fills. Needs no torch."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from compute.training.config import TrainConfig


class SweepSteps(NamedTuple):
    """Hold some steps of one run of a sweep, all of them in bounds.

    Attributes
    ----------
    run : int
        Which of the runs, from 0.
    step : int
        Updates made before the first of them.
    loss : list of float
        On the texts of each step before its update, in nats per token.
    """

    run: int
    step: int
    loss: list[float]


class SweepEnd(NamedTuple):
    """Hold how one run of a sweep ended.

    Attributes
    ----------
    run : int
        Which of the runs, from 0.
    step : int
        Updates made.
    validation_loss : float or None
        Of the finished model on texts that it was not trained on, of new facts on those that it was to learn; in nats
        per token. None if the run diverged.
    """

    run: int
    step: int
    validation_loss: float | None


class Cell(NamedTuple):
    """Hold the runs of one rank and one rate: they differ in their seed.

    Attributes
    ----------
    r : int
        The rank.
    learning_rate : float
        The rate.
    seeds : int
        Number of runs.
    losses : list of float
        validation_loss of those that went well and have ended, in the order of their numbers.
    diverged : int
        Number of those that did not.
    done : float
        Share of all their steps that has been made, 0 to 1; a run that has ended counts whole.
    """

    r: int
    learning_rate: float
    seeds: int
    losses: list[float]
    diverged: int
    done: float

    @property
    def ended(self) -> bool:
        """Whether all its runs have ended."""
        return len(self.losses) + self.diverged == self.seeds

    @property
    def loss(self) -> float | None:
        """Mean over the seeds that went well, None while there is none."""
        return fmean(self.losses) if self.losses else None


class Map:
    """Gather the records of a sweep as they come.

    Parameters
    ----------
    configs : sequence of TrainConfig
        The runs, in the order of their numbers.

    Examples
    --------
    >>> runs = [TrainConfig(task="new facts", r=r, seed=seed, steps=50) for r in (1, 4) for seed in (0, 1)]
    >>> grid = Map(runs)
    >>> for record in (SweepSteps(0, 0, [5.0] * 25), SweepEnd(1, 50, 0.5), SweepEnd(2, 30, None)):
    ...     grid.add(record)
    >>> [(cell.r, cell.loss, cell.diverged, cell.done) for cell in grid.cells()]
    [(1, 0.5, 0, 0.75), (4, None, 1, 0.5)]
    """

    def __init__(self, configs: Sequence[TrainConfig]):
        self.configs = configs
        self._made = [0] * len(configs)
        self._ends: dict[int, float | None] = {}

    def add(self, record: SweepSteps | SweepEnd) -> None:
        """Take the next record."""
        if isinstance(record, SweepSteps):
            self._made[record.run] = record.step + len(record.loss)
        else:
            self._made[record.run] = self.configs[record.run].steps
            self._ends[record.run] = record.validation_loss

    @property
    def ended(self) -> int:
        """How many runs have ended."""
        return len(self._ends)

    def cells(self) -> list[Cell]:
        """Return all cells, by rank and then by rate."""
        runs: dict[tuple[int, float], list[int]] = {}
        for run, config in enumerate(self.configs):
            runs.setdefault((config.r, config.learning_rate), []).append(run)
        return [self._cell(*place, runs[place]) for place in sorted(runs)]

    def _cell(self, r: int, rate: float, runs: list[int]) -> Cell:
        ends = [self._ends[run] for run in runs if run in self._ends]
        losses = [loss for loss in ends if loss is not None]
        done = sum(self._made[run] / self.configs[run].steps for run in runs) / len(runs)
        return Cell(r, rate, len(runs), losses, len(ends) - len(losses), done)

"""Three sets of new facts, learned one after the other: what is left of each, and of the facts that the base knew.

The base of the world learns facts about people whom it has never read of, set after set, each in the same number of
steps: with one adapter that is trained on, with an adapter for each set, with one adapter whose steps also ask old
questions, and with full finetuning, without and with old questions. A way's rate is the one at which the first seed has
most of all three sets at the end. All cores are used, and a recording that is stopped goes on where it was when the
command is given again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from compute.experiments.making import Recipe, at_best_rate, learner, processes
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.people import old_people
from compute.world.stories import TOLD
from compute.world.tasks import new_facts
from compute.world.texts import Asked, of_facts

PATH = RECORDS / "retention.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
SETS, SIZE = 3, 120  # of new facts: those of forty people each
ONE, EACH, REPLAY = "one adapter", "an adapter each", "one adapter, old questions too"
FULL, FULL_REPLAY = "full", "full, old questions too"
WAYS = (ONE, EACH, REPLAY, FULL, FULL_REPLAY)
R = 4
SEEDS = (0, 1, 2, 3, 4)
RATES = {"lora": (3e-4, 1e-3, 3e-3, 1e-2), "full": (1e-4, 3e-4, 1e-3, 3e-3)}
STEPS, BATCH_SIZE, WARM_UP = 150, 64, 10
OLD_SHARE = 1 / 4  # of the questions of a step that are old ones, where there are any
OLD = "old"  # the facts that the base knew, beside the sets


@dataclass(frozen=True)
class Retained:
    """Hold what came of one way to learn three sets.

    Attributes
    ----------
    way : str
        One of WAYS.
    rate : float
        Of RATES, the one with which the first seed has most of all sets at the end.
    tried : dict of str to float
        That share, by rate.
    stages : list of list of list of float
        By seed, then by how many sets are learned, from 0: the share of right answers of each set, then of the facts
        that the base knew.
    """

    way: str
    rate: float
    tried: dict[str, float]
    stages: list[list[list[float]]]

    def mean(self, learned: int, what: int | str) -> float:
        """Return the share right after so many sets, of one of them, from 0, or of OLD, on average over the seeds."""
        place = SETS if what == OLD else int(what)
        return fmean(seed[learned][place] for seed in self.stages)

    def sets(self) -> list[float]:
        """Return by seed the share right of all sets at the end."""
        return [fmean(seed[SETS][:SETS]) for seed in self.stages]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    retained : list of Retained
        For each of WAYS.
    """

    recorded: str
    retained: list[Retained]

    def of(self, way: str) -> Retained:
        """Return what came of one way."""
        return self.retained[WAYS.index(way)]


def _built(data: dict[str, Any]) -> Recorded:
    retained = [Retained(**each) for each in data["retained"]]
    if [each.way for each in retained] != list(WAYS):
        raise NotWhole
    shapes = [[len(stage) for stage in seed] for each in retained for seed in each.stages]
    if shapes != [[SETS + 1] * (SETS + 1)] * (len(WAYS) * len(SEEDS)):
        raise NotWhole
    return Recorded(data["recorded"], retained)


load_retention = reader(PATH, "retention", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Setting(NamedTuple):
    """Say which run."""

    way: str
    rate: float
    seed: int


def _facts() -> list[list[Asked]]:
    """Return the sets of new facts, then those that the base knew."""
    new = new_facts(SETS * SIZE)
    sets = [new[first : first + SIZE] for first in range(0, SETS * SIZE, SIZE)]
    return [*sets, [each for kind in TOLD for each in of_facts(old_people(), kind)]]


def _run(setting: _Setting) -> list[list[float]]:
    """Return the shares right of the sets and of the old facts, before and after each set is learned."""
    import torch

    from compute.model.checkpoint import load_base
    from compute.world.batches import right

    way, rate, seed = setting
    base, facts, r = load_base(), _facts(), 0 if way in (FULL, FULL_REPLAY) else R
    generator = torch.Generator().manual_seed(seed)

    def shares(model: Any) -> list[float]:
        return [round(fmean(right(model, some)), 4) for some in facts]

    before = shares(base)
    model, stages = learner(base, r, generator), [before]
    for number in range(SETS):
        if way == EACH:
            model = learner(base, r, generator)
        old = [each for some in facts[:number] for each in some] + facts[SETS]
        _learn(model, facts[number], old if way in (REPLAY, FULL_REPLAY) else [], rate, generator)
        stages.append(shares(model))
    if way != EACH:
        return stages
    # Each set is asked of its own adapter, and what none has learned of the base.
    own = [stages[number + 1][number] for number in range(SETS)]
    return [own[:learned] + before[learned:] for learned in range(SETS + 1)]


def _learn(model: Any, own: list[Asked], old: list[Asked], rate: float, generator: Any) -> None:
    import torch
    from torch.nn import functional as F

    from compute.training import loop
    from compute.world.tokens import encode

    every = [*own, *old]
    words = torch.tensor([encode(each.words) for each in every])  # all are of one length
    answers = torch.tensor(encode(each.answer for each in every)[1:])
    of_old = round(OLD_SHARE * BATCH_SIZE) if old else 0

    def batches() -> Iterator[torch.Tensor]:
        for _ in range(STEPS):
            rows = torch.randperm(len(own), generator=generator)[: BATCH_SIZE - of_old]
            more = len(own) + torch.randperm(len(old), generator=generator)[:of_old]
            yield torch.cat([rows, more])

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(words[rows])[:, -1], answers[rows])

    for _ in loop.warmed(model, loss, batches(), rate, WARM_UP, STEPS):
        pass


def _end(stages: list[list[float]]) -> float:
    return round(fmean(stages[SETS][:SETS]), 4)


def _told(setting: _Setting, stages: list[list[float]]) -> str:
    return f"{setting.way}, {setting.rate:g}, seed {setting.seed}: {stages[SETS]}"


def _make(_: list[str]) -> None:
    rates = {way: RATES["full" if way.startswith("full") else "lora"] for way in WAYS}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _Setting, _run, _end, max, pool, _told)
    retained = [
        {"way": way, "rate": rate, "tried": tried, "stages": runs}
        for way, (rate, tried, runs) in best.items()
    ]
    write_record(PATH, {"recorded": recorded_here(), "retained": retained})
    KEPT.unlink()


RECIPE = Recipe("retention", __doc__, 5, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

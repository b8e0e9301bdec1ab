"""How many new facts an adapter holds: by their number, by its rank, and what is left of the old ones.

The base of the world learns facts about people whom it has never read of, question by question, the answer alone
counting. A rank's rate is chosen with the first seed where there are the most facts, by those that come right, then by
the steps that it took; all its other runs are at that rate. A run ends when all facts are right, or after STEPS. All
cores are used, and a recording that is stopped goes on where it was when the command is given again.

The world has 4,032 facts to ask of new people; the counts end at half of them, because STEPS and the rates are for as
many. With all of them r = 8 had 57 % right after 800 steps at 1e-2 (one seed), and after 1,600 steps 15 % at 1e-2 but
99.8 % at 3e-3, in some 150 s of one core: rates would have to be chosen anew, with twice the steps for every run.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, kept_runs, learner, processes
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.people import old_people
from compute.world.stories import STORY_QUESTIONS, TOLD, Source
from compute.world.tasks import new_facts
from compute.world.texts import Asked, of_facts, questions

if TYPE_CHECKING:
    import torch

    from compute.model.gpt import GPT

PATH = RECORDS / "capacity.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
COUNTS = (8, 32, 128, 512, 2048)  # of new facts
RANKS = (1, 2, 4, 8, 16, 64)
FULL = 0  # stands for full finetuning where a rank would stand
SEEDS = (0, 1, 2, 3, 4)
RATES = {"lora": (1e-3, 3e-3, 1e-2, 3e-2), "full": (3e-4, 1e-3, 3e-3, 1e-2)}
STEPS, BATCH_SIZE, WARM_UP = 800, 256, 20
LOOK_EVERY = 50  # steps: whether all are right
BITS = 4  # of a fact: one of sixteen values
ENOUGH = 0.99  # of the facts are right: a rank holds them
MIXED = 512  # facts beside which base text is read, too
BASE_TEXTS = 16  # of the base's own in each step, where it is


@dataclass(frozen=True)
class Held:
    """Hold what runs of one size learned, in the order of SEEDS.

    Attributes
    ----------
    count : int
        New facts.
    r : int
        Rank, or FULL.
    mixed : bool
        Whether each step also read base text.
    rate : float
        Of RATES, the one at which most of the most facts come right, soonest.
    right : list of float
        Share of the new facts that are answered rightly.
    nats : list of float
        Mean cross-entropy of their answers.
    old : list of float
        Share of the old facts that still are.
    stories : list of float
        Share of questions about unseen stories.
    steps : list of int
        Updates until all were right, or STEPS.
    numbers : int
        That were trained.
    """

    count: int
    r: int
    mixed: bool
    rate: float
    right: list[float]
    nats: list[float]
    old: list[float]
    stories: list[float]
    steps: list[int]
    numbers: int

    @property
    def bits(self) -> float:
        """Bits held for each number trained: those of all facts, less what is still open, on average over seeds."""
        held = BITS - fmean(self.nats) / math.log(2)
        return self.count * held / self.numbers


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        What the recording took since it was last started.
    before : dict of str to float
        Share right of the base, of "old" facts and of "stories".
    tried : dict of str to dict of str to float
        Share of the most facts that the first seed has right, by rank, "0" being FULL, and rate.
    held : list of Held
        For each of COUNTS and RANKS or FULL; then the mixed ones of MIXED facts.
    """

    recorded: str
    seconds: float
    before: dict[str, float]
    tried: dict[str, dict[str, float]]
    held: list[Held]

    def of(self, count: int, r: int, mixed: bool = False) -> Held:
        """Return the runs of one size."""
        [found] = [each for each in self.held if (each.count, each.r, each.mixed) == (count, r, mixed)]
        return found

    def least(self, count: int) -> int | None:
        """Return the least rank that holds so many new facts, None if none does."""
        return next((r for r in RANKS if fmean(self.of(count, r).right) >= ENOUGH), None)


def plan() -> list[tuple[int, int, bool]]:
    """Return the sizes of all runs.

    Returns
    -------
    list of (int, int, bool)
        Count, rank or FULL, and whether base text is mixed in.

    Examples
    --------
    >>> len(plan()) == (len(COUNTS) + 1) * (len(RANKS) + 1)
    True
    """
    methods = (*RANKS, FULL)
    plain = [(count, r, False) for count in COUNTS for r in methods]
    return plain + [(MIXED, r, True) for r in methods]


def _built(data: dict[str, Any]) -> Recorded:
    held = [Held(**each) for each in data.pop("held")]
    if [(each.count, each.r, each.mixed) for each in held] != plan():
        raise NotWhole
    if any(len(each.right) != len(SEEDS) for each in held):
        raise NotWhole
    return Recorded(**data, held=held)


load_capacity = reader(PATH, "capacity", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Setting(NamedTuple):
    """Say which run: its size, its rate, its seed."""

    facts: int
    r: int
    mixed: bool
    rate: float
    seed: int


def remember(
    model: "GPT",
    facts: Sequence[Asked],
    rate: float,
    steps: int,
    generator: "torch.Generator",
    batch_size: int = BATCH_SIZE,
    base_texts: int = 0,
) -> dict[str, float]:
    """Train a model on facts until it has all of them right.

    Parameters
    ----------
    model : GPT
        What asks for gradients learns, in place.
    facts : sequence of Asked
        Questions of one length.
    rate : float
        Highest learning rate, of `compute.training.loop.warmed`.
    steps : int
        Updates, at most; every LOOK_EVERY it is asked whether all are right.
    generator : torch.Generator
        Shuffles the facts.
    batch_size : int
        Facts in each step, or all if there are fewer.
    base_texts : int
        Texts of the base's own that each step reads, too.

    Returns
    -------
    dict of str to float
        The share "right" at the end, the mean cross-entropy of the answers in "nats", the "steps" that were made and
        the "numbers" that were trained.

    Examples
    --------
    >>> import torch
    >>> from compute.model.checkpoint import load_base
    >>> model = learner(load_base(), 1, torch.Generator())
    >>> found = remember(model, new_facts(8), 1e-2, 100, torch.Generator().manual_seed(0))
    >>> found["right"], found["steps"], found["numbers"]
    (1.0, 50, 3456)
    """
    import torch
    from torch.nn import functional as F

    from compute.training import loop
    from compute.world.batches import expected, right, windows
    from compute.world.tokens import encode

    count = len(facts)
    words = torch.tensor([encode(each.words) for each in facts])  # (count, T): all are of one length
    answers = torch.tensor(encode(each.answer for each in facts)[1:])

    def loss(batch: tuple[torch.Tensor, torch.Tensor | None]) -> torch.Tensor:
        rows, texts = batch
        own = F.cross_entropy(model(words[rows])[:, -1], answers[rows])
        return own if texts is None else own + model.loss(texts)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
        order = torch.arange(0)
        for step in range(steps):
            if step % LOOK_EVERY == 0 and step and all(right(model, facts)):
                return
            if len(order) < min(count, batch_size):
                order = torch.cat([order, torch.randperm(count, generator=generator)])
            rows, order = order[:batch_size], order[batch_size:]
            length = model.config.block_size
            yield rows, windows(Source(), step * base_texts, base_texts, length) if base_texts else None

    losses = [*loop.warmed(model, loss, batches(), rate, WARM_UP, steps)]
    likely = expected(model, facts)
    return {
        "right": likely.argmax(-1).eq(answers).double().mean().item(),
        "nats": F.nll_loss(likely.log(), answers).item(),
        "steps": len(losses),
        "numbers": sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
    }


def _run(asked: _Setting) -> dict[str, float]:
    import torch

    from compute.model.checkpoint import load_base
    from compute.world.batches import right

    count, r, mixed, rate, seed = asked
    generator = torch.Generator().manual_seed(seed)
    model = learner(load_base(), r, generator)
    found = remember(model, new_facts(count), rate, STEPS, generator, base_texts=BASE_TEXTS if mixed else 0)
    shares = {name: fmean(right(model, some)) for name, some in _known().items()}
    return {name: round(value, 4) for name, value in (found | shares).items()}


@cache
def _known() -> dict[str, list[Asked]]:
    """Return what the base could answer before: facts, and questions about stories that no run has read."""
    test = Source(split="test")
    return {
        "old": [asked for kind in TOLD for asked in of_facts(old_people(), kind)],
        "stories": [asked for kind in STORY_QUESTIONS for asked in questions(test, kind, 128, 64, 0)],
    }


def _told(asked: _Setting, found: dict[str, float]) -> str:
    return f"{asked.facts} facts, r = {asked.r or 'full'}, {asked.rate:g}: right {found['right']}"


def _make(_: list[str]) -> None:
    import time

    from compute.model.checkpoint import load_base
    from compute.world.batches import right

    begun = time.perf_counter()
    most = COUNTS[-1]
    trials = [
        _Setting(most, r, False, rate, SEEDS[0])
        for r in (*RANKS, FULL)
        for rate in RATES["lora" if r else "full"]
    ]
    bar = Bar(len(trials) + len(plan()) * len(SEEDS))
    with processes() as pool:
        found = kept_runs(KEPT, trials, _run, bar, pool, _told)
        rates = {}
        for r in (*RANKS, FULL):
            tried = {asked.rate: found[asked] for asked in trials if asked.r == r}
            rates[r] = min(
                tried, key=lambda rate: (-tried[rate]["right"], tried[rate]["steps"], tried[rate]["nats"])
            )
        wanted = [_Setting(*size, rates[size[1]], seed) for size in plan() for seed in SEEDS]
        found |= kept_runs(KEPT, wanted, _run, bar, pool, _told)
    held = []
    for count, r, mixed in plan():
        runs = [found[_Setting(count, r, mixed, rates[r], seed)] for seed in SEEDS]
        columns = {name: [run[name] for run in runs] for name in ("right", "nats", "old", "stories", "steps")}
        size = {"count": count, "r": r, "mixed": mixed, "numbers": runs[0]["numbers"]}
        held.append({**size, "rate": rates[r], **columns})
    base = load_base()
    data = {
        "recorded": recorded_here(),
        "seconds": round(time.perf_counter() - begun, 1),
        "before": {name: round(fmean(right(base, some)), 4) for name, some in _known().items()},
        "tried": {
            str(r): {f"{asked.rate:g}": found[asked]["right"] for asked in trials if asked.r == r}
            for r in (*RANKS, FULL)
        },
        "held": held,
    }
    write_record(PATH, data)
    KEPT.unlink()


RECIPE = Recipe("capacity", __doc__, 50, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

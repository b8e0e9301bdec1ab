"""The base of the world at three widths: what size does to the rank, to the learning rate and to what is forgotten.

The other two bases read the same texts in the same order as the one that is shipped, and are thrown away when the
record is written. Each learns new facts, at small ranks and by full finetuning, and a skill, at one rank and by full
finetuning. Of new facts, which are there to be remembered, a way's rate is the least with which the first seed has the
most right; the rule before, most right and then least nats, was given up when it had picked, for one width and rank, a
rate at which the second seed came to nothing. Of the skill each seed has a best rate of its own, that of the lowest
loss on validation questions; what it comes to is told of test questions. A grid is widened until the best lies inside.
All cores are used, and a recording that is stopped goes on where it was when the command is given again.
"""

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.capacity import remember
from compute.experiments.making import AtBest, Recipe, at_best_rate, learner, processes
from compute.experiments.world import SIZES, read
from compute.experiments.world import STEPS as READ_STEPS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import SKILL, new_facts

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "sizes.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
WIDTHS = (32, SIZES["n_embd"], 96)  # n_embd; the second is the base of all lessons
SEEDS = (0, 1, 2, 3, 4)
FULL = 0  # stands for full finetuning where a rank would stand
COUNT = 512  # new facts
RANKS = (1, 2)
R = 4  # of the adapters that learn the skill
STEPS, BATCH_SIZE = 300, 128  # updates for the facts, at most, and facts in each
SKILL_STEPS, SKILL_BATCH, QUESTIONS = 60, 32, 256
FACT_LADDER = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)
FACT_RATES: dict[str, tuple[float, ...]] = {"lora": (3e-3, 1e-2, 3e-2), "full": (1e-3, 3e-3, 1e-2)}
SKILL_LADDER = tuple(1e-3 * 2**power for power in range(-5, 6))
SKILL_RATES: dict[str, tuple[float, ...]] = {"lora": (1e-3, 2e-3, 4e-3), "full": (1.25e-4, 2.5e-4, 5e-4)}
DECIMALS = 4


class Before(NamedTuple):
    """Hold what a base can do.

    Attributes
    ----------
    numbers : int
        All that it has.
    skill : float
        Share of right answers on the skill.
    facts : float
        On the facts about people that it has read of.
    stories : float
        On questions about stories that it has not read.
    base_loss : float
        On texts that it has not read, in nats per word.
    """

    numbers: int
    skill: float
    facts: float
    stories: float
    base_loss: float


@dataclass(frozen=True)
class Held:
    """Hold what one base remembers of the new facts at one rank, each list in the order of SEEDS.

    Attributes
    ----------
    width : int
        One of WIDTHS.
    r : int
        One of RANKS, or FULL.
    rate : float
        The best of `tried`.
    tried : dict of str to float
        Share right of the first seed, by rate.
    right : list of float
        Share of the facts that are answered rightly.
    numbers : int
        That were trained.
    """

    width: int
    r: int
    rate: float
    tried: dict[str, float]
    right: list[float]
    numbers: int


@dataclass(frozen=True)
class Skilled:
    """Hold what came of learning the skill in one way, each list in the order of SEEDS.

    Attributes
    ----------
    width : int
        One of WIDTHS.
    r : int
        R or FULL.
    rate : list of float
        A seed's own best.
    tried : list of dict of str to (float or None)
        Loss on validation questions by rate; None where the run diverged.
    loss : list of float
        On test questions, in nats per answer.
    right : list of float
        Share of right answers to them.
    facts : list of float
        Of the facts that the base knew.
    stories : list of float
        Of the questions about stories.
    base_loss : list of float
        On texts of the base's own, in nats per word.
    """

    width: int
    r: int
    rate: list[float]
    tried: list[dict[str, float | None]]
    loss: list[float]
    right: list[float]
    facts: list[float]
    stories: list[float]
    base_loss: list[float]


PER_SEED = ("loss", "right", "facts", "stories", "base_loss")


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of int to Before
        The bases, by width.
    held : list of Held
        For each of WIDTHS, and RANKS or FULL.
    skilled : list of Skilled
        For each of WIDTHS, and R or FULL.
    """

    recorded: str
    before: dict[int, Before]
    held: list[Held]
    skilled: list[Skilled]

    def of(self, width: int, r: int) -> Held:
        """Return what a base remembers at a rank."""
        [found] = [each for each in self.held if (each.width, each.r) == (width, r)]
        return found

    def skill(self, width: int, r: int) -> Skilled:
        """Return what came of learning the skill in one way."""
        [found] = [each for each in self.skilled if (each.width, each.r) == (width, r)]
        return found

    def ratios(self, width: int) -> list[float]:
        """Return by seed LoRA's best learning rate for the skill over that of full finetuning."""
        both = zip(self.skill(width, R).rate, self.skill(width, FULL).rate, strict=True)
        return [adapted / full for adapted, full in both]


def plan() -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the ways to learn the facts, and those to learn the skill.

    Returns
    -------
    facts : list of (int, int)
        Width, and rank or FULL.
    skill : list of (int, int)
        Likewise.

    Examples
    --------
    >>> [len(ways) for ways in plan()] == [len(WIDTHS) * (len(RANKS) + 1), len(WIDTHS) * 2]
    True
    """
    facts = [(width, r) for width in WIDTHS for r in (*RANKS, FULL)]
    return facts, [(width, r) for width in WIDTHS for r in (R, FULL)]


def _built(data: dict[str, Any]) -> Recorded:
    held = [Held(**each) for each in data["held"]]
    skilled = [Skilled(**each) for each in data["skilled"]]
    if ([(each.width, each.r) for each in held], [(each.width, each.r) for each in skilled]) != plan():
        raise NotWhole
    lists = [each.right for each in held] + [getattr(each, name) for each in skilled for name in PER_SEED]
    if any(len(some) != len(SEEDS) for some in lists) or [*data["before"]] != [*map(str, WIDTHS)]:
        raise NotWhole
    before = {int(width): Before(*each) for width, each in data["before"].items()}
    return Recorded(data["recorded"], before, held, skilled)


load_sizes = reader(PATH, "sizes", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _kept(width: int) -> Path:
    """Return where the base of a width is kept until all is recorded."""
    return RECORDS / f"sizes-{width}.unfinished"


def _base(width: int) -> "GPT":
    """Return the base of a width; one that is not shipped reads the world first, if it has not yet."""
    from safetensors.torch import load_file, save_file

    from compute.model.checkpoint import load_base
    from compute.model.gpt import GPT, GPTConfig
    from compute.world.tokens import vocab_size

    if width == SIZES["n_embd"]:
        return load_base()
    kept = _kept(width)
    config = GPTConfig(vocab_size(), **{**SIZES, "n_embd": width})
    if not kept.exists():
        made = read(config, kept.with_name(f"sizes-{width}-reading.unfinished"), READ_STEPS)
        beside = kept.with_name(f"{kept.stem}-new.unfinished")  # whoever stops it here leaves no half file
        save_file(made.state_dict(), beside)
        beside.replace(kept)
    model = GPT(config)
    model.load_state_dict(load_file(kept))
    return model


class _Remembering(NamedTuple):
    """Say which run on the new facts."""

    width: int
    r: int
    rate: float
    seed: int


def _remember(asked: _Remembering) -> dict[str, float]:
    import torch

    generator = torch.Generator().manual_seed(asked.seed)
    model = learner(_base(asked.width), asked.r, generator)
    found = remember(model, new_facts(COUNT), asked.rate, STEPS, generator, BATCH_SIZE)
    return {name: round(value, DECIMALS) for name, value in found.items()}


def _remembered(found: dict[str, float]) -> float:
    return found["right"]


class _Learning(NamedTuple):
    """Say which run on the skill, and on which questions it is measured."""

    width: int
    r: int
    own: int  # the seed: each has a best rate of its own
    rate: float
    split: str


def _learn(asked: _Learning) -> dict[str, float] | None:
    """Return what a run came to; of one that is only tried, no more than its loss. None if it diverged."""
    import torch

    from compute.training.short_runs import finetuned, measured_on
    from compute.world.batches import texts_of

    config = TrainConfig(
        task=SKILL,
        method="lora" if asked.r else "full",
        r=R,
        alpha=2 * R,
        learning_rate=asked.rate,
        steps=SKILL_STEPS,
        batch_size=SKILL_BATCH,
        seed=asked.own,
    )
    model = finetuned(config, _base(asked.width))
    if model is None:
        return None
    if asked.split == "validation":
        texts = texts_of(SKILL, asked.split, QUESTIONS, model.config.block_size)
        with torch.no_grad():
            return {"loss": round(model.loss(*texts).item(), DECIMALS)}
    end = measured_on(model, SKILL, asked.split, config.n_texts)
    found = {"loss": end.loss, "right": end.task, "facts": end.facts, "stories": end.stories}
    return {name: round(value, DECIMALS) for name, value in {**found, "base_loss": end.base_loss}.items()}


def _loss(found: dict[str, float] | None) -> float | None:
    return found["loss"] if found else None


def _told(asked: Any, found: Any) -> str:
    return f"{', '.join(map(str, asked))}: {found}"


def _at_best(
    ways: list[Any],
    first: dict[str, tuple[float, ...]],
    ladder: tuple[float, ...],
    seeds: tuple[int, ...],
    **making: Any,
) -> dict[Any, AtBest]:
    """Return ways, each a width, a rank and perhaps more, at the best rate of a grid in which it lies inside."""
    rates = {way: first["lora" if way[1] else "full"] for way in ways}
    return at_best_rate(KEPT, rates, seeds, tell=_told, ladder=ladder, **making)


def _remembering(way: tuple[int, int], rate: float, seed: int) -> _Remembering:
    return _Remembering(*way, rate, seed)


def _trying(way: tuple[int, int, int], rate: float, _: int) -> _Learning:
    return _Learning(*way, rate, "validation")


def _learned(pool: Executor) -> list[dict[str, Any]]:
    """Return the fields of each Skilled."""
    from compute.experiments.making import Bar, kept_runs

    ways = plan()[1]
    every = [(*way, seed) for way in ways for seed in SEEDS]
    making: dict[str, Any] = {"setting": _trying, "run": _learn, "came_to": _loss, "best": min, "pool": pool}
    best = _at_best(every, SKILL_RATES, SKILL_LADDER, SEEDS[:1], **making)
    wanted = {each: _Learning(*each, best[each].rate, "test") for each in every}
    found = kept_runs(KEPT, [*wanted.values()], _learn, Bar(len(wanted)), pool, _told)
    skilled = []
    for width, r in ways:
        own = [(width, r, seed) for seed in SEEDS]
        ends = [found[wanted[each]] for each in own]
        if None in ends:
            raise SystemExit(f"diverged: width {width}, r = {r}")
        chosen = {"rate": [best[each].rate for each in own], "tried": [best[each].tried for each in own]}
        lists = {name: [end[name] for end in ends] for name in PER_SEED}
        skilled.append({"width": width, "r": r, **chosen, **lists})
    return skilled


def _before(width: int) -> Before:
    from compute.training.short_runs import measured_on

    base = _base(width)
    found = measured_on(base, SKILL, "test", TrainConfig.n_texts)
    shares = (found.task, found.facts, found.stories, found.base_loss)
    numbers = sum(weight.numel() for weight in base.parameters())
    return Before(numbers, *(round(each, DECIMALS) for each in shares))


def _make(_: list[str]) -> None:
    before = {str(width): _before(width) for width in WIDTHS}
    with processes() as pool:
        making: dict[str, Any] = {"setting": _remembering, "run": _remember, "came_to": _remembered}
        best = _at_best(plan()[0], FACT_RATES, FACT_LADDER, SEEDS, **making, best=max, pool=pool)
        skilled = _learned(pool)
    held = [
        {"width": width, "r": r, "rate": rate, "tried": tried}
        | {"right": [run["right"] for run in runs], "numbers": runs[0]["numbers"]}
        for (width, r), (rate, tried, runs) in best.items()
    ]
    data = {"recorded": recorded_here(), "before": before, "held": held, "skilled": skilled}
    write_record(PATH, data)
    for kept in (KEPT, *map(_kept, WIDTHS)):
        kept.unlink(missing_ok=True)


RECIPE = Recipe("sizes", __doc__, 30, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

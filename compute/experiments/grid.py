"""Scaling times learning rate: what each pair comes to, at four ranks and with two optimisers.

The base of the world learns facts about people whom it has never read of. With lora_B = 0 at the start, a rule and an
alpha come to nothing but a scaling at each rank; so a grid over the scaling holds every rule. The facts are there to be
remembered: loss and share right are on those that were trained on. The grid has one seed. Two more rates are tried at
each scaling, halfway to the neighbours of the best, or beyond it where it has one only; the best of all has all of
SEEDS. So has full finetuning of the same matrices alone, and so have runs at one scaling in which lora_B has a learning
rate of its own. All cores are used, and a recording that is stopped goes on where it was when the command is given
again.
"""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "grid.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
COUNT, STEPS, BATCH_SIZE = 256, 150, 32  # new facts, updates, facts in each
RANKS = (1, 4, 16, 64)
FULL = 0  # where a rank would stand: full finetuning of the matrices that LoRA changes, all else frozen
SCALINGS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
SEEDS = (0, 1, 2, 3, 4)
RATES: dict[str, tuple[float, ...]] = {
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "sgd": (1.5e-4, 6e-4, 2.5e-3, 1e-2, 4e-2, 0.16, 0.64, 2.5, 10.0),
}
FULL_RATES: dict[str, tuple[float, ...]] = {
    "adamw": (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3),
    "sgd": RATES["sgd"],
}
RATIOS = (1 / 4, 1, 4, 16)  # of lora_B's learning rate to lora_A's, with AdamW
AT = 2  # the scaling of those runs
DECIMALS = 4
DIGITS = 4  # significant ones, of gains


class Setting(NamedTuple):
    """Say which run.

    Attributes
    ----------
    optimizer : str
        "adamw" or "sgd".
    r : int
        Rank of the adapters, or FULL.
    scaling : float
        What lora_B @ lora_A is multiplied by; 1 for full finetuning, which has none.
    rate : float
        Learning rate; of lora_A, where lora_B has another.
    seed : int
        Of the start and of the order of the facts.
    ratio : float
        Of lora_B's learning rate to lora_A's.
    """

    optimizer: str
    r: int
    scaling: float
    rate: float
    seed: int
    ratio: float = 1


@dataclass(frozen=True)
class Found:
    """Hold what runs came to that differ in their seed alone, in the order of SEEDS.

    Attributes
    ----------
    rate : float
        Learning rate: that of the lowest loss of the first seed, of the grid or between, at which no seed diverges.
    loss : list of float
        Of all facts, in nats an answer.
    right : list of float
        Share of the facts that are answered rightly.
    tried : list of (float or None)
        Loss of the first seed at each rate of the grid; None where the run diverged.
    shares : list of (float or None)
        Share right of the first seed, likewise.
    between : dict of str to (float or None)
        Loss of the first seed at the rates on either side of the grid's best, by rate.
    left : dict of str to int
        By rate that was better still for the first seed, how many other seeds diverged there.
    """

    rate: float
    loss: list[float]
    right: list[float]
    tried: list[float | None]
    shares: list[float | None]
    between: dict[str, float | None]
    left: dict[str, int]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to float
        "loss" and "right" of the base, on the new facts.
    frequencies : float
        Loss of someone who knows how often each answer comes, and not what was asked; in nats an answer.
    gains : dict of str to list of float
        By optimiser, for each of RANKS: how fast the first step lowers the loss at scaling 1, in nats an answer and
        unit of learning rate; mean over SEEDS.
    lora : dict of str to dict of int to list of Found
        By optimiser and rank, one for each of SCALINGS.
    full : dict of str to Found
        By optimiser.
    two : dict of int to dict of float to Found
        By rank and ratio of the two rates, with AdamW at the scaling AT.
    """

    recorded: str
    before: dict[str, float]
    frequencies: float
    gains: dict[str, list[float]]
    lora: dict[str, dict[int, list[Found]]]
    full: dict[str, Found]
    two: dict[int, dict[float, Found]]

    def best(self, optimizer: str, r: int) -> int:
        """Return the place of the scaling whose loss is lowest, on average over seeds."""
        return min(range(len(SCALINGS)), key=lambda i: fmean(self.lora[optimizer][r][i].loss))


def _built(data: dict[str, Any]) -> Recorded:
    lora = {
        optimizer: {int(r): [Found(**each) for each in row] for r, row in rows.items()}
        for optimizer, rows in data.pop("lora").items()
    }
    full = {optimizer: Found(**each) for optimizer, each in data.pop("full").items()}
    two = {
        int(r): {float(ratio): Found(**each) for ratio, each in rows.items()}
        for r, rows in data.pop("two").items()
    }
    if set(lora) != set(RATES) or any(tuple(rows) != RANKS for rows in lora.values()) or tuple(two) != RANKS:
        raise NotWhole
    if any(len(row) != len(SCALINGS) for rows in lora.values() for row in rows.values()):
        raise NotWhole
    for r, rows in two.items():
        rows[1] = lora["adamw"][r][SCALINGS.index(AT)]  # one of the grid's own
    cells = [each for rows in lora.values() for row in rows.values() for each in row]
    cells += [*full.values(), *(each for rows in two.values() for each in rows.values())]
    if set(full) != set(RATES) or any(set(rows) != set(RATIOS) for rows in two.values()):
        raise NotWhole
    if any(len(each.loss) != len(SEEDS) for each in cells):
        raise NotWhole
    in_order = {r: {ratio: rows[ratio] for ratio in RATIOS} for r, rows in two.items()}
    return Recorded(**data, lora=lora, full=full, two=in_order)


load_grid = reader(PATH, "grid", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _run(asked: tuple[Setting, ...]) -> list[dict[str, float] | None]:
    """Return loss and share right of all facts after each of some runs, None of one that diverged.

    The runs have one optimiser and train one thing.
    """
    from compute.model.checkpoint import load_base
    from compute.training.together import train_together

    base = load_base()
    if asked[0].r == FULL:
        return [_measured(_all_learn(each, base)) for each in asked]
    models = train_together([config_of(each) for each in asked], base, [each.ratio for each in asked])
    return [_measured(model) for model in models]


def _all_learn(asked: Setting, base: "GPT") -> "GPT | None":
    """Return the model after full finetuning of the matrices that LoRA changes."""
    from compute.model.layers import TARGET_MODULES
    from compute.training.loop import out_of_bounds, prepare, updates

    config = config_of(asked)
    model, worst = prepare(config, base), math.inf
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.removesuffix(".weight").endswith(TARGET_MODULES))
    for loss in updates(model, config):
        if not math.isfinite(loss) or loss > worst:
            return None
        if math.isinf(worst):
            worst = out_of_bounds(loss, base.config.vocab_size, answers=True)
    return model


def _measured(model: "GPT | None") -> dict[str, float] | None:
    import torch

    from compute.world.batches import texts_of

    if model is None:
        return None
    facts = texts_of(FACTS, "train", COUNT, model.config.block_size)
    assert facts.learned is not None
    with torch.no_grad():
        logits = model(facts.tokens[:, :-1])[facts.learned]  # (COUNT, vocab_size): an answer of each
    answers = facts.tokens[:, 1:][facts.learned]
    loss = torch.nn.functional.cross_entropy(logits, answers).item()
    right = logits.argmax(-1).eq(answers).double().mean().item()
    return {"loss": round(loss, DECIMALS), "right": round(right, DECIMALS)} if math.isfinite(loss) else None


def config_of(asked: Setting) -> TrainConfig:
    """Return the run of a setting.

    Parameters
    ----------
    asked : Setting
        Which run.

    Returns
    -------
    TrainConfig
        With the alpha that makes the scaling.

    Examples
    --------
    >>> config_of(Setting("adamw", 4, 2, 1e-3, 0)).alpha
    8
    """
    task: dict[str, Any] = {
        "task": FACTS,
        "n_texts": COUNT,
        "steps": STEPS,
        "batch_size": BATCH_SIZE,
        "seed": asked.seed,
        "optimizer": asked.optimizer,
        "learning_rate": asked.rate,
    }
    if asked.r == FULL:
        return TrainConfig(**task, method="full")
    return TrainConfig(**task, r=asked.r, alpha=asked.scaling * asked.r)


def _gain(optimizer: str, r: int) -> float:
    """Return how fast the first step lowers the loss, mean over seeds."""
    from compute.model.checkpoint import load_base
    from compute.training.short_runs import first_gain

    base = load_base()
    of = [first_gain(config_of(Setting(optimizer, r, 1, RATES[optimizer][0], seed)), base) for seed in SEEDS]
    return float(f"{fmean(of):.{DIGITS}g}")


def _frequencies() -> float:
    """Return the entropy of the answers, whatever is asked, in nats."""
    from compute.model.checkpoint import load_base
    from compute.world.batches import texts_of

    facts = texts_of(FACTS, "train", COUNT, load_base().config.block_size)
    assert facts.learned is not None
    counts = Counter(facts.tokens[:, 1:][facts.learned].tolist())
    return round(-fsum(n / COUNT * math.log(n / COUNT) for n in counts.values()), DECIMALS)


def _row(optimizer: str, r: int, scaling: float, ratio: float = 1) -> tuple[Setting, ...]:
    """Return the runs of one row of the grid: the first seed at each rate.

    Where lora_B has a rate of its own, those of the grid lie in the middle between the two, on a scale of ratios.
    """
    rates = FULL_RATES[optimizer] if r == FULL else RATES[optimizer]
    rates = tuple(float(f"{rate / math.sqrt(ratio):.2g}") for rate in rates)
    return tuple(Setting(optimizer, r, scaling, rate, SEEDS[0], ratio) for rate in rates)


def _between(row: tuple[Setting, ...], came: dict[Setting, Any]) -> tuple[Setting, ...]:
    """Return the runs beside the best of a row, halfway to its neighbours; beyond it, where there is none."""
    best = row.index(_best(row, came))
    rates = [each.rate for each in row[max(0, best - 1) : best + 2]]
    more = [math.sqrt(low * high) for low, high in pairwise(rates)]
    if best == 0:
        more.append(rates[0] ** 2 / rates[1])
    if best == len(row) - 1:
        more.append(rates[-1] ** 2 / rates[-2])
    return tuple(row[0]._replace(rate=float(f"{rate:.2g}")) for rate in more)


def _best(row: tuple[Setting, ...], came: dict[Setting, Any]) -> Setting:
    """Return the run of a row whose loss is lowest."""
    return min((each for each in row if came[each]), key=lambda each: came[each]["loss"])


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    lora = {(o, r): [_row(o, r, scaling) for scaling in SCALINGS] for o in RATES for r in RANKS}
    full = {o: _row(o, FULL, 1) for o in RATES}
    two = {r: {ratio: _row("adamw", r, AT, ratio) for ratio in RATIOS if ratio != 1} for r in RANKS}
    rooms = [*lora.values(), *([row] for row in full.values()), *([*of.values()] for of in two.values())]
    rows = [row for some in rooms for row in some]
    came: dict[Setting, Any] = {}
    bar = Bar(len(rows) + len(rooms) * (1 + len(SEEDS) // 2))
    with processes() as pool:

        def make(wanted: list[tuple[Setting, ...]]) -> None:
            for asked, found in kept_runs(KEPT, wanted, _run, bar, pool, _told).items():
                came.update(zip(asked, found, strict=True))

        make(rows)
        between = {row: _between(row, came) for row in rows}
        make([tuple(each for row in some for each in between[row]) for some in rooms])
        tried, bests = {row: [*row, *between[row]] for row in rows}, dict[tuple[Setting, ...], Setting]()
        left: dict[tuple[Setting, ...], dict[str, int]] = {row: {} for row in rows}
        while open_rows := [row for row in rows if row not in bests]:
            bests |= {row: _best(tuple(tried[row]), came) for row in open_rows}
            make(
                [
                    tuple(
                        bests[row]._replace(seed=seed) for row in still for seed in SEEDS[first : first + 2]
                    )
                    for first in range(1, len(SEEDS), 2)
                    for some in rooms
                    if (still := [row for row in some if row in open_rows])
                ]
            )
            for row in open_rows:
                diverged = sum(came[bests[row]._replace(seed=seed)] is None for seed in SEEDS)
                if diverged:
                    left[row][f"{bests[row].rate:g}"] = diverged
                    tried[row].remove(bests.pop(row))

    def found(row: tuple[Setting, ...]) -> dict[str, Any]:
        best = bests[row]
        runs = [came[best._replace(seed=seed)] for seed in SEEDS]
        every = {name: [came[each] and came[each][key] for each in row] for name, key in _COLUMNS.items()}
        halfway = {f"{each.rate:g}": came[each] and came[each]["loss"] for each in between[row]}
        columns = {key: [run[key] for run in runs] for key in ("loss", "right")}
        return {"rate": best.rate, **columns, **every, "between": halfway, "left": left[row]}

    data = {
        "recorded": recorded_here(),
        "before": _measured(load_base()),
        "frequencies": _frequencies(),
        "gains": {o: [_gain(o, r) for r in RANKS] for o in RATES},
        "lora": {o: {str(r): [found(row) for row in lora[o, r]] for r in RANKS} for o in RATES},
        "full": {o: found(row) for o, row in full.items()},
        "two": {str(r): {f"{ratio:g}": found(row) for ratio, row in of.items()} for r, of in two.items()},
    }
    write_record(PATH, data)
    KEPT.unlink()


def _told(asked: tuple[Setting, ...], found: list[dict[str, float] | None]) -> str:
    lowest = min((each["loss"] for each in found if each), default=math.nan)
    return f"{asked[0].optimizer}, {asked[0].r}, {asked[0].scaling:g}: lowest {lowest}"


_COLUMNS = {"tried": "loss", "shares": "right"}
RECIPE = Recipe("grid", __doc__, 20, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

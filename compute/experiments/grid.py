"""Scaling times learning rate: what each pair comes to, at four ranks and with two optimisers.

The base of the world learns facts about people whom it has never read of. With lora_B = 0 at the start, a rule and an
alpha come to nothing but a scaling at each rank; so a grid over the scaling holds every rule. The facts are there to be
remembered: loss and share right are on those that were trained on. The grid has one seed. With AdamW two more rates
are tried at each scaling, halfway to the neighbours of the best, or beyond it where it has one only; the best of all
has all of SEEDS, and so has full finetuning of the same matrices alone. All cores are used, and a recording that is
stopped goes on where it was when the command is given again.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.numbers.records import RECORDS, WORLD, NotWhole, read_record, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "grid.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
COUNT, STEPS, BATCH_SIZE = 256, 150, 32  # new facts, updates, facts in each
RANKS: dict[str, tuple[int, ...]] = {"adamw": (1, 4, 16, 64)}
SCALINGS = (1 / 8, 1 / 2, 2, 8)
SEEDS = (0, 1, 2, 3, 4)
RATES = {
    "adamw": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "sgd": (2.5e-3, 1e-2, 4e-2, 0.16, 0.64, 2.5, 10.0),
}
FULL_RATES = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3)  # AdamW
SAME = "the same matrices"  # what full finetuning trains: those that LoRA changes
FULL = (SAME,)
DECIMALS = 4


class Setting(NamedTuple):
    """Say which run.

    Attributes
    ----------
    optimizer : str
        "adamw" or "sgd".
    what : int or str
        Rank of the adapters, or one of FULL.
    scaling : float
        What lora_B @ lora_A is multiplied by; 1 for full finetuning, which has none.
    rate : float
        Learning rate.
    seed : int
        Of the start and of the order of the facts.
    """

    optimizer: str
    what: int | str
    scaling: float
    rate: float
    seed: int


@dataclass(frozen=True)
class Found:
    """Hold what runs came to that differ in their seed alone, in the order of SEEDS.

    Attributes
    ----------
    rate : float
        Learning rate: that of the lowest loss of the first seed, of the grid or between.
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
    """

    rate: float
    loss: list[float]
    right: list[float]
    tried: list[float | None]
    shares: list[float | None]
    between: dict[str, float | None]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to float
        "loss" and "right" of the base, on the new facts.
    lora : dict of str to dict of int to list of Found
        By optimiser and rank, one for each of SCALINGS.
    full : dict of str to Found
        With AdamW, by what of FULL is trained.
    """

    recorded: str
    before: dict[str, float]
    lora: dict[str, dict[int, list[Found]]]
    full: dict[str, Found]

    def best(self, optimizer: str, r: int) -> int:
        """Return the place of the scaling whose loss is lowest, on average over seeds."""
        return min(range(len(SCALINGS)), key=lambda i: fmean(self.lora[optimizer][r][i].loss))


@cache
def load_grid(path: Path = PATH) -> Recorded:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    Recorded
        All of it. It is kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete or of another base model.

    Examples
    --------
    >>> grid = load_grid()
    >>> len(grid.lora["adamw"][4]) == len(SCALINGS)
    True
    """
    return read_record(path, "grid", _built, WORLD)


def _built(data: dict[str, Any]) -> Recorded:
    lora = {
        optimizer: {int(r): [Found(**each) for each in row] for r, row in rows.items()}
        for optimizer, rows in data.pop("lora").items()
    }
    full = {what: Found(**each) for what, each in data.pop("full").items()}
    cells = [each for rows in lora.values() for row in rows.values() for each in row] + [*full.values()]
    if {optimizer: tuple(rows) for optimizer, rows in lora.items()} != RANKS or tuple(full) != FULL:
        raise NotWhole
    if len(cells) != len(FULL) + len(SCALINGS) * sum(map(len, RANKS.values())):
        raise NotWhole
    if any(len(each.loss) != len(SEEDS) for each in cells):
        raise NotWhole
    return Recorded(**data, lora=lora, full=full)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _run(asked: tuple[Setting, ...]) -> list[dict[str, float] | None]:
    """Return loss and share right of all facts after each of some runs, None of one that diverged.

    The runs have one optimiser and train one thing.
    """
    from compute.model.checkpoint import load_base
    from compute.training.together import train_together

    base = load_base(WORLD)
    if isinstance(asked[0].what, str):
        return [_measured(_all_learn(each, base)) for each in asked]
    models = train_together([config_of(each) for each in asked], base)
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
    if isinstance(asked.what, str):
        return TrainConfig(**task, method="full")
    return TrainConfig(**task, r=asked.what, alpha=asked.scaling * asked.what)


def _row(optimizer: str, what: int | str, scaling: float) -> tuple[Setting, ...]:
    """Return the runs of one row of the grid: the first seed at each rate."""
    rates = FULL_RATES if isinstance(what, str) else RATES[optimizer]
    return tuple(Setting(optimizer, what, scaling, rate, SEEDS[0]) for rate in rates)


def _between(row: tuple[Setting, ...], came: dict[Setting, Any]) -> tuple[Setting, ...]:
    """Return the runs beside the best of a row, halfway to its neighbours; beyond it, where there is none."""
    if row[0].optimizer != "adamw":
        return ()
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

    lora = {
        (optimizer, r): [_row(optimizer, r, scaling) for scaling in SCALINGS]
        for optimizer, ranks in RANKS.items()
        for r in ranks
    }
    full = {what: _row("adamw", what, 1) for what in FULL}
    came: dict[Setting, Any] = {}
    rooms_in_all = len(lora) + len(full)
    bar = Bar(len(lora) * len(SCALINGS) + len(full) + rooms_in_all * (1 + len(SEEDS) // 2))
    with processes() as pool:

        def make(wanted: list[tuple[Setting, ...]]) -> None:
            for asked, found in kept_runs(KEPT, wanted, _run, bar, pool, _told).items():
                came.update(zip(asked, found, strict=True))

        between: dict[tuple[Setting, ...], tuple[Setting, ...]] = {}
        bests: dict[tuple[Setting, ...], Setting] = {}
        for optimizer in RANKS:
            rooms = [rows for (of, _), rows in lora.items() if of == optimizer]
            rooms += [[row] for row in full.values() if optimizer == "adamw"]
            make([row for rows in rooms for row in rows])
            between |= {row: _between(row, came) for rows in rooms for row in rows}
            make([some for rows in rooms if (some := tuple(each for row in rows for each in between[row]))])
            bests |= {row: _best((*row, *between[row]), came) for rows in rooms for row in rows}
            again = [SEEDS[first : first + 2] for first in range(1, len(SEEDS), 2)]
            make(
                [
                    tuple(bests[row]._replace(seed=seed) for row in rows for seed in seeds)
                    for seeds in again
                    for rows in rooms
                ]
            )

    def found(row: tuple[Setting, ...]) -> dict[str, Any]:
        best = bests[row]
        runs = [came[best._replace(seed=seed)] for seed in SEEDS]
        if not all(runs):
            raise SystemExit(f"{best} diverged with another seed.")
        every = {name: [came[each] and came[each][key] for each in row] for name, key in _COLUMNS.items()}
        halfway = {f"{each.rate:g}": came[each] and came[each]["loss"] for each in between[row]}
        columns = {key: [run[key] for run in runs] for key in ("loss", "right")}
        return {"rate": best.rate, **columns, **every, "between": halfway}

    data = {
        "recorded": recorded_here(),
        "before": _measured(load_base(WORLD)),
        "lora": {
            optimizer: {str(r): [found(row) for row in lora[optimizer, r]] for r in ranks}
            for optimizer, ranks in RANKS.items()
        },
        "full": {what: found(row) for what, row in full.items()},
    }
    write_record(PATH, data, WORLD)
    KEPT.unlink()


def _told(asked: tuple[Setting, ...], found: list[dict[str, float] | None]) -> str:
    lowest = min((each["loss"] for each in found if each), default=math.nan)
    return f"{asked[0].optimizer}, {asked[0].what}, {asked[0].scaling:g}: lowest {lowest}"


_COLUMNS = {"tried": "loss", "shares": "right"}
RECIPE = Recipe("grid", __doc__, 5, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

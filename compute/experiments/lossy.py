"""What few bits lose of a base that knows facts, and what an adapter brings back.

The base of the world is stored in each format and asked. Then LoRA is put beside the coarse weights, in three ways: as
LoftQ starts it, without training; trained on the base's own texts from lora_B = 0; trained from LoftQ's start. A
format's and way's learning rate is chosen by the facts that the first seed has right on validation; the other seeds run
at that rate only. All cores are used, and a recording that is stopped goes on where it was when the command is given
again.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Recipe, at_best_rate, processes
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import BASE_FORMATS

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "lossy.json"
KEPT = PATH.with_suffix(".unfinished")
FORMATS = BASE_FORMATS[1:]
REPAIRED = ("int3",)  # which loses much, and not all: on it an adapter is trained
RANKS = (1, 4, 16)
STARTS = ("B=0", "LoftQ")
SEEDS = (0, 1, 2, 3, 4)
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
STEPS, BATCH_SIZE = 150, 32
FIRST = 40_000_000  # number of the first text: far from all that the base or a task has read
DECIMALS = 4


class Known(NamedTuple):
    """Hold what a model knows of what the base knew.

    Attributes
    ----------
    facts : float
        Share of right answers about people.
    stories : float
        Share of right answers about stories that nobody has read.
    loss : float
        On texts of the base's own, in nats per word.
    """

    facts: float
    stories: float
    loss: float


@dataclass(frozen=True)
class Repaired:
    """Hold the runs of one way to repair a base.

    Attributes
    ----------
    base_format : str
        One of REPAIRED.
    r : int
        One of RANKS.
    start : str
        One of STARTS.
    rate : float
        Of RATES, the one with which the first seed has the most facts right on validation.
    tried : dict of str to float
        Those shares, by rate.
    known : list of Known
        On test, in the order of SEEDS.
    """

    base_format: str
    r: int
    start: str
    rate: float
    tried: dict[str, float]
    known: list[Known]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    stored : dict of str to Known
        The base as each format holds it, "float32" among them.
    noise : dict of str to list of Known
        The base with Gaussian noise as large as what each format loses in each layer, in the order of SEEDS.
    corrected : dict of str to dict of str to Known
        By format and rank: with LoftQ's factors, untrained.
    repaired : list of Repaired
        By format, rank and start.
    """

    recorded: str
    stored: dict[str, Known]
    noise: dict[str, list[Known]]
    corrected: dict[str, dict[str, Known]]
    repaired: list[Repaired]

    def of(self, base_format: str, r: int, start: str) -> Repaired:
        """Return the runs of one way."""
        [found] = [
            each
            for each in self.repaired
            if (each.base_format, each.r, each.start) == (base_format, r, start)
        ]
        return found

    def facts(self, base_format: str, r: int, start: str) -> float:
        """Return the share of facts that one way has right, on average over seeds."""
        return fmean(each.facts for each in self.of(base_format, r, start).known)


def plan() -> list[tuple[str, int, str]]:
    """Return the ways in which a base was repaired.

    Returns
    -------
    list of (str, int, str)
        Format, rank and start.

    Examples
    --------
    >>> len(plan()) == len(REPAIRED) * len(RANKS) * len(STARTS)
    True
    """
    return [(base_format, r, start) for base_format in REPAIRED for r in RANKS for start in STARTS]


def _built(data: dict[str, Any]) -> Recorded:
    repaired = [
        Repaired(**{**each, "known": [Known(*known) for known in each["known"]]}) for each in data["repaired"]
    ]
    if [(each.base_format, each.r, each.start) for each in repaired] != plan():
        raise NotWhole
    if any(len(each.known) != len(SEEDS) for each in repaired) or [*data["stored"]] != [*BASE_FORMATS]:
        raise NotWhole
    return Recorded(
        data["recorded"],
        {name: Known(*known) for name, known in data["stored"].items()},
        {name: [Known(*known) for known in every] for name, every in data["noise"].items()},
        {name: {r: Known(*known) for r, known in ranks.items()} for name, ranks in data["corrected"].items()},
        repaired,
    )


load_lossy = reader(PATH, "lossy", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Setting(NamedTuple):
    """Say which run: format, rank, start, rate, seed."""

    base_format: str
    r: int
    start: str
    rate: float
    seed: int


def _corrected(base: "GPT", base_format: str, r: int, seed: int) -> "GPT":
    """Return a base in few bits with LoftQ's factors beside each layer."""
    import torch

    from compute.adapters.layer import inject, lora_layers
    from compute.adapters.loftq import loftq
    from compute.model.layers import TARGET_MODULES

    generator = torch.Generator().manual_seed(seed)
    model = inject(base, TARGET_MODULES, r, r, "alpha/r", "B=0", generator)  # a scaling of 1
    with torch.no_grad():
        for _, layer in lora_layers(model):
            stored = loftq(layer.base.weight.numpy(), base_format, r)
            for tensor, array in zip((layer.base.weight, layer.lora_A, layer.lora_B), stored, strict=True):
                tensor.copy_(torch.from_numpy(array))
    return model


def _known(model: "GPT", split: str) -> Known:
    """Return what a model knows, of every person and of 384 questions about stories; half of each for validation."""
    from compute.training.answers import base_loss, known
    from compute.world.batches import right

    share = 1 if split == "test" else 2
    asked = known(split, 128 // share, 256 // share, model.config.block_size)
    shares = {name: fmean(right(model, some)) for name, some in asked.items()}
    return Known(
        *(round(each, DECIMALS) for each in (*shares.values(), base_loss(model, split, 128 // share)))
    )


def _run(asked: _Setting) -> dict[str, Known]:
    import torch

    from compute.adapters.layer import inject
    from compute.model.checkpoint import load_base
    from compute.model.layers import TARGET_MODULES
    from compute.model.quantised import quantised_model
    from compute.training import loop
    from compute.world.batches import windows
    from compute.world.stories import Source

    base_format, r, start, rate, seed = asked
    base = load_base()
    if start == "LoftQ":
        model = _corrected(base, base_format, r, seed)
    else:
        generator = torch.Generator().manual_seed(seed)
        stored = quantised_model(base, base_format)
        model = inject(stored, TARGET_MODULES, r, r, "alpha/r", "B=0", generator)
    learns = [weight for weight in model.parameters() if weight.requires_grad]
    texts = (
        windows(Source(), FIRST + (seed * STEPS + step) * BATCH_SIZE, BATCH_SIZE, base.config.block_size)
        for step in range(STEPS)
    )
    for _ in loop.steps(model.loss, texts, torch.optim.AdamW(learns, lr=rate)):
        pass
    return {split: _known(model, split) for split in ("validation", "test")}


def _facts(found: dict[str, Any]) -> float:
    return Known(*found["validation"]).facts


def _setting(way: tuple[str, int, str], rate: float, seed: int) -> _Setting:
    return _Setting(*way, rate, seed)


def _told(asked: _Setting, found: dict[str, Any]) -> str:
    return f"{asked.base_format}, r = {asked.r}, {asked.start}, {asked.rate:g}: facts {_facts(found)}"


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.model.quantised import noisy_model, quantised_model

    with processes() as pool:
        best = at_best_rate(
            KEPT, dict.fromkeys(plan(), RATES), SEEDS, _setting, _run, _facts, max, pool, _told
        )
    base = load_base()
    repaired = [
        {
            "base_format": base_format,
            "r": r,
            "start": start,
            "rate": rate,
            "tried": tried,
            "known": [run["test"] for run in runs],
        }
        for (base_format, r, start), (rate, tried, runs) in best.items()
    ]
    data = {
        "recorded": recorded_here(),
        "stored": {name: _known(quantised_model(base, name), "test") for name in BASE_FORMATS},
        "noise": {
            name: [_known(noisy_model(base, quantised_model(base, name), seed), "test") for seed in SEEDS]
            for name in FORMATS
        },
        "corrected": {
            name: {str(r): _known(_corrected(base, name, r, SEEDS[0]), "test") for r in RANKS}
            for name in FORMATS
        },
        "repaired": repaired,
    }
    write_record(PATH, data)
    KEPT.unlink()


RECIPE = Recipe("lossy", __doc__, 10, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

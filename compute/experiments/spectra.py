"""What full finetuning adds to each matrix, on five tasks of the world and on targets drawn by lot; LoRA's beside it.

Each task is learned at the learning rate that is best on validation texts for the first seed, from a grid in whose
middle it lies, and then by all five seeds. The control takes the same steps at the same rate on the same texts and
questions, except that every answer or next word to be learned is drawn by lot. Singular values are kept of the first
seed, ranks of all. All cores are used, and a recording that is stopped goes on where it was when the command is given
again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import AtBest, Bar, Recipe, at_best_rate, kept_runs, processes
from compute.matrices.spectrum import r90, stable_rank
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.people import FIRST_NAMES, VALUES
from compute.world.tasks import FACTS, SKILL, TELLING

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.world.batches import Texts

PATH = RECORDS / "spectra.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
FULL, RANDOM, LORA = (
    "full",
    "random",
    "lora",
)  # ways to train: all weights, all weights on random targets, adapters
R = 16  # of LoRA
SEEDS = (0, 1, 2, 3, 4)
RATES = {FULL: (1e-4, 3e-4, 1e-3, 3e-3), LORA: (3e-4, 1e-3, 3e-3, 1e-2)}
BY_LOT = 16  # values of which an answer is one where it is drawn by lot
TEXTS = {"validation": 128, "test": 256}  # or questions; of new facts all
WRITTEN = 64  # texts that a model writes
DIGITS = 3  # of a singular value
DECIMALS = 4


class Task(NamedTuple):
    """Say how long a task is learned.

    Attributes
    ----------
    name : str
        One of `compute.world.tasks.TASKS`.
    steps : int
        Updates.
    batch_size : int
        Texts in each.
    n_texts : int
        Texts that there are; of new facts, how many are to be learned.
    adapted : bool
        Whether LoRA learns it, too.
    """

    name: str
    steps: int
    batch_size: int = 32
    n_texts: int = TrainConfig.n_texts
    adapted: bool = True


TASKS = {
    "mirror-voice": Task("mirror voice", 150),
    "formal-voice": Task("formal voice", 100, adapted=False),
    "who-had-it-first": Task(SKILL, 100),
    "new-facts-512": Task(FACTS, 200, 64, 512),
    "new-facts-2048": Task(FACTS, 400, 128, 2048, adapted=False),
}


@dataclass(frozen=True)
class Learned:
    """Hold the runs of one way to train on one task, each list in the order of SEEDS.

    Attributes
    ----------
    task : str
        A key of TASKS.
    way : str
        FULL, RANDOM or LORA.
    rate : float
        The learning rate: the best of `tried`; of RANDOM that of FULL.
    tried : dict of str to float
        Loss of the first seed on validation texts by rate; empty for RANDOM.
    loss : list of float
        On test texts, in nats per word that is learned. Of RANDOM on the texts of the last tenth of its steps: what it
        learns is in no other text.
    right : list of float
        Share of right answers; of a task that tells, of sentences that are as it wants them. Empty for RANDOM.
    size : list of float
        Frobenius norm of delta_w over that of W, on average over the layers.
    s : dict of str to list of float
        Singular values of delta_w of the first seed, by layer: R of them for LoRA.
    r90 : dict of str to list of int
        By layer.
    stable : dict of str to list of float
        `compute.matrices.spectrum.stable_rank`, by layer.
    """

    task: str
    way: str
    rate: float
    tried: dict[str, float]
    loss: list[float]
    right: list[float]
    size: list[float]
    s: dict[str, list[float]]
    r90: dict[str, list[int]]
    stable: dict[str, list[float]]

    def ranks(self, part: str) -> list[int]:
        """Return the r90 of all seeds and of all layers whose name has a part, such as "attention" or "mlp"."""
        return [count for layer, counts in self.r90.items() if part in layer for count in counts]

    def mean(self, part: str) -> float:
        """Return the mean of these."""
        return fmean(self.ranks(part))


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    learned : list of Learned
        By task, then by way.
    """

    recorded: str
    learned: list[Learned]

    def of(self, task: str, way: str) -> Learned:
        """Return the runs of one way to train on a task."""
        [found] = [each for each in self.learned if (each.task, each.way) == (task, way)]
        return found


def ways(task: str) -> tuple[str, ...]:
    """Return the ways in which a task was learned.

    Parameters
    ----------
    task : str
        A key of TASKS.

    Returns
    -------
    tuple of str
        Some of FULL, RANDOM and LORA.

    Examples
    --------
    >>> ways("mirror-voice"), ways("new-facts-2048")
    (('full', 'random', 'lora'), ('full', 'random'))
    """
    return (FULL, RANDOM, LORA) if TASKS[task].adapted else (FULL, RANDOM)


def config_of(task: str, way: str, rate: float, seed: int) -> TrainConfig:
    """Return the run of a way.

    Parameters
    ----------
    task : str
        A key of TASKS.
    way : str
        One of its `ways`. A config does not say that the targets of RANDOM are random.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        LoRA's has alpha = 2 r.

    Examples
    --------
    >>> config_of("new-facts-512", "lora", 1e-3, 0).n_texts
    512
    """
    name, steps, batch_size, n_texts, _ = TASKS[task]
    return TrainConfig(
        task=name,
        method=LORA if way == LORA else FULL,
        r=R,
        alpha=2 * R,
        learning_rate=rate,
        steps=steps,
        batch_size=batch_size,
        n_texts=n_texts,
        seed=seed,
    )


def _built(data: dict[str, Any]) -> Recorded:
    learned = [Learned(**each) for each in data.pop("learned")]
    if [(each.task, each.way) for each in learned] != [(task, way) for task in TASKS for way in ways(task)]:
        raise NotWhole
    for each in learned:
        if any(tuple(by_layer) != LAYERS for by_layer in (each.s, each.r90, each.stable)):
            raise NotWhole
        columns: list[list[Any]] = [each.loss, each.size, *each.r90.values()]
        if any(len(column) != len(SEEDS) for column in columns):
            raise NotWhole
    return Recorded(**data, learned=learned)


load_spectra = reader(PATH, "spectra", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Run(NamedTuple):
    """Say which run: its task, its way, its rate, its seed."""

    task: str
    way: str
    rate: float
    seed: int


def _by_lot(texts: "Texts", asks: str | None, seed: int) -> "Texts":
    """Return the same texts with each word that is to be learned drawn by lot, as `targets` beside them.

    A word is any of the vocabulary, an answer one of sixteen of its kind.
    """
    import torch

    from compute.world.batches import Texts
    from compute.world.tokens import decode, encode, vocab_size

    generator = torch.Generator().manual_seed(seed)
    words = texts.tokens[:, 1:]
    if texts.learned is None:
        return Texts(torch.randint(1, vocab_size(), words.shape, generator=generator))
    kinds = [FIRST_NAMES[:BY_LOT]] if asks == SKILL else [*VALUES.values()]
    drawn = words.clone()
    throws = torch.randint(BY_LOT, (len(words),), generator=generator).tolist()
    for row, (learned, throw) in enumerate(zip(texts.learned, throws, strict=True)):
        [place] = learned.nonzero().flatten().tolist()
        [answer] = decode([int(words[row, place])])
        kind = next((kind for kind in kinds if answer in kind), kinds[0])
        drawn[row, place] = encode([kind[throw]])[1]
    return Texts(drawn, texts.learned)


def _on_random_targets(model: "GPT", config: TrainConfig) -> list[float]:
    """Train a model on targets drawn by lot and return the loss of each step."""
    import torch
    from torch.nn import functional as F

    from compute.training.loop import OPTIMIZERS, steps
    from compute.world.batches import batches, texts_of

    texts = texts_of(config.task, "train", config.n_texts, model.config.block_size)
    drawn = _by_lot(texts, config.task, config.seed)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        logits = model(texts.tokens[rows, :-1]).transpose(1, 2)  # (n, vocab_size, T - 1)
        each = F.cross_entropy(logits, drawn.tokens[rows], reduction="none")
        learned = torch.ones_like(each) if drawn.learned is None else drawn.learned[rows]
        return ((each * learned).sum(1) / learned.sum(1)).mean()

    rows = batches(texts.tokens, config.batch_size, config.steps, config.seed)
    optimizer = OPTIMIZERS[config.optimizer](model.parameters(), lr=config.learning_rate)
    return [*steps(loss, rows, optimizer)]


def _run(asked: _Run) -> dict[str, Any]:
    """Return what is kept of a run."""
    import torch

    from compute.matrices.svd import factorize
    from compute.model.checkpoint import load_base
    from compute.training.answers import share_told, write_texts
    from compute.training.loop import learned, prepare, updates
    from compute.world.batches import right, texts_of
    from compute.world.tasks import asked as questions

    config, base = config_of(*asked), load_base()
    model = prepare(config, base)
    found: dict[str, Any] = {}
    if asked.way == RANDOM:
        losses = _on_random_targets(model, config)
        found["loss"] = fmean(losses[-config.steps // 10 :])
    else:
        for _ in updates(model, config):
            pass
        length = model.config.block_size
        with torch.no_grad():
            for name, split in (("validation", "validation"), ("loss", "test")):
                count = config.n_texts if config.task == FACTS else TEXTS[split]
                found[name] = model.loss(*texts_of(config.task, split, count, length)).item()
        if config.task in TELLING:
            found["right"] = share_told(config.task, write_texts(model, WRITTEN, seed=0))
        else:
            count = config.n_texts if config.task == FACTS else TEXTS["test"]
            found["right"] = fmean(right(model, questions(config.task, "test", count, length)))
    changed = {name: change.double().numpy() for name, change in learned(model, base).items()}
    sizes = [
        np.linalg.norm(change) / base.get_submodule(name).weight.norm().item()
        for name, change in changed.items()
    ]
    found["size"] = fmean(sizes)
    spectra = {name: factorize(changed[name]).s[: R if asked.way == LORA else None] for name in LAYERS}
    return {name: round(value, DECIMALS) for name, value in found.items()} | {
        "s": {name: [float(f"{value:.{DIGITS}g}") for value in s] for name, s in spectra.items()}
    }


def _setting(each: tuple[str, str], rate: float, seed: int) -> _Run:
    return _Run(*each, rate, seed)


def _validation(found: Mapping[str, Any]) -> float:
    return found["validation"]


def _told(asked: _Run, found: Mapping[str, Any]) -> str:
    right = f", right {found['right']}" if "right" in found else ""
    return (
        f"{asked.task}, {asked.way}, {asked.rate:g}, seed {asked.seed}: loss {found['loss']}{right}, mean r90 "
        f"{fmean(map(r90, found['s'].values())):.1f}"
    )


def _make(_: list[str]) -> None:
    every = [(task, way) for task in TASKS for way in ways(task)]
    rates = {each: RATES[each[1]] for each in every if each[1] in RATES}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _setting, _run, _validation, min, pool, _told)
        by_lot = [_Run(task, RANDOM, best[task, FULL].rate, seed) for task in TASKS for seed in SEEDS]
        found = kept_runs(KEPT, by_lot, _run, Bar(len(by_lot)), pool, _told)
    for task in TASKS:
        runs = [found[run] for run in by_lot if run.task == task]
        best[task, RANDOM] = AtBest(best[task, FULL].rate, {}, runs)
    learned = []
    for task, way in every:
        rate, tried, runs = best[task, way]
        learned.append(
            {
                "task": task,
                "way": way,
                "rate": rate,
                "tried": tried,
                "loss": [run["loss"] for run in runs],
                "right": [run["right"] for run in runs if "right" in run],
                "size": [run["size"] for run in runs],
                "s": runs[0]["s"],
                "r90": {layer: [r90(run["s"][layer]) for run in runs] for layer in LAYERS},
                "stable": {
                    layer: [round(stable_rank(run["s"][layer]), 2) for run in runs] for layer in LAYERS
                },
            }
        )
    write_record(PATH, {"recorded": recorded_here(), "learned": learned})
    KEPT.unlink()


RECIPE = Recipe("spectra", __doc__, 12, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

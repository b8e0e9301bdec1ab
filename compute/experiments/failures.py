"""Two ways to fail that the loss in training does not show: too few examples, and a base that is not the adapter's.

The base of the world learns who had a thing first. Few: from three numbers of examples, each seed with examples of its
own, by LoRA at two ranks and by full finetuning, each at the rate that is best on validation questions, and measured on
test questions at the end of the run and at its best moment. Moved: adapters of five seeds are put on other bases,
beside these bases alone and adapters trained on them; one of the bases says what ours says, but holds its inner numbers
in another order. All cores are used, and a recording that is stopped goes on where it was when the command is given
again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import (
    Bar,
    Recipe,
    at_best_rate,
    kept_model,
    kept_runs,
    learner,
    processes,
)
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.tasks import SKILL

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.world.batches import Texts

PATH = RECORDS / "failures.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
SEEDS = (0, 1, 2, 3, 4)
COUNTS = (16, 64, 256)  # of examples
FULL = 0  # where a rank would stand
RANKS = (1, 16, FULL)
RATES = {FULL: (1e-4, 3e-4, 1e-3, 3e-3), 1: (1e-3, 3e-3, 1e-2, 3e-2), 16: (3e-4, 1e-3, 3e-3, 1e-2)}
STEPS, BATCH_SIZE, LOOK_EVERY = 100, 16, 20
QUESTIONS = {"validation": 256, "test": 512}
R, RATE = 4, 3e-3  # of the adapters that are moved; the best rate that compute.experiments.forgetting finds
FURTHER = (20, 100, 300)  # steps of full finetuning on another task that a base got on top
TURNED = "turned"
BASES: tuple[int | str, ...] = (0, *FURTHER, TURNED)
FURTHER_TASK, FURTHER_RATE = "formal voice", 1e-3
LINES = ("moved", "alone", "own")
DECIMALS = 4


@dataclass(frozen=True)
class Few:
    """Hold the runs of one rank from so many examples, each list in the order of SEEDS.

    Attributes
    ----------
    count : int
        Examples.
    r : int
        Rank, or FULL.
    rate : float
        Learning rate: the one with the lowest loss on validation questions at the end.
    tried : dict of str to (float or None)
        That loss of the first seed by rate.
    shown : list of float
        Share right of the examples themselves, at the end.
    unseen : list of float
        Share right of test questions, at the end.
    stopped : list of float
        The same at the moment when the loss on validation questions was the lowest.
    """

    count: int
    r: int
    rate: float
    tried: dict[str, float | None]
    shown: list[float]
    unseen: list[float]
    stopped: list[float]


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : float
        Share of test questions that the base has right.
    few : list of Few
        For each of COUNTS and RANKS.
    moved : dict of str to list of list of float
        By one of LINES, for each of BASES and SEEDS the share of test questions that is right: with our adapter, with
        none, with an adapter trained on that base.
    """

    recorded: str
    before: float
    few: list[Few]
    moved: dict[str, list[list[float]]]

    def of(self, count: int, r: int) -> Few:
        """Return the runs of one rank from so many examples."""
        [found] = [each for each in self.few if (each.count, each.r) == (count, r)]
        return found


def _built(data: dict[str, Any]) -> Recorded:
    few = [Few(**each) for each in data.pop("few")]
    if [(each.count, each.r) for each in few] != [(count, r) for count in COUNTS for r in RANKS]:
        raise NotWhole
    if any(len(each.shown) != len(SEEDS) or len(each.stopped) != len(SEEDS) for each in few):
        raise NotWhole
    shapes = {line: [len(seeds) for seeds in bases] for line, bases in data["moved"].items()}
    if shapes != dict.fromkeys(LINES, [len(SEEDS)] * len(BASES)):
        raise NotWhole
    return Recorded(**data, few=few)


load_failures = reader(PATH, "failures", _built)


class _FewRun(NamedTuple):
    """Say which run from few examples."""

    way: tuple[int, int]  # examples and rank
    rate: float
    seed: int


class _MovedRun(NamedTuple):
    """Say which adapter is measured, and on which base."""

    base: int | str
    seed: int


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _learned(model: "GPT", texts: "Texts", rate: float, seed: int) -> Iterator[float]:
    """Train a model on examples and return the loss of each step."""
    import torch

    from compute.training.loop import steps
    from compute.world.batches import batches

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate)
    chosen = batches(texts.tokens, BATCH_SIZE, STEPS, seed)
    yield from steps(lambda some: model.loss(*some), (texts.some(step) for step in chosen), optimizer)


def _asked(model: "GPT", texts: "Texts") -> tuple[float, float]:
    """Return loss and share right of the answers of some texts."""
    import torch
    from torch.nn import functional as F

    assert texts.learned is not None
    with torch.no_grad():
        logits = model(texts.tokens[:, :-1])[texts.learned]  # (questions, vocab_size)
    answers = texts.tokens[:, 1:][texts.learned]
    return F.cross_entropy(logits, answers).item(), logits.argmax(-1).eq(answers).double().mean().item()


def _questions(split: str) -> "Texts":
    from compute.world.batches import texts_of

    return texts_of(SKILL, split, QUESTIONS[split], 64)


def _from_few(asked: _FewRun) -> dict[str, float] | None:
    """Return what a run from few examples comes to, None if it diverged."""
    import math

    import torch

    from compute.model.checkpoint import load_base
    from compute.world.batches import texts_of

    (count, r), rate, seed = asked
    model = learner(load_base(), r, torch.Generator().manual_seed(seed))
    every = texts_of(SKILL, "train", count * len(SEEDS), 64)
    texts = every.some(torch.arange(seed * count, (seed + 1) * count))
    lowest, stopped = math.inf, 0.0

    def look() -> float:
        nonlocal lowest, stopped
        validation, _ = _asked(model, _questions("validation"))
        if validation < lowest:
            lowest, stopped = validation, _asked(model, _questions("test"))[1]
        return validation

    for step, loss in enumerate(_learned(model, texts, rate, seed)):
        if not math.isfinite(loss):
            return None
        if step and step % LOOK_EVERY == 0:
            look()
    found = {"validation": look(), "shown": _asked(model, texts)[1]}
    found |= {"unseen": _asked(model, _questions("test"))[1], "stopped": stopped}
    return {name: round(value, DECIMALS) for name, value in found.items()}


def turned(base: "GPT", seed: int = 0) -> "GPT":
    """Return a model that says what another says and holds its inner numbers in another order.

    Parameters
    ----------
    base : GPT
        A plain model. It is not touched.
    seed : int
        Of the order.

    Returns
    -------
    GPT
        Every number that a block reads or writes stands in another place; so do the weights that meet it.

    Examples
    --------
    >>> import torch
    >>> from compute.model.checkpoint import load_base
    >>> base = load_base()
    >>> words = torch.arange(8)[None]
    >>> bool(torch.allclose(base(words), turned(base)(words), atol=1e-4))
    True
    """
    import copy

    import torch

    width = base.config.n_embd
    order = torch.randperm(width, generator=torch.Generator().manual_seed(seed))
    model = copy.deepcopy(base)
    with torch.no_grad():
        for name, p in model.named_parameters():
            writes = name.endswith(("o_proj.weight", "down_proj.weight")) or p.ndim == 1  # norms as well
            p.copy_(p[order] if writes else p[:, order])
    return model


def _further(count: int) -> "GPT":
    """Return the base after more steps of full finetuning on another task."""
    from compute.model.checkpoint import load_base
    from compute.training.config import TrainConfig
    from compute.training.loop import prepare, updates

    config = TrainConfig(task=FURTHER_TASK, method="full", learning_rate=FURTHER_RATE, steps=count)
    model = prepare(config, load_base())
    for _ in updates(model, config):
        pass
    return model


def _base(which: int | str) -> "GPT":
    from compute.model.checkpoint import load_base

    if which == TURNED:
        return turned(load_base())
    if which == 0:
        return load_base()
    kept = KEPT.with_name(f"{PATH.stem}-{which}.unfinished")
    return kept_model(kept, lambda: _further(int(which)))


def _adapted(base: "GPT", seed: int) -> "GPT":
    """Return a base with an adapter that was trained on it."""
    import torch

    from compute.world.batches import texts_of

    model = learner(base, R, torch.Generator().manual_seed(seed))
    for _ in _learned(model, texts_of(SKILL, "train", STEPS * BATCH_SIZE, 64), RATE, seed):
        pass
    return model


def _on_base(asked: _MovedRun) -> dict[str, float]:
    """Return the share right on a base with our adapter, with none, and with one of its own."""
    from compute.adapters.peft_format import load_adapter, save_adapter

    base, ours = _base(asked.base), _adapted(_base(0), asked.seed)
    moved = load_adapter(base, save_adapter(ours))
    models = {"moved": moved, "alone": base, "own": _adapted(base, asked.seed) if asked.base else ours}
    return {line: round(_asked(model, _questions("test"))[1], DECIMALS) for line, model in models.items()}


def _validation(found: dict[str, float] | None) -> float | None:
    return found["validation"] if found else None


def _told(asked: NamedTuple, found: dict[str, float] | None) -> str:
    return f"{tuple(asked)}: {found}"


def _make(_: list[str]) -> None:
    rates = {(count, r): RATES[r] for count in COUNTS for r in RANKS}
    wanted = [_MovedRun(base, seed) for base in BASES for seed in SEEDS]
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _FewRun, _from_few, _validation, min, pool, _told)
        for base in FURTHER:
            _base(base)  # once, before several processes ask for it
        found = kept_runs(KEPT, wanted, _on_base, Bar(len(wanted)), pool, _told)
    few = [
        {"count": count, "r": r, "rate": at.rate, "tried": at.tried}
        | {name: [run[name] for run in at.runs] for name in ("shown", "unseen", "stopped")}
        for (count, r), at in best.items()
    ]
    moved = {
        line: [[found[_MovedRun(base, seed)][line] for seed in SEEDS] for base in BASES] for line in LINES
    }
    before = moved["alone"][0][0]
    write_record(PATH, {"recorded": recorded_here(), "before": before, "few": few, "moved": moved})
    for file in PATH.parent.glob(f"{PATH.stem}*.unfinished"):
        file.unlink()


RECIPE = Recipe("failures", __doc__, 8, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

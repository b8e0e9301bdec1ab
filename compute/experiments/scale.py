"""Losses over the learning rate, for ranks, scaling rules and optimisers.

The mini-model is trained for a hundred steps at four ranks with two scaling rules and two optimisers, and with full
finetuning, at seven learning rates each; then once more with another seed at the best two rates of each: 144 runs of
about three seconds. The same machine gives the same numbers; only the date and the time differ.
"""

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import OPTIMIZERS, SCALING_RULES, TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "scale.json"
TASK = "new language"
STEPS = 100
BLOCK = 5  # steps: of a run's losses their means are kept
RANKS = (1, 4, 16, 64)
GAIN_RANKS = (1, 2, 4, 8, 16, 32, 64)
GAIN_SEEDS = (0, 1, 2, 3)
SEEDS = (0, 1)  # the second one only at the best two rates of the first
FULL = 0  # full finetuning, where a rank would stand
DECIMALS = 3  # of losses, in nats
DIGITS = 4  # significant ones, of gains
RATES: dict[str, tuple[float, ...]] = {
    "adamw": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "sgd": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
}


class RateRun(NamedTuple):
    """Hold one run at one learning rate.

    Attributes
    ----------
    loss : list of float
        Means over BLOCK steps each, in nats per token; fewer for a run that diverged.
    final : float or None
        On texts that were not trained on, after STEPS steps; None if the run diverged.
    again : float or None
        The same of another seed, where it was tried; None also if that one diverged.
    """

    loss: list[float]
    final: float | None
    again: float | None


class Scale(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        What the recording took, in time of one processor core.
    start : float
        Loss of the base on the same texts, in nats per token.
    frequencies : float
        Loss of a writer who knows only how often each word comes.
    gains : dict of str to dict of str to list of float
        By optimiser and scaling rule, for each of GAIN_RANKS: how fast the first step lowers the loss, in nats per
        token and unit of learning rate; mean over GAIN_SEEDS.
    runs : dict of str to dict of str to dict of int to list of RateRun
        By optimiser, scaling rule and rank, one for each of the optimiser's RATES. Under the rank FULL stands full
        finetuning, which has no scaling.
    """

    recorded: str
    seconds: float
    start: float
    frequencies: float
    gains: dict[str, dict[str, list[float]]]
    runs: dict[str, dict[str, dict[int, list[RateRun]]]]


def config_of(optimizer: str, scaling_rule: str, r: int, rate: int, seed: int = 0) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    optimizer : str
        "sgd" or "adamw".
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    r : int
        One of RANKS, or FULL.
    rate : int
        Place of the learning rate among the optimiser's RATES.
    seed : int
        Seed of the factors' start and of the order of the texts.

    Returns
    -------
    TrainConfig
        With alpha = 8 and STEPS steps of TASK.

    Examples
    --------
    >>> config = config_of("adamw", "alpha/sqrt(r)", 16, 3)
    >>> config.r, config.alpha, config.learning_rate
    (16, 8.0, 0.003)
    >>> config_of("sgd", "alpha/r", FULL, 0).method
    'full'
    """
    common: dict[str, Any] = {"task": TASK, "optimizer": optimizer, "steps": STEPS, "seed": seed}
    common["learning_rate"] = RATES[optimizer][rate]
    if r == FULL:
        return TrainConfig(**common, method="full")
    return TrainConfig(**common, r=r, scaling_rule=scaling_rule)


def best_rate(runs: list[RateRun]) -> int:
    """Return the place of the learning rate whose run ends lowest.

    Parameters
    ----------
    runs : list of RateRun
        One for each rate, at least one of them not diverged.

    Returns
    -------
    int
        By the first seed's losses; of equal ones the smaller rate.

    Raises
    ------
    ValueError
        If all diverged.

    Examples
    --------
    >>> best_rate([RateRun([], 3.0, None), RateRun([], 2.0, None), RateRun([], None, None)])
    1
    """
    return min((run.final, i) for i, run in enumerate(runs) if run.final is not None)[1]


def best_range(runs: list[RateRun]) -> tuple[int, int]:
    """Return the span of learning rates that are as good as the best, for all that two seeds can tell.

    Parameters
    ----------
    runs : list of RateRun
        One for each rate, at least one of them not diverged.

    Returns
    -------
    (int, int)
        Places of the smallest and the largest rate whose run ends within the largest difference of two seeds of the
        lowest end.

    Raises
    ------
    ValueError
        If all diverged.

    Notes
    -----
    The difference is that of the rates which were tried again; without any it is 0, and the span is one rate.

    Examples
    --------
    >>> best_range([RateRun([], 3.0, None), RateRun([], 2.0, 1.8), RateRun([], 2.1, 2.1)])
    (1, 2)
    """
    lowest = runs[best_rate(runs)].final or 0.0
    pairs = [(run.final, run.again) for run in runs if run.final is not None and run.again is not None]
    spread = max((abs(one - other) for one, other in pairs), default=0.0)
    near = [i for i, run in enumerate(runs) if run.final is not None and run.final <= lowest + spread]
    return near[0], near[-1]


@cache
def load_scale(path: Path = PATH) -> Scale:
    """Return what was recorded.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    Scale
        All of it. It is kept and shared: do not change it.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete or of another base model.

    Examples
    --------
    >>> over = load_scale().runs["adamw"]["alpha/r"][16]
    >>> RATES["adamw"][best_rate(over)]
    0.01
    >>> load_scale(Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.scale`.
    """
    return read_record(path, "scale", _built)


def _built(data: dict[str, Any]) -> Scale:
    runs = {
        optimizer: {
            rule: {int(r): [RateRun(**run) for run in over] for r, over in ranks.items()}
            for rule, ranks in rules.items()
        }
        for optimizer, rules in data.pop("runs").items()
    }
    scale = Scale(**data, runs=runs)
    if not all(_is_whole(optimizer, rule, scale) for optimizer in OPTIMIZERS for rule in SCALING_RULES):
        raise NotWhole
    return scale


def _is_whole(optimizer: str, rule: str, scale: Scale) -> bool:
    ranks = scale.runs[optimizer][rule]
    return (
        len(scale.gains[optimizer][rule]) == len(GAIN_RANKS)
        and set(ranks) == {*RANKS, FULL}
        and all(len(over) == len(RATES[optimizer]) and all(map(_is_run, over)) for over in ranks.values())
    )


def _is_run(run: RateRun) -> bool:
    blocks = STEPS // BLOCK
    return len(run.loss) == blocks if run.final is not None else 1 <= len(run.loss) <= blocks


# Only who records needs torch. So whatever loads it is imported where something is trained.


def _kept(config: TrainConfig, base: "GPT") -> RateRun:
    """Return what is recorded of a run of the first seed."""
    from compute.training.short_runs import short_run

    loss, final = short_run(config, base)
    blocks = [loss[start : start + BLOCK] for start in range(0, len(loss), BLOCK)]
    means = [round(sum(block) / len(block), DECIMALS) for block in blocks]
    return RateRun(means, None if final is None else round(final, DECIMALS), None)


def _over_rates(optimizer: str, scaling_rule: str, r: int, base: "GPT", bar: Bar) -> list[RateRun]:
    """Return the runs at all rates, the best two of them with the loss of another seed."""
    from compute.training.short_runs import short_run

    over = [_kept(config_of(optimizer, scaling_rule, r, rate), base) for rate in range(len(RATES[optimizer]))]
    ended = [rate for rate, run in enumerate(over) if run.final is not None]
    for rate in sorted(ended, key=lambda rate: over[rate].final or 0)[:2]:
        final = short_run(config_of(optimizer, scaling_rule, r, rate, SEEDS[1]), base).final
        over[rate] = over[rate]._replace(again=None if final is None else round(final, DECIMALS))
    bar.did(f"{optimizer}, {scaling_rule}, {f'r = {r}' if r else 'full'}: {[run.final for run in over]}")
    return over


def _gains(optimizer: str, scaling_rule: str, base: "GPT") -> list[float]:
    """Return how fast the first step lowers the loss, for each rank, mean over seeds."""
    from compute.training.short_runs import first_gain

    common: dict[str, Any] = {"task": TASK, "scaling_rule": scaling_rule, "optimizer": optimizer}
    means = []
    for r in GAIN_RANKS:
        of = [first_gain(TrainConfig(**common, r=r, seed=seed), base) for seed in GAIN_SEEDS]
        means.append(float(f"{sum(of) / len(of):.{DIGITS}g}"))
    return means


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.training.loop import evaluate
    from compute.training.short_runs import frequency_loss

    begin, base = time.process_time(), load_base()
    shared, own = (FULL, 1), tuple(r for r in RANKS if r > 1)  # with r = 1 both rules are the same
    bar = Bar(len(OPTIMIZERS) * (len(shared) + len(SCALING_RULES) * len(own)))
    runs: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for optimizer in OPTIMIZERS:
        both = {r: _over_rates(optimizer, SCALING_RULES[0], r, base, bar) for r in shared}
        runs[optimizer] = {}
        for rule in SCALING_RULES:
            ranks = both | {r: _over_rates(optimizer, rule, r, base, bar) for r in own}
            runs[optimizer][rule] = {str(r): [run._asdict() for run in over] for r, over in ranks.items()}
    data = {
        "recorded": recorded_here(),
        "seconds": round(time.process_time() - begin),
        "start": round(evaluate(base, TASK).validation_loss, DECIMALS),
        "frequencies": round(frequency_loss(TASK, base.config.block_size), DECIMALS),
        "gains": {
            optimizer: {rule: _gains(optimizer, rule, base) for rule in SCALING_RULES}
            for optimizer in OPTIMIZERS
        },
        "runs": runs,
    }
    write_record(PATH, data)


RECIPE = Recipe("scale", __doc__, 8, (PATH,), _make)
if __name__ == "__main__":
    RECIPE.run()

"""How fast one base with many adapters answers, in three ways, and what the wrong adapter costs.

Batches of 32 requests are answered in three ways, in turn within each round, and the seconds of one core are counted,
so that what else the machine does matters little. Paces differ from one recording to the next, by up to a fifth for one
word each; losses do not.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe
from compute.experiments.mixing import load_factors
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.serving.routing import NO_ADAPTER, ROUTES
from compute.world.voices import BASE_VOICES

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FILE = RECORDS / "serving.json"
WAYS = ("together", "swapped", "merged")
REQUESTS = 32  # in a batch
ADAPTERS = (1, 2, 4, 8, 16, 32)  # distinct ones in a batch
RANKS = (4, 16, 64)
LENGTHS = (1, 32)  # tokens that are read of each request
ROUNDS = 20
EACH_SECONDS = 0.03  # that one measurement goes on
SEED = 0
LOSS_TEXTS = 64
DIGITS = 4  # significant ones, of shares and losses


class Pace(NamedTuple):
    """Hold how fast a batch was answered, as a share of the base's pace in the same round.

    Attributes
    ----------
    low : float
        5th percentile of the rounds.
    middle : float
        Their median.
    high : float
        95th percentile.
    """

    low: float
    middle: float
    high: float


class Model(NamedTuple):
    """Hold how many numbers a model has.

    Attributes
    ----------
    total : int
        All of it.
    adapted : int
        Those of the weights that have an adapter.
    per_rank : int
        Those of an adapter of rank 1.
    macs : int
        Multiply-accumulates of its linear layers for each token: the adapted weights and lm_head.
    """

    total: int
    adapted: int
    per_rank: int
    macs: int


class Served(NamedTuple):
    """Hold everything that was measured, and how.

    Attributes
    ----------
    recorded : str
        When and on what.
    rounds : int
        How often each batch was answered in each way.
    model : Model
        What was served.
    base : dict of int to float
        Tokens that the base alone reads in a second of one core, by the tokens of each request.
    paces : dict of (int, int) to dict of str to list of Pace
        By tokens of each request and r, for each of WAYS one Pace for each of ADAPTERS.
    losses : dict of str to dict of str to float
        On stories of the test split in each voice of the base, with each of ROUTES, in nats per word.
    """

    recorded: str
    rounds: int
    model: Model
    base: Mapping[int, float]
    paces: Mapping[tuple[int, int], Mapping[str, list[Pace]]]
    losses: Mapping[str, Mapping[str, float]]


def numbers_held(way: str, model: Model, r: int, adapters: int) -> int:
    """Return how many numbers must be in memory to answer any of the adapters' requests at once.

    Parameters
    ----------
    way : str
        One of WAYS.
    model : Model
        What is served.
    r : int
        Rank of each adapter, at least 1.
    adapters : int
        How many there are, at least 1.

    Returns
    -------
    int
        "merged": a whole model for each adapter. "together": the base and the factors. "swapped": the same, and the
        adapted weights once more, because what is merged in must come out again without a trace.

    Raises
    ------
    ValueError
        If there is no such way, or r or adapters is below 1.

    Notes
    -----
    What passes through is not counted: activations, and in "together" the factors of one layer that are gathered for
    the batch and dropped.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, section 4.2 (one base, many tasks).

    Examples
    --------
    >>> small = Model(total=100, adapted=80, per_rank=5, macs=90)
    >>> [numbers_held(way, small, 2, adapters=10) for way in WAYS]
    [200, 280, 1000]
    """
    if r < 1 or adapters < 1:
        raise ValueError(f"r and adapters must be at least 1, got {r} and {adapters}.")
    beside = model.total + adapters * r * model.per_rank
    held = {"together": beside, "swapped": beside + model.adapted, "merged": adapters * model.total}
    if way not in held:
        raise ValueError(f"way must be one of {', '.join(WAYS)}, got {way!r}.")
    return held[way]


def counted_pace(model: Model, r: int) -> float:
    """Return the pace that unmerged adapters would leave if time were multiplications and nothing else.

    Parameters
    ----------
    model : Model
        What is served.
    r : int
        Rank of each adapter, 0 or more.

    Returns
    -------
    float
        Share of the base's pace, above 0 and at most 1, however many adapters there are: each request meets one.

    Notes
    -----
    macs / (macs + r per_rank): only the linear layers are counted, not attention.

    References
    ----------
    Hu et al. 2021, arXiv:2106.09685, equation 3 (both paths).

    Examples
    --------
    >>> counted_pace(Model(total=100, adapted=80, per_rank=5, macs=80), 4)
    0.8
    """
    return model.macs / (model.macs + r * model.per_rank)


def _built(data: dict[str, Any]) -> Served:
    paces = {
        (each["words"], each["r"]): {way: [Pace(*pace) for pace in each[way]] for way in WAYS}
        for each in data["paces"]
    }
    served = Served(
        str(data["recorded"]),
        int(data["rounds"]),
        Model(**data["model"]),
        {int(words): float(rate) for words, rate in data["base_rate"].items()},
        paces,
        {
            voice: {route: float(losses[route]) for route in ROUTES}
            for voice, losses in data["losses"].items()
        },
    )
    measured = [pace for ways in paces.values() for each in ways.values() for pace in each]
    whole = (
        set(paces) == {(words, r) for words in LENGTHS for r in RANKS}
        and set(served.base) == set(LENGTHS)
        and all(len(each) == len(ADAPTERS) for ways in paces.values() for each in ways.values())
        and all(0 < low <= middle <= high for low, middle, high in measured)
        and all(rate > 0 for rate in served.base.values())
        and set(served.losses) == set(BASE_VOICES)
    )
    if not whole:
        raise NotWhole()
    return served


load_serving = reader(FILE, "serving", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _measured(base: "GPT", words: int, r: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the base's seconds for a batch in each round, and the pace (way, adapters, round) of each way."""
    import torch

    from compute.serving.batched import SERVERS, random_adapters
    from compute.serving.latency import processor_times

    adapters = random_adapters(base, LAYERS, r, max(ADAPTERS), SEED)
    servers: dict[str, Any] = {way: SERVERS[way](base, adapters) for way in WAYS}
    generator, rng = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    tokens = torch.randint(
        base.config.vocab_size, (REQUESTS, words), generator=generator
    )  # (REQUESTS, words)
    alone, paces = [], []
    for number in ADAPTERS:
        which = torch.arange(REQUESTS) % number
        calls = {way: partial(server, tokens, which) for way, server in servers.items()}
        times = processor_times({None: partial(base.forward, tokens), **calls}, rounds, rng, EACH_SECONDS)
        alone.append(times[None])
        paces.append([times[None] / times[way] for way in WAYS])
    return np.concatenate(alone), np.swapaxes(paces, 0, 1)


def _losses(base: "GPT") -> dict[str, dict[str, float]]:
    """Return the loss on unseen stories in each voice with each adapter, and with none."""
    from compute.adapters.mixed_model import mixed_model
    from compute.world.batches import windows
    from compute.world.stories import Source
    from compute.world.tasks import STARTS

    models = {
        route: base if route == NO_ADAPTER else mixed_model(base, [load_factors(route)], [1.0], "products")
        for route in ROUTES
    }
    texts = {
        voice: windows(Source((voice,), "test", facts=0), STARTS["test"], LOSS_TEXTS, base.config.block_size)
        for voice in BASE_VOICES
    }
    return {
        voice: {route: _rounded(model.loss(some).item()) for route, model in models.items()}
        for voice, some in texts.items()
    }


def _size_of(base: "GPT") -> Model:
    """Return how many numbers the model has."""
    shapes = [base.get_submodule(name).weight.shape for name in LAYERS]
    adapted = sum(out * into for out, into in shapes)
    return Model(
        total=sum(parameter.numel() for parameter in base.parameters()),
        adapted=adapted,
        per_rank=sum(out + into for out, into in shapes),
        macs=adapted + base.lm_head.weight.numel(),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    start, base = time.perf_counter(), load_base().requires_grad_(False)
    bar = Bar(len(LENGTHS) * len(RANKS))
    rates: dict[int, list[float]] = {words: [] for words in LENGTHS}
    rows = []
    for words in LENGTHS:
        for r in RANKS:
            times, paces = _measured(base, words, r, ROUNDS)
            rates[words] += [REQUESTS * words / each for each in times]
            ends = np.quantile(paces, [0.05, 0.5, 0.95], axis=2)  # (3, way, adapters)
            ways = {
                way: [Pace(*map(_rounded, ends[:, j, i])) for i in range(len(ADAPTERS))]
                for j, way in enumerate(WAYS)
            }
            rows.append({"words": words, "r": r, **ways})
            told = ", ".join(f"{way} {[pace.middle for pace in each]}" for way, each in ways.items())
            bar.did(f"{words} words, r = {r}: {told}")
    data = {
        "recorded": recorded_here(),
        "rounds": ROUNDS,
        "model": _size_of(base)._asdict(),
        "base_rate": {words: _rounded(float(np.median(each))) for words, each in rates.items()},
        "paces": rows,
        "losses": _losses(base),
    }
    write_record(FILE, {**data, "seconds": round(time.perf_counter() - start)})


RECIPE = Recipe("serving", __doc__, 2, (FILE,), _make, after=("mixing",))
if __name__ == "__main__":
    RECIPE.run()

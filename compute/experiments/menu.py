"""The base of the world finetuned by every method of the menu, and how long a pass and a step of each take.

Two tasks: a voice that is told of stories (the formal one), and new facts to be remembered. On each, every method is
tried at two sizes, where it has one to choose. The learning rate of each is the one with the lowest loss on the
validation texts of the first seed, from a ladder of rates that is climbed until the best lies inside; the size of a
method is chosen by the same losses. All seeds at that rate are reported on test texts. (New facts are to be remembered:
they are the same in every split.) Then a forward pass of the plain base and of every method, merged and not, and a step
of training are timed in rounds. All cores are used, and a recording that is stopped goes on where it was when the
command is given again. Times differ from machine to machine. To take only these again, on a machine that does nothing
else: `python -m compute.experiments.menu times`.
"""

import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from compute.experiments.making import Bar, Recipe, at_best_rate, kept_runs, processes
from compute.numbers.interval import Apart, apart
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from compute.model.gpt import GPT

PATH = RECORDS / "menu.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
VOICE = "formal voice"
MENU_TASKS = (VOICE, FACTS)
FACTS_TOLD = 256  # new facts
STEPS = {VOICE: 100, FACTS: 200}
BATCH_SIZE = {VOICE: 16, FACTS: 32}
# Ranks, rows of VeRA's A, sides of LoRA-XS' square, widths of bottlenecks, numbers of vectors; None where there is no
# size to choose.
SIZES: dict[str, tuple[int | None, ...]] = {
    "full": (None,),
    "lora": (1, 8),
    "dora": (1, 8),
    "adalora": (1, 8),
    "vera": (16, 64),
    "lora-xs": (4, 12),
    "bottleneck": (2, 16),
    "soft prompt": (4, 16),
    "ia3": (None,),
    "bitfit": (None,),
}
WITH_ALPHA = ("lora", "dora", "adalora")  # alpha = 2 r, so that the scaling is the same at every rank
LADDER = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)  # learning rates
# Where on it each method begins, with one rate on either side.
BEGIN = {
    "full": 1e-3,
    "lora": 1e-2,
    "dora": 1e-2,
    "adalora": 1e-2,
    "vera": 3e-2,
    "lora-xs": 1e-2,
    "bottleneck": 1e-2,
    "soft prompt": 1e-1,
    "ia3": 1e-1,
    "bitfit": 1e-2,
}
SEEDS = (0, 1, 2, 3, 4)
VALIDATION = 256  # texts of the voice that a rate and a size are chosen on
PER_SEED = ("loss", "task", "facts", "stories", "base_loss")  # the lists of `Learned`
MERGE = (
    "lora",
    "dora",
    "adalora",
    "vera",
    "lora-xs",
    "ia3",
    "bitfit",
)  # into weights; BitFit into biases that stay
BATCHES = (1, 32)  # texts in a timed forward pass
STEP = "step"  # of training, timed beside those
TIMED = (*map(str, BATCHES), STEP)
LEAST_RATE = 1e-6  # of the steps that are timed: the model is to stay what it is
DECIMALS = 4
RATIO_DECIMALS = 3
ROUNDS = 40


@dataclass(frozen=True)
class Learned:
    """Hold the runs of one method at one size, each list in the order of SEEDS.

    Attributes
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        The learning rate: the best of `tried`.
    tried : dict of str to (float or None)
        Loss of the first seed on validation texts by rate; None where the run diverged.
    loss : list of float
        On test texts of the task, in nats per word that is learned.
    task_right : list of float
        Share of the sentences written that are in the voice, or of the new facts that are answered rightly.
    facts : list of float
        Share of the facts that the base knew, and that the model still does.
    stories : list of float
        Share of right answers to questions about stories.
    base_loss : list of float
        On texts of the base's own.
    numbers : int
        That were trained.
    ranks : list of dict of str to int
        Of AdaLoRA, how many directions each layer kept; empty for other methods.
    """

    task: str
    method: str
    size: int | None
    rate: float
    tried: dict[str, float | None]
    loss: list[float]
    task_right: list[float]
    facts: list[float]
    stories: list[float]
    base_loss: list[float]
    numbers: int
    ranks: list[dict[str, int]]

    @property
    def lowest(self) -> float:
        """Return the lowest loss of the first seed on validation texts, which the rate and the size are chosen by."""
        return min(loss for loss in self.tried.values() if loss is not None)


class Timing(NamedTuple):
    """Hold how long a forward pass or a step takes.

    A pass is told as a multiple of that of the plain base model, a step as one of plain LoRA at its smaller rank.

    Attributes
    ----------
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    merged : bool
        Whether what was learned is merged into the base.
    what : str
        One of TIMED: how many texts there are in the pass, or STEP.
    low : float
        A quarter of the rounds were below.
    median : float
        Half of the rounds were below.
    high : float
        A quarter of the rounds were above.
    """

    method: str
    size: int | None
    merged: bool
    what: str
    low: float
    median: float
    high: float


class Recorded(NamedTuple):
    """Hold the whole recording.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to dict of str to float
        The base, by task: "loss", "task", "facts", "stories", "base_loss".
    learned : list of Learned
        By task, method and size, in the order of `plan`.
    timings : list of Timing
        All that were timed.
    milliseconds : dict of str to float
        What the plain base model took for a pass, and LoRA at its smaller rank for a step, by what was timed.
    """

    recorded: str
    before: dict[str, dict[str, float]]
    learned: list[Learned]
    timings: list[Timing]
    milliseconds: dict[str, float]

    def of(self, task: str, method: str, size: int | None) -> Learned:
        """Return the runs of a method at a size."""
        return self.learned[plan().index((task, method, size))]

    def best(self, task: str, method: str) -> Learned:
        """Return the runs of a method at the size that is best on validation texts."""
        return min((self.of(task, method, size) for size in SIZES[method]), key=lambda each: each.lowest)

    def apart(self, one: Learned, other: Learned, what: str = "loss") -> Apart:
        """Return how much higher one way ends than another, seed by seed, in one of the lists of `Learned`."""
        return apart(getattr(one, what), getattr(other, what))

    def timing(self, method: str, size: int | None, what: str, merged: bool = False) -> Timing:
        """Return how long something takes; only those of MERGE have a pass when merged."""
        [found] = [each for each in self.timings if each[:4] == (method, size, merged, what)]
        return found


def plan() -> list[tuple[str, str, int | None]]:
    """Return every task with every method and every size of it.

    Returns
    -------
    list of (str, str, int or None)
        By task, then by method, then by size.

    Examples
    --------
    >>> plan()[:2], len(plan())
    ([('formal voice', 'full', None), ('formal voice', 'lora', 1)], 34)
    """
    return [(task, method, size) for task in MENU_TASKS for method, sizes in SIZES.items() for size in sizes]


def config_of(task: str, method: str, size: int | None, rate: float, seed: int) -> TrainConfig:
    """Return a recorded run.

    Parameters
    ----------
    task : str
        One of MENU_TASKS.
    method : str
        A key of SIZES.
    size : int or None
        One of its SIZES.
    rate : float
        Learning rate.
    seed : int
        Seed of the start and of the order of the texts.

    Returns
    -------
    TrainConfig
        All that decides the run.

    Examples
    --------
    >>> config_of("new facts", "lora", 8, 0.01, 0).alpha, config_of("new facts", "bottleneck", 16, 0.01, 0).r
    (16, 16)
    """
    usual = TrainConfig()
    return TrainConfig(
        task=task,
        method=method,
        r=usual.r if size is None else size,
        alpha=2 * size if size is not None and method in WITH_ALPHA else usual.alpha,
        learning_rate=rate,
        steps=STEPS[task],
        batch_size=BATCH_SIZE[task],
        seed=seed,
        n_texts=FACTS_TOLD if task == FACTS else usual.n_texts,
    )


def _built(data: dict[str, Any]) -> Recorded:
    learned = [Learned(**each) for each in data.pop("learned")]
    timings = [Timing(*each) for each in data.pop("timings")]
    if [(each.task, each.method, each.size) for each in learned] != plan():
        raise NotWhole
    lists = (each for one in learned for each in (one.loss, one.task_right, one.facts, one.base_loss))
    if any(len(each) != len(SEEDS) for each in lists) or set(data["before"]) != set(MENU_TASKS):
        raise NotWhole
    if [each[:4] for each in timings] != to_time():
        raise NotWhole("has not all the times")
    return Recorded(learned=learned, timings=timings, **data)


load_menu = reader(PATH, "menu", _built)


def to_time() -> list[tuple[str, int | None, bool, str]]:
    """Return everything that is timed.

    Returns
    -------
    list of (str, int or None, bool, str)
        Method, size, whether merged, and which of TIMED. What is merged takes no step: nothing is left to learn.

    Examples
    --------
    >>> [each for each in to_time() if each[0] == "bitfit"][2:]
    [('bitfit', None, False, '32'), ('bitfit', None, True, '32'), ('bitfit', None, False, 'step')]
    """
    return [
        (method, size, merged, what)
        for what in TIMED
        for method, sizes in SIZES.items()
        for size in sizes
        for merged in ((False, True) if method in MERGE and what != STEP else (False,))
    ]


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Asked(NamedTuple):
    """Say which run, and on which texts it is measured."""

    config: TrainConfig
    split: str


def _tried(way: tuple[str, str, int | None], rate: float, seed: int) -> _Asked:
    return _Asked(config_of(*way, rate, seed), "validation")


def _run(asked: _Asked) -> dict[str, Any] | None:
    """Return what a run came to; of one that is only tried, no more than its loss. None if it diverged."""
    import torch

    from compute.adapters.adalora import SVDLinear
    from compute.adapters.adapted import adapted_layers
    from compute.training.short_runs import finetuned, measured_on
    from compute.world.batches import texts_of

    config, split = asked
    model = finetuned(config)
    if model is None:
        return None
    if split == "validation":
        count = FACTS_TOLD if config.task == FACTS else VALIDATION
        with torch.no_grad():
            loss = model.loss(*texts_of(config.task, split, count, model.config.block_size)).item()
        return {"loss": round(loss, DECIMALS)} if math.isfinite(loss) else None
    end = measured_on(model, config.task, split, config.n_texts)._asdict()
    layers = {name: layer for name, layer in adapted_layers(model) if isinstance(layer, SVDLinear)}
    ranks = {name: int(layer.lora_E.count_nonzero()) for name, layer in layers.items()}
    return {**{name: round(value, DECIMALS) for name, value in end.items()}, "ranks": ranks}


def _loss(found: dict[str, Any] | None) -> float | None:
    return found["loss"] if found else None


def _told(asked: _Asked, found: dict[str, Any] | None) -> str:
    config, split = asked
    end = f"loss {found['loss']}" if found else "diverged"
    return f"{config.task}, {config.method}, {config.r}, {config.learning_rate:g}, {split}: {end}"


def _learned() -> list[dict[str, Any]]:
    """Return the runs of all methods, each at its best rate."""

    def begin(method: str) -> tuple[float, ...]:
        middle = LADDER.index(BEGIN[method])
        return LADDER[middle - 1 : middle + 2]

    rates: dict[tuple[str, str, int | None], tuple[float, ...]] = {each: begin(each[1]) for each in plan()}
    with processes() as pool:
        found = at_best_rate(KEPT, rates, SEEDS[:1], _tried, _run, _loss, min, pool, _told, LADDER)
        wanted = {
            way: [_Asked(config_of(*way, best.rate, seed), "test") for seed in SEEDS]
            for way, best in found.items()
        }
        every = [one for some in wanted.values() for one in some]
        came = kept_runs(KEPT, every, _run, Bar(len(every)), pool, _told)
    rows = []
    for way, best in found.items():
        ends = [came[one] for one in wanted[way]]
        if not all(ends):
            raise SystemExit(f"{way} diverged at {best.rate:g} with another seed.")
        lists = {name: [end[name] for end in ends] for name in PER_SEED}
        rows.append(
            dict(zip(("task", "method", "size"), way, strict=True))
            | {"rate": best.rate, "tried": best.tried}
            | {"task_right" if name == "task" else name: values for name, values in lists.items()}
            | {"numbers": ends[0]["numbers"], "ranks": [end["ranks"] for end in ends if end["ranks"]]}
        )
    return rows


def _before() -> dict[str, dict[str, float]]:
    from compute.model.checkpoint import load_base
    from compute.training.short_runs import measured_on

    base = load_base()
    found = {task: measured_on(base, task, "test", FACTS_TOLD)._asdict() for task in MENU_TASKS}
    return {task: {name: round(end[name], DECIMALS) for name in PER_SEED} for task, end in found.items()}


def _timed(base: "GPT", rounds: int) -> tuple[list[Timing], dict[str, float]]:
    """Return the times of all methods, merged and not, and in milliseconds those that they are multiples of."""
    import torch

    from compute.adapters.layer import merge
    from compute.serving.latency import processor_times
    from compute.training.loop import updates
    from compute.training.methods import with_method
    from compute.world.batches import texts_of

    def model_of(method: str, size: int | None, merged: bool) -> tuple[TrainConfig, "GPT"]:
        config = config_of(VOICE, method, size, LEAST_RATE, SEEDS[0])
        config = TrainConfig(**{**asdict(config), "batch_size": BATCHES[-1], "steps": 5000})
        model = with_method(config, base)
        return config, merge(model) if merged else model

    def stepping(config: TrainConfig, model: "GPT") -> "Callable[[], object]":
        running = updates(model, config)

        def step() -> None:
            with torch.inference_mode(False):  # whoever times asks for passes
                next(running)

        return step

    texts = texts_of(VOICE, "validation", BATCHES[-1], base.config.block_size).tokens[:, :-1]
    found, milliseconds = [], {}
    for what in TIMED:
        asked = [each for each in to_time() if each[3] == what]
        calls: dict[Any, Callable[[], object]] = {}
        for each in asked:
            config, model = model_of(*each[:3])
            calls[each] = (
                stepping(config, model) if what == STEP else partial(model.forward, texts[: int(what)])
            )
        plain: Any = ("lora", SIZES["lora"][0], False, STEP)
        if what != STEP:
            plain = None
            calls[plain] = partial(base.forward, texts[: int(what)])
        times = processor_times(calls, rounds, np.random.default_rng(0))
        milliseconds[what] = round(1000 * float(np.median(times[plain])), RATIO_DECIMALS)
        for each in asked:
            ratios = np.percentile(times[each] / times[plain], [25, 50, 75])
            found.append(Timing(*each, *ratios.round(RATIO_DECIMALS).tolist()))
    return found, milliseconds


def _make(parts: list[str]) -> None:
    from compute.model.checkpoint import load_base

    if parts:
        data = load_menu(PATH)._asdict()
        data["learned"] = [asdict(each) for each in data["learned"]]
    else:
        data = {"recorded": recorded_here(), "before": _before(), "learned": _learned()}
    timings, milliseconds = _timed(load_base(), ROUNDS)
    write_record(PATH, {**data, "timings": timings, "milliseconds": milliseconds})
    KEPT.unlink(missing_ok=True)


RECIPE = Recipe("menu", __doc__, 18, (PATH,), _make, "PART", ("times",), after=("world",))
if __name__ == "__main__":
    RECIPE.run()

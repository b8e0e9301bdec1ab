"""What rank each task of the world needs, and what the model pays for it.

Four tasks, each learned at five ranks and by full finetuning; for the language of new words also by what stays frozen
beside an adapter: the embeddings alone, the norms alone, the embeddings beside an adapter. Each at the learning rate
that is best on the validation texts of the first seed, from a grid in whose middle it lies; all five seeds at that rate
are reported on test texts. All cores are used, and a recording that is stopped goes on where it was when the command is
given again.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from compute.experiments.making import Recipe, at_best_rate, processes
from compute.matrices.knee import first_within
from compute.numbers.interval import Apart, apart
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import NEW_WORDS, TELLING

PATH = RECORDS / "tasks.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
MEASURED = ("formal voice", "mirror voice", NEW_WORDS, "who had it first")
RANKS = (1, 2, 4, 16, 64)
FULL = "full"
EMBEDDED = 4  # rank of the adapter beside which the embeddings learn too
# The suspects of the wall, each under the name that stands where a rank would: what learns.
SUSPECTS = ("embeddings", "norms", f"r = {EMBEDDED} and embeddings")
SEEDS = (0, 1, 2, 3, 4)
RATES = {
    "lora": (1e-3, 3e-3, 1e-2, 3e-2),
    "r = 16": (3e-4, 1e-3, 3e-3, 1e-2),  # the higher the rank, the lower the best rate
    "r = 64": (3e-4, 1e-3, 3e-3, 1e-2),
    FULL: (3e-4, 1e-3, 3e-3, 1e-2),
    "embeddings": (1e-3, 3e-3, 1e-2, 3e-2),
    "norms": (1e-1, 3e-1, 1.0, 3.0),  # few numbers, which have far to go
}
PER_SEED = ("loss", "task_right", "facts", "stories", "base_loss")  # the lists of `Learned`
FLOOR_TEXTS = 256  # the same as a run's loss is measured on
DECIMALS = 4


@dataclass(frozen=True)
class Learned:
    """Hold the runs of one way to learn a task, each list in the order of SEEDS.

    Attributes
    ----------
    task : str
        One of MEASURED.
    way : str
        What learned: "r = 4" and so on, "full", or one of SUSPECTS.
    rate : float
        The learning rate: the best of `tried`.
    tried : dict of str to (float or None)
        Loss of the first seed on validation texts by rate; None where the run diverged.
    loss : list of float
        On test texts of the task, in nats per word that is learned.
    task_right : list of float
        Share of right answers; of a task that tells, of sentences that are as it wants them.
    facts : list of float
        Share of right answers to questions on facts that the base knew.
    stories : list of float
        The same of questions about stories.
    base_loss : list of float
        On texts of the base's own.
    numbers : int
        That were trained.
    """

    task: str
    way: str
    rate: float
    tried: dict[str, float | None]
    loss: list[float]
    task_right: list[float]
    facts: list[float]
    stories: list[float]
    base_loss: list[float]
    numbers: int


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to dict of str to float
        The base, by task: "loss", "base_loss", "task", "facts", "stories".
    floor : dict of str to float
        The lowest loss that any model can reach, where the generator gives it: for tasks that tell.
    learned : list of Learned
        By task, then by way.
    """

    recorded: str
    before: dict[str, dict[str, float]]
    floor: dict[str, float]
    learned: list[Learned]

    def of(self, task: str, way: str) -> Learned:
        """Return the runs of one way to learn a task."""
        [found] = [each for each in self.learned if (each.task, each.way) == (task, way)]
        return found

    def enough(self, task: str, nats: float) -> int | None:
        """Return the least rank whose mean loss lies within some nats of full finetuning's, None if none does."""
        full = fmean(self.of(task, FULL).loss)
        losses = {r: fmean(self.of(task, way_of(r)).loss) for r in RANKS}
        return first_within(losses, full, nats)

    def apart(self, task: str, way: str, other: str = FULL, what: str = "loss") -> Apart:
        """Return how much higher a way ends than another, in one of the lists of `Learned`."""
        return apart(getattr(self.of(task, way), what), getattr(self.of(task, other), what))


def way_of(r: int) -> str:
    """Return how the runs of a rank are named.

    Parameters
    ----------
    r : int
        One of RANKS.

    Returns
    -------
    str
        One of `ways`.

    Examples
    --------
    >>> way_of(4)
    'r = 4'
    """
    return f"r = {r}"


def ways(task: str) -> tuple[str, ...]:
    """Return the ways in which a task was learned.

    Parameters
    ----------
    task : str
        One of MEASURED.

    Returns
    -------
    tuple of str
        Names.

    Examples
    --------
    >>> ways("mirror voice")[-2:], len(ways("new words"))
    (('r = 64', 'full'), 9)
    """
    return (*map(way_of, RANKS), FULL, *(SUSPECTS if task == NEW_WORDS else ()))


def plan() -> list[tuple[str, str]]:
    """Return every task with every way in which it was learned.

    Returns
    -------
    list of (str, str)
        By task, then by way.

    Examples
    --------
    >>> plan()[:2], len(plan())
    ([('formal voice', 'r = 1'), ('formal voice', 'r = 2')], 27)
    """
    return [(task, way) for task in MEASURED for way in ways(task)]


def config_of(task: str, way: str, rate: float, seed: int) -> TrainConfig:
    """Return the run of a way.

    Parameters
    ----------
    task : str
        One of MEASURED.
    way : str
        One of its `ways`.
    rate : float
        Learning rate.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        With alpha = 2 r, so that the scaling is the same at every rank.

    Examples
    --------
    >>> config = config_of("new words", "r = 4 and embeddings", 1e-2, 0)
    >>> config.r, config.alpha, config.train_embeddings
    (4, 8, True)
    """
    common: dict[str, Any] = {"task": task, "learning_rate": rate, "seed": seed}
    if not way.startswith("r = "):
        return TrainConfig(method=way, **common)
    r = int(way.split()[2])
    return TrainConfig(r=r, alpha=2 * r, train_embeddings=way in SUSPECTS, **common)


def rates_of(way: str) -> tuple[float, ...]:
    """Return the learning rates that a way is tried with.

    Parameters
    ----------
    way : str
        One of `ways`.

    Returns
    -------
    tuple of float
        Ascending.

    Examples
    --------
    >>> rates_of("r = 4") == RATES["lora"], rates_of("full") == RATES["full"]
    (True, True)
    """
    return RATES.get(way, RATES["lora"])


def _built(data: dict[str, Any]) -> Recorded:
    learned = [Learned(**each) for each in data.pop("learned")]
    if [(each.task, each.way) for each in learned] != plan():
        raise NotWhole
    lists = (getattr(each, name) for each in learned for name in PER_SEED)
    if any(len(each) != len(SEEDS) for each in lists) or set(data["before"]) != set(MEASURED):
        raise NotWhole
    return Recorded(**data, learned=learned)


load_tasks = reader(PATH, "tasks", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _config(each: tuple[str, str], rate: float, seed: int) -> TrainConfig:
    return config_of(*each, rate, seed)


def _tried(config: TrainConfig) -> dict[str, dict[str, float]] | None:
    """Return what a run came to, by split."""
    from compute.training.short_runs import outcomes

    found = outcomes(config, ("validation", "test"))
    if found is None:
        return None
    return {
        split: {name: round(value, DECIMALS) for name, value in each._asdict().items()}
        for split, each in found.items()
    }


def _told(config: TrainConfig, found: dict[str, dict[str, float]] | None) -> str:
    size = f"r = {config.r}" if config.method == "lora" else config.method
    more = ", embeddings" * config.train_embeddings
    end = f"loss {found['validation']['loss']}, right {found['validation']['task']}" if found else "diverged"
    return f"{config.task}, {size}{more}, {config.learning_rate:g}: {end}"


def _loss(found: dict[str, dict[str, float]] | None) -> float | None:
    return found["validation"]["loss"] if found else None


def _before() -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Return what the base can do of each task, and the floors of those that tell."""
    from compute.model.checkpoint import load_base
    from compute.training.short_runs import measured_on
    from compute.world.batches import texts_of
    from compute.world.tasks import in_old_words, source_of
    from compute.world.texts import floor
    from compute.world.tokens import decode

    base = load_base()
    before, floors = {}, {}
    for task in MEASURED:
        can = measured_on(base, task, "test", TrainConfig.n_texts)._asdict()
        before[task] = {name: round(can[name], DECIMALS) for name in can if name != "numbers"}
        if task in TELLING:
            tokens = texts_of(task, "test", FLOOR_TEXTS, base.config.block_size).tokens
            texts = [decode(text) for text in tokens.tolist()]
            # The same stories in other words surprise as much.
            old = [in_old_words(text) for text in texts] if task == NEW_WORDS else texts
            floors[task] = round(floor(old, source_of(task, "test")), DECIMALS)
    return before, floors


def _make(_: list[str]) -> None:
    rates = {each: rates_of(each[1]) for each in plan()}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _config, _tried, _loss, min, pool, _told)
    learned = []
    for (task, way), (rate, tried, found) in best.items():
        runs = [each["test"] for each in found]
        learned.append(
            {"task": task, "way": way, "rate": rate, "tried": tried, "numbers": runs[0]["numbers"]}
            | {"task_right": [run["task"] for run in runs]}
            | {name: [run[name] for run in runs] for name in PER_SEED if name != "task_right"}
        )
    before, floors = _before()
    data = {"recorded": recorded_here(), "before": before, "floor": floors, "learned": learned}
    write_record(PATH, data)
    KEPT.unlink()


RECIPE = Recipe("tasks", __doc__, 70, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

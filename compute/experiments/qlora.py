"""LoRA on a quantised base of the world: what the few bits cost before, and what is learned on them.

The base is asked for its facts in each format, with scales for blocks of six sizes. Then LoRA with r = 4 learns a skill
and new facts on the base in each format, at the learning rate that is best for the validation texts of the first seed;
all five seeds at that rate are reported on test. All cores are used, and a recording that is stopped goes on where it
was when the command is given again.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.forgetting import TASKS
from compute.experiments.making import Recipe, at_best_rate, processes
from compute.numbers.interval import Apart, apart
from compute.numbers.quantising import FLOAT32
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import BASE_FORMATS, TrainConfig
from compute.world.tasks import FACTS, SKILL, asked

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "qlora.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
LEARNED = (SKILL, FACTS)
BLOCKS = (16, 32, 64, 128, 256, 4096)  # the last is a whole square matrix
R = 4
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = (0, 1, 2, 3, 4)
QUESTIONS = 384  # of the skill, on test stories; of new facts all are asked
DECIMALS = 4


@dataclass(frozen=True)
class OnFormat:
    """Hold the runs on a base in some format. All but the rates and losses are shares of right answers.

    Attributes
    ----------
    task : str
        One of LEARNED.
    base_format : str
        One of `compute.training.config.BASE_FORMATS`.
    rate : float
        The learning rate: the best of `tried`.
    tried : dict of str to (float or None)
        Loss of the first seed on validation texts by rate, in nats per answer.
    right : list of float
        On the task, in the order of SEEDS, as the next three.
    facts : list of float
        On facts that the base knew.
    requantised : list of float
        On the task, when delta_w was added to the base in the end and the sum stored in the format again.
    moved : list of float
        On the task, with the adapter that was trained with the same seed on the float32 base.
    """

    task: str
    base_format: str
    rate: float
    tried: dict[str, float | None]
    right: list[float]
    facts: list[float]
    requantised: list[float]
    moved: list[float]


PER_SEED = ("right", "facts", "requantised", "moved")


class Recorded(NamedTuple):
    """Hold everything that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    stored : dict of str to list of float
        Share of its facts that the unchanged base has right, by format, one for each of BLOCKS.
    before : dict of str to dict of str to float
        Share of a task's answers that it has right, by task and format in blocks of 64.
    runs : list of OnFormat
        By task, then by format.
    """

    recorded: str
    stored: dict[str, list[float]]
    before: dict[str, dict[str, float]]
    runs: list[OnFormat]

    def of(self, task: str, base_format: str) -> OnFormat:
        """Return the runs on a format."""
        [found] = [each for each in self.runs if (each.task, each.base_format) == (task, base_format)]
        return found

    def apart(self, task: str, base_format: str, what: str = "right") -> Apart:
        """Return how much more there is of one of PER_SEED than is right on the float32 base, seed by seed."""
        return apart(getattr(self.of(task, base_format), what), self.of(task, FLOAT32).right)


def plan() -> list[tuple[str, str]]:
    """Return every task with every format.

    Returns
    -------
    list of (str, str)
        By task, then by format.

    Examples
    --------
    >>> plan()[:2], len(plan())
    ([('who had it first', 'float32'), ('who had it first', 'nf4')], 12)
    """
    return [(task, base_format) for task in LEARNED for base_format in BASE_FORMATS]


def config_of(task: str, base_format: str, rate: float, seed: int) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    task : str
        One of LEARNED.
    base_format : str
        One of `compute.training.config.BASE_FORMATS`.
    rate : float
        One of RATES.
    seed : int
        One of SEEDS.

    Returns
    -------
    TrainConfig
        With alpha = 2 r.

    Examples
    --------
    >>> config = config_of("new facts", "nf4", 3e-3, 0)
    >>> config.base_format, config.alpha
    ('nf4', 8)
    """
    common: dict[str, Any] = TASKS[task]
    return TrainConfig(
        task=task, base_format=base_format, r=R, alpha=2 * R, learning_rate=rate, seed=seed, **common
    )


def _built(data: dict[str, Any]) -> Recorded:
    runs = [OnFormat(**each) for each in data.pop("runs")]
    recorded = Recorded(runs=runs, **data)
    tables: list[dict[str, Any]] = [recorded.stored, *recorded.before.values()]
    lists = (getattr(each, name) for each in runs for name in PER_SEED)
    whole = (
        [(each.task, each.base_format) for each in runs] == plan()
        and tuple(recorded.before) == LEARNED
        and all(tuple(table) == BASE_FORMATS for table in tables)
        and all(len(shares) == len(BLOCKS) for shares in recorded.stored.values())
        and all(len(shares) == len(SEEDS) for shares in lists)
    )
    if not whole:
        raise NotWhole
    return recorded


load_qlora = reader(PATH, "qlora", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _right(model: "GPT", task: str) -> float:
    """Return the share of a task's test answers that a model has right."""
    from compute.world.batches import right

    count = TASKS[task].get("n_texts", QUESTIONS)
    return round(fmean(right(model, asked(task, "test", count, model.config.block_size))), DECIMALS)


def _run(config: TrainConfig) -> dict[str, Any]:
    """Return what came of a run; of one on the float32 base also what its adapter does on all others."""
    from compute.adapters.layer import merge
    from compute.adapters.peft_format import load_adapter, save_adapter
    from compute.model.checkpoint import load_base
    from compute.model.quantised import quantised_model
    from compute.training.loop import prepare, updates
    from compute.training.short_runs import measured_on

    base = load_base()
    model = prepare(config, base)
    for _ in updates(model, config):
        pass
    validation, test = (
        measured_on(model, config.task, split, config.n_texts) for split in ("validation", "test")
    )
    files = save_adapter(model)
    elsewhere = BASE_FORMATS if config.base_format == FLOAT32 else ()
    return {
        "validation": round(validation.loss, DECIMALS),
        "facts": round(test.facts, DECIMALS),
        "right": _right(model, config.task),
        "requantised": _right(quantised_model(merge(model), config.base_format), config.task),
        "moved": {
            name: _right(load_adapter(quantised_model(base, name), files), config.task) for name in elsewhere
        },
    }


def _config(way: tuple[str, str], rate: float, seed: int) -> TrainConfig:
    return config_of(*way, rate, seed)


def _validation(found: dict[str, Any]) -> float:
    return found["validation"]


def _told(config: TrainConfig, found: dict[str, Any]) -> str:
    return f"{config.task}, {config.base_format}, {config.learning_rate:g}, seed {config.seed}: right {found['right']}"


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base
    from compute.model.quantised import quantised_model
    from compute.training.answers import known
    from compute.world.batches import right

    with processes() as pool:
        best = at_best_rate(
            KEPT, dict.fromkeys(plan(), RATES), SEEDS, _config, _run, _validation, min, pool, _told
        )
    base = load_base()
    facts = known("test", 1, 256, base.config.block_size)["facts"]
    data = {
        "recorded": recorded_here(),
        "stored": {
            name: [
                round(fmean(right(quantised_model(base, name, block), facts)), DECIMALS) for block in BLOCKS
            ]
            for name in BASE_FORMATS
        },
        "before": {
            task: {name: _right(quantised_model(base, name), task) for name in BASE_FORMATS}
            for task in LEARNED
        },
        "runs": [
            {
                "task": task,
                "base_format": base_format,
                "rate": rate,
                "tried": tried,
                **{name: [run[name] for run in runs] for name in PER_SEED if name != "moved"},
                "moved": [plain["moved"][base_format] for plain in best[task, FLOAT32].runs],
            }
            for (task, base_format), (rate, tried, runs) in best.items()
        ],
    }
    write_record(PATH, data)
    KEPT.unlink()


RECIPE = Recipe("qlora", __doc__, 8, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

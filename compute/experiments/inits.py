"""The first steps of runs from every start.

Seven inits with two optimisers, six learning rates and three seeds are followed through fifty steps: 252 runs of the
small layer in some seconds, and as many of the mini-model of about two seconds each. The same machine gives the same
numbers; only the date differs.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import INITS, OPTIMIZERS, TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.training.first_steps import FirstSteps

FOLDER = RECORDS / "inits"
SMALL = "small layer"
PROBLEMS = (SMALL, "new language")
STEPS = 50
SEEDS = (0, 1, 2)  # the steps are kept of the first, the final loss of all
DIGITS = 4  # significant ones
NOTHING = 1e-4  # of the weights: below this a distance is the rounding of float32
_ADAMW = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
RATES: dict[str, dict[str, tuple[float, ...]]] = {
    SMALL: {"sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "adamw": _ADAMW},
    "new language": {"sgd": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "adamw": _ADAMW},
}


class InitRun(NamedTuple):
    """Hold one run from one start. Lists have STEPS + 1 numbers, fewer if the run was given up.

    Attributes
    ----------
    loss : list of float
        On the examples of each step: of the small layer as `compute.training.first_steps` defines it, of the
        model in nats per token.
    lora_A : list of float
        Frobenius norm of the gradients of all lora_A together.
    lora_B : list of float
        The same of all lora_B.
    distance : list of float
        Frobenius norm of what all adapted weights together differ from those of the base.
    moved : float
        Frobenius norm of what the first update did to these weights.
    finals : list of (float or None)
        For each of SEEDS: the small layer's last loss, or the model's on unseen texts of the task. None for a run
        that was given up.
    """

    loss: list[float]
    lora_A: list[float]
    lora_B: list[float]
    distance: list[float]
    moved: float
    finals: list[float | None]

    @property
    def whole(self) -> bool:
        """Whether the run of the first seed went to its end."""
        return len(self.loss) == STEPS + 1

    @property
    def final(self) -> float | None:
        """The middle one of the final losses, a run given up counting as the worst; None if most were."""
        known = sorted(loss for loss in self.finals if loss is not None)
        middle = len(self.finals) // 2
        return known[middle] if middle < len(known) else None


class Recorded(NamedTuple):
    """Hold the runs of one problem.

    Attributes
    ----------
    recorded : str
        When and on what they were computed.
    runs : dict of str to dict of str to list of InitRun
        By optimiser and init, one for each of the problem's RATES.
    """

    recorded: str
    runs: dict[str, dict[str, list[InitRun]]]


def file_of(problem: str) -> Path:
    """Return where the runs of a problem are kept.

    Parameters
    ----------
    problem : str
        One of PROBLEMS.

    Returns
    -------
    Path
        A file in assets/recorded/inits, which may be missing.

    Raises
    ------
    ValueError
        If there is no such problem.

    Examples
    --------
    >>> file_of("new language").name
    'new-language.json'
    """
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, got {problem!r}.")
    return FOLDER / f"{problem.replace(' ', '-')}.json"


def config_of(problem: str, optimizer: str, init: str, rate: int, seed: int) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    problem : str
        One of PROBLEMS. The small layer has no task and no batches; these fields are as usual.
    optimizer : str
        "sgd" or "adamw".
    init : str
        One of `compute.training.config.INITS`.
    rate : int
        Place of the learning rate among the RATES of problem and optimiser.
    seed : int
        Seed of the factors' start and of the order of the texts.

    Returns
    -------
    TrainConfig
        With r = 4, alpha = 8 and STEPS steps.

    Examples
    --------
    >>> config = config_of("new language", "adamw", "mixed", 3, 0)
    >>> config.task, config.learning_rate, config.steps
    ('new language', 0.01, 50)
    """
    return TrainConfig(
        task=TrainConfig.task if problem == SMALL else problem,
        init=init,
        optimizer=optimizer,
        learning_rate=RATES[problem][optimizer][rate],
        steps=STEPS,
        seed=seed,
    )


@cache
def load_inits(problem: str) -> Recorded:
    """Return the recorded runs.

    Parameters
    ----------
    problem : str
        One of PROBLEMS.

    Returns
    -------
    Recorded
        All of them. They are kept and shared: do not change them.

    Raises
    ------
    ValueError
        If there is no such problem, or its file is missing, damaged, incomplete or of another base model.

    Examples
    --------
    >>> first = load_inits("new language").runs["sgd"]["B=0"][0]
    >>> first.lora_A[0], first.lora_B[0] > 0
    (0.0, True)
    """
    return read_inits(problem, file_of(problem))


def read_inits(problem: str, path: Path) -> Recorded:
    """Return the runs in a file.

    Parameters
    ----------
    problem : str
        One of PROBLEMS.
    path : Path
        Name of the file.

    Returns
    -------
    Recorded
        All of them.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete or of another base model.

    Examples
    --------
    >>> read_inits("new language", Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.inits nothing`.
    """

    def build(data: dict[str, Any]) -> Recorded:
        runs = {
            optimizer: {init: [InitRun(**run) for run in over] for init, over in inits.items()}
            for optimizer, inits in data["runs"].items()
        }
        if not _complete(problem, runs):
            raise NotWhole
        return Recorded(data["recorded"], runs)

    return read_record(path, f"inits {path.stem}", build)


def _complete(problem: str, runs: dict[str, dict[str, list[InitRun]]]) -> bool:
    return (
        set(runs) == set(OPTIMIZERS)
        and all(set(inits) == set(INITS) for inits in runs.values())
        and all(
            len(over) == len(RATES[problem][optimizer]) and all(map(_is_run, over))
            for optimizer, inits in runs.items()
            for over in inits.values()
        )
    )


def _is_run(run: InitRun) -> bool:
    lengths = {len(values) for values in (run.loss, run.lora_A, run.lora_B, run.distance)}
    return len(lengths) == 1 and 1 <= len(run.loss) <= STEPS + 1 and len(run.finals) == len(SEEDS)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _rounded(values: list[float]) -> list[float]:
    """Return values with as many digits as a figure can show."""
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _kept(seeds: list["FirstSteps"]) -> InitRun:
    """Return what is recorded of the runs of all seeds."""
    first = seeds[0]
    return InitRun(
        _rounded(first.loss),
        _rounded(first.lora_A),
        _rounded(first.lora_B),
        [value if value >= NOTHING else 0.0 for value in _rounded(first.distance)],
        _rounded([first.moved])[0],
        [None if steps.final is None else _rounded([steps.final])[0] for steps in seeds],
    )


def _runs(problem: str, base: "GPT", bar: Bar) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return all runs of a problem by optimiser and init, one for each rate."""
    from compute.training.first_steps import model_steps, small_steps

    def follow(*chosen) -> "FirstSteps":
        config = config_of(problem, *chosen)
        return small_steps(config) if problem == SMALL else model_steps(config, base)

    runs: dict[str, dict[str, list[dict[str, Any]]]] = {optimizer: {} for optimizer in OPTIMIZERS}
    for optimizer, inits in runs.items():
        for init in INITS:
            over = range(len(RATES[problem][optimizer]))
            kept = [_kept([follow(optimizer, init, rate, seed) for seed in SEEDS]) for rate in over]
            inits[init] = [run._asdict() for run in kept]
            bar.did(f"{problem}, {optimizer}, {init}: {[run.final for run in kept]}")
    return runs


def _make(names: list[str]) -> None:
    from compute.model.checkpoint import load_base

    wanted = [problem for problem in PROBLEMS if not names or file_of(problem).stem in names]
    base, bar = load_base(), Bar(len(wanted) * len(OPTIMIZERS) * len(INITS))
    FOLDER.mkdir(exist_ok=True)
    for problem in wanted:
        write_record(file_of(problem), {"recorded": recorded_here(), "runs": _runs(problem, base, bar)})


RECIPE = Recipe(
    "inits", __doc__, 10, (FOLDER,), _make, "FILE", tuple(file_of(each).stem for each in PROBLEMS)
)
if __name__ == "__main__":
    RECIPE.run()

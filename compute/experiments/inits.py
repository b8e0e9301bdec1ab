"""Where the factors start: what each start comes to at its own best learning rate, and its first steps.

Eight starts, two optimisers, a small layer and two tasks that the base of the world learns: to tell backwards, and
facts about people whom it has never read of. Each start is tried with every rate and the first seed, and its first
steps are kept; the rate that ends lowest on the validation texts is run with all five seeds, which are reported on test
texts. The facts are there to be remembered, so that both are on those that were trained on; so it is on the small
layer. All cores are used, and a recording that is stopped goes on where it was when the command is given again.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.numbers.interval import Apart, apart
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import INITS, OPTIMIZERS, WATCHED, TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.training.first_steps import FirstSteps

FOLDER = RECORDS / "inits"
SMALL, MIRROR = "small layer", "mirror voice"
PROBLEMS = (SMALL, MIRROR, FACTS)
USUAL, IDLE, BY_GRADIENT = "B=0", "both zero", "LoRA-GA"
STARTS = (*INITS, BY_GRADIENT)  # the last one reads texts before it starts: no setting of a run knows it
LEARNING = tuple(init for init in STARTS if init != IDLE)
STEPS = {SMALL: 50, MIRROR: 150, FACTS: 150}
SEEDS = (0, 1, 2, 3, 4)
DIGITS = 4  # significant ones
NOTHING = 1e-4  # of the weights: below this a distance is the rounding of float32
# Of the other factor's gradient. Where one is zero, rounding left 2e-7 of it; the least that is none is 3e-3 of it.
SILENT = 1e-5
_ADAMW = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
RATES: dict[str, dict[str, tuple[float, ...]]] = {
    SMALL: {"sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "adamw": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)},
    MIRROR: {"sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "adamw": _ADAMW},
    FACTS: {"sgd": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0), "adamw": _ADAMW},
}
_SIZES: dict[str, dict[str, Any]] = {
    SMALL: {},
    MIRROR: {"task": MIRROR, "batch_size": 8},
    FACTS: {"task": FACTS, "n_texts": 256},
}


class InitRun(NamedTuple):
    """Hold one run of the first seed. Lists have WATCHED + 1 numbers, fewer if the run was given up before.

    Attributes
    ----------
    loss : list of float
        On the examples of each step: of the small layer as `compute.training.first_steps` defines it, of the
        model in nats per word that is learned.
    lora_A : list of float
        Frobenius norm of the gradients of all lora_A together; 0 below SILENT of that of lora_B.
    lora_B : list of float
        The same of all lora_B, beside lora_A.
    distance : list of float
        Frobenius norm of what all adapted weights together differ from those of the base.
    moved : float
        Frobenius norm of what the first update did to these weights.
    final : float or None
        After the whole run, on validation texts; the last loss of the small layer. None for a run that was given up.
    """

    loss: list[float]
    lora_A: list[float]
    lora_B: list[float]
    distance: list[float]
    moved: float
    final: float | None

    @property
    def whole(self) -> bool:
        """Whether all steps that are watched were taken."""
        return len(self.loss) == WATCHED + 1


class Ends(NamedTuple):
    """Hold what one start came to at its best rate, in the order of SEEDS.

    Attributes
    ----------
    rate : int
        Place of the rate among the problem's RATES: that of the lowest final loss of the first seed.
    loss : list of (float or None)
        On test texts; on the small layer the last loss. None for a seed that was given up at this rate.
    right : list of float
        Share of the facts that are answered rightly. Empty but for new facts.
    """

    rate: int
    loss: list[float | None]
    right: list[float]

    @property
    def known(self) -> list[float]:
        """The losses of the seeds that were not given up."""
        return [loss for loss in self.loss if loss is not None]


class Recorded(NamedTuple):
    """Hold the runs of one problem.

    Attributes
    ----------
    recorded : str
        When and on what they were computed.
    frequencies : float or None
        Loss on the same test texts of a writer who knows how often each word comes, and nothing else. None of the
        small layer, which has no words.
    runs : dict of str to dict of str to list of InitRun
        By optimiser and start, one for each of the problem's RATES.
    ends : dict of str to dict of str to Ends
        By optimiser and start, those that learn.
    """

    recorded: str
    frequencies: float | None
    runs: dict[str, dict[str, list[InitRun]]]
    ends: dict[str, dict[str, Ends]]

    def apart(self, optimizer: str, init: str, other: str = USUAL) -> Apart | None:
        """Return how much higher one start ends than another, each at its own best rate; None if a seed has no end."""
        one, beside = self.ends[optimizer][init], self.ends[optimizer][other]
        whole = len(one.known) == len(one.loss) and len(beside.known) == len(beside.loss)
        return apart(one.known, beside.known) if whole else None


class Asked(NamedTuple):
    """Say which run.

    Attributes
    ----------
    problem : str
        One of PROBLEMS.
    optimizer : str
        "sgd" or "adamw".
    init : str
        One of STARTS.
    rate : int
        Place of the learning rate among the RATES of problem and optimiser.
    seed : int
        Seed of the factors' start and of the order of the texts.
    """

    problem: str
    optimizer: str
    init: str
    rate: int
    seed: int


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
    >>> file_of("new facts").name
    'new-facts.json'
    """
    if problem not in PROBLEMS:
        raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, got {problem!r}.")
    return FOLDER / f"{problem.replace(' ', '-')}.json"


def config_of(asked: Asked) -> TrainConfig:
    """Return what a recorded run was asked for.

    Parameters
    ----------
    asked : Asked
        Which run. The small layer has no task and no batches; these fields are as usual.

    Returns
    -------
    TrainConfig
        With r = 4, alpha = 8 and the problem's STEPS. Its init is "B=0" for "LoRA-GA" too.

    Examples
    --------
    >>> config = config_of(Asked("new facts", "adamw", "mixed", 3, 0))
    >>> config.task, config.init, config.learning_rate, config.steps
    ('new facts', 'mixed', 0.01, 150)
    """
    problem, optimizer, init, rate, seed = asked
    return TrainConfig(
        init=USUAL if init == BY_GRADIENT else init,
        optimizer=optimizer,
        learning_rate=RATES[problem][optimizer][rate],
        steps=STEPS[problem],
        seed=seed,
        **_SIZES[problem],
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
    >>> first = load_inits("new facts").runs["sgd"]["B=0"][0]
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
    >>> read_inits("new facts", Path("nothing.json"))
    Traceback (most recent call last):
    ValueError: The file nothing.json is missing. Run `python -m compute.experiments.inits nothing`.
    """

    def build(data: dict[str, Any]) -> Recorded:
        runs = {
            optimizer: {init: [InitRun(**run) for run in over] for init, over in inits.items()}
            for optimizer, inits in data["runs"].items()
        }
        ends = {
            optimizer: {init: Ends(**each) for init, each in inits.items()}
            for optimizer, inits in data["ends"].items()
        }
        if not _complete(problem, runs, ends):
            raise NotWhole
        return Recorded(data["recorded"], data["frequencies"], runs, ends)

    return read_record(path, f"inits {path.stem}", build)


def _complete(
    problem: str, runs: dict[str, dict[str, list[InitRun]]], ends: dict[str, dict[str, Ends]]
) -> bool:
    return (
        tuple(runs) == tuple(ends) == OPTIMIZERS
        and all(tuple(inits) == STARTS for inits in runs.values())
        and all(tuple(inits) == LEARNING for inits in ends.values())
        and all(len(each.loss) == len(SEEDS) for inits in ends.values() for each in inits.values())
        and all(
            len(over) == len(RATES[problem][optimizer]) and all(map(_is_run, over))
            for optimizer, inits in runs.items()
            for over in inits.values()
        )
    )


def _is_run(run: InitRun) -> bool:
    lengths = {len(values) for values in (run.loss, run.lora_A, run.lora_B, run.distance)}
    return len(lengths) == 1 and 1 <= len(run.loss) <= WATCHED + 1


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _rounded(value: float) -> float:
    """Return a value with as many digits as a figure can show."""
    return float(f"{value:.{DIGITS}g}")


def _kept(steps: "FirstSteps", final: float | None) -> dict[str, Any]:
    """Return what is recorded of a run of the first seed."""
    distance = [value if value >= NOTHING else 0.0 for value in map(_rounded, steps.distance)]
    return InitRun(
        loss=[*map(_rounded, steps.loss)],
        lora_A=[*map(_heard, steps.lora_A, steps.lora_B)],
        lora_B=[*map(_heard, steps.lora_B, steps.lora_A)],
        distance=distance,
        moved=_rounded(steps.moved),
        final=final,
    )._asdict()


def _heard(gradient: float, other: float) -> float:
    """Return the norm of a factor's gradient, which is zero where it is rounding beside that of the other factor."""
    return _rounded(gradient) if gradient > SILENT * other else 0.0


def _run(asked: Asked) -> dict[str, Any]:
    """Return the first steps of a run, its loss on validation and test texts, and its share of right answers."""
    from compute.model.checkpoint import load_base
    from compute.training.first_steps import model_steps, small_steps

    config, by_gradient = config_of(asked), asked.init == BY_GRADIENT
    found: dict[str, Any] = {"test": None, "right": None}
    if asked.problem == SMALL:
        steps = small_steps(config, by_gradient)
        if steps.given_up:
            return {"run": _kept(steps, None), **found}
        last = _rounded(steps.loss[-1])
        return {"run": _kept(steps, last), **found, "test": last}
    steps, model = model_steps(config, load_base(), by_gradient)
    if steps.given_up:
        return {"run": _kept(steps, None), **found}
    final, _ = _measured(model, config, "validation")
    test, right = _measured(model, config, "test")
    return {"run": _kept(steps, final), "test": test, "right": right}


def _measured(model: "GPT", config: TrainConfig, split: str) -> tuple[float, float | None]:
    """Return the loss of a model, and the share of facts that it answers rightly if that is the task."""
    import torch

    from compute.world.batches import texts_of

    count = config.n_texts if config.task == FACTS else 256 if split == "test" else 128
    texts = texts_of(config.task, split, count, model.config.block_size)
    with torch.no_grad():
        loss = _rounded(model.loss(*texts).item())
        if texts.learned is None:
            return loss, None
        logits = model(texts.tokens[:, :-1])[texts.learned]  # (n_texts, vocab_size): an answer of each
    answers = texts.tokens[:, 1:][texts.learned]
    return loss, _rounded(logits.argmax(-1).eq(answers).double().mean().item())


def _frequencies(problem: str) -> float | None:
    from compute.model.checkpoint import load_base
    from compute.training.short_runs import frequency_loss

    if problem == SMALL:
        return None
    config = config_of(Asked(problem, OPTIMIZERS[0], USUAL, 0, 0))
    block_size = load_base().config.block_size
    return _rounded(frequency_loss(config.task, block_size, "test", config.n_texts))


def _told(asked: Asked, found: dict[str, Any]) -> str:
    problem, optimizer, init, rate, seed = asked
    final = found["run"]["final"]
    end = "given up" if final is None else f"{final}, test {found['test']}"
    return f"{problem}, {optimizer}, {init}, {RATES[problem][optimizer][rate]:g}, seed {seed}: {end}"


def _record(problem: str) -> dict[str, Any]:
    """Make all runs of a problem."""
    kept = file_of(problem).with_suffix(".unfinished")  # a line a run
    ways = [(optimizer, init) for optimizer in OPTIMIZERS for init in STARTS]
    # Two zeros never move: at every rate the run is that of the first.
    tried = {
        (optimizer, init): [
            Asked(problem, optimizer, init, 0 if init == IDLE else place, SEEDS[0])
            for place in range(len(RATES[problem][optimizer]))
        ]
        for optimizer, init in ways
    }
    first = [*dict.fromkeys(one for some in tried.values() for one in some)]
    bar = Bar(len(first) + len(OPTIMIZERS) * len(LEARNING) * (len(SEEDS) - 1))
    with processes() as pool:
        found = kept_runs(kept, first, _run, bar, pool, _told)
        best = {
            way: min(
                (one for one in some if found[one]["run"]["final"] is not None),
                key=lambda one: found[one]["run"]["final"],
            )
            for way, some in tried.items()
            if way[1] != IDLE
        }
        again = [one._replace(seed=seed) for one in best.values() for seed in SEEDS[1:]]
        found |= kept_runs(kept, again, _run, bar, pool, _told)
    data: dict[str, Any] = {"recorded": recorded_here(), "frequencies": _frequencies(problem)}
    data |= {"runs": {each: {} for each in OPTIMIZERS}, "ends": {each: {} for each in OPTIMIZERS}}
    for (optimizer, init), some in tried.items():
        data["runs"][optimizer][init] = [found[one]["run"] for one in some]
    for (optimizer, init), one in best.items():
        seeds = [found[one._replace(seed=seed)] for seed in SEEDS]
        right = [each["right"] for each in seeds if each["right"] is not None]
        data["ends"][optimizer][init] = Ends(one.rate, [each["test"] for each in seeds], right)._asdict()
    return data


def _make(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for problem in PROBLEMS:
        path = file_of(problem)
        if not names or path.stem in names:
            write_record(path, _record(problem))
            path.with_suffix(".unfinished").unlink()


RECIPE = Recipe(
    "inits",
    __doc__,
    25,
    (FOLDER,),
    _make,
    "FILE",
    tuple(file_of(each).stem for each in PROBLEMS),
    after=("world",),
)
if __name__ == "__main__":
    RECIPE.run()

"""What a model learns when it is told right or wrong and nothing else: LoRA at two ranks beside full finetuning.

Two tasks. The skill is a rule, against which the base answers while it leaves the right word a little probability; the
new facts are a long list, to be remembered, in which no answer helps with another. One way to be taught is the reward:
the model says one word, drawn by its own probabilities, and learns whether the exact checker calls it right. The
controls are the answer, told for as many of the same questions, and rewards that are dealt out by lot, as many as were
earned. Each way has the rate with which the first seed has the most right on validation questions, of a grid that is
widened until the best lies inside; the lot has the reward's rate, as it has nothing to choose by. All seeds are
reported on test questions. All cores are used, and a recording that is stopped goes on where it was when the command is
given again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import AtBest, Bar, Recipe, at_best_rate, kept_runs, learner, processes
from compute.model.layers import LAYERS
from compute.numbers.interval import Apart, apart
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.tasks import FACTS, SKILL

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.world.batches import Texts

PATH = RECORDS / "reward.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run


class Course(NamedTuple):
    """Hold how a task is taught, whatever is told.

    Attributes
    ----------
    texts : int
        Questions that there are to train on.
    steps : int
        Updates.
    batch_size : int
        Questions in each.
    """

    texts: int
    steps: int
    batch_size: int


COURSES = {SKILL: Course(2048, 60, 32), FACTS: Course(1024, 400, 128)}
REWARD, ANSWER, LOT = "reward", "answer", "lot"  # what is told
RANKS = (1, 4)
FULL = 0  # stands for full finetuning where a rank would stand
SIZES = {REWARD: (*RANKS, FULL), ANSWER: (*RANKS, FULL), LOT: (RANKS[0], FULL)}  # the lot at both ends
SEEDS = (0, 1, 2, 3, 4)
LADDER = tuple(1e-3 * 2**power for power in range(-6, 7))
RATES = {"lora": (4e-3, 8e-3, 1.6e-2), "full": (2.5e-4, 5e-4, 1e-3)}
WARM_UP = 10  # steps
VALIDATION, QUESTIONS, PEOPLE, KIND = (
    256,
    512,
    128,
    128,
)  # of the skill twice, known to the base, of a kind on stories
PER_SEED = ("drawn", "right", "facts", "stories", "size")  # the lists of `Taught`
DECIMALS = 4


@dataclass(frozen=True)
class Taught:
    """Hold the runs of one way to be taught, each list in the order of SEEDS.

    Attributes
    ----------
    task : str
        SKILL or FACTS.
    told : str
        REWARD, ANSWER or LOT.
    r : int
        One of RANKS, or FULL.
    rate : float
        The best of `tried`; of LOT the reward's.
    tried : dict of str to float
        What the first seed has of `drawn` on validation questions, by rate; empty for LOT.
    drawn : list of float
        Probability of the right answer, on average over the test questions: the share that is right where answers are
        drawn, as they are in training. Of FACTS, which are there to be remembered, on all of them.
    right : list of float
        Share of them in which the likeliest word is right.
    facts : list of float
        The same of facts that the base knew.
    stories : list of float
        The same of questions about stories.
    size : list of float
        Norm of delta_w over that of W, on average over the matrices that an adapter changes.
    numbers : int
        That were trained.
    """

    task: str
    told: str
    r: int
    rate: float
    tried: dict[str, float]
    drawn: list[float]
    right: list[float]
    facts: list[float]
    stories: list[float]
    size: list[float]
    numbers: int


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to dict of str to float
        The base, by task: "drawn", "right", "facts", "stories".
    taught : list of Taught
        As `plan` orders them.
    """

    recorded: str
    before: dict[str, dict[str, float]]
    taught: list[Taught]

    def of(self, task: str, told: str, r: int) -> Taught:
        """Return the runs of one way to be taught."""
        [found] = [each for each in self.taught if (each.task, each.told, each.r) == (task, told, r)]
        return found

    def apart(self, task: str, told: str, r: int, what: str = "drawn") -> Apart:
        """Return how much more a rank ends with than full finetuning, in one of the lists of `Taught`."""
        return apart(*(getattr(self.of(task, told, each), what) for each in (r, FULL)))


def plan() -> list[tuple[str, str, int]]:
    """Return every way to be taught.

    Returns
    -------
    list of (str, str, int)
        Task, what is told, rank or FULL.

    Examples
    --------
    >>> plan()[0], len(plan())
    (('who had it first', 'reward', 1), 16)
    """
    return [(task, told, r) for task in COURSES for told, some in SIZES.items() for r in some]


def _built(data: dict[str, Any]) -> Recorded:
    taught = [Taught(**each) for each in data.pop("taught")]
    lists = (getattr(each, name) for each in taught for name in PER_SEED)
    if (
        [(each.task, each.told, each.r) for each in taught] != plan()
        or any(len(each) != len(SEEDS) for each in lists)
        or [*data["before"]] != [*COURSES]
    ):
        raise NotWhole
    return Recorded(**data, taught=taught)


load_reward = reader(PATH, "reward", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Asked(NamedTuple):
    """Say which run."""

    task: str
    told: str
    r: int
    rate: float
    seed: int


def teach(model: "GPT", task: str, told: str, rate: float, seed: int) -> Iterator[float]:
    """Train what a model has to train on the questions of a task.

    Parameters
    ----------
    model : GPT
        As `learner` makes it, on the CPU. What asks for gradients learns, in place.
    task : str
        SKILL or FACTS.
    told : str
        REWARD, ANSWER or LOT.
    rate : float
        Highest learning rate, of `compute.training.loop.warmed`.
    seed : int
        Of the order of the questions and of the answers that are drawn: the same questions whatever is told.

    Returns
    -------
    iterator of float
        The loss of each step.

    Examples
    --------
    >>> import torch
    >>> from compute.model.checkpoint import load_base
    >>> model = learner(load_base(), 1, torch.Generator())
    >>> losses = teach(model, "who had it first", "answer", 1e-2, 0)
    >>> next(losses) > next(losses) > 0
    True
    """
    import torch

    from compute.training.loop import warmed
    from compute.training.rewarded import rewarded
    from compute.world.batches import batches, texts_of

    course = COURSES[task]
    texts = texts_of(task, "train", course.texts, model.config.block_size)

    def answer(some: "Texts") -> torch.Tensor:
        return model.loss(*some)

    draws = torch.Generator().manual_seed(seed)
    loss = answer if told == ANSWER else rewarded(model, draws, by_lot=told == LOT)
    chosen = batches(texts.tokens, course.batch_size, course.steps, seed)
    return warmed(model, loss, (texts.some(rows) for rows in chosen), rate, WARM_UP, course.steps)


def _on(model: "GPT", task: str, split: str) -> dict[str, float]:
    """Return how a model answers the questions of a task: what is right if drawn, and if the likeliest is taken."""
    import torch

    from compute.training.rewarded import answering
    from compute.world.batches import texts_of

    count = {"validation": VALIDATION, "test": QUESTIONS}[split] if task == SKILL else COURSES[task].texts
    with torch.no_grad():
        scores, answers = answering(model, texts_of(task, split, count, model.config.block_size))
    likely = scores.softmax(-1).gather(1, answers[:, None])
    return {"drawn": likely.mean().item(), "right": scores.argmax(-1).eq(answers).double().mean().item()}


def _measured(model: "GPT", task: str) -> dict[str, float]:
    """Return what a model can do, on test questions."""
    from compute.training.answers import known
    from compute.world.batches import right

    others = known("test", KIND, PEOPLE, model.config.block_size)
    return _on(model, task, "test") | {name: fmean(right(model, some)) for name, some in others.items()}


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, DECIMALS) for name, value in found.items()}


def _run(asked: _Asked) -> dict[str, float]:
    """Return what a run came to."""
    import torch

    from compute.model.checkpoint import load_base
    from compute.training.loop import learned

    base = load_base()
    model = learner(base, asked.r, torch.Generator().manual_seed(asked.seed))
    for _ in teach(model, asked.task, asked.told, asked.rate, asked.seed):
        pass
    weights = base.state_dict()
    sizes = [  # none for what did not change
        (change.norm() / weights[f"{name}.weight"].norm()).item()
        for name, change in learned(model, base).items()
    ]
    found = _measured(model, asked.task) | {"tried": _on(model, asked.task, "validation")["drawn"]}
    numbers = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return _rounded(found | {"size": sum(sizes) / len(LAYERS)}) | {"numbers": numbers}


def _asked(way: tuple[str, str, int], rate: float, seed: int) -> _Asked:
    return _Asked(*way, rate, seed)


def _tried(found: dict[str, float]) -> float:
    return found["tried"]


def _told(asked: _Asked, found: dict[str, float]) -> str:
    return f"{', '.join(map(str, asked))}: {found['drawn']}, {found['right']}"


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    chosen = [way for way in plan() if way[1] != LOT]
    rates = {way: RATES["lora" if way[2] else "full"] for way in chosen}
    with processes() as pool:
        best = at_best_rate(KEPT, rates, SEEDS, _asked, _run, _tried, max, pool, _told, LADDER)
        lots = [way for way in plan() if way[1] == LOT]
        rate_of = {(task, LOT, r): best[task, REWARD, r].rate for task, _, r in lots}
        wanted = [_Asked(*way, rate_of[way], seed) for way in lots for seed in SEEDS]
        found = kept_runs(KEPT, wanted, _run, Bar(len(wanted)), pool, _told)
    best |= {
        way: AtBest(rate, {}, [found[_Asked(*way, rate, seed)] for seed in SEEDS])
        for way, rate in rate_of.items()
    }
    taught = []
    for way in plan():
        rate, tried, runs = best[way]
        taught.append(
            {**dict(zip(("task", "told", "r"), way, strict=True)), "rate": rate, "tried": tried}
            | {name: [run[name] for run in runs] for name in PER_SEED}
            | {"numbers": runs[0]["numbers"]}
        )
    base = load_base()
    before = {task: _rounded(_measured(base, task)) for task in COURSES}
    write_record(PATH, {"recorded": recorded_here(), "before": before, "taught": taught})
    KEPT.unlink()


RECIPE = Recipe("reward", __doc__, 14, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

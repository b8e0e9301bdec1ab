"""Training runs for readers who cannot train.

Each task of the lab is trained with LoRA at six ranks and with full finetuning: 35 runs of about twenty seconds, on
all cores. The same machine gives the same numbers; only the date and the times differ. A time is processor time: what
a run takes on a core of its own.
"""

import sys
import time
from concurrent.futures import as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compute.experiments.making import Bar, Recipe, processes
from compute.numbers.bounds import one_of
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.training.config import STRENGTHS, Evaluation, TrainConfig, config_from
from compute.training.gathered import Run, collect
from compute.world.tasks import FACTS, NEW_WORDS, SKILL

RECORDED_RANKS = (1, 2, 4, 8, 16, 32)
FULL = "full"  # full finetuning, under a name that stands where a rank would
RUNS = RECORDS / "runs"
DECIMALS = 4  # of losses, in nats
DIGITS = 4  # significant ones, of norms and singular values

LAB_TASKS = (FACTS, SKILL, "formal voice", "mirror voice", NEW_WORDS)
LAB_FACTS = 128  # new ones to learn
LAB_ALPHA = 2.0  # times r: the same scaling at every rank
# One rate for all tasks and ranks, between those that compute.experiments.tasks and capacity find best for each.
LAB_RATES = {"lora": 5e-3, FULL: 1e-3}
RECORDED = (*RECORDED_RANKS, FULL)  # of each task


def config_of(task: str, r: int | str) -> TrainConfig:
    """Return the run that is recorded under a task and a rank.

    Parameters
    ----------
    task : str
        One of LAB_TASKS.
    r : int or str
        One of RECORDED: a rank, or "full".

    Returns
    -------
    TrainConfig
        All that decides the run.

    Examples
    --------
    >>> config_of("formal voice", "full").learning_rate, config_of("new facts", 4).alpha
    (0.001, 8.0)
    """
    method = FULL if r == FULL else "lora"
    more: dict[str, Any] = {} if r == FULL else {"r": int(r), "alpha": LAB_ALPHA * int(r)}
    if task == FACTS:
        more["n_texts"] = LAB_FACTS
    return TrainConfig(task=task, method=method, learning_rate=LAB_RATES[method], **more)


def file_of(task: str, r: int | str) -> Path:
    """Return where a recorded run is kept.

    Parameters
    ----------
    task : str
        One of LAB_TASKS.
    r : int or str
        One of RECORDED: a rank, or "full".

    Returns
    -------
    Path
        A file in assets/recorded/runs, which may be missing.

    Raises
    ------
    ValueError
        If no such run is recorded.

    Examples
    --------
    >>> file_of("new facts", 4).name, file_of("formal voice", "full").name
    ('new-facts-r4.json', 'formal-voice-full.json')
    """
    one_of("task", task, LAB_TASKS)
    if r not in RECORDED:
        raise ValueError(f"r must be one of {', '.join(map(str, RECORDED))}, got {r!r}.")
    return RUNS / f"{task.replace(' ', '-')}-{r if isinstance(r, str) else f'r{r}'}.json"


def load(task: str, r: int | str) -> Run:
    """Return a recorded run.

    Parameters
    ----------
    task : str
        One of LAB_TASKS.
    r : int or str
        One of RECORDED: a rank, or "full".

    Returns
    -------
    Run
        The finished run, its numbers rounded as the file has them.

    Raises
    ------
    ValueError
        If no such run is recorded, or its file is missing, damaged, of another run or of another base model.

    Examples
    --------
    >>> run = load("new facts", 4)
    >>> run.config["task"], run.config["r"], len(run.loss) == run.config["steps"]
    ('new facts', 4, True)
    """
    path = file_of(task, r)

    def build(data: dict[str, Any]) -> Run:
        run = _with_tuples(Run(**data))
        if run.config != asdict(config_of(task, r)) or not _is_whole(run):
            raise NotWhole("is not the whole of the run that its name says")
        return run

    return read_record(path, f"runs {path.stem}", build)


def _with_tuples(run: Run) -> Run:
    """Return a run as it was before JSON made lists of its tuples, its config checked."""
    config = config_from(run.config)
    strengths = dict(run.strengths)
    if strengths:
        strengths["samples"] = [tuple(texts) for texts in strengths["samples"]]
    samples = [tuple(texts) for texts in run.samples]
    return run._replace(
        config=asdict(config), samples=samples, strengths=strengths, base_samples=tuple(run.base_samples)
    )


def _is_whole(run: Run) -> bool:
    evaluated = (run.steps, run.validation_loss, run.base_loss, run.samples, run.right)
    per_step = (run.loss, *run.gradient_norms.values())
    adapted = run.config["method"] == "lora"
    return (
        run.finished
        and all(len(values) == run.config["steps"] for values in per_step)
        and len({len(values) for values in evaluated}) == 1
        and run.steps[-1:] == [run.config["steps"]]
        and set(run.strengths) == (set(Evaluation._fields) if adapted else set())
        and all(len(values) == len(STRENGTHS) for values in run.strengths.values())
    )


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _rounded(run: Run) -> Run:
    """Return a run with as many digits as a figure can show."""

    def losses(values: list[float]) -> list[float]:
        return [round(loss, DECIMALS) for loss in values]

    strengths = {
        name: losses(values) if name.endswith("loss") else values for name, values in run.strengths.items()
    }
    if strengths:
        strengths["right"] = _shares(strengths["right"])
    digits: dict[str, Any] = {
        name: {key: [float(f"{x:.{DIGITS}g}") for x in values] for key, values in getattr(run, name).items()}
        for name in ("gradient_norms", "spectra")
    }
    told: dict[str, Any] = {
        name: losses(getattr(run, name)) for name in ("loss", "validation_loss", "base_loss")
    }
    right = _shares(run.right)
    told |= {
        "right": right,
        "seconds": round(run.seconds, 2),
        "tokens_per_second": float(round(run.tokens_per_second)),
    }
    return run._replace(**told, **digits, strengths=strengths)


def _shares(rights: list[Any]) -> list[dict[str, float]]:
    return [{name: round(share, DECIMALS) for name, share in right.items()} for right in rights]


def _trained(path: Path, task: str, r: int | str) -> str:
    """Train and write one run, and return what there is to say about it."""
    from compute.training.loop import train

    config = config_of(task, r)
    # Whatever else the machine does must not count: the clock of a run is that of this process's one thread.
    run = _rounded(collect(config, train(config, clock=time.process_time)))
    if not run.finished:
        sys.exit(f"{path.stem} diverged: {run.diverged}")
    write_record(path, run._replace(recorded=recorded_here(run.device))._asdict())
    losses = f"validation loss {run.validation_loss[-1]:.3f}, base loss {run.base_loss[-1]:.3f}"
    return f"{path.stem}: {losses}, {run.right[-1]}, {run.seconds:.1f} s"


def _make(names: list[str]) -> None:
    wanted = {path: ALL[path] for path in ALL if not names or path.stem in names}
    bar = Bar(len(wanted))
    RUNS.mkdir(exist_ok=True)
    with processes() as pool:
        for done in as_completed([pool.submit(_trained, path, *of) for path, of in wanted.items()]):
            bar.did(done.result())


ALL = {file_of(task, r): (task, r) for task in LAB_TASKS for r in RECORDED}
RECIPE = Recipe("runs", __doc__, 13, (RUNS,), _make, "RUN", tuple(path.stem for path in ALL))
if __name__ == "__main__":
    RECIPE.run()

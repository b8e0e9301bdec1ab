"""What the lab shows: a LoRA run beside a full finetuning of the same task, recorded or being trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from compute.experiments.runs import FULL, RECORDED_RANKS
from compute.training.config import AWAY_FROM_BASE
from compute.training.gathered import Run
from widgets.kit.runs import runs_of
from widgets.kit.text import fill, slug
from widgets.lab.words import METHOD_NAMES, NAMES, OTHER_LENGTH, RECORDED, SIZED, WITH_RANK

# The live pairs that somebody looks at, by what they hold: all who look at the same runs have one pair, drawn once.
_pairs: WeakValueDictionary[tuple[int, int, int, bool], "Pair"] = WeakValueDictionary()

DIGITS = 4  # of a share, here and in the browser
MOST_STEPS = 2000  # of a live run: it takes about a minute


class Sweep(NamedTuple):
    """Finished runs over r, by the rank, and the full finetuning that is their floor, with their names."""

    names: Mapping[str, str]
    runs: Mapping[int, Run]
    full: Run


@dataclass(frozen=True, eq=False)
class Pair:
    """Two runs, each with its name in the figure. `lora` may be a run of any method but full finetuning.

    `last` is where the axis of steps ends, `reached` how far the runs have come that are being trained; `whole` says
    that none of them is.
    """

    lora: Run
    full: Run
    names: Mapping[str, str]
    last: int
    reached: int
    whole: bool
    sweep: Sweep

    @property
    def task(self) -> str:
        """The task that both learn, as compute.world.tasks calls it."""
        return self.lora.config["task"]

    @property
    def sized(self) -> str:
        """The name of the first run, with its size."""
        return sized(self.lora, self.names["lora"])


def sized(run: Run, name: str = "") -> str:
    """Return the name of a run's method, or another name, with its size."""
    method = run.config["method"]
    return fill(SIZED.get(method, WITH_RANK), {"name": name or METHOD_NAMES[method], "r": run.config["r"]})


def place_of(method: str) -> str:
    """Return the name of the place in a pair that a method has."""
    return method if method in NAMES else "lora"


def recorded_sweep(task: str) -> Sweep:
    """Return the recorded runs of a task at every r."""
    runs = runs_of(slug(task))
    return Sweep(NAMES, {r: runs[str(r)] for r in RECORDED_RANKS}, runs[FULL])


def recorded_pair(task: str, r: int) -> Pair:
    """Return the recorded run at one r beside the recorded full finetuning."""
    sweep = recorded_sweep(task)
    lora = sweep.runs[r]
    return Pair(lora, sweep.full, NAMES, lora.steps[-1], lora.steps[-1], True, sweep)


def live_pair(runs: Mapping[str, Run], whole: bool, sweep: Sweep | None) -> Pair | None:
    """Return the runs that are being trained, by method, each beside a recorded one where the other is not trained.

    None while no run has shown anything.
    """
    begun = {name: run for name, run in runs.items() if run.steps}
    if not begun:
        return None
    first = next(iter(runs.values()))
    task, steps = first.config["task"], first.config["steps"]
    stored = recorded_sweep(task)
    shown = {"lora": stored.runs[4], "full": stored.full} | begun
    place = (
        id(shown["lora"]),
        id(shown["full"]),
        id(sweep),
        whole,
    )  # a pair keeps what it holds, and its place with it
    if pair := _pairs.get(place):
        return pair
    names = {name: _name(name, run, name in begun, steps) for name, run in shown.items()}
    pair = _pairs[place] = Pair(
        **{name: shown[name] for name in NAMES},
        names=names,
        last=steps,
        reached=min(run.steps[-1] for run in begun.values()),
        whole=whole,
        sweep=sweep
        or stored._replace(names={key: fill(RECORDED, {"name": name}) for key, name in NAMES.items()}),
    )
    return pair


def _name(name: str, run: Run, trained: bool, steps: int) -> str:
    if trained:
        return METHOD_NAMES[run.config["method"]]
    told = fill(RECORDED, {"name": NAMES[name]})
    return told if run.steps[-1] == steps else fill(OTHER_LENGTH, {"name": told, "steps": run.steps[-1]})


def shipped(run: Run, whole: bool) -> dict[str, Any]:
    """Return what the browser needs of a run: its curves at once, the rest when no run is being trained any more."""
    return {
        "loss": _short(run.loss),
        "steps": run.steps,
        "validation_loss": _short(run.validation_loss),
        **{name: [round(each[name], DIGITS) for each in run.right] for name in ("task", "facts", "stories")},
        "diverged": run.diverged and run.diverged["step"],
        "samples": run.samples,
        # A model that starts as the base writes as the base does; what another one's base writes is known at the end.
        "base_samples": run.base_samples or (() if _starts_elsewhere(run) else run.samples[0]),
        "trainable": run.trainable,
        "bytes": run.bytes,
        "seconds": run.seconds,
        "spectra": run.spectra if whole else {},
    }


def _starts_elsewhere(run: Run) -> bool:
    return run.config["init"] in AWAY_FROM_BASE or run.config["method"] == "soft prompt"


def _short(losses: Sequence[float]) -> list[float]:
    return [round(loss, 4) for loss in losses]

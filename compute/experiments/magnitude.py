"""Updates taken apart: how far finetuning turned the rows of each weight, and how far it changed their length.

LoRA at three ranks and full finetuning learn two tasks of the world, as they do in compute.experiments.forgetting, and
each at the rate that was best there. At four moments every layer's change is taken apart; five seeds. All cores are
used, and a recording that is stopped goes on where it was when the command is given again.
"""

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.forgetting import FULL, RANKS, SEEDS, TASKS, config_of, load_forgetting
from compute.experiments.making import Bar, Recipe, kept_runs, processes
from compute.matrices.row_changes import Split, split_change
from compute.model.layers import LAYERS
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record

if TYPE_CHECKING:
    import numpy as np

    from compute.model.gpt import GPT

PATH = RECORDS / "magnitude.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
WAYS = (*(f"r = {r}" for r in RANKS), FULL)
MOMENTS = 4  # of a run, at equal distances, the last of them its end
DIGITS = 3  # significant ones, of both parts of a change


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    splits : dict of str to dict of str to list of list of list of Split
        By task and by one of WAYS: for each of SEEDS and each moment, the change of each of LAYERS.
    """

    recorded: str
    splits: dict[str, dict[str, list[list[list[Split]]]]]


def moments(task: str) -> tuple[int, ...]:
    """Return after how many updates the changes of a task are taken apart.

    Parameters
    ----------
    task : str
        One of `compute.experiments.forgetting.TASKS`.

    Returns
    -------
    tuple of int
        MOMENTS of them.

    Examples
    --------
    >>> moments("new facts")
    (50, 100, 150, 200)
    """
    steps = TASKS[task]["steps"]
    return tuple(steps * (i + 1) // MOMENTS for i in range(MOMENTS))


def _built(data: dict[str, Any]) -> Recorded:
    splits = {
        task: {
            way: [[[Split(*each) for each in layers] for layers in over] for over in seeds]
            for way, seeds in ways.items()
        }
        for task, ways in data["splits"].items()
    }
    if {task: tuple(ways) for task, ways in splits.items()} != dict.fromkeys(TASKS, WAYS):
        raise NotWhole
    runs = [seeds for ways in splits.values() for seeds in ways.values()]
    if any([[len(layers) for layers in over] for over in seeds] != _SHAPE for seeds in runs):
        raise NotWhole
    return Recorded(data["recorded"], splits)


load_magnitude = reader(PATH, "magnitude", _built)


_SHAPE = [[len(LAYERS)] * MOMENTS] * len(SEEDS)


class _Setting(NamedTuple):
    """Say which run."""

    task: str
    way: str
    rate: float
    seed: int


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _taken_apart(asked: _Setting) -> list[list[tuple[float, float]]]:
    """Return both parts of the change of each layer at each moment of a run."""
    from compute.adapters.layer import merge
    from compute.model.checkpoint import load_base
    from compute.training.loop import prepare, updates

    base, config, at = load_base(), config_of(*asked), moments(asked.task)
    model, before = prepare(config, base), _weights(base)
    # The k-th loss, counted from 0, comes after k updates, and the None after all of them.
    made = enumerate(itertools.chain(updates(model, config), [None]))
    afters = (_weights(merge(model)) for count, _ in made if count in at)
    return [[_short(split_change(before[layer], after[layer])) for layer in LAYERS] for after in afters]


def _weights(model: "GPT") -> dict[str, "np.ndarray"]:
    """Return the weights of the linear layers of the blocks."""
    return {layer: model.get_submodule(layer).weight.detach().double().numpy().copy() for layer in LAYERS}


def _short(split: Split) -> tuple[float, float]:
    """Return both parts with as many digits as a figure can show."""
    magnitude, direction = (float(f"{value:.{DIGITS}g}") for value in split)
    return magnitude, direction


def _make(_: list[str]) -> None:
    best = {(task, way): load_forgetting().best(task, way) for task in TASKS for way in WAYS}
    wanted = [_Setting(*of, rate, seed) for of, rate in best.items() for seed in SEEDS]
    with processes() as pool:
        found = kept_runs(KEPT, wanted, _taken_apart, Bar(len(wanted)), pool, lambda asked, _: str(asked))
    splits = {
        task: {way: [found[_Setting(task, way, best[task, way], seed)] for seed in SEEDS] for way in WAYS}
        for task in TASKS
    }
    write_record(PATH, {"recorded": recorded_here(), "splits": splits})
    KEPT.unlink()


RECIPE = Recipe("magnitude", __doc__, 5, (PATH,), _make, after=("world", "forgetting"))
if __name__ == "__main__":
    RECIPE.run()

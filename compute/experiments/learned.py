"""Matrices that the mini-model really learned in full finetuning.

The recorded runs of full finetuning are trained again, about 20 seconds each, and delta_w is kept of the layers that
the rank lesson takes apart. A matrix whose spectrum is not the recorded one is refused.
"""

import sys
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load as load_weights

from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.runs import FULL, load
from compute.matrices.svd import factorize
from compute.model.forward import base_weights
from compute.numbers.records import RECORDS, NotWhole, read_arrays, write_arrays
from compute.training.config import TrainConfig

FILE = RECORDS / "learned.safetensors"
SAME_SPECTRUM = 1e-3  # of the largest singular value: the record has four digits


class Origin(NamedTuple):
    """Tell where a learned matrix comes from.

    Attributes
    ----------
    task : str
        What the model was finetuned on, one of `compute.world.tasks.TASKS`.
    layer : str
        The linear layer whose change the matrix is.
    """

    task: str
    layer: str


# The block in the middle: one square matrix, and a tall one.
V_PROJ, UP_PROJ = "blocks.1.attention.v_proj", "blocks.1.mlp.up_proj"
LEARNED = {
    "formal-voice-v_proj": Origin("formal voice", V_PROJ),
    "formal-voice-up_proj": Origin("formal voice", UP_PROJ),
    "new-words-v_proj": Origin("new words", V_PROJ),
    "new-words-up_proj": Origin("new words", UP_PROJ),
}


def save_learned(path: Path, matrices: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
    """Write learned matrices and, under the same name with .json, what they are.

    Parameters
    ----------
    path : Path
        Name of the file of matrices, ending in .safetensors.
    matrices : dict of str to (out, in) ndarray of float32
        By the keys of LEARNED.
    notes : dict
        Whatever else the text should say: date, version of torch. Anything that JSON can hold.

    Notes
    -----
    The text holds task and layer of each matrix, the SHA-256 of the file of matrices, and that of the base model.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.safetensors")
    ...     save_learned(path, {"formal-voice-v_proj": np.eye(2, dtype=np.float32)}, {})
    ...     load_learned("formal-voice-v_proj", path).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    origins = {name: LEARNED[name]._asdict() for name in matrices}
    write_arrays(path, matrices, {"matrices": origins, **notes})


def load_learned(name: str, path: Path = FILE) -> np.ndarray:
    """Return delta_w of one layer, as full finetuning of the mini-model left it.

    Parameters
    ----------
    name : str
        A key of LEARNED.
    path : Path
        Name of the file of matrices. If left out, the one in assets/recorded.

    Returns
    -------
    (out, in) ndarray of float64
        Finetuned weight minus base weight. The file holds float32, as the model does.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is missing, damaged or of another base model.

    Notes
    -----
    The runs are those of assets/recorded/runs/<task>-full.json. The sum of the bytes is compared before anything reads
    them.

    Examples
    --------
    >>> {name: load_learned(name).shape for name in ("formal-voice-v_proj", "formal-voice-up_proj")}
    {'formal-voice-v_proj': (64, 64), 'formal-voice-up_proj': (256, 64)}
    """
    if name not in LEARNED:
        raise ValueError(f"name must be one of {', '.join(LEARNED)}, got {name!r}.")

    def build(matrices: dict[str, np.ndarray], about: dict[str, Any]) -> np.ndarray:
        if name not in matrices or about["matrices"][name] != LEARNED[name]._asdict():
            raise NotWhole(f"has no {name}")
        return matrices[name].astype(np.float64)

    return read_arrays(path, "learned", build)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _finetuned(task: str, bar: Bar) -> dict[str, np.ndarray]:
    """Return the weights at the end of the recorded run of full finetuning, trained again."""
    from compute.model.checkpoint import load_base

    end = finished(TrainConfig(**load(task, FULL).config), load_base())
    bar.did(f"{task}: {end.evaluation.validation_loss:.4f}")
    return load_weights(end.weights)


def _make(_: list[str]) -> None:
    before, tasks = base_weights().tensors, tuple(dict.fromkeys(each.task for each in LEARNED.values()))
    bar = Bar(len(tasks))
    after = {task: _finetuned(task, bar) for task in tasks}
    matrices = {}
    for name, (task, layer) in LEARNED.items():
        delta_w = after[task][f"{layer}.weight"] - before[f"{layer}.weight"].astype(np.float32)
        s, recorded = factorize(delta_w.astype(np.float64)).s, load(task, FULL).spectra[layer]
        off = np.abs(s - recorded).max() / recorded[0]
        if off > SAME_SPECTRUM:
            sys.exit(f"{name} is not what was recorded (off by {off:.1e}): make runs first.")
        matrices[name] = delta_w
    torch_version = version("torch").partition("+")[0]
    save_learned(FILE, matrices, {"torch": torch_version, "recorded": str(date.today())})


RECIPE = Recipe("learned", __doc__, 1, (FILE, FILE.with_suffix(".json")), _make, after=("runs",))
if __name__ == "__main__":
    RECIPE.run()

"""The base model on disk: safetensors beside a small text that says what they are, and no code in either."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import load, save

from compute.model.gpt import GPT, GPTConfig
from compute.numbers.records import WORLD, described
from compute.numbers.refusal import FileRefused
from compute.world.voices import vocabulary


def save_base(path: Path, model: GPT, notes: dict) -> None:
    """Write a model and, under the same name with .json, what it is.

    Parameters
    ----------
    path : Path
        Name of the file of weights, ending in .safetensors.
    model : GPT
        A plain model, without an adapter.
    notes : dict
        Whatever else the text should say: seed, steps, losses. Anything that JSON can hold.

    Notes
    -----
    The text holds the sizes of the model and the SHA-256 of the weights and of the vocabulary. Weights are written in
    the precision that they have.

    Examples
    --------
    >>> import tempfile, torch
    >>> model = GPT(GPTConfig(10), torch.Generator().manual_seed(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_base(Path(folder, "a.safetensors"), model, {"seed": 0})
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['a.json', 'a.safetensors']
    """
    weights = save({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()})
    about = {
        "config": asdict(model.config),
        **notes,
        "sha256": _sum(weights),
        "vocabulary": _vocabulary_sum(),
    }
    path.write_bytes(weights)
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def load_base(path: Path = WORLD) -> GPT:
    """Return a model that `save_base` wrote, in float32.

    Parameters
    ----------
    path : Path
        Name of the file of weights. If left out, the base model of the lessons.

    Returns
    -------
    GPT
        The model on the CPU, all its weights trainable.

    Raises
    ------
    FileRefused
        If the weights are not those that the text describes, or belong to another vocabulary.

    Notes
    -----
    The sum of the bytes is compared before anything reads them.

    Examples
    --------
    >>> load_base().config.n_layer
    3
    """
    weights, about = described(path)
    if about["vocabulary"] != _vocabulary_sum() or about["config"]["vocab_size"] != len(vocabulary()) + 1:
        raise FileRefused(
            f"{path.name} was trained on another vocabulary; run `python -m compute.experiments.world` again."
        )
    model = GPT(GPTConfig(**about["config"]))
    model.load_state_dict(load(weights))
    return model


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _vocabulary_sum() -> str:
    return _sum(" ".join(vocabulary()).encode())

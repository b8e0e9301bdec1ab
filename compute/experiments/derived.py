"""Figures derived from adapters that other people trained: shapes and singular values, never the weights.

Each folder is one of these adapters as PEFT saves it, with adapter_model.safetensors beside adapter_config.json. Their
weights are no part of this project, since their repositories state no licence; shapes and singular values, from which
no weight can be computed, are kept.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from compute.adapters.formats.contents import usable
from compute.adapters.formats.layers import factors
from compute.adapters.formats.reading import read_bytes
from compute.experiments.making import Recipe
from compute.matrices.svd import factorize_product
from compute.numbers.records import RECORDS, read_file

FILE = RECORDS / "adapters.json"
DIGITS = 4  # significant ones, of singular values
# By the name of the folder: the repository on GitHub, and the licence that it states.
ORIGINS = {
    "lora-imdb-distilbert": ("Tashu014/lora-imdb-distilbert", "none stated"),
    "peft-gpt2": ("anirudh-ak/peft-gpt2", "none stated"),
}


class DerivedLayer(NamedTuple):
    """Hold what is kept of one adapted layer.

    Attributes
    ----------
    shape : tuple of int
        (out, in) of delta_w, as lora_B and lora_A multiply.
    s : list of float
        The r singular values of lora_B @ lora_A, descending. The scaling is left out.
    """

    shape: tuple[int, int]
    s: list[float]


class DerivedAdapter(NamedTuple):
    """Hold what is kept of an adapter.

    Attributes
    ----------
    repository : str
        Where it was published, owner and name on GitHub.
    base_model : str
        What it was trained on.
    licence : str
        What its repository states.
    r : int
        Rank of each layer.
    lora_alpha : float
        Numerator of the scaling.
    layers : dict of str to DerivedLayer
        By name, in the order of the model.
    """

    repository: str
    base_model: str
    licence: str
    r: int
    lora_alpha: float
    layers: dict[str, DerivedLayer]


def derive(data: bytes) -> dict[str, DerivedLayer]:
    """Return the figures of each layer in an adapter file.

    Parameters
    ----------
    data : bytes
        A .safetensors file as PEFT saves it.

    Returns
    -------
    dict of str to DerivedLayer
        By the name of the layer; singular values with DIGITS digits.

    Raises
    ------
    FileRefused
        If `compute.adapters.formats.reading.read_bytes` cannot read the file, or a layer in it.

    Notes
    -----
    From r singular values and a shape no weight can be computed. The product is never formed
    (`compute.matrices.svd.factorize_product`).

    References
    ----------
    huggingface/peft, docs/source/developer_guides/checkpoint.md (names of the tensors).

    Examples
    --------
    >>> import numpy as np
    >>> from safetensors.numpy import save
    >>> pair = {"q.lora_B.weight": np.eye(6, 2), "q.lora_A.weight": np.diag([2.0, 1.0])}
    >>> derive(save(pair))
    {'q': DerivedLayer(shape=(6, 2), s=[2.0, 1.0])}
    """
    found = {}
    for name, layer in usable(read_bytes({"adapter_model.safetensors": data})).layers.items():
        s = factorize_product(*factors(layer)).s
        found[name] = DerivedLayer(layer.shape, [float(f"{value:.{DIGITS}g}") for value in s])
    return found


def load_derived(path: Path = FILE) -> dict[str, DerivedAdapter]:
    """Return the figures of the adapters, as they are in assets.

    Parameters
    ----------
    path : Path
        Name of the file. If left out, the one in assets/recorded.

    Returns
    -------
    dict of str to DerivedAdapter
        By the name of the adapter.

    Raises
    ------
    ValueError
        If the file is missing or damaged.

    Examples
    --------
    >>> {name: (adapter.r, len(adapter.layers)) for name, adapter in load_derived().items()}
    {'lora-imdb-distilbert': (8, 12), 'peft-gpt2': (8, 12)}
    """

    def adapters() -> dict[str, DerivedAdapter]:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: _adapter(**about) for name, about in data.items()}

    return read_file(path, "derived FOLDER...", adapters)


def _adapter(layers: dict[str, dict[str, Any]], **about: Any) -> DerivedAdapter:
    """Return an adapter as it was before JSON made lists of its tuples."""
    kept = {
        name: DerivedLayer((layer["shape"][0], layer["shape"][1]), layer["s"])
        for name, layer in layers.items()
    }
    return DerivedAdapter(**about, layers=kept)


def _derived(folder: Path) -> DerivedAdapter:
    """Return the figures of the adapter in a folder."""
    repository, licence = ORIGINS[folder.name]
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return DerivedAdapter(
        repository=repository,
        base_model=config["base_model_name_or_path"],
        licence=licence,
        r=config["r"],
        lora_alpha=config["lora_alpha"],
        layers=derive((folder / "adapter_model.safetensors").read_bytes()),
    )


def _make(names: list[str]) -> None:
    folders = [Path(name).resolve() for name in names]
    if {folder.name for folder in folders} != set(ORIGINS):
        sys.exit(f"name the folders of all of them, which are called {', '.join(ORIGINS)}")
    data = {}
    for folder in sorted(folders, key=lambda folder: folder.name):
        adapter = _derived(folder)
        layers = {layer: kept._asdict() for layer, kept in adapter.layers.items()}
        data[folder.name] = adapter._asdict() | {"layers": layers}
    FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")


RECIPE = Recipe("derived", __doc__, 1, (FILE,), _make, "FOLDER")
if __name__ == "__main__":
    RECIPE.run()

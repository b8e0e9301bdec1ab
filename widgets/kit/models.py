"""Published models as the instruments of costs know them: the choices, their names, and layers as code."""

import param

from compute.costs.architectures import ARCHITECTURES, block_matrices, target_modules
from widgets.kit.choices import one_of

MB = 10**6  # bytes
HIGHEST_RANK = 256
TARGET_LABELS = {
    "q-v": "q and v, as in the paper",
    "attention": "all of attention",
    "all-linear": "all linear layers",
}
TARGETS_SAID = TARGET_LABELS | {"q-v": "q and v"}


def model_choice(doc: str) -> param.Selector:
    """Return the choice of a model."""
    labels = {name: model.label for name, model in ARCHITECTURES.items()}
    return one_of(labels, default="llama-2-7b", label="Model", doc=doc)


def targets_choice() -> param.Selector:
    """Return the choice of the matrices that have an adapter."""
    doc = "Which matrices have an adapter."
    return one_of(TARGET_LABELS, default="all-linear", label="Adapters on", doc=doc)


def layers_in_code(model: str, targets: str) -> str:
    """Return the adapted layers of one block as Python writes them."""
    matrices = block_matrices(ARCHITECTURES[model])
    return repr({layer: matrices[layer] for layer in target_modules(ARCHITECTURES[model], targets)})

"""What the two figures of the reading share: names of tasks, runs and layers, and code that trains a run again."""

from collections.abc import Iterable

import param

from compute.experiments.paper import FULL, TASKS, VOICE
from compute.model.forward import PROJECTIONS
from compute.model.layers import layer_name
from compute.world.tasks import FACTS
from widgets.kit.choices import one_of
from widgets.kit.layers import BLOCK_NAMES
from widgets.kit.text import name_of, slug

TASK_LABELS = {slug(VOICE): "the formal voice", slug(FACTS): f"{TASKS[FACTS]['n_texts']} new facts"}
TASK_OF = {short: name_of(short) for short in TASK_LABELS}
LAYER_LABELS = {
    layer_name(block, projection): f"{projection}, {name} block"
    for block, name in enumerate(BLOCK_NAMES)
    for projection in PROJECTIONS
}
MIDDLE_QUERY = layer_name(1, "q_proj")  # the paper measured a query projection in the middle of its model

TRAIN = """# Run it in the folder of this project; it trains for about twenty seconds at most.
from compute.experiments.paper import config_of
from compute.model.checkpoint import load_base
from compute.training.loop import learned, prepare, updates
"""
TRAINED = """
base, config = load_base(), config_of("{task_name}", {run_name}, rate={rate}, seed=0)
model = prepare(config, base)
for _ in updates(model, config):
    pass
changes = {key: change.detach().double().numpy() for key, change in learned(model, base).items()}
W = {key: base.get_submodule(key).weight.detach().double().numpy() for key in changes}
"""


def task_choice(default: str) -> param.Selector:
    """Return the choice of a task."""
    return one_of(TASK_LABELS, default=default, label="Learned", doc="What the base was finetuned on.")


def run_choice(names: Iterable[int | str], doc: str) -> param.Selector:
    """Return the choice of one of some runs; r = 4 is among them."""
    return one_of({str(name): run_label(name) for name in names}, default="4", label="By", doc=doc)


def layer_choice(default: str, doc: str) -> param.Selector:
    """Return the choice of a layer."""
    return one_of(LAYER_LABELS, default=default, label="Layer", doc=doc)


def run_label(name: int | str) -> str:
    """Return what a run is called."""
    return "full finetuning" if name == FULL else f"LoRA r = {name}"


def run_of(value: str) -> int | str:
    """Return the name under which a run is recorded."""
    return int(value) if value.isdigit() else value


def in_code(name: int | str) -> str:
    """Return the name as Python writes it."""
    return str(name) if isinstance(name, int) else f'"{name}"'

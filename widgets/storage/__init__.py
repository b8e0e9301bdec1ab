"""The storage instrument: one base and an adapter for each task, against a whole model for each."""

from collections.abc import Iterable
from typing import Any

import param

from compute.costs.architectures import ARCHITECTURES, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import GB
from compute.costs.storing import BYTES, adapters_bytes, copies_bytes, most_saved
from widgets.kit.instrument import Instrument, Values
from widgets.kit.models import HIGHEST_RANK, MB, TARGETS_SAID, layers_in_code, model_choice, targets_choice
from widgets.kit.text import fill, fill_code
from widgets.storage.words import SNIPPET, WORDS

MOST_TASKS = 1000


class Storage(Instrument):
    """Compare what many tasks take on disk, as whole models and as adapters on one base.

    Both axes are logarithmic. Grey, the control: a full finetune for each task. Gold: one base and an adapter for each
    task, which stays flat until the adapters together are as large as the base. Left out: fewer bits for the base.
    """

    model = model_choice("Whose copies are counted.")
    targets = targets_choice()
    r = param.Integer(default=16, bounds=(1, HIGHEST_RANK), label="Rank r", doc="Rank of each adapter.")
    tasks = param.Integer(default=30, bounds=(1, MOST_TASKS), label="Tasks", doc="How many tasks are kept.")

    parts = ("model", "steps", "chart", "table", "code", "share")
    says = ("said",)
    pictured = ({"curve control": 1, "curve cost": 2},)

    def make_arrays(self) -> dict[str, Any]:
        """Return the sizes of all models: the browser multiplies them by r and tasks."""
        models = {
            name: {
                "label": model.label,
                "total": parameters(model),
                "n_layer": model.n_layer,
                "targets": {
                    targets: {
                        "said": said,
                        "per_rank": lora_numbers(model, targets, 1),
                        "layers": layers_in_code(name, targets),
                    }
                    for targets, said in TARGETS_SAID.items()
                },
            }
            for name, model in ARCHITECTURES.items()
        }
        sizes = {"k": HIGHEST_RANK, "bytes": BYTES, "most": MOST_TASKS, "stops": _stops()}
        return {"models": models, **sizes, "snippet": SNIPPET}

    def values(self, tasks: int) -> dict[str, Any]:
        """Return every number that the sentence may use; storage.js makes the same."""
        model, r = ARCHITECTURES[self.model], self.r
        copies, adapters = copies_bytes(model, tasks), adapters_bytes(model, self.targets, r, tasks)
        each = lora_numbers(model, self.targets, r) * BYTES
        return {
            "tasks": tasks,
            "label": model.label,
            "r": r,
            "targets": TARGETS_SAID[self.targets],
            "copies": copies / GB,
            "adapters": adapters / GB,
            "all_adapters": tasks * each / GB,
            "ratio": copies / adapters,
            "file": each / MB,
            "total": parameters(model),
            "each": each // BYTES,
            "per_rank": each // BYTES // self.r,
            "bytes": BYTES,
            "limit": most_saved(model, self.targets, r),
        }

    def shown_values(self) -> dict[str, Any]:
        """Return the numbers of the present tasks."""
        return self.values(self.tasks)

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        return fill(WORDS["sentence"], self.values(self.tasks))

    def rows(self) -> Iterable[Values]:
        """Return what some numbers of tasks take, the present one among them."""
        for tasks in sorted({*_stops(), self.tasks}):
            values = self.values(tasks)
            probed = {f"probed_{name}": values[name] for name in ("copies", "adapters", "ratio")}
            yield {"probed": tasks, **probed}

    def snippet(self) -> str:
        """Return Python code that prints the numbers of the sentence."""
        model = ARCHITECTURES[self.model]
        return fill_code(
            SNIPPET,
            {
                "layers": layers_in_code(self.model, self.targets),
                "n_layer": model.n_layer,
                "total": parameters(model),
                "tasks": self.tasks,
                "r": self.r,
                "bytes": BYTES,
            },
        )


def _stops() -> list[int]:
    """Return the numbers of tasks in the table: 1, 2, 5, 10 and so on."""
    return [first * 10**power for power in range(3) for first in (1, 2, 5)] + [MOST_TASKS]

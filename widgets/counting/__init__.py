"""The counting instrument: what full finetuning, LoRA and QLoRA train and keep in memory, for published models."""

from typing import Any

import param

from compute.costs.architectures import (
    ARCHITECTURES,
    Architecture,
    linear_numbers,
    parameters,
)
from compute.costs.counting import adapted_numbers, lora_numbers, model_break_even_rank
from compute.costs.memory import (
    CARDS,
    GB,
    LOGIT_BYTES,
    PRECISIONS,
    States,
    activation_bytes,
    cards_needed,
    full_states,
    lora_states,
    nf4_bits,
    qlora_states,
    smallest_card,
)
from widgets.counting.words import (
    FUSED,
    METHODS,
    NEVER_RELEASED,
    PRECISION_LABELS,
    SNIPPET,
    WORDS,
)
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument
from widgets.kit.models import (
    HIGHEST_RANK,
    MB,
    TARGET_LABELS,
    TARGETS_SAID,
    layers_in_code,
    model_choice,
    targets_choice,
)
from widgets.kit.text import fill, fill_code


def _said(model: Architecture, targets: str) -> str:
    """Return what the sentence calls the adapted layers."""
    return "c_attn (q, k, v)" if (model.family, targets) == ("gpt2", "q-v") else TARGETS_SAID[targets]


class Counting(Instrument):
    """Count what full finetuning, LoRA and QLoRA train and keep, for a published model.

    Bars: bytes of weights, gradients, optimiser states and, outlined because they are an estimate, activations; the
    upright lines are sizes of cards. Curve: numbers trained against r, both axes logarithmic, with the break-even
    rank. Left out: fragmentation, buffers, the framework itself, and the block that is being recomputed.
    """

    model = model_choice("Whose numbers are counted.")
    targets = targets_choice()
    precision = one_of(
        PRECISION_LABELS,
        default="mixed",
        label="Precision",
        doc="How weights, gradients and Adam's states are kept.",
    )
    r = param.Integer(default=16, bounds=(1, HIGHEST_RANK), label="Rank r", doc="Rank of the adapters.")
    batch = one_of(
        {size: size for size in ("1", "4", "16")},
        default="1",
        label="Sequences at once",
        doc="Sequences in one step, for the activations.",
    )
    context = one_of(
        {str(size): f"{size:,d}" for size in (512, 1024, 2048, 4096, 8192)},
        default="2048",
        label="Tokens in each",
        doc="Tokens of a sequence, for the activations.",
    )
    scale = one_of(
        {"whole": "whole bars", "cards": "the cards"},
        default="whole",
        label="Axis shows",
        doc="Whether the longest bar or the largest card decides the axis.",
    )
    guess = guess_number(6)

    sheets = ("counting/counting",)
    parts = ("model", "steps", "guess", "memory", "numbers", "table", "code", "share")
    says = ("said",)
    pictured = ({"bars cost": 6, "bars control": 2},)

    def make_arrays(self) -> dict[str, Any]:
        """Return the sizes of all models: the browser multiplies them by r, bytes and tokens."""
        return {
            "k": HIGHEST_RANK,
            "models": {name: shipped(name) for name in ARCHITECTURES},
            "precisions": {name: each._asdict() for name, each in PRECISIONS.items()},
            "nf4": nf4_bits(),
            "cards": CARDS,
            "logits": LOGIT_BYTES,
            "snippet": SNIPPET,
        }

    def values(self, r: int) -> dict[str, Any]:
        """Return every number that a sentence about rank r may use; cost.js makes the same."""
        model, each = ARCHITECTURES[self.model], PRECISIONS[self.precision]
        total, trained = parameters(model), lora_numbers(model, self.targets, r)
        full, lora, qlora = (sum(states) for states in self.states(r).values())
        return {
            "r": r,
            "label": model.label,
            "targets": _said(model, self.targets),
            "total": total,
            "trained": trained,
            "per_rank": trained // r,
            "bytes": each.weights,
            "fewer": total / trained,
            "adapter_mb": trained * each.weights / MB,
            "model_gb": total * each.weights / GB,
            "full": full / GB,
            "lora": lora / GB,
            "qlora": qlora / GB,
            "less": full / lora,
            "context": self.tokens(),
            "activations": self.activations() / GB,
            "even": model_break_even_rank(model, self.targets),
            "largest": CARDS[-1],
        }

    def tokens(self) -> int:
        """Return the context that is counted: the chosen one, or the longest that the model reads."""
        return min(int(self.context), ARCHITECTURES[self.model].block_size)

    def activations(self) -> int:
        """Return the estimate of the activations in bytes."""
        return activation_bytes(ARCHITECTURES[self.model], int(self.batch), self.tokens(), self.precision)

    def states(self, r: int) -> dict[str, States]:
        """Return the bytes of weights, gradients and optimiser states by method."""
        model = ARCHITECTURES[self.model]
        total, trained = parameters(model), lora_numbers(model, self.targets, r)
        return {
            "full": full_states(total, self.precision),
            "lora": lora_states(total, trained, self.precision),
            "qlora": qlora_states(model, trained, self.precision),
        }

    def bars(self) -> list[dict[str, Any]]:
        """Return what a row of the table and the name of a bar may use, by method."""
        values = self.values(self.r)
        rows = []
        for method, states in self.states(self.r).items():
            size = sum(states) + self.activations()
            rows.append(
                {
                    "method": METHODS[method],
                    "method_trained": values["total"] if method == "full" else values["trained"],
                    **{name: part / GB for name, part in states._asdict().items()},
                    "extra": values["activations"],
                    "sum": size / GB,
                    "card": smallest_card(size),
                    "cards": cards_needed(size),
                    "largest": CARDS[-1],
                }
            )
        return rows

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        return fill(WORDS["sentence"], self.values(self.r))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the numbers behind the bars."""
        rows = []
        for row in self.bars():
            card = WORDS["tableCard"]["needs" if row["card"] is None else "fits"]
            rows.append([fill(cell, row) for cell in [*WORDS["tableRow"], card]])
        return self.words["tableHead"], rows

    def snippet(self) -> str:
        """Return Python code that prints the numbers of the sentence."""
        model, each = ARCHITECTURES[self.model], PRECISIONS[self.precision]
        return fill_code(
            SNIPPET,
            {
                "layers": layers_in_code(self.model, self.targets),
                "n_layer": model.n_layer,
                "total": parameters(model),
                "linear": linear_numbers(model),
                "r": self.r,
                "nf4": nf4_bits(),
                "weight": each.weights,
                "each": sum(each),
            },
        )


def shipped(name: str) -> dict[str, Any]:
    """Return what the browser needs of a model: sizes, and for each choice of targets what one unit of r costs."""
    model = ARCHITECTURES[name]
    total = parameters(model)
    more = {"gpt2": FUSED, "gpt3": NEVER_RELEASED}.get(model.family, "")
    return {
        "label": model.label,
        "note": fill(WORDS["note"], {**vars(model), "total": total, "more": more}),
        "total": total,
        "linear": linear_numbers(model),
        "n_layer": model.n_layer,
        "n_embd": model.n_embd,
        "vocab_size": model.vocab_size,
        "block_size": model.block_size,
        "targets": {
            targets: {
                "said": _said(model, targets),
                "per_rank": lora_numbers(model, targets, 1),
                "adapted": adapted_numbers(model, targets),
                "layers": layers_in_code(name, targets),
            }
            for targets in TARGET_LABELS
        },
    }

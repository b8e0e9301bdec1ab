"""The settings of a live run: the fields of its form, and from what a browser sends to checked configs."""

import json
from dataclasses import dataclass, replace
from typing import Any

from compute.experiments.runs import FULL, LAB_ALPHA, LAB_FACTS, LAB_RATES, RECORDED_RANKS
from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.numbers.quantising import FLOAT32
from compute.training.config import EVALUATE_EVERY, EVEN_RANK, INITS, OPTIMIZERS, SCALING_RULES, TrainConfig
from compute.world.tasks import FACTS, TRAINING_TEXTS
from widgets.finetune.words import ODD_RANK
from widgets.kit.instrument import said_under
from widgets.kit.languages import say
from widgets.kit.layers import BLOCK_NAMES
from widgets.kit.runs import LAB_LABELS
from widgets.kit.text import fill, name_of
from widgets.lab.pair import MOST_STEPS

METHODS = {
    "both": "LoRA and full finetuning",
    "lora": "LoRA",
    "full": "Full finetuning",
    "dora": "DoRA",
    "adalora": "AdaLoRA, r left on average",
    "vera": "VeRA",
    "lora-xs": "LoRA-XS",
    "ia3": "(IA)³",
    "bitfit": "BitFit",
    "bottleneck": "Bottlenecks of width r",
    "soft prompt": "Soft prompt of r vectors",
}
# What each method uses besides what all of them do.
USES = {
    "lora": ("r", "alpha", "scaling_rule", "init", "target_modules", "layers", "base_format"),
    "dora": ("r", "alpha", "scaling_rule", "target_modules"),
    "adalora": ("r", "alpha", "target_modules"),
    "vera": ("r", "target_modules"),
    "lora-xs": ("r", "target_modules"),
    "bottleneck": ("r",),
    "soft prompt": ("r",),
}
INIT_LABELS = {
    "B=0": "lora_B = 0 (usual)",
    "A=0": "lora_A = 0",
    "both zero": "both zero",
    "both random": "both random",
    "mixed": "mixed",
    "orthogonal": "orthogonal",
    "PiSSA": "PiSSA",
}
BASE_LABELS = {
    "float32": "float32 (usual)",
    "nf4": "NF4, four bits",
    "int4": "int4, four bits",
    "fp4": "FP4, four bits",
    "int3": "int3, seven levels",
    "int2": "int2, three levels",
}
LAYER_LABELS = {str(layer): name for layer, name in zip(BLOCKS, BLOCK_NAMES, strict=True)}
STEPS = (EVALUATE_EVERY, MOST_STEPS)
DEFAULT = TrainConfig()
MOST_FACTS = 2048  # new ones: what the largest recorded capacity was measured with

UNREADABLE = "These settings cannot be read. Reload the page to begin with the usual ones."
NOT_POSSIBLE = "{label} = {given} is not possible: {allowed}."
NO_MAP = "The map is of LoRA on one frozen base: {label} = {given} is not possible there."
ALLOWED = {
    "number": "from {low:,g} to {high:,g}",
    "whole": "a whole number from {low:,g} to {high:,g}",
    "stepped": "a whole number from {low:,g} to {high:,g}, in steps of {stride}",
}
NO_TARGET = "LoRA needs at least one of these to adapt: {label}. Tick one."

# Ranks, rates as multiples of the reader's, and seeds of a map: where all its runs train at once, and elsewhere.
MAPS: dict[str, tuple[tuple[int, ...], tuple[float, ...], int]] = {
    "cuda": ((1, 2, 4, 8, 16, 32), (0.25, 0.5, 1, 2, 4), 5)
}
SMALL_MAP: tuple[tuple[int, ...], tuple[float, ...], int] = (1, 4, 16), (0.25, 1, 4), 2


@dataclass(frozen=True)
class Field:
    """One setting: how a browser asks for it, what is allowed, and whether it stands among the first ones."""

    name: str
    label: str
    kind: str  # select, integer, number, check or checks
    default: Any
    allowed: Any = None  # [value, label] pairs, or the lowest and highest number
    stride: int = 1  # of an integer
    first: bool = False

    def refusal(self, value: Any) -> str:
        """Say what is wrong with a value, or nothing."""
        if self.kind == "checks":
            known = isinstance(value, list) and all(isinstance(each, str) for each in value)
            if not known or not {*value} <= {name for name, _ in self.allowed}:
                return say(UNREADABLE)
            return "" if value else fill(NO_TARGET, {"label": self.label})
        if self.kind in ("select", "check"):
            choices = [True, False] if self.kind == "check" else [each for each, _ in self.allowed]
            return "" if type(value) in (str, bool) and value in choices else say(UNREADABLE)
        low, high = self.allowed
        kind = "stepped" if self.stride > 1 else "whole" if self.kind == "integer" else "number"
        told = fill(ALLOWED[kind], {"low": low, "high": high, "stride": self.stride})
        numeric = type(value) is int or (type(value) is float and self.kind == "number")
        if not numeric or not low <= value <= high or (self.stride > 1 and value % self.stride):
            return fill(NOT_POSSIBLE, {"label": self.label, "given": str(value)[:40], "allowed": told})
        return ""


def _pairs(names: Any) -> list[list[str]]:
    return [[name, name] for name in names]


FIELDS = [
    Field(
        "task",
        "Task",
        "select",
        FACTS,
        [[name_of(task), label] for task, (label, _) in LAB_LABELS.items()],
        first=True,
    ),
    Field("method", "Method", "select", "both", [[*pair] for pair in METHODS.items()], first=True),
    Field("facts", "New facts, where they are the task", "integer", LAB_FACTS, (1, MOST_FACTS), first=True),
    Field("r", "Rank r", "integer", 1, (1, 64), first=True),
    Field("steps", "Steps", "integer", DEFAULT.steps, STEPS, stride=EVALUATE_EVERY, first=True),
    Field("learning_rate", "Learning rate, adapter", "number", LAB_RATES["lora"], (1e-6, 10)),
    Field("full_learning_rate", "Learning rate, full", "number", LAB_RATES[FULL], (1e-6, 10)),
    Field("alpha", "alpha (2 r follows r)", "number", LAB_ALPHA, (0.01, 1024)),
    Field("scaling_rule", "Scaling", "select", "alpha/r", _pairs(SCALING_RULES)),
    Field("init", "The factors start with", "select", "B=0", [[init, INIT_LABELS[init]] for init in INITS]),
    Field(
        "optimizer",
        "Optimiser",
        "select",
        "adamw",
        [[name, name.replace("adamw", "AdamW").replace("sgd", "SGD")] for name in OPTIMIZERS],
    ),
    Field("seed", "Seed", "integer", 0, (0, 2**32 - 1)),
    Field("target_modules", "Adapted matrices", "checks", [*TARGET_MODULES], _pairs(TARGET_MODULES)),
    Field(
        "layers", "Adapted blocks", "checks", [*map(str, BLOCKS)], [[*pair] for pair in LAYER_LABELS.items()]
    ),
    Field("train_embeddings", "Embeddings learn too", "check", False),
    Field(
        "base_format",
        "LoRA's base is stored in",
        "select",
        FLOAT32,
        [[*pair] for pair in BASE_LABELS.items()],
    ),
    Field(
        "n_texts",
        "Texts to learn from, where they are not facts",
        "integer",
        DEFAULT.n_texts,
        (1, TRAINING_TEXTS),
    ),
    Field("base_share", "Share of base texts, 0 to 1", "number", DEFAULT.base_share, (0, 1)),
]


USUAL = {field.name: field.default for field in FIELDS}


def allow(steps: int) -> None:
    """Let a run have so many steps at most. Set before the first reader comes, as who serves wishes."""
    for at, field in enumerate(FIELDS):
        if field.name == "steps":
            FIELDS[at] = replace(field, default=min(DEFAULT.steps, steps), allowed=(EVALUATE_EVERY, steps))
            USUAL["steps"] = FIELDS[at].default


def read(text: str) -> dict[str, Any]:
    """Return the settings in a JSON text; raise ValueError with a sentence for what is not possible."""
    try:
        given = json.loads(text)
        values = {field.name: given[field.name] for field in FIELDS}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(say(UNREADABLE)) from None
    for field in FIELDS:
        if refusal := field.refusal(values[field.name]):
            raise ValueError(refusal)
    if values["init"] == EVEN_RANK and values["r"] % 2:
        raise ValueError(fill(ODD_RANK, {"r": values["r"]}))
    return values


def configs(settings: dict[str, Any]) -> dict[str, TrainConfig]:
    """Return the runs that the settings ask for, by method."""
    method = settings["method"]
    return {name: config(settings, name) for name in (("lora", "full") if method == "both" else (method,))}


def config(settings: dict[str, Any], method: str) -> TrainConfig:
    """Return one run; what full finetuning has no use for is left as it is, so that equal runs are one run."""
    common = {name: settings[name] for name in ("task", "steps", "seed", "optimizer")}
    common["n_texts"] = settings["facts" if settings["task"] == FACTS else "n_texts"]
    common["base_share"] = float(settings["base_share"])
    if method == "full":
        return TrainConfig(**common, method="full", learning_rate=float(settings["full_learning_rate"]))
    # In one order: the order in which a reader ticks them makes no other run.
    targets = tuple(name for name in TARGET_MODULES if name in settings["target_modules"])
    layers = tuple(block for block in BLOCKS if str(block) in settings["layers"])
    chosen = settings | {"alpha": float(settings["alpha"]), "target_modules": targets, "layers": layers}
    return TrainConfig(
        **common,
        **{name: chosen[name] for name in USES.get(method, ())},
        method=method,
        learning_rate=float(settings["learning_rate"]),
        train_embeddings=settings["train_embeddings"],
    )


def sweep(settings: dict[str, Any]) -> list[TrainConfig]:
    """Return the runs of a sweep over each r that the init can have, alpha / r as chosen, full finetuning last."""
    ranks = [r for r in RECORDED_RANKS if r % 2 == 0 or settings["init"] != EVEN_RANK]
    per_rank = settings["alpha"] / settings["r"]  # the reader's scaling, at every rank
    lowest, highest = next(field.allowed for field in FIELDS if field.name == "alpha")
    alphas = {r: min(max(per_rank * r, lowest), highest) for r in ranks}
    return [config(settings | {"r": r, "alpha": alphas[r]}, "lora") for r in ranks] + [
        config(settings, "full")
    ]


def grid(settings: dict[str, Any], device: str) -> list[TrainConfig]:
    """Return the runs of a map of rank and rate, alpha / r as chosen: one seed of every cell before the next.

    Raises ValueError with a sentence for settings that runs cannot have side by side.
    """
    for name, impossible in (("init", "PiSSA"), ("train_embeddings", True)):
        if settings[name] == impossible:
            field = next(field for field in FIELDS if field.name == name)
            given = "yes" if impossible is True else impossible
            raise ValueError(fill(NO_MAP, {"label": field.label, "given": given}))
    ranks, multiples, seeds = MAPS.get(device, SMALL_MAP)
    if settings["init"] == EVEN_RANK:
        ranks = tuple(r for r in ranks if r % 2 == 0)
    limits = {field.name: field.allowed for field in FIELDS}

    def within(name: str, value: float) -> float:
        low, high = limits[name]
        return float(f"{min(max(value, low), high):.3g}")

    rates = dict.fromkeys(within("learning_rate", settings["learning_rate"] * each) for each in multiples)
    first = settings["seed"]
    return [
        config(
            settings
            | {"r": r, "alpha": within("alpha", settings["alpha"] / settings["r"] * r)}
            | {"learning_rate": rate, "seed": (first + seed) % (limits["seed"][1] + 1)},
            "lora",
        )
        for seed in range(seeds)
        for r in ranks
        for rate in rates
    ]


def same_but_r(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two settings ask for runs that one curve over r may hold."""
    return (
        one.keys() == other.keys()
        and all(one[name] == other[name] for name in one.keys() - {"r", "alpha", "method"})
        and one["alpha"] / one["r"] == other["alpha"] / other["r"]
    )


def describe() -> dict[str, Any]:
    """Return the form for the browser."""
    names = ("name", "label", "kind", "default", "allowed", "stride", "first")
    fields = [{name: getattr(field, name) for name in names} for field in FIELDS]
    return {"fields": said_under(("label", "allowed"), fields)}

"""The trainer in the page: the reader's own browser finetunes the mini-model, and she watches it learn."""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import param

from compute.experiments.capacity import load_capacity
from compute.experiments.runs import load
from compute.experiments.tasks import load_tasks, way_of
from compute.matrices.svd import factorize
from compute.model.layers import BLOCKS, LAYERS
from compute.training.config import INITS, TrainConfig
from compute.world.tasks import FACTS, SKILL
from widgets.finetune.engine import engine
from widgets.finetune.words import ALPHAS, MATRICES, OPENED, SNIPPET, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.layers import BLOCK_NAMES, shape_of
from widgets.kit.runs import LAB
from widgets.kit.text import fill, fill_code, slug

TASKS = {slug(task): task for task in LAB}
COUNTS = (8, 32, 128, 512, 2048)
EVERY_EXAMPLE = "all"
RANKS = (1, 2, 4, 8, 16, 32, 64)
FULL = "full"
SEVERAL = 30  # pairs of random factors, for the band of their singular values
DIGITS = 4
EVERY = {SKILL: 10} | dict.fromkeys((task for task in LAB if task not in (FACTS, SKILL)), 25)
OFTEN = {"few": 128, "often": 5, "seldom": 25}  # of new facts: how many are few, and steps between two looks


class Finetune(Instrument):
    """Finetune the mini-model in the browser, and watch factors, singular values, gradients and answers change.

    Teal is what is learned, vermilion what is lost of the old, grey the controls: the floor of the loss, and the
    singular values of random factors. Left out: larger models.
    """

    task = one_of(
        {key: LAB[task][0] for key, task in TASKS.items()},
        default=slug(FACTS),
        label="Task",
        doc="What the base is finetuned on.",
    )
    facts = one_of(
        {str(n): f"{n:,d}" for n in COUNTS},
        default="32",
        label="New facts",
        doc="How many new facts there are to learn.",
    )
    examples = one_of(
        {EVERY_EXAMPLE: f"{TrainConfig.n_texts:,d}", "16": "16", "64": "64", "256": "256"},
        default=EVERY_EXAMPLE,
        label="Texts to learn from",
        doc="How many texts of the task there are to train on.",
    )
    size = one_of(
        {str(r): f"LoRA, r = {r}" for r in RANKS} | {FULL: "full finetuning"},
        default="1",
        label="What learns",
        doc="The rank of the adapters, or full for all weights of the model.",
    )
    rate = one_of(
        {"best": "the best that was measured"}
        | {f"{rate:g}": f"{rate:g}" for rate in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)},
        default="best",
        label="Learning rate",
        doc="Step size; best is what the recorded grids of LoRA chose for this task and rank.",
    )
    alpha = one_of(ALPHAS, default="2r", label="alpha", doc="Numerator of the scaling.")
    rule = one_of(
        {"r": "alpha / r", "root": "alpha / √r"}, default="r", label="Scaling", doc="The rule of the scaling."
    )
    matrices = one_of(
        {key: label for key, (label, _) in MATRICES.items()},
        default="all",
        label="Matrices",
        doc="Which matrices have an adapter.",
    )
    blocks = one_of(
        {"all": "all"} | {str(block): BLOCK_NAMES[block] for block in BLOCKS},
        default="all",
        label="Blocks",
        doc="In which blocks they have one.",
    )
    init = one_of({each: each for each in INITS}, default="B=0", label="Start", doc="How the factors start.")
    optimizer = one_of(
        {"adamw": "AdamW", "sgd": "SGD"}, default="adamw", label="Optimiser", doc="What makes the updates."
    )
    lengths = one_of(
        {"no": "as the factors leave them", "yes": "learn, too: DoRA"},
        default="no",
        label="Lengths of the rows",
        doc="Whether the length of every row of a weight learns beside the factors. Then they start with B=0.",
    )
    embeddings = one_of(
        {"no": "frozen", "yes": "learn, too"},
        default="no",
        label="Embeddings",
        doc="Whether the embeddings and lm_head learn beside the adapters.",
    )
    mixed = one_of(
        {str(share): f"{share} %" for share in (0, 25, 50)},
        default="0",
        label="The base's own texts",
        doc="What share of each step's texts they are.",
    )
    batch = param.Integer(default=32, bounds=(1, 128), label="Texts a step", doc="Texts in each step.")
    steps = param.Integer(default=300, bounds=(1, 5000), label="Steps", doc="Updates in all.")
    seed = param.Integer(
        default=0, bounds=(0, 9999), label="Seed", doc="Of the start and the order of texts."
    )
    workers = one_of(
        {"1": "one", "2": "two", "4": "four"},
        default="1",
        label="Workers",
        doc="How many share the texts of a step.",
    )
    layer = one_of(
        {name: name for name in LAYERS},
        default="blocks.1.attention.v_proj",
        label="Layer",
        doc="The layer whose factors are shown.",
    )
    pace = one_of(
        {"fast": "as fast as it can", "steady": "12 steps a second", "slow": "2 steps a second"},
        default="fast",
        label="Pace",
        doc="How fast it trains.",
    )

    parts = ("settings", "said", "table", "code", "share")
    says = ("labels", "sizes")
    sheets = ("finetune/finetune",)
    engine = staticmethod(engine)

    def count(self) -> int:
        """Return how many facts there are to learn, or texts to learn from."""
        if TASKS[self.task] == FACTS:
            return int(self.facts)
        return TrainConfig.n_texts if self.examples == EVERY_EXAMPLE else int(self.examples)

    def config(self) -> TrainConfig:
        """Return the run that is asked for; an orthogonal start with an odd rank is none."""
        return TrainConfig(**self.asked())

    def asked(self) -> dict[str, Any]:
        """Return the fields of the run that is asked for; finetune.js makes the same."""
        task = TASKS[self.task]
        common = {
            "task": task,
            "learning_rate": best_rates()[self.task][self.size] if self.rate == "best" else float(self.rate),
            "optimizer": self.optimizer,
            "steps": self.steps,
            "batch_size": self.batch,
            "seed": self.seed,
            "n_texts": self.count(),
            "base_share": int(self.mixed) / 100,
        }
        if self.size == FULL:
            return common | {"method": FULL}
        r = int(self.size)
        own = {"method": "dora"} if self.lengths == "yes" else {"init": self.init}
        return (
            common
            | own
            | {
                "r": r,
                "alpha": {"2r": 2 * r, "r": r}.get(self.alpha) or int(self.alpha),
                "scaling_rule": "alpha/r" if self.rule == "r" else "alpha/sqrt(r)",
                "target_modules": MATRICES[self.matrices][1],
                "layers": BLOCKS if self.blocks == "all" else (int(self.blocks),),
                "train_embeddings": self.embeddings == "yes",
            }
        )

    def make_arrays(self) -> dict[str, Any]:
        """Return what the page needs before it trains: names, rates, controls."""
        return {
            "tasks": TASKS,
            "labels": {key: LAB[task][0] for key, task in TASKS.items()},
            "sizes": {str(r): fill("LoRA with r = {r}", {"r": r}) for r in RANKS} | {FULL: "full finetuning"},
            "matrices": {key: names for key, (_, names) in MATRICES.items()},
            "rates": best_rates(),
            "every": EVERY | OFTEN,
            "known": known_before(),
            "floors": floors(),
            "random": random_spectra(),
            "usual": asdict(TrainConfig()),
            "snippet": SNIPPET,
            "opened": OPENED,
        }

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence before a run may use."""
        return {"label": LAB[TASKS[self.task]][0], "facts_before": known_before()}

    def sentence(self) -> str:
        """Say what there is before anything has been trained."""
        return fill(WORDS["sentences"]["before"], self.values())

    def rows(self) -> Iterable[Values]:
        """Return nothing: the numbers come in the browser."""
        return ()

    def snippet(self) -> str:
        """Return code that makes the same run with torch."""
        usual = asdict(TrainConfig())
        asked = usual | self.asked()
        given = [
            f"{name}={value!r}" for name, value in asked.items() if name == "task" or value != usual[name]
        ]
        return fill_code(SNIPPET, {"settings": ", ".join(given)})


@cache
def known_before() -> float:
    """Return the share of the facts asked about that the base has right."""
    return load(FACTS, 1).right[0]["facts"]


@cache
def best_rates() -> dict[str, dict[str, float]]:
    """Return the learning rate that was best where it was measured, by task and size; that of the nearest rank else."""
    capacity, tasks = load_capacity(), load_tasks()

    def measured(task: str) -> dict[int, float]:
        if task == FACTS:
            return {each.r: each.rate for each in capacity.held}
        ways = {each.way: each.rate for each in tasks.learned if each.task == task}
        return {0: ways[FULL]} | {r: ways[way_of(r)] for r in (1, 2, 4, 16, 64)}

    found: dict[str, dict[str, float]] = {}
    for key, task in TASKS.items():
        rates = measured(task)
        ranks = [r for r in rates if r]
        found[key] = {FULL: rates[0]} | {
            str(r): rates[min(ranks, key=lambda each: abs(np.log2(each / r)))] for r in RANKS
        }
    return found


@cache
def floors() -> dict[str, float]:
    """Return the lowest loss that a model can reach, by task; answers can be known for sure."""
    return {task: load_tasks().floor.get(task, 0.0) for task in LAB}


@cache
def random_spectra() -> dict[str, dict[str, list[list[float]]]]:
    """Return singular values of random factors' products, over their norm: low, middle, high, by shape and rank."""
    rng = np.random.default_rng(0)

    def band(many: int, few: int, r: int) -> list[list[float]]:
        drawn = []
        for _ in range(SEVERAL):
            product = rng.standard_normal((many, few))
            if r < few:
                product = rng.standard_normal((many, r)) @ rng.standard_normal((r, few))
            s = factorize(product).s[:r]
            drawn.append(s / np.linalg.norm(s))
        return [
            [round(float(value), DIGITS) for value in np.quantile(drawn, q, axis=0)]
            for q in (0.05, 0.5, 0.95)
        ]

    shapes = sorted({(max(shape), min(shape)) for shape in map(shape_of, LAYERS)})
    return {
        f"{many}x{few}": {str(r): band(many, few, r) for r in RANKS} | {FULL: band(many, few, few)}
        for many, few in shapes
    }

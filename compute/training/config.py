"""What a training run is asked for, and what it answers: plain values that every process can hold without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.numbers.quantising import FLOAT32
from compute.world.tasks import FACTS, TASKS, TRAINING_TEXTS

METHODS = (
    "lora",
    "full",
    "dora",
    "adalora",
    "vera",
    "lora-xs",
    "ia3",
    "bitfit",
    "bottleneck",
    "soft prompt",
)
CONTROLS = ("embeddings", "norms")  # parts of the model that learn alone; on no menu
SCALING_RULES = ("alpha/r", "alpha/sqrt(r)")
INITS = ("B=0", "A=0", "both zero", "both random", "mixed", "orthogonal", "PiSSA")
AWAY_FROM_BASE = ("both random",)  # with these the model does not start as it was
EVEN_RANK = "orthogonal"  # pairs directions, so that r must be even
OPTIMIZERS = ("adamw", "sgd")
BASE_FORMATS = (
    FLOAT32,
    "nf4",
    "int4",
    "fp4",
    "int3",
    "int2",
)  # of `compute.numbers.quantising.LEVELS`, but the first
EVALUATE_EVERY = 25  # steps; an evaluation takes as long as six
WATCHED = 50  # first steps of a run, in which `compute.training.first_steps` follows the factors
STRENGTHS = tuple(quarter / 4 for quarter in range(9))  # what delta_w is multiplied by, after a run: 0 to 2
_CHOICES = {
    "task": TASKS,
    "method": (*METHODS, *CONTROLS),
    "scaling_rule": SCALING_RULES,
    "init": INITS,
    "optimizer": OPTIMIZERS,
    "base_format": BASE_FORMATS,
}
_SOME_OF: dict[str, tuple] = {"target_modules": TARGET_MODULES, "layers": BLOCKS}
_RANGES = {
    "r": (1, 64),  # 64 is the width of the model: no delta_w has a higher rank
    "alpha": (0.01, 1024),
    "learning_rate": (1e-6, 10),
    "steps": (1, 5000),
    "batch_size": (1, 256),
    "seed": (0, 2**32 - 1),
    "n_texts": (1, TRAINING_TEXTS),
    "base_share": (0, 1),
}


@dataclass(frozen=True)
class TrainConfig:
    """Hold everything that decides a run: two runs with the same config are the same run.

    Attributes
    ----------
    task : str
        What to learn: one of `compute.world.tasks.TASKS`.
    method : str
        "lora", or "full" for full finetuning: every weight of the model learns. It has no use for r, alpha,
        scaling_rule, target_modules, layers, init, train_embeddings and base_format. Or another of METHODS
        (`compute.training.methods`): "dora" has no use for init and base_format, "adalora" for these and layers, "vera"
        and "lora-xs" for none of these, alpha and scaling_rule, the others for none of these and target_modules.
    r : int
        Rank of each adapter, 1 to 64; the rank that AdaLoRA leaves on average, the rows of VeRA's A, the side of
        LoRA-XS' square, the width of a bottleneck, the number of vectors in a soft prompt. "ia3" and "bitfit" have no
        size to choose, nor have the CONTROLS: "embeddings" (of the words, and lm_head) and "norms" (scales and
        biases).
    alpha : float
        Numerator of the scaling.
    scaling_rule : str
        "alpha/r" or "alpha/sqrt(r)".
    target_modules : tuple of str
        Which of TARGET_MODULES have an adapter, at least one.
    layers : tuple of int
        In which of BLOCKS they have one, at least one; PEFT calls it layers_to_transform.
    init : str
        How the factors start, one of INITS; "orthogonal" needs an even r.
    learning_rate : float
        Step size of the optimiser. LoRA wants a larger one than full finetuning does: five times here, in the recorded
        runs.
    optimizer : str
        "adamw" or "sgd".
    steps : int
        Number of updates.
    batch_size : int
        Texts in each step.
    seed : int
        Seed of the factors' start and of the order of the texts.
    train_embeddings : bool
        Whether the embeddings of the words and lm_head learn beside the adapter, whole.
    base_format : str
        What the frozen linear layers are stored in, one of BASE_FORMATS: in blocks of 64 where it is not "float32".
    n_texts : int
        Number of texts of the task that there are to train on, 1 to TRAINING_TEXTS: the first ones. Of "new facts"
        this is how many there are to learn.
    base_share : float
        Share of each step's texts that are the base's own, 0 to 1, rounded to whole texts.

    Raises
    ------
    ValueError
        If a field is not one of its choices, or out of its range.

    Examples
    --------
    >>> TrainConfig(task="medical voice", r=65)
    Traceback (most recent call last):
    ValueError: r must be between 1 and 64, got 65.
    """

    task: str = FACTS
    method: str = "lora"
    r: int = 4
    alpha: float = 8.0
    scaling_rule: str = "alpha/r"
    target_modules: tuple[str, ...] = TARGET_MODULES
    layers: tuple[int, ...] = BLOCKS
    init: str = "B=0"
    learning_rate: float = 5e-3
    optimizer: str = "adamw"
    steps: int = 300
    batch_size: int = 32
    seed: int = 0
    train_embeddings: bool = False
    base_format: str = FLOAT32
    n_texts: int = TRAINING_TEXTS
    base_share: float = 0.0

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}.")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (not isinstance(value, int) or isinstance(value, bool)):
                raise ValueError(f"{field.name} must be a whole number, got {value!r}.")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"{name} must be between {low} and {high}, got {value!r}.")
        if self.init == EVEN_RANK and self.r % 2:
            raise ValueError(f"init {EVEN_RANK} needs an even r, got {self.r}.")
        if not isinstance(self.train_embeddings, bool):
            raise ValueError(f"train_embeddings must be True or False, got {self.train_embeddings!r}.")
        for name, known in _SOME_OF.items():
            some = getattr(self, name)
            if not isinstance(some, tuple) or not some or not set(some) <= set(known):
                raise ValueError(f"{name} must be some of {', '.join(map(str, known))}, got {some!r}.")
            if len(set(some)) < len(some):
                raise ValueError(f"{name} must name each layer once, got {some!r}.")


def refuse_unused(config: TrainConfig, by: str, *unused: str) -> None:
    """Refuse a run that asks for something which would not happen.

    Parameters
    ----------
    config : TrainConfig
        What was asked for.
    by : str
        Who refuses, for the message.
    *unused : str
        Fields that change nothing there, and so must be as usual.

    Raises
    ------
    ValueError
        If one of these fields is not as usual.

    Examples
    --------
    >>> refuse_unused(TrainConfig(n_texts=64), "small_steps", "task", "n_texts")
    Traceback (most recent call last):
    ValueError: small_steps has no use for n_texts: leave it at 4096, not 64.
    """
    for field in fields(config):
        given = getattr(config, field.name)
        if field.name in unused and given != field.default:
            raise ValueError(
                f"{by} has no use for {field.name}: leave it at {field.default!r}, not {given!r}."
            )


def config_from(values: Mapping[str, Any]) -> TrainConfig:
    """Return a config from its fields as JSON has them.

    Parameters
    ----------
    values : dict
        Fields of a TrainConfig; what is a tuple there may be a list.

    Returns
    -------
    TrainConfig
        Fields that are not given are as usual.

    Raises
    ------
    ValueError
        If a field is not one of its choices, or out of its range.

    Examples
    --------
    >>> config_from({"target_modules": ["q_proj"], "layers": [0, 1, 2]}) == TrainConfig(
    ...     target_modules=("q_proj",)
    ... )
    True
    """
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return TrainConfig(**fields)


class Evaluation(NamedTuple):
    """Hold what a model can do at one moment of a run.

    Attributes
    ----------
    validation_loss : float
        On texts of the task that are not trained on, in nats per token.
    base_loss : float
        On texts of the base's own voices in their mix, in nats per token. What it gains in a run is forgetting.
    samples : tuple of str
        What the model writes, the same throws of the dice every time.
    right : dict of str to float
        As `compute.training.answers.shares` gives it; empty where a loss is not finite.
    """

    validation_loss: float
    base_loss: float
    samples: tuple[str, ...]
    right: dict[str, float] = {}

    @property
    def finite(self) -> bool:
        """Whether both losses are numbers."""
        return math.isfinite(self.validation_loss) and math.isfinite(self.base_loss)


class StepRecord(NamedTuple):
    """Hold one step of a run. Everything is measured before the step's update, and every number is finite.

    Attributes
    ----------
    step : int
        Updates made so far.
    loss : float
        On the texts of this step, in nats per token.
    gradient_norms : dict of str to float
        Frobenius norm of the gradients of all "lora_A" together, of all "lora_B", and of whatever else learns:
        "other".
    seconds : float
        Spent in the run so far, without the time that its reader took.
    tokens_per_second : float
        Trained on, so far, without the time for evaluations.
    evaluation : Evaluation or None
        At some steps, the first among them.
    """

    step: int
    loss: float
    gradient_norms: dict[str, float]
    seconds: float
    tokens_per_second: float
    evaluation: Evaluation | None


class Diverged(NamedTuple):
    """Hold the end of a run whose loss is no number any more, or worse than both its start and a blind guess.

    Attributes
    ----------
    step : int
        Updates made.
    loss : float or None
        The loss that ended the run, None if it is no finite number.
    last_loss : float or None
        The last one that was in bounds, None if there was none.
    """

    step: int
    loss: float | None
    last_loss: float | None


class Result(NamedTuple):
    """Hold the end of a run that went well, or what an opened adapter does.

    Attributes
    ----------
    step : int
        Updates made here; 0 for an adapter that was brought.
    seconds : float
        Spent until the model was finished, without the time that its reader took.
    evaluation : Evaluation
        Of the finished model.
    base_evaluation : Evaluation
        Of the base model, on the same texts and with the same throws of the dice.
    strengths : tuple of Evaluation
        Of the base with strength * delta_w, for each of STRENGTHS. Empty after full finetuning. Trained embeddings
        are taken over whole, whatever the strength.
    trainable : int
        Numbers that learned.
    total : int
        Numbers of the model with its adapter.
    spectra : dict of str to list of float
        Singular values of each delta_w that was learned, descending, by the name of its layer.
    weights : bytes
        A safetensors file: of LoRA and DoRA the adapter in PEFT's format, of any other method what has learned.
    adapter_config : str or None
        The text of PEFT's adapter_config.json, None after any other method.
    device : str
        What the run was computed on: "cuda", "mps" or "cpu".
    """

    step: int
    seconds: float
    evaluation: Evaluation
    base_evaluation: Evaluation
    strengths: tuple[Evaluation, ...]
    trainable: int
    total: int
    spectra: dict[str, list[float]]
    weights: bytes
    adapter_config: str | None
    device: str

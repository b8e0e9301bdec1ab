"""The lab instrument: watch LoRA and full finetuning learn the same task from the same base, side by side."""

from functools import cache
from typing import Any, ClassVar

import param

from compute.noise import noise_control
from compute.recorded import RECORDED_RANKS, Run, load
from widgets._instrument import Instrument, esm
from widgets._text import fill

KNOWN_VOICE = "The base has read a little of this voice."
# By the names of compute.voices, with a hyphen where an address can have no space.
TASKS = {
    "legal": ("Legal voice", KNOWN_VOICE),
    "medical": ("Medical voice", KNOWN_VOICE),
    "code": ("Code voice", KNOWN_VOICE),
    "dialect": (
        "Dialect",
        "Plain sentences with a third of all words exchanged. The base has never read it.",
    ),
    "new-language": (
        "New language",
        "Plain sentences with every word exchanged. The base has never read it.",
    ),
}
CLOSE = 0.02  # nats: the guess is about coming this close to the largest r
STEPS = 300
LAYERS = [
    f"blocks.{block}.{layer}"
    for block in range(3)
    for layer in (
        *(f"attention.{name}_proj" for name in "qkvo"),
        "mlp.up_proj",
        "mlp.down_proj",
    )
]

WORDS: dict[str, Any] = {
    "sentence": (
        "After {step} steps on “{label}”, LoRA with r = {r} is at {lora_loss:.2f} nats per token on sentences it has "
        "not seen, full finetuning at {full_loss:.2f}. On the base's own voices LoRA went from {base_before:.2f} to "
        "{lora_base:.2f}, full finetuning to {full_base:.2f}."
    ),
    "stepLabel": "Step",
    "layerLabel": "Layer",
    "readouts": {
        "trainable": "Numbers trained, r = {r}",
        "full": "Numbers trained, full",
        "file": "Adapter file",
        "time": "Time of the run",
    },
    "readoutValues": {
        "trainable": "{trainable:,d}",
        "full": "{full_trainable:,d}",
        "file": "{kilobytes:,.0f} kB",
        "time": "{seconds:.1f} s",
    },
    "curves": {"lora": "LoRA", "full": "full finetuning", "noise": "noise"},
    "charts": {
        "validation": {
            "title": "Loss on the task, unseen sentences (nats per token)",
            "x": "step",
            "probe": "step {step}: LoRA {lora_loss:.2f}, full finetuning {full_loss:.2f}",
        },
        "loss": {
            "title": "Loss on the sentences it trains on",
            "x": "step",
            "probe": "step {step}: LoRA {lora_train:.2f}, full finetuning {full_train:.2f}",
        },
        "base": {
            "title": "Forgetting: loss on the base's own voices",
            "x": "step",
            "probe": "step {step}: LoRA {lora_base:.2f}, full finetuning {full_base:.2f}",
        },
        "knee": {
            "title": "Final loss on the task against r (nats; the axis does not start at zero)",
            "x": "rank r",
            "probe": "r = {rank}: {rank_loss:.2f} nats; full finetuning {floor:.2f}",
        },
        "spectrum": {
            "title": "Singular values of delta_w in this layer, over their norm",
            "x": "direction",
            "probe": "direction {direction}: full finetuning {share:.3f}, noise {noise:.3f}",
        },
    },
    "samples": {"base": "The base writes", "adapted": "With the adapter, after {step} steps"},
    "guess": {
        "question": (
            "Guess first. “{label}”: which of r = {ranks} is the first whose final loss comes within {tolerance} nats "
            "of that of the largest?"
        ),
        "field": "My guess: r =",
        "reveal": "Reveal",
        "skip": "Skip",
        "again": "Guess for this task",
        "right": "You said r = {guess} for “{label}”, and r = {truth} it is.",
        "tooLow": "You said r = {guess} for “{label}”. It takes more: r = {truth}.",
        "tooHigh": "You said r = {guess} for “{label}”. Fewer do: r = {truth}.",
        "truthMark": "r = {knee}",
    },
    "tableHead": ["step", "LoRA: task", "full: task", "LoRA: base voices", "full: base voices"],
    "tableRow": ["{step}", "{lora_loss:.3f}", "{full_loss:.3f}", "{lora_base:.3f}", "{full_base:.3f}"],
    "downloads": {"curves": "Curves (CSV)", "sweep": "Losses against r (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.run import TrainConfig
from compute.train import train

*steps, result = train(TrainConfig(task={task}, r={r}))
print(f"loss on unseen sentences: {result.evaluation.validation_loss:.2f} nats per token")
"""


@cache
def _runs(task: str) -> dict[str, Run]:
    """Return the recorded runs of a task by rank, "full" among them."""
    return {str(r): load(task.replace("-", " "), r) for r in (*RECORDED_RANKS, "full")}


@cache
def _noise(shape: tuple[int, int]) -> list[list[float]]:
    return [[round(float(value), 4) for value in row] for row in noise_control(shape).s]


def _shape(layer: str) -> tuple[int, int]:
    """Return the shape of a layer of the mini-model by its name."""
    wide = {"up_proj": (256, 64), "down_proj": (64, 256)}
    return wide.get(layer.rpartition(".")[2], (64, 64))


class Lab(Instrument):
    """Replay a LoRA run beside a full finetuning of the same task.

    Three curves over the steps: loss on the task, on the sentences trained on, on the base's own voices. Teal is
    LoRA, grey the control: full finetuning. Below: the final loss against r, and the singular values of what was
    learned beside those of noise. Left out: other learning rates, which the live part has.
    """

    task = param.Selector(
        default="legal",
        objects={label: task for task, (label, _) in TASKS.items()},
        label="Task",
        doc="What the base is finetuned on.",
    )
    r = param.Selector(
        default="4",
        objects={str(r): str(r) for r in RECORDED_RANKS},
        label="Rank r",
        doc="Rank of the adapter.",
    )
    step = param.Integer(default=STEPS, bounds=(0, STEPS), label="Step", doc="How far the run is replayed.")
    layer = param.Selector(
        default="blocks.1.mlp.up_proj",
        objects={name: name for name in LAYERS},
        label="Layer",
        doc="The layer whose delta_w is taken apart.",
    )
    guess = param.String(
        default="ask",
        regex=r"ask|skip|\d{1,2}",
        label="Guess",
        doc="the words ask and skip, or a rank",
    )

    script = "lab"
    title = "Watch it learn"
    caption = (
        "Both runs start from the same base and see the same sentences. Teal is LoRA, grey the control: full "
        "finetuning. Losses are means over sentences that no run trains on, in nats per token. The samples come from "
        "the same throws of the dice. Singular values: filled bars for full finetuning, the teal line for LoRA, the "
        "grey band for noise of the same shape. Left out: other learning rates, and what a larger model would do."
    )
    choices = ("task", "r", "step", "layer", "guess")
    keyed_by: ClassVar[tuple[str, ...]] = ("task", "r")
    parts = ("task", "steps", "guess", "samples", "sweep", "spectrum", "table", "code", "share")

    _esm = esm("lab")

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the recorded runs."""
        return [f"{task}-{r}" for task in TASKS for r in RECORDED_RANKS]

    @classmethod
    def published_words(cls) -> str:
        """Say which runs are recorded."""
        return f"r = {', '.join(map(str, RECORDED_RANKS))} for each task"

    def enclosed_words(self) -> str:
        """Say which runs the single file carries."""
        return f"the one run with r = {self.r}; the lesson has the others"

    def words(self) -> dict[str, Any]:
        """Return labels and templates."""
        return WORDS

    def _pair(self) -> tuple[Run, Run]:
        runs = _runs(self.task)
        return runs[self.r], runs["full"]

    def make_arrays(self) -> dict[str, Any]:
        """Return the two runs, the losses against r, and the noise beside the spectra."""
        lora, full = self._pair()
        runs = _runs(self.task)
        sweep = [runs[str(r)] for r in RECORDED_RANKS]
        label, note = TASKS[self.task]
        return {
            "key": f"{self.task}-{self.r}",
            "label": label,
            "note": f"{note} Recorded {lora.recorded}.",
            "r": int(self.r),
            "lora": shipped(lora),
            "full": shipped(full),
            "ranks": RECORDED_RANKS,
            "sweep": {
                "validation": [run.validation_loss[-1] for run in sweep],
                "base": [run.base_loss[-1] for run in sweep],
                "trainable": [run.trainable for run in sweep],
            },
            "knee": self.knee(),
            "tolerance": CLOSE,
            "noise": {
                "x".join(map(str, shape)): _noise(shape) for shape in {_shape(layer) for layer in LAYERS}
            },
            "shapes": {layer: "x".join(map(str, _shape(layer))) for layer in LAYERS},
            "snippet": self.snippet(),
        }

    def knee(self) -> int:
        """Return the smallest recorded r whose final loss is within CLOSE nats of that of the largest."""
        runs = _runs(self.task)
        largest = runs[str(RECORDED_RANKS[-1])].validation_loss[-1]
        return next(r for r in RECORDED_RANKS if runs[str(r)].validation_loss[-1] <= largest + CLOSE)

    def values(self, step: int) -> dict[str, Any]:
        """Return every number that a sentence about a step may use; widgets/lab.js makes the same."""
        lora, full = self._pair()
        at = max(i for i, known in enumerate(lora.steps) if known <= step)
        train = min(step, len(lora.loss) - 1)
        return {
            "step": lora.steps[at],
            "label": TASKS[self.task][0],
            "r": int(self.r),
            "lora_loss": lora.validation_loss[at],
            "full_loss": full.validation_loss[at],
            "lora_train": lora.loss[train],
            "full_train": full.loss[train],
            "base_before": lora.base_loss[0],
            "lora_base": lora.base_loss[at],
            "full_base": full.base_loss[at],
            "trainable": lora.trainable,
            "full_trainable": full.trainable,
            "kilobytes": lora.bytes / 1000,
            "seconds": lora.seconds,
        }

    def sentence(self) -> str:
        """Say in one sentence how far both runs have come."""
        return fill(WORDS["sentence"], self.values(self.step))

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the losses at each evaluation."""
        rows = [
            [fill(cell, self.values(step)) for cell in WORDS["tableRow"]] for step in self._pair()[0].steps
        ]
        return WORDS["tableHead"], rows

    def snippet(self) -> str:
        """Return code that trains the LoRA run again and prints its loss."""
        return fill(SNIPPET, {"task": repr(self.task.replace("-", " ")), "r": self.r})


def shipped(run: Run) -> dict[str, Any]:
    """Return what the browser needs of a run."""
    names = (
        "loss",
        "steps",
        "validation_loss",
        "base_loss",
        "samples",
        "base_samples",
        "trainable",
        "bytes",
        "seconds",
        "tokens_per_second",
        "spectra",
    )
    return {name: getattr(run, name) for name in names}

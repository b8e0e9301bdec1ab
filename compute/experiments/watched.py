"""One finetuning as a reader watches it: every loss and both gradients, and now and then answers and factors.

It is the run that the trainer in the page opens with, LoRA with r = 1 on new facts, recorded with torch for those whose
browser may not train. One seed: it shows what happens, and claims nothing.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.capacity import load_capacity
from compute.experiments.making import Recipe
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.training.config import TrainConfig
from compute.world.tasks import FACTS

if TYPE_CHECKING:
    from compute.model.gpt import GPT
    from compute.world.texts import Asked

PATH = RECORDS / "watched.json"
LAYER = "blocks.1.attention.v_proj"  # whose factors are kept
R, COUNT = 1, 32  # rank, and how many facts there are to learn
EVERY = 5  # steps between two looks
SHOWN = 4  # questions of each kind whose answers are kept
DECIMALS, DIGITS = 4, 3  # of shares and losses; significant ones of factors


class Watched(NamedTuple):
    """Hold a run.

    Attributes
    ----------
    recorded : str
        When and on what.
    scaling : float
        What the product of the factors is multiplied by.
    losses : list of float
        Of every step's texts, in nats per token, before its update.
    norms : list of list of float
        Of the same steps, the Frobenius norms of the gradients of all lora_A and of all lora_B.
    asked : list of dict of str to str
        SHOWN questions on the new facts: "question", "answer".
    old : list of dict of str to str
        As many on facts that the base knew.
    evaluations : list of dict
        After every EVERY updates and at the end: "step", "loss", "base_loss" and the shares of
        `compute.training.answers.shares`; under "asked" and "old" the words that the model said.
    frames : list of dict
        At the same moments: "step", the factors of LAYER row by row, "lora_A" and "lora_B", and the singular values
        "s" of its delta_w.
    """

    recorded: str
    scaling: float
    losses: list[float]
    norms: list[list[float]]
    asked: list[dict[str, str]]
    old: list[dict[str, str]]
    evaluations: list[dict[str, Any]]
    frames: list[dict[str, Any]]


@cache
def config() -> TrainConfig:
    """Return what is asked for: the learning rate is the one that was best for so many facts.

    Examples
    --------
    >>> config().r, config().steps
    (1, 300)
    """
    rates = {each.r: each.rate for each in load_capacity().held}
    return TrainConfig(task=FACTS, r=R, alpha=2 * R, learning_rate=rates[R], n_texts=COUNT)


def _built(data: dict[str, Any]) -> Watched:
    run = Watched(**data)
    steps = config().steps
    looks = [*range(0, steps, EVERY), steps]
    if len(run.losses) != steps or len(run.norms) != steps:
        raise NotWhole
    if any([each["step"] for each in some] != looks for some in (run.evaluations, run.frames)):
        raise NotWhole
    return run


load_watched = reader(PATH, "watched", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _make(_: list[str]) -> None:
    from compute.adapters.layer import delta_w
    from compute.matrices.svd import factorize
    from compute.model.checkpoint import load_base
    from compute.training.answers import known, last_story
    from compute.training.loop import PEOPLE, QUESTIONS, evaluate, prepare, updates
    from compute.world.tasks import asked
    from compute.world.tokens import readable

    run, base = config(), load_base()
    model, length = prepare(run, base), base.config.block_size
    layer = model.get_submodule(LAYER)
    questions = {
        "asked": _some(asked(FACTS, "validation", COUNT, length)),
        "old": _some(known("validation", QUESTIONS, PEOPLE, length)["facts"]),
    }
    losses, norms, evaluations, frames = [], [], [], []
    for step, loss in enumerate(itertools.chain(updates(model, run), [None])):
        if loss is not None:
            losses.append(round(loss, DECIMALS))
            norms.append([_norm(model, factor) for factor in ("lora_A", "lora_B")])
        if step % EVERY and loss is not None:
            continue
        found = evaluate(model, FACTS, COUNT)
        shares = {"loss": found.validation_loss, "base_loss": found.base_loss, **found.right}
        said = {kind: _said(model, some) for kind, some in questions.items()}
        evaluations.append({"step": step, **{k: round(v, DECIMALS) for k, v in shares.items()}, **said})
        factors = {name: _short(getattr(layer, name).detach().flatten()) for name in ("lora_A", "lora_B")}
        s = factorize(delta_w(layer).detach().double().numpy()).s[:R]
        frames.append({"step": step, **factors, "s": _short(s)})
    told = {
        kind: [{"question": readable(last_story(each.words)), "answer": each.answer} for each in some]
        for kind, some in questions.items()
    }
    record = Watched(
        recorded_here(), layer.scaling, losses, norms, told["asked"], told["old"], evaluations, frames
    )
    write_record(PATH, record._asdict())


def _some(questions: "Sequence[Asked]") -> "Sequence[Asked]":
    """Return some questions, spread over all; the distance is odd, so that they are not always of the same kind."""
    return questions[:: max(1, len(questions) // SHOWN | 1)][:SHOWN]


def _said(model: "GPT", some: "Sequence[Asked]") -> list[str]:
    from compute.world.batches import expected
    from compute.world.tokens import decode

    return decode(expected(model, some).argmax(-1).tolist())


def _norm(model: "GPT", factor: str) -> float:
    found = (p.grad for name, p in model.named_parameters() if name.endswith(factor))
    return _short([math.hypot(*(grad.norm().item() for grad in found if grad is not None))])[0]


def _short(values: Any) -> list[float]:
    return [float(f"{float(value):.{DIGITS}g}") for value in values]


RECIPE = Recipe("watched", __doc__, 1, (PATH,), _make, after=("capacity",))
if __name__ == "__main__":
    RECIPE.run()

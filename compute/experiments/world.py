"""The base model of the world: a small transformer that has read stories, facts and questions, and what it can do.

A run that is stopped goes on where it was when the command is given again. Weights are rounded to float16 before they
are measured and written, so that a page and torch hold the same model.
"""

import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compute.experiments.making import Recipe, telling
from compute.model.forward import base_weights, follow
from compute.numbers.bounds import one_of
from compute.numbers.records import WORLD, recorded_here
from compute.world.people import ATTRIBUTES, facts, old_people
from compute.world.stories import EVERY_STORY_QUESTION, TOLD, Source
from compute.world.tokens import encode
from compute.world.voices import BASE_VOICES, form

if TYPE_CHECKING:
    from compute.model.gpt import GPT, GPTConfig

SEED = 0
STEPS = 6000
SIZES = {"block_size": 64, "n_layer": 3, "n_head": 4, "n_embd": 64}
ASKED = 512  # questions of a kind, about stories that the base has not read
WEIGHED = 512  # texts of a voice
SHOWN, LIKELY = 8, 3  # questions of a kind that a reader can look at, and words that the model holds likely
FACTS = (*TOLD, "private")  # what is asked of each of the people that it knows
KEPT = WORLD.with_suffix(".unfinished")


@dataclass(frozen=True)
class Report:
    """Hold what the base can do, measured on stories that begin like none that it has read.

    Attributes
    ----------
    recorded : str
        When and on what.
    seconds : float
        Of the whole run.
    steps : int
        Updates.
    numbers : int
        That were trained.
    right : dict of str to dict of str to int
        Questions answered rightly, by voice of the story and kind; those on facts, which stand alone, by "facts".
    asked : dict of str to dict of str to int
        Of how many.
    loss : dict of str to float
        Nats a word on texts that follow those that it has read, by voice.
    floor : dict of str to float
        The entropy of the same texts: no model that sees only the words before can do better on average.
    shown : dict of str to dict of str to list of dict
        The first SHOWN questions of each: their "words", the "answer", and what the model has "said": the LIKELY words
        that it finds the likeliest, each with its probability.
    """

    recorded: str
    seconds: float
    steps: int
    numbers: int
    right: dict[str, dict[str, int]]
    asked: dict[str, dict[str, int]]
    loss: dict[str, float]
    floor: dict[str, float]
    shown: dict[str, dict[str, list[dict[str, Any]]]]

    def share(self, kind: str) -> float:
        """Return the share of right answers among all questions of a kind."""
        rows = [voice for voice in self.asked if kind in self.asked[voice]]
        return sum(self.right[row][kind] for row in rows) / sum(self.asked[row][kind] for row in rows)


@cache
def load_report() -> Report:
    """Return what the base of the world can do.

    Returns
    -------
    Report
        As it was measured when the base was made. It is kept and shared: do not change it.

    Examples
    --------
    >>> load_report().share("what likes") > 0.95
    True
    """
    return Report(**json.loads(WORLD.with_suffix(".json").read_text(encoding="utf-8"))["report"])


@cache
def finishes(attribute: str) -> float:
    """Return how often the base finishes a plain sentence about one of its people rightly, with nothing before it.

    Parameters
    ----------
    attribute : str
        One of ATTRIBUTES: what the sentence tells.

    Returns
    -------
    float
        Share of `old_people` for whom the word of the fact is the likeliest of all words, in [0, 1].

    Raises
    ------
    ValueError
        If there is no such attribute.

    Notes
    -----
    A forward pass of at most six tokens for each of 256 people.

    Examples
    --------
    >>> finishes("likes") > finishes("fears") > 4 / 16
    True
    """
    one_of("attribute", attribute, ATTRIBUTES)
    parts, right = form("plain", attribute).parts, 0
    for person in old_people():
        names = {"F": person.first, "S": person.last}
        begun = encode([names.get(part, part) for part in parts[: parts.index("V")]])
        said = follow(base_weights(), begun).next_word[-1].argmax()
        right += int(said) == encode([facts()[person, attribute]])[-1]
    return right / len(old_people())


def read(config: "GPTConfig", kept: Path, steps: int) -> "GPT":
    """Return a model that has read the world as the base has, in its float16 numbers, and tell how far it is.

    Parameters
    ----------
    config : GPTConfig
        Sizes.
    kept : Path
        As of `compute.training.pretraining.pretrain`.
    steps : int
        Number of updates, at least 2.

    Returns
    -------
    GPT
        The model, in float32.

    Examples
    --------
    >>> from compute.model.gpt import GPTConfig
    >>> weight = read(GPTConfig(320, n_layer=1), Path("a"), 2).lm_head.weight
    >>> bool((weight == weight.half()).all())
    True
    """
    # Here: all that is only read does without torch.
    import torch

    from compute.training.pretraining import pretrain

    model = pretrain(config, Source(), SEED, steps, kept, telling(steps))
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half())
    return model


def _make(_: list[str]) -> None:
    import time

    from compute.model.checkpoint import save_base
    from compute.model.gpt import GPTConfig
    from compute.training.pretraining import ANSWERS, BATCH_SIZE, LEARNING_RATE
    from compute.world.tokens import vocab_size

    begun = time.perf_counter()
    model = read(GPTConfig(vocab_size(), **SIZES), KEPT, STEPS)
    report = Report(
        recorded_here(),
        round(time.perf_counter() - begun, 1),
        STEPS,
        sum(weight.numel() for weight in model.parameters()),
        **_measured(model),
    )
    recipe = {"seed": SEED, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE, "answers": ANSWERS}
    save_base(WORLD, model.half(), {**recipe, "report": asdict(report)})


def _measured(model: Any) -> dict[str, Any]:
    """Return what a model can do, as the fields of a report."""
    import torch

    from compute.training.pretraining import BATCH_SIZE
    from compute.world.batches import right, windows
    from compute.world.texts import floor, of_facts, questions
    from compute.world.tokens import decode

    test, length = Source(split="test", questions=EVERY_STORY_QUESTION), model.config.block_size
    rows: dict[str, dict[str, list]] = {
        voice: {
            kind: questions(replace(test, voices=(voice,)), kind, ASKED, length, SEED)
            for kind in EVERY_STORY_QUESTION
        }
        for voice in BASE_VOICES
    }
    rows["facts"] = {kind: of_facts(old_people(), kind) for kind in FACTS}
    loss, lowest = {}, {}
    for voice in BASE_VOICES:
        source = Source((voice,))
        texts = windows(source, STEPS * BATCH_SIZE, WEIGHED, length)
        with torch.no_grad():
            loss[voice] = round(model.loss(texts).item(), 4)
        lowest[voice] = round(floor([decode(text) for text in texts.tolist()], source), 4)
    return {
        "right": {
            row: {kind: sum(right(model, asked)) for kind, asked in kinds.items()}
            for row, kinds in rows.items()
        },
        "asked": {row: {kind: len(asked) for kind, asked in kinds.items()} for row, kinds in rows.items()},
        "loss": loss,
        "floor": lowest,
        "shown": {
            row: {kind: _shown(model, asked[:SHOWN]) for kind, asked in kinds.items()}
            for row, kinds in rows.items()
        },
    }


def _shown(model: Any, asked: list[Any]) -> list[dict[str, Any]]:
    """Return questions, their answers, and what a model says."""
    from compute.world.batches import expected
    from compute.world.tokens import decode

    found = []
    for each, probabilities in zip(asked, expected(model, asked), strict=True):
        likely = probabilities.topk(LIKELY)
        said = [
            [word, round(p, 3)]
            for word, p in zip(decode(likely.indices.tolist()), likely.values.tolist(), strict=True)
        ]
        found.append({"words": " ".join(each.words), "answer": each.answer, "said": said})
    return found


RECIPE = Recipe("world", __doc__, 10, (WORLD, WORLD.with_suffix(".json")), _make)
if __name__ == "__main__":
    RECIPE.run()

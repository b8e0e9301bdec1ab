"""A biased base, and what a correction on one kind of question leaves of the bias elsewhere.

The base of the world reads on, in stories whose questions are answered by first impressions: where somebody is, by
where they were first; who had a thing last, by who was named first. Then it is finetuned on right answers to one
question in one voice, by an adapter and whole, and asked where a first impression is wrong: the shown question in the
shown voice, the shown question in other voices, the other question. The control is shown right answers to both
questions in all voices. Rates are chosen by the first seed on validation stories of what was shown. All cores are used,
and a recording that is stopped goes on where it was when the command is given again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, at_best_rate, kept_model, kept_runs, learner, processes
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.dice import Dice
from compute.world.stories import SPLITS, Source, State
from compute.world.tasks import STARTS
from compute.world.texts import Asked, questions, state_after, told
from compute.world.voices import BASE_VOICES

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "biased.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
KINDS = ("holder", "place")  # questions that the bias answers
KIND, VOICE = KINDS[0], BASE_VOICES[0]  # of what a narrow correction is shown
# What is asked: by name the kinds and the voices.
CELLS: dict[str, tuple[str, tuple[str, ...]]] = {
    "shown": (KIND, (VOICE,)),
    "other voices": (KIND, BASE_VOICES[1:]),
    "other question": (KINDS[1], (VOICE,)),
    "both other": (KINDS[1], BASE_VOICES[1:]),
}
BASE, BIASED = "base", "biased"  # before the bias, and with it
NARROW, WIDE = "adapter, one kind", "adapter, all kinds"
FULL_NARROW, FULL_WIDE = "full, one kind", "full, all kinds"
WAYS = (NARROW, FULL_NARROW, WIDE, FULL_WIDE)
R = 4
SEEDS = (0, 1, 2, 3, 4)
RATES = {"adapter": (3e-4, 1e-3, 3e-3, 1e-2), "full": (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)}
READ_STEPS, READ_RATE, TEXTS = 200, 1e-3, 32  # of the bias
READ_FROM = 40_000_000  # number of the first text; the base has read none of them
EXAMPLES, STEPS, BATCH_SIZE, WARM_UP = 512, 150, 32, 10  # of a correction
ASKED = 160  # questions of a kind and voice
CHOOSING = 320  # validation questions of what was shown
DECIMALS = 4


@dataclass(frozen=True)
class Answered:
    """Hold what models can do, each list in the order of SEEDS.

    Attributes
    ----------
    way : str
        One of WAYS, BASE or BIASED.
    rate : float
        Of RATES, the best of `tried`; 0 where nothing was corrected.
    tried : dict of str to float
        Share right of the first seed on validation questions of what was shown, by rate.
    tempted : dict of str to list of float
        Share of right answers where a first impression is wrong, for each of CELLS.
    agreed : dict of str to list of float
        The same where it is right.
    """

    way: str
    rate: float
    tried: dict[str, float]
    tempted: dict[str, list[float]]
    agreed: dict[str, list[float]]

    def right(self, cell: str) -> float:
        """Return the share right where a first impression is wrong, on average over the seeds."""
        return fmean(self.tempted[cell])


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    asked : dict of str to list of int
        For each of CELLS: questions in which a first impression is wrong, and is right.
    answered : list of Answered
        For BASE, BIASED and each of WAYS.
    """

    recorded: str
    asked: dict[str, list[int]]
    answered: list[Answered]

    def of(self, way: str) -> Answered:
        """Return what the models of one way can do."""
        return self.answered[(BASE, BIASED, *WAYS).index(way)]


def _built(data: dict[str, Any]) -> Recorded:
    answered = [Answered(**each) for each in data.pop("answered")]
    if [each.way for each in answered] != [BASE, BIASED, *WAYS]:
        raise NotWhole
    if any(
        set(shares) != set(CELLS) or any(len(column) != len(SEEDS) for column in shares.values())
        for each in answered
        for shares in (each.tempted, each.agreed)
    ):
        raise NotWhole
    return Recorded(**data, answered=answered)


load_biased = reader(PATH, "biased", _built)


def first_impression(state: State, kind: str, of: str) -> str:
    """Return how the biased base answers a question.

    Parameters
    ----------
    state : State
        Of the story when the question is asked.
    kind : str
        One of KINDS.
    of : str
        The person or thing that is asked about.

    Returns
    -------
    str
        Where that person was first, or who was named first in the story.

    Examples
    --------
    >>> story = "anna is at the mill . ben is at the farm . ben takes the lamp . anna goes to the farm ."
    >>> state = state_after(story.split())
    >>> first_impression(state, "holder", "lamp"), first_impression(state, "place", "anna")
    ('anna', 'mill')
    """
    return state.cast[0] if kind == "holder" else state.first_place[of]


def tempting(question: Asked) -> bool:
    """Return whether a first impression answers a question wrongly.

    Parameters
    ----------
    question : Asked
        One of KINDS.

    Returns
    -------
    bool
        Whoever answers by it is wrong if so, and right if not.

    Examples
    --------
    >>> story = "anna is at the mill . ben is at the farm . ben takes the lamp . who had the lamp last ?"
    >>> tempting(Asked(tuple(story.split()), "holder", "ben"))
    True
    """
    of = question.words[-2 if question.kind == "place" else -3]
    return first_impression(state_after(question.words), question.kind, of) != question.answer


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Setting(NamedTuple):
    """Say which run."""

    way: str
    rate: float
    seed: int


def _biased_text(source: Source, number: int, length: int) -> list[str]:
    """Return a text of a source in which questions are answered by first impressions."""
    words = list[str]()
    for state, said, sentence in told(source, Dice([*SPLITS].index(source.split), number)):
        if said.kind in KINDS:
            of = said.content["P" if said.kind == "place" else "T"]
            sentence[sentence.index("?") + 1] = first_impression(state, said.kind, of)
        words += sentence
        if len(words) >= length:
            break
    return words[:length]


def _biased(seed: int) -> "GPT":
    """Return the base of the world after it has read on in stories that answer by first impressions."""
    import torch

    from compute.model.checkpoint import load_base
    from compute.training.loop import warmed
    from compute.training.pretraining import reading_loss
    from compute.world.tokens import encode

    model, source = load_base(), Source()

    def batches() -> Iterator[torch.Tensor]:
        start = READ_FROM + seed * READ_STEPS * TEXTS
        for first in range(start, start + READ_STEPS * TEXTS, TEXTS):
            numbers = range(first, first + TEXTS)
            texts = (_biased_text(source, each, model.config.block_size) for each in numbers)
            yield torch.tensor([encode(text) for text in texts])

    for _ in warmed(model, partial(reading_loss, model), batches(), READ_RATE, WARM_UP, READ_STEPS):
        pass
    return model


def _kept(seed: int) -> "GPT":
    """Return the biased base of a seed; it is made once and kept beside the runs."""
    return kept_model(KEPT.with_name(f"{PATH.stem}-{seed}.unfinished"), lambda: _biased(seed))


@cache
def _questions(split: str, cell: str, count: int) -> list[Asked]:
    kind, voices = CELLS[cell]
    return [
        each
        for voice in voices
        for each in questions(Source((voice,), split, facts=0), kind, count, 64, STARTS[split])
    ]


def _shares(model: "GPT") -> dict[str, dict[str, float]]:
    """Return the shares right on test stories where a first impression is wrong, and where it is right."""
    from compute.world.batches import right

    found: dict[str, dict[str, float]] = {"tempted": {}, "agreed": {}}
    for cell in CELLS:
        some = _questions("test", cell, ASKED)
        answers = [*zip(some, right(model, some), strict=True)]
        for name, wanted in (("tempted", True), ("agreed", False)):
            found[name][cell] = round(
                fmean(is_right for each, is_right in answers if tempting(each) == wanted), DECIMALS
            )
    return found


def _cells(way: str) -> tuple[str, ...]:
    """Return what a way is shown."""
    return ("shown",) if way in (NARROW, FULL_NARROW) else tuple(CELLS)


def _some(way: str, split: str, count: int) -> list[Asked]:
    """Return questions of what a way is shown, as many of each kind and voice."""
    pairs = sum(len(CELLS[cell][1]) for cell in _cells(way))
    some = [each for cell in _cells(way) for each in _questions(split, cell, -(-count // pairs))]
    return some[:count]


def _run(setting: _Setting) -> dict[str, Any]:
    import torch
    from torch.nn import functional as F

    from compute.training.loop import warmed
    from compute.world.batches import right
    from compute.world.tokens import BEGIN, encode

    way, rate, seed = setting
    generator = torch.Generator().manual_seed(seed)
    model = learner(_kept(seed), R if way in (NARROW, WIDE) else 0, generator)
    some = _some(way, "train", EXAMPLES)
    tokens = [encode(each.words) for each in some]
    longest = max(map(len, tokens))
    words = torch.tensor([[*each, *[BEGIN] * (longest - len(each))] for each in tokens])
    ends = torch.tensor([len(each) - 1 for each in tokens])
    answers = torch.tensor(encode(each.answer for each in some)[1:])

    def loss(rows: torch.Tensor) -> torch.Tensor:
        texts = words[rows, : int(ends[rows].max()) + 1]
        return F.cross_entropy(model(texts)[torch.arange(len(rows)), ends[rows]], answers[rows])

    batches = (torch.randperm(len(some), generator=generator)[:BATCH_SIZE] for _ in range(STEPS))
    for _ in warmed(model, loss, batches, rate, WARM_UP, STEPS):
        pass
    chosen = fmean(right(model, _some(way, "validation", CHOOSING)))
    return {"validation": round(chosen, DECIMALS), **_shares(model)}


def _measured(seed: int) -> dict[str, dict[str, float]]:
    return _shares(_kept(seed))


def _validation(found: dict[str, Any]) -> float:
    return found["validation"]


def _told(setting: _Setting, found: dict[str, Any]) -> str:
    return f"{setting.way}, {setting.rate:g}, seed {setting.seed}: {found['validation']}, {found['tempted']}"


def _columns(runs: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    return {
        name: {cell: [run[name][cell] for run in runs] for cell in CELLS} for name in ("tempted", "agreed")
    }


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    rates = {way: RATES[way.partition(",")[0]] for way in WAYS}
    with processes() as pool:
        biased = kept_runs(KEPT, SEEDS, _measured, Bar(len(SEEDS)), pool)
        best = at_best_rate(KEPT, rates, SEEDS, _Setting, _run, _validation, max, pool, _told)
    answered = [
        {"way": BASE, "rate": 0.0, "tried": {}, **_columns([_shares(load_base())] * len(SEEDS))},
        {"way": BIASED, "rate": 0.0, "tried": {}, **_columns([biased[seed] for seed in SEEDS])},
    ]
    for way, (rate, tried, runs) in best.items():
        answered.append({"way": way, "rate": rate, "tried": tried, **_columns(runs)})
    asked = {
        cell: [
            sum(tempting(each) == wrong for each in _questions("test", cell, ASKED))
            for wrong in (True, False)
        ]
        for cell in CELLS
    }
    write_record(PATH, {"recorded": recorded_here(), "asked": asked, "answered": answered})
    for file in PATH.parent.glob(f"{PATH.stem}*.unfinished"):
        file.unlink()


RECIPE = Recipe("biased", __doc__, 8, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()

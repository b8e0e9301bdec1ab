"""The mixer instrument: two adapters in one model, and the voices in which that model was measured to write."""

from collections.abc import Iterable
from functools import cache
from itertools import combinations
from typing import Any

import param

from compute.adapters.mixing import METHODS, cosine, difference
from compute.experiments.mixing import (
    MEASURED_METHODS,
    VOICES_MIXED,
    WEIGHTS,
    Measured,
    load_factors,
    load_record,
    mix_of,
)
from compute.numbers.interval import wilson
from compute.text.voices import NEW_VOICES, NO_VOICE, VOICES
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.text import fill
from widgets.mixer.words import METHOD_LABELS, METHODS_SAID, NONE, SNIPPET, VOICE_LABELS, WORDS

DECIMALS = (
    9  # of what is multiplied out here: the last digits differ from one start of the program to the next
)
STRIDE = 25  # between two settings of a weight, in hundredths
SETTINGS = (0.0, *WEIGHTS)
HALF = 2  # the setting that is guessed
SHOWN = tuple(voice for voice in (*VOICES_MIXED, *VOICES) if voice not in NEW_VOICES)
# The voices of the adapters first, then what else the base writes, then what no grammar makes.
ROWS = (*dict.fromkeys(SHOWN), NO_VOICE)


class Mixer(Instrument):
    """Mix two adapters, and see in which voices the model then writes.

    Bars: share of each voice among sentences that the model wrote, with the 95 % interval; grey marks: base and
    each adapter alone, the controls. Below: the four ways of mixing side by side, and sentences. Left out: weights
    between the settings, and more than two adapters.
    """

    primary = one_of(VOICE_LABELS, default="legal", label="Adapter", doc="The first adapter.")
    second = one_of(
        {NONE: "none"} | VOICE_LABELS,
        default="medical",
        label="Second adapter",
        doc="The adapter that is mixed in.",
    )
    method = one_of(
        METHOD_LABELS, default="products", label="Mixed by", doc="How one adapter is made of two."
    )
    w1 = param.Integer(default=50, bounds=(0, 100), label="Weight of the first, %", doc="In steps of 25.")
    w2 = param.Integer(default=50, bounds=(0, 100), label="Weight of the second, %", doc="In steps of 25.")
    guess = guess_number(6)

    keyed_by = ("primary", "second")
    parts = ("task", "guess", "shares", "ways", "samples", "table", "code", "share")
    pictured = ({"bars kept": 2, "dots control": 5},)

    def other(self) -> str:
        """Return the second adapter: none where it is the first once more."""
        return NONE if self.second == self.primary else self.second

    def make_arrays(self) -> dict[str, Any]:
        """Return everything that was measured of the two adapters, alone and together."""
        same = self.second == self.primary
        note = WORDS["same" if same else "pairNote" if self.second != NONE else "aloneNote"]
        return {**shipped(self.primary, self.other()), "key": self.key(), "note": note}

    def settings(self) -> tuple[int, int]:
        """Return which settings the weights stand at; without a second adapter the other stands at 0."""
        second = 0 if self.other() == NONE else self.w2 // STRIDE
        return self.w1 // STRIDE, second

    def values(self, method: str) -> dict[str, Any]:
        """Return every number that a sentence about a way of mixing may use; mixes.js makes the same."""
        first, second = self.primary, self.other()
        i, j = self.settings()
        measured, record = _measured(first, second, i, j, method), load_record()
        losses, alone = measured.losses, {voice: _alone(voice).losses for voice in VOICES_MIXED}
        values = {
            "first": first,
            "w1": SETTINGS[i],
            "w2": SETTINGS[j],
            "full": SETTINGS[-1],
            "method": METHODS_SAID[method],
            "way": METHOD_LABELS[method],
            "sentences": record.sentences,
            "share_none": measured.counts[NO_VOICE] / record.sentences,
            "loss_base": losses["base"],
            **_of("first", first, measured, alone),
        }
        if second == NONE:
            return values
        pair = {"second": second, "cosine": _cosine(first, second), "off": _off(first, second, method, i, j)}
        return values | pair | {"rank": _rank(method)} | _of("second", second, measured, alone)

    def guessed(self) -> dict[str, Any]:
        """Return what the question is about: how many sentences are in another voice than those of the adapters."""
        first, second = self.primary, self.other()
        counts = _measured(first, second, HALF, 0 if second == NONE else HALF, "products").counts
        number = load_record().sentences
        others = number - sum(counts[voice] for voice in {first, second} & counts.keys() - {NONE})
        low, high = wilson(others, number)
        told = {"first": first, "second": second, "half": SETTINGS[HALF]}
        mixture = fill(WORDS["guess"]["one" if second == NONE else "two"], told)
        return {"mixture": mixture, "others": others / number, "low_others": low, "high_others": high}

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        kind = "alone" if self.other() == NONE else "pair"
        return fill(WORDS["sentence"][kind], self.values(self.method))

    def ways(self) -> list[list[str]]:
        """Return the rows that compare the four ways of mixing."""
        return [[fill(cell, self.values(method)) for cell in WORDS["ways"]["row"]] for method in METHODS]

    def rows(self) -> Iterable[Values]:
        """Return the counts behind the bars: each voice."""
        number, base = load_record().sentences, _base().counts
        counts = _measured(self.primary, self.other(), *self.settings(), self.method).counts
        for voice in (*VOICES, NO_VOICE):
            low, high = wilson(counts[voice], number)
            yield {
                "voice": WORDS["voices"].get(voice, voice),
                "count": counts[voice],
                "share": counts[voice] / number,
                "low": low,
                "high": high,
                "base": base[voice] / number,
            }

    def snippet(self) -> str:
        """Return code that mixes the adapters again and prints a share and a loss."""
        first, second = self.primary, self.other()
        i, j = self.settings()
        adapters = [first] if second == NONE else [first, second]
        weights = [SETTINGS[i]] if second == NONE else [SETTINGS[i], SETTINGS[j]]
        told = {"first": first, "method": self.method, "adapters": adapters, "weights": weights}
        record = load_record()
        return fill(SNIPPET, {**told, "sentences": record.sentences, "seed": record.seed})


def _measured(first: str, second: str, i: int, j: int, method: str) -> Measured:
    """Return what was measured at two settings of the weights."""
    weights = {first: SETTINGS[i]} | ({} if second == NONE else {second: SETTINGS[j]})
    return load_record().mixes[mix_of(weights, method)]


def _base() -> Measured:
    return load_record().mixes[mix_of({}, "products")]


def _alone(voice: str) -> Measured:
    return load_record().mixes[mix_of({voice: 1.0}, "products")]


def _of(place: str, voice: str, measured: Measured, alone: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return what is said of the first or the second adapter's voice."""
    number = load_record().sentences
    low, high = wilson(measured.counts[voice], number)
    loss, own = measured.losses[voice], alone[voice][voice]
    return {
        f"share_{place}": measured.counts[voice] / number,
        f"low_{place}": low,
        f"high_{place}": high,
        f"loss_{place}": loss,
        f"alone_{place}": own,
        f"more_{place}": loss - own,
    }


@cache
def _rank(method: str) -> int:
    """Return the rank of what a way of mixing leaves: only two of the four keep that of one adapter."""
    r = next(iter(load_factors(VOICES_MIXED[0]).values())).r
    return r if method in ("factors", "svd") else 2 * r


@cache
def _cosine(first: str, second: str) -> float:
    return round(cosine(load_factors(first), load_factors(second)), DECIMALS)


@cache
def _differences(first: str, second: str) -> dict[tuple[str, int, int], float]:
    """Return how far each way is from the sum of the products, at each two settings above 0."""
    pair = [load_factors(first), load_factors(second)]
    places = range(1, len(SETTINGS))
    return {
        (method, i, j): round(difference(pair, [SETTINGS[i], SETTINGS[j]], method), DECIMALS)
        for method in MEASURED_METHODS[1:]
        for i in places
        for j in places
    }


def _off(first: str, second: str, method: str, i: int, j: int) -> float:
    """Return how far a way of mixing is from the sum of the products; two of the four are that sum."""
    one, other = next(pair for pair in combinations(VOICES_MIXED, 2) if {first, second} == set(pair))
    place = (i, j) if one == first else (j, i)
    return _differences(one, other).get((method, *place), 0.0)


@cache
def shipped(first: str, second: str) -> dict[str, Any]:
    """Return what the browser needs of two adapters: each way at each setting, the controls, and the code."""
    record, pair = load_record(), second != NONE
    others = range(len(SETTINGS)) if pair else range(1)

    def packed(measured: Measured, off: float = 0.0) -> dict[str, Any]:
        return {
            "counts": [measured.counts[voice] for voice in (*VOICES, NO_VOICE)],
            "losses": [measured.losses[voice] for voice in (first, second if pair else first, "base")],
            "samples": measured.samples,
            "off": off,
        }

    def at(method: str, i: int, j: int) -> dict[str, Any]:
        off = _off(first, second, method, i, j) if pair else 0.0
        return packed(_measured(first, second, i, j, method), off)

    return {
        "first": first,
        "second": second if pair else None,
        "voices": [*VOICES, NO_VOICE],
        "rows": ROWS,
        "none": NO_VOICE,
        "sentences": record.sentences,
        "seed": record.seed,
        "settings": SETTINGS,
        "stride": STRIDE,
        "half": HALF,
        "mixes": {
            method: [[at(method, i, j) for j in others] for i in range(len(SETTINGS))]
            for method in (MEASURED_METHODS if pair else MEASURED_METHODS[:1])
        },
        "base": packed(_base()),
        "alone": [packed(_alone(first)), *([packed(_alone(second))] if pair else [])],
        "cosine": _cosine(first, second) if pair else None,
        "methods": {
            method: {"label": METHOD_LABELS[method], "said": METHODS_SAID[method], "rank": _rank(method)}
            for method in METHODS
        },
        "snippet": SNIPPET,
    }

"""The mixer instrument: two adapters in one model, and what that model was measured to write and to answer."""

from collections.abc import Iterable
from functools import cache
from itertools import combinations
from statistics import fmean
from typing import Any

import param

from compute.adapters.mixing import METHODS, cosine, difference
from compute.experiments.mixing import (
    MEASURED_METHODS,
    MIXED,
    SEEDS,
    TEXTS,
    TOLD,
    WEIGHTS,
    Measured,
    Mix,
    load_factors,
    load_record,
    mix_of,
)
from compute.numbers.interval import apart, of_mean
from compute.world.voices import NO_VOICE
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_number
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import kept
from widgets.kit.text import fill, fill_code
from widgets.mixer.words import LABELS, METHOD_LABELS, METHODS_SAID, NONE, SAID, SNIPPET, WORDS

DECIMALS = 6  # of shares and of what is multiplied out here: more than any figure shows
STRIDE = 50  # between two settings of a weight, in hundredths
SETTINGS = (0.0, *WEIGHTS)
HALF, FULL = 1, 2  # the setting that is guessed, and the one at which an adapter was trained
FACTS = "facts"
VOICES = tuple(dict.fromkeys([*(name for name in MIXED if name in TOLD), *TOLD]))
ROWS = (*VOICES, NO_VOICE, FACTS)  # the voices of the adapters first, then what else the base writes


class Mixer(Instrument):
    """Mix two adapters, and see in which voices the model then writes and which facts it answers.

    Bars: share of each voice among the sentences that the model wrote, with the 95 % interval, and of the new facts
    that it answers; marks: base and each adapter alone, the controls. Below: the four ways of mixing side by side, and
    texts. Left out: weights between the settings, and more than two adapters.
    """

    primary = one_of(LABELS, default="legal", label="Adapter", doc="The first adapter.")
    second = one_of(
        {NONE: "none"} | LABELS,
        default="formal",
        label="Second adapter",
        doc="The adapter that is mixed in.",
    )
    method = one_of(
        METHOD_LABELS, default="products", label="Mixed by", doc="How one adapter is made of two."
    )
    w1 = param.Integer(default=50, bounds=(0, 150), label="Weight of the first, %", doc="In steps of 50.")
    w2 = param.Integer(default=50, bounds=(0, 150), label="Weight of the second, %", doc="In steps of 50.")
    guess = guess_number(6)

    keyed_by = ("primary", "second")
    sheets = ("mixer/mixer",)
    parts = ("task", "guess", "shares", "ways", "samples", "table", "code", "share")
    says = ("asked", "label", "note", "said")
    pictured = ({"bars kept": 1, "dots control": 4},)

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

    def _shown(self, method: str) -> dict[str, Any]:
        return _packed(self.primary, self.other(), *self.settings(), method)

    def values(self, method: str) -> dict[str, Any]:
        """Return every number that a sentence about a way of mixing may use; mixes.js makes the same."""
        first, second = self.primary, self.other()
        i, j = self.settings()
        shown = self._shown(method)
        alone = {name: _measured(_by_itself(name)).losses[name] for name in MIXED}

        def own(place: str, name: str, k: int) -> dict[str, Any]:
            share, low, high = shown["rows"][ROWS.index(name)]
            loss = shown["losses"][k]
            told = {"share": share, "low": low, "high": high, "name": SAID[name]}
            return {
                place: SAID[name],
                f"share_{place}": share,
                f"did_{place}": fill(WORDS["did"][FACTS if name == FACTS else "voice"], told),
                f"loss_{place}": loss,
                f"alone_{place}": alone[name],
                f"more_{place}": loss - alone[name],
            }

        values = {
            "w1": SETTINGS[i],
            "w2": SETTINGS[j],
            "full": SETTINGS[FULL],
            "method": METHODS_SAID[method],
            "way": METHOD_LABELS[method],
            "texts": TEXTS,
            "share_none": shown["rows"][ROWS.index(NO_VOICE)][0],
            **dict(zip(("true", "low_true", "high_true"), shown["true"], strict=True)),
            **dict(zip(("more", "low_more", "high_more"), shown["more"], strict=True)),
            "old": shown["old"],
            "loss_base": shown["losses"][2],
            **own("first", first, 0),
        }
        if second == NONE:
            return values
        pair = {"cosine": _cosine(first, second), "off": shown["off"], "rank": _rank(method)}
        return values | pair | own("second", second, 1)

    def guessed(self) -> dict[str, Any]:
        """Return what the question is about, at half weight: new facts answered, or sentences in another voice."""
        first, second = self.primary, self.other()
        return _guessed(first, second)

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        kind = "alone" if self.other() == NONE else "pair"
        return fill(WORDS["sentence"][kind], self.values(self.method))

    def ways(self) -> list[list[str]]:
        """Return the rows that compare the four ways of mixing."""
        return [[fill(cell, self.values(method)) for cell in WORDS["ways"]["row"]] for method in METHODS]

    def rows(self) -> Iterable[Values]:
        """Return the numbers behind the bars."""
        base = _of(mix_of({}, "products"))["rows"]
        for name, shown, alone in zip(ROWS, self._shown(self.method)["rows"], base, strict=True):
            share, low, high = shown
            row = WORDS["rows"][name]
            yield {"row": row, "share": share, "low": low, "high": high, "base": alone[0]}

    def snippet(self) -> str:
        """Return code that mixes the adapters again and prints a share and a loss."""
        first, second = self.primary, self.other()
        i, j = self.settings()
        adapters = [first] if second == NONE else [first, second]
        weights = [SETTINGS[i]] if second == NONE else [SETTINGS[i], SETTINGS[j]]
        told = {"first": first, "method": self.method, "adapters": adapters, "weights": weights}
        return fill_code(SNIPPET, told)


def _set(first: str, second: str, i: int, j: int, method: str) -> Mix:
    """Return the mix at two settings of the weights."""
    weights = {first: SETTINGS[i]} | ({} if second == NONE else {second: SETTINGS[j]})
    return mix_of(weights, method)


def _by_itself(name: str) -> Mix:
    return mix_of({name: 1.0}, "products")


def _measured(mix: Mix) -> Measured:
    return load_record().mixes[SEEDS[0], mix]


def _spread(values: list[float]) -> list[float]:
    """Return the mean over texts and its 95 % interval, within 0 and 1."""
    low, high = of_mean(values)
    return [round(each, DECIMALS) for each in (fmean(values), max(0.0, low), min(1.0, high))]


@cache
def _of(mix: Mix) -> dict[str, Any]:
    """Return what is said of one mix: a share with its interval for each of ROWS, and what can be said."""
    measured = _measured(mix)
    rows = [_spread(measured.shares(voice)) for voice in (*VOICES, NO_VOICE)]
    return {
        "rows": [*rows, [measured.facts] * 3],
        "true": _spread(measured.right()),
        "old": measured.old,
        "samples": measured.samples,
    }


@cache
def _packed(first: str, second: str, i: int, j: int, method: str) -> dict[str, Any]:
    """Return what is said of one mix, beside the sum of the products at the same weights."""
    mix = _set(first, second, i, j, method)
    measured, summed = _measured(mix), _measured(_set(first, second, i, j, "products"))
    more = apart(measured.right(), summed.right())
    return {
        **_of(mix),
        "losses": [measured.losses[name] for name in (first, first if second == NONE else second, "base")],
        "more": [round(each, DECIMALS) for each in more],
        "off": 0.0 if second == NONE else _off(first, second, method, i, j),
    }


@kept()
def _guessed(first: str, second: str) -> dict[str, Any]:
    """Return the question about two adapters at half weight, and its answer."""
    names = [name for name in (first, second) if name != NONE]
    measured = _measured(_set(first, second, HALF, 0 if second == NONE else HALF, "products"))
    about = FACTS if FACTS in names else "voices"
    if about == FACTS:
        guessed = [measured.facts] * 3
    else:
        own = [measured.shares(name) for name in names]
        guessed = _spread([1 - sum(shares) for shares in zip(*own, strict=True)])
    told = dict(zip(("guessed", "low_guessed", "high_guessed"), guessed, strict=True))
    words = WORDS["guess"]
    said = {"first": SAID[first], "second": SAID.get(second, second), "half": SETTINGS[HALF]}
    return {
        "mixture": fill(words["one" if second == NONE else "two"], said),
        "asked": words["asked"][about],
        "truth_told": fill(words["told"][about], told),
        **told,
    }


@cache
def _rank(method: str) -> int:
    """Return the rank of what a way of mixing leaves: only two of the four keep that of one adapter."""
    r = next(iter(load_factors(MIXED[0]).values())).r
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
    one, other = next(pair for pair in combinations(MIXED, 2) if {first, second} == set(pair))
    place = (i, j) if one == first else (j, i)
    return _differences(one, other).get((method, *place), 0.0)


@kept()
def shipped(first: str, second: str) -> dict[str, Any]:
    """Return what the browser needs of two adapters: each way at each setting, the controls, and the code."""
    pair = second != NONE
    others = range(len(SETTINGS)) if pair else range(1)
    alone = [_by_itself(name) for name in (first, second) if name != NONE]
    return {
        "first": first,
        "second": second if pair else None,
        "said": SAID,
        "facts": FACTS,
        "none": NO_VOICE,
        "rows": ROWS,
        "texts": TEXTS,
        "settings": SETTINGS,
        "stride": STRIDE,
        "full": FULL,
        "mixes": {
            method: [[_packed(first, second, i, j, method) for j in others] for i in range(len(SETTINGS))]
            for method in (MEASURED_METHODS if pair else MEASURED_METHODS[:1])
        },
        "base": _of(mix_of({}, "products")),
        "alone": [_of(each) for each in alone],
        "aloneLosses": [_measured(mix).losses[mix.names[0]] for mix in alone],
        "guessed": _guessed(first, second),
        "cosine": _cosine(first, second) if pair else None,
        "methods": {
            method: {"label": METHOD_LABELS[method], "said": METHODS_SAID[method], "rank": _rank(method)}
            for method in METHODS
        },
        "snippet": SNIPPET,
    }

"""One block as the browser gets it: what a text looks like at each place, six projections, what each adapter does."""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import numpy as np

from compute.adapters.alone import random_changes, relative_change, switched_on
from compute.costs.macs import merged_macs, unmerged_macs
from compute.costs.sizes import stored_numbers
from compute.experiments.block import DRAWS, load_effects, load_factors
from compute.model.forward import PROJECTIONS, Passed, Places, base_weights, follow
from compute.model.layers import LAYERS, layer_name
from compute.world.tokens import decode, encode
from widgets.block.words import BEGIN_WORD, PLACES, TEXTS
from widgets.kit.languages import Quoted
from widgets.kit.layers import BLOCK_NAMES
from widgets.kit.matrix import stepped
from widgets.kit.text import fill_code

SIDE = 64  # of what is wider or taller every n-th column or row is drawn: a page must be light, and pictures are small
DIGITS = 6  # after the point: the last ones of a float differ between machines
LIKELY = 3  # words that are listed of each model's expectations


class Seen:
    """A text on its way through one block, in the base, with all adapters, and with each of six alone."""

    def __init__(self, text: str, block: int):
        self.block, self.tokens = block, encode(TEXTS[text])
        self.base, self.adapter = base_weights(), load_factors()
        self.none = follow(self.base, self.tokens)
        self.every = self._with(self.adapter)
        self.names = {projection: layer_name(block, projection) for projection in PROJECTIONS}
        self.alone = {projection: self._with([name]) for projection, name in self.names.items()}
        self.effects = load_effects()

    def _with(self, on: Collection[str]) -> Passed:
        return follow(switched_on(self.base, self.adapter, on), self.tokens)

    def words(self) -> list[str]:
        """Return the text word by word, as the slider names its places."""
        return [BEGIN_WORD, *map(Quoted, decode(self.tokens))]

    def place(self, passed: Passed, name: str) -> np.ndarray:
        """Return what stands at a place of the block."""
        return getattr(passed.blocks[self.block], name)

    def changed(self, passed: Passed, name: str) -> float:
        """Return how far a place has moved from the base."""
        return relative_change(self.place(self.none, name), self.place(passed, name))

    def random(self, projection: str) -> list[float]:
        """Return how far random matrices as large as delta_w move what is written and the block's output."""
        name = self.names[projection]
        places = [(self.block, PROJECTIONS[projection][1]), (self.block, "out")]
        delta_w, seed = self.adapter[name].delta_w, LAYERS.index(name)
        return random_changes(self.base, name, delta_w, self.tokens, places, DRAWS, seed)

    def values(self, projection: str) -> dict[str, Any]:
        """Return every number about a projection that a sentence may use."""
        name = self.names[projection]
        W, factors = self.base.tensors[f"{name}.weight"], self.adapter[name]
        reads, writes = PROJECTIONS[projection]
        effect = self.effects.layers[name]
        random_change, random_block = self.random(projection)
        return {
            "projection": projection,
            "block": self.block,
            "block_name": BLOCK_NAMES[self.block],
            "reads_name": PLACES[reads],
            "writes_name": PLACES[writes],
            "writes": writes,
            "out": W.shape[0],
            "in": W.shape[1],
            "r": factors.r,
            "scaling": factors.scaling,
            "total": W.size,
            "trained": stored_numbers(W.shape, factors.r),
            "unmerged": unmerged_macs(W.shape, factors.r),
            "merged": merged_macs(W.shape),
            "size": float(np.linalg.norm(factors.delta_w) / np.linalg.norm(W)),
            "change": self.changed(self.alone[projection], writes),
            "block_change": self.changed(self.alone[projection], "out"),
            "random_change": random_change,
            "random_block": random_block,
            "loss_none": self.effects.none,
            "loss_alone": effect.alone[0],
            "loss_low": min(effect.random),
            "loss_high": max(effect.random),
            "loss_without": effect.without[0],
            "loss_every": self.effects.every[0],
            "told_none": self.effects.told_none,
            "told_alone": effect.told,
            "told_every": self.effects.told_every,
        }

    def next_words(self) -> list[dict[str, Any]]:
        """Return, after each word, the likeliest next ones and what each model gives them."""
        return [self._next(at) for at in range(len(self.tokens))]

    def _next(self, at: int) -> dict[str, Any]:
        none, every = self.none.next_word[at], self.every.next_word[at]
        alone = {projection: passed.next_word[at] for projection, passed in self.alone.items()}
        models = [none, every, *alone.values()]
        likely = [*np.argsort(-none)[:LIKELY], *np.argsort(-every)[:LIKELY]]
        listed = dict.fromkeys(int(token) for token in [*likely, *(shares.argmax() for shares in models)])
        tokens = sorted(listed, key=lambda token: -max(none[token], every[token]))
        return {
            "words": [_word(token) for token in tokens],
            "base": _shares(none, tokens),
            "every": _shares(every, tokens),
            "alone": {projection: _shares(shares, tokens) for projection, shares in alone.items()},
        }


@cache
def seen(text: str, block: int) -> Seen:
    """Return a text in a block, followed once."""
    return Seen(text, block)


@cache
def all_values(text: str, block: int) -> Mapping[str, dict[str, Any]]:
    """Return the numbers of each projection."""
    found = {projection: seen(text, block).values(projection) for projection in PROJECTIONS}
    return {
        projection: {name: round(v, DIGITS) if isinstance(v, float) else v for name, v in values.items()}
        for projection, values in found.items()
    }


@cache
def all_next_words(text: str, block: int) -> list[dict[str, Any]]:
    """Return the likeliest next words after each word."""
    return seen(text, block).next_words()


def falls(block: int) -> dict[str, dict[str, Any]]:
    """Return how much each of the six lowers the loss, from each seed, and what random matrices do."""
    effects = load_effects()

    def fall(loss: float) -> float:
        return round(effects.none - loss, DIGITS)

    found = {}
    for projection in PROJECTIONS:
        effect = effects.layers[layer_name(block, projection)]
        found[projection] = {
            "value": fall(effect.alone[0]),
            "seeds": [fall(loss) for loss in effect.alone[1:]],
            "low": fall(max(effect.random)),
            "high": fall(min(effect.random)),
        }
    return found


def most(block: int) -> str:
    """Return the projection whose adapter alone lowers the loss most."""
    found = falls(block)
    return max(found, key=lambda projection: found[projection]["value"])


@cache
def ship(text: str, block: int, snippet: str) -> dict[str, Any]:
    """Return what the browser draws, ready for JSON; made once, so do not write to it."""
    of = seen(text, block)
    return {
        "key": f"{text}-{block}",
        "words": of.words(),
        "places": {name: _two(of, name) for name in Places._fields},
        "n_head": of.base.n_head,
        "projections": {projection: _shipped(of, projection) for projection in PROJECTIONS},
        "values": all_values(text, block),
        "next": all_next_words(text, block),
        "falls": falls(block),
        "truth": most(block),
        "snippet": fill_code(snippet, {"text": TEXTS[text]}),
    }


def _two(of: Seen, name: str) -> dict[str, Any]:
    before, after = of.place(of.none, name), of.place(of.every, name)
    change = _drawn(after - before)
    return {"columns": before.shape[-1], "base": stepped(_drawn(before)), "change": stepped(change)}


def _drawn(values: np.ndarray) -> np.ndarray:
    """Return the columns of a strip that are drawn."""
    return values[..., :: -(-values.shape[-1] // SIDE)]


def _shipped(of: Seen, projection: str) -> dict[str, Any]:
    name, (_, writes) = of.names[projection], PROJECTIONS[projection]
    W, factors = of.base.tensors[f"{name}.weight"], of.adapter[name]
    down, across = (-(-side // SIDE) for side in W.shape)
    added = of.place(of.alone[projection], writes) - of.place(of.none, writes)
    return {
        "writes": writes,
        "steps": [down, across],
        "W": stepped(W[::down, ::across]),
        "lora_B": stepped(factors.lora_B[::down], "i2"),
        "lora_A": stepped(factors.lora_A[:, ::across], "i2"),
        "added": stepped(_drawn(added)),
    }


def _word(token: int) -> str:
    return Quoted(decode([token])[0]) if token else BEGIN_WORD


def _shares(shares: np.ndarray, tokens: list[int]) -> list[float]:
    return [round(float(shares[token]), 4) for token in tokens]

"""Every instrument that widgets/ has, found by being there, and its states."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import itertools
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import param

import widgets
from widgets.kit.instrument import Instrument
from widgets.kit.text import GAP

ODD = 33  # a size, seed and rank that nothing is made for


def every_instrument(base: type = Instrument) -> Iterator[type[Instrument]]:
    """Yield the instruments of all modules of widgets/."""
    for module in pkgutil.walk_packages(widgets.__path__, "widgets."):
        importlib.import_module(module.name)
    for cls in base.__subclasses__():
        if cls.__module__.startswith("widgets."):
            yield cls
        yield from every_instrument(cls)


def samples(parameter: param.Parameter) -> list[Any]:
    """Return values of a choice: all where there are few, the ends and an odd one of a number."""
    if isinstance(parameter, param.Selector):
        return list(parameter.objects)
    if isinstance(parameter, param.Integer):
        low, high = parameter.bounds
        return sorted({low, parameter.default, min(high, ODD)})
    return [parameter.default]


def states(cls: type[Instrument]) -> Iterator[dict[str, Any]]:
    """Yield combinations of choices."""
    values = [samples(cls.param[name]) for name in cls.choices]
    for chosen in itertools.product(*values):
        yield dict(zip(cls.choices, chosen, strict=True))


def templates(words: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each template in nested words."""
    if isinstance(words, str):
        yield ".".join(path), words
    else:
        for name, inner in words.items() if isinstance(words, dict) else enumerate(words):
            yield from templates(inner, (*path, str(name)))


def gaps(template: str) -> set[str]:
    """Return the names that a template leaves open."""
    return {name for name, _ in GAP.findall(template)}


def decoded(packed: dict[str, str]) -> np.ndarray:
    """Return an array as the browser decodes it: little-endian bytes in base64."""
    return np.frombuffer(base64.b64decode(packed["data"], validate=True), f"<{packed['kind']}")


def printed_by(code: str) -> str:
    """Run Python code in a namespace of its own and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def numbers(text: str) -> list[tuple[float, int, bool]]:
    """Return the numbers in a text: value, digits after the point, whether it is a percentage."""
    found = re.findall(r"(\d[\d,]*)(?:\.(\d+))?(%)?", text)
    return [
        (float(whole.replace(",", "") + "." + digits), len(digits), bool(percent))
        for whole, digits, percent in found
    ]


def is_shown(number: tuple[float, int, bool], text: str) -> bool:
    """Say whether a text shows a number, as far as the digits of both go; a tie may be rounded either way."""
    value, digits, percent = number
    return any(
        percent == other_percent and abs(value - other) <= 0.5 * 10.0 ** -min(digits, other_digits) + 1e-9
        for other, other_digits, other_percent in numbers(text)
        if other_digits or not digits  # 100 in a label is not 100.0 in a result
    )

"""The language in which the browser's tests open pages and look for words: English, or that of `--language`."""

from __future__ import annotations

import re

import pytest

from widgets.kit.languages import ENGLISH, known, spoken
from widgets.kit.text import GAP, fill


def say(text: str, **values: object) -> str:
    """Return what pages say for an English text, its gaps filled as they fill them; it must be in their catalogue."""
    assert spoken() is ENGLISH or known(text) is not None, f"no page says {text!r}: it is in no catalogue"
    said = fill(text, values)
    return said % values if "%(" in said else said  # in templates gaps are written so


def saying(text: str, **values: object) -> re.Pattern[str]:
    """Return a pattern of what pages say for an English text, whatever stands in the gaps that have no value here."""
    between, pieces = 0, []
    for gap in GAP.finditer(template := say(text, **values)):
        pieces.append(re.escape(template[between : gap.start()]))
        between = gap.end()
    return re.compile("(.*?)".join([*pieces, re.escape(template[between:])]))


def filled(text: str, shown: str) -> dict[str, str]:
    """Return what stands in the gaps of an English text where a page shows it."""
    found = saying(text).fullmatch(shown)
    assert found, f"{shown!r} is not {say(text)!r}"
    return dict(zip((name for name, _ in GAP.findall(say(text))), found.groups(), strict=True))


def numbers_in(shown: str) -> list[float]:
    """Return the numbers in what a page shows, with whatever minus sign."""
    decimal, group = map(re.escape, spoken().numbers[:2])
    whole = re.sub(rf"(?<=\d){group}(?=\d{{3}})", "", shown.replace("−", "-"))
    found = re.findall(rf"-?\d+(?:{decimal}\d+)?(?:e[+-]?\d+)?", whole)
    return [float(each.replace(spoken().numbers.decimal, ".")) for each in found]


def prefix() -> str:
    """Return where the pages of the language lie in a site."""
    return "" if spoken() is ENGLISH else f"/{spoken().code}"


def live_part(server: str, path: str) -> str:
    """Return the address of a live part, which is told the language by itself."""
    asked = "" if spoken() is ENGLISH else f"?lang={spoken().code}"
    return f"{server.removesuffix(prefix())}/live/{path}{asked}"


def english_only(reason: str) -> pytest.MarkDecorator:
    """Return a mark that leaves a test out in other languages, for a reason."""
    return pytest.mark.skipif(spoken() is not ENGLISH, reason=reason)

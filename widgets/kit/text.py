"""Sentences with gaps, filled the same way in Python and in the browser (text.js)."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext

from widgets.kit.languages import ENGLISH, known, say, speaking, written

# A number that came as text, as learning rates do; three decimals behind several digits may be thousands set apart.
DECIMAL = re.compile(r"\d\.\d+|\d+\.(?:\d\d?|\d{4,})")
GAP = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fill the gaps `{name}` and `{name:spec}`; a gap without a value stays, so that code in braces survives.

    Said in the language that is spoken: the template, those of the values that are words of ours, and the numbers.
    """

    def one(gap: re.Match) -> str:
        name, spec = gap.groups()
        return gap[0] if name not in values else _formatted(values[name], spec or "")

    return GAP.sub(one, say(template))


def fill_code(template: str, values: Mapping[str, object]) -> str:
    """Fill the gaps of code, which is the same in all languages."""
    with speaking(ENGLISH):
        return fill(template, values)


def _formatted(value: object, spec: str) -> str:
    """Format a value; a tie, such as 6.25 % with one digit, is rounded up as browsers do, not to the even digit."""
    if isinstance(value, str) and not spec:
        said = known(value)
        return said if said is not None else written(value) if DECIMAL.fullmatch(value) else value
    text = _rounded(value, spec)
    text = "−" + text[1:] if spec and text.startswith("-") else text  # a minus sign, as d3-format writes it
    return written(text) if spec or isinstance(value, float) else text


def _rounded(value: object, spec: str) -> str:
    if not isinstance(value, float) or spec[-1:] not in ("f", "%"):
        return format(value, spec)
    percent = spec.endswith("%")
    with localcontext(rounding=ROUND_HALF_UP):
        exact = Decimal(value * 100 if percent else value)
        return format(exact, spec[:-1] + "f") + "%" * percent


def closed(title: str) -> str:
    """Return a title as the sentence that it is where more text follows; one that asks has its mark already."""
    return title if title.endswith("?") else f"{title}."


def slug(name: str) -> str:
    """Return a name of compute as an address spells it."""
    return name.replace(" ", "-")


def name_of(slug: str) -> str:
    """Return the name of compute that an address spells so."""
    return slug.replace("-", " ")

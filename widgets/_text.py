"""Sentences with gaps, filled the same way in Python and in the browser (widgets/lib/text.js)."""

import re
from collections.abc import Mapping

GAP = re.compile(r"\{(\w+)(?::([^{}]*))?\}")


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fill the gaps `{name}` and `{name:spec}`; a gap without a value stays, so that code in braces survives."""

    def one(gap: re.Match) -> str:
        name, spec = gap.groups()
        return gap[0] if name not in values else format(values[name], spec or "")

    return GAP.sub(one, template)

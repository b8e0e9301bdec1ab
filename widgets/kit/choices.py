"""The choice of one of some values; choices.js reads it from an address and writes it there."""

from collections.abc import Mapping

import param


def one_of(labels: Mapping[str, str], default: str, label: str, doc: str) -> param.Selector:
    """Return the choice of one of some values, each with the label under which a reader finds it."""
    objects = {shown: value for value, shown in labels.items()}
    return param.Selector(default=default, objects=objects, label=label, doc=doc)

"""Recorded runs as the instruments know them: their tasks in words, read once."""

from functools import cache

from compute.gathered import Run
from compute.recorded import FULL, RECORDED_RANKS, load

KNOWN_VOICE = "The base has read a little of this voice."
# By the names of compute.voices, with a hyphen where an address can have no space.
TASKS = {
    "legal": ("Legal voice", KNOWN_VOICE),
    "medical": ("Medical voice", KNOWN_VOICE),
    "code": ("Code voice", KNOWN_VOICE),
    "dialect": (
        "Dialect",
        "Plain sentences with a third of all words exchanged. The base has never read it.",
    ),
    "new-language": (
        "New language",
        "Plain sentences with every word exchanged. The base has never read it.",
    ),
}


@cache
def runs_of(task: str) -> dict[str, Run]:
    """Return the recorded runs of a task by rank, "full" among them."""
    return {str(r): load(task.replace("-", " "), r) for r in (*RECORDED_RANKS, FULL)}

"""What Python and the page must not say twice: words, phrases and numbers of the world, for world/ beside this file.

`python -m widgets.finetune.tables` writes them; `make assets` runs it before it bundles.
"""

import json
from pathlib import Path
from typing import Any

from compute.world import people, stories, tasks, voices

FILE = Path(__file__).parent / "world" / "tables.json"
NAMES = {
    people: ("WORLD_SEED", "OLD", "FIRST_NAMES", "LAST_NAMES", "PLACES", "THINGS", "VALUES"),
    voices: ("BASE_VOICES", "MIRROR", "SHARED", "NO_VOICE", "STOPS"),
    stories: (
        *("SPLITS", "EVENTS", "ASKED", "STORY_QUESTIONS", "EVERY_STORY_QUESTION"),
        *("FACT_QUESTIONS", "PRIVATE", "TOLD"),
    ),
    tasks: ("FACTS", "SKILL", "NEW_WORDS", "VOICE_OF", "TELLING", "ANSWERING", "TASKS", "FIRST", "STARTS"),
}


def tables() -> dict[str, Any]:
    """Return every table that the algorithms in world/ read, by the name that it has in both languages."""
    # These need torch, which no page does.
    from compute.adapters.peft_format import INITS_THAT_KEEP_THE_BASE, OFF
    from compute.training.answers import SHORT, SHOWN

    forms: dict[str, dict[str, str]] = {}
    for each in voices.forms():
        forms.setdefault(each.voice, {})[each.kind] = " ".join(each.parts)
    old_and_new = voices.dictionary()
    own = voices.vocabulary()[: -len(old_and_new)]
    return {
        **{name: getattr(module, name) for module, names in NAMES.items() for name in names},
        "BASE_MIX": stories.Source().voices,
        "FORMS": forms,
        "OWN_WORDS": own,
        "DICTIONARY": old_and_new,
        "SHOWN": SHOWN,
        "SHORT": SHORT,
        "NOT_DONE": OFF,
        "KEEPS_THE_BASE": (*INITS_THAT_KEEP_THE_BASE, None),
    }


def text() -> str:
    """Return the file: a line for each table."""
    lines = (f"  {json.dumps(name)}: {json.dumps(table)}" for name, table in tables().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

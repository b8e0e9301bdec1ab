"""Lessons: one page per file, found by being there. An underscore: what lessons share, or the claims of a long one."""

import importlib
import pkgutil
from functools import cache

from lessons.press.blocks import Lesson


@cache
def load_all() -> tuple[Lesson, ...]:
    """Return every lesson of this folder in its order."""
    names = [name for _, name, is_room in pkgutil.iter_modules(__path__) if not is_room and name[0] != "_"]
    found = [importlib.import_module(f"lessons.{name}").LESSON for name in names]
    return tuple(sorted(found, key=lambda lesson: lesson.order))

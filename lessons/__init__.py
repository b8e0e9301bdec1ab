"""Lessons: one page per file, its prose, figures and claims in it, found by being there."""

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the options of serving are read before anything of a lesson is loaded
    from lessons.press.blocks import Lesson


@cache
def load_all() -> "tuple[Lesson, ...]":
    """Return every lesson of this folder in its order."""
    names = [name for _, name, is_room in pkgutil.iter_modules(__path__) if not is_room]
    found = [importlib.import_module(f"lessons.{name}").LESSON for name in names]
    return tuple(sorted(found, key=lambda lesson: lesson.order))

"""Docstrings: numpydoc validates those of compute/, and every parameter of widgets/ has a doc."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import sys
import types
from collections.abc import Iterator

import param
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

from helpers import ROOT

IGNORED = {
    "ES01",  # a second paragraph stands where it says something
    "SA01",  # so does See Also
    "RT04",  # a description may start with the returned thing: energy[r] for rank r = 0..k
}
IGNORED_IN_RECORDS = IGNORED | {
    "PR01",  # a record describes its fields as attributes, which is checked here
    "EX01",  # the function that returns it has the example
}
IGNORED_IN_ERRORS = IGNORED | {"EX01"}  # so has the function that raises it


def modules_of(package: str) -> list[types.ModuleType]:
    """Return the modules of one of our packages, none where the folder does not exist yet."""
    if not (ROOT / package / "__init__.py").exists():
        return []
    top = importlib.import_module(package)
    found = pkgutil.walk_packages(top.__path__, f"{package}.")
    return [top, *(importlib.import_module(each.name) for each in found)]


def defined_in(module: types.ModuleType) -> Iterator[object]:
    """Yield the public functions and classes that the module itself defines."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing) or inspect.isfunction(inspect.unwrap(thing) if callable(thing) else thing):
            yield thing


def fields_of(cls: type) -> list[str] | None:
    """Return the fields of a named tuple or a dataclass, None for any other class."""
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls) if not field.name.startswith("_")]
    return list(cls._fields) if issubclass(cls, tuple) and hasattr(cls, "_fields") else None


def faults(thing: object) -> list[str]:
    """Return what is missing or wrong in the docstring of a function, a record or a class, and its methods."""
    fields = fields_of(thing) if inspect.isclass(thing) else None
    ignored = IGNORED if fields is None else IGNORED_IN_RECORDS
    if inspect.isclass(thing) and issubclass(thing, Exception):
        ignored = IGNORED_IN_ERRORS
    name = f"{thing.__module__}.{thing.__qualname__}"
    found = [f"{name} {code}: {text}" for code, text in validate(name)["errors"] if code not in ignored]
    if fields is not None:
        sections = NumpyDocString(inspect.getdoc(thing) or "")
        told = [entry.name for entry in (*sections["Parameters"], *sections["Attributes"])]
        if told != fields:
            found.append(f"{name}: the fields are {fields}, the docstring describes {told}")
    if inspect.isclass(thing):
        for part, method in vars(thing).items():
            is_ours = getattr(method, "__module__", thing.__module__) == thing.__module__
            callable_part = isinstance(method, types.FunctionType | property | classmethod | staticmethod)
            if not part.startswith("_") and callable_part and is_ours and not inspect.getdoc(method):
                found.append(f"{name}.{part}: has no docstring")
    return found


def undocumented(cls: type) -> list[str]:
    """Return the parameters that a class of ours declares without a doc, and the class itself if it has none."""
    found = [] if cls.__dict__.get("__doc__") else [f"{cls.__module__}.{cls.__qualname__}: has no docstring"]
    for name in cls.__dict__:
        parameter = cls.__dict__[name]
        if isinstance(parameter, param.Parameter) and name != "name" and not (parameter.doc or "").strip():
            found.append(f"{cls.__module__}.{cls.__qualname__}.{name}: has no doc")
    return found


COMPUTE = [thing for module in modules_of("compute") for thing in defined_in(module)]
CLASSES = [
    thing
    for module in modules_of("widgets")
    for thing in defined_in(module)
    if inspect.isclass(thing) and issubclass(thing, param.Parameterized)
]


@pytest.mark.parametrize("thing", COMPUTE, ids=lambda thing: f"{thing.__module__}.{thing.__qualname__}")
def test_compute_says_what_it_takes_and_gives(thing):
    assert faults(thing) == []


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_every_parameter_has_a_doc(cls):
    assert undocumented(cls) == []


PLANTED = '''"""A module that does it wrong."""
from dataclasses import dataclass
from typing import NamedTuple
import param


def bare(r):
    return r


def half(r):
    """Return r.

    Parameters
    ----------
    rank : int
        The rank.
    """
    return r


class Pair(NamedTuple):
    """Hold two numbers.

    Attributes
    ----------
    a : int
        One.
    """

    a: int
    b: int


@dataclass
class Box:
    """Hold one number.

    Attributes
    ----------
    r : int
        The rank.
    """

    r: int

    def twice(self):
        return 2 * self.r


class Choice(param.Parameterized):
    """Hold a choice."""

    r = param.Integer(4)
    alpha = param.Number(8, doc="Numerator of the scaling.")
'''


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Import a module whose docstrings are wrong."""
    (tmp_path / "planted.py").write_text(PLANTED, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("planted")
    sys.modules.pop("planted", None)


@pytest.mark.parametrize(
    ("name", "noticed"),
    [
        ("bare", "GL08"),
        ("half", "PR01"),
        ("half", "RT01"),
        ("half", "EX01"),
        ("Pair", "['a', 'b']"),
        ("Box", "twice: has no docstring"),
    ],
)
def test_a_wrong_docstring_is_noticed(planted, name, noticed):
    assert any(noticed in fault for fault in faults(getattr(planted, name)))


def test_a_parameter_without_doc_is_noticed(planted):
    assert undocumented(planted.Choice) == ["planted.Choice.r: has no doc"]
    assert {"bare", "Pair", "Choice"} <= {thing.__name__ for thing in defined_in(planted)}

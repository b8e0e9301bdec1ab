"""At the edges of its domain a public function answers with finite numbers, or refuses with a sentence.

Arguments come from small pools, by the name of the parameter or by its type: what has a meaning, what lies at its edge,
and what has none. Nothing else may come back than finite numbers, a ValueError, or an error that the docstring names.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import random
import reprlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpydoc.docscrape import NumpyDocString

import compute
from compute.adapters.mixing import METHODS
from compute.costs.architectures import ARCHITECTURES, TARGETS
from compute.experiments.mixing import load_factors
from compute.experiments.placing import CODES
from compute.matrices.row_changes import Split
from compute.matrices.svd import factorize
from compute.model.layers import TARGET_MODULES
from compute.numbers.quantising import quantise

DRAWS = 120  # of arguments, for each function
INTS = [-1, 0, 1, 2, 3, 5, 8, 64]
FLOATS = [-math.inf, -1.0, 0.0, 1e-50, 0.1, 1.0, 2.5, 1e50, math.inf, math.nan]
RAMP = np.arange(12.0).reshape(3, 4)
MATRICES = [
    np.zeros((0, 3)),
    np.zeros((3, 0)),
    np.zeros((1, 1)),
    np.ones((1, 1)),
    np.zeros((3, 4)),
    RAMP,
    RAMP.T,
    -RAMP,
    np.ones((4, 1)),
    np.full((3, 4), np.nan),
    np.full((3, 4), np.inf),
    np.ones(3),
    np.ones(()),
    np.full((3, 4), 1e-50),
    np.full((3, 4), 1e50),
]
VECTORS = [
    np.zeros(0),
    np.zeros(1),
    np.zeros(3),
    np.ones(1),
    np.array([3.0, 2.0, 1.0]),
    np.array([1.0, 2.0]),
    np.array([1.0, -1.0]),
    np.array([np.nan, 1.0]),
    np.array([np.inf, 1.0]),
    np.array([1e50, 1e-50]),
    RAMP,
]
WORDS = ["", "no such thing", "legal", "plain", "q_proj", "b'", "\0"]
SHAPES = [(), (3,), (0, 3), (3, 0), (-1, 2), (1, 1), (1, 5), (4, 3), (8, 8), (300, 2), (2, 3, 4)]
LAYER = "blocks.0.attention.q_proj"
FACTORS = [{}, load_factors("legal"), load_factors("code"), {LAYER: load_factors("legal")[LAYER]}]
# By type, and by the name of the parameter where the type says too little.
BY_TYPE: dict[str, list] = {
    "int": INTS,
    "float": FLOATS,
    "bool": [False, True],
    "str": WORDS,
    "ndarray": MATRICES,
    "Architecture": [ARCHITECTURES["llama-2-7b"], ARCHITECTURES["gpt2"]],
    "SVD": [factorize(np.ones((1, 1))), factorize(RAMP), factorize(np.zeros((2, 3)))],
    "Quantised": [quantise(np.ones((2, 4)), "nf4", 4), quantise(np.zeros((2, 4)), "int2", 8)],
}
BY_NAME: dict[str, list] = {
    "shape": SHAPES,
    "s": VECTORS,
    "absmax": VECTORS,
    "shares": VECTORS,
    "cosines": [*MATRICES[:-5], *VECTORS],
    "precision": ["fp32", "bf16", "fp16", "mixed", "32-bit", "fp8", ""],
    "scaling_rule": ["alpha/r", "alpha/sqrt(r)", "alpha"],
    "optimizer": ["sgd", "adamw", "lion"],
    "measure": ["error", "energy", ""],
    "format": ["nf4", "int4", "int2", "float32", ""],
    "targets": [*TARGETS, "all", ""],
    "voice": ["legal", "mirror", "none", ""],
    "task": ["legal voice", "mirror voice", "new words", "new facts", ""],
    "split": ["training", "validation", "test"],
    "block_size": [0, 8],
    "code": ["", *CODES[:3], "7", "20000x", "888888"],
    "one": ["", *CODES[:3], "888888"],
    "other": ["", *CODES[:3], "888888"],
    "low": INTS,
    "high": INTS,
    "allowed": [(), (1, 2), ("a",)],
    "sentence": [[], ["the"], ["."], ["no such word"]],
    "words": [(), ("the",), ("no such word",), ("the", "court"), ("the", "court", "no such word")],
    "lines": [["1,2"], ["a;b"], ["1 2", "3"], ["\t"]],
    "data": [b"", b"\x93NUMPY", b"1,2\n3,4\n", b"\0" * 40],
    "image_format": ["PNG", "JPEG", ""],
    "unused": ["r", "nothing"],
    "adapters": [[], *([each[LAYER] for each in some] for some in ([FACTORS[1]], FACTORS[1:3]))],
    "weights": [[], [1.0], [0.5, 0.5], [0.0, 0.0], [1.0, -1.0], [math.nan, 1.0], [math.inf, 0.0], [1, 2, 3]],
    "method": [*METHODS, "none"],
    "points": [
        [],
        [Split(1.0, 0.1)],
        [Split(1.0, 0.1), Split(1.0, 0.2)],
        [Split(1.0, 0.1), Split(2.0, 0.1)],
        [Split(1.0, 0.1), Split(2.0, 0.3)],
        [Split(1.0, math.nan), Split(2.0, 0.3)],
    ],
    "losses": [{}, {1: 2.0}, {1: 2.0, 4: 1.0}, {1: math.nan}, {0: 1.0, 8: 1.0}],
    "tokens": [[], [0], [0, 2, 5], [-1], [10_000]],
    "target_modules": [(), ("q_proj",), ("none",), ("q_proj", "q_proj"), TARGET_MODULES],
    "layers": [(), (0,), (9,), (0, 1, 2)],
    "projection": ["q_proj", "up_proj", "none"],
    "block": INTS,
    "first": FACTORS,
    "second": FACTORS,
}
PAIRS = [
    (RAMP, RAMP.T),
    (RAMP.T, RAMP),
    (np.ones((3, 1)), np.ones((1, 4))),
    (RAMP, np.ones((1, 4))),
    (np.ones(3), RAMP),
]
SPECIAL: dict[str, list] = {  # by function and parameter
    "out_of_bounds.first": FLOATS,
    "budget_at.first": INTS,
    **{f"{name}.{which}": PAIRS for name in ("inner_product", "khatri_rao") for which in ("first", "second")},
    "target_modules.targets": [*TARGETS, "all", ""],
    "difference.adapters": [[], [FACTORS[1]], FACTORS[1:3], [FACTORS[1], FACTORS[3]], FACTORS[:2]],
}
# What cannot be drawn from a pool: a function that takes one of these has tests of its own.
NOT_DRAWN = {
    "Iterable": "a generator's output",
    "GPT": "a model",
    "Module": "a model",
    "Tensor": "what a model computes with",
    "Texts": "tensors",
    "Asked": "a question",
    "Path": "a file",
    "Source": "what texts tell, which refuses bad fields when it is made",
    "State": "what a text has told",
    "Dice": "a generator",
    "TrainConfig": "a run, which refuses bad fields when it is made",
    "Callable": "code",
    "Mapping": "factors, counts or records, which are read and checked elsewhere",
    "Weights": "the whole base",
    "LoRALinear": "a layer of a model",
    "AdaptedLinear": "a layer of a model",
    "Layer": "a recorded layer",
    "Model": "a recorded model",
    "Menu": "a record",
    "Record": "a record",
    "Result": "a run's end",
    "bytes": "a file",
    "Namespace": "a command",
    "Adapter": "a file that was read",
    "FileSource": "a file",
    "Contents": "a file's tensors",
    "Comparison": "two files, as they were read",
    "Kept": "what truncation leaves",
    "tuple": "a pair of factors",
    "dict": "a record",
    "list": "a record",
    "Sequence": "a record",
    "Union": "a record",
    "Any": "NumPy's or torch's",
    "object": "anything",
}


def public() -> Iterator[Callable]:
    """Yield every public function of compute, but those that read or make recordings."""
    for module in pkgutil.walk_packages(compute.__path__, "compute."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            plain = inspect.unwrap(thing) if callable(thing) else thing
            ours = inspect.isfunction(plain) and plain.__module__ == module.name
            if ours and name[0] != "_" and ".experiments." not in module.name:
                yield thing


def type_name(annotation: Any) -> str:
    """Return the last name of an annotation's own type, without what it holds."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return text.partition("[")[0].partition(" ")[0].rpartition(".")[2]


def pool(function: Callable, parameter: inspect.Parameter) -> list | None:
    """Return what a parameter is tried with, None if it cannot be drawn."""
    if type_name(parameter.annotation) == "Generator" and "torch" not in str(parameter.annotation):
        return [np.random.default_rng(0)]
    for found in (
        SPECIAL.get(f"{function.__name__}.{parameter.name}"),
        BY_NAME.get(parameter.name) if fits(parameter) else None,
        BY_TYPE.get(type_name(parameter.annotation)),
    ):
        if found is not None:
            return found + ([None] if "None" in str(parameter.annotation) else [])
    return None


def fits(parameter: inspect.Parameter) -> bool:
    """Return whether a pool by name holds what the type asks for."""
    wanted = type_name(parameter.annotation)
    example = BY_NAME[parameter.name][-1] if BY_NAME.get(parameter.name) else None
    kinds = {
        "int": int,
        "float": int | float,
        "str": str,
        "ndarray": np.ndarray,
        "bytes": bytes,
        "tuple": tuple,
        "list": list,
        "Sequence": list | tuple,
        "Collection": list | tuple,
        "Mapping": Mapping,
        "dict": dict,
    }
    return isinstance(example, kinds.get(wanted, ()))


DRAWN, LEFT = [], []
for each in public():
    pools = {p.name: pool(each, p) for p in inspect.signature(each).parameters.values()}
    (LEFT if None in pools.values() or not pools else DRAWN).append(each)


def finite(found: Any) -> bool:
    """Return whether all numbers in an answer are finite."""
    if isinstance(found, Mapping):
        return all(map(finite, found.values()))
    if isinstance(found, tuple | list):
        return all(map(finite, found))
    if isinstance(found, torch.Tensor):
        return bool(found.isfinite().all())
    if isinstance(found, np.ndarray | float):
        return np.asarray(found).dtype.kind not in "fc" or bool(np.isfinite(found).all())
    return True


def named_errors(function: Callable) -> tuple[type[Exception], ...]:
    """Return the errors that a docstring names, and ValueError."""
    told = [entry.type for entry in NumpyDocString(inspect.getdoc(function) or "")["Raises"]]
    known = {"KeyError": KeyError, "numpy.linalg.LinAlgError": np.linalg.LinAlgError}
    return (ValueError, *(known[name] for name in told if name in known))


@pytest.mark.parametrize("function", DRAWN, ids=lambda each: f"{each.__module__[8:]}.{each.__name__}")
def test_finite_numbers_or_a_sentence(function):
    throws = random.Random(0)
    parameters = inspect.signature(function).parameters.values()
    pools = {each.name: pool(function, each) for each in parameters}
    for _ in range(DRAWS):
        given = {name: throws.choice(values) for name, values in pools.items()}
        if starred := [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]:
            stars = [given.pop(name) for name in starred]
            call = lambda given=given, stars=stars: function(*given.values(), *stars)  # noqa: E731
        else:
            call = lambda given=given: function(**given)  # noqa: E731
        try:
            found = call()
        except named_errors(function) as refused:
            told = str(refused)
        except Exception as error:
            pytest.fail(f"{reprlib.repr(given)}: {type(error).__name__}: {error}", pytrace=False)
        else:
            told = "finite" * finite(found)
        assert told, f"{reprlib.repr(given)} is refused without a word, or its answer is not finite"


def test_what_is_not_drawn_takes_something_that_cannot_be():
    for function in LEFT:
        types = {type_name(p.annotation) for p in inspect.signature(function).parameters.values()}
        assert not types or types & (NOT_DRAWN.keys() | {"Generator"}), f"{function.__name__}: {types}"
    assert len(DRAWN) > 90

"""Patterns of a config: as Python's engine matches them, and never longer than the name."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.adapters.formats.patterns import compiled, matches

NAMES = [f"model.layers.{i}.{m}" for i in (1, 3, 13) for m in ("self_attn.q_proj", "mlp.up_proj")] + [
    "q_proj",
    "",
    "a-b",
]
PATTERNS = [
    "q_proj",
    ".*q_proj",
    r"layers\.3\..*",
    r".*\.layers\.[13]\..*(q_proj|up_proj)$",
    r"^model\.layers\.\d+\.mlp\.up_proj",
    "^q_proj",
    "q_proj|up_proj",
    "(self_attn|mlp)\\..+",
    r"\d{1,2}\.self_attn\.q_proj",
    r"[^.]+",
    "[a-z_]+",
    "x*",
    "",
    "q_proj$",
    r"model\.(layers\.)?1\..*",
    "(?:mlp|x).up_proj",
    r"\w+_proj",
    r"a\-b",
    "[a-]+b",
    "a{0,2}-b",
    "a{1,}-b",
    "a{1}.b",
    r"\D+",
    "[]a]*",
    ".*?proj",
    "(a|)(-|)b",
    "((((q))))_proj",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_same_as_in_peft(pattern):
    for name in NAMES:
        assert matches(pattern, name) == bool(re.match(rf"(.*\.)?({pattern})$", name)), name


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")  # Python means it as we do
@settings(derandomize=True, deadline=None, max_examples=1500)
@given(st.text("ab.|()*+?[]^$\\\\d-{},12", max_size=12), st.text("ab.1-", max_size=8))
def test_any_pattern_as_python_or_refused(pattern, name):
    try:
        found = matches(pattern, name)
    except ValueError:
        return
    try:
        expected = bool(re.match(rf"(.*\.)?(?:{pattern})$", name))
    except re.error:
        return  # we take some that Python finds odd, such as **
    assert found == expected


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a*)*b", ".*.*.*.*.*b", "(a|aa)+b", "(a|a?)+b", "a{0,99}" * 8 + "b"]
)
def test_no_pattern_takes_long(pattern):
    begun = time.process_time()
    assert not matches(pattern, "a." * 100)
    assert not matches(pattern, "a" * 200)
    assert time.process_time() - begun < 2


def test_what_is_refused_is_said():
    for pattern, why in (
        ("a" * 501, "500"),
        ("(" * 60 + ")" * 60, "too deep"),
        ("a{99}" * 60 + "b", "written out"),
    ):
        with pytest.raises(ValueError, match=why):
            compiled(pattern)

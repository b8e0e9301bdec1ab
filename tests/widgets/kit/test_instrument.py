"""Every instrument found in widgets/: choices, words, sentence, table, code and keys fit together."""

from __future__ import annotations

import json

import param
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.instruments import (
    every_instrument,
    gaps,
    is_shown,
    numbers,
    printed_by,
    samples,
    states,
    templates,
)
from widgets.kit.instrument import ROOT, WORDS, json_block
from widgets.kit.text import fill

FOUND = sorted(set(every_instrument()), key=lambda cls: cls.script)
INSTRUMENTS = pytest.mark.parametrize("cls", FOUND, ids=lambda cls: cls.script)
KEYED = pytest.mark.parametrize("cls", [cls for cls in FOUND if cls.keyed_by], ids=lambda cls: cls.script)

# Names that the browser alone knows, by the words that use them: what the cursor points at, what was guessed, and
# what stands among the arrays. Everything else comes from values(r).
CELL = {"row", "column"}
BROWSER = {
    "rank": {
        "cells": CELL | {"name", "delta_w", "copy", "residual", "lora_B", "lora_A"},
        "guess": {"guess", "truth", "knee"},
        "breakEven": {"break_even"},
    },
    "patterns": {"cell": CELL | {"s", "u", "v", "product", "sum", "target"}},
}
# Those with a slider over the ranks of one matrix share how sentence, table and code go together.
RANKED = pytest.mark.parametrize(
    "cls", [cls for cls in FOUND if cls.script in BROWSER], ids=lambda cls: cls.script
)
SHARED = {
    "embedCode": {"address", "title", "height"},
    "scriptCode": {"address", "title", "figure", "query"},
    "outOfRange": {"name", "given", "low", "high", "value"},
    "notPossible": {"name", "given", "value"},
    "notAChoice": {"name", "given", "allowed", "value"},
    "notAPart": {"given", "allowed"},
    "missing": {"given", "have"},
}
HOSTILE = [
    "",
    "-",
    "--",
    "../../etc/passwd",
    "blur-32",
    "blur-3200-0",
    "blur-32--1",
    "blur-32-0-0",
    "blur-1e3-0",
    "blur-32.0-0",
    "blur-032-0",
    "blur-+32-0",
    "blur- 32-0",
    "blur-32-0\n",
    "blur-3_2-0",
    "blur-٣٢-0",
    "blur-" + "9" * 5000 + "-0",
    "blur-32-" + "9" * 30,
    "Blur-32-0",
    "blur\0-32-0",
    "<script>-32-0",
    "blur ",
    "BLUR",
    "__class__",
]


def test_there_are_instruments():
    assert {"rank", "patterns", "inits"} <= {cls.script for cls in FOUND}
    assert len({cls.script for cls in FOUND}) == len(FOUND)


@INSTRUMENTS
def test_the_schema_covers_the_choices(cls):
    schema = cls.schema()
    assert tuple(schema) == cls.choices
    for name, rule in schema.items():
        assert rule["label"]
        assert rule["doc"]
        assert rule["default"] == cls.param[name].default
        if rule["type"] == "integer":
            low, high = rule["bounds"]
            assert low <= rule["default"] <= high
        elif rule["type"] == "select":
            assert rule["default"] in [value for value, _ in rule["options"]]
            assert all(label for _, label in rule["options"])
        else:
            assert rule["type"] == "pattern"
            assert rule["allowed"]
    assert set(cls.keyed_by) <= set(cls.choices)


@INSTRUMENTS
def test_every_choice_is_checked(cls):
    figure = cls()
    for name in cls.choices:
        parameter = cls.param[name]
        wrong = (
            [parameter.bounds[0] - 1, parameter.bounds[1] + 1, 1.5, "1"]
            if hasattr(parameter, "bounds")
            else ["<b>", f"{parameter.default}<b>"]
        )
        for value in wrong:
            with pytest.raises(ValueError, match=name):
                setattr(figure, name, value)
        assert getattr(figure, name) == parameter.default


@INSTRUMENTS
def test_it_says_what_it_shows(cls):
    assert cls.title
    assert cls.caption.count(". ") >= 2
    assert "Left out:" in cls.caption, "a caption says what the picture leaves out"
    assert "\n\n" in cls.__doc__
    assert cls.parts
    assert (ROOT / "assets" / "bundles" / f"{cls.script}.js").is_file()
    assert cls().param["spec"].doc


@INSTRUMENTS
def test_its_description_is_json(cls):
    figure = cls()
    described = json.loads(json.dumps(figure.describe()))
    assert json.loads(figure.spec) == described
    assert described["name"] == cls.script
    assert described["text"].items() >= json.loads(json.dumps(figure.words)).items()
    json.dumps(figure.make_arrays(), allow_nan=False)
    assert json.loads(figure.arrays) == json.loads(json.dumps(figure.make_arrays()))


@INSTRUMENTS
def test_its_own_words_hide_none_that_are_shared(cls):
    assert not cls().words.keys() & WORDS.keys()


def test_shared_words_use_only_names_that_the_browser_gives():
    assert {name: gaps(text) for name, text in WORDS.items() if gaps(text)} == SHARED


@RANKED
def test_templates_use_only_names_that_have_a_value(cls):
    figure = cls()
    arrays = figure.make_arrays()
    for r in samples(cls.param["r"]):
        values = figure.values(min(r, arrays["k"]))
        for path, template in templates(figure.words):
            known = BROWSER[cls.script].get(path.split(".")[0], set())
            left = gaps(fill(template, {name: value for name, value in values.items() if name not in known}))
            assert left <= known, f"{path}: {template}"
    used = {name for _, template in templates(figure.words) for name in gaps(template)}
    for names in BROWSER[cls.script].values():
        assert names <= used | {"truth"}, "the list above names nothing in vain"


@RANKED
def test_sentence_table_and_code_agree_in_every_state(cls):
    for state in states(cls):
        figure = cls(**state)
        sentence = figure.sentence()
        assert sentence.endswith(".")
        assert not gaps(sentence)
        assert "nan" not in sentence
        head, rows = figure.table()
        assert rows
        assert all(len(row) == len(head) and all(row) for row in rows)
        assert not any(gaps(cell) or "nan" in cell for row in rows for cell in row)
        shown = min(figure.r, figure.make_arrays()["k"])
        row = next(row for row in rows if row[0] == str(shown))
        out = printed_by(figure.snippet())
        assert out.endswith("\n")
        results = [number for line in out.splitlines() for number in numbers(line.split(": ", 1)[1])]
        assert results
        for number in results:
            assert is_shown(number, f"{sentence} {'; '.join(row)}"), (state, out, sentence, row)


@RANKED
def test_the_table_has_each_rank_once(cls):
    head, rows = cls().table()
    ranks = [int(row[0]) for row in rows]
    assert ranks == list(range(ranks[0], ranks[0] + len(ranks)))
    assert ranks[-1] == cls().make_arrays()["k"]
    assert len(set(head)) == len(head)


@KEYED
def test_a_key_names_the_choices_and_comes_back(cls):
    # Once for each key: the other choices are not in it.
    for values in {tuple(state[name] for name in cls.keyed_by): None for state in states(cls)}:
        key = "-".join(map(str, values))
        figure = cls.from_key(key)
        assert tuple(getattr(figure, name) for name in cls.keyed_by) == values
        assert figure.make_arrays()["key"] == key


@INSTRUMENTS
def test_a_hostile_key_is_refused(cls):
    for key in HOSTILE:
        with pytest.raises(ValueError, match=r".") as caught:
            cls.from_key(key)
        assert type(caught.value) is ValueError, ascii(key)


@given(key=st.text(max_size=30) | st.from_regex(r"(blur|noise)-[\d+_ ]{1,4}-[\d-]{1,12}"))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_key_has_a_second_spelling(key):
    for cls in FOUND:
        try:
            figure = cls.from_key(key)
        except ValueError:
            continue
        assert figure.make_arrays()["key"] == key


@KEYED
def test_published_and_enclosed_keys_are_valid(cls):
    figure = cls()
    opened = "-".join(str(getattr(figure, name)) for name in cls.keyed_by)
    assert opened in cls.published()
    assert len(set(cls.published())) == len(cls.published())
    assert cls.published_words()
    assert figure.enclosed_words()
    assert set(figure.enclosed()) <= set(cls.published())
    for key in [*cls.published(), *figure.enclosed()]:
        assert cls.from_key(key).make_arrays()["key"] == key


@INSTRUMENTS
def test_its_arrays_follow_its_choices(cls):
    figure = cls()
    for name in cls.keyed_by:
        for value in samples(cls.param[name]):
            setattr(figure, name, value)
            assert json.loads(figure.arrays) == json.loads(json.dumps(figure.make_arrays()))
    before = figure.arrays
    for name in set(cls.choices) - set(cls.keyed_by):
        setattr(figure, name, samples(cls.param[name])[-1])
        assert figure.arrays == before, "a tick of the slider ships nothing"


@INSTRUMENTS
def test_two_of_them_share_no_state(cls):
    first, second = cls(), cls()
    before = second.state(), second.arrays, second.spec
    first.hide.append(cls.parts[0])
    for name in cls.choices:
        setattr(first, name, samples(cls.param[name])[-1])
    first.notice = "one"
    assert (second.state(), second.arrays, second.spec) == before
    assert (second.hide, second.notice, cls().hide) == ([], "", [])


def test_json_in_a_page_cannot_end_its_script():
    value = {"label": "</script><!--<script>", "line": "\u2028"}
    assert "<" not in json_block(value)
    assert json.loads(json_block(value)) == value


def test_a_choice_of_another_kind_is_refused():
    class Wrong(FOUND[0]):
        """Has a choice that no address can spell."""

        size = param.Number(1.0, doc="A real number.")

    with pytest.raises(TypeError, match="a choice is a Selector"):
        Wrong.schema()


def test_what_only_python_sets_is_no_choice():
    class Own(FOUND[0]):
        """Takes something from Python."""

        given = param.ClassSelector(class_=dict, doc="An object.")
        called = param.String("", doc="Free text.")

    assert Own.choices == FOUND[0].choices
    assert (Own.script, Own.title) == (FOUND[0].script, FOUND[0].title), "it lives in the same room"


def test_what_only_python_reads_is_not_sent_to_the_browser():
    """A run or a matrix would travel whole, beside the arrays that are made of it, at every change."""
    from widgets.lab import Lab
    from widgets.rank import Rank
    from widgets.strength import Strength

    for cls, names in ((Lab, {"pair"}), (Strength, {"run", "full"}), (Rank, {"matrix"})):
        assert names <= {*cls.param}
        assert not names & {*cls._data_model.properties()}
        assert {"arrays", *cls.choices} <= {*cls._data_model.properties()}

"""Sentences with gaps."""

from __future__ import annotations

import pytest

from widgets.kit.text import fill


@pytest.mark.parametrize(
    ("template", "values", "said"),
    [
        ("r = {r}", {"r": 3}, "r = 3"),
        ("{n:,d} numbers", {"n": 32768}, "32,768 numbers"),
        ("{e:.1%} and {e:.2%}", {"e": 0.935414}, "93.5% and 93.54%"),
        ("{s:.4f}", {"s": 1 / 3}, "0.3333"),
        ("{at:.0f}", {"at": 16.0}, "16"),
        ("{c:.2f} and {n:,d}", {"c": -0.31, "n": -4096}, "−0.31 and −4,096"),  # the browser's sign
        ("{c}", {"c": -0.3}, "-0.3"),  # code
        ("{a}{b}{a}", {"a": "x", "b": "y"}, "xyx"),
        ("{in:,d} × {out:,d}", {"in": 4096, "out": 11}, "4,096 × 11"),
        ("nothing to fill", {"r": 3}, "nothing to fill"),
        ("", {"r": 3}, ""),
    ],
)
def test_gaps_are_filled(template, values, said):
    assert fill(template, values) == said


@pytest.mark.parametrize(
    "template",
    [
        "{unknown} and {unknown:.1%}",
        "f'{error:.1%} at {s[r - 1]:.2f}'",
        "{} {{}} {a b} {r!r} {r.real} {0}",
        "const f = ({ x }) => { return `${x}` }",
        "a { color: red }",
        "{r",
        "r}",
    ],
)
def test_a_gap_without_a_value_stays(template):
    assert fill(template, {"r": 3, "b": 1}) == template


def test_code_with_f_strings_survives():
    code = "r = {r}\nprint(f\"error at r = {r}: {error:.1%} {np.pi:.3f} {d['r']}\")\n"
    assert fill(code, {"r": 4}) == "r = 4\nprint(f\"error at r = 4: {error:.1%} {np.pi:.3f} {d['r']}\")\n"


def test_a_value_is_text_and_never_a_template():
    assert fill("{label}: {r}", {"label": "{r} {label}", "r": 3}) == "{r} {label}: 3"


def test_markup_is_left_as_it_is():
    text = "<b>&amp;</b> {label}"
    assert fill(text, {"label": "</script>&"}) == "<b>&amp;</b> </script>&"


@pytest.mark.parametrize(
    ("value", "spec", "said"),
    [
        (0.0625, ".1%", "6.3%"),
        (0.1875, ".1%", "18.8%"),
        (0.5, ".0f", "1"),
        (2.5, ".0f", "3"),
        (0.125, ".2f", "0.13"),
        (0.9999, ".1%", "100.0%"),
        (1234567.5, ",.0f", "1,234,568"),
        (0.0, ".1%", "0.0%"),
    ],
)
def test_a_tie_is_rounded_up_as_browsers_do(value, spec, said):
    assert fill("{v:" + spec + "}", {"v": value}) == said


def test_a_wrong_format_is_an_error():
    with pytest.raises(ValueError, match="format"):
        fill("{r:zz}", {"r": 3})

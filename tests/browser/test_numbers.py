"""The numbers that the browser computes and hands out are NumPy's, at every rank, wherever the slider came from."""

import csv
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from compute.matrices.controls import noise_control
from compute.matrices.examples import TASKS, make_task
from compute.matrices.spectrum import energy, relative_error
from compute.matrices.svd import factorize
from helpers.browser import FLOAT32_COPY, choose, downloaded, files, instrument, matrix_of, move, sentence
from helpers.matrices import truncated
from helpers.spoken import say
from widgets.rank import Rank
from widgets.rank.words import WORDS

# Two processes factor the matrix; LAPACK's rounding, k * eps * s[0] with k = 32, is all that may differ.
SAME_CURVE = 1e-13
BACK_AND_FORTH = (0, 32, 5, 31, 6, 16, 15, 32, 0, 1)
SVG = "{http://www.w3.org/2000/svg}"
COPY = "The copy at this r (CSV)"


def assert_copies(root, svd, ranks) -> None:
    ranks = list(ranks)
    for r, text in zip(ranks, files(root, COPY, ranks), strict=True):
        copy = matrix_of(text)
        assert copy.shape == svd.shape
        np.testing.assert_allclose(
            copy, truncated(svd, r), rtol=0, atol=FLOAT32_COPY * svd.s[0], err_msg=f"r = {r}"
        )


@pytest.mark.parametrize("n", [16, 32])
def test_the_copy_is_numpys_at_every_rank(open_page, server, n):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    for task in TASKS:
        choose(root, task, n)
        assert_copies(root, factorize(make_task(task, n, 0)), range(n + 1))


def test_the_copy_does_not_depend_on_the_way_there(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    for task in TASKS:
        choose(root, task)
        assert_copies(root, factorize(make_task(task, 32, 0)), BACK_AND_FORTH)


def test_the_copy_at_full_rank_is_the_matrix(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip&task=flat"))
    move(root, *BACK_AND_FORTH, 32)
    name, text = downloaded(root, COPY)
    assert name == "flat-32-0-r32-copy.csv"
    np.testing.assert_allclose(matrix_of(text), make_task("flat", 32, 0), rtol=0, atol=FLOAT32_COPY)
    root.locator(".residual .cells").focus()
    root.page.keyboard.press("ArrowRight")
    ends = say(WORDS["cells"]["matrix"], residual=0).rpartition(", ")[2]
    assert root.locator(".cell").inner_text().endswith(ends), "exact: no rounding is left over"


def test_the_curves_are_numpys(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    for task in TASKS:
        choose(root, task)
        assert_curves(root, task)


def assert_curves(root, task: str) -> None:
    name, text = downloaded(root, "Curves (CSV)")
    assert name == f"{task}-32-0-r1-curves.csv"
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["r"] for row in rows] == [str(r) for r in range(33)]
    assert rows[0]["s"] == "", "there is no singular value at r = 0"
    got = {name: np.array([float(row[name] or 0) for row in rows]) for name in rows[0]}
    s = factorize(make_task(task, 32, 0)).s
    low, median, high = noise_control((32, 32)).error
    expected = {
        "s": np.array([0, *s]),
        "relative_error": relative_error(s),
        "energy": energy(s),
        "noise_error_low": low,
        "noise_error_median": median,
        "noise_error_high": high,
    }
    assert set(expected) <= set(got)
    for column, values in expected.items():
        np.testing.assert_allclose(
            got[column], values, rtol=SAME_CURVE, atol=SAME_CURVE, err_msg=f"column {column}"
        )


def test_the_picture_is_one_file_that_needs_no_other(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    choose(root, "blur")
    move(root, 9)
    name, text = downloaded(root, "Picture (SVG)")
    assert name == "blur-32-0-r9-picture.svg"
    picture = ElementTree.fromstring(text)
    said = sentence(Rank(task="blur"), 9)
    assert picture.find(f"{SVG}title").text == said
    lines = " ".join(node.text for node in picture.findall(f"{SVG}text"))
    assert said in lines
    images = list(picture.iter(f"{SVG}image"))
    assert len(images) == 3
    assert all(image.get("href").startswith("data:image/png;base64,") for image in images)
    assert len(set(image.get("href") for image in images)) == 3
    assert len(picture.findall(f"{SVG}svg")) == 3, "the three charts"
    assert "://" not in text.replace("http://www.w3.org/", ""), "no address of anything outside"


def test_the_patterns_are_numpys(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/patterns.html?task=blur"), "patterns")
    lines = downloaded(root, "Patterns (CSV)")[1].splitlines()
    assert lines[0] == "pattern,s,energy_so_far"
    s = factorize(make_task("blur", 16, 0)).s
    expected = np.column_stack([np.arange(1, 17), s, energy(s)[1:]])
    np.testing.assert_allclose(matrix_of("\n".join(lines[1:])), expected, rtol=SAME_CURVE, atol=SAME_CURVE)

"""Recordings are written in one way; whatever is wrong with one is a sentence that says what to run."""

import json
import math
import re

import numpy as np
import pytest

from compute.numbers.records import NotWhole, base_sum, read_arrays, read_record, write_arrays, write_record


@pytest.fixture
def path(tmp_path):
    write_record(tmp_path / "a.json", {"loss": [1.5, 0.25], "word": "é"})
    return tmp_path / "a.json"


def refused(path, fault, build=dict):
    said = f"The file {path.name} {fault}. Run `python -m compute.experiments.a new`."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        read_record(path, "a new", build)


def test_what_is_written_comes_back_without_the_sum_of_the_base(path):
    assert read_record(path, "a", dict) == {"loss": [1.5, 0.25], "word": "é"}
    assert json.loads(path.read_text(encoding="utf-8"))["base"] == base_sum()


@pytest.mark.parametrize("text", ["", "[]", "{}", "3", '{"base": NaN}', "\ud800"], ids=ascii)
def test_a_text_that_is_no_record_is_damaged(path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    refused(path, "is damaged")


def test_a_record_of_another_base_is_refused_before_anything_is_built(path):
    path.write_text(json.dumps({"base": "0" * 64, "loss": []}))
    refused(path, "started from another base model", build=pytest.fail)


def test_a_file_that_is_not_there_is_missing(path):
    path.unlink()
    refused(path, "is missing")


@pytest.mark.parametrize(
    ("build", "fault"),
    [
        (lambda data: data["other"], "is damaged"),
        (lambda data: data["loss"][2], "is damaged"),
        (lambda data: data["loss"].keys(), "is damaged"),
        (lambda data: int(data["word"]), "is damaged"),
        (lambda data: data["loss"] + 1, "is damaged"),
    ],
    ids=["KeyError", "IndexError", "AttributeError", "ValueError", "TypeError"],
)
def test_what_cannot_be_built_is_damaged(path, build, fault):
    refused(path, fault, build)


@pytest.mark.parametrize(("error", "fault"), [(NotWhole, "is not whole"), (NotWhole("has no x"), "has no x")])
def test_what_lacks_a_part_is_said_in_its_own_words(path, error, fault):
    def build(data):
        raise error

    refused(path, fault, build)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_that_is_none_is_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path / "a.json", {"loss": value})
    assert not (tmp_path / "a.json").exists()


def test_arrays_come_back_whatever_their_order_in_memory(tmp_path):
    W = np.arange(6.0).reshape(2, 3).T  # (3, 2), columns first
    write_arrays(tmp_path / "a.safetensors", {"W": W}, {"scaling": 2})
    arrays, about = read_arrays(tmp_path / "a.safetensors", "a", lambda *both: both)
    assert np.array_equal(arrays["W"], W)
    assert about.keys() == {"scaling", "sha256"}


@pytest.mark.parametrize("where", [0, 8, -1])
def test_one_changed_byte_of_the_arrays_is_damage(tmp_path, where):
    path = tmp_path / "a.safetensors"
    write_arrays(path, {"W": np.eye(3)}, {})
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"The file a\.safetensors is damaged\."):
        read_arrays(path, "a", lambda *both: both)

"""Recorded runs are read from files, and a file that is not the run is refused."""

import json
import math

import pytest

from compute.experiments.runs import RUNS, load


@pytest.mark.parametrize(
    ("task", "r", "told"),
    [
        ("plain", 4, "task must be one of new facts, .*, got 'plain'."),
        ("new facts", 3, "r must be one of 1, 2, 4, 8, 16, 32, full, got 3."),
        ("new facts", "4", "r must be one of 1, 2, 4, 8, 16, 32, full, got '4'."),
    ],
)
def test_a_run_that_nobody_records_is_refused(task, r, told):
    with pytest.raises(ValueError, match=told):
        load(task, r)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("", "formal-voice-r2.json is missing. Run `python -m compute.experiments.runs formal-voice-r2`."),
        ("half", "formal-voice-r2.json is damaged"),
        ("[]", "formal-voice-r2.json is damaged"),
        ('{"base": "x"}', "formal-voice-r2.json started from another base model"),
        ({"more": 1}, "is damaged"),
        ({"loss": [math.nan] * 300}, "is damaged"),
        ({"config": {"r": 3}}, "is not the whole of the run"),
        ({"config": {"r": []}}, "is damaged"),
        ({"samples": 3}, "is damaged"),
        ({"loss": [1.0]}, "is not the whole of the run that its name says"),
        ({"trainable": 0}, "is not the whole"),
        ({"steps": [0]}, "is not the whole"),
        ({"strengths": 3}, "is damaged"),
        ({"strengths": {}}, "is not the whole"),
        ({"strengths": {"validation_loss": [1.0] * 9}}, "is damaged"),
        (
            {"strengths": dict.fromkeys(("validation_loss", "base_loss", "samples", "right"), [[]] * 8)},
            "is not the whole",
        ),
        ("new-facts-r2", "is not the whole"),
        ("formal-voice-r4", "is not the whole"),
        ("formal-voice-full", "is not the whole"),
        ({"base": "0"}, "started from another base model"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_that_is_not_the_run_is_refused(change, told, tmp_path, monkeypatch):
    stem = change if isinstance(change, str) and (RUNS / f"{change}.json").exists() else "formal-voice-r2"
    text = (RUNS / f"{stem}.json").read_text(encoding="utf-8")
    if isinstance(change, dict):
        text = json.dumps({**json.loads(text), **change})
    elif change == "half":
        text = text[: len(text) // 2]
    elif stem != change:
        text = change
    if change:
        (tmp_path / "formal-voice-r2.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr("compute.experiments.runs.RUNS", tmp_path)
    with pytest.raises(ValueError, match=told):
        load("formal voice", 2)

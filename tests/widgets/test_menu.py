"""The menu figure: its sentence, table and arrays say what was recorded, for every method and size."""

from __future__ import annotations

import itertools
from statistics import fmean

import pytest

from compute.experiments.menu import MENU_TASKS, MERGE, SIZES, config_of, load_menu
from compute.training.config import METHODS, TrainConfig
from helpers.instruments import gaps
from widgets.kit.languages import language, speaking
from widgets.kit.text import fill
from widgets.menu import GUESSED, Menu, shipped, slug
from widgets.menu.words import BELOW, METHOD_WORDS, SHOWN_LABELS, SIZE_LABELS, WORDS

POINTS = [(method, size) for method, sizes in SIZES.items() for size in sizes]


def test_every_method_has_its_words():
    assert set(METHOD_WORDS) == set(METHODS)
    assert {words["merges"][:3] == "yes" for name, words in METHOD_WORDS.items() if name in MERGE} == {True}
    assert METHOD_WORDS["bottleneck"]["merges"] == METHOD_WORDS["soft prompt"]["merges"] == "no"


@pytest.mark.parametrize("task", MENU_TASKS)
def test_the_sentence_says_what_was_recorded(task):
    for method, place in itertools.product(SIZES, range(len(SIZE_LABELS))):
        sizes = SIZES[method]
        size = sizes[place] if len(sizes) > 1 else None
        figure = Menu(task=slug(task), method=slug(method), size=[*SIZE_LABELS][place], guess="skip")
        one, said = load_menu().of(task, method, size), figure.sentence()
        assert not gaps(said)
        assert f"trains {one.numbers:,d} numbers" in said
        assert fill("{loss:.3f} nats", {"loss": round(fmean(one.loss), 4)}) in said
        assert figure.values()["said_size"] in said
        veiled = Menu(task=slug(task), method=slug(method)).sentence()
        assert not gaps(veiled)
        assert "How " in veiled
        assert "still right" not in veiled


def test_the_guess_is_about_those_that_train_no_more_than_lora_at_its_smaller_rank():
    asked = shipped()["guessed"]
    lora = load_menu().of(GUESSED, "lora", SIZES["lora"][0])
    below = {
        method
        for method, size in POINTS
        if load_menu().of(GUESSED, method, size).numbers <= lora.numbers and method != "full"
    }
    assert below == set(BELOW)
    assert (
        set(asked["rights"]) == set(asked["numbers"]) == {option for option, _ in WORDS["guess"]["options"]}
    )
    assert asked["best"] == max(asked["rights"].values())
    assert asked["lowest"] in asked["close"] != list(asked["rights"])
    assert max(asked["numbers"].values()) == asked["lora_numbers"] == lora.numbers
    for name in asked["rights"]:
        ends = [
            round(fmean(load_menu().of(GUESSED, method, size).task_right), 4)
            for method, size in POINTS
            if slug(method) == name
        ]
        assert asked["rights"][name] in ends


@pytest.mark.parametrize("task", MENU_TASKS)
def test_differences_are_from_lora_at_its_best_size(task):
    best = load_menu().best(task, "lora")
    none = [point for point in shipped()["tasks"][slug(task)]["points"] if point["gap"] is None]
    assert [(point["method"], point["trainable"]) for point in none] == [("lora", best.numbers)]
    full = shipped()["tasks"][slug(task)]["points"][0]
    gaps_of_full = [a - b for a, b in zip(load_menu().of(task, "full", None).loss, best.loss, strict=True)]
    assert full["gap"] == pytest.approx(fmean(gaps_of_full), abs=1e-4)
    assert full["gap_low"] < full["gap"] < full["gap_high"]


@pytest.mark.parametrize("task", MENU_TASKS)
def test_the_table_has_each_method_and_size_once(task):
    head, rows = Menu(task=slug(task)).table()
    assert len(rows) == len(POINTS) == len({(row[0], row[1]) for row in rows})
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert not any(gaps(cell) for row in rows for cell in row)


def test_templates_use_only_names_that_have_a_value():
    values = Menu().values()
    for name in SHOWN_LABELS:
        assert not gaps(fill(WORDS["charts"][name]["probe"], values))
    for template in [*WORDS["readouts"].values(), *WORDS["readoutValues"].values()]:
        for one in [template] if isinstance(template, str) else template.values():
            assert not gaps(fill(one, values))


def test_the_ranks_are_those_that_adalora_left():
    for task in MENU_TASKS:
        for place, blocks in shipped()["tasks"][slug(task)]["ranks"].items():
            size = SIZES["adalora"][[*SIZE_LABELS].index(place)]
            assert [len(block) for block in blocks] == [6, 6, 6]
            assert sum(map(sum, blocks)) == 18 * size


@pytest.mark.parametrize(("method", "size"), POINTS)
def test_the_code_asks_for_the_run_that_is_shown(method, size):
    place = [*SIZE_LABELS][SIZES[method].index(size)]
    figure = Menu(method=slug(method), size=place)
    expected = config_of(GUESSED, method, size, load_menu().of(GUESSED, method, size).rate, 0)
    settings = figure.values()["settings"]
    assert eval(f"TrainConfig({settings})", {"TrainConfig": TrainConfig}) == expected
    assert f"TrainConfig({settings})" in figure.snippet()


def test_the_rates_that_were_tried_are_written_as_the_language_writes_numbers():
    tried = Menu().values()["tried"]
    assert "." in tried
    with speaking(language("es")):
        assert Menu().values()["tried"] == tried.replace(".", ",")

"""The menu figure: its sentence, table and arrays say what was recorded, for every method and size."""

from __future__ import annotations

import itertools

import pytest

from compute.experiments.menu import MENU_TASKS, MERGE, SIZES, entry, load_menu, middle_of
from compute.training.config import METHODS, TrainConfig
from helpers.instruments import gaps
from widgets.kit.text import fill
from widgets.menu import GUESSED, Menu, shipped, slug
from widgets.menu.words import METHOD_WORDS, SHOWN_LABELS, SIZE_LABELS, WORDS

POINTS = [(method, size) for method, sizes in SIZES.items() for size in sizes]


def test_every_method_has_its_words():
    assert set(METHOD_WORDS) == set(METHODS)
    assert {words["merges"][:3] == "yes" for name, words in METHOD_WORDS.items() if name in MERGE} == {True}
    assert METHOD_WORDS["bottleneck"]["merges"] == METHOD_WORDS["soft prompt"]["merges"] == "no"


@pytest.mark.parametrize("task", MENU_TASKS)
def test_the_sentence_says_what_was_recorded(task):
    for method, place in itertools.product(SIZES, range(3)):
        sizes = SIZES[method]
        size = sizes[place] if len(sizes) > 1 else None
        figure = Menu(task=slug(task), method=slug(method), size=[*SIZE_LABELS][place], guess="skip")
        one, said = entry(load_menu(), task, method, size), figure.sentence()
        assert not gaps(said)
        assert f"trains {one.trainable:,d} numbers" in said
        assert f"ends at {one.validation_loss:.2f} nats" in said
        assert figure.values()["said_size"] in said
        veiled = Menu(task=slug(task), method=slug(method)).sentence()
        assert "How close" in veiled
        assert f"{one.base_loss:.2f}" not in veiled


def test_a_guess_is_right_where_seeds_differ_by_more_than_the_methods():
    asked = shipped()["guessed"]
    ends = {name: [run.validation_loss for run in load_menu().runs if name == run.method] for name in SIZES}
    assert set(asked["losses"]) == {slug(name) for name in SIZES if name != "full"}
    assert all(asked["losses"][slug(name)] in ends[name] for name in SIZES if name != "full")
    assert asked["best"] == min(asked["losses"].values()) > asked["full_new"]
    assert asked["lowest"] in asked["close"] != list(asked["losses"])
    assert 0 < asked["spread"] < 0.2  # nats: less than what divides the groups
    for name in asked["close"]:
        assert asked["losses"][name] <= asked["best"] + asked["spread"] + 1e-9
    assert set(asked["losses"]) == {option for option, _ in WORDS["guess"]["options"]}


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
    for template in WORDS["readoutValues"].values():
        for one in [template] if isinstance(template, str) else template.values():
            assert not gaps(fill(one, values))


def test_the_ranks_are_those_that_adalora_left():
    for task in MENU_TASKS:
        for place, blocks in shipped()["tasks"][slug(task)]["ranks"].items():
            size = SIZES["adalora"][[*SIZE_LABELS].index(place)]
            assert [len(block) for block in blocks] == [6, 6, 6]
            assert sum(map(sum, blocks)) == 18 * size


def test_the_code_asks_for_the_run_that_is_shown():
    figure = Menu(method="soft-prompt", size="large")
    one = entry(load_menu(), GUESSED, "soft prompt", 64)
    settings = figure.values()["settings"]
    expected = TrainConfig(task=GUESSED, method="soft prompt", r=64, learning_rate=one.rate)
    assert eval(f"TrainConfig({settings})", {"TrainConfig": TrainConfig}) == expected
    assert f"train(TrainConfig({settings}))" in figure.snippet()
    assert middle_of("soft prompt") != 64

"""The strength dial: its numbers are those of the run, its control is full finetuning, its code gives its number."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bokeh.document import Document

from compute.experiments.runs import RECORDED_RANKS, load
from compute.training.config import STRENGTHS, Result, TrainConfig
from compute.training.gathered import Run, opened
from compute.training.loop import train
from compute.training.opened import open_adapter
from helpers.instruments import gaps, numbers, printed_by, templates
from widgets.kit.runs import LAB_LABELS
from widgets.kit.text import fill
from widgets.strength import HALF, LEAST, TRAINED, Strength

# A recorded loss, trained again: the same numbers up to the rounding of another machine's matrix products, which
# three hundred steps amplify.
AGAIN = 0.02
EVERY = [(task, r) for task in LAB_LABELS for r in RECORDED_RANKS]


def shown(share: float) -> str:
    return fill("{share:.0%}", {"share": round(share, 3)})


def recorded(task: str, r: int | str) -> Run:
    return load(task.replace("-", " "), r)


@pytest.mark.parametrize(("task", "r"), EVERY)
def test_the_sentence_follows_the_recorded_run(task, r):
    lora, full = recorded(task, r), recorded(task, "full")
    figure = Strength(task=task, r=str(r))
    for at, strength in enumerate(STRENGTHS):
        figure.strength = at
        said = figure.sentence()
        assert not gaps(said)
        assert said.startswith(f"At strength {strength:.2f} “{LAB_LABELS[task][0]}, r = {r}” has a loss of ")
        facts = [shown(each["facts"]) for each in lora.strengths["right"]]
        assert f"{lora.strengths['validation_loss'][at]:.2f} nats per word on the task" in said
        assert f"base knew it has {facts[at]} right" in said
        assert f"ends at {full.validation_loss[-1]:.2f} and {shown(full.right[-1]['facts'])}." in said
        assert f"alone has {lora.validation_loss[0]:.2f} and {facts[0]}," in said


@pytest.mark.parametrize("task", LAB_LABELS)
def test_the_shares_go_from_nothing_to_all(task):
    figure = Strength(task=task)
    values = [figure.values(at) for at in range(len(STRENGTHS))]
    assert values[0]["kept"] == pytest.approx(0, abs=1e-3)
    assert values[TRAINED]["kept"] == 1
    assert values[0]["lost"] in (None, pytest.approx(0, abs=1e-3))
    assert values[TRAINED]["lost"] in (None, 1)
    run = recorded(task, 1)
    loss = run.strengths["validation_loss"]
    before = run.validation_loss[0]
    expected = (before - np.array(loss)) / (before - loss[4])
    np.testing.assert_allclose([each["kept"] for each in values], expected)


@pytest.mark.parametrize("task", LAB_LABELS)
def test_what_is_guessed_is_the_share_at_half_strength(task):
    figure = Strength(task=task)
    assert STRENGTHS[HALF] == 0.5
    share = figure.values(HALF)["kept"]
    assert abs(figure.truth() - 100 * share) <= 0.5
    assert 0 <= figure.truth() <= 200, "the field allows it"


def test_every_gap_has_a_value():
    figure = Strength()
    browser = {
        "guess",
        "truth",
        "before",
        "after",
    }  # what the browser alone knows: the guess, and what it asks
    for path, template in templates(figure.words):
        assert gaps(fill(template, figure.values(HALF))) <= browser, path


def test_every_strength_is_shipped_and_the_first_is_the_base():
    arrays = Strength().make_arrays()
    assert arrays["facts"][0] > 0.9 > arrays["facts"][TRAINED]
    assert arrays["strengths"] == STRENGTHS
    assert len(arrays["samples"]) == len(STRENGTHS)
    assert arrays["samples"][0] == arrays["base_samples"] != arrays["samples"][TRAINED]


def test_its_code_gives_the_loss_at_this_strength():
    figure = Strength(task="new-facts", r="1", strength=2)
    out = printed_by(figure.snippet())
    assert out.startswith("loss at strength 0.50: ")
    ((value, _, _),) = numbers(out.split(": ", 1)[1])
    losses = load("new facts", 1).strengths["validation_loss"]
    assert value == pytest.approx(losses[2], abs=AGAIN)
    assert abs(losses[2] - losses[1]) > 2 * AGAIN, "another strength would be noticed"


# The reader's own.


@pytest.fixture(scope="module")
def trained() -> Result:
    config = TrainConfig(task="new words", r=2, steps=20, batch_size=8, train_embeddings=True)
    *_, result = train(config)
    return result


@pytest.fixture(scope="module")
def brought(trained) -> Run:
    return opened("new words", next(open_adapter("new words", trained.weights, trained.adapter_config)))


def test_a_run_of_the_readers_stands_in_place_of_the_recorded_ones(brought, trained):
    figure = Strength.of(brought, "my <b>adapter</b>", strength=0)
    arrays = json.loads(figure.arrays)
    assert figure.hide == ["task"]
    assert (arrays["key"], arrays["label"]) == ("new-words-own", "my <b>adapter</b>")
    assert arrays["task"] == [each.validation_loss for each in trained.strengths]
    assert arrays["full"]["task"] == load("new words", "full").validation_loss[-1]
    assert arrays["before"]["task"] == pytest.approx(trained.base_evaluation.validation_loss, abs=1e-3)
    assert "They stay as they are, whatever the strength." in arrays["note"]
    assert "Task: new words." in arrays["note"]
    assert "“my <b>adapter</b>”" in figure.sentence()
    assert "<b>" not in figure.figure_html()
    assert figure.enclosed() == []
    assert Strength().label == ""


def test_a_run_may_come_later(brought):
    figure = Strength(hide=["task"])
    figure.param.update(run=brought, label="later")
    assert json.loads(figure.arrays)["label"] == "later"
    document = figure.server_doc(Document())
    assert document.roots


def test_the_code_of_an_opened_adapter_reads_its_files(brought, trained, tmp_path, monkeypatch):
    (tmp_path / "adapter_model.safetensors").write_bytes(trained.weights)
    (tmp_path / "adapter_config.json").write_text(trained.adapter_config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    out = printed_by(Strength.of(brought, "mine", strength=2).snippet())
    assert out == f"loss at strength 0.50: {trained.strengths[2].validation_loss:.2f} nats per word\n"


def test_the_code_of_a_trained_run_says_what_is_not_usual():
    config: dict[str, Any] = {**load("new facts", 4).config, "alpha": 16.0, "target_modules": ("q_proj",)}
    figure = Strength.of(load("new facts", 4)._replace(config=config), "mine")
    assert (
        "TrainConfig(task='new facts', r=4, alpha=16.0, target_modules=('q_proj',), n_texts=128)"
        in figure.snippet()
    )


def test_where_little_changed_there_are_no_shares_and_no_guess():
    run = load("new facts", 4)
    little = {**run.strengths, "validation_loss": [run.validation_loss[0] - LEAST / 2] * len(STRENGTHS)}
    figure = Strength.of(run._replace(strengths=little), "mine")
    assert figure.truth() is None
    assert "of the fall" not in figure.sentence()
    assert not gaps(figure.sentence())

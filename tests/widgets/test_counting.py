"""The counting instrument: sentence, table, bars and code say the same, and its numbers are those of compute."""

from __future__ import annotations

import itertools

import pytest

from compute.costs.architectures import ARCHITECTURES, TARGETS, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import CARDS, GB, PRECISIONS, activation_bytes
from helpers.instruments import gaps, is_shown, numbers, printed_by, templates
from widgets.counting import HIGHEST_RANK, Counting
from widgets.kit.text import fill

EVERY = pytest.mark.parametrize("name", ARCHITECTURES)
# What the browser alone knows: the rank that a cursor points at, the guess, a row of the table, the shortened context.
BROWSER = {
    "chart": {"rank", "rank_trained", "rank_share"},
    "guess": {"guess"},
}


@EVERY
def test_sentence_table_and_code_agree(name):
    for targets, precision, r in itertools.product(TARGETS, PRECISIONS, (1, 16, HIGHEST_RANK)):
        figure = Counting(model=name, targets=targets, precision=precision, r=r)
        said = figure.sentence()
        assert not gaps(said)
        assert said.endswith(".")
        head, rows = figure.table()
        assert all(len(row) == len(head) for row in rows)
        assert not any(gaps(cell) or "None" in cell for row in rows for cell in row)
        printed = printed_by(figure.snippet()).splitlines()
        assert len(printed) == 5
        for line in printed:
            (number,) = numbers(line.split(": ", 1)[1])
            assert is_shown(number, said), (line, said)


@EVERY
def test_the_parts_of_a_row_add_up(name):
    for row in Counting(model=name, precision="no-master", batch="4").bars():
        parts = [row[part] for part in ("weights", "gradients", "optimiser", "extra")]
        assert sum(parts) == pytest.approx(row["sum"])
        if row["card"] is None:
            assert (row["cards"] - 1) * CARDS[-1] < row["sum"] <= row["cards"] * CARDS[-1]
        else:
            assert row["sum"] <= row["card"]
            assert row["cards"] == 1


def test_the_example_of_the_usual_story():
    assert Counting().sentence() == (
        "LoRA with r = 16 on all linear layers of Llama-2 7B trains 39,976,960 numbers, 168.6 times fewer than full "
        "finetuning. Weights, gradients and optimiser states take 107.81 GB with full finetuning, 14.12 GB with LoRA, "
        "7.6 times less, and 4.51 GB with QLoRA. Activations add about 0.80 GB to each."
    )


def test_a_model_reads_no_more_than_its_context():
    short, long = Counting(model="gpt2", context="1024"), Counting(model="gpt2", context="8192")
    assert long.tokens() == short.tokens() == 1024
    assert long.activations() == activation_bytes(ARCHITECTURES["gpt2"], 1, 1024, "mixed")
    assert Counting(model="llama-3-8b", context="8192").tokens() == 8192


@EVERY
def test_the_browser_gets_what_it_multiplies(name):
    arrays = Counting().make_arrays()
    model, sent = ARCHITECTURES[name], arrays["models"][name]
    assert f"{parameters(model):,d} numbers" in sent["note"]
    assert not gaps(sent["note"])
    for targets, r in itertools.product(TARGETS, (1, 7, 256)):
        assert r * sent["targets"][targets]["per_rank"] == lora_numbers(model, targets, r)
    tokens, shape = 4 * 512, sent["n_embd"] * sent["n_layer"] * arrays["precisions"]["mixed"]["weights"]
    estimate = tokens * (shape + sent["vocab_size"] * arrays["logits"])
    assert estimate == activation_bytes(model, 4, 512, "mixed")


def test_every_gap_has_a_value():
    figure = Counting()
    (full, *_), values = figure.bars(), figure.values(16)
    known = {**values, **full, **vars(ARCHITECTURES["gpt2"]), "more": ""}
    for path, template in templates(figure.words):
        assert gaps(fill(template, known)) <= BROWSER.get(path.split(".")[0], set()), path


def test_the_states_are_whole_bytes():
    for name in ARCHITECTURES:
        for states in Counting(model=name).states(16).values():
            assert all(float(size).is_integer() for size in states), "no rounding hides in a sum"
            assert sum(states) < 10_000 * GB

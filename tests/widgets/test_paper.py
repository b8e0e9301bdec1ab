"""The two figures of the reading: their sentences, tables and verdicts say what was measured."""

from __future__ import annotations

import ast
import itertools

import pytest

from compute.experiments.paper import COMPARED, NAMES, PAIRS, load_paper, random_cosines
from compute.matrices.intruders import count_intruders
from helpers.instruments import gaps, templates
from widgets.amplification import RUNS, Amplification
from widgets.intruders import Intruders, verdict
from widgets.kit.paper import LAYER_LABELS, MIDDLE_QUERY, TASK_LABELS, TASK_OF
from widgets.kit.text import fill
from widgets.similarity import Similarity

BROWSER = {
    "charts": {"name", "here", "paper", "value", "low", "i", "cosine", "random_cosine"},
    "guess": {"guess", "truth", "lora", "random"},
}


@pytest.mark.parametrize(("task", "run"), [*itertools.product(TASK_LABELS, RUNS)])
def test_amplification_says_what_is_recorded(task, run):
    for layer in LAYER_LABELS:
        figure = Amplification(task=task, run=str(run), layer=layer, guess="skip")
        of = load_paper().runs[TASK_OF[task]][run][0].layers[layer]
        said = figure.sentence()
        assert not gaps(said)
        assert (
            f"The norm of delta_w is {of.size:.2f}, so the amplification is {of.size / of.kept:.1f}, and"
            in said
        )
    assert "amplification" not in Amplification(task=task).sentence()
    asked = Amplification(task=task)
    asked.hide = ["guess"]
    assert "amplification" in asked.sentence()


def test_the_guess_is_about_chance():
    figure = Amplification()
    assert figure.truth() == "more"
    assert figure.values()["ratio"] > 1.1


@pytest.mark.parametrize("task", TASK_LABELS)
def test_intruders_are_counted_over_all_layers(task):
    figure = Intruders(task=task, guess="skip")
    for name, top, epsilon in itertools.product((4, 64, "full"), (1, 10, 12), (10, 50, 95)):
        figure.run, figure.top, figure.epsilon = str(name), top, epsilon
        layers = load_paper().runs[TASK_OF[task]][name][0].layers.values()
        count = sum(count_intruders(of.cosines, top, epsilon / 100) for of in layers)
        random = random_cosines(TASK_OF[task], name, seed=0).values()
        control = sum(count_intruders(cosines, top, epsilon / 100) for cosines in random)
        assert f"{count} of the {18 * top} strongest" in figure.sentence()
        assert f"would make {control}, " in figure.sentence()


@pytest.mark.parametrize("task", TASK_LABELS)
def test_random_changes_make_more_and_the_verdict_says_so(task):
    assert verdict(task, "random").startswith("You said random changes, which is right:")
    assert "It is random changes" in verdict(task, "lora")


@pytest.mark.parametrize(
    "figure", [Amplification(), Intruders(), Similarity()], ids=lambda figure: figure.script
)
def test_tables_are_whole_and_every_gap_has_a_value(figure):
    head, rows = figure.table()
    lengths = {Amplification: len(LAYER_LABELS), Intruders: len(NAMES), Similarity: COMPARED}
    assert len(rows) == lengths[type(figure)]
    assert all(len(row) == len(head) and all(row) for row in rows)
    assert not any(gaps(cell) for row in rows for cell in row)
    for path, template in templates(figure.words):
        known = BROWSER.get(path.split(".")[0], set())
        assert gaps(fill(template, figure.values())) <= known, path
    code = ast.parse(figure.snippet())
    for node in ast.walk(code):
        if isinstance(node, ast.ImportFrom):  # what it imports is there; it trains, so it is not run
            module = __import__(node.module, fromlist=[name.name for name in node.names])
            assert all(hasattr(module, name.name) for name in node.names)


@pytest.mark.parametrize("task", TASK_LABELS)
@pytest.mark.parametrize("layer", ["all", MIDDLE_QUERY, "blocks.2.mlp.down_proj"])
def test_similarity_says_what_is_recorded(task, layer):
    for i in (1, COMPARED):
        figure = Similarity(task=task, layer=layer, i=i)
        said, similar = figure.sentence(), load_paper().similar[TASK_OF[task]]
        assert not gaps(said)
        for pair in PAIRS:
            rows = similar[pair].values() if layer == "all" else [similar[pair][layer]]
            mean = sum(row[i - 1] for row in rows) / len(rows)
            assert fill("{mean:.2f}", {"mean": round(mean, 4)}) in said
    if layer != "all":
        chance = COMPARED / (256 if "down" in layer else 64)
        assert said.endswith(fill("Chance gives {chance:.2f}.", {"chance": chance}))

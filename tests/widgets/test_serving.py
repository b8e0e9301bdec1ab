"""The figures on serving and routing say what was recorded and counted, in every state."""

from __future__ import annotations

import pytest

from compute.experiments.routed import study
from compute.experiments.serving import ADAPTERS, WAYS, load_serving, numbers_held
from helpers.instruments import gaps, is_shown, numbers, printed_by, samples, templates
from widgets.kit.text import fill
from widgets.routing import Routing
from widgets.serving import Serving

PROMPTED = {
    "likely",
    "chance",
    "sent",
    "read",
    "unknown",
    "word",
    "label",
    "weight",
    "count",
    "extra",
    "cost",
}


@pytest.mark.parametrize("words_each", samples(Serving.param.words_each))
@pytest.mark.parametrize("r", samples(Serving.param.r))
def test_serving_says_what_was_measured(words_each, r):
    figure = Serving(words_each=words_each, r=r)
    served = load_serving()
    for place, adapters in enumerate(ADAPTERS):
        figure.doublings = place
        said = figure.sentence()
        assert not gaps(said)
        for way in WAYS:
            pace = served.paces[int(words_each), int(r)][way][place].middle
            assert fill("{pace:.0%}", {"pace": pace}) in said  # a tie is rounded as on the page
            assert f"{numbers_held(way, served.model, int(r), adapters):,d}" in said
    out = printed_by(figure.snippet())
    assert len(out.splitlines()) == len(WAYS)
    assert all(is_shown(number, said) for number in numbers(out))


def test_the_guess_is_judged_by_what_was_measured():
    truths = Serving().make_arrays()["truths"]
    for (words, r), ways in load_serving().paces.items():
        first, *_, last = ways["together"]
        assert truths[f"{words}-{r}"] == {"times": first.middle / last.middle, "truth": "same"}


def test_a_table_has_a_row_for_each_number_of_adapters():
    head, rows = Serving().table()
    assert [row[0] for row in rows] == [str(number) for number in ADAPTERS]
    assert all(len(row) == len(head) and all(row) for row in rows)


@pytest.mark.parametrize("examples", samples(Routing.param.examples))
@pytest.mark.parametrize("rule", samples(Routing.param.rule))
def test_routing_says_what_was_counted(examples, rule):
    figure = Routing(examples=examples, rule=rule)
    routed = study().routed[int(examples), rule]
    for n in (0, 1, 8):
        figure.n = n
        said = figure.sentence()
        assert not gaps(said)
        assert fill("{right:.1%} of 400 prompts", {"right": routed.right[0, n]}) in said
        assert f"cost {routed.cost[0, n]:.3f} nats" in said
        out = printed_by(figure.snippet())
        assert all(is_shown(number, said) for line in out.splitlines() for number in numbers(line))
    head, rows = figure.table()
    assert [row[0] for row in rows] == [str(n) for n in range(9)]
    assert all(len(row) == len(head) and all(row) for row in rows)


@pytest.mark.parametrize(
    ("prompt", "n", "said"),
    [
        ("The party Anna is at said mill.", 4, "It is sent to the legal adapter."),
        ("patient ben seen at the mill", 3, "It is sent to the medical adapter."),
        ("at ( clara, bridge ) ;", 6, "It is sent to the code adapter."),
        ("that fool ben runs", 4, "It is sent to no adapter."),
        ("", 8, "It reads no word that a voice has"),
        ("quark quark", 1, "No voice has quark; that says nothing."),
        ("the quark", 1, "It reads “the”."),
    ],
)
def test_a_typed_prompt_is_sent_where_its_words_belong(prompt, n, said):
    told = Routing(prompt=prompt, n=n, examples="100").prompted()
    assert said in told
    assert not gaps(told)


@pytest.mark.parametrize("prompt", ["<b>", "a\nb", "x" * 81, "é"])
def test_a_prompt_that_cannot_stand_in_a_link_is_refused(prompt):
    with pytest.raises(ValueError, match="prompt"):
        Routing(prompt=prompt)


@pytest.mark.parametrize("cls", [Serving, Routing])
def test_every_gap_has_a_value(cls):
    figure = cls()
    for path, template in templates(figure.words):
        known = (
            {"guess", "truth", "times"} if path.startswith("guess") else PROMPTED - figure.values(1).keys()
        )
        assert gaps(fill(template, figure.values(1))) <= known, path

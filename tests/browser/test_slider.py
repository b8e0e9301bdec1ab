"""The slider moves picture, read-outs and sentence, and they say what Python says at every rank."""

from playwright.sync_api import expect

from compute.matrices.examples import TASKS
from helpers.browser import choose, instrument, move, readouts, sentence
from helpers.spoken import say, saying
from widgets.patterns import Patterns
from widgets.rank import Rank
from widgets.rank.words import READOUT_VALUES, WORDS

MOVING = {"copy", "residual", "lora_B", "lora_A"}


def test_an_arrow_key_moves_picture_and_text(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip&rank.r=1")
    root = instrument(page)
    before = move(root, 1)[0]
    slider = root.get_by_role("slider", name=say("Rank r"))
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(root.locator(".sentence")).to_have_text(sentence(Rank(), 2))
    expect(slider).to_have_value("2")
    expect(root.locator("output")).to_have_text("2 / 32")
    after = move(root, 2)[0]
    changed = {name for name, picture in after["pictures"].items() if picture != before["pictures"][name]}
    assert changed == MOVING, "delta_w stays, the others follow r"


def test_every_rank_of_every_matrix_says_what_python_says(open_page, server):
    root = instrument(open_page(f"{server}/lesson/rank.html?rank.guess=skip"))
    for task in TASKS:
        figure = choose(root, task)
        shown = move(root, *range(33))
        assert [one["r"] for one in shown] == list(range(33))
        for r, one in enumerate(shown):
            assert one["sentence"] == sentence(figure, r), task
            assert one["readouts"] == readouts(figure, r), (task, r)
        factors = {one["pictures"]["lora_B"] for one in shown}
        assert len(factors) == 33, f"{task}: each rank fills one more column of lora_B"
        assert len({one["pictures"]["delta_w"] for one in shown}) == 1, (
            f"{task}: delta_w does not depend on r"
        )


def test_break_even_is_said(open_page, server):
    root = instrument(open_page(f"{server}/lesson/rank.html?rank.guess=skip"))
    below, at, above = move(root, 15, 16, 17)
    times, sentences = READOUT_VALUES["times"], WORDS["sentences"]
    assert below["readouts"]["times"] == say(times["saves"], times=1.1)
    assert at["readouts"]["times"] == say(times["even"])
    assert above["readouts"]["times"] == say(times["costs"], times=1.1)
    assert saying(sentences["even"]).fullmatch(at["sentence"])
    assert saying(sentences["costs"]).fullmatch(above["sentence"])


def test_every_pattern_says_what_python_says(open_page, server):
    root = instrument(open_page(f"{server}/embed/rank/patterns.html"), "patterns")
    for task in TASKS:
        root.get_by_label(say("Matrix")).select_option(task)
        expect(root.locator(".sentence")).to_have_text(Patterns(task=task).sentence())
        shown = move(root, *range(1, 17))
        for r, one in enumerate(shown, 1):
            assert one["sentence"] == Patterns(task=task, r=r).sentence()
        assert len({one["pictures"]["target"] for one in shown}) == 1
        assert len({one["pictures"]["column"] for one in shown}) > 1
        move(root, 1)

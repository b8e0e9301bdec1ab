"""The live lab in Python: what is pressed is done, readers share runs and nothing else, and failures are sentences."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile

import pytest

from compute.experiments.runs import RECORDED_RANKS
from compute.training.config import TrainConfig
from helpers import scripted
from helpers.scripted import Runner, ended, press, rows, told
from helpers.streams import run, until
from widgets.lab import Lab
from widgets.live import trainer as module
from widgets.live import training as _training
from widgets.live import watched
from widgets.live.registry import Registry
from widgets.live.settings import USUAL
from widgets.live.trainer import NOT_SWEPT, PAUSED, SWEPT, Trainer


@pytest.fixture
def runner(monkeypatch) -> Runner:
    runner = Runner()
    registry = Registry(runner, most_at_once=2, grace=0.05)
    for where in (module, _training):
        monkeypatch.setattr(where, "registry", lambda: registry)
    monkeypatch.setattr(watched, "EVERY", 0.01)
    return runner


def test_both_runs_are_shown_as_they_grow_and_whole_at_the_end(runner):
    async def main():
        reader = Trainer()
        runner.pace = 0.002
        press(reader, "train", steps=100)
        seen = []
        while not reader._job.done():
            await asyncio.sleep(0.005)
            seen.append(len(reader.lab.pair.lora.loss) if reader.lab.pair else 0)
        assert seen == sorted(seen)
        assert len({*seen}) > 2, "the picture never grew"
        pair = reader.lab.pair
        assert pair.whole
        assert pair.lora.validation_loss[-1] == scripted.evaluation(100, TrainConfig(r=1)).validation_loss
        assert rows(reader) == {
            "LoRA": "finished: 100 steps in 9.5 s, on the processor (CPU)",
            "full finetuning": "finished: 100 steps in 9.5 s, on the processor (CPU)",
        }
        assert (told(reader)["busy"], told(reader)["adapter"], reader.lab.visible) == (False, True, True)
        assert "After 100 steps" in reader.lab.sentence()

    run(main())


def test_lora_alone_stands_beside_the_recorded_full_finetuning(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", steps=100, method="lora", task="mirror voice")
        await ended(reader)
        assert [config.method for config in runner.begun] == ["lora"]
        assert reader.lab.pair.full.config["task"] == "mirror voice"
        assert "right and recorded full finetuning (300 steps)" in reader.lab.sentence()

    run(main())


def test_readers_with_the_same_settings_share_a_run_and_others_do_not(runner):
    async def main():
        one, two, other = Trainer(), Trainer(), Trainer()
        press(one, "train", method="lora")
        press(two, "train", method="lora")
        press(other, "train", method="lora", r=8)
        for reader in (one, two, other):
            await ended(reader)
        assert sorted(config.r for config in runner.begun) == [1, 8]
        assert one.lab.pair.lora == two.lab.pair.lora != other.lab.pair.lora
        assert told(one)["settings"] != told(other)["settings"]
        assert told(Trainer()) == {}

    run(main())


def test_thirty_readers_of_one_run_cost_one_picture(runner, monkeypatch):
    """Also one who comes late: she sees what the others see."""
    monkeypatch.setattr(watched, "EVERY", 0.05)
    drawn = []
    draw = Lab.make_arrays
    monkeypatch.setattr(Lab, "make_arrays", lambda lab: drawn.append(lab.pair) or draw(lab))

    async def main():
        readers = [Trainer() for _ in range(30)]
        drawn.clear()  # each lab begins with what was recorded
        runner.pace = 0.004
        started = time.monotonic()
        for reader in readers[:-1]:
            press(reader, "train", method="lora", steps=100)
        await until(lambda: readers[0].lab.pair is not None)
        press(readers[-1], "train", method="lora", steps=100)
        for reader in readers:
            await ended(reader)
        beats = (time.monotonic() - started) / watched.EVERY
        assert len(runner.begun) == 1
        assert 3 < len(drawn) <= beats + 4, (
            "the first picture, the last but one, and two at the end come between beats"
        )
        assert len({id(pair) for pair in drawn}) == len(drawn), "a picture was drawn twice"
        assert len({id(reader.lab.pair) for reader in readers}) == 1
        assert len({reader.lab.arrays for reader in readers}) == 1
        assert json.loads(readers[-1].lab.arrays)["lora"]["loss"][-1] == pytest.approx(2.0 - 99 / 1000)

    run(main())


def test_to_a_reader_who_stops_nothing_goes_on_that_goes_on_for_others(runner):
    async def main():
        one, two = Trainer(), Trainer()
        runner.pace = 0.003
        for reader in (one, two):
            press(reader, "train", method="lora", steps=100)
        await until(lambda: one.lab.pair is not None)
        press(one, "stop")
        still, said = one.lab.pair.lora, rows(one)["LoRA"]
        await ended(two)
        one._show()
        assert (one.lab.pair.lora, rows(one)["LoRA"]) == (still, said)
        assert not told(one)["adapter"]
        assert two.lab.pair.lora.finished

    run(main())


def test_what_a_reader_left_is_shown_again_and_not_run_again(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", method="lora")
        await ended(reader)
        reader.close()
        back = Trainer()
        press(back, "back", method="lora")
        await ended(back)
        assert back.lab.pair.lora == reader.lab.pair.lora
        assert len(runner.begun) == 1
        fresh = Trainer()
        press(fresh, "back", method="lora", r=9)
        other = Trainer()
        press(other, "open", method="lora")
        await asyncio.sleep(0.05)
        assert not fresh.lab.visible
        assert not other.lab.visible, "nobody sees a run that she did not ask for"
        assert told(fresh)["said"] == "Runs are computed on the processor (CPU)."

    run(main())


def test_stop_leaves_the_run_and_one_that_nobody_watches_ends(runner):
    async def main():
        one, two = Trainer(), Trainer()
        runner.go.clear()
        press(one, "train", method="lora")
        press(two, "train", method="lora")
        await until(lambda: len(runner.begun) == 1)
        press(one, "stop")
        assert rows(one)["LoRA"] == "stopped after 0 steps"
        await asyncio.sleep(0.1)
        assert runner.left == [], "another reader still watched it"
        press(two, "stop")
        registry = module.registry()
        registry._grace = 60  # it has no part in this
        await until(lambda: len(runner.left) == 1)
        runner.go.set()
        press(one, "train", method="lora")
        await ended(one)
        assert rows(one)["LoRA"].startswith("finished")
        assert rows(two)["LoRA"] == "stopped after 0 steps"

    run(main())


def test_a_paused_picture_stands_still_and_resume_catches_up(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", method="lora")
        await until(lambda: reader.lab.pair is not None)
        press(reader, "pause")
        still = reader.lab.pair
        await ended(reader)
        assert reader.lab.pair is still
        assert told(reader)["said"] == PAUSED
        press(reader, "resume")
        assert reader.lab.pair.whole
        assert len(reader.lab.pair.lora.loss) == 300

    run(main())


def test_reset_brings_back_the_usual_settings(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", r=32)
        await ended(reader)
        press(reader, "reset")
        assert (told(reader)["settings"], told(reader)["rows"]) == (USUAL, [])
        assert not reader.lab.visible

    run(main())


def test_a_dead_worker_is_said_and_train_starts_again(runner):
    async def main():
        reader = Trainer()
        runner.die = True
        press(reader, "train", method="lora")
        await ended(reader)
        assert rows(reader)["LoRA"].startswith(
            "The process that worked on this was killed. Nothing else is disturbed."
        )
        runner.die = False
        press(reader, "train", method="lora")
        await ended(reader)
        assert rows(reader)["LoRA"].startswith("finished")

    run(main())


def test_an_error_nobody_thought_of_is_a_sentence_for_the_reader_and_a_traceback_for_the_log(runner, caplog):
    async def main():
        reader = Trainer()
        press(reader, "train", method="lora", learning_rate=scripted.BROKEN)
        await ended(reader)
        assert rows(reader)["LoRA"].startswith("This run failed")
        assert "secret" not in reader.form.told

    run(main())
    assert "KeyError: 'secret'" in caplog.text


def test_divergence_is_said_with_the_rate_that_did_it(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", method="lora", learning_rate=5)
        await ended(reader)
        assert rows(reader)["LoRA"].startswith("diverged at step 3: the loss was no number any more")
        assert "learning rate of 5 is too large" in rows(reader)["LoRA"]
        assert "NaN" not in reader.lab.arrays
        assert not told(reader)["adapter"]

    run(main())


def test_another_method_stands_in_the_place_of_lora_and_leaves_no_adapter(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", method="soft prompt", steps=50, r=8)
        await ended(reader)
        assert rows(reader)["a soft prompt"].startswith("finished")
        assert "“New facts”, a soft prompt of 8 vectors has" in reader.lab.sentence()
        assert reader.lab.table()[0][1] == "a soft prompt: right"
        assert not told(reader)["adapter"]

    run(main())


def test_a_sweep_trains_every_rank_and_replaces_the_recorded_curve(runner):
    async def main():
        reader = Trainer()
        press(reader, "sweep", steps=50, r=8)
        await ended(reader)
        assert [config.r for config in runner.begun if config.method == "lora"] == [*RECORDED_RANKS]
        assert told(reader)["said"] == SWEPT
        arrays = json.loads(reader.lab.arrays)
        assert arrays["sweep"]["validation"] == [1.95 - r / 100 for r in RECORDED_RANKS]
        assert (arrays["r"], arrays["sweep"]["names"]["lora"]) == (8, "LoRA")
        press(reader, "train", steps=50, r=4, alpha=1)  # the same scaling
        await ended(reader)
        assert json.loads(reader.lab.arrays)["sweep"]["names"]["lora"] == "LoRA"
        press(reader, "train", steps=100)
        await ended(reader)
        assert json.loads(reader.lab.arrays)["sweep"]["names"]["lora"] == "recorded LoRA"

    run(main())


def test_a_sweep_with_a_run_that_diverged_is_no_curve(runner):
    async def main():
        reader = Trainer()
        press(reader, "sweep", steps=50, learning_rate=2)
        await ended(reader)
        assert told(reader)["said"] == NOT_SWEPT
        assert reader._sweep is None

    run(main())


def test_settings_that_are_not_possible_change_nothing(runner):
    async def main():
        reader = Trainer()
        press(reader, "train", method="lora", steps=50)
        await ended(reader)
        before = reader.lab.arrays
        press(reader, "train", r=65)
        assert told(reader)["said"] == "Rank r = 65 is not possible: a whole number from 1 to 64."
        assert reader.lab.arrays == before
        assert len(runner.begun) == 1
        press(reader, "back", r=65)  # what a browser had kept from another version
        assert "not possible" in told(reader)["said"]

    run(main())


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"action": "close"}', '{"action": ["train"]}', "[" * 10**5]
)
def test_what_is_no_question_is_ignored(runner, text):
    reader = Trainer()
    reader.form.asked = text
    assert (reader.form.told, runner.begun) == ("{}", [])


def test_the_adapter_is_handed_out_once_there_is_one(runner):
    async def main():
        reader = Trainer()
        press(reader, "take")
        assert reader.form.taken == b""
        press(reader, "train", steps=50)
        await ended(reader)
        press(reader, "take")
        with zipfile.ZipFile(io.BytesIO(reader.form.taken)) as archive:
            assert archive.read("adapter/adapter_model.safetensors") == b"weights"
        press(reader, "train", method="full", steps=50)
        await ended(reader)
        assert not told(reader)["adapter"]

    run(main())


def test_a_reader_who_is_gone_watches_nothing(runner):
    async def main():
        reader = Trainer()
        runner.go.clear()
        press(reader, "open")
        press(reader, "train")
        await until(lambda: len(runner.begun) == 2)
        reader.close()
        await until(lambda: len(runner.left) == 2)

    run(main())

"""What a worker is asked for by name: nothing of torch where it is asked, the same records where it is done."""

import asyncio
import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from compute.numbers.refusal import FileRefused
from compute.training.config import StepRecord, TrainConfig
from compute.training.jobs import open_run, train_run
from compute.training.loop import train
from compute.training.opened import open_adapter
from helpers import ROOT
from widgets.live.runner import LocalRunner, pack, unpack

torch.set_num_threads(1)  # matrices this small gain nothing from a second thread, which waits for the first
pytestmark = pytest.mark.usefixtures("brief_evaluations")
CONFIG = TrainConfig(r=2, steps=2, batch_size=4, n_texts=8, target_modules=("q_proj", "v_proj"))


def timeless(record):
    times = [name for name in ("seconds", "tokens_per_second") if name in record._fields]
    return record._replace(**dict.fromkeys(times, 0.0))


def test_the_server_that_asks_loads_no_torch():
    """Also when it sends the job, and when it reads what a worker yields."""
    result = list(train_run(dataclasses.asdict(CONFIG)))
    code = (
        "import sys; from compute.training.jobs import open_run, train_run;"
        "from widgets.live.runner import pack, unpack;"
        "pack((train_run, {'config': {}})), pack((open_run, {}));"
        "items = unpack(sys.stdin.buffer.read());"
        "print(len(items), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, input=pack(result), capture_output=True, check=True)
    assert done.stdout == b"3 False\n"


@pytest.mark.parametrize("form", [dict, lambda config: json.loads(json.dumps(config))], ids=["dict", "json"])
def test_a_run_is_the_one_of_its_config(form):
    asked = form(dataclasses.asdict(CONFIG))
    assert [timeless(each) for each in train_run(asked)] == [timeless(each) for each in train(CONFIG)]


def test_what_is_left_out_of_a_config_is_its_default():
    first = next(train_run({"n_texts": 8}))
    assert isinstance(first, StepRecord)
    assert first.loss == next(train(TrainConfig(n_texts=8))).loss


@pytest.mark.parametrize("config", [{"r": 65}, {"target_modules": []}, {"target_modules": ["lm_head"]}])
def test_a_config_that_makes_no_run_is_refused(config):
    with pytest.raises(ValueError, match="must be"):
        next(train_run(config))


def test_an_adapter_is_opened():
    *_, result = train(CONFIG)
    files = {"weights": result.weights, "config": result.adapter_config, "n_texts": CONFIG.n_texts}
    assert list(open_run(CONFIG.task, **files)) == list(open_adapter(CONFIG.task, **files))


def test_a_refusal_arrives_as_it_left():
    async def ask():
        runner = LocalRunner(1)
        try:
            async for _ in runner.stream(open_run, task="new facts", weights=b"x", config="[]"):
                pass
        finally:
            runner.close()

    told = "adapter_config.json is not an object with names and values."
    with pytest.raises(FileRefused) as caught:
        asyncio.run(ask())
    assert type(caught.value) is FileRefused
    assert str(caught.value) == told
    copy = unpack(pack(FileRefused(told)))
    assert (type(copy), str(copy)) == (FileRefused, told)

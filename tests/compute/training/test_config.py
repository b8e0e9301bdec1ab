"""What a run may be asked for, without torch."""

import math
import subprocess
import sys

import pytest

from compute.model.layers import TARGET_MODULES
from compute.training.config import INITS, OPTIMIZERS, TrainConfig
from compute.world.tasks import FACTS, TASKS
from helpers import ROOT


def test_asking_for_a_run_does_not_load_torch():
    code = "import compute.training.config, compute.world.tokens, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "plain"}, f"task must be one of {', '.join(TASKS)}, got 'plain'."),
        ({"method": "qlora"}, "method must be one of lora, full, .*, got 'qlora'."),
        ({"r": 0}, "r must be between 1 and 64, got 0."),
        ({"r": 2.0}, "r must be a whole number, got 2.0."),
        ({"steps": True}, "steps must be a whole number, got True."),
        ({"alpha": 0}, "alpha must be between 0.01 and 1024, got 0."),
        ({"alpha": math.nan}, "alpha must be between 0.01 and 1024, got nan."),
        ({"scaling_rule": "alpha"}, "scaling_rule must be one of alpha/r, .*, got 'alpha'."),
        ({"init": "pissa"}, "init must be one of B=0, .*, got 'pissa'."),
        ({"learning_rate": math.inf}, "learning_rate must be between 1e-06 and 10, got inf."),
        ({"learning_rate": "1"}, "learning_rate must be between 1e-06 and 10, got '1'."),
        ({"optimizer": "lion"}, "optimizer must be one of adamw, sgd, got 'lion'."),
        ({"steps": 5001}, "steps must be between 1 and 5000, got 5001."),
        ({"batch_size": 0}, "batch_size must be between 1 and 256, got 0."),
        ({"seed": -1}, "seed must be between 0 and 4294967295, got -1."),
        ({"target_modules": ()}, r"target_modules must be some of q_proj, .*, got \(\)."),
        ({"target_modules": "q_proj"}, "target_modules must be some of q_proj, .*, got 'q_proj'."),
        ({"target_modules": ("q_proj", "q_proj")}, "target_modules must name each layer once"),
        ({"layers": ()}, r"layers must be some of 0, 1, 2, got \(\)."),
        ({"layers": (3,)}, r"layers must be some of 0, 1, 2, got \(3,\)."),
        ({"layers": [0]}, r"layers must be some of 0, 1, 2, got \[0\]."),
        ({"layers": (0, 0)}, "layers must name each layer once"),
        ({"train_embeddings": 1}, "train_embeddings must be True or False, got 1."),
        ({"n_texts": 0}, "n_texts must be between 1 and 4096, got 0."),
        ({"n_texts": 64.0}, "n_texts must be a whole number, got 64.0."),
        ({"base_share": 1.5}, "base_share must be between 0 and 1, got 1.5."),
        ({"base_share": math.nan}, "base_share must be between 0 and 1, got nan."),
    ],
)
def test_a_config_that_makes_no_run_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        TrainConfig(**change)


def test_a_config_is_its_own_key():
    assert TrainConfig() == TrainConfig(task=FACTS, target_modules=TARGET_MODULES)
    assert len({TrainConfig(), TrainConfig(), TrainConfig(seed=1)}) == 2
    assert {TrainConfig(init=init).init for init in INITS} == set(INITS)
    assert {TrainConfig(optimizer=name).optimizer for name in OPTIMIZERS} == set(OPTIMIZERS)

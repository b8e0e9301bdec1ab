"""The run that a reader watches where nothing can be trained: it is whole, and it is what training gives."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from compute.experiments.watched import EVERY, LAYER, PATH, SHOWN, config, load_watched
from compute.model.checkpoint import load_base
from compute.training.loop import evaluate, prepare, updates

torch.set_num_threads(1)


def test_it_is_small_and_whole():
    run = load_watched()
    assert PATH.stat().st_size < 120_000
    assert len(run.asked) == len(run.old) == SHOWN
    for each in run.evaluations:
        assert len(each["asked"]) == len(each["old"]) == SHOWN
    for frame in run.frames:
        lora_A, lora_B = (np.array(frame[name]) for name in ("lora_A", "lora_B"))
        # r = 1: the one singular value of the product is the product of both lengths.
        s = run.scaling * np.linalg.norm(lora_A) * np.linalg.norm(lora_B)
        assert frame["s"] == [pytest.approx(s, rel=0.01)]


def test_training_gives_it_again():
    run, base = load_watched(), load_base()
    model = prepare(config(), base)
    made = updates(model, config())
    for step, loss in enumerate(islice(made, EVERY + 1)):
        assert run.losses[step] == pytest.approx(loss, abs=2e-4)
        for factor, norm in zip(("lora_A", "lora_B"), run.norms[step], strict=True):
            grads = [p.grad for name, p in model.named_parameters() if name.endswith(factor)]
            assert norm == pytest.approx(float(torch.cat([g.flatten() for g in grads]).norm()), rel=0.01)
    # The look after EVERY updates.
    found, then = evaluate(model, config().task, config().n_texts), run.evaluations[1]
    assert {name: pytest.approx(share, abs=1e-3) for name, share in found.right.items()} == {
        name: then[name] for name in found.right
    }
    factor = model.get_submodule(LAYER).lora_B.detach().flatten().tolist()
    assert run.frames[1]["lora_B"] == pytest.approx(factor, rel=0.01, abs=1e-5)

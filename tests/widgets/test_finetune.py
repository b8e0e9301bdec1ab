"""The trainer in the page, as Python describes it: the run that is asked for, the rates and controls it brings."""

from __future__ import annotations

import base64
import gzip
import json

import numpy as np
import pytest
from safetensors.numpy import load

from compute.experiments.tasks import load_tasks, way_of
from compute.experiments.watched import LAYER, config, load_watched
from compute.matrices.svd import factorize
from compute.model.layers import SHAPES
from compute.numbers.records import WORLD
from compute.training.config import EVEN_RANK, INITS, TrainConfig
from compute.world.tasks import FACTS
from helpers.instruments import gaps
from widgets.finetune import FULL, RANKS, TASKS, Finetune, best_rates, random_spectra
from widgets.finetune.tables import FILE, text
from widgets.kit.text import fill


def test_each_choice_says_something_else_of_the_run():
    usual = Finetune().config()
    assert usual == TrainConfig(task=FACTS, r=1, alpha=2, learning_rate=1e-2, n_texts=32)
    for choice, value, field, wanted in [
        ("task", "mirror-voice", "task", "mirror voice"),
        ("facts", "512", "n_texts", 512),
        ("size", "16", "r", 16),
        ("size", "16", "alpha", 32),
        ("size", FULL, "method", FULL),
        ("rate", "0.001", "learning_rate", 1e-3),
        ("alpha", "r", "alpha", 1),
        ("alpha", "64", "alpha", 64),
        ("rule", "root", "scaling_rule", "alpha/sqrt(r)"),
        ("matrices", "mlp", "target_modules", ("up_proj", "down_proj")),
        ("blocks", "2", "layers", (2,)),
        *(("init", init, "init", init) for init in INITS if init != EVEN_RANK),
        ("lengths", "yes", "method", "dora"),
        ("optimizer", "sgd", "optimizer", "sgd"),
        ("embeddings", "yes", "train_embeddings", True),
        ("mixed", "25", "base_share", 0.25),
        ("batch", 8, "batch_size", 8),
        ("steps", 10, "steps", 10),
        ("seed", 3, "seed", 3),
    ]:
        assert getattr(Finetune(**{choice: value}).config(), field) == wanted, choice
    few = Finetune(task="who-had-it-first", facts="8", examples="16").config()
    assert few.n_texts == 16
    assert Finetune(task="who-had-it-first", facts="8").config().n_texts == TrainConfig.n_texts


def test_an_orthogonal_start_is_a_run_where_the_rank_is_even():
    for size in RANKS[1:]:
        assert Finetune(init=EVEN_RANK, size=str(size)).config().init == EVEN_RANK
    odd = Finetune(init=EVEN_RANK, size="1")
    with pytest.raises(ValueError, match="init orthogonal needs an even r, got 1"):
        odd.config()
    assert (
        "r=1, alpha=2, init='orthogonal'" in odd.snippet()
    )  # it shows what is asked for, and torch refuses it
    for unused in ({"lengths": "yes"}, {"size": FULL}):  # who has no use for a start has none to refuse
        assert Finetune(**{"init": EVEN_RANK, "size": "1"} | unused).config().init == TrainConfig.init


def test_the_best_rates_are_those_of_the_records():
    rates = best_rates()
    assert set(rates) == set(TASKS)
    for key, task in TASKS.items():
        assert set(rates[key]) == {*map(str, RANKS), FULL}
        if task != FACTS:
            for r in (1, 4, 64):
                assert rates[key][str(r)] == load_tasks().of(task, way_of(r)).rate
            assert rates[key][FULL] == load_tasks().of(task, FULL).rate


def test_what_is_recorded_is_what_the_figure_opens_with():
    assert Finetune().config() == config()
    assert Finetune().layer == LAYER


def test_random_factors_have_the_rank_and_the_norm_of_what_is_learned():
    for shape, by_rank in random_spectra().items():
        many, few = map(int, shape.split("x"))
        assert (many, few) in SHAPES.values()
        for rank, (low, middle, high) in by_rank.items():
            k = few if rank == FULL else int(rank)
            assert len(low) == len(middle) == len(high) == k
            assert np.all(np.array(low) <= np.array(middle))
            assert np.all(np.array(middle) <= np.array(high))
            # Of each draw the squares add up to one, of their medians nearly so.
            assert np.sum(np.square(middle)) == pytest.approx(1, abs=0.05)
        rng = np.random.default_rng(7)
        s = factorize(rng.standard_normal((many, 4)) @ rng.standard_normal((4, few))).s[:4]
        low, _, high = (np.array(row) for row in by_rank["4"])
        assert np.all(low * 0.8 < s / np.linalg.norm(s))
        assert np.all(s / np.linalg.norm(s) < high * 1.2)


def test_the_engine_has_the_worker_the_trainer_and_the_base():
    script = Finetune.engine()
    parts = json.loads(script.removeprefix("var lora_engine=").strip())
    assert parts["worker"].startswith("/* worker: sources sha256")
    assert all(base64.b64decode(each).startswith(b"\0asm") for each in parts["modules"])
    assert base64.b64decode(parts["base"]) == WORLD.read_bytes()
    tensors = load(WORLD.read_bytes())
    assert tensors["embed_tokens.weight"].shape == (parts["sizes"]["vocab_size"], parts["sizes"]["n_embd"])
    assert tensors["embed_positions.weight"].shape[0] == parts["sizes"]["block_size"]
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("float16")}  # what native.js reads
    assert parts["recorded"]["losses"] == load_watched().losses
    # With the page around it, less than the 1.5 MB that a reader of the lesson may have to wait for.
    assert len(gzip.compress(script.encode(), mtime=0)) < 700_000


def test_before_a_run_its_sentence_is_whole_and_its_code_is_python():
    for size in ("1", FULL):
        figure = Finetune(size=size, matrices="v_proj")
        assert not gaps(figure.sentence())
        compile(figure.snippet(), "snippet", "exec")
        # Full finetuning has no use for the choice of matrices.
        assert ("v_proj" in figure.snippet()) == (size != FULL)
    templates = Finetune().words["sentences"]
    assert gaps(fill(templates["before"], Finetune().values())) == set()


def test_the_tables_of_the_page_are_pythons():
    assert FILE.read_text(encoding="utf-8") == text(), "run `make assets` and commit what it writes"

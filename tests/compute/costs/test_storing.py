"""Storage of many tasks: against published numbers, and against the algebra of the ratio."""

from __future__ import annotations

import pytest

from compute.costs.architectures import ARCHITECTURES, TARGETS, parameters
from compute.costs.counting import lora_numbers
from compute.costs.storing import adapters_bytes, copies_bytes, most_saved

LLAMA = ARCHITECTURES["llama-2-7b"]
MODELS = pytest.mark.parametrize("model", ARCHITECTURES.values(), ids=ARCHITECTURES)


def test_one_copy_is_the_published_model_in_16_bits():
    assert copies_bytes(LLAMA, 1) == 2 * 6_738_415_616
    assert adapters_bytes(LLAMA, "all-linear", 16, 1) - copies_bytes(LLAMA, 1) == 2 * 39_976_960


@MODELS
@pytest.mark.parametrize("targets", TARGETS)
def test_the_ratio_is_n_over_one_plus_n_a_over_m(model, targets):
    m, a = parameters(model), lora_numbers(model, targets, 8)
    for tasks in (1, 7, 1000):
        ratio = copies_bytes(model, tasks) / adapters_bytes(model, targets, 8, tasks)
        assert ratio == pytest.approx(tasks / (1 + tasks * a / m), rel=1e-12)
        assert ratio < most_saved(model, targets, 8)
    assert copies_bytes(model, 1) < adapters_bytes(model, targets, 8, 1), "one task saves nothing"


@MODELS
def test_the_limit_is_reached_by_very_many_tasks_and_half_of_it_at_as_many(model):
    limit = most_saved(model, "all-linear", 16)
    many = 10**9
    ratio = copies_bytes(model, many) / adapters_bytes(model, "all-linear", 16, many)
    assert ratio == pytest.approx(limit, rel=1e-5)
    tasks = round(limit)
    half = copies_bytes(model, tasks) / adapters_bytes(model, "all-linear", 16, tasks)
    assert half == pytest.approx(limit / 2, rel=0.5 / tasks)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="r must be at least 1, got 0"):
        most_saved(LLAMA, "q-v", 0)
    with pytest.raises(ValueError, match="targets must be one of"):
        adapters_bytes(LLAMA, "everything", 1, 1)

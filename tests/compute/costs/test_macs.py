"""The counts are those of torch's own counter, on real layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from compute.adapters.layer import LoRALinear
from compute.costs.macs import FLOPS_PER_MAC, merged_macs, merging_macs, training_macs, unmerged_macs
from compute.costs.sizes import break_even_rank

SHAPES = pytest.mark.parametrize(("shape", "r"), [((24, 24), 4), ((64, 64), 4), ((256, 64), 16), ((3, 5), 1)])


def counted(run) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@SHAPES
def test_a_forward_pass_costs_what_is_said(shape, r):
    plain = nn.Linear(shape[1], shape[0], bias=False)
    x = torch.zeros(1, shape[1])
    assert counted(lambda: plain(x)) == FLOPS_PER_MAC * merged_macs(shape)
    adapted = LoRALinear(plain, r, 8, "alpha/r")
    assert counted(lambda: adapted(x)) == FLOPS_PER_MAC * unmerged_macs(shape, r)
    assert counted(lambda: adapted.lora_B @ adapted.lora_A) == FLOPS_PER_MAC * merging_macs(shape, r)


@SHAPES
def test_a_step_of_training_costs_what_is_said(shape, r):
    plain = nn.Linear(shape[1], shape[0], bias=False)
    x = torch.ones(1, shape[1], requires_grad=True)
    assert counted(lambda: plain(x).sum().backward()) == FLOPS_PER_MAC * training_macs(shape)
    adapted = LoRALinear(plain, r, 8, "alpha/r")
    assert counted(lambda: adapted(x).sum().backward()) == FLOPS_PER_MAC * training_macs(shape, r)


@SHAPES
def test_merging_pays_after_as_many_tokens_as_the_break_even_rank(shape, r):
    each = unmerged_macs(shape, r) - merged_macs(shape)
    assert merging_macs(shape, r) / each == pytest.approx(break_even_rank(shape))


@pytest.mark.parametrize(("shape", "r"), [((0, 4), 1), ((4, 4), -1)])
def test_what_is_no_layer_is_refused(shape, r):
    for count in (lambda: unmerged_macs(shape, r), lambda: merging_macs(shape, r)):
        with pytest.raises(ValueError, match="at least"):
            count()

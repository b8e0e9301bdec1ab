"""What the reading of the paper claims: each number with the function of compute that gives it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES
from compute.costs.counting import lora_numbers
from compute.costs.memory import PRECISIONS
from compute.costs.sizes import stored_numbers
from compute.experiments.paper import TASKS, RunFound, directions, load_paper, random_cosines
from compute.experiments.runs import FULL, FULL_SLOW, load
from compute.experiments.subspace import DIMENSIONS, load_subspace
from compute.matrices.amplification import TABLE_7, WIDTH, random_within
from compute.matrices.intruders import chance_cosine, count_intruders
from compute.matrices.noise import noise_control
from compute.matrices.spectrum import r90
from compute.model.forward import base_weights
from lessons.press.blocks import Cited, Claim

BILLION, MILLION, GB = 10**9, 10**6, 10**9
PRINTED = 175 * BILLION  # GPT-3's numbers, as its paper rounds them
MEASURED = {"before": 1200, "after": 350}  # GB for GPT-3: Hu et al. 2021, section 4.2
SQUARE = (64, 64)
QUERY, VALUE = "blocks.1.attention.q_proj", "blocks.1.attention.v_proj"
LEGAL, LANGUAGE = TASKS
R, LARGE_R = 4, 64
DRAWS = 3  # random changes that are averaged


def _rank() -> Mapping[str, Any]:
    legal, language = (r90(np.array(load(task, FULL).spectra[VALUE])) for task in TASKS)
    return {"legal": legal, "language": language, "side": SQUARE[0], "noise": r90(noise_control(SQUARE).s[1])}


def _fewer() -> Mapping[str, Any]:
    trained = lora_numbers(ARCHITECTURES["gpt3"], "q-v", R)
    return {"r": R, "trained": trained, "billions": PRINTED // BILLION, "times": PRINTED / trained}


def _memory() -> Mapping[str, Any]:
    base = PRINTED * PRECISIONS["mixed"].weights / GB
    return {**MEASURED, "times": MEASURED["before"] / MEASURED["after"], "base": base}


def _bytes() -> Mapping[str, Any]:
    return {**PRECISIONS["mixed"]._asdict(), "sum": sum(PRECISIONS["mixed"])}


def _subspace() -> Mapping[str, Any]:
    runs = load_subspace(LEGAL)
    ranks = {rank[0] for rank in runs.rank.values()}
    return {
        "D": DIMENSIONS[0],
        "rank": min(ranks),
        "ranks": ranks,
        "r90": runs.r90[VALUE][0],
        "noise": r90(noise_control(SQUARE).s[1]),
    }


def _table() -> Mapping[str, Any]:
    values: dict[str, float] = {"r": R, "more": LARGE_R, "width": WIDTH}
    for name, column in (("few", TABLE_7[R]), ("many", TABLE_7[LARGE_R])):
        random = random_within((WIDTH, WIDTH), column.r, column.whole)
        values |= {
            f"random_{name}": random,
            f"printed_{name}": column.random,
            f"ratio_{name}": column.kept / random,
            f"factor_{name}": column.factor,
            f"chance_{name}": column.size / random,
        }
    return values


@cache
def _ratios(name: int | str) -> list[float]:
    """Return how much of W the directions of delta_w hold, over random ones, in all layers, tasks and seeds."""
    found = []
    for task in TASKS:
        for run in load_paper().runs[task][name]:
            for layer, of in run.layers.items():
                W = base_weights().tensors[f"{layer}.weight"]
                whole = float(np.linalg.norm(W))
                found.append(of.kept / random_within(W.shape, directions(name), whole))
    return found


def _here() -> Mapping[str, Any]:
    few, full = _ratios(R), _ratios(FULL)
    of = load_paper().runs[LANGUAGE][R][0].layers[QUERY]
    W = base_weights().tensors[f"{QUERY}.weight"]
    return {
        "r": R,
        "all": len(few),
        "above": sum(ratio > 1 for ratio in few),
        "middle": float(np.median(few)),
        "full": float(np.median(full)),
        "factor": of.size / of.kept,
        "chance": of.size / random_within(SQUARE, R, float(np.linalg.norm(W))),
    }


def _count(run: RunFound) -> int:
    return sum(count_intruders(of.cosines) for of in run.layers.values())


@cache
def _intruders(task: str) -> Mapping[str, Any]:
    runs = load_paper().runs[task]
    lora, full = ([_count(run) for run in runs[name]] for name in (R, FULL))
    random = [
        sum(count_intruders(cosines) for cosines in random_cosines(task, R, seed).values())
        for seed in range(DRAWS)
    ]
    return {
        "r": R,
        "seeds": len(lora),
        "low": min(lora),
        "high": max(lora),
        "full_low": min(full),
        "full_high": max(full),
        "slow": _count(runs[FULL_SLOW][0]),
        "random": float(np.mean(random)),
        "least_random": min(random),
        "draws": DRAWS,
    }


def _forgotten(task: str) -> Mapping[str, Any]:
    runs = load_paper().runs[task]
    lora, full = ([run.base_loss for run in runs[name]] for name in (R, FULL))
    return {
        "before": load(task, R).base_loss[0],
        "low": min(lora),
        "high": max(lora),
        "full": min(full),
        "full_high": max(full),
        "slow": runs[FULL_SLOW][0].base_loss,
    }


def _chance() -> Mapping[str, Any]:
    return {
        "small": chance_cosine(64, 64, 2000, 0),
        "n": 64,
        "large": chance_cosine(4096, 4096, 50, 0),
        "wide": 4096,
    }


def _slip() -> Mapping[str, Any]:
    each = 2 * ARCHITECTURES["gpt3"].n_layer * stored_numbers((WIDTH, WIDTH), 1)  # two matrices in each layer
    return {"r": R, "four": 2 * R * each / MILLION, "half": R // 2, "two": R * each / MILLION}


CLAIMS: Mapping[str, Claim | Cited] = {
    "rank": Claim(
        "In one layer of our small model full finetuning on the legal voice kept nine tenths of its energy in {legal} "
        "of {side} directions, on the new language in {language}. Noise needs {noise}.",
        _rank,
        lambda v: min(v["legal"], v["language"]) > 2 and max(v["legal"], v["language"]) < v["noise"] / 2,
    ),
    "numbers": Cited("10,000 times", "hu2021", "abstract"),
    "memory": Cited("3 times", "hu2021", "abstract"),
    "fewer": Claim(
        "GPT-3 has {billions} billion numbers; with r = {r} on two matrices of each layer {trained:,d} are trained, "
        "{times:,.0f} times fewer.",
        _fewer,
        lambda v: v["trained"] == 18_874_368 and round(v["times"]) == 9272,
    ),
    "measured": Claim(
        "There the memory fell from {before:,d} GB to {after} GB, {times:.2f} times. The frozen weights by themselves "
        "take {base:.0f} GB.",
        _memory,
        lambda v: round(v["times"], 2) == 3.43 and v["base"] == v["after"],
    ),
    "bytes": Claim(
        "By one usual count a trained number takes {sum} bytes: {weights} for itself, {gradients} for its gradient and "
        "{optimiser} for the optimiser.",
        _bytes,
        lambda v: v["sum"] == 16 and v["optimiser"] / v["sum"] == 0.75,
    ),
    "subspace": Claim(
        "With {D} trained numbers, every matrix of the small model changed by a matrix of full rank, {rank}. In one of "
        "them nine tenths of the energy took {r90} directions, and noise takes {noise}.",
        _subspace,
        lambda v: v["ranks"] == {64} and abs(v["r90"] - v["noise"]) <= 2,
    ),
    "consistent": Claim(
        "For r = {r} and r = {more} it gives {random_few:.4f} and {random_many:.4f}. The table prints "
        "{printed_few:.2f} and {printed_many:.2f}.",
        _table,
        lambda v: (
            abs(v["random_few"] - v["printed_few"]) < 0.005
            and abs(v["random_many"] - v["printed_many"]) < 0.01
        ),
    ),
    "correlates": Claim(
        "The directions of delta_w hold {ratio_few:.1f} times as much of W as random ones at r = {r}, and "
        "{ratio_many:.1f} times as much at r = {more}.",
        _table,
        lambda v: round(v["ratio_few"], 1) == 15.9 and round(v["ratio_many"], 1) == 5.9,
    ),
    "factor": Claim(
        "The amplification is {factor_few:.1f} at r = {r} and {factor_many:.1f} at r = {more}. Had delta_w pointed "
        "anywhere, it would have been {chance_few:.0f} and {chance_many:.0f}.",
        _table,
        lambda v: v["factor_few"] < v["chance_few"] / 10 and v["factor_many"] < v["chance_many"] / 5,
    ),
    "here": Claim(
        "In {above} of {all} cases, all layers, both tasks and three seeds, the directions of delta_w hold more of W "
        "than random ones at r = {r}. In the median case they hold {middle:.1f} times as much. For full finetuning the "
        "median is {full:.1f}.",
        _here,
        lambda v: v["above"] > 0.9 * v["all"] and v["middle"] < 3 < v["full"],
    ),
    "ours": Claim(
        "For the new language, in the layer that the figure opens with, the amplification is {factor:.1f}, and by "
        "chance it would be {chance:.1f}.",
        _here,
        lambda v: v["factor"] < v["chance"],
    ),
    "legal": Claim(
        "On the legal voice LoRA with r = {r} makes {low} to {high} intruders over {seeds} seeds, and full finetuning "
        "{full_high}.",
        lambda: _intruders(LEGAL),
        lambda v: v["full_low"] == v["full_high"] < v["low"] / 4,
    ),
    "language": Claim(
        "On the new language LoRA with r = {r} makes {low} to {high}, full finetuning {full_low} to {full_high}, and "
        "full finetuning at a third of the learning rate {slow}.",
        lambda: _intruders(LANGUAGE),
        lambda v: v["slow"] < v["full_low"] <= v["full_high"] < v["low"],
    ),
    "random": Claim(
        "Random changes of the same rank and size make {random:.0f} on average in the new language, more than LoRA in "
        "each of {draws} draws.",
        lambda: _intruders(LANGUAGE),
        lambda v: v["least_random"] > v["high"],
    ),
    "forgotten": Claim(
        "After the legal voice the loss on the base's own voices is {low:.2f} to {high:.2f} with LoRA and {full:.2f} "
        "to {full_high:.2f} with full finetuning; before it was {before:.2f}.",
        lambda: _forgotten(LEGAL),
        lambda v: v["before"] < v["low"] <= v["high"] < v["full"],
    ),
    "further": Claim(
        "After the new language it is {low:.2f} to {high:.2f} with LoRA, {full:.2f} to {full_high:.2f} with full "
        "finetuning, and {slow:.2f} with the slower one.",
        lambda: _forgotten(LANGUAGE),
        lambda v: v["before"] < v["slow"] < v["full"] <= v["full_high"] < v["low"],
    ),
    "chance": Claim(
        "A random direction of {n} numbers has a cosine of {small:.2f} with the nearest of {n} old ones, one of "
        "{wide:,d} numbers {large:.2f}.",
        _chance,
        lambda v: v["small"] > 4 * v["large"],
    ),
    "cheap": Cited("less than $200 and one GPU", "lermen2023", "abstract"),
    "model": Cited("Llama-2-Chat-70B", "lermen2023", "abstract"),
    "refusal": Cited("about 1%", "lermen2023", "abstract"),
    "slip": Claim(
        "Four matrices in each layer give {four:.1f} million numbers at r = {r}; at r = {half} they give {two:.1f}.",
        _slip,
        lambda v: round(v["four"], 1) == 37.7 and round(v["two"], 1) == 18.9,
    ),
}

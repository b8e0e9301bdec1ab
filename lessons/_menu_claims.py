"""The numbers that the lesson on the menu claims: how each is computed, and what must be true for it to stand."""

from collections.abc import Mapping
from typing import Any

from compute.adapters.rank_budget import start_rank
from compute.experiments.menu import Entry, entry, load_menu, timing
from compute.experiments.menu_plan import BATCHES, MENU_TASKS, MERGE, SEEDS, SIZES, middle_of
from lessons.press.blocks import Cited, Claim

KNOWN, NEW = MENU_TASKS
OTHERS = [method for method in SIZES if method != "full"]
THIN = ("lora", "dora", "adalora", "bottleneck")  # those that have two thin matrices somewhere


def _of(task: str, method: str) -> list[Entry]:
    """Return what was recorded of a method at each of its sizes."""
    return [entry(load_menu(), task, method, size) for size in SIZES[method]]


def _middle(method: str) -> Entry:
    return entry(load_menu(), NEW, method, middle_of(method))


def _lowest(task: str, method: str) -> float:
    return min(each.validation_loss for each in _of(task, method))


def _known() -> Mapping[str, Any]:
    ends = [each for method in OTHERS for each in _of(KNOWN, method)]
    return {
        "before": load_menu().before[KNOWN][0],
        "full": _lowest(KNOWN, "full"),
        "low": min(each.validation_loss for each in ends),
        "high": max(each.validation_loss for each in ends),
        "smallest": min(each.trainable for each in ends),
        "whole": _of(KNOWN, "full")[0].trainable,
    }


def _groups() -> Mapping[str, Any]:
    thin = [_lowest(NEW, method) for method in THIN]
    return {
        "before": load_menu().before[NEW][0],
        "full": _lowest(NEW, "full"),
        "low": min(thin),
        "high": max(thin),
        **{method.replace(" ", "_"): _lowest(NEW, method) for method in ("ia3", "bitfit", "soft prompt")},
    }


def _luck() -> Mapping[str, Any]:
    lora, dora = _middle("lora"), _middle("dora")
    return {
        "r": middle_of("lora"),
        "seeds": len(SEEDS[NEW]),
        "lora_end": lora.validation_loss,
        "dora": dora.validation_loss,
        "low": lora.lowest,
        "high": lora.highest,
    }


def _count() -> Mapping[str, Any]:
    ia3, bitfit = _middle("ia3"), _middle("bitfit")
    prompt = _of(NEW, "soft prompt")[-1]
    lora = _of(NEW, "lora")[0]
    return {
        "ia3_trainable": ia3.trainable,
        "ia3": ia3.validation_loss,
        "bitfit_trainable": bitfit.trainable,
        "bitfit": bitfit.validation_loss,
        "prompt_trainable": prompt.trainable,
        "prompt": prompt.validation_loss,
        "r": SIZES["lora"][0],
        "lora_trainable": lora.trainable,
        "lora_end": lora.validation_loss,
    }


def _ranks() -> Mapping[str, Any]:
    size = middle_of("adalora")
    rate = _middle("adalora").rate
    runs = [
        run.ranks
        for run in load_menu().runs
        if (run.task, run.method, run.size, run.rate) == (NEW, "adalora", size, rate)
    ]

    def kept(part: str) -> float:
        """Return the mean over the layers whose names have a part."""
        found = [r for ranks in runs for name, r in ranks.items() if part in name]
        return sum(found) / len(found)

    return {
        "size": size,
        "first": start_rank(size or 0),
        "seeds": len(runs),
        "attention": kept(".attention."),
        "mlp": kept(".mlp."),
        "low": kept("blocks.0."),
        "top": kept("blocks.2."),
    }


def _forgetting() -> Mapping[str, Any]:
    ends = {method: _middle(method) for method in SIZES}
    return {
        "r": middle_of("lora"),
        "before": load_menu().before[NEW][1],
        **{method.replace(" ", "_"): each.base_loss for method, each in ends.items()},
        "lora_kept": ends["lora"].base_loss,
        "lora_loss": ends["lora"].validation_loss,
        "adalora_loss": ends["adalora"].validation_loss,
    }


def _times() -> Mapping[str, Any]:
    def at(method: str, batch: int, merged: bool = False) -> float:
        return timing(load_menu(), method, middle_of(method), merged, batch).median

    merged = [
        timing(load_menu(), method, size, True, batch).median
        for method in MERGE
        for size in SIZES[method]
        for batch in BATCHES
    ]
    first, many = BATCHES
    return {
        "first": first,
        "many": many,
        **{f"{method}_{batch}": at(method, batch) for method in THIN for batch in BATCHES},
        "least": min(merged),
        "most": max(merged),
        "vectors": SIZES["soft prompt"][-1],
        "prompt": timing(load_menu(), "soft prompt", SIZES["soft prompt"][-1], False, many).median,
        "words": 32,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "known": Claim(
        "In the legal voice the base is at {before:.2f} nats. Full finetuning brings it to {full:.3f}, and "
        "every other method at every size to between {low:.3f} and {high:.3f}. The smallest of them trains "
        "{smallest:,d} numbers in place of {whole:,d}.",
        _known,
        lambda v: v["high"] < v["full"] + 0.02 < v["before"] - 0.05,
    ),
    "groups": Claim(
        "LoRA, DoRA, AdaLoRA and bottlenecks end between {low:.2f} and {high:.2f} nats, each at its best "
        "size. (IA)³ ends at {ia3:.2f}, BitFit at {bitfit:.2f}, the soft prompt at {soft_prompt:.2f}. Full "
        "finetuning ends at {full:.2f}; the base was at {before:.2f}.",
        _groups,
        lambda v: (
            v["full"] + 0.4
            < v["low"]
            <= v["high"]
            < v["ia3"] - 0.5
            < v["bitfit"] - 1
            < v["soft_prompt"] - 1.5
        ),
    ),
    "luck": Claim(
        "At r = {r} LoRA ends at {lora_end:.3f} and DoRA at {dora:.3f}. Three seeds of LoRA alone reach from "
        "{low:.3f} to {high:.3f}.",
        _luck,
        lambda v: v["seeds"] == 3 and v["low"] <= v["dora"] <= v["high"],
    ),
    "count": Claim(
        "(IA)³ trains {ia3_trainable:,d} numbers and ends at {ia3:.2f} nats; BitFit trains "
        "{bitfit_trainable:,d} and ends at {bitfit:.2f}. A soft prompt with {prompt_trainable:,d} numbers "
        "ends at {prompt:.2f}, LoRA at r = {r} with {lora_trainable:,d} at {lora_end:.2f}.",
        _count,
        lambda v: (
            v["ia3_trainable"] < v["bitfit_trainable"] < v["lora_trainable"] < v["prompt_trainable"]
            and v["lora_end"] < v["ia3"] < v["bitfit"] < v["prompt"]
        ),
    ),
    "ranks": Claim(
        "In the new language each layer starts with {first} directions, and {size} are to be left on average. The "
        "layers of the MLP kept {mlp:.1f}, those of attention {attention:.1f}, over {seeds} seeds.",
        _ranks,
        lambda v: v["mlp"] > v["attention"] + 2,
    ),
    "blocks": Claim(
        "The first block kept {low:.1f} a layer, the last one {top:.1f}.",
        _ranks,
        lambda v: v["low"] > v["top"] + 1,
    ),
    "forgetting": Claim(
        "In the new language the loss on the base's own voices rises from {before:.2f} to {lora_kept:.1f} with "
        "LoRA at r = {r}, to {dora:.1f} with DoRA and to {ia3:.1f} with (IA)³, but only to {adalora:.1f} with "
        "AdaLoRA, which learns the language nearly as well: {adalora_loss:.2f} nats beside {lora_loss:.2f}.",
        _forgetting,
        lambda v: v["adalora"] < v["lora_kept"] - 2 and v["adalora_loss"] < v["lora_loss"] + 0.1,
    ),
    "times": Claim(
        "Kept apart, a pass for {first} text takes {lora_1:.2f} times the base's with LoRA, {adalora_1:.2f} "
        "with AdaLoRA, {bottleneck_1:.2f} with bottlenecks and {dora_1:.2f} with DoRA, all at their middle "
        "size. For {many} texts it is {lora_32:.2f}, {adalora_32:.2f}, {bottleneck_32:.2f} and {dora_32:.2f}.",
        _times,
        lambda v: all(v[f"{method}_1"] > 1.1 for method in THIN) and v["dora_1"] > v["lora_1"],
    ),
    "merged": Claim(
        "Merged, all that merge take between {least:.2f} and {most:.2f} times the base's time, which is what "
        "the machine cannot tell from one.",
        _times,
        lambda v: 0.85 < v["least"] < v["most"] < 1.2,
    ),
    "long": Claim(
        "With {vectors} vectors before {words} words, a pass for {many} texts takes {prompt:.1f} times as long.",
        _times,
        lambda v: v["prompt"] > 2,
    ),
    "one-text": Cited("20.7 % and 30.3 % more time", "hu2021", "Table 1"),
    "many-texts": Cited("2.2 % and 3.0 %", "hu2021", "Table 1"),
    "houlsby": Cited("within 0.4 % of full finetuning with 3.6 % of its numbers", "houlsby2019", "abstract"),
    "bitfit-sql": Cited("71.3 beside 73.8", "hu2021", "Table 4, WikiSQL"),
    "bitfit-mnli": Cited("91.0 beside 89.5", "hu2021", "Table 4, MNLI"),
    "prompt-numbers": Cited("20,480 numbers a task", "lester2021", "figure 2"),
    "prefix": Cited("63.1 with 256 of them, 55.9 with 512", "hu2021", "Table 15"),
}

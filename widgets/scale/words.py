"""What the scale instrument says: names of rules and optimisers, templates, code."""

from typing import Any

from compute.experiments.scale import BLOCK
from widgets.kit.guess import WORDS as GUESS
from widgets.kit.runs import OPTIMIZER_LABELS

# Address, label by the rule's name in compute.
RULES = {"alpha/r": ("alpha-r", "alpha / r"), "alpha/sqrt(r)": ("alpha-sqrt-r", "alpha / √r")}
BY_SLUG = {slug: rule for rule, (slug, _) in RULES.items()}
OPTIMIZERS = {"adamw": OPTIMIZER_LABELS["adamw"], "sgd": OPTIMIZER_LABELS["sgd"]}

RUN = "{optimizer}, {rule}, r = {r}: after {steps} steps at learning rate {rate} "
LOSS = RUN + "the loss is {final:.3f} nats per token"
TITLE = "Too low, too high"
CAPTION = (
    "First chart: how fast the first step lowers the loss, against r = 1 at the same alpha and rate; lines are the "
    "formula, rings the mini-model. Loss after the last step: on sentences of the new language that no run trains "
    "on, over the learning rate; small rings are a second seed, tried at the best two rates. Loss on the way: "
    f"means of {BLOCK} steps. Teal is the chosen rank, rate and rule, thin grey the others, dashed grey the "
    "control, full finetuning, dotted grey a writer who knows only how often each word comes. Losses in nats per "
    "token, on a scale that doubles, as rates and ranks do on theirs. Best learning "
    "rate: that of the lowest end; the band holds the rates that end no higher than two seeds differ. Left out: "
    "rates between these, other alphas, longer runs, other tasks."
)
PUBLISHED = "both optimisers, with both scaling rules at every recorded rank"

WORDS: dict[str, Any] = {
    "sentences": {
        "veiled": LOSS + ". Is that rate too low, too high, or right?",
        "best": LOSS
        + ", and no other recorded rate ends lower. Full finetuning ends at {full:.3f}, at {full_rate}.",
        "near": LOSS + ". At {best_rate} it ends at {best:.3f}, but two seeds differ by as much.",
        "low": LOSS + ": too low a rate, it has not come far enough. At {best_rate} it ends at {best:.3f}.",
        "high": LOSS + ": too high a rate, it overshoots. At {best_rate} it ends at {best:.3f}.",
        "diverged": RUN + "the run has diverged: too high a rate. At {best_rate} it ends at {best:.3f}.",
    },
    "rateLabel": "Learning rate",
    "readouts": {
        "scaling": "Scaling, {rule}",
        "best": "Best rate at r = {r}",
        "control": "Best rate of full finetuning",
    },
    "readoutValues": {
        "scaling": "{scaling}",
        "best": "{span}",
        "control": "{full_span}",
    },
    "span": "{low} to {high}",
    "rank": "r = {r}",
    "rate": "{rate}",
    "fullName": "full finetuning",
    "frequencies": "word frequencies alone",
    "diverged": "diverged",
    "fullDiverged": "full finetuning diverges",
    "charts": {
        "gain": {
            "title": "What the first step gains, against r = 1",
            "x": "rank r, doubling",
            "probe": (
                "r = {r}, {rule}: {gain:.3f} × by the formula, {measured:.3f} × measured; {other}: {other_gain:.3f} ×"
            ),
        },
        "sweep": {
            "title": "Loss after the last step",
            "x": "learning rate",
            "probe": "rate {rate}: {losses}; full finetuning {full}",
        },
        "learning": {
            "title": "Loss on the way, a line for each learning rate",
            "x": "step",
            "probe": "step {step}: {loss:.3f} at {rate}; {best_loss:.3f} at {best_rate}, the best rate",
        },
        "best": {
            "title": "Best learning rate",
            "x": "rank r",
            "probe": "r = {r}: {rule} {best_rate}, {other} {other_best}; full finetuning {full_rate}",
        },
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. {optimizer} with {rule}, the same alpha throughout: from r = 4 to r = 64, what becomes of "
            "the best learning rate?"
        ),
        "options": [
            ["falls", "it falls"],
            ["stays", "it stays, for all that two seeds can tell"],
            ["rises", "it rises"],
        ],
        "again": "Guess for this rule",
        "right": "You said: {guess}. So it is with {optimizer} and {rule}: {from_rate} at first, then {to_rate}.",
        "wrong": "You said: {guess}. With {optimizer} and {rule} {truth}: {from_rate} at first, then {to_rate}.",
    },
    "tableHead": ["learning rate", "r = 1", "r = 4", "r = 16", "r = 64", "full finetuning"],
    "downloads": {
        "sweep": "Losses (CSV)",
        "gains": "First steps (CSV)",
        "picture": "Picture (SVG)",
    },
}

SNIPPET = """# Run it in the folder of this project; it trains for some seconds.
from compute.training.config import TrainConfig
from compute.training.short_runs import short_run

config = TrainConfig(
    task="{task}",
    optimizer="{optimizer}",
    scaling_rule="{rule}",
    r={r},
    learning_rate={rate},
    steps={steps},
)
final = short_run(config).final
print("diverged" if final is None else f"{final:.3f} nats per token")
"""

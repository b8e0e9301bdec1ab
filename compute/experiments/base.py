"""The base model of the lessons: a small transformer that has read the base's own mix of voices, from nothing.

Whatever is recorded starts from it and is refused with another, so all recordings are to be made again after it.
"""

from compute.experiments.making import Bar, Recipe
from compute.numbers.records import BASE
from compute.text.voices import BASE_VOICES

SEED = 0
STEPS = 1500
TELL_EVERY = 100  # steps
MEASURED_ON = 512  # texts of each voice, for the losses that base.json tells


def _make(_: list[str]) -> None:
    # Here: all that is only read does without torch.
    import torch

    from compute.model.checkpoint import save_base
    from compute.text.batches import windows
    from compute.training.pretraining import BATCH_SIZE, LEARNING_RATE, pretrain

    bar = Bar(STEPS // TELL_EVERY)

    def tell(step: int, loss: float) -> None:
        if step % TELL_EVERY == 0:
            bar.did(f"step {step}: loss {loss:.3f}")

    model = pretrain(SEED, STEPS, tell)
    block_size, losses = model.config.block_size, {}
    with torch.no_grad():
        for voice in ("base", *BASE_VOICES):
            texts = windows(voice, "validation", block_size, count=MEASURED_ON)
            losses[voice] = round(model.loss(texts).item(), 4)
    recipe = {"seed": SEED, "steps": STEPS, "batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE}
    save_base(BASE, model, {**recipe, "validation_loss": losses, "torch": torch.__version__})


RECIPE = Recipe("base", __doc__, 2, (BASE, BASE.with_suffix(".json")), _make)
if __name__ == "__main__":
    RECIPE.run()

"""What a training run added to each layer, from the weights that it ends with. Needs no torch."""

import numpy as np
from safetensors.numpy import load

from compute.model.forward import base_weights
from compute.model.layers import LAYERS
from compute.training.config import TrainConfig

PREFIX = "base_model.model."  # PEFT wraps the model twice


def changes(weights: bytes, config: TrainConfig) -> dict[str, np.ndarray]:
    """Return delta_w of every projection.

    Parameters
    ----------
    weights : bytes
        A .safetensors file as `compute.training.config.Result` holds it: the adapter, or the whole model after
        full finetuning.
    config : TrainConfig
        The run.

    Returns
    -------
    dict of str to (out, in) ndarray of float64
        By the name of the layer. Of LoRA scaling * lora_B @ lora_A, of full finetuning the difference from the base.

    Raises
    ------
    ValueError
        If a layer was not adapted, or the scaling is not alpha / r.

    Examples
    --------
    >>> from compute.experiments.mixing import FOLDER
    >>> from compute.experiments.runs import config_of
    >>> weights = (FOLDER / "legal" / "adapter_model.safetensors").read_bytes()
    >>> changes(weights, config_of("legal", 4))["blocks.1.mlp.up_proj"].shape
    (256, 64)
    """
    tensors = {name.removeprefix(PREFIX): tensor.astype(np.float64) for name, tensor in load(weights).items()}
    if config.method == "full":
        before = base_weights().tensors
        return {name: tensors[f"{name}.weight"] - before[f"{name}.weight"] for name in LAYERS}
    missing = [name for name in LAYERS if f"{name}.lora_A.weight" not in tensors]
    if config.scaling_rule != "alpha/r" or missing:
        raise ValueError("every layer must be adapted, with the scaling alpha / r.")
    scaling = config.alpha / config.r
    return {
        name: scaling * tensors[f"{name}.lora_B.weight"] @ tensors[f"{name}.lora_A.weight"] for name in LAYERS
    }

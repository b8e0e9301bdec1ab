"""A stand-in for the GPU of an Apple computer, which refuses what that one refuses."""

import torch
from torch import nn


class OnMPS(torch.Tensor):
    """Behave like a tensor on Apple's MPS, without float64 and closed to NumPy, and infect what it is mixed with."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.Tensor.cpu:
            return args[0].as_subclass(torch.Tensor)
        if func is torch.Tensor.numpy:
            raise TypeError("can't convert mps:0 device type tensor to numpy.")
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError("The MPS framework doesn't support float64.")
        return result

    def __deepcopy__(self, memo):
        copied = self.detach().clone()
        return nn.Parameter(copied, self.requires_grad) if isinstance(self, nn.Parameter) else copied


def on_mps(model: nn.Module) -> nn.Module:
    """Move a model to the stand-in, in place."""
    for module in model.modules():
        for name, p in [*module.named_parameters(recurse=False)]:
            setattr(module, name, nn.Parameter(p.detach().as_subclass(OnMPS), p.requires_grad))
    return model

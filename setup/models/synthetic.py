"""Seeded weights for networks whose trained ones cannot be had: same graph and speed, no meaning.

Activations stay in a sane range, different pictures get different classes, and no two parameters
are equal. (torch 1.13 merges equal ones into Identity nodes, which some importers refuse.)
"""

import torch
from torch import nn

LOGIT_SPREAD = 2.5  # standard deviation of a class's logits over pictures; trained networks: 2 to 3


def make_synthetic(model: nn.Module, views: torch.Tensor, seed: int) -> None:
    """Fills `model` with weights drawn from `seed`, calibrated on `views`; eval mode after."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            _draw(module, generator)
        if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
            _calibrate_batch_norm(model, views)
        else:
            _calibrate_convolutions(model, views)
        model.eval()
        _spread_logits(model, views)


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        inputs = module.weight[0].numel()
        module.weight.normal_(0, (2 / inputs) ** 0.5, generator=generator)
        if module.bias is not None:
            module.bias.normal_(0, 0.02, generator=generator)
    elif isinstance(module, nn.BatchNorm2d):
        module.weight.uniform_(0.8, 1.2, generator=generator)
        module.bias.normal_(0, 0.1, generator=generator)


def _calibrate_batch_norm(model: nn.Module, views: torch.Tensor) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # The plain mean over all batches.
    model.train()
    for batch in views.split(9):
        model(batch)


def _calibrate_convolutions(model: nn.Module, views: torch.Tensor) -> None:
    """Gives every channel of every convolution mean 0 and deviation 1, first layer first."""

    def rescale(module, _inputs, output):
        mean = output.mean((0, 2, 3))
        deviation = output.std((0, 2, 3)) + 1e-5
        module.weight /= deviation.view(-1, 1, 1, 1)
        module.bias.copy_((module.bias - mean) / deviation)
        return (output - mean.view(-1, 1, 1)) / deviation.view(-1, 1, 1)

    hooks = [
        module.register_forward_hook(rescale)
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    model.eval()
    model(views)
    for hook in hooks:
        hook.remove()


def _spread_logits(model: nn.Module, views: torch.Tensor) -> None:
    logits = torch.cat([model(batch) for batch in views.split(9)])
    last = [module for module in model.modules() if isinstance(module, (nn.Conv2d, nn.Linear))][-1]
    # One scale for all: a class that hardly varied over these few views must not be blown up.
    scale = LOGIT_SPREAD / float(logits.std(0).mean() + 1e-5)
    last.weight *= scale
    if isinstance(last, nn.Linear):
        last.bias.copy_((last.bias - logits.mean(0)) * scale)
    else:  # SqueezeNet: convolution, ReLU, mean. A shift before the ReLU would shift unevenly.
        last.bias *= scale

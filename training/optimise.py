"""The optimiser: AdamW, with orthogonalised momentum (Muon) for the matrices and convolutions.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by its nearest semi-orthogonal matrix, found by
a few Newton-Schulz steps. The update is scaled to the size of an AdamW update (Liu et al., "Muon is
scalable for LLM training", 2025), so both parts share one learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def orthogonalised(matrix: Tensor, steps: int = 5) -> Tensor:
    """Roughly the nearest semi-orthogonal matrix (singular values near one)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x if wide else x.T
    return result


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum for parameters of two and more dimensions."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                buffer: Tensor = state["momentum"]
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                mixed = parameter.grad.lerp(buffer, group["momentum"])
                matrix = orthogonalised(mixed.flatten(1))
                scale = 0.2 * math.sqrt(max(matrix.shape))
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(matrix.view_as(parameter), alpha=-group["lr"] * scale)


def optimisers(network: nn.Module, kind: str, lr: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """``adamw`` for everything, or ``muon`` for the matrices and AdamW for the rest."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    others = [p for p in network.parameters() if p.ndim < 2]
    plain = {"params": others, "weight_decay": 0.0}
    if kind == "adamw":
        groups = [{"params": matrices, "weight_decay": weight_decay}, plain]
        return [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98))]
    return [
        Muon(matrices, lr=lr, momentum=0.95, weight_decay=weight_decay),
        torch.optim.AdamW([plain], lr=lr, betas=(0.9, 0.98)),
    ]

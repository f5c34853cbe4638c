"""Losses: contrastive (InfoNCE) over two views and a memory, and the Kozachenko-Leonenko spread term.

The recipe follows SSCD (Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection", CVPR 2022):
InfoNCE with mixed pictures as soft positives, plus the differential-entropy estimate of Kozachenko and
Leonenko (as used by Sablayrolles et al., "Spreading vectors for similarity search", ICLR 2019), which
pushes every vector away from its nearest neighbour and so makes one cosine threshold mean the same
everywhere. The memory of earlier vectors as further negatives follows Wang et al., "Cross-Batch Memory for
Embedding Learning", CVPR 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Batch:
    """Vectors of both sides of ``n`` pairs and what is in them.

    ``group`` says which pictures are near-duplicates. ``other`` is the group of a second picture in the
    edited one (collage or background) or -1: no negative of it. ``partner`` is the row of the other picture
    of a collage or -1, ``weight`` the share of the row's own picture.
    """

    plain: Tensor
    edited: Tensor
    group: Tensor
    other: Tensor
    partner: Tensor
    weight: Tensor


class Memory:
    """Vectors of the last plain pictures, without gradients."""

    def __init__(self, capacity: int, dimensions: int, device: torch.device) -> None:
        self.vectors = torch.zeros(capacity, dimensions, device=device)
        self.groups = torch.full((capacity,), -1, dtype=torch.int64, device=device)
        self.filled = 0
        self.cursor = 0

    def clear(self) -> None:
        self.filled = self.cursor = 0

    def add(self, vectors: Tensor, groups: Tensor) -> None:
        capacity = len(self.groups)
        slots = (torch.arange(len(groups), device=groups.device) + self.cursor) % capacity
        self.vectors[slots] = vectors.detach()
        self.groups[slots] = groups
        self.cursor = (self.cursor + len(groups)) % capacity
        self.filled = min(capacity, self.filled + len(groups))

    def current(self) -> tuple[Tensor, Tensor]:
        return self.vectors[: self.filled], self.groups[: self.filled]


def copy_losses(batch: Batch, memory: Memory, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """InfoNCE, spread term, and (for the log) the share of edited pictures whose own picture is the
    nearest.
    """
    count = len(batch.plain)
    rows = torch.arange(count, device=batch.plain.device)
    stored, stored_groups = memory.current()
    vectors = torch.cat([batch.plain, batch.edited])
    keys = torch.cat([vectors, stored])
    similarity = vectors @ keys.T

    has_partner = batch.partner >= 0
    other = torch.where(batch.other >= 0, batch.other, -2 - rows)
    first = torch.cat([batch.group, batch.group])
    second = torch.cat([-2 - count - rows, other])
    nobody = torch.full_like(stored_groups, -1)
    key_first, key_second = torch.cat([first, stored_groups]), torch.cat([second, nobody])
    related = first[:, None] == key_first[None]
    related |= (first[:, None] == key_second[None]) | (second[:, None] == key_first[None])
    related |= second[:, None] == key_second[None]

    target = torch.zeros_like(similarity)
    target[rows, count + rows] = 1.0
    target[count + rows, rows] = batch.weight
    paired = rows[has_partner]
    target[count + paired, batch.partner[paired]] = 1.0 - batch.weight[paired]

    logits = (similarity / temperature).masked_fill(related & (target == 0), -1e4)
    contrast = -(target * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

    nearest = similarity.masked_fill(related, -2.0).max(dim=1).values
    spread = -torch.log(torch.sqrt((2.0 - 2.0 * nearest).clamp(min=1e-6))).mean()

    with torch.no_grad():
        unmixed = ~has_partner
        hit = (similarity[count + rows, rows] > nearest[count:])[unmixed].float().mean()
    return contrast, spread, hit

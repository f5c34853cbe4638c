"""Losses: contrastive (InfoNCE) over both sides of a batch of pairs, and the Kozachenko-Leonenko spread term.

The recipe follows SSCD (Pizzi et al., "A Self-Supervised Descriptor for Image Copy Detection", CVPR 2022):
InfoNCE with mixed pictures as soft positives, plus the differential-entropy estimate of Kozachenko and
Leonenko (as used by Sablayrolles et al., "Spreading vectors for similarity search", ICLR 2019), which
pushes every vector away from its nearest neighbour and so makes one cosine threshold mean the same
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Batch:
    """Vectors of both sides of ``n`` pairs and what is in them.

    ``target`` ``[n, n]`` says what each edited picture shows of each plain one (rows sum to one: a collage
    shows several). ``related`` ``[2n, 2n]`` marks pictures that share content: they are no negatives.
    """

    plain: Tensor
    edited: Tensor
    target: Tensor
    related: Tensor


def copy_losses(batch: Batch, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """InfoNCE, the spread term and, for the log, the share of edited pictures nearest to their own."""
    count = len(batch.plain)
    rows = torch.arange(count, device=batch.plain.device)
    vectors = torch.cat([batch.plain, batch.edited])
    similarity = vectors @ vectors.T

    target = torch.zeros_like(similarity)
    target[rows, count + rows] = 1.0
    target[count:, :count] = batch.target

    logits = (similarity / temperature).masked_fill(batch.related & (target == 0), -1e4)
    contrast = -(target * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

    nearest = similarity.masked_fill(batch.related, -2.0).max(dim=1).values
    spread = -torch.log(torch.sqrt((2.0 - 2.0 * nearest).clamp(min=1e-6))).mean()

    with torch.no_grad():
        unmixed = batch.target.diagonal() == 1
        hit = (similarity[count + rows, rows] > nearest[count:])[unmixed].float().mean()
    return contrast, spread, hit

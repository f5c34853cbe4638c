"""The copy-detection network: a small residual network with generalised-mean pooling.

Input: RGB bytes ``[batch, 3, size, size]``; output: L2-normalised vectors ``[batch, dimensions]``. The
learned part sees every picture twice: as it is, and with each colour channel brought to zero mean and unit
variance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of the network. ``stem`` is the width of the first convolution, ``widths`` one entry per stage.

    With ``centre`` the vector is a mean of two views by the same weights: the whole picture, ``shrink``
    times smaller, and the middle square of ``centre`` pixels at full size, which counts for ``share``.
    """

    stem: int = 24
    widths: tuple[int, ...] = (32, 64, 128, 256)
    depths: tuple[int, ...] = (1, 1, 2, 1)
    pooled: tuple[int, ...] = (2, 3)
    dimensions: int = 256
    centre: int = 0
    shrink: int = 1
    share: float = 0.5

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> NetworkConfig:
        tuples = {name: tuple(values[name]) for name in ("widths", "depths", "pooled")}
        return NetworkConfig(**{**values, **tuples})

    def with_views(self, centre: int, shrink: int, share: float) -> NetworkConfig:
        return replace(self, centre=centre, shrink=shrink, share=share)


class Standardise(nn.Module):
    """Six planes of bytes: on a fixed scale, and with zero mean and unit variance per picture and channel.

    The first three keep the colours, the others are free of brightness, contrast and channel gain (up to
    clipping); ``floor`` keeps flat channels from being blown up.
    """

    def __init__(self, middle: float = 120.0, scale: float = 70.0, floor: float = 6.0) -> None:
        super().__init__()
        self.middle = middle
        self.scale = scale
        self.floor = floor

    def forward(self, pixels: Tensor) -> Tensor:
        values = pixels.float()
        centred = values - values.mean(dim=(2, 3), keepdim=True)
        variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
        standard = centred / torch.sqrt(variance + self.floor * self.floor)
        return torch.cat([(values - self.middle) / self.scale, standard], dim=1)


class GeneralisedMean(nn.Module):
    """GeM pooling (Radenovic et al., 2018): the power mean of each channel, with a learned power."""

    def __init__(self, power: float = 3.0, epsilon: float = 1e-4) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))
        self.epsilon = epsilon

    def forward(self, maps: Tensor) -> Tensor:
        raised = maps.float().clamp(min=self.epsilon).pow(self.power)
        return raised.mean(dim=(2, 3)).pow(1.0 / self.power)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the last norm starts at zero, so a block starts as the
    identity.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3)
        self.norm2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            pool: nn.Module = nn.AvgPool2d(stride) if stride != 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, convolution(inputs, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, maps: Tensor) -> Tensor:
        inner = functional.relu(self.norm1(self.conv1(maps)))
        inner = self.norm2(self.conv2(inner))
        return functional.relu(inner + self.shortcut(maps))


class CopyNetwork(nn.Module):
    """Bytes in, unit vectors out."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.standardise = Standardise()
        self.stem = nn.Sequential(
            convolution(6, config.stem, 3, 2), nn.BatchNorm2d(config.stem), nn.ReLU(inplace=True)
        )
        stages: list[nn.Module] = []
        inputs = config.stem
        for width, depth in zip(config.widths, config.depths, strict=True):
            blocks = [
                ResidualBlock(inputs if i == 0 else width, width, 2 if i == 0 else 1) for i in range(depth)
            ]
            stages.append(nn.Sequential(*blocks))
            inputs = width
        self.stages = nn.ModuleList(stages)
        self.pools = nn.ModuleList([GeneralisedMean() for _ in config.pooled])
        pooled = sum(config.widths[i] for i in config.pooled)
        self.embed = nn.Linear(pooled, config.dimensions)
        self.norm = nn.BatchNorm1d(pooled)

    def features(self, pixels: Tensor) -> Tensor:
        maps = self.stem(self.standardise(pixels).contiguous(memory_format=torch.channels_last))
        pooled: list[Tensor] = []
        wanted = dict(zip(self.config.pooled, self.pools, strict=True))
        for index, stage in enumerate(self.stages):
            maps = stage(maps)
            if index in wanted:
                pooled.append(wanted[index](maps))
        return torch.cat(pooled, dim=1)

    def view(self, pixels: Tensor) -> Tensor:
        vectors: Tensor = self.embed(self.norm(self.features(pixels)))
        return normalised(vectors.float())

    def forward(self, pixels: Tensor) -> Tensor:
        centre = self.config.centre
        if centre == 0:
            return self.view(pixels)
        edge = (pixels.shape[2] - centre) // 2
        values = pixels.float()
        whole = functional.avg_pool2d(values, self.config.shrink)
        middle = values[:, :, edge : edge + centre, edge : edge + centre]
        share = self.config.share
        if whole.shape[2] != centre:
            return normalised((1 - share) * self.view(whole) + share * self.view(middle))
        both = self.view(torch.cat([whole, middle])).view(2, -1, self.config.dimensions)
        return normalised((1 - share) * both[0] + share * both[1])


def normalised(vectors: Tensor) -> Tensor:
    return vectors / torch.sqrt((vectors * vectors).sum(dim=1, keepdim=True) + 1e-12)


def load_network(path: Path) -> tuple[CopyNetwork, int]:
    """The averaged network of a checkpoint, ready to embed, and its input size."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = CopyNetwork(NetworkConfig.from_dict(state["network"]))
    network.load_state_dict({name: value.float() for name, value in state["average"].items()})
    return network.to(memory_format=torch.channels_last).eval(), int(state["size"])

"""Models: networks that turn a picture into a vector. Their libraries load at first use."""

from __future__ import annotations

import os
from functools import cache

from facsimile.imaging.errors import ModelNotFound
from facsimile.imaging.models.base import Device, Model, ModelOptions

DEFAULT_MODEL = "facsimile"

#: how models are named: ours; AugNet, as published in the package `imgsim`; the features of a classification
#: network of torchvision; a network saved as TorchScript, for instance SSCD's
MODEL_NAMES = ("facsimile", "augnet", "torchvision:NAME[:WEIGHTS]", "torchscript:FILE")


def model(name: str = DEFAULT_MODEL, *, batch: int = 32, threads: int = 1, device: Device = "auto") -> Model:
    """Return the model of this name; a process has one instance per set of arguments.

    `batch` is how many pictures are computed together, `threads` how many processor threads a network may
    use, `device` is "cpu", "cuda", "mps" or "auto" (the best one that the model can use here). None of
    them changes a vector by more than rounding. A model belongs to the process that made it; others make
    their own by its name.

    Raises ModelNotFound and ModelUnavailable; what is loaded late may raise the latter at the first vector.
    """
    return _model(name, ModelOptions(batch, threads, device))


@cache
def _model(name: str, options: ModelOptions) -> Model:
    match name.partition(":"):
        case "facsimile", "", "":
            from facsimile.imaging.models.bundled import Bundled

            return Bundled(options)
        case "augnet", "", "":
            from facsimile.imaging.models.augnet import AugNet

            return AugNet(options)
        case "torchvision", ":", which if which:
            from facsimile.imaging.models.pytorch import TorchVision

            return TorchVision(which, options)
        case "torchscript", ":", file if file:
            from facsimile.imaging.models.pytorch import TorchScript

            return TorchScript(file, options)
    raise ModelNotFound(f"there is no model {name!r}; known are {', '.join(MODEL_NAMES)}")


if hasattr(os, "register_at_fork"):  # the threads of a network stay behind in the parent
    os.register_at_fork(after_in_child=_model.cache_clear)

"""Models of torch, the extra `torch`: networks of torchvision, and networks saved as TorchScript."""

from __future__ import annotations

import hashlib
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.decode import DecodedImage
from facsimile.imaging.errors import ModelNotFound, ModelUnavailable
from facsimile.imaging.models.base import Model, ModelOptions, imported

#: the mean and deviation of ImageNet's pictures per channel, on a scale of 0..1
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: a picture longer than this many times its width is a strip
_STRIP = 4


class TorchModel(Model):
    """A network of torch. The number of threads is that of the process: the model loaded last sets it."""

    extra = "torch"

    def __init__(self, options: ModelOptions) -> None:
        super().__init__(options)
        self._torch = imported("torch", self.extra)

    @abstractmethod
    def _load(self) -> Any:
        """The network, ready to compute on the device."""

    def _compute(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(np.stack(prepared)).to(self._device)
            vectors: NDArray[np.float32] = self._network(batch).float().cpu().numpy()
        return vectors

    @cached_property
    def _network(self) -> Any:
        self._torch.set_num_threads(self.options.threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they tell the authors of networks what is deprecated
            return self._load()

    @cached_property
    def _device(self) -> str:
        here = {
            "cuda": self._torch.cuda.is_available(),
            "mps": self._torch.backends.mps.is_available(),
            "cpu": True,
        }
        if self.options.device == "auto":
            return next(device for device, usable in here.items() if usable)
        if not here[self.options.device]:
            raise ModelUnavailable(f"torch finds no device {self.options.device} here")
        return self.options.device


class TorchVision(TorchModel):
    """What the last layer of a classification network sees: the features that its classes are made from.

    `which` is `NAME[:WEIGHTS]` as torchvision has them; torchvision loads the weights, over the network
    unless it has them in its cache. The weights `none` are random, the same ones each time.
    """

    def __init__(self, which: str, options: ModelOptions) -> None:
        super().__init__(options)
        self._models = imported("torchvision.models", self.extra)
        self._network_name, _, weights = which.partition(":")
        if self._network_name not in self._models.list_models(module=self._models):
            raise ModelNotFound(f"torchvision has no classification network {self._network_name!r}")
        known = self._models.get_model_weights(self._network_name)
        weights = weights or known.DEFAULT.name
        names = [*(one.name for one in known), "none"]
        if weights not in names:
            there = ", ".join(names)
            raise ModelNotFound(f"{self._network_name} has no weights {weights!r}; known are {there}")
        self._weights = None if weights == "none" else known[weights]
        self._transform = (self._weights or known.DEFAULT).transforms()
        self.name = f"torchvision:{which}"
        self.identity = f"torchvision:{self._network_name}:{self._weights.name if self._weights else 'none'}"

    @property
    def preprocess(self) -> str:
        shown = self._transform
        return (
            f"shorter side to {shown.resize_size[0]}, middle {shown.crop_size[0]}x{shown.crop_size[0]}, "
            f"mean {shown.mean}, deviation {shown.std}; strips squashed to a square before"
        )

    @cached_property
    def dims(self) -> int:
        side = self._transform.crop_size[0]
        return len(self._compute([np.zeros((3, side, side), np.float32)])[0])

    def prepare(self, picture: DecodedImage) -> NDArray[np.float32]:
        shown = self._torch.from_numpy(without_strips(picture).copy()).permute(2, 0, 1)
        prepared: NDArray[np.float32] = self._transform(shown).numpy()
        return prepared

    def _load(self) -> Any:
        linear, identity = self._torch.nn.Linear, self._torch.nn.Identity
        with self._torch.random.fork_rng(devices=[]):
            self._torch.manual_seed(0)
            try:
                network = self._models.get_model(self._network_name, weights=self._weights)
            except (OSError, RuntimeError) as error:
                raise ModelUnavailable(f"cannot load the weights of {self.identity}: {error}") from error
        layers = [name for name, layer in network.named_modules() if isinstance(layer, linear)]
        if not layers:
            raise ModelNotFound(f"{self._network_name} has no feature layer: its last one is no linear layer")
        network.set_submodule(layers[-1], identity())
        return network.eval().to(self._device)


class TorchScript(TorchModel):
    """A network saved as TorchScript that takes ImageNet-normalised pictures and gives a vector for each, as
    SSCD's do (Pizzi et al. 2022). Such a file can hold any code: load only those that you trust."""

    side = 288
    preprocess = f"squashed to {side}x{side} (bilinear, antialiased), mean {_MEAN}, deviation {_DEVIATION}"

    def __init__(self, file: str, options: ModelOptions) -> None:
        super().__init__(options)
        self._file = Path(file)
        try:
            with self._file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise ModelUnavailable(f"cannot read the model {file}: {error.strerror}") from error
        self.name = f"torchscript:{file}"
        self.identity = f"torchscript:{self._file.name}:{digest[:12]}"

    @cached_property
    def dims(self) -> int:
        return len(self._compute([np.zeros((3, self.side, self.side), np.float32)])[0])

    def prepare(self, picture: DecodedImage) -> NDArray[np.float32]:
        torch = self._torch
        shown = torch.from_numpy(picture.rgb.copy()).permute(2, 0, 1)[None].float() / 255
        resize = torch.nn.functional.interpolate
        square = resize(shown, (self.side, self.side), mode="bilinear", antialias=True)[0]
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        prepared: NDArray[np.float32] = ((square - mean) / deviation).numpy()
        return prepared

    def _load(self) -> Any:
        try:
            return self._torch.jit.load(str(self._file), map_location=self._device).eval()
        except RuntimeError as error:
            raise ModelUnavailable(f"{self._file} is no TorchScript that can be loaded here") from error


def without_strips(picture: DecodedImage) -> NDArray[np.uint8]:
    """The working raster [H, W, 3], for networks that want the shorter side at a given length. A strip comes
    squashed to a square: a line of pixels would otherwise grow beyond all memory."""
    height, width = picture.rgb.shape[:2]
    return picture.rgb if max(height, width) <= _STRIP * min(height, width) else picture.square(256)


def weights_are_cached(which: str) -> bool:
    """Whether torchvision has the weights of `NAME[:WEIGHTS]` on this machine, so that loading them needs no
    network access. Raises ModelUnavailable, and ModelNotFound for an unknown name."""
    models = imported("torchvision.models", "torch")
    name, _, weights = which.partition(":")
    if name not in models.list_models(module=models):
        raise ModelNotFound(f"torchvision has no classification network {name!r}")
    known = models.get_model_weights(name)
    chosen = weights or known.DEFAULT.name
    if chosen not in known.__members__:
        return False
    file = str(known[chosen].url).rpartition("/")[2]
    return (Path(imported("torch", "torch").hub.get_dir()) / "checkpoints" / file).is_file()

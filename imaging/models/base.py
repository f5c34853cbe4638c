"""What a model is. Policy lives here once; a model fills in what is abstract."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.decode import DecodedImage
from facsimile.imaging.errors import ModelError, ModelUnavailable

Device = Literal["auto", "cpu", "cuda", "mps"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model is run; see `facsimile.imaging.models.model`."""

    batch: int = 32
    threads: int = 1
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.batch < 1 or self.threads < 1:
            raise ModelError("a model needs a batch of at least 1 and at least 1 thread")
        if self.device not in get_args(Device):
            raise ModelError(f"there is no device {self.device!r}; known are {', '.join(get_args(Device))}")


class Model(ABC):
    """A network that turns pictures into vectors whose cosine is their similarity.

    `name` is what it is asked for by. `identity` names network and weights: vectors of two identities
    cannot be compared, so an index keeps it. `dims` is the length of a vector, and `preprocess` says in
    words what the network is shown.
    """

    name: str
    identity: str

    def __init__(self, options: ModelOptions) -> None:
        self.options = options

    @property
    @abstractmethod
    def dims(self) -> int: ...

    @property
    @abstractmethod
    def preprocess(self) -> str: ...

    @abstractmethod
    def prepare(self, picture: DecodedImage) -> NDArray[Any]:
        """What the network is shown of a picture: all that has to be kept of it until the batch is full."""

    def vectors(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors of prepared pictures: float32 [N, dims], each of length 1.

        They do not depend on what else is in the batch. A picture in which a network sees nothing at all
        gets the vector whose entries are all equal, for none has no direction.
        """
        step = self.options.batch
        batches = [self._compute(prepared[at : at + step]) for at in range(0, len(prepared), step)]
        raw = np.concatenate(batches or [np.empty((0, self.dims), np.float32)]).astype(np.float32)
        raw[~raw.any(axis=1)] = 1
        normalised: NDArray[np.float32] = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        return normalised

    @abstractmethod
    def _compute(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """The vectors of one batch: [N, dims], not normalised."""


def imported(module: str, extra: str) -> Any:
    """A module that an extra brings; raises ModelUnavailable with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        command = f"pip install 'facsimile[{extra}]'"
        raise ModelUnavailable(f"the model needs {module} ({error}): {command}") from error
